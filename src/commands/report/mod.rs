//! `diurnal report`: one page of what an archive holds, for people to look at.

mod fields;
mod ledger;
mod output;
mod read;
mod time;

use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use self::output::Output;
use super::small_files::load_schemas;
use crate::calendar::Zone;
use crate::cli::ReportArgs;
use crate::console::Console;
use crate::error::Result;
use crate::report::html::{Rendered, render};
use crate::report::{bytes, counted, grouped};
use crate::settings::report_times;
use crate::store::Archive;

/// Looks again at most this often when a run makes commits meanwhile.
const LOOKS: usize = 5;

/// What `diurnal report --json` prints.
#[derive(Serialize)]
struct ReportReport {
    command: &'static str,
    outcome: &'static str,
    exit_code: u8,
    path: String,
    bytes: u64,
    /// The time that it shows, RFC 3339; `None` where nothing was archived in it.
    from: Option<String>,
    until: Option<String>,
    plots: usize,
    series: u64,
    /// Series that there was no room for.
    left_out: u64,
    /// Values that were read for the plots.
    points: u64,
    /// Buckets that stand in the page for them.
    buckets: u64,
    missing: u64,
    elapsed_s: f64,
}

pub(super) fn run(console: Console, folder: &Path, args: &ReportArgs) -> Result<u8> {
    let started = Instant::now();
    let output = Output::new(folder, &args.output)?;
    let mut looks = 1;
    let (time, page) = loop {
        let archive = Archive::read(folder)?;
        match make(&archive, args) {
            // A run may have replaced a file since; what is still wrong without one is damage.
            Err(_) if looks < LOOKS && archive.has_moved_on()? => looks += 1,
            made => break made?,
        }
    };
    output.write(&page.html)?;
    let shown = !time.is_empty();
    let report = ReportReport {
        command: "report",
        outcome: "done",
        exit_code: 0,
        path: args.output.display().to_string(),
        bytes: page.html.len() as u64,
        from: shown.then(|| time::rfc3339(time.start)),
        until: shown.then(|| time::rfc3339(time.end)),
        plots: page.plots,
        series: page.series,
        left_out: page.left_out,
        points: page.values,
        buckets: page.buckets,
        missing: page.missing,
        elapsed_s: started.elapsed().as_secs_f64(),
    };
    match console.json {
        true => console.print_json(&report),
        false => console.note(said(&report)),
    }
    Ok(0)
}

/// The page of an archive as it is now, and the time that it shows.
fn make(archive: &Archive, args: &ReportArgs) -> Result<(Range<i64>, Rendered)> {
    let zone: Zone = archive.settings().timezone.parse()?;
    let schemas = load_schemas(archive.state(), &|target| archive.locate(target))?;
    let chosen = fields::chosen(&schemas, &args.fields)?;
    let asked = report_times(args, time::end_of(archive.state(), zone)?)?;
    let time = time::shown(archive.state(), zone, asked)?;
    let plots = read::plots(archive, &schemas, chosen.fields, &time, zone)?;
    let facts = ledger::facts(archive, &time, zone, chosen.notes)?;
    Ok((time.clone(), render(&facts, plots, &time, zone)))
}

fn said(report: &ReportReport) -> String {
    let (Some(from), Some(until)) = (&report.from, &report.until) else {
        return format!("{}: nothing was archived in this time", report.path);
    };
    let left_out = match report.left_out {
        0 => String::new(),
        series => format!(
            "\n{} series left out: a plot has room for the first by name",
            grouped(series)
        ),
    };
    format!(
        "{}: {} of {} from {} to {}, {}{left_out}",
        report.path,
        counted(report.plots as u64, "plot"),
        counted(report.points, "value"),
        minute(from),
        minute(until),
        bytes(report.bytes)
    )
}

/// A time without what nobody reads.
fn minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}
