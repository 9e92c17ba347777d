//! Initial weights of a backbone from other frameworks' files: Caffe's `.caffemodel`, its conversion by caffe-tensorflow
//! (`.npy`), torchvision's `.pth`, and safetensors.
//!
//! Imported weights are a safetensors file with this program's parameter names and a metadata entry on their origin.
//! Values are unchanged, except that channels are RGB instead of BGR and axes are in PyTorch's order.

mod array;
mod caffe;
mod import;
mod numpy;
mod object;
mod parameter_names;
mod pickle;
mod pickle_text;
mod pretrained;
mod source;
mod torch;
mod unpickler;

pub use import::{Imported, ImportedTensor, import, import_bytes};
pub use pretrained::PretrainedWeights;
