//! What a run would take, from a model's configuration and the run's options alone, as if every text had `maxLength` tokens. It is decided as
//! [`super::plan::LanguagePlan`] decides with the texts at hand.

use serde::Serialize;

use super::few_shot::LONGEST;
use super::options::LanguageOptions;
use super::rows::{ScoringRows, max_length};
use crate::Result;
use crate::device::{Compute, EngineKind};
use crate::layers::Storage;
use crate::models::size::Shape;
use crate::models::{DecoderConfig, NetworkSizes};
use crate::peft::check_storage;
use crate::train::memory::{
    Estimate, MemoryProfile, Pass, PassKind, choose_checkpointing, trained_by,
};
use crate::train::parts::in_parts;

/// What a run would take and what the engine would decide.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "LanguageEstimate"))]
#[serde(rename_all = "camelCase")]
pub struct RunEstimate {
    /// Bytes at the peak, by what takes them.
    pub estimate: Estimate,
    /// All of them.
    pub total: u64,
    /// Bytes that the engine plans with.
    pub limit: u64,
    /// Bytes of the largest tensor of the run.
    pub largest_tensor: u64,
    /// Bytes of the largest tensor that the graphics card holds; absent on the CPU engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub largest_tensor_limit: Option<u64>,
    /// Rows per forward pass.
    pub train_batch_size: usize,
    /// Tokens kept of a text.
    pub max_length: usize,
    /// Whether layers are computed twice.
    pub gradient_checkpointing: bool,
    /// What a person could do, if the run does not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// Estimates a run with weights stored like that.
///
/// # Errors
/// [`crate::Error::InvalidOption`] for settings out of range, more tokens than the model has positions, and weights that the engine cannot
/// store or the method cannot train like that.
pub fn estimate_run(
    config: &DecoderConfig,
    storage: Storage,
    options: &LanguageOptions,
    compute: &Compute,
) -> Result<RunEstimate> {
    options.check()?;
    storage.check_engine(compute)?;
    let LanguageOptions { own, common } = options;
    check_storage(&common.method, storage)?;
    let max_length = max_length(config, options)?;
    let batch = common.train_batch_size;
    let network = NetworkSizes::of_decoder(config, storage, compute.kind);
    let trained = trained_by(config, &common.method)?;
    let scoring = ScoringRows {
        network: &network,
        compute,
        batch,
        longest_trained: max_length,
        virtual_tokens: common.method.virtual_tokens(),
    };
    let rows = scoring.most(max_length);
    let mut passes = vec![Pass::new(PassKind::Evaluation, rows, max_length)];
    if own.few_shot_examples > 0 {
        let context = config.max_position_embeddings.min(LONGEST);
        let texts = own.few_shot_examples.saturating_add(1);
        let tokens = texts.saturating_mul(max_length).min(context);
        let rows = scoring.most(tokens);
        passes.push(Pass::new(PassKind::FewShot, rows, tokens));
    }
    if own.sample_tokens > 0 {
        passes.push(Pass::samples(max_length, own.sample_tokens));
    }
    let shape = Shape::new(batch, max_length);
    let profile = MemoryProfile::new(network, common.method.clone(), trained, shape);
    let profile = MemoryProfile {
        passes,
        ..in_parts(profile.with_options(common), compute.kind, common)
    };
    let on = common
        .gradient_checkpointing
        .unwrap_or_else(|| choose_checkpointing(&profile, compute).0);
    let profile = MemoryProfile {
        checkpointing: on,
        ..profile
    };
    let estimate = profile.estimate();
    let total = estimate.total();
    Ok(RunEstimate {
        estimate,
        total,
        limit: compute.memory_limit,
        train_batch_size: batch,
        max_length,
        gradient_checkpointing: on,
        largest_tensor: profile.largest_tensor().1.bytes,
        largest_tensor_limit: (compute.kind == EngineKind::Webgpu).then_some(compute.max_binding),
        advice: profile.advice(compute),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(positions: usize) -> DecoderConfig {
        let json = json!({
            "model_type": "llama", "vocab_size": 512, "hidden_size": 64, "num_hidden_layers": 5, "num_attention_heads": 8,
            "num_key_value_heads": 4, "intermediate_size": 172, "max_position_embeddings": positions,
            "tie_word_embeddings": true
        });
        DecoderConfig::parse(json.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_buffer_that_no_shader_binds_is_reported_with_its_limit() {
        let options =
            LanguageOptions::parse(json!({"trainBatchSize": 32, "fewShotExamples": 0})).unwrap();
        let card = |max_binding| Compute {
            kind: EngineKind::Webgpu,
            max_binding,
            ..Compute::cpu()
        };
        let ask = |compute: &Compute| {
            estimate_run(&config(2048), Storage::F32, &options, compute).unwrap()
        };
        let scores = 4 * 32 * 8 * 512 * 512;
        let found = ask(&card(scores));
        assert_eq!(found.largest_tensor, scores);
        assert_eq!(found.largest_tensor_limit, Some(scores));
        assert!(found.advice.is_none());
        assert!(
            ask(&card(scores - 1))
                .advice
                .unwrap()
                .contains("trainBatchSize")
        );
        assert_eq!(ask(&Compute::cpu()).largest_tensor_limit, None);
    }

    #[test]
    fn the_engines_own_rules_decide() {
        let options = |value| LanguageOptions::parse(value).unwrap();
        let compute = Compute::cpu();
        let ask = |positions, storage, value, compute: &Compute| {
            estimate_run(&config(positions), storage, &options(value), compute)
        };
        let plain = ask(2048, Storage::F32, json!({}), &compute).unwrap();
        assert_eq!((plain.max_length, plain.train_batch_size), (512, 4));
        assert!(!plain.gradient_checkpointing && plain.advice.is_none());
        assert_eq!(plain.total, plain.estimate.total());
        let short = ask(256, Storage::F32, json!({}), &compute).unwrap();
        assert_eq!(short.max_length, 256);
        let blocks = ask(2048, Storage::Int4, json!({}), &compute).unwrap();
        assert!(blocks.gradient_checkpointing);
        // with more rows or examples before them, scoring takes more than training part by part
        let one = json!({"trainBatchSize": 1, "fewShotExamples": 0});
        let plain = ask(2048, Storage::F32, one.clone(), &compute).unwrap();
        let tight = Compute::cpu().with_memory_limit(plain.total - 1);
        let less = ask(2048, Storage::F32, one.clone(), &tight).unwrap();
        assert!(less.gradient_checkpointing && less.total < plain.total);
        let mut off = one.clone();
        off["gradientCheckpointing"] = json!(false);
        let asked = ask(2048, Storage::F32, off, &tight).unwrap();
        assert!(!asked.gradient_checkpointing);
        assert!(asked.advice.unwrap().contains("gradientCheckpointing"));
        for (storage, value, word) in [
            (Storage::F32, json!({"maxLength": 4096}), "maxLength"),
            (
                Storage::Int8,
                json!({"method": {"type": "full"}}),
                "storage f32",
            ),
        ] {
            let error = ask(2048, storage, value, &compute).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
