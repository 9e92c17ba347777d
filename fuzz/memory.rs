//! What holds of every reader of weights, whatever the bytes.

use gal_bench::weights::import_bytes;
use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The system's memory, with the most that was in use since [`weights`] began.
struct Counted;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(NOW.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static MEMORY: Counted = Counted;

/// The bytes of the file `name` are weights or one sentence, in no more than 1 MiB and 128 times the bytes.
pub fn weights(name: &str, bytes: &[u8]) {
    let before = NOW.load(Relaxed);
    MOST.store(before, Relaxed);
    match import_bytes(Path::new(name), bytes, None) {
        Ok(imported) => assert!(!imported.tensors.is_empty()),
        Err(error) => {
            let text = error.to_string();
            assert!(error.exit_code() == 2 && text.lines().count() == 1 && text.len() < 1000, "{text}");
        }
    }
    let most = MOST.load(Relaxed) - before;
    assert!(most <= (1 << 20) + 128 * bytes.len(), "{most} bytes of memory for {}", bytes.len());
}
