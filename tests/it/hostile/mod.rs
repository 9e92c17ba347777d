//! Folders that others made: hostile, damaged, or both.

#[cfg(unix)]
mod bombs;
mod damage;
#[cfg(unix)]
mod places;
#[cfg(target_os = "linux")]
mod power;
#[cfg(unix)]
mod sharing;
mod text;
