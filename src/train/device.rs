//! The selection of a device, its facts, and its limits.

use crate::config::Compute;
use crate::error::{Error, Result};
use crate::model::Architecture;
use crate::progress::Progress;
use candle_core::{DType, Device, Tensor};
use serde::Serialize;

/// A device and its name for records.
#[derive(Debug, Clone)]
pub struct NamedDevice {
    /// The device.
    pub device: Device,
    /// Such as `cpu` or `cuda:0 (NVIDIA H100), TF32`.
    pub name: String,
}

impl NamedDevice {
    /// The CPU.
    pub fn cpu() -> Self {
        Self { device: Device::Cpu, name: "cpu".to_owned() }
    }
}

/// Selects `auto`, `cpu` or `cuda:N`. `auto` is the first CUDA device if this build and this machine have one, and the CPU
/// otherwise; a CUDA build logs the reason. With a `local_rank`, on a machine with several CUDA devices, `auto` is
/// `cuda:LOCAL_RANK`. A CUDA device is returned after it has computed something.
///
/// `compute` selects reduced-precision modes, which only CUDA devices have.
pub fn select(name: &str, local_rank: Option<usize>, compute: Compute, progress: &Progress) -> Result<NamedDevice> {
    let NamedDevice { device, name } = match name {
        "cpu" => NamedDevice::cpu(),
        "auto" => match local_device(local_rank, count()) {
            Some(ordinal) => cuda(ordinal)?,
            // A device that is there and cannot be used is no reason to train on the CPU for days.
            None if count().is_some_and(|devices| devices > 0) => cuda(0)?,
            None => {
                if let (true, Err(error)) = (cfg!(feature = "cuda"), cuda(0)) {
                    progress.log(format!("computing on the CPU: {error}"));
                }
                NamedDevice::cpu()
            }
        },
        _ => match name.strip_prefix("cuda:").map(str::parse) {
            Some(Ok(ordinal)) => cuda(ordinal)?,
            _ => {
                return Err(Error::Request(format!(
                    "device {name} is not known: use auto, cpu, or cuda:N such as cuda:0"
                )));
            }
        },
    };
    let Compute { tf32, bf16, reference, sync_bn: _ } = compute;
    match device.is_cuda() {
        _ if bf16 && reference => Err(Error::Request(
            "candle's operations (--reference, or reference of the profile) compute in single precision or TF32: leave out \
             bf16"
                .into(),
        )),
        false if bf16 => Err(Error::Request(
            "bf16 (--bf16, or bf16 of the profile) is a mode of CUDA devices, not of the CPU".into(),
        )),
        false if tf32 => Err(Error::Request(
            "TF32 (--tf32, or tf32 of the profile) is a mode of CUDA devices, not of the CPU".into(),
        )),
        true if bf16 && facts(&device).is_some_and(|facts| facts.compute_capability < (8, 0)) => {
            Err(Error::Request(format!("{name} has no bf16, which takes compute capability 8.0: leave out --bf16")))
        }
        // In bf16, none of the convolutions has factors that cuDNN could round to TF32.
        true if cfg!(feature = "cudnn")
            && !tf32
            && !bf16
            && std::env::var("NVIDIA_TF32_OVERRIDE").as_deref() != Ok("0") =>
        {
            Err(Error::Request(
                "this build convolves with cuDNN, which uses TF32 by default: allow it with --tf32, or set \
                 NVIDIA_TF32_OVERRIDE=0 in the environment"
                    .into(),
            ))
        }
        _ => {
            candle_core::cuda::set_gemm_reduced_precision_f32(tf32);
            let operations = reference.then_some("candle's operations");
            let name = [Some(name.as_str()), compute.rounding(), operations];
            let name = name.into_iter().flatten().collect::<Vec<_>>().join(", ");
            Ok(NamedDevice { device, name })
        }
    }
}

/// The CUDA device of one of several processes on this machine, which has `devices`. A launcher may show each process a
/// single device, which is then `cuda:0`.
fn local_device(local_rank: Option<usize>, devices: Option<usize>) -> Option<usize> {
    local_rank.filter(|_| devices.is_some_and(|devices| devices > 1))
}

fn cuda(ordinal: usize) -> Result<NamedDevice> {
    if !cfg!(feature = "cuda") {
        return Err(Error::Request(format!(
            "device cuda:{ordinal} needs a build with CUDA: install the CUDA toolkit, build with `cargo build --release \
             --features cuda`, or use --device cpu"
        )));
    }
    let count = count();
    if count.is_some_and(|count| (1..=ordinal).contains(&count)) {
        let last = count.unwrap_or_default() - 1;
        return Err(Error::Request(format!(
            "there is no device cuda:{ordinal} on this machine: the last one is cuda:{last}"
        )));
    }
    match opened(ordinal) {
        Ok(device) => {
            let model = facts(&device).map(|facts| format!(" ({})", facts.model)).unwrap_or_default();
            Ok(NamedDevice { device, name: format!("cuda:{ordinal}{model}") })
        }
        Err(error) => Err(Error::Request(format!("device cuda:{ordinal} cannot be used: {error}"))),
    }
}

/// A device that has launched a kernel and computed a product.
fn opened(ordinal: usize) -> Result<Device> {
    let device = Device::new_cuda(ordinal)?;
    keep_memory(&device);
    let ones = Tensor::ones((2, 2), DType::F32, &device)?;
    let sum = (ones.matmul(&ones)? + 1.0)?.sum_all()?.to_scalar::<f32>()?;
    if (sum - 12.0).abs() > 1e-3 {
        return Err(Error::Device(format!("the device computes wrongly: 3 + 3 + 3 + 3 is {sum} there")));
    }
    Ok(device)
}

/// Lets the device's memory pool keep freed memory. By default the pool gives all of it back whenever the host waits for the
/// device, and gets it again in the next step. A device without pools ignores this.
#[cfg(feature = "cuda")]
fn keep_memory(device: &Device) {
    use candle_core::cuda::cudarc::driver::{result, sys::CUmemPool_attribute_enum::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD};
    let Ok(device) = device.as_cuda_device() else { return };
    let mut threshold = u64::MAX;
    #[allow(unsafe_code, reason = "cudarc has no safe function for it")]
    // SAFETY: the device is open, and the attribute is a `u64`.
    let _ = unsafe {
        result::device::get_default_mem_pool(device.cuda_stream().context().cu_device()).and_then(|pool| {
            result::mem_pool::set_attribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, (&raw mut threshold).cast())
        })
    };
}

#[cfg(not(feature = "cuda"))]
fn keep_memory(_: &Device) {}

/// Properties of a CUDA device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceFacts {
    /// Such as `NVIDIA H100`.
    pub model: String,
    /// Major and minor number.
    pub compute_capability: (i32, i32),
    /// Free memory in bytes.
    pub free_bytes: usize,
    /// Total memory in bytes.
    pub total_bytes: usize,
}

/// The facts of a CUDA device; `None` for the CPU.
#[cfg(feature = "cuda")]
pub fn facts(device: &Device) -> Option<DeviceFacts> {
    let stream = device.as_cuda_device().ok()?.cuda_stream();
    let context = stream.context();
    let (free_bytes, total_bytes) = context.mem_get_info().ok()?;
    Some(DeviceFacts {
        model: context.name().ok()?,
        compute_capability: context.compute_capability().ok()?,
        free_bytes,
        total_bytes,
    })
}

/// `None`: this build has no CUDA.
#[cfg(not(feature = "cuda"))]
pub fn facts(_: &Device) -> Option<DeviceFacts> {
    None
}

/// Number of CUDA devices; `None` without a driver.
#[cfg(feature = "cuda")]
fn count() -> Option<usize> {
    let count = candle_core::cuda_backend::cudarc::driver::CudaContext::device_count().ok()?;
    usize::try_from(count).ok()
}

#[cfg(not(feature = "cuda"))]
fn count() -> Option<usize> {
    None
}

/// Refuses batches of which a CUDA device would compute only a part: candle silently truncates the number of threads of a
/// launch to 32 bits.
pub fn check_batch(device: &Device, architecture: &Architecture, batch: usize) -> Result<()> {
    if !device.is_cuda() {
        return Ok(());
    }
    bounded(architecture, batch)
}

fn bounded(architecture: &Architecture, batch: usize) -> Result<()> {
    let most = u32::MAX as usize / architecture.max_elements().max(1);
    if batch <= most {
        return Ok(());
    }
    Err(Error::Request(format!(
        "a batch of {batch} is too large for a CUDA device: with this network it takes at most {most} images (the batch \
         in the profile's [training] section)"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_beyond_32_bits_of_elements_is_refused_with_the_largest_one() {
        // conv2 unfolds 2 * 48 * 5 * 5 values for each of 27 * 27 positions; 2^32 / (2400 * 729) = 2454.8.
        assert!(bounded(&Architecture::PAPER, 2454).is_ok());
        let error = bounded(&Architecture::PAPER, 2455).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("at most 2454 images"), "{error}");
        assert!(check_batch(&Device::Cpu, &Architecture::PAPER, 2455).is_ok());
    }

    #[test]
    fn a_process_takes_the_device_of_its_local_rank_if_there_are_several() {
        assert_eq!(local_device(Some(1), Some(4)), Some(1));
        assert_eq!(local_device(Some(4), Some(4)), Some(4), "an error, not a device of another process");
        for (local_rank, devices) in [(Some(1), Some(1)), (Some(1), None), (None, Some(4))] {
            assert_eq!(local_device(local_rank, devices), None);
        }
    }

    #[test]
    fn tf32_and_bf16_on_the_cpu_are_refused() {
        for (compute, mode) in [
            (Compute { tf32: true, ..Compute::default() }, "TF32 (--tf32"),
            (Compute { bf16: true, ..Compute::default() }, "bf16 (--bf16"),
        ] {
            let error = select("cpu", None, compute, &Progress::new(true)).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().starts_with(mode), "{error}");
        }
    }
}
