//! BERT with both heads and LoRA against transformers and PEFT, on the CPU engine natively.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::parity::{bert_cls, bert_mean, check, errors};
use webtune::device::Compute;

#[test]
fn bert_with_the_cls_head() {
    let compute = Compute::cpu();
    println!(
        "{}",
        check(
            "bert",
            "native cpu",
            &pollster::block_on(errors(&bert_cls(), &compute))
        )
    );
}

#[test]
fn bert_with_the_mean_head() {
    let compute = Compute::cpu();
    println!(
        "{}",
        check(
            "bert_mean_head",
            "native cpu",
            &pollster::block_on(errors(&bert_mean(), &compute))
        )
    );
}
