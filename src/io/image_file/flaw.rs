//! Why an image cannot be read.

/// Largest width and height of an image in pixels.
pub const MAX_SIDE: u32 = 16_384;
/// Largest number of pixels of an image, 8,192 x 8,192: decoded images are in memory.
pub const MAX_PIXELS: u64 = 1 << 26;

/// Why an image cannot be read.
pub(super) enum Flaw {
    /// A clause on what is missing or damaged.
    Incomplete(String),
    /// Width and height.
    TooLarge(u32, u32),
    /// It has transparent parts.
    Transparent,
}

impl From<String> for Flaw {
    fn from(clause: String) -> Self {
        Self::Incomplete(clause)
    }
}

/// Refuses the size of an image before it is decoded.
pub(super) fn check_size(width: u32, height: u32) -> Result<(), Flaw> {
    if width.max(height) > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Flaw::TooLarge(width, height));
    }
    Ok(())
}
