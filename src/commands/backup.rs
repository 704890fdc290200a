//! `diurnal backup`: a copy that is a valid archive, made while runs go on.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use crate::cli::BackupArgs;
use crate::console::Console;
use crate::error::{Error, Result};
use crate::report::{bytes, counted, escaped};
use crate::store::{BackedUp, Backup, Copied, Finding, is_bucket};

/// What `diurnal backup --json` prints.
#[derive(Serialize)]
struct BackupReport {
    command: &'static str,
    outcome: &'static str,
    exit_code: u8,
    dest: String,
    commits: u64,
    days: usize,
    rows: u64,
    files: usize,
    bytes: u64,
    elapsed_s: f64,
    /// Why no copy was made.
    findings: Vec<Finding>,
}

pub(super) fn run(console: Console, archive: &Path, args: &BackupArgs) -> Result<u8> {
    let started = Instant::now();
    let stop = super::stop_on_signals()?;
    if is_bucket(&args.dest) {
        return Err(
            Error::usage(args.dest.display(), "a backup is a folder of this machine")
                .hint("a copy in a bucket is made by merging: `diurnal merge --archive s3://BUCKET/PREFIX ARCHIVE`"),
        );
    }
    let dest = resolved(archive, &args.dest)?;
    let (copied, findings) = match Backup::new(archive, &dest)?.make(|| stop.is_set())? {
        Copied::Whole(copied) => (copied, Vec::new()),
        Copied::Damaged(findings) => (BackedUp::default(), findings),
        Copied::Stopped => {
            return Err(Error::new("backup", "stopped by a signal; nothing is left of it").hint("run it again"));
        }
    };
    let damaged = !findings.is_empty();
    let report = BackupReport {
        command: "backup",
        outcome: if damaged { "failed" } else { "done" },
        exit_code: u8::from(damaged),
        dest: args.dest.display().to_string(),
        commits: copied.commits,
        days: copied.days,
        rows: copied.rows,
        files: copied.files,
        bytes: copied.bytes,
        elapsed_s: started.elapsed().as_secs_f64(),
        findings,
    };
    say(console, &report);
    Ok(report.exit_code)
}

/// The destination without links and dots on the way to it, so that one inside the archive is told.
fn resolved(archive: &Path, dest: &Path) -> Result<PathBuf> {
    let usage = |error: &std::io::Error| {
        Error::usage(
            dest.display(),
            format_args!("the folder that it would be in can't be found: {error}"),
        )
        .hint("make it first, or mount what should be there")
    };
    let resolved = match (dest.parent(), dest.file_name()) {
        (Some(above), Some(name)) => {
            let above = if above.as_os_str().is_empty() {
                Path::new(".")
            } else {
                above
            };
            above.canonicalize().map_err(|error| usage(&error))?.join(name)
        }
        _ => dest.canonicalize().map_err(|error| usage(&error))?,
    };
    if resolved.parent().is_some_and(|above| super::is_inside(archive, above)) {
        return Err(Error::usage(
            dest.display(),
            "is inside the archive, where everything is diurnal's own",
        )
        .hint("name a folder outside, best on another disk"));
    }
    Ok(resolved)
}

fn say(console: Console, report: &BackupReport) {
    for finding in &report.findings {
        console.error(&Error::new(escaped(&finding.object), escaped(&finding.problem)).hint(&finding.advice));
    }
    if console.json {
        console.print_json(report);
    } else if report.findings.is_empty() {
        console.note(format_args!(
            "{} with {} and {} copied to {}: {} in {:.2} s, each file checked against its hash on record",
            counted(report.days as u64, "day file"),
            counted(report.rows, "row"),
            counted(report.commits, "commit"),
            report.dest,
            bytes(report.bytes),
            report.elapsed_s
        ));
    } else {
        console.always(format_args!(
            "no backup was made: {}",
            counted(report.findings.len() as u64, "problem")
        ));
    }
}
