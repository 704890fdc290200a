//! Arguments -> exit code.

use std::process::ExitCode;

use clap::Parser as _;
use diurnal::cli::Cli;

/// Columns grow by the megabyte on every thread; the C library's allocator gives each of these pieces back to the kernel and
/// takes it again, which cost a fifth of the time that lines took to become columns (`benches/lineproto`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(diurnal::commands::run(Cli::parse()))
}
