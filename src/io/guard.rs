//! Panics of other crates' readers on damaged files.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Number of reads that are guarded now.
static READS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// True while this thread reads a file that may be damaged.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `read`; `None` if it panics, without the message of the panic.
pub fn guarded<T>(read: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            // polars decodes in threads of its own and hands their panics on.
            let of_polars = || std::thread::current().name().is_some_and(|name| name.starts_with("polars"));
            let is_guarded = GUARDED.get() || READS.load(Ordering::Relaxed) > 0 && of_polars();
            if !is_guarded {
                report(panic);
            }
        }));
    });
    let before = GUARDED.replace(true);
    READS.fetch_add(1, Ordering::Relaxed);
    let done = panic::catch_unwind(AssertUnwindSafe(read));
    READS.fetch_sub(1, Ordering::Relaxed);
    GUARDED.set(before);
    done.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_no_value() {
        assert_eq!(guarded(|| 1), Some(1));
        assert_eq!(guarded(|| Vec::<u8>::new()[0]), None);
        assert!(!GUARDED.get());
    }
}
