//! Recoup: GPU deep-learning research for multimodal outcome prediction.
//!
//! The modules follow the data: recordings become a [`data`] cohort, fitted [`features`] scale it, [`models`] with a
//! leading replica axis are trained together in [`training`], judged by [`evaluation`] and recorded by [`tracking`].
//! An [`experiment`] file says what to run.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod base;
pub mod clinical;
pub mod cohort;
pub mod dataset;
pub mod deidentify;
pub mod evaluation;
pub mod experiment;
pub mod features;
pub mod figures;
pub mod launch;
pub mod models;
pub mod runs;
pub mod signal;
pub mod simulate;
pub mod tracking;
pub mod training;
