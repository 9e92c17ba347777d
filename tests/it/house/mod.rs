//! Rules that the source itself keeps: arrows between folders.

mod arrows;
mod candle;
mod modules;
mod words;
