//! Recoup: GPU deep-learning research for multimodal outcome prediction.
//!
//! The modules follow the data: recordings become a [`data`] cohort, fitted [`features`] scale it, [`models`] with a
//! leading replica axis are trained together in [`training`], judged by [`evaluation`] and recorded by [`tracking`].
//! An [`experiment`] file says what to run.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod data;
pub mod evaluation;
pub mod experiment;
pub mod features;
pub mod launch;
pub mod models;
pub mod runs;
pub mod tracking;
pub mod training;
