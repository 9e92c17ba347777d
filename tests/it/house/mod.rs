//! Rules that source and pages keep: arrows between folders, words, links.

mod arrows;
mod candle;
mod links;
mod modules;
mod words;
