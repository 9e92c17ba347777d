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
