//! Parts of the model family on their own.

mod decoder;
mod fusion;
mod modality_dropout;
mod support;
