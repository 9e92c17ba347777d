//! Folders that others made: hostile, damaged, or both.

#[cfg(unix)]
mod bombs;
#[cfg(unix)]
mod places;
mod text;
