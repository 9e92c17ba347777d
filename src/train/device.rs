//! The device that a run computes on.

use crate::error::{Error, Result};
use candle_core::Device;

/// `auto`, `cpu` or `cuda:N`: the device and what to call it in records. `auto` is the first CUDA device where this
/// build and this machine have one, and the CPU otherwise.
pub fn select(name: &str) -> Result<(Device, String)> {
    match name {
        "cpu" => Ok((Device::Cpu, "cpu".to_owned())),
        "auto" => Ok(cuda(0).unwrap_or((Device::Cpu, "cpu".to_owned()))),
        _ => match name.strip_prefix("cuda:").map(str::parse) {
            Some(Ok(ordinal)) => cuda(ordinal),
            _ => Err(Error::Request(format!("device {name} is not known: use auto, cpu, or cuda:N such as cuda:0"))),
        },
    }
}

fn cuda(ordinal: usize) -> Result<(Device, String)> {
    if !cfg!(feature = "cuda") {
        return Err(Error::Request(format!(
            "device cuda:{ordinal} needs a build with CUDA: install the CUDA toolkit, build with `cargo build --release \
             --features cuda`, or use --device cpu"
        )));
    }
    match Device::new_cuda(ordinal) {
        Ok(device) => Ok((device, format!("cuda:{ordinal}"))),
        Err(error) => Err(Error::Request(format!(
            "device cuda:{ordinal} cannot be used ({error}): check `nvidia-smi`, or use --device cpu"
        ))),
    }
}
