//! The module's memory: how large it is, and what the browser refused to add to it.
//!
//! An allocation that fails ends in a trap without a word, so that the size is noted here, where it can be asked for afterwards.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use wasm_bindgen::prelude::*;

/// The system's allocator, which notes what it was refused.
struct Noting;

#[global_allocator]
static NOTING: Noting = Noting;

static REFUSED: AtomicUsize = AtomicUsize::new(0);

/// Notes a refusal of that many bytes.
fn noted(pointer: *mut u8, bytes: usize) -> *mut u8 {
    if pointer.is_null() {
        REFUSED.store(bytes, Ordering::Relaxed);
    }
    pointer
}

// SAFETY: every call goes to the system's allocator unchanged.
// Never inline: the allocator would be copied to each of its thousands of callers, a megabyte of code.
unsafe impl GlobalAlloc for Noting {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        noted(unsafe { System.alloc(layout) }, layout.size())
    }

    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        noted(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    #[inline(never)]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        noted(unsafe { System.realloc(pointer, layout, size) }, size)
    }

    #[inline(never)]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Size of the WebAssembly memory, which never shrinks.
#[wasm_bindgen(js_name = memoryBytes)]
pub fn memory_bytes() -> f64 {
    core::arch::wasm32::memory_size(0) as f64 * 65536.0
}

/// Bytes of the last allocation that the browser refused; 0 if it never did.
#[wasm_bindgen(js_name = refusedBytes)]
pub fn refused_bytes() -> f64 {
    REFUSED.load(Ordering::Relaxed) as f64
}
