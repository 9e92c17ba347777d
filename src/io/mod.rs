//! Files of a few general kinds, read and written in one way everywhere.

pub mod npy;
pub mod protobuf;

mod announced;
mod file_kind;
mod files;
mod guard;
mod image_file;
mod json;
mod limits;
mod lock;
mod open;
mod output;
mod parquet;
mod parquet_types;
mod png;
mod sealed;
mod walk;

pub use file_kind::{archive, check_text, foreign, is_web_page};
pub use files::{
    create_folder, create_folder_below, is_litter, is_partial_file, read, read_table, read_text, remove, remove_own,
    sweep_partial_files, sync, sync_folder, write, write_unsynced, write_with,
};
pub use guard::guarded;
pub use image_file::{MAX_PIXELS, MAX_SIDE, decode_image, decode_trusted_jpeg, orientation};
pub use json::{path_text, read_json, read_json_if_exists, serialize_path, to_json, write_json};
pub use limits::fail_at_file_size_limit;
pub use lock::Lock;
pub use open::{
    NETWORK_BYTES, RECORD_BYTES, TABLE_BYTES, append_own, digest, open, open_own, open_unlinked, read_opened,
    read_up_to,
};
pub use output::{OutputFolder, names_in, refuse_foreign, refuse_overwrite, written_files};
pub use parquet::{ParquetTable, parse as parse_parquet, read_parquet};
pub use png::{encode_png, write_png};
pub use sealed::{open_sealed, write_sealed};
pub use walk::files_below;
