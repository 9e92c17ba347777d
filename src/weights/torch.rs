//! PyTorch's state dictionaries: files of `torch.save`, and safetensors. Since version 1.6 `torch.save` writes a zip file;
//! before, it wrote pickles followed by the numbers.

use super::array::{Array, Arrays, excerpt};
use super::object::Global;
use super::pickle::{Item, Pickle};
use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;
use zip::ZipArchive;

/// The first pickle of a file before version 1.6.
const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;

type Found = std::result::Result<Arrays, String>;

pub(super) fn pickled(path: &Path, bytes: &[u8]) -> Result<Arrays> {
    let found = if bytes.starts_with(b"PK") { zipped(bytes) } else { legacy(bytes) };
    whole(path, found.map_err(|e| broken(path, &e))?)
}

pub(super) fn safetensors(path: &Path, bytes: &[u8]) -> Result<Arrays> {
    let tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu).map_err(|e| broken(path, &e))?;
    let array = |tensor: Tensor| -> candle_core::Result<Array> {
        let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        Ok(Array { shape: tensor.dims().to_vec(), values })
    };
    let mut found = Arrays::of_file(bytes);
    for (name, tensor) in tensors.into_iter().collect::<BTreeMap<_, _>>() {
        let array = array(tensor).map_err(|e| broken(path, &e))?;
        found.insert(&name, array).map_err(|e| broken(path, &e))?;
    }
    whole(path, found)
}

fn broken(path: &Path, error: &impl ToString) -> Error {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    Error::file(path, format!("is not a complete file of PyTorch weights: {line}"))
}

fn whole(path: &Path, found: Arrays) -> Result<Arrays> {
    if found.by_name.is_empty() {
        return Err(Error::file(path, "holds no tensors: a state_dict is expected, not a whole module"));
    }
    Ok(found)
}

/// A zip file: the pickle `NAME/data.pkl`, and each storage as `NAME/data/KEY`.
fn zipped(bytes: &[u8]) -> Found {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    let folder = archive.file_names().find_map(|name| Some(name.ok()?.strip_suffix("data.pkl")?.to_owned()));
    let folder = folder.ok_or("it holds no data.pkl")?;
    // Entries of a damaged file may share the same bytes.
    let mut left = bytes.len() as u64;
    let mut entry = |name: &str| -> std::result::Result<Vec<u8>, String> {
        let wrong = |e: &dyn std::fmt::Display| excerpt(&format!("{name}: {e}"));
        let mut file = archive.by_name(&format!("{folder}{name}")).map_err(|e| wrong(&e))?;
        left = left.checked_sub(file.compressed_size()).ok_or("its entries together are larger than the file")?;
        let mut found = Vec::new();
        file.read_to_end(&mut found).map_err(|e| wrong(&e))?;
        Ok(found)
    };
    let content = entry("data.pkl")?;
    let pickle = Pickle::read(&mut &*content)?;
    let storages = storages(&pickle)?;
    // Files before PyTorch 2.1 have no entry `byteorder`.
    if entry("byteorder").is_ok_and(|order| order != b"little") {
        return Err("its numbers are not little-endian".to_owned());
    }
    let mut numbers = BTreeMap::new();
    for (key, storage) in storages {
        let content = entry(&format!("data/{key}"))?;
        numbers.insert(key, storage.numbers(&content)?);
    }
    state(pickle.root(), &numbers, Arrays::of_file(bytes))
}

/// A file before version 1.6. Pickles of a magic number, the format's version, machine facts, the dictionary and the keys of
/// the storages come first. Each storage follows: its count in 8 bytes, then its numbers.
fn legacy(bytes: &[u8]) -> Found {
    let mut rest = bytes;
    let magic = Pickle::read(&mut rest).ok().and_then(|pickle| pickle.root().int());
    if magic != Some(MAGIC) {
        return Err("it is neither a zip file nor of torch.save's older form".to_owned());
    }
    Pickle::read(&mut rest)?;
    Pickle::read(&mut rest)?;
    let pickle = Pickle::read(&mut rest)?;
    let keys = Pickle::read(&mut rest)?;
    let known = storages(&pickle)?;
    let mut numbers = BTreeMap::new();
    for key in keys.root().items().ok_or("it does not list its storages")? {
        let key = key.text().ok_or("a storage has no name")?.into_owned();
        let storage = known.get(&key).ok_or("it lists a storage that no tensor uses")?;
        let cut = "it ends in the middle of a storage";
        let (count, content) = rest.split_first_chunk().ok_or(cut)?;
        if u64::from_le_bytes(*count) != storage.count as u64 {
            return Err(format!("storage {} is of two lengths", excerpt(&key)));
        }
        (_, rest) = content.split_at_checked(storage.bytes()?).ok_or(cut)?;
        numbers.insert(key, storage.numbers(content)?);
    }
    state(pickle.root(), &numbers, Arrays::of_file(bytes))
}

/// A storage of numbers outside the pickle.
struct Storage {
    dtype: DType,
    count: usize,
}

impl Storage {
    fn bytes(&self) -> std::result::Result<usize, String> {
        self.count.checked_mul(self.dtype.size_in_bytes()).ok_or_else(|| "a storage is too large".to_owned())
    }

    /// The numbers at the start of `bytes`.
    fn numbers(&self, bytes: &[u8]) -> std::result::Result<Vec<f32>, String> {
        let bytes = bytes.get(..self.bytes()?).ok_or("a storage is cut off")?;
        Array::numbers(bytes, self.dtype)
    }
}

/// The storages that a pickle refers to, by key. An identifier is ("storage", class, key, device, count), in older files
/// followed by None.
fn storages(pickle: &Pickle) -> std::result::Result<BTreeMap<String, Storage>, String> {
    let storage = |item: Item| {
        let id = item.sequence()?;
        let [_, class, key, _, count, ref view @ ..] = id[..] else { return None };
        let Global::Storage(dtype) = class.global()? else { return None };
        // A storage that is a view of another.
        if view.iter().any(|view| view.sequence().is_some()) {
            return None;
        }
        Some((key.text()?.into_owned(), Storage { dtype, count: count.usize()? }))
    };
    let wrong = "it refers to an object that is no storage of numbers: a state_dict is expected, not a whole module";
    pickle.persistent_ids().map(|item| storage(item).ok_or_else(|| wrong.to_owned())).collect()
}

/// The tensors of a state dictionary; other entries are ignored.
fn state(root: Item, storages: &BTreeMap<String, Vec<f32>>, mut found: Arrays) -> Found {
    let entries = root.dict().ok_or("it is no dictionary: a state_dict is expected")?;
    let deeper = entries.iter().find(|(_, item)| item.is_dict());
    let deeper = deeper.and_then(|(name, _)| name.text()).map(|name| excerpt(&name));
    let refused = |name: &str| format!("{} has no storage, or repeats too many of its numbers", excerpt(name));
    for (name, item) in entries {
        let (Some(name), Some(_)) = (name.text(), item.call()) else { continue };
        let array = tensor(item, storages, found.left);
        found.insert(&name, array.ok_or_else(|| refused(&name))?)?;
    }
    match deeper {
        Some(name) if found.by_name.is_empty() => {
            Err(format!("it holds no tensors but a dictionary `{name}`: save that alone, if it is the state_dict"))
        }
        _ => Ok(found),
    }
}

/// A tensor of at most `most` numbers. (storage, offset, shape, strides, ...) are its arguments, or its state in the oldest
/// files.
fn tensor(item: Item, storages: &BTreeMap<String, Vec<f32>>, most: usize) -> Option<Array> {
    let (function, arguments, state) = item.call()?;
    let state = state.and_then(Item::sequence);
    match function {
        // A parameter has its tensor as argument, or (tensor, gradient, hooks, ...) as state.
        Global::Parameter => {
            let inner = arguments.into_iter().chain(state.into_iter().flatten()).next()?;
            // One level only, as a parameter may contain itself.
            let (Global::Tensor, ..) = inner.call()? else { return None };
            tensor(inner, storages, most)
        }
        Global::Tensor => {
            let parts = if arguments.is_empty() { state? } else { arguments };
            let [storage, offset, shape, strides, ..] = parts[..] else { return None };
            let key = storage.persistent_id()?.sequence()?.get(2)?.text()?;
            Array::strided(shape.sizes()?, &strides.sizes()?, offset.usize()?, storages.get(&*key)?, most)
        }
        _ => None,
    }
}
