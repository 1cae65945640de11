//! Enters: a classifier and LoRA settings. Leaves: the classifier with a delta in every layer that the settings name.

use burn::module::Param;
use burn::tensor::{Tensor, TensorData};
use regex::Regex;

use super::{LoraConfig, TargetModules};
use crate::layers::{Linear, Lora};
use crate::models::{Bert, Classifier, HeadKind};
use crate::rng::Rng;
use crate::{Error, Result};

/// PEFT's word for every linear layer below the head.
const ALL_LINEAR: &str = "all-linear";

/// Decides by PEFT's rules whether a module's name is a target.
struct Matcher<'a> {
    rule: Rule<'a>,
}

enum Rule<'a> {
    Suffixes(&'a [String]),
    Whole(Regex),
}

impl<'a> Matcher<'a> {
    fn new(targets: &'a TargetModules) -> Result<Self> {
        let rule = match targets {
            TargetModules::Suffixes(names) => Rule::Suffixes(names),
            TargetModules::Pattern(pattern) => {
                let whole = format!("^(?:{pattern})$");
                Rule::Whole(Regex::new(&whole).map_err(|error| Error::InvalidOption {
                    option: "targetModules".into(),
                    reason: error.to_string(),
                })?)
            }
        };
        Ok(Self { rule })
    }

    fn matches(&self, name: &str) -> bool {
        match &self.rule {
            Rule::Suffixes(suffixes) => suffixes.iter().any(|suffix| {
                name.strip_suffix(suffix.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }),
            Rule::Whole(regex) => regex.is_match(name),
        }
    }
}

/// The name that PEFT gives a linear layer of the encoder: a `mean` head is put on the bare encoder.
fn peft_name(bare: &str, head: HeadKind) -> String {
    match head {
        HeadKind::Cls => format!("bert.{bare}"),
        HeadKind::Mean => bare.into(),
    }
}

/// The settings with `all-linear` written out, as PEFT writes it into its file. A `mean` head does not read the pooler,
/// so that a delta there would never have a gradient.
pub fn resolve(bert: &Bert, head: HeadKind, config: &LoraConfig) -> LoraConfig {
    let target_modules = match &config.target_modules {
        TargetModules::Pattern(word) if word == ALL_LINEAR => TargetModules::Suffixes(
            bert.clone()
                .linears_mut()
                .into_iter()
                .filter(|(bare, _)| head == HeadKind::Cls || !bare.starts_with("pooler."))
                .map(|(bare, _)| peft_name(&bare, head))
                .collect(),
        ),
        given => given.clone(),
    };
    LoraConfig {
        target_modules,
        ..config.clone()
    }
}

/// Fills the delta slots of all targeted layers: A uniform in `±1 / sqrt(in)` (PyTorch's Kaiming-uniform with
/// `a = sqrt 5`), B zero, so that the model's output does not change. The head is never a target: it trains whole.
///
/// # Errors
/// [`Error::InvalidOption`] for settings out of range, a bad pattern, or targets that match no layer.
pub fn attach(classifier: &mut Classifier, config: &LoraConfig, seed: u64) -> Result<()> {
    config.check()?;
    let matcher = Matcher::new(&config.target_modules)?;
    let kind = classifier.head.kind();
    let mut names = Vec::new();
    let mut count = 0;
    for (bare, linear) in classifier.bert.linears_mut() {
        let name = peft_name(&bare, kind);
        if matcher.matches(&name) {
            linear.delta = Some(fresh(
                linear,
                config,
                &mut Rng::stream(seed, &format!("init/{name}")),
            ));
            count += 1;
        }
        names.push(name);
    }
    if count == 0 {
        let examples = names.iter().take(6).cloned().collect::<Vec<_>>();
        return Err(Error::InvalidOption {
            option: "targetModules".into(),
            reason: format!(
                "{} matches none of the model's linear layers; they are {}, ...",
                serde_json::to_string(&config.target_modules).unwrap_or_default(),
                examples.join(", ")
            ),
        });
    }
    Ok(())
}

fn fresh(linear: &Linear, config: &LoraConfig, rng: &mut Rng) -> Lora {
    let [input, output] = linear.shape();
    let bound = 1.0 / (input as f64).sqrt();
    let a = (0..input * config.r)
        .map(|_| ((2.0 * rng.uniform() - 1.0) * bound) as f32)
        .collect::<Vec<_>>();
    let b = vec![0.0_f32; config.r * output];
    lora(linear, config, a, b)
}

/// A trainable delta for that layer. `a`: `[in, r]`, `b`: `[r, out]`, in row order.
pub fn lora(linear: &Linear, config: &LoraConfig, a: Vec<f32>, b: Vec<f32>) -> Lora {
    let [input, output] = linear.shape();
    let device = linear.weight.val().device();
    let parameter = |values, shape: [usize; 2]| {
        let tensor = Tensor::<2>::from_data(TensorData::new(values, shape), &device);
        Param::from_tensor(tensor.autodiff())
    };
    Lora {
        lora_a: parameter(a, [input, config.r]),
        lora_b: parameter(b, [config.r, output]),
        scaling: config.scaling(),
        dropout: config.lora_dropout,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(targets: TargetModules, name: &str) -> bool {
        Matcher::new(&targets).unwrap().matches(name)
    }

    #[test]
    fn suffixes_end_at_a_dot() {
        let targets = || TargetModules::Suffixes(vec!["output.dense".into(), "query".into()]);
        assert!(matches(targets(), "encoder.layer.0.attention.output.dense"));
        assert!(matches(targets(), "query"));
        assert!(!matches(targets(), "encoder.myquery"));
        assert!(!matches(targets(), "encoder.query.dense"));
    }

    #[test]
    fn patterns_match_the_whole_name() {
        let targets = || TargetModules::Pattern(r".*layer\.[01]\..*(key|value)".into());
        assert!(matches(
            targets(),
            "bert.encoder.layer.1.attention.self.key"
        ));
        assert!(!matches(
            targets(),
            "bert.encoder.layer.2.attention.self.key"
        ));
        assert!(!matches(
            targets(),
            "bert.encoder.layer.1.attention.self.keys"
        ));
        assert!(Matcher::new(&TargetModules::Pattern("(".into())).is_err());
    }
}
