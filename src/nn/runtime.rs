//! Process-wide settings for training: allocator and thread pool.

/// Makes glibc keep freed memory. By default it returns each large buffer to the system. Page faults of the next buffer
/// then cost a fifth of a training step.
pub fn retain_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code, reason = "a C library call that accesses no memory of ours")]
    // SAFETY: these parameters take any number; a rejected one has no effect.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
    }
}

/// Limits how long candle's idle threads spin. candle adds gradients on one thread per core, which by default polls 25,000
/// times for more work. Our loops need these cores: spinning costs a tenth of a step of a small network. A limit set by the
/// user stays.
///
/// # Safety
/// No other thread may run: this sets an environment variable, which candle reads.
#[allow(unsafe_code, reason = "the caller promises that no other thread runs")]
pub unsafe fn limit_candle_spin() {
    const LIMIT: &str = "CANDLE_BARRIER_POOL_SPIN_LIMIT";
    if std::env::var_os(LIMIT).is_none() {
        // SAFETY: by the caller's promise no other thread reads the environment.
        unsafe { std::env::set_var(LIMIT, "1000") };
    }
}
