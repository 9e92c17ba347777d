//! Random generators keyed by purpose. A generator is a function of a seed and a path of numbers (image, copy, epoch).
//! Any item can be recomputed by itself, on any thread.

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

/// The generator of the item `path` for `seed`.
///
/// ```
/// use rand::RngExt;
/// let draw = |path: &[u64]| gal_bench::random::generator(7, path).random::<u64>();
/// assert_eq!(draw(&[3, 1]), draw(&[3, 1]));
/// assert_ne!(draw(&[3, 1]), draw(&[1, 3]));
/// ```
pub fn generator(seed: u64, path: &[u64]) -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(path.iter().fold(mix(seed), |state, &item| mix(state ^ mix(item))))
}

/// Hash of a name, the same on every machine.
pub fn name(name: &str) -> u64 {
    let digest = blake3::hash(name.as_bytes());
    u64::from_le_bytes(*digest.as_bytes().first_chunk().expect("a digest has 32 bytes"))
}

/// A number from -1 (included) to 1 that belongs to an index, with every seed.
pub fn unit(index: u64) -> f32 {
    (mix(index) >> 40) as f32 / (1 << 23) as f32 - 1.0
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014), with its increment.
fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
