//! The deep family, written once with a leading replica axis.
//!
//! A [`Model`] is a list of streams (one encoder each, [`encoder`]), a fusion of their
//! embeddings ([`fusion`]) and a classification head. Models hold no weights: they hold a [`Layout`] and the ids of
//! their parameters in it, and a forward pass reads the weights of all R replicas from a [`Params`]. Every tensor in
//! this module has the replica axis first and the batch axis second; R = 1 is not a special case.

pub mod augment;
pub mod cnn;
mod cnn_lstm;
mod context;
pub mod decoder;
pub mod encode;
pub mod encoder;
pub mod fusion;
mod input;
pub mod layers;
mod limits;
pub mod lstm;
pub mod mlp;
pub mod modality_dropout;
mod network;
pub mod params;
mod spectrogram;

pub use augment::AugmentConfig;
pub use context::{Context, Draw, Mode};
pub use encoder::EncoderConfig;
pub use fusion::FusionConfig;
pub use input::{InputShape, StreamInput};
pub use limits::{MAX_LAYERS, MAX_WIDTH};
pub use network::{HeadConfig, Model, ModelConfig, ModelOutput, Scaling, StreamConfig};
pub use params::{BufferId, Init, Layout, LayoutBuilder, ParamId, ParamSpec, Params, matrix};
