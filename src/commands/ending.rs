//! The end of a run, good or bad: its report, and the word left behind for monitoring.

use std::path::Path;
use std::time::{Duration, Instant};

use super::exit_code;
use crate::cli::MetricsArgs;
use crate::console::Console;
use crate::error::{Error, Kind, Result};
use crate::report::metrics::Metrics;
use crate::report::{Outcome, RunReport};
use crate::store::{RunNote, SourceKey, Store, failpoint};

/// A run that failed: why, and what it had done by then.
#[derive(Debug)]
pub struct FailedRun {
    error: Error,
    /// What was committed before stays, so its counts are in here. `None` where nothing was begun.
    report: Option<Box<RunReport>>,
}

impl FailedRun {
    /// Ends a report with an error.
    pub fn new(error: Error, report: RunReport, started: Instant) -> Self {
        Self {
            report: Some(Box::new(failed(report, &error, started.elapsed()))),
            error,
        }
    }

    /// Why it failed.
    pub fn into_error(self) -> Error {
        self.error
    }
}

impl From<Error> for FailedRun {
    fn from(error: Error) -> Self {
        Self { error, report: None }
    }
}

fn failed(mut report: RunReport, error: &Error, elapsed: Duration) -> RunReport {
    report.finish(Outcome::Failed, elapsed);
    report.exit_code = exit_code(error);
    report.errors.push(error.to_string());
    report
}

/// Where `--metrics-file` wants the figures of a run. A dry run leaves none.
///
/// # Errors
/// A name that makes no sense, wrong usage.
pub fn metrics_of(args: &MetricsArgs, archive: &Path, dry_run: bool) -> Result<Metrics> {
    match &args.metrics_file {
        Some(path) if super::is_inside(archive, path) || would_be_inside(archive, path) => Err(Error::usage(
            path.display(),
            "is inside of the archive, where everything is diurnal's own",
        )
        .hint("put it into the folder that node_exporter's --collector.textfile.directory names")),
        Some(path) if !dry_run => Metrics::to(path, archive),
        Some(_) | None => Ok(Metrics::nowhere()),
    }
}

/// The same of an archive that is not there yet.
fn would_be_inside(archive: &Path, path: &Path) -> bool {
    let (archive, path) = (std::path::absolute(archive), std::path::absolute(path));
    matches!((archive, path), (Ok(archive), Ok(path)) if path.starts_with(&archive))
}

/// Gives Prometheus the figures of a run that ended, well or not.
///
/// # Errors
/// That of the run.
pub fn told(
    console: Console,
    metrics: &Metrics,
    command: &'static str,
    ended: Result<RunReport, FailedRun>,
) -> Result<RunReport> {
    let (report, error) = match ended {
        Ok(report) => (report, None),
        Err(FailedRun { error, report }) => {
            let report = report.map_or_else(
                || failed(RunReport::new(command), &error, Duration::ZERO),
                |report| *report,
            );
            (report, Some(error))
        }
    };
    if let Err(error) = metrics.write(&report, failpoint::clock()) {
        console.warning(&match error.advice() {
            Some(_) => error,
            None => error.hint("the run itself is not concerned, nor is its exit code"),
        });
    }
    error.map_or(Ok(report), Err)
}

/// Leaves word in the archive how a run ended: of use to `status`, and to nothing else. `read` are partitions that were read to their end.
pub fn note(console: Console, store: &Store, report: &RunReport, read: impl IntoIterator<Item = SourceKey>) {
    let is_well = report.outcome.is_well();
    let note = RunNote {
        command: report.name(),
        outcome: report.outcome.as_str().to_owned(),
        exit_code: report.exit_code,
        is_well,
        read: read.into_iter().collect(),
    };
    if let Err(error) = store.note_run(note)
        // What made a run fail is likely to be in the way here too, and was said.
        && is_well
    {
        console.warning(
            &error.hint("what was archived is archived; only the ages that `diurnal status` shows are out of date"),
        );
    }
}

/// The same of a run that failed. One that met damage touches nothing.
pub fn note_failed(console: Console, store: &Store, failed: &FailedRun) {
    if let Some(report) = failed.report.as_deref()
        && failed.error.kind() != Kind::Damaged
    {
        note(console, store, report, []);
    }
}
