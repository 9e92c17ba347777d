//! Memory that is kept, so that the hot loops do not ask the system for pages each time.

use std::cell::RefCell;

thread_local! {
    static BUFFER: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Runs `work` on `length` floats of unspecified content.
pub(super) fn with<R>(length: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    // Taken out of its cell meanwhile: rayon may run another task of ours on this thread while `work` waits.
    let mut buffer = BUFFER.take();
    if buffer.len() < length {
        buffer = vec![0.0; length];
    }
    let result = work(&mut buffer[..length]);
    BUFFER.set(buffer);
    result
}

/// Has the process keep what its tensors leave free: glibc gives each large buffer back to the system otherwise, which
/// hands it out again page by page, zeroed, within the very next operation. A fifth of a step was spent on that.
pub fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code, reason = "a call into the C library that touches no memory of ours")]
    // SAFETY: both parameters take any number; a refused one changes nothing.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
    }
}
