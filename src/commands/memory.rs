//! The system's allocator, with a sentence and the exit code of invalid input if the system has no memory. Rust would abort,
//! which looks like a bug. Sizes are the user's: batch, network, images.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

struct Allocator;

#[allow(unsafe_code, reason = "an allocator is unsafe to implement")]
// SAFETY: every call is the system's, whose contract is the same.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        checked(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        checked(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        checked(unsafe { System.realloc(pointer, layout, size) }, size)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The pointer, unless the system refused.
fn checked(pointer: *mut u8, bytes: usize) -> *mut u8 {
    if pointer.is_null() {
        // Standard error has no buffer, and numbers are formatted without an allocation.
        let _ = writeln!(
            std::io::stderr(),
            "error: the system has no memory for {} MiB more: choose a smaller batch, network or image size, or a machine \
             with more memory",
            bytes >> 20
        );
        std::process::exit(2);
    }
    pointer
}
