//! The `recoup` program: parse, call a command, turn an error into one message and an exit code.

mod cli;
mod commands;

use std::process::ExitCode;

use clap::Parser;
use recoup::base::Class;

/// A training step frees and takes the same tensors as the step before; glibc returns them to the system in between, and
/// costs a page fault per 4 KiB. This one keeps them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match commands::run(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Each error is whole in its own message; a chain would repeat the sources that messages quote.
            eprintln!("error: {}", commands::shown(&error));
            ExitCode::from(match error.class() {
                Class::Failure => 1,
                Class::Input => 2,
                // `EX_TEMPFAIL` of sysexits: try again, with `--resume`.
                Class::Interrupted => 75,
            })
        }
    }
}
