//! What a process that trains asks of the libraries beneath it.

/// Has the process keep what its tensors leave free: glibc gives each large buffer back to the system otherwise, which
/// hands it out again page by page, zeroed, within the very next operation. A fifth of a step was spent on that.
pub fn retain_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code, reason = "a call into the C library that touches no memory of ours")]
    // SAFETY: these parameters take any number; a refused one changes nothing.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
    }
}

/// Has candle's own threads go to sleep soon. It adds gradients on them, one a core, and after each addition they look
/// for the next 25,000 times by default, on the cores that our loops need: a tenth of a step of a small network. A limit
/// that the user has set stays.
///
/// # Safety
/// No other thread may run yet: candle takes this from the environment, which is written to.
#[allow(unsafe_code, reason = "the caller promises to be alone")]
pub unsafe fn limit_candle_spin() {
    const LIMIT: &str = "CANDLE_BARRIER_POOL_SPIN_LIMIT";
    if std::env::var_os(LIMIT).is_none() {
        // SAFETY: by the caller's promise nobody else reads the environment.
        unsafe { std::env::set_var(LIMIT, "1000") };
    }
}
