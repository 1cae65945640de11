//! What training and its methods must know of a network, the same for classifiers and language models.

use burn::module::Module;

use crate::layers::Linear;

/// A network with linear layers that have checkpoint names. Paths are those of the Rust modules, names those of Hugging Face's files.
pub trait Network: Module {
    /// Every linear layer below the head, by the name that PEFT gives it, bottom to top.
    fn linears_mut(&mut self) -> Vec<(String, &mut Linear)>;

    /// The modules, by the same names, that PEFT would put a delta on and that have no place for one here: tables of words and positions.
    fn tables(&self) -> Vec<String>;

    /// Transformer layers.
    fn num_layers(&self) -> usize;

    /// The module's or parameter's name in a checkpoint.
    fn module_name(&self, path: &str) -> String;

    /// Whether the output depends on a module or parameter of that path or name.
    fn reads(&self, path: &str) -> bool;

    /// Whether a path belongs to a part that every method trains.
    fn is_head(&self, path: &str) -> bool;

    /// The part of the network that a parameter belongs to.
    fn place(&self, path: &str) -> Place;

    /// The linear layers that LoRA changes if nothing else is asked for, by the ends of their names.
    fn default_targets(&self) -> &'static [&'static str];
}

/// The parts of a network from bottom to top, as discriminative rates and gradual unfreezing count them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Tables of words, positions and segments, and their norm.
    Embeddings,
    /// A transformer layer, counted from 0. The norm above all layers belongs to the last one.
    Layer(usize),
    /// A classifier's head and pooler, or the table of logits of a language model that has one of its own.
    Top,
}

/// The layer's number in a name such as `encoder.layer.3.output.dense`: its first part that is a number, as in PEFT.
pub fn layer_of(name: &str) -> Option<usize> {
    name.split('.').find_map(|part| part.parse().ok())
}
