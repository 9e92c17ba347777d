//! A reused buffer per thread: hot loops then do not request pages from the system each time.

use std::cell::RefCell;

thread_local! {
    static BUFFER: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Runs `work` on `length` floats of unspecified content.
pub(in crate::nn) fn with<R>(length: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    // Taken out of its cell: rayon may run another task on this thread while `work` waits.
    let mut buffer = BUFFER.take();
    if buffer.len() < length {
        buffer = vec![0.0; length];
    }
    let result = work(&mut buffer[..length]);
    BUFFER.set(buffer);
    result
}
