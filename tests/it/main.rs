//! The integration tests, one binary: a module per part of the crate.
#![allow(clippy::unwrap_used)]

mod allocation;
mod audit;
mod chance;
mod cli;
mod data;
mod evaluation;
mod experiment;
mod features;
mod fetch;
mod figures;
mod formats;
mod gradients;
mod layering;
mod models;
mod parity;
mod predictions;
mod runs;
mod spectra;
mod split;
mod tracking;
mod training;
mod transfer;
mod walkers;
