//! Enters: a tuned language model. Leaves: its adapter as PEFT's tensors, and a model with an adapter's tensors in place.

use std::collections::{HashMap, HashSet};

use burn::tensor::{Tensor, TensorData};

use super::files::{NamedValues, Tensors};
use crate::device::read;
use crate::models::load::transpose;
use crate::models::names::{is_prefix, is_transposed};
use crate::models::{CausalLm, Network};
use crate::peft::freeze::{replace, trained};
use crate::peft::keys::{causal_key, other_key};
use crate::peft::{Method, Trainable, attach};
use crate::{Error, Result};

/// PEFT's name of a whole prefix.
const PROMPTS: &str = "prompt_embeddings";

/// The trained tensors as files hold them: PEFT's keys for an adapter, a checkpoint's names where the weights themselves train.
///
/// # Errors
/// Failures of the device.
pub async fn trained_values(
    model: &CausalLm,
    trainable: &Trainable,
    method: &Method,
) -> Result<Vec<NamedValues>> {
    let mut out: Vec<NamedValues> = Vec::new();
    let mut prompts: Vec<(usize, Vec<f32>)> = Vec::new();
    for tensor in trained(model, trainable) {
        let values = read(tensor.value).await?;
        if is_prefix(&tensor.path) {
            prompts.push((tensor.shape[1], values));
            continue;
        }
        let name = model.module_name(&tensor.path);
        let key = match method {
            Method::Full(_) => name,
            _ => causal_key(&name, trainable.has_delta(&tensor.path)),
        };
        let (shape, values) = match tensor.shape[..] {
            [rows, columns] if is_transposed(&tensor.path, 2) => {
                (vec![columns, rows], transpose(&values, rows, columns))
            }
            _ => (tensor.shape, values),
        };
        match out.last_mut() {
            // the parts of a table follow one another
            Some((last, of_last, before)) if *last == key => {
                of_last[0] += shape[0];
                before.extend(values);
            }
            _ => out.push((key, shape, values)),
        }
    }
    if let Some((width, first)) = prompts.first() {
        let (width, tokens) = (*width, first.len() / width);
        let row = |token: usize| {
            let parts = prompts.iter();
            parts.flat_map(move |(_, values)| &values[token * width..(token + 1) * width])
        };
        let values = (0..tokens).flat_map(row).copied().collect();
        out.push((PROMPTS.into(), vec![tokens, prompts.len() * width], values));
    }
    Ok(out)
}

/// The model with a method's values from its files, without gradients, and what of it the method trains.
///
/// # Errors
/// [`Error::MissingTensor`], [`Error::WrongShape`], a tensor that belongs nowhere, or settings that do not fit the model.
pub fn restore(
    base: &CausalLm,
    method: &Method,
    tensors: &Tensors,
) -> Result<(CausalLm, Trainable)> {
    let mut model = base.clone();
    let trainable = attach(&mut model, method, 0)?;
    let device = base.device();
    let mut values: HashMap<String, Vec<f32>> = HashMap::new();
    let mut known = HashSet::new();
    let mut part = 0;
    for tensor in trained(&model, &trainable) {
        let stored = match (&tensor.shape[..], is_prefix(&tensor.path)) {
            ([tokens, width], true) => {
                let parts = 2 * model.num_layers();
                let prompts = tensors.get(PROMPTS, &[*tokens, parts * width])?;
                known.insert(PROMPTS.to_string());
                let columns = part * width..(part + 1) * width;
                part += 1;
                let rows = prompts.chunks(parts * width);
                rows.flat_map(|row| &row[columns.clone()])
                    .copied()
                    .collect()
            }
            (shape, _) => {
                let name = model.module_name(&tensor.path);
                let mut key = causal_key(&name, trainable.has_delta(&tensor.path));
                if let Some(other) = other_key(&key)
                    && tensors.has(&other)
                {
                    key = other;
                }
                let stored = match shape {
                    [rows, columns] if is_transposed(&tensor.path, 2) => {
                        transpose(tensors.get(&key, &[*columns, *rows])?, *columns, *rows)
                    }
                    shape => tensors.get(&key, shape)?.to_vec(),
                };
                known.insert(key);
                stored
            }
        };
        values.insert(tensor.path, stored);
    }
    if matches!(method, Method::Full(_)) {
        return Err(Error::state(
            "a language model that was tuned whole is loaded, not imported",
        ));
    }
    tensors.refuse_strangers(|key| known.contains(key))?;
    let restored = replace(model, |path, _| {
        let values = values.remove(path)?;
        let count = values.len();
        Some(Tensor::from_data(TensorData::new(values, [count]), &device))
    });
    Ok((restored, trainable))
}
