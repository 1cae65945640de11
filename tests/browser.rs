//! The engine where it lives: WebAssembly in a browser's worker, on the CPU engine and on WebGPU (a software adapter
//! where there is no other). The bodies are those of the native tests.

#![cfg(target_arch = "wasm32")]

mod common;

use std::cell::RefCell;

use common::kernels;
use common::matrix::{HEADS, cases, starts, thaws, trains};
use common::table::rows;
use common::tiny;
use common::training::{falls, learns, runs_briefly};
use js_sys::{Function, Object, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};
use webtune::device::Compute;

wasm_bindgen_test_configure!(run_in_dedicated_worker);

thread_local! {
    static WEBGPU: RefCell<Option<Compute>> = const { RefCell::new(None) };
}

/// The GPU may be opened once per instance, and tests run one after the other.
async fn webgpu() -> Compute {
    if let Some(compute) = WEBGPU.with_borrow(Clone::clone) {
        return compute;
    }
    // a test binary has no start function of ours
    webtune::wasm::run_constructors();
    let compute = Compute::webgpu().await.unwrap();
    WEBGPU.set(Some(compute.clone()));
    compute
}

#[wasm_bindgen_test]
async fn cpu_equals_the_authors_libraries() {
    print(&rows(&Compute::cpu(), "wasm cpu").await);
}

#[wasm_bindgen_test]
async fn webgpu_equals_the_authors_libraries() {
    print(&rows(&webgpu().await, "wasm webgpu").await);
}

/// A line each, so that the test command finds them in the log.
fn print(lines: &str) {
    for line in lines.lines() {
        console_log!("{line}");
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

/// As the native test of the same name.
#[wasm_bindgen_test]
async fn webgpu_kernels_agree_with_the_cpu_engine() {
    kernels::agree_with_the_cpu_engine(&webgpu().await).await;
}

/// The natively run matrix but for what costs most, the finite differences.
#[wasm_bindgen_test]
async fn cpu_methods_start_and_train_as_they_should() {
    let model = tiny::model(&Compute::cpu()).await;
    for case in cases() {
        for head in HEADS {
            starts(&model, &case, head).await;
            trains(&model, &case, head).await;
            thaws(&model, &case, head).await;
        }
    }
}

/// One setting of each method, one step each: software WebGPU takes a second a step.
#[wasm_bindgen_test]
async fn webgpu_runs_every_method() {
    let compute = webgpu().await;
    let start = js_sys::Date::now();
    for name in [
        "lora dora bias all",
        "lora pissa",
        "full mixout",
        "probe",
        "houlsby gelu",
        "prefix",
    ] {
        let case = cases().into_iter().find(|case| case.name == name).unwrap();
        runs_briefly(&compute, &case).await;
        console_log!("{name} done after {} ms", js_sys::Date::now() - start);
    }
}

/// Every call from JavaScript would run some thousand static constructors if the linker had wrapped the exports, which
/// it does unless `__wasm_call_ctors` is referenced: milliseconds a call instead of microseconds.
#[wasm_bindgen_test]
fn calls_from_javascript_do_not_run_the_constructors() {
    let callback = Closure::<dyn Fn()>::new(|| {});
    let function: &Function = callback.as_ref().unchecked_ref();
    let start = js_sys::Date::now();
    for _ in 0..1000 {
        function.call0(&JsValue::UNDEFINED).unwrap();
    }
    let each = (js_sys::Date::now() - start) / 1000.0;
    console_log!("a call from JavaScript takes {each} ms");
    assert!(each < 0.2, "{each} ms for a call that does nothing");
}

/// JSON has no such number, and would take it for an option that was left out.
#[wasm_bindgen_test]
fn a_number_that_is_none_is_refused_by_name() {
    for number in [f64::NAN, f64::INFINITY] {
        let [outer, inner] = [Object::new(), Object::new()];
        Reflect::set(&inner, &"r".into(), &number.into()).unwrap();
        Reflect::set(&outer, &"method".into(), &inner).unwrap();
        let error = webtune::wasm::parse_table("a.csv", b"text,label\n", outer.into()).unwrap_err();
        let message = error.unchecked_into::<js_sys::Error>().message();
        let message = String::from(message);
        assert!(
            message.starts_with("method.r: expected a number"),
            "{message}"
        );
    }
}
