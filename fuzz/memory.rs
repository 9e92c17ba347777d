//! The claim about every reader of weights, for any bytes.

use gal_bench::weights::import_bytes;
use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The system allocator, with the peak of the allocated bytes since the start of [`weights`].
struct CountingAllocator;

static CURRENT: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(CURRENT.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        CURRENT.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Checks that the file `name` with the content `bytes` is read as weights or rejected with an error of one line. Memory is
/// at most 1 MiB plus 128 times the size.
pub fn weights(name: &str, bytes: &[u8]) {
    let before = CURRENT.load(Relaxed);
    PEAK.store(before, Relaxed);
    match import_bytes(Path::new(name), bytes, None) {
        Ok(imported) => assert!(!imported.tensors.is_empty()),
        Err(error) => {
            let text = error.to_string();
            assert!(error.exit_code() == 2 && text.lines().count() == 1 && text.len() < 1000, "{text}");
        }
    }
    let peak = PEAK.load(Relaxed) - before;
    assert!(peak <= (1 << 20) + 128 * bytes.len(), "{peak} bytes of memory for {} bytes of input", bytes.len());
}
