//! Arguments -> exit code.

use std::process::ExitCode;

use clap::Parser as _;
use diurnal::cli::Cli;

fn main() -> ExitCode {
    ExitCode::from(diurnal::commands::run(Cli::parse()))
}
