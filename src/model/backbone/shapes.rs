//! The shapes of a backbone's tensors, without their values.

use super::builder::Builder;
use crate::model::architecture::{Architecture, BackboneName};
use crate::model::running::RunningStats;
use candle_core::{DType, Device, Result, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

impl BackboneName {
    /// Shape of each parameter and running statistic of a backbone with these widths, by name; includes `data_bn`.
    pub fn parameter_shapes(self, widths: [usize; 5]) -> Result<BTreeMap<String, Vec<usize>>> {
        let (stride, _) = self.published();
        let architecture = Architecture { backbone: self, stride, widths, ..Architecture::PAPER };
        let (shapes, mut running) = (Shapes::default(), RunningStats::new(0.0));
        let vb = VarBuilder::from_backend(Box::new(shapes.clone()), DType::F32, Device::Cpu);
        let mut builder = Builder::new(vb, &mut running, &Device::Cpu);
        builder.norm("data_bn", 3)?;
        self.spec().build(&architecture, &mut builder)?;
        let mut all = shapes.lock().clone();
        all.extend(running.all().iter().map(|(name, variable)| (name.clone(), variable.dims().to_vec())));
        Ok(all)
    }
}

/// Records parameters instead of allocating them: with the widths of a damaged file they could exceed the memory.
#[derive(Debug, Clone, Default)]
struct Shapes(Arc<Mutex<BTreeMap<String, Vec<usize>>>>);

impl Shapes {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<usize>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimpleBackend for Shapes {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        self.lock().insert(name.to_owned(), shape.dims().to_vec());
        Tensor::zeros((), dtype, device)?.broadcast_as(shape)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        candle_core::bail!("{name} has no shape")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}
