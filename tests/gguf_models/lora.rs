//! LoRA on the weights of a GGUF file against PEFT on what Transformers reads of the same file: one step's loss and gradients, and what the
//! tuned model writes.

use std::collections::BTreeMap;
use std::slice;

use pollster::block_on;
use webtune::device::read;
use webtune::eval::generate::Generator;
use webtune::eval::generation_options::GenerationOptions;
use webtune::formats::write;
use webtune::models::CausalBatch;
use webtune::models::decoder::Layout;
use webtune::peft::freeze::{activate, replace};
use webtune::peft::store::{Tensors, named_values, restore};
use webtune::peft::{LoraConfig, Method, MethodType, TargetModules};
use webtune::train::gradients::{PassSettings, gradients};

use super::common::golden::{Golden, relative_error};
use super::{CASES, bytes, model};

fn adapter(golden: &Golden, name: &str) -> Tensors {
    let own = format!("{name}.adapter.");
    let tensors = golden.floats.iter().filter_map(|(key, (shape, values))| {
        let key = key.strip_prefix(&own)?;
        Some((key, &shape[..], &values[..]))
    });
    let file = write(tensors, &BTreeMap::new()).unwrap();
    block_on(Tensors::read("adapter_model.safetensors", file)).unwrap()
}

#[test]
fn lora_on_a_gguf_file_is_that_of_peft() {
    let golden = block_on(Golden::read(&bytes("lora.safetensors")));
    let ids = block_on(Golden::read(&bytes("golden.safetensors"))).ints;
    let method = Method::Lora(LoraConfig {
        r: 2,
        lora_alpha: 4.0,
        target_modules: TargetModules::Pattern("all-linear".into()),
        ..LoraConfig::default()
    });
    for name in CASES {
        let loaded = model(name);
        let ids = &ids[&format!("{name}.ids")].1;
        let row = ids.iter().map(|id| *id as i32).collect::<Vec<_>>();
        let targets = (0..row.len()).map(|at| at >= 3).collect::<Vec<_>>();
        let layout = Layout::plain(1, row.len());
        let batch = CausalBatch::new(row, &targets, layout, &loaded.compute.device);
        let (plain, trainable) = restore(loaded.model, &method, &adapter(&golden, name)).unwrap();
        let tuned = activate(plain.clone(), |path| trainable.contains(path));
        let (found, loss) = gradients(&tuned, slice::from_ref(&batch), &PassSettings::default());
        let expected = golden.float(&format!("{name}.loss"));
        let loss = relative_error(&block_on(read(loss)).unwrap(), expected);
        let mut found = found.into_iter().collect::<BTreeMap<_, _>>();
        // the walk of an export gives PEFT's keys and shapes
        let carried = replace(tuned, |path, _| found.remove(path));
        let found = named_values(&carried, &trainable, MethodType::Lora);
        let found = block_on(found).unwrap();
        let own = format!("{name}.grad.");
        let expected = golden.floats.keys().filter(|key| key.starts_with(&own));
        assert_eq!(found.len(), expected.count(), "{name}");
        let errors = found.iter().map(|(_, (key, _, values))| {
            relative_error(values, golden.float(&format!("{own}{key}")))
        });
        let error = errors.fold(0.0, f64::max);
        println!("{name}: loss {loss:.1e}, gradients {error:.1e}");
        // sums of float32 in another order
        assert!(loss < 1e-5 && error < 1e-4, "{name}: {loss} {error}");

        let written = &golden.ints[&format!("{name}.written")].1;
        let prompt = ids.iter().map(|id| *id as u32).collect::<Vec<_>>();
        let options = GenerationOptions {
            max_new_tokens: written.len(),
            ..GenerationOptions::default()
        };
        let mut generator = Generator::new(&plain, &prompt, options).unwrap();
        let next = || block_on(generator.next_token(&plain)).unwrap();
        let found = std::iter::from_fn(next).map(i64::from);
        assert_eq!(found.collect::<Vec<_>>(), *written, "{name}");
    }
}
