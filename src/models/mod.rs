//! Enters: configuration and checkpoint. Leaves: a frozen model on a device, one readable file per family.

pub mod bert;
pub mod config;
pub mod encoder;
pub mod heads;
pub mod load;
pub mod names;
pub mod network;
pub mod random;

pub use config::EncoderConfig;
pub use encoder::Encoder;
pub use heads::{Classifier, Head, HeadKind, Inputs};
pub use load::Loader;
pub use network::Network;
