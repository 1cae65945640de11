//! Enters: configuration and checkpoint. Leaves: a frozen model on a device, one readable file per family.

pub mod bert;
pub mod config;
pub mod distilbert;
pub mod encoder;
pub mod family;
pub mod heads;
pub mod load;
pub mod modernbert;
pub mod names;
pub mod network;
pub mod pooler;
pub mod random;
pub mod roberta;

pub use config::EncoderConfig;
pub use encoder::Encoder;
pub use family::Family;
pub use heads::{Classifier, Head, HeadKind, Inputs};
pub use load::Loader;
pub use network::Network;
