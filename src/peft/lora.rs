//! LoRA (Hu et al. 2022): a low-rank delta in every linear layer that the settings name.

use std::collections::BTreeSet;

use burn::tensor::{Tensor, TensorData};
use regex::Regex;

use super::freeze::Trainable;
use super::lora_config::{ALL_LINEAR, Bias, InitLoraWeights, LoraConfig, TargetModules};
use super::patterns::compile;
use crate::layers::{Dropout, Linear, Lora};
use crate::models::Network;
use crate::models::load::frozen;
use crate::models::names::is_delta;
use crate::models::network::layer_of;
use crate::rng::Rng;
use crate::{Error, Result};

/// Decides by PEFT's rules whether a module's name is a target.
struct Matcher<'a> {
    rule: Rule<'a>,
}

enum Rule<'a> {
    Suffixes(&'a [String]),
    Whole(Regex),
}

impl<'a> Matcher<'a> {
    /// `option`: whose rules these are.
    fn new(option: &str, targets: &'a TargetModules) -> Result<Self> {
        let rule = match targets {
            TargetModules::Suffixes(names) => Rule::Suffixes(names),
            // targets are resolved before, and nothing is excluded
            TargetModules::Default => Rule::Suffixes(&[]),
            TargetModules::Pattern(pattern) => {
                let whole = format!("^(?:{pattern})$");
                Rule::Whole(compile(&whole).map_err(|error| Error::option(option, error))?)
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

/// The settings with `all-linear` and the default written out, as PEFT writes them into its file. A layer that the head does not read,
/// such as the pooler under a `mean` head, is no part of `all-linear`: a delta there would never have a gradient.
pub fn resolve<N: Network>(network: &N, config: &LoraConfig) -> LoraConfig {
    let mut network = network.clone();
    let names = network.linears_mut().into_iter().map(|(name, _)| name);
    let names = names.collect::<Vec<_>>();
    let in_layers = |name: &str| config.in_layers(layer_of(name));
    let target_modules = match &config.target_modules {
        TargetModules::Pattern(word) if word == ALL_LINEAR => {
            let read = names.iter().filter(|name| network.reads(name));
            let whole = read.filter(|name| in_layers(name)).cloned().collect();
            return LoraConfig {
                target_modules: TargetModules::Suffixes(whole),
                // names written out name their layers, and PEFT does not look at layers where a whole name is given
                layers_to_transform: None,
                ..config.clone()
            };
        }
        TargetModules::Default => {
            let names = network.default_targets().iter();
            TargetModules::Suffixes(names.map(|name| name.to_string()).collect())
        }
        TargetModules::Suffixes(given) => {
            // a table stays, so that it is refused by name
            let named = [names.as_slice(), &network.tables()].concat();
            TargetModules::Suffixes(matching(given, &named))
        }
        given => given.clone(),
    };
    if let (TargetModules::Suffixes(suffixes), Some(_)) =
        (&target_modules, &config.layers_to_transform)
        && !names.iter().any(|name| shows_peft_its_layer(name))
    {
        let rule = Rule::Suffixes(suffixes);
        let matcher = Matcher { rule };
        let whole = names
            .iter()
            .filter(|name| matcher.matches(name) && in_layers(name));
        let whole = whole.cloned().collect::<Vec<_>>();
        // targets that match nothing are an error by name
        if !whole.is_empty() {
            return LoraConfig {
                target_modules: TargetModules::Suffixes(whole),
                layers_to_transform: None,
                ..config.clone()
            };
        }
    }
    LoraConfig {
        target_modules,
        ..config.clone()
    }
}

/// Those that a layer's name matches, because a file must not name what it does not hold. PEFT passes over the others, and so is here, unless there is
/// none: targets that match nothing are an error by name.
fn matching(given: &[String], names: &[String]) -> Vec<String> {
    let matches = |suffix: &&String| {
        let rule = Rule::Suffixes(std::slice::from_ref(*suffix));
        let matcher = Matcher { rule };
        names.iter().any(|name| matcher.matches(name))
    };
    let found = given.iter().filter(matches).cloned().collect::<Vec<_>>();
    if found.is_empty() {
        given.into()
    } else {
        found
    }
}

/// Refuses targets that PEFT would put a delta on and that have no place for one here, which no file must name either.
fn check_tables<N: Network>(network: &N, config: &LoraConfig) -> Result<()> {
    let matcher = Matcher::new("targetModules", &config.target_modules)?;
    let excluded = Matcher::new("excludeModules", &config.exclude_modules)?;
    let whole = |name: &String| matches!(&config.target_modules, TargetModules::Suffixes(names) if names.contains(name));
    let tables = network.tables().into_iter();
    let mut named = tables.filter(|name| whole(name) || config.in_layers(layer_of(name)));
    match named.find(|name| matcher.matches(name) && !excluded.matches(name)) {
        None => Ok(()),
        Some(name) => Err(Error::option(
            "targetModules",
            format!(
                "{name} is {}, and only linear layers inside the transformer layers have a place for a delta here; leave it out \
                 of targetModules (or name it in excludeModules), or train it with the method full",
                match name.as_str() {
                    "lm_head" => "a table of words, which gives the logits",
                    _ => "a table of words or positions",
                }
            ),
        )),
    }
}

/// PEFT looks for a layer's number after two other parts of a name, and the bare ModernBERT's `layers.0.attn.Wo` has but one.
fn shows_peft_its_layer(name: &str) -> bool {
    name.split('.')
        .skip(2)
        .any(|part| part.parse::<usize>().is_ok())
}

/// Fills the delta slots of all targeted layers, so that the model's output does not change. The head is never a target: it
/// trains whole. PiSSA's start needs the weights' values: [`super::pissa::start`] puts it in place afterwards.
///
/// # Errors
/// [`Error::InvalidOption`] for settings out of range, a bad pattern, targets that match no layer, or one that has no place for a delta.
pub fn attach<N: Network>(network: &mut N, config: &LoraConfig, seed: u64) -> Result<Trainable> {
    config.check()?;
    check_tables(network, config)?;
    let config = &resolve(network, config);
    let matcher = Matcher::new("targetModules", &config.target_modules)?;
    let excluded = Matcher::new("excludeModules", &config.exclude_modules)?;
    let layers = network.num_layers();
    if let Some(layer) = config
        .layers_to_transform
        .iter()
        .flatten()
        .find(|layer| **layer >= layers)
    {
        let reason = format!("this model has layers 0 to {}, got {layer}", layers - 1);
        return Err(Error::option("layersToTransform", reason));
    }
    let mut others = Vec::new();
    let mut targets = BTreeSet::new();
    for (name, linear) in network.linears_mut() {
        let whole = matches!(&config.target_modules, TargetModules::Suffixes(names) if names.contains(&name));
        let named = (whole || config.in_layers(layer_of(&name))) && matcher.matches(&name);
        if named && !excluded.matches(&name) {
            linear.delta = Some(fresh(linear, config, &name, seed));
            targets.insert(name);
        } else {
            others.push(name);
        }
    }
    if targets.is_empty() {
        return Err(Error::option(
            "targetModules",
            format!(
                "no linear layer matches; the layers are: {}",
                others.join(", ")
            ),
        ));
    }
    let biases = |path: &str| match config.bias {
        Bias::None => false,
        Bias::All => path.ends_with(".bias") && network.reads(path),
        Bias::LoraOnly => path
            .strip_suffix(".bias")
            .is_some_and(|module| targets.contains(&network.module_name(module))),
    };
    Ok(Trainable::of(network, |path| {
        network.is_head(path) || is_delta(path) || biases(path)
    }))
}

/// Numbers that the settings would train in layers of those names and shapes, `[in, out]`, biases left out.
///
/// # Errors
/// As [`attach`] for the settings themselves.
pub fn trained_numbers(
    config: &LoraConfig,
    layers: impl IntoIterator<Item = (String, [usize; 2])>,
) -> Result<u64> {
    config.check()?;
    // a language model's default is every linear layer
    let every = match &config.target_modules {
        TargetModules::Default => true,
        TargetModules::Pattern(word) => word == ALL_LINEAR,
        TargetModules::Suffixes(_) => false,
    };
    let matcher = Matcher::new("targetModules", &config.target_modules)?;
    let excluded = Matcher::new("excludeModules", &config.exclude_modules)?;
    let targets = layers.into_iter().filter(|(name, _)| {
        let named = config.in_layers(layer_of(name)) && (every || matcher.matches(name));
        named && !excluded.matches(name)
    });
    let numbers = targets.map(|(name, [input, output])| {
        let [input, output, rank] = [input, output, config.rank_of(&name)].map(|n| n as u64);
        let magnitude = if config.use_dora { output } else { 0 };
        let delta = input.saturating_add(output).saturating_mul(rank);
        delta.saturating_add(magnitude)
    });
    Ok(numbers.fold(0, u64::saturating_add))
}

/// A delta that changes nothing yet.
fn fresh(linear: &Linear, config: &LoraConfig, name: &str, seed: u64) -> Lora {
    let [input, output] = linear.shape();
    let r = config.rank_of(name);
    let mut rng = Rng::stream(seed, &format!("init/{name}"));
    let mut draw = || match config.init_lora_weights {
        InitLoraWeights::Gaussian => rng.normal() / r as f64,
        InitLoraWeights::Kaiming | InitLoraWeights::Pissa => {
            let bound = 1.0 / (input as f64).sqrt();
            (2.0 * rng.uniform() - 1.0) * bound
        }
    };
    let a = (0..input * r).map(|_| draw() as f32).collect::<Vec<_>>();
    let device = linear.weight.val().device();
    let mut delta = Lora {
        lora_a: frozen(Tensor::from_data(TensorData::new(a, [input, r]), &device)),
        lora_b: frozen(Tensor::zeros([r, output], &device)),
        magnitude: None,
        scaling: config.scaling_of(name),
        dropout: Dropout::new(config.lora_dropout),
    };
    if config.use_dora {
        delta.magnitude = Some(frozen(delta.norm(&linear.weight())));
    }
    delta
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(targets: TargetModules, name: &str) -> bool {
        Matcher::new("t", &targets).unwrap().matches(name)
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
        assert!(Matcher::new("t", &TargetModules::Pattern("(".into())).is_err());
    }
}
