//! Predictions of trained networks, and their export.

mod predictions;
