//! The formats of an exported network.

/// Format of an exported network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    /// A Python module and its weights
    #[default]
    Pytorch,
    /// One ONNX model
    Onnx,
}

impl ExportFormat {
    /// Name of the Python module; `None` if the format needs none.
    pub(super) fn module_file(self) -> Option<&'static str> {
        match self {
            Self::Pytorch => Some("gal_net.py"),
            Self::Onnx => None,
        }
    }

    /// Name of the file with the weights.
    pub(super) fn weights_file(self) -> &'static str {
        match self {
            Self::Pytorch => "gal_net.safetensors",
            Self::Onnx => "gal_net.onnx",
        }
    }

    /// Name of the library in the model card's front matter.
    pub(super) fn library(self) -> &'static str {
        match self {
            Self::Pytorch => "pytorch",
            Self::Onnx => "onnx",
        }
    }
}
