//! Python's pickles, as far as arrays of numbers need them. A pickle is a program that may call any function of Python.
//! Here none is called: those that arrays are made with are known by name, any other ends the reading.

use super::shown;
use super::unpickle::{Machine, latin1};
use candle_core::DType;
use std::borrow::Cow;

/// What a pickle may ask Python for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    /// An ordered dictionary.
    OrderedDict,
    /// Text to bytes; how Python 3 writes bytes for Python 2.
    Encode,
    /// The class of `numpy`'s arrays.
    Array,
    /// An empty array, whose state is to come.
    Reconstruct,
    /// A whole array from its bytes.
    FromBuffer,
    /// The type of an array's numbers.
    Dtype,
    /// A tensor as a view of a storage; its class, whose state is the same.
    Tensor,
    /// A tensor that is trained.
    Parameter,
    /// A storage of numbers.
    Storage(DType),
}

impl Global {
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
                let asked = shown(&format!("{module}.{name}"));
                return Err(format!("it asks Python for {asked}, which arrays of numbers do not need"));
            }
        })
    }
}

/// A value; others that it holds are named by their places among all of its pickle.
#[derive(Debug)]
pub(super) enum Object<'a> {
    /// None, or a number with a fraction: nothing here reads them.
    Other,
    Bool(bool),
    Int(i128),
    Text(Cow<'a, str>),
    /// Also text of Python 2, which knows no difference.
    Bytes(Cow<'a, [u8]>),
    /// A list or a tuple.
    Sequence(Vec<usize>),
    Dict(Vec<(usize, usize)>),
    /// An ordered dictionary made of a list of pairs, as Python 2 writes it.
    Pairs(usize),
    Global(Global),
    /// What a function or class would make of its arguments, and the state it would be given after that.
    Call {
        function: Global,
        arguments: usize,
        state: Option<usize>,
    },
    /// What lies outside the pickle.
    Persistent(usize),
}

/// The values of one pickle.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    objects: Vec<Object<'a>>,
    root: usize,
}

/// One value of a pickle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'p> {
    pickle: &'p Pickle<'p>,
    place: usize,
}

impl<'a> Pickle<'a> {
    /// Reads one pickle, and takes it off the front of `bytes`.
    pub(super) fn read(bytes: &mut &'a [u8]) -> Result<Self, String> {
        let (objects, root) = Machine::run(bytes)?;
        Ok(Self { objects, root })
    }

    pub(super) fn root(&self) -> Item<'_> {
        Item { pickle: self, place: self.root }
    }

    /// Whatever the pickle says of things outside it, in the order in which it does.
    pub(super) fn persistent(&self) -> impl Iterator<Item = Item<'_>> {
        self.objects.iter().filter_map(|object| match object {
            Object::Persistent(place) => Some(Item { pickle: self, place: *place }),
            _ => None,
        })
    }
}

impl<'p> Item<'p> {
    fn object(self) -> &'p Object<'p> {
        &self.pickle.objects[self.place]
    }

    fn at(self, place: usize) -> Self {
        Self { place, ..self }
    }

    /// A name, or another short text.
    pub(super) fn text(self) -> Option<Cow<'p, str>> {
        const MOST: usize = 1000;
        match self.object() {
            Object::Text(text) if text.len() <= MOST => Some(Cow::Borrowed(text)),
            Object::Bytes(bytes) if bytes.len() <= MOST => Some(latin1(bytes)),
            _ => None,
        }
    }

    pub(super) fn bytes(self) -> Option<&'p [u8]> {
        if let Object::Bytes(bytes) = self.object() { Some(bytes) } else { None }
    }

    pub(super) fn bool(self) -> Option<bool> {
        if let Object::Bool(value) = self.object() { Some(*value) } else { None }
    }

    pub(super) fn int(self) -> Option<i128> {
        if let Object::Int(value) = self.object() { Some(*value) } else { None }
    }

    pub(super) fn usize(self) -> Option<usize> {
        self.int()?.try_into().ok()
    }

    /// The items of a list or tuple.
    pub(super) fn items(self) -> Option<impl Iterator<Item = Self>> {
        if let Object::Sequence(places) = self.object() { Some(places.iter().map(move |p| self.at(*p))) } else { None }
    }

    /// The items of a tuple whose places mean something; arrays have no long ones.
    pub(super) fn sequence(self) -> Option<Vec<Self>> {
        // The most axes of an array are 64, in NumPy.
        const MOST: usize = 64;
        let items: Vec<Self> = self.items()?.take(MOST + 1).collect();
        (items.len() <= MOST).then_some(items)
    }

    /// A tuple of sizes, one an axis.
    pub(super) fn sizes(self) -> Option<Vec<usize>> {
        self.sequence()?.into_iter().map(Self::usize).collect()
    }

    pub(super) fn is_dict(self) -> bool {
        matches!(self.object(), Object::Dict(_) | Object::Pairs(_))
    }

    /// Keys and values of a dictionary.
    pub(super) fn dict(self) -> Option<Vec<(Self, Self)>> {
        match self.object() {
            Object::Dict(places) => Some(places.iter().map(|(key, value)| (self.at(*key), self.at(*value))).collect()),
            Object::Pairs(list) => {
                let pair = |item: Self| if let [key, value] = item.sequence()?[..] { Some((key, value)) } else { None };
                self.at(*list).items()?.map(pair).collect()
            }
            _ => None,
        }
    }

    pub(super) fn global(self) -> Option<Global> {
        if let Object::Global(global) = self.object() { Some(*global) } else { None }
    }

    /// What is called, with which arguments, and the state given to what comes of it.
    pub(super) fn call(self) -> Option<(Global, Vec<Self>, Option<Self>)> {
        if let Object::Call { function, arguments, state } = self.object() {
            Some((*function, self.at(*arguments).sequence()?, state.map(|place| self.at(place))))
        } else {
            None
        }
    }

    /// What is said of something outside.
    pub(super) fn outside(self) -> Option<Self> {
        if let Object::Persistent(place) = self.object() { Some(self.at(*place)) } else { None }
    }
}
