//! How much memory a piece of code takes: an allocator that counts, per thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // While a thread ends its cells are gone.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

#[allow(unsafe_code)]
// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size as isize - layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Measures what this thread holds beyond what it held when the measurement began.
#[derive(Clone, Copy)]
pub struct Meter {
    before: isize,
}

impl Meter {
    pub fn start() -> Self {
        let before = LIVE.with(Cell::get);
        PEAK.with(|peak| peak.set(before));
        Self { before }
    }

    /// The most bytes so far.
    pub fn peak(self) -> usize {
        (PEAK.with(Cell::get) - self.before).max(0) as usize
    }
}

/// The result of `run`, and the most bytes that this thread held during it beyond those it held before.
pub fn peak<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let meter = Meter::start();
    let value = run();
    (value, meter.peak())
}
