//! Arguments -> exit code.

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use diurnal::cli::Cli;
use diurnal::commands;

/// Columns grow by the megabyte on every thread; the C library's allocator gives each of these pieces back to the kernel and
/// takes it again, which cost a fifth of the time that lines took to become columns (`benches/lineproto`). librdkafka's memory comes from
/// it too (feature `override`): each batch is decompressed into a piece of its own.
///
/// Without the kernel's huge pages (feature `no_thp`): a column that is only begun would take whole ones. An archive of 2M lines peaks at
/// 550 MiB without, at 680 MiB with them, and hourly runs take a sixth less processor time (`benches/archive`, `benches/month`).
#[cfg(feature = "allocator")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::understand(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(commands::not_understood(&error)),
    };
    // What went wrong was told when it happened. The run is over, whatever state it was in.
    let ended = panic::catch_unwind(AssertUnwindSafe(|| commands::run(cli)));
    ExitCode::from(ended.unwrap_or(1))
}
