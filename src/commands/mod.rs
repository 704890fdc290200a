//! One file a subcommand; each reads as its own table of contents.

pub(crate) mod archive;
mod archiver;
mod backup;
mod balance;
mod bugs;
mod commit_rows;
mod completions;
pub(crate) mod day_file;
mod demo;
mod details;
mod ending;
mod import;
mod man;
mod merge;
mod prune;
mod reject_kinds;
mod rejects;
mod report;
mod room;
mod schema;
mod small_files;
mod status;
mod stored_rejects;
#[cfg(test)]
mod tests;
mod usage;
mod verify;

pub use archiver::Archiver;
pub(crate) use commit_rows::{CommitRows, Commitment, MadeDays};
pub use day_file::LeafCounts;
pub use merge::Merger;
pub(crate) use prune::kept_formats;
pub use schema::TypeChange;
pub use usage::not_understood;

use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::cli::{Cli, Command};
use crate::console::Console;
use crate::error::{Error, Kind, Result};
use crate::report::{Outcome, RunReport};
use crate::source::StopFlag;
use crate::store::{failpoint, plain};

/// The archive's folder where neither `--archive` nor `DIURNAL_ARCHIVE` names one.
const DEFAULT_ARCHIVE: &str = "archive";

/// Runs a command and gives the process's exit code.
pub fn run(cli: Cli) -> u8 {
    let console = Console {
        json: cli.global.json,
        quiet: cli.global.quiet,
        verbose: cli.global.verbose,
        muted: false,
        log_format: cli.global.log_format,
    };
    console.show_details();
    bugs::are_told_by(console);
    bugs::on_demand();
    let name = name_of(&cli.command);
    let given = match cli.global.archive.as_deref().map(plain).transpose() {
        Ok(given) => given,
        Err(error) => return failed(console, name, &error),
    };
    let given = given.as_deref();
    let archive = given.unwrap_or(Path::new(DEFAULT_ARCHIVE));
    let ended = match &cli.command {
        Command::Archive(args) => archive::run(console, archive, args),
        Command::Import(args) => import::run(console, archive, args),
        Command::Verify => verify::run(console, archive),
        Command::Status(args) => status::run(console, archive, args),
        Command::Rejects(args) => rejects::run(console, archive, args),
        Command::Schema(args) => schema::run(console, archive, args),
        Command::Merge(args) => merge::run(console, archive, args),
        Command::Prune(args) => prune::run(console, archive, args),
        Command::Backup(args) => backup::run(console, archive, args),
        Command::Report(args) => report::run(console, archive, args),
        Command::Demo(args) => demo::run(console, given, args),
        Command::Completions(args) => completions::run(console, args),
        Command::Man(args) => man::run(console, args),
    };
    ended.unwrap_or_else(|error| failed(console, name, &error))
}

/// The name of a command, for its report.
fn name_of(command: &Command) -> &'static str {
    match command {
        Command::Archive(_) => "archive",
        Command::Import(_) => "import",
        Command::Verify => "verify",
        Command::Status(_) => "status",
        Command::Rejects(_) => "rejects",
        Command::Schema(_) => "schema",
        Command::Merge(_) => "merge",
        Command::Prune(_) => "prune",
        Command::Backup(_) => "backup",
        Command::Report(_) => "report",
        Command::Demo(_) => "demo",
        Command::Completions(_) => "completions",
        Command::Man(_) => "man",
    }
}

/// Says why a command failed; with `--json` as an object too, so that a program always gets one.
fn failed(console: Console, command: &'static str, error: &Error) -> u8 {
    console.error(error);
    exit_of(console, command, error)
}

/// The exit code of an error that was said already, and with `--json` the object.
fn exit_of(console: Console, command: &'static str, error: &Error) -> u8 {
    let exit_code = exit_code(error);
    if console.json {
        let report = RunReport {
            outcome: Outcome::Failed,
            exit_code,
            errors: vec![error.to_string()],
            ..RunReport::new(command)
        };
        console.print_json(&report);
    }
    exit_code
}

/// The exit code that an error ends the process with.
fn exit_code(error: &Error) -> u8 {
    match error.kind() {
        Kind::Failed | Kind::Damaged => 1,
        Kind::Usage => 2,
        Kind::Locked => 4,
    }
}

/// Stops at the next whole step on SIGINT or SIGTERM; a second signal ends the process at once, with nothing changed.
fn stop_on_signals() -> Result<StopFlag> {
    let stop = StopFlag::default();
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 1, stop.as_atomic())
            .and_then(|_| signal_hook::flag::register(signal, stop.as_atomic()))
            .map_err(|error| Error::new("signals", format_args!("cannot be listened to: {error}")))?;
    }
    Ok(stop)
}

/// Whether a path, which need not exist, lies in an archive's folder or is it. An archive that isn't there holds nothing.
fn is_inside(archive: &Path, path: &Path) -> bool {
    let Ok(archive) = archive.canonicalize() else {
        return false;
    };
    let Ok(path) = std::path::absolute(path) else {
        return false;
    };
    let there = path.ancestors().find_map(|above| above.canonicalize().ok());
    there.is_some_and(|there| there.starts_with(&archive))
}

/// Nanoseconds since 1970-01-01 UTC, by the machine's clock.
pub(crate) fn now() -> i64 {
    let since = failpoint::clock().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Makes rayon's threads as many as asked for. They sort and encode; the threads that read and parse are others.
fn set_worker_threads(threads: usize) {
    // It fails only where the pool is running already, as in a library's tests; then that one serves.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let _ = pool.thread_name(|number| format!("worker-{number}")).build_global();
}
