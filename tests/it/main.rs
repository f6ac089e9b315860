//! The integration tests, one binary: a module per part of the crate.
#![allow(clippy::unwrap_used)]

mod audit;
mod cli;
mod data;
mod evaluation;
mod fetch;
mod gradients;
mod layering;
mod parity;
mod predictions;
mod split;
mod tracking;
mod training;
