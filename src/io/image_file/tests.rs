use super::*;
use image::{ImageEncoder, Luma, Rgb, Rgba, RgbaImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use std::io::Cursor;

/// Files of Pillow's encoder, libjpeg; the progressive one refines coefficients.
const PILLOW: [(&str, &[u8]); 7] = [
    ("four colours", include_bytes!("../../../fuzz/seeds/jpeg/four-colours")),
    ("full colour", include_bytes!("../../../fuzz/seeds/jpeg/full-colour")),
    ("grey", include_bytes!("../../../fuzz/seeds/jpeg/grey")),
    ("half colour", include_bytes!("../../../fuzz/seeds/jpeg/half-colour")),
    ("progressive", include_bytes!("../../../fuzz/seeds/jpeg/progressive")),
    ("quarter colour", include_bytes!("../../../fuzz/seeds/jpeg/quarter-colour")),
    ("restarts", include_bytes!("../../../fuzz/seeds/jpeg/restarts")),
];

fn read(bytes: &[u8]) -> Result<RgbImage> {
    decode_image(bytes, Path::new("it"))
}

fn refusal(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

/// A photograph's mix of smooth parts and detail.
fn scene() -> RgbImage {
    RgbImage::from_fn(180, 140, |x, y| {
        let grain = (x * 7919 + y * 104_729) % 61;
        Rgb([(x + y) as u8, if x > 90 { grain as u8 * 4 } else { 120 }, (y * 3 / 2) as u8])
    })
}

fn jpeg(change: impl Fn(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 85);
    change(&mut encoder);
    let image = scene();
    encoder.encode(image.as_raw(), image.width() as u16, image.height() as u16, ColorType::Rgb).unwrap();
    bytes
}

/// Complete files of every kind.
fn complete() -> Vec<(&'static str, Vec<u8>)> {
    let mut files: Vec<_> = PILLOW.map(|(name, bytes)| (name, bytes.to_vec())).into();
    files.push(("large", jpeg(|_| ())));
    files.push(("large, quarter colour", jpeg(|encoder| encoder.set_sampling_factor(SamplingFactor::F_2_2))));
    files.push(("large, own tables", jpeg(|encoder| encoder.set_optimized_huffman_tables(true))));
    files.push(("large, progressive", jpeg(|encoder| encoder.set_progressive(true))));
    files.push(("large, restarts", jpeg(|encoder| encoder.set_restart_interval(7))));
    files
}

/// The index of the first scan's data.
fn data(bytes: &[u8]) -> usize {
    let scan = memchr::memmem::find(bytes, &[0xff, 0xda]).unwrap();
    scan + 2 + usize::from(bytes[scan + 3])
}

#[test]
fn complete_files_of_every_kind_are_read() {
    for (name, bytes) in complete() {
        assert!(read(&bytes).is_ok(), "{name}: {}", refusal(&bytes));
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    for (name, bytes) in complete() {
        for length in (0..bytes.len()).filter(|length| *length < 700 || length % 13 == 0) {
            let message = refusal(&bytes[..length]);
            assert!(
                length < 3 || message.starts_with("it: is not a complete JPEG image: "),
                "{name} {length}: {message}"
            );
        }
    }
}

/// An end marker makes a decoder fill what is missing. A cut of the last byte may only remove bits that fill it.
#[test]
fn a_file_cut_in_its_data_and_ended_is_refused() {
    for (name, bytes) in complete() {
        let whole = read(&bytes).unwrap();
        for length in (data(&bytes)..bytes.len() - 2).filter(|length| *length < 900 || length % 7 == 0) {
            let cut = [&bytes[..length], &[0xff, 0xd9]].concat();
            match read(&cut) {
                Err(error) => assert!(error.to_string().contains("is not a complete JPEG image"), "{error}"),
                Ok(image) => assert_eq!(image, whole, "{name} {length}"),
            }
        }
    }
}

/// Damage inside the data shifts the codes, which soon fit again. The number of blocks then differs, with few exceptions.
#[test]
fn nearly_every_hole_is_refused() {
    let (mut holes, mut refused) = (0, 0);
    for (name, bytes) in complete().into_iter().filter(|(name, _)| name.starts_with("large")) {
        for start in (data(&bytes)..bytes.len() - 300).step_by(97) {
            let mut removed = bytes.clone();
            removed.drain(start..start + 256);
            let mut zeroed = bytes.clone();
            zeroed[start..start + 256].fill(0);
            for damaged in [removed, zeroed] {
                holes += 1;
                refused += usize::from(read(&damaged).is_err());
            }
        }
        assert!(holes > 0, "{name}");
    }
    assert!(refused * 100 >= holes * 97, "{refused} of {holes}");
}

#[test]
fn a_progressive_file_without_its_last_scans_is_refused() {
    let bytes = PILLOW[4].1;
    let scans: Vec<usize> = memchr::memmem::find_iter(bytes, &[0xff, 0xda]).collect();
    assert!(scans.len() > 5);
    for scan in &scans[1..] {
        // A table of codes may stand between two scans.
        let tables = memchr::memmem::rfind(&bytes[..*scan], &[0xff, 0xc4]).filter(|start| *start > scans[0]);
        let cut = [&bytes[..tables.unwrap_or(*scan).min(*scan)], &[0xff, 0xd9]].concat();
        assert!(
            refusal(&cut).contains("is not a complete JPEG image: its last scans are missing"),
            "{}",
            refusal(&cut)
        );
    }
}

#[test]
fn restart_intervals_that_are_missing_are_refused() {
    let bytes = jpeg(|encoder| encoder.set_restart_interval(7));
    let find = |marker: u8| data(&bytes) + memchr::memmem::find(&bytes[data(&bytes)..], &[0xff, marker]).unwrap();
    let mut without = bytes.clone();
    without.drain(find(0xd1)..find(0xd3));
    assert!(refusal(&without).contains("part of it is missing"), "{}", refusal(&without));
}

/// Restart intervals end between blocks, so the first of them may fit a size with a flipped bit exactly.
#[test]
fn restart_intervals_that_are_left_over_are_refused() {
    for (progressive, marker) in [(false, 0xc0), (true, 0xc2)] {
        let bytes = jpeg(|encoder| {
            encoder.set_sampling_factor(SamplingFactor::F_1_1);
            encoder.set_progressive(progressive);
            encoder.set_restart_interval(1);
        });
        assert!(scans::check(&bytes).is_ok(), "{progressive}");
        let frame = memchr::memmem::find(&bytes, &[0xff, marker]).unwrap();
        for (place, side) in [(frame + 5, 136_u16), (frame + 7, 176)] {
            for smaller in (8..=side).step_by(8) {
                let mut flipped = bytes.clone();
                flipped[place..place + 2].copy_from_slice(&smaller.to_be_bytes());
                assert!(refusal(&flipped).contains("left over after"), "{smaller}: {}", refusal(&flipped));
            }
        }
    }
}

#[test]
fn one_restart_marker_may_follow_the_last_block() {
    let bytes = jpeg(|encoder| encoder.set_restart_interval(7));
    let end = bytes.len() - 2;
    let is_restart = |at: &usize| bytes[*at] == 0xff && matches!(bytes[*at + 1], 0xd0..=0xd7);
    let last = (data(&bytes)..end).rev().find(is_restart).unwrap();
    let after = |marker: u8| 0xd0 | ((marker + 1) % 8);
    let next = after(bytes[last + 1]);
    let with = |more: &[u8]| [&bytes[..end], more, &bytes[end..]].concat();
    for more in [&[0xff, next][..], &[0xff, 0xff, next], &[0xff, next, 0xff, 0xff]] {
        assert!(scans::check(&with(more)).is_ok(), "{more:x?}");
    }
    for more in
        [&[0xff, next, 0xff, after(next)][..], &[0xff, next, 0x12], &[0xff, next, 0xff, 0], &[0xff, after(next)]]
    {
        assert!(refusal(&with(more)).contains("left over after"), "{more:x?}: {}", refusal(&with(more)));
    }
    // The same file without restarts has no use for a marker.
    let plain = jpeg(|_| ());
    let marked = [&plain[..plain.len() - 2], &[0xff, 0xd0, 0xff, 0xd9]].concat();
    assert!(refusal(&marked).contains("left over after"), "{}", refusal(&marked));
}

/// Some encoders write bytes that a decoder skips.
#[test]
fn bytes_that_fill_a_word_or_precede_and_follow_markers_are_read() {
    let bytes = jpeg(|_| ());
    let end = bytes.len() - 2;
    for more in [&[0_u8, 0, 0][..], &[0xff, 0xff]] {
        let filled = [&bytes[..end], more, &bytes[end..]].concat();
        assert!(read(&filled).is_ok(), "{more:?}: {}", refusal(&filled));
    }
    assert!(read(&[&bytes[..], b"and a trailer"].concat()).is_ok());
    let left = [&bytes[..end], &[0x12, 0x34], &bytes[end..]].concat();
    assert!(refusal(&left).contains("left over after"), "{}", refusal(&left));
}

#[test]
fn an_image_that_is_too_large_is_refused_before_it_is_decoded() {
    let mut wide = jpeg(|_| ());
    let frame = memchr::memmem::find(&wide, &[0xff, 0xc0]).unwrap();
    wide[frame + 7..frame + 9].copy_from_slice(&16_400_u16.to_be_bytes());
    let message = "it: is too large: 16400 x 140 pixels, at most 16384 a side and 67 million together; reduce it";
    assert_eq!(refusal(&wide), message);
    for side in [0x3000_u32, u32::MAX >> 1, u32::MAX] {
        let mut wide = png(&RgbImage::new(3, 3).into());
        wide[16..20].copy_from_slice(&side.to_be_bytes());
        wide[20..24].copy_from_slice(&side.to_be_bytes());
        let expected = format!("it: is too large: {side} x {side} pixels, at most 16384 a side");
        assert!(refusal(&wide).starts_with(&expected), "{}", refusal(&wide));
    }
}

fn png(image: &DynamicImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[test]
fn a_png_file_is_read_and_cut_anywhere_refused() {
    let bytes = png(&scene().into());
    assert_eq!(read(&bytes).unwrap(), scene());
    for length in (8..bytes.len()).filter(|length| *length < 300 || length % 101 == 0 || length + 40 > bytes.len()) {
        let message = refusal(&bytes[..length]);
        assert!(message.starts_with("it: is not a complete PNG image: "), "{length}: {message}");
    }
}

#[test]
fn grayscale_and_sixteen_bits_become_rgb() {
    let gray = DynamicImage::ImageLuma16(image::ImageBuffer::from_pixel(5, 4, Luma([77 * 257])));
    assert!(read(&png(&gray)).unwrap().pixels().all(|pixel| pixel.0 == [77; 3]));
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, 95).encode(&[77; 16 * 16], 16, 16, ColorType::Luma).unwrap();
    assert!(read(&bytes).unwrap().pixels().all(|pixel| pixel.0 == [77; 3]));
}

#[test]
fn transparent_parts_are_refused_and_an_opaque_alpha_is_not() {
    let of = |alpha: u8| png(&RgbaImage::from_pixel(4, 4, Rgba([9, 8, 7, alpha])).into());
    assert!(refusal(&of(254)).contains("transparent"));
    assert!(read(&of(255)).unwrap().pixels().all(|pixel| pixel.0 == [9, 8, 7]));
}

#[test]
fn other_files_are_refused() {
    assert_eq!(refusal(b""), "it: is an empty file: replace it");
    assert_eq!(refusal(b"GIF89a and more"), "it: is neither a JPEG nor a PNG image: replace or convert it");
}

/// EXIF data with an orientation, a number of the EXIF standard.
fn exif(orientation: u8) -> Vec<u8> {
    [&b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"[..], &[orientation], &[0; 6]].concat()
}

/// Dark at the top, light at the bottom.
fn upright() -> RgbImage {
    RgbImage::from_fn(24, 32, |_, y| Rgb([if y < 16 { 20 } else { 230 }; 3]))
}

#[test]
fn an_image_on_its_side_is_turned_upright() {
    let mut jpeg = Vec::new();
    let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 95);
    encoder.set_exif_metadata(exif(6)).unwrap();
    encoder.encode_image(&upright()).unwrap();
    let mut png = Vec::new();
    let mut encoder = image::codecs::png::PngEncoder::new(&mut png);
    encoder.set_exif_metadata(exif(6)).unwrap();
    encoder.write_image(upright().as_raw(), 24, 32, image::ExtendedColorType::Rgb8).unwrap();
    // 6: the right side of the stored image is its top.
    for bytes in [jpeg, png] {
        assert_eq!(orientation(&bytes), Orientation::Rotate90);
        let image = read(&bytes).unwrap();
        assert_eq!(image.dimensions(), (32, 24));
        assert!(image.get_pixel(30, 12).0[0] < 60 && image.get_pixel(1, 12).0[0] > 190);
    }
}

#[test]
fn damaged_exif_data_turns_nothing() {
    for bytes in [
        &b"\xff\xd8\xff\xe1"[..],
        b"\xff\xd8\xff\xe1\0\x0aExif\0\0M",
        b"\xff\xd8\xff\xe1\0\0",
        b"\xff\xd8\xff",
        b"\xff\xd8",
    ] {
        assert_eq!(orientation(bytes), Orientation::NoTransforms);
    }
}
