//! Files of a few general kinds, read and written in one way everywhere.

pub mod npy;

mod files;
mod image_file;
mod json;
mod limits;
mod lock;
mod output;
mod png;
mod walk;

pub use files::{
    create_folder, is_litter, read, read_text, remove, remove_own, sweep_partial_files, write, write_with,
};
pub use image_file::{MAX_PIXELS, MAX_SIDE, decode_image, decode_trusted_jpeg, orientation};
pub use json::{path_text, read_json, read_json_if_exists, serialize_path, to_json, write_json};
pub use limits::fail_at_file_size_limit;
pub use lock::Lock;
pub use output::{OutputFolder, refuse_foreign, refuse_overwrite, written_files};
pub use png::{encode_png, write_png};
pub use walk::files_below;
