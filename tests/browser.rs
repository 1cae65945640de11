//! The engine where it lives: WebAssembly in a browser's worker, on the CPU engine and on WebGPU (a software adapter
//! where there is no other). The bodies are those of the native tests.

#![cfg(target_arch = "wasm32")]

mod common;

use std::cell::OnceCell;

use common::parity::{bert_cls, bert_mean, check, errors};
use common::training::{falls, learns};
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};
use webtune::device::Compute;

wasm_bindgen_test_configure!(run_in_dedicated_worker);

thread_local! {
    static WEBGPU: OnceCell<Compute> = const { OnceCell::new() };
}

/// The GPU may be opened once per instance, and tests run one after the other.
async fn webgpu() -> Compute {
    if let Some(compute) = WEBGPU.with(|cell| cell.get().cloned()) {
        return compute;
    }
    let compute = Compute::webgpu().await.unwrap();
    WEBGPU.with(|cell| cell.set(compute.clone())).unwrap();
    compute
}

#[wasm_bindgen_test]
async fn cpu_equals_transformers_and_peft() {
    let compute = Compute::cpu();
    for fixture in [bert_cls(), bert_mean()] {
        console_log!(
            "{}",
            check(fixture.name, "wasm cpu", &errors(&fixture, &compute).await)
        );
    }
}

#[wasm_bindgen_test]
async fn webgpu_equals_transformers_and_peft() {
    let compute = webgpu().await;
    for fixture in [bert_cls(), bert_mean()] {
        console_log!(
            "{}",
            check(
                fixture.name,
                "wasm webgpu",
                &errors(&fixture, &compute).await
            )
        );
    }
}

#[wasm_bindgen_test]
async fn cpu_learns() {
    learns(&Compute::cpu()).await;
}

#[wasm_bindgen_test]
async fn webgpu_loss_falls() {
    falls(&webgpu().await).await;
}

/// Seconds of WebAssembly per tiny WebGPU step, were the static constructors to run at every call; a few milliseconds
/// when they run once.
#[wasm_bindgen_test]
async fn constructors_run_once() {
    let compute = Compute::cpu();
    let batch = common::parity::load(&bert_cls(), &compute).await;
    let start = js_sys::Date::now();
    for _ in 0..20 {
        let logits = batch.classifier.forward(&batch.batch.tokens);
        webtune::eval::evaluate::read(logits.inner()).await.unwrap();
    }
    let each = (js_sys::Date::now() - start) / 20.0;
    console_log!("a tiny forward pass takes {each} ms");
    assert!(each < 200.0, "{each} ms for a tiny forward pass");
}
