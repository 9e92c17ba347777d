//! Limits of the system.

/// Makes a write beyond the limit on the size of files (`ulimit -f`) an error, as on a full disk. By default it ends the
/// process.
pub fn fail_at_file_size_limit() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code, reason = "a C library call that accesses no memory of ours")]
    // SAFETY: no handler is installed, so none can run at a wrong moment.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}
