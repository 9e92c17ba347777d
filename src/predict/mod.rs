//! Predictions of a trained network for image files. Images are preprocessed and batched like the test split, so predicting
//! the whole test split reproduces `predictions.parquet` bit for bit. A single image agrees to 1e-6, since matrix products
//! with few columns sum in another order.

mod decoder;
mod find;
mod known_label;
mod prediction;
mod predictor;
mod stream;
mod text;

pub use find::find;
pub use known_label::KnownLabel;
pub use prediction::{Prediction, Predictions, Streamed, Unreadable};
pub use predictor::Predictor;
pub use stream::{paths, stream};
pub use text::{Order, csv, table};
