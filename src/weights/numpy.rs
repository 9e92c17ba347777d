//! The dictionary that caffe-tensorflow writes with `numpy.save`. A layer has `weights` and `biases`, or `mean`,
//! `variance`, `scale` and `offset`. Array KIND of a layer has the name `LAYER[KIND]`.
//!
//! Why not npyz: the array holds Python objects, which are a pickle.

use super::array::{Array, Arrays, excerpt};
use super::object::Global;
use super::pickle::{Item, Pickle};
use crate::error::{Error, Result};
use crate::io::npy;
use candle_core::DType;
use std::path::Path;

pub(super) fn arrays(path: &Path, bytes: &[u8]) -> Result<Arrays> {
    layers(bytes)
        .map_err(|e| Error::file(path, format!("is not a dictionary of layers as caffe-tensorflow saves it: {e}")))
}

fn layers(bytes: &[u8]) -> std::result::Result<Arrays, String> {
    // NumPy also loads a bare pickle.
    let mut rest = match npy::Array::parse(bytes)? {
        None => bytes,
        Some(array) if array.dtype().is_some_and(|dtype| dtype.starts_with("|O")) => array.data,
        Some(_) => return Err("it holds one array of numbers".to_owned()),
    };
    let pickle = Pickle::read(&mut rest)?;
    let root = pickle.root();
    let layers = inner(root).unwrap_or(root).dict().ok_or("it holds no dictionary")?;
    let mut found = Arrays::of_file(bytes);
    for (layer, arrays) in layers {
        let layer = layer.text().ok_or("a layer's name is no text")?;
        let arrays = arrays.dict().ok_or_else(|| format!("layer {} is no dictionary of arrays", excerpt(&layer)))?;
        for (kind, item) in arrays {
            let kind =
                kind.text().ok_or_else(|| format!("layer {} has an array whose name is no text", excerpt(&layer)))?;
            let name = format!("{layer}[{kind}]");
            let mut array = array(item).map_err(|e| format!("{} {e}", excerpt(&name)))?;
            // Some vectors keep the shape of Caffe's old files, 1 x 1 x 1 x n.
            while kind != "weights" && array.shape.len() > 1 && array.shape[0] == 1 {
                array.shape.remove(0);
            }
            found.insert(&name, array)?;
        }
    }
    Ok(found)
}

/// The only object in an array of objects.
fn inner(item: Item) -> Option<Item> {
    let (Global::Reconstruct, _, state) = item.call()? else { return None };
    let items = state?.sequence()?.get(4)?.sequence()?;
    if let [item] = items[..] { Some(item) } else { None }
}

fn array(item: Item) -> std::result::Result<Array, String> {
    let layout = layout(item).ok_or("is no NumPy array")?;
    let dtype = layout.dtype.ok_or("is neither little-endian float32 nor float64")?;
    let values = Array::numbers(layout.bytes, dtype)?;
    let count = layout.shape.iter().try_fold(1_usize, |count, side| count.checked_mul(*side));
    let turned = || Array::strided(layout.shape.clone(), &layout.strides, 0, &values, values.len());
    let array = (count == Some(values.len())).then(turned);
    array.flatten().ok_or_else(|| format!("of shape {:?} holds {} numbers", layout.shape, values.len()))
}

/// The layout of an array in its bytes.
struct Layout<'p> {
    shape: Vec<usize>,
    /// In numbers, not bytes.
    strides: Vec<usize>,
    dtype: Option<DType>,
    bytes: &'p [u8],
}

fn layout(item: Item) -> Option<Layout> {
    let (function, arguments, state) = item.call()?;
    match function {
        // The state is (version, shape, dtype, is Fortran order, bytes).
        Global::Reconstruct => {
            let state = state?.sequence()?;
            let [_, shape, of, fortran, bytes] = state[..] else { return None };
            let shape = shape.sizes()?;
            let strides = strides(&shape, fortran.bool()?)?;
            Some(Layout { shape, strides, dtype: dtype(of), bytes: bytes.bytes()? })
        }
        // The arguments are (bytes, dtype, shape, order). With order K, the axes of a final transposition follow.
        Global::FromBuffer => {
            let [bytes, of, shape, order, ref axes @ ..] = arguments[..] else { return None };
            let (mut shape, order) = (shape.sizes()?, order.text()?);
            let mut strides = strides(&shape, order == "F")?;
            if let Some(axes) = axes.first().filter(|_| order == "K") {
                let axes = axes.sizes()?;
                let turned = |sides: &[usize]| axes.iter().map(|axis| sides.get(*axis).copied()).collect::<Option<_>>();
                (shape, strides) = (turned(&shape)?, turned(&strides)?);
            }
            Some(Layout { shape, strides, dtype: dtype(of), bytes: bytes.bytes()? })
        }
        _ => None,
    }
}

/// Strides in numbers.
fn strides(shape: &[usize], fortran: bool) -> Option<Vec<usize>> {
    let mut strides = vec![0; shape.len()];
    let mut step = 1_usize;
    let fill = |(stride, side): (&mut usize, &usize)| {
        *stride = step;
        step = step.checked_mul(*side)?;
        Some(())
    };
    let mut axes = strides.iter_mut().zip(shape);
    if fortran { axes.try_for_each(fill) } else { axes.rev().try_for_each(fill) }?;
    Some(strides)
}

fn dtype(item: Item) -> Option<DType> {
    let (Global::Dtype, arguments, state) = item.call()? else { return None };
    let little = state?.sequence()?.get(1)?.text()? == "<";
    match &*arguments.first()?.text()? {
        "f4" if little => Some(DType::F32),
        "f8" if little => Some(DType::F64),
        _ => None,
    }
}
