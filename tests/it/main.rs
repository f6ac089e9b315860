//! The integration tests, one binary: a module per part of the crate.
#![allow(clippy::unwrap_used)]

#[path = "../../formats/tests/it/allocation.rs"]
mod allocation;
mod audit;
mod chance;
mod cli;
mod clinical;
mod data;
mod deidentify;
mod evaluation;
mod experiment;
mod features;
mod fetch;
mod figures;
mod gradients;
mod layering;
mod models;
#[path = "../../formats/tests/it/mutate.rs"]
mod mutate;
mod parity;
mod predictions;
mod runs;
mod spectra;
mod split;
mod tracking;
mod training;
mod transfer;
mod walkers;
mod walkthrough;
