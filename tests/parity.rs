//! Every method against transformers, PEFT and AdapterHub, every safeguard against PyTorch, on the CPU engine natively.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::table::rows;
use webtune::device::Compute;

#[test]
fn methods_and_safeguards_equal_their_authors_libraries() {
    println!(
        "{}",
        pollster::block_on(rows(&Compute::cpu(), "native cpu"))
    );
}
