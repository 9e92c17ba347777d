//! Folders that others made: hostile, damaged, or both.

mod text;
