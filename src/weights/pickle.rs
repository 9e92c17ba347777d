//! Typed access to the values of a Python pickle, as far as arrays of numbers need it. A pickle is a program that may call
//! any Python function. None is called here: the functions that create arrays are recognized by name, and all others are
//! an error.
//!
//! Why not candle's pickle reader: it has no limits for damaged files. It reads neither pickles of Python 2 and `NumPy` nor
//! files before PyTorch 1.6.

use super::object::{Global, Object};
use super::pickle_text::latin1;
use super::unpickler::Unpickler;
use std::borrow::Cow;

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
    index: usize,
}

impl<'a> Pickle<'a> {
    /// Reads one pickle and advances `bytes` past it.
    pub(super) fn read(bytes: &mut &'a [u8]) -> Result<Self, String> {
        let (objects, root) = Unpickler::run(bytes)?;
        Ok(Self { objects, root })
    }

    pub(super) fn root(&self) -> Item<'_> {
        Item { pickle: self, index: self.root }
    }

    /// The identifiers of all objects outside the pickle, in their order.
    pub(super) fn persistent_ids(&self) -> impl Iterator<Item = Item<'_>> {
        self.objects.iter().filter_map(|object| match object {
            Object::Persistent(index) => Some(Item { pickle: self, index: *index }),
            _ => None,
        })
    }
}

impl<'p> Item<'p> {
    fn object(self) -> &'p Object<'p> {
        &self.pickle.objects[self.index]
    }

    fn at(self, index: usize) -> Self {
        Self { index, ..self }
    }

    /// A name or other short text.
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
        if let Object::Sequence(indices) = self.object() {
            Some(indices.iter().map(move |p| self.at(*p)))
        } else {
            None
        }
    }

    /// The items of a tuple. `None` if it is longer than any that arrays need.
    pub(super) fn sequence(self) -> Option<Vec<Self>> {
        // NumPy's maximum number of axes.
        const MOST: usize = 64;
        let items: Vec<Self> = self.items()?.take(MOST + 1).collect();
        (items.len() <= MOST).then_some(items)
    }

    /// A tuple of sizes, one per axis.
    pub(super) fn sizes(self) -> Option<Vec<usize>> {
        self.sequence()?.into_iter().map(Self::usize).collect()
    }

    pub(super) fn is_dict(self) -> bool {
        matches!(self.object(), Object::Dict(_) | Object::Pairs(_))
    }

    /// Keys and values of a dictionary.
    pub(super) fn dict(self) -> Option<Vec<(Self, Self)>> {
        match self.object() {
            Object::Dict(indices) => {
                Some(indices.iter().map(|(key, value)| (self.at(*key), self.at(*value))).collect())
            }
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

    /// The called function, its arguments, and the state set on its result.
    pub(super) fn call(self) -> Option<(Global, Vec<Self>, Option<Self>)> {
        if let Object::Call { function, arguments, state } = self.object() {
            Some((*function, self.at(*arguments).sequence()?, state.map(|index| self.at(index))))
        } else {
            None
        }
    }

    /// The identifier of an object outside the pickle.
    pub(super) fn persistent_id(self) -> Option<Self> {
        if let Object::Persistent(index) = self.object() { Some(self.at(*index)) } else { None }
    }
}
