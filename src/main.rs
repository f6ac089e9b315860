//! The `recoup` program: parse, call a command, turn an error into one message and an exit code.

mod cli;
mod commands;

use std::process::ExitCode;

use clap::Parser;
use recoup::base::error::DataError;
use recoup::cohort::audit::AuditError;
use recoup::cohort::split::SplitError;
use recoup::dataset::fetch::FetchError;
use recoup::evaluation::EvaluationError;
use recoup::experiment::ExperimentError;
use recoup::launch::memory::MemoryError;
use recoup::launch::{DeviceError, LaunchError};
use recoup::runs::RunError;
use recoup::training::trainer::TrainError;

/// A training step frees and takes the same tensors as the step before; glibc returns them to the system in between, and
/// costs a page fault per 4 KiB. This one keeps them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FAILED: u8 = 1;
const BAD_INPUT: u8 = 2;
/// `EX_TEMPFAIL` of sysexits: try again, with `--resume`.
const INTERRUPTED: u8 = 75;

fn main() -> ExitCode {
    match commands::run(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Each error is whole in its own message; a chain would repeat the sources that messages quote.
            eprintln!("error: {}", commands::shown(&error));
            ExitCode::from(exit_code(&error))
        }
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    if let Some(LaunchError::Train(TrainError::Interrupted)) = error.downcast_ref() {
        return INTERRUPTED;
    }
    let bad_input = matches!(
        error.downcast_ref(),
        Some(LaunchError::Precision { .. } | LaunchError::Memory(_))
    ) || error.is::<ExperimentError>()
        || error.is::<DataError>()
        || error.is::<SplitError>()
        || error.is::<AuditError>()
        || error.is::<EvaluationError>()
        || error.is::<DeviceError>()
        || error.is::<MemoryError>()
        || error.is::<commands::Usage>()
        || matches!(error.downcast_ref(), Some(RunError::NotARun { .. }))
        || matches!(
            error.downcast_ref(),
            Some(FetchError::Plan { .. } | FetchError::List { .. })
        );
    if bad_input { BAD_INPUT } else { FAILED }
}
