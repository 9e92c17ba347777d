//! Trainable parameters behind candle's `VarBuilder`. Initial values are a function of seed and name, not of the order of
//! construction; candle's `VarMap` has no seed.

use super::storage;
use crate::random;
use candle_core::{DType, Device, Result, Shape, Tensor, Var, bail};
use candle_nn::init::Init;
use candle_nn::var_builder::{SimpleBackend, VarBuilder};
use rand::RngExt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Named variables, sorted by name.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    seed: u64,
    variables: Arc<Mutex<BTreeMap<String, Var>>>,
}

impl Parameters {
    /// No parameters yet: networks built on [`Parameters::builder`] add theirs.
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// The seed of the initial values.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// A `VarBuilder` that creates parameters here.
    pub fn builder(&self, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), DType::F32, device.clone())
    }

    /// All variables by name.
    pub fn all(&self) -> BTreeMap<String, Var> {
        self.variables.lock().map_or_else(|poisoned| poisoned.into_inner().clone(), |map| map.clone())
    }

    /// Sets each variable to the tensor of its name. Names and shapes must match exactly.
    pub fn load(&self, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
        let all = self.all();
        if let Some(extra) = tensors.keys().find(|name| !all.contains_key(*name)) {
            bail!("this network has no parameter {extra}")
        }
        for (name, variable) in &all {
            let Some(tensor) = tensors.get(name) else { bail!("parameter {name} is missing") };
            if tensor.shape() != variable.shape() {
                bail!("parameter {name} is {:?}, this network's is {:?}", tensor.shape(), variable.shape())
            }
            variable.set(&tensor.to_device(variable.device())?)?;
        }
        Ok(())
    }

    fn draw(&self, shape: &Shape, name: &str, init: Init) -> Result<Vec<f32>> {
        let mut random = random::generator(self.seed, &[random::name(name)]);
        match init {
            Init::Const(value) => Ok(vec![value as f32; shape.elem_count()]),
            Init::Uniform { lo, up } => {
                Ok((0..shape.elem_count()).map(|_| (lo + (up - lo) * random.random::<f64>()) as f32).collect())
            }
            other => bail!("initial values of {name}: {other:?} is not supported"),
        }
    }
}

impl SimpleBackend for Parameters {
    fn get(&self, shape: Shape, name: &str, init: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        let values = Tensor::from_vec(self.draw(&shape, name, init)?, shape, device)?.to_dtype(dtype)?;
        let variable = Var::from_tensor(&values)?;
        let tensor = variable.as_tensor().clone();
        let before = storage::lock(&self.variables)?.insert(name.to_owned(), variable);
        match before {
            None => Ok(tensor),
            Some(_) => bail!("two parameters have the name {name}"),
        }
    }

    fn get_unchecked(&self, name: &str, _dtype: DType, _device: &Device) -> Result<Tensor> {
        bail!("parameter {name} was requested without a shape")
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.all().contains_key(name)
    }
}
