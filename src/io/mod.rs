//! Files of a few general kinds, read and written in one way everywhere.

pub mod npy;

mod files;
mod image_file;
mod json;
mod lock;
mod png;

pub use files::{create_folder, read, read_text, refuse_overwrite, remove, remove_folder, write, write_with};
pub use image_file::{MAX_PIXELS, MAX_SIDE, decode_image, decode_trusted_jpeg, orientation};
pub use json::{read_json, read_json_if_exists, to_json, write_json};
pub use lock::Lock;
pub use png::{encode_png, write_png};
