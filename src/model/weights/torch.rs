//! PyTorch's state dictionaries: what `torch.save` writes, in a zip file since version 1.6 and as pickles with the numbers
//! behind them before that, and safetensors.

use super::Array;
use super::pickle::{Global, Item, Pickle};
use crate::error::{Error, Result};
use crate::files;
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;
use zip::ZipArchive;

/// The first pickle of a file of before version 1.6.
const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;

type Found = std::result::Result<BTreeMap<String, Array>, String>;

pub(super) fn pickled(path: &Path) -> Result<BTreeMap<String, Array>> {
    let bytes = files::read(path)?;
    let found = if bytes.starts_with(b"PK") { zipped(&bytes) } else { legacy(&bytes) };
    whole(path, found.map_err(|e| broken(path, &e))?)
}

pub(super) fn safetensors(path: &Path) -> Result<BTreeMap<String, Array>> {
    let bytes = files::read(path)?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(|e| broken(path, &e))?;
    let array = |tensor: Tensor| -> candle_core::Result<Array> {
        let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        Ok(Array { shape: tensor.dims().to_vec(), values })
    };
    let named = |(name, tensor)| Ok((name, array(tensor).map_err(|e| broken(path, &e))?));
    whole(path, tensors.into_iter().map(named).collect::<Result<_>>()?)
}

fn broken(path: &Path, error: &impl ToString) -> Error {
    let text = error.to_string();
    Error::file(path, format!("is not a whole file of PyTorch's weights: {}", text.lines().next().unwrap_or_default()))
}

fn whole(path: &Path, found: BTreeMap<String, Array>) -> Result<BTreeMap<String, Array>> {
    if found.is_empty() {
        return Err(Error::file(path, "holds no tensors: a state_dict is expected, not a whole module"));
    }
    Ok(found)
}

/// A zip file: the pickle `NAME/data.pkl`, and each storage as `NAME/data/KEY`.
fn zipped(bytes: &[u8]) -> Found {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    let mut entry = |name: &str| -> std::result::Result<Vec<u8>, String> {
        let mut found = Vec::new();
        let mut file = archive.by_name(name).map_err(|e| format!("{name}: {e}"))?;
        file.read_to_end(&mut found).map_err(|e| format!("{name}: {e}"))?;
        Ok(found)
    };
    let names: Vec<String> = ZipArchive::new(Cursor::new(bytes))
        .map_err(|e| e.to_string())?
        .file_names()
        .filter_map(|name| Some(name.ok()?.into_owned()))
        .collect();
    let folder = names.iter().find_map(|name| name.strip_suffix("data.pkl")).ok_or("it holds no data.pkl")?;
    let content = entry(&format!("{folder}data.pkl"))?;
    let pickle = Pickle::read(&mut &*content)?;
    let mut storages = BTreeMap::new();
    for (key, storage) in outside(&pickle)? {
        let content = entry(&format!("{folder}data/{key}"))?;
        storages.insert(key, storage.numbers(&content)?);
    }
    state(pickle.root(), &storages)
}

/// A file of before version 1.6: pickles of a magic number, of the format's version, of facts about the machine, of the
/// dictionary and of the storages' keys; then of each storage its count, in 8 bytes, and its numbers.
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
    let known = outside(&pickle)?;
    let mut storages = BTreeMap::new();
    for key in keys.root().sequence().ok_or("it does not list its storages")? {
        let key = key.text().ok_or("a storage has no name")?.into_owned();
        let storage = known.get(&key).ok_or("it lists a storage that no tensor is in")?;
        let cut = "it ends in the middle of a storage";
        let (count, numbers) = rest.split_first_chunk().ok_or(cut)?;
        if u64::from_le_bytes(*count) != storage.count as u64 {
            return Err(format!("storage {key} is of two lengths"));
        }
        (_, rest) = numbers.split_at_checked(storage.bytes()?).ok_or(cut)?;
        storages.insert(key, storage.numbers(numbers)?);
    }
    state(pickle.root(), &storages)
}

/// Numbers outside the pickle.
struct Storage {
    dtype: DType,
    count: usize,
}

impl Storage {
    fn bytes(&self) -> std::result::Result<usize, String> {
        self.count.checked_mul(self.dtype.size_in_bytes()).ok_or_else(|| "a storage is too large".to_owned())
    }

    /// The numbers that `bytes` begin with.
    fn numbers(&self, bytes: &[u8]) -> std::result::Result<Vec<f32>, String> {
        let bytes = bytes.get(..self.bytes()?).ok_or("a storage is cut off")?;
        Array::numbers(bytes, self.dtype)
    }
}

/// The storages that a pickle speaks of, by key: ("storage", class, key, device, count), in older files followed by None.
fn outside(pickle: &Pickle) -> std::result::Result<BTreeMap<String, Storage>, String> {
    let storage = |item: Item| {
        let id = item.sequence()?;
        let [_, class, key, _, count, ref view @ ..] = id[..] else { return None };
        let Global::Storage(dtype) = class.global()? else { return None };
        // A storage that is part of another.
        if view.iter().any(|view| view.sequence().is_some()) {
            return None;
        }
        Some((key.text()?.into_owned(), Storage { dtype, count: count.usize()? }))
    };
    let wrong = "it refers to something else than a storage of numbers: a state_dict is expected, not a whole module";
    pickle.persistent().map(|item| storage(item).ok_or_else(|| wrong.to_owned())).collect()
}

/// The tensors of a state dictionary; what is no tensor is left out.
fn state(root: Item, storages: &BTreeMap<String, Vec<f32>>) -> Found {
    let entries = root.dict().ok_or("it is no dictionary: a state_dict is expected")?;
    let mut found = BTreeMap::new();
    for (name, item) in entries {
        let (Some(name), Some(_)) = (name.text(), item.call()) else { continue };
        let array = tensor(item, storages).ok_or_else(|| format!("{name} is no tensor within a storage"))?;
        found.insert(name.into_owned(), array);
    }
    Ok(found)
}

/// (storage, offset, shape, strides, ...) of a tensor, as its arguments or, in the oldest files, as its state.
fn tensor(item: Item, storages: &BTreeMap<String, Vec<f32>>) -> Option<Array> {
    let (function, arguments, state) = item.call()?;
    let state = state.and_then(Item::sequence);
    match function {
        // A parameter is made of its tensor, or is given (tensor, gradient, hooks, ...) afterwards.
        Global::Parameter => {
            let inner = arguments.into_iter().chain(state.into_iter().flatten()).next()?;
            // One level only: a parameter of parameters could have no end.
            let (Global::Tensor, ..) = inner.call()? else { return None };
            tensor(inner, storages)
        }
        Global::Tensor => {
            let parts = if arguments.is_empty() { state? } else { arguments };
            let [storage, offset, shape, strides, ..] = parts[..] else { return None };
            let key = storage.outside()?.sequence()?.get(2)?.text()?;
            Array::strided(shape.sizes()?, &strides.sizes()?, offset.usize()?, storages.get(&*key)?)
        }
        _ => None,
    }
}
