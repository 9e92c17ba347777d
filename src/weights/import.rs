//! Imports a file's arrays as a backbone's parameters.

use super::array::{Array, excerpt};
use super::parameter_names::{candidates, detect, is_required, widths};
use super::source::{Source, read_arrays};
use crate::error::{Error, Result};
use crate::io;
use crate::model::BackboneName;
use candle_core::{Device, Tensor};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Mean and standard deviation of torchvision's preprocessing by channel, for pixels in [0, 1].
const IMAGENET: [(f64, f64); 3] = [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)];
/// Batch norm's epsilon in Caffe and PyTorch.
pub(super) const BN_EPS: f64 = 1e-5;

/// One array that was imported.
#[derive(Debug, Clone, Serialize)]
pub struct ImportedTensor {
    /// Name in the file.
    pub source: String,
    /// Shape in the file.
    pub source_shape: Vec<usize>,
    /// Parameter name.
    pub name: String,
    /// Parameter shape.
    pub shape: Vec<usize>,
    /// Conversions applied to the values.
    pub how: String,
}

/// The weights of a file as parameters of a backbone.
#[derive(Debug)]
pub struct Imported {
    /// The backbone.
    pub backbone: BackboneName,
    /// Parameters and running statistics.
    pub tensors: BTreeMap<String, Tensor>,
    /// Origin of each parameter.
    pub matched: Vec<ImportedTensor>,
    /// Arrays of the file that are not part of the backbone, such as its classifier.
    pub left_out: Vec<String>,
    /// Parameters and statistics that the file does not have.
    pub initial: Vec<String>,
}

/// Imports a file of another framework. `backbone` requires that backbone; otherwise it follows from the file.
pub fn import(path: &Path, backbone: Option<BackboneName>) -> Result<Imported> {
    import_bytes(path, &io::read_up_to(path, io::NETWORK_BYTES)?, backbone)
}

/// [`import`] of content in memory; the extension of `path` names the format.
pub fn import_bytes(path: &Path, bytes: &[u8], backbone: Option<BackboneName>) -> Result<Imported> {
    let (source, arrays) = read_arrays(path, bytes).map_err(|error| io::foreign(path, bytes).unwrap_or(error))?;
    let backbone = detect_requested(path, source, &arrays, backbone)?;
    let mut import = Import {
        path,
        source,
        arrays,
        used: BTreeSet::new(),
        imported: Imported {
            backbone,
            tensors: BTreeMap::new(),
            matched: Vec::new(),
            left_out: Vec::new(),
            initial: Vec::new(),
        },
    };
    let widths = widths(source, backbone, &import.arrays).map_err(|missing| {
        let message = format!("has no numbers for {missing} of {backbone}: it is incomplete, or of another network");
        Error::file(path, message)
    })?;
    for (name, shape) in backbone.parameter_shapes(widths)? {
        import.parameter(name, shape)?;
    }
    import.finish()
}

/// The backbone of a file; an error if there is none, or it is not the requested one.
fn detect_requested(
    path: &Path,
    source: Source,
    arrays: &BTreeMap<String, Array>,
    requested: Option<BackboneName>,
) -> Result<BackboneName> {
    let found = detect(source, arrays).ok_or_else(|| {
        let missing = match source {
            Source::Caffe | Source::CaffeTensorflow => "no layer conv1 of AlexNet-cvgj",
            Source::Torch => {
                "neither features.0.weight of torchvision's AlexNet nor layer1.0.conv1.weight of its ResNets"
            }
        };
        Error::file(path, format!("holds no known network: it has {missing}"))
    })?;
    match requested.filter(|requested| *requested != found) {
        Some(requested) => Err(Error::file(path, format!("holds weights of {found}, not of {requested}"))),
        None => Ok(found),
    }
}

/// An import in progress.
struct Import<'a> {
    path: &'a Path,
    source: Source,
    arrays: BTreeMap<String, Array>,
    /// Names of the arrays that have been imported.
    used: BTreeSet<String>,
    imported: Imported,
}

impl Import<'_> {
    /// Imports parameter `name`, if the file has it.
    fn parameter(&mut self, name: String, shape: Vec<usize>) -> Result<()> {
        let backbone = self.imported.backbone;
        if self.source == Source::Torch && name.starts_with("data_bn.running") {
            self.imported.tensors.insert(name.clone(), imagenet_statistics(&name)?);
            return Ok(());
        }
        let found = candidates(self.source, backbone, &name).into_iter().find(|name| self.arrays.contains_key(name));
        let Some(source) = found else {
            if is_required(self.source, &name) {
                let message = format!("has nothing for {name} of {backbone}: the file is incomplete");
                return Err(Error::file(self.path, message));
            }
            self.imported.initial.push(name);
            return Ok(());
        };
        let source_shape = self.arrays[&source].shape.clone();
        let (mut array, mut done) = in_order(self.source, &self.arrays[&source])?;
        if array.shape != shape {
            let message = format!("{source} is {source_shape:?}, {name} of {backbone} is {shape:?}");
            return Err(Error::file(self.path, message));
        }
        done.extend(self.adjust(&name, &source, &mut array)?);
        let how = if done.is_empty() { "as it is".to_owned() } else { done.join(", ") };
        let tensor = Tensor::from_vec(array.values, shape.as_slice(), &Device::Cpu)?;
        self.imported.tensors.insert(name.clone(), tensor);
        self.used.insert(source.clone());
        self.imported.matched.push(ImportedTensor { source, source_shape, name, shape, how });
        Ok(())
    }

    /// Converts the values of parameter `name` from array `source`: divides Caffe's summed statistics by their factor, and
    /// reorders channels from BGR to RGB. Returns the conversions.
    fn adjust(&self, name: &str, source: &str, array: &mut Array) -> Result<Vec<&'static str>> {
        let mut done = Vec::new();
        if self.source == Source::Caffe && name.contains(".running_") {
            let factor = source.rsplit_once('[').and_then(|(layer, _)| self.arrays.get(&format!("{layer}[2]")));
            let factor = factor.and_then(|factor| factor.values.first()).copied().filter(|f| f.is_finite() && *f > 0.0);
            let factor = factor.ok_or_else(|| {
                let message = format!("{source} has no moving-average factor above 0: it was never trained");
                Error::file(self.path, message)
            })?;
            for value in &mut array.values {
                *value /= factor;
            }
            done.push("divided by its factor");
        }
        if self.source != Source::Torch && (name == "conv1.weight" || name.starts_with("data_bn.")) {
            // `[out, 3, k, k]` or `[3]`: the values of one output in three parts.
            let area = array.shape.iter().skip(2).product::<usize>();
            for pixel in array.values.chunks_exact_mut(3 * area) {
                let (blue, rest) = pixel.split_at_mut(area);
                blue.swap_with_slice(&mut rest[area..]);
            }
            done.push("BGR to RGB");
        }
        Ok(done)
    }

    /// Lists the arrays without a parameter; an error if they are of another network.
    fn finish(mut self) -> Result<Imported> {
        self.arrays.retain(|name, _| !self.used.contains(name));
        let is_known = |name: &str| {
            ["fc", "classifier"].iter().any(|prefix| name.starts_with(prefix)) || name.ends_with("num_batches_tracked")
        };
        if let Some(stray) = self.arrays.keys().find(|name| self.source == Source::Torch && !is_known(name)) {
            let (stray, backbone) = (excerpt(stray), self.imported.backbone);
            let message = format!("holds {stray}, which {backbone} does not have: it is of another network");
            return Err(Error::file(self.path, message));
        }
        let left_out = self.arrays.iter().map(|(name, array)| format!("{} {:?}", excerpt(name), array.shape));
        self.imported.left_out = left_out.collect();
        Ok(self.imported)
    }
}

/// The statistics of `data_bn` that equal torchvision's preprocessing, for pixels from 0 to 255.
fn imagenet_statistics(name: &str) -> Result<Tensor> {
    let values = IMAGENET.map(
        |(mean, deviation)| {
            if name.ends_with("mean") { 255.0 * mean } else { (255.0 * deviation).powi(2) }
        },
    );
    Ok(Tensor::new(&values.map(|v| v as f32), &Device::Cpu)?)
}

/// The array with its axes in PyTorch's order, and the conversions for that.
fn in_order(source: Source, array: &Array) -> Result<(Array, Vec<&'static str>)> {
    let (Source::CaffeTensorflow, [height, width, inputs, outputs], false) =
        (source, &*array.shape, array.values.is_empty())
    else {
        return Ok((array.clone(), Vec::new()));
    };
    let shape = vec![*outputs, *inputs, *height, *width];
    let strides = [1, *outputs, width * inputs * outputs, inputs * outputs];
    let permuted = Array::strided(shape, &strides, 0, &array.values, array.values.len());
    let permuted = permuted.ok_or_else(|| Error::Internal(format!("an array of {:?} lacks numbers", array.shape)))?;
    Ok((permuted, vec!["HWIO to OIHW"]))
}
