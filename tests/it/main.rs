//! The integration tests, one binary: a module per part of the crate.
#![allow(clippy::unwrap_used)]

mod audit;
mod data;
mod evaluation;
mod fetch;
mod layering;
mod predictions;
mod split;
mod tracking;
mod training;
