//! Values of a pickle.

use super::array::excerpt;
use candle_core::DType;
use std::borrow::Cow;

/// A function or class that a pickle may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    /// An ordered dictionary.
    OrderedDict,
    /// Text to bytes, as Python 3 writes bytes for Python 2.
    Encode,
    /// The class of `NumPy`'s arrays.
    Array,
    /// An empty array; its state follows.
    Reconstruct,
    /// An array from its bytes.
    FromBuffer,
    /// The type of an array's elements.
    Dtype,
    /// A tensor as a view of a storage, or its class with the same state.
    Tensor,
    /// A trainable tensor.
    Parameter,
    /// A storage of numbers.
    Storage(DType),
}

impl Global {
    /// The global `module.name`; an error if arrays of numbers do not need it.
    pub(super) fn named(module: &str, name: &str) -> Result<Self, String> {
        let of_torch = matches!(module, "torch" | "torch.cuda");
        Ok(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("_codecs", "encode") => Self::Encode,
            ("numpy", "ndarray") => Self::Array,
            ("numpy", "dtype") => Self::Dtype,
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Self::Reconstruct,
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Self::FromBuffer,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::Tensor,
            ("torch._utils", "_rebuild_parameter") | ("torch.nn.parameter", "Parameter") => Self::Parameter,
            (_, "FloatTensor" | "DoubleTensor") if of_torch => Self::Tensor,
            (_, "FloatStorage") if of_torch => Self::Storage(DType::F32),
            (_, "DoubleStorage") if of_torch => Self::Storage(DType::F64),
            (_, "HalfStorage") if of_torch => Self::Storage(DType::F16),
            (_, "BFloat16Storage") if of_torch => Self::Storage(DType::BF16),
            (_, "LongStorage") if of_torch => Self::Storage(DType::I64),
            (_, "IntStorage") if of_torch => Self::Storage(DType::I32),
            (_, "ByteStorage") if of_torch => Self::Storage(DType::U8),
            _ if ["torch.nn.", "torchvision.", "__torch__"].iter().any(|start| module.starts_with(start)) => {
                return Err("it holds a whole module: a state_dict is expected".to_owned());
            }
            _ => {
                let name = excerpt(&format!("{module}.{name}"));
                return Err(format!("its pickle imports {name}, which arrays of numbers do not need"));
            }
        })
    }
}

/// A value. References to other values are their indices in the pickle.
#[derive(Debug)]
pub(super) enum Object<'a> {
    /// None or a float, which arrays do not need.
    Other,
    Bool(bool),
    Int(i128),
    Text(Cow<'a, str>),
    /// Bytes, and text of Python 2.
    Bytes(Cow<'a, [u8]>),
    /// A list or a tuple.
    Sequence(Vec<usize>),
    Dict(Vec<(usize, usize)>),
    /// An ordered dictionary from a list of pairs, as Python 2 writes it.
    Pairs(usize),
    Global(Global),
    /// A call of a function or class, and the state set on its result.
    Call {
        function: Global,
        arguments: usize,
        state: Option<usize>,
    },
    /// An object outside the pickle.
    Persistent(usize),
}
