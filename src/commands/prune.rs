//! `diurnal prune`: removes old files on the ledger's record, so that `verify` knows that they are meant to be gone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, UNIX_EPOCH};

use serde::Serialize;

use super::stored_rejects;
use crate::calendar::{Day, Zone};
use crate::cli::PruneArgs;
use crate::console::Console;
use crate::error::{Error, Result};
use crate::format::Formats;
use crate::report::{bytes, columns_of, counted, escaped, grouped, table_within};
use crate::settings::PruneSettings;
use crate::store::disk::{Disk, RealDisk};
use crate::store::record::{Commit, DayEntry, DayFileEntry};
use crate::store::{Archive, Requested, State, Store};
use crate::table::PrunedDays;

/// Days that the summary lists; the rest is counted.
const SHOWN_DAYS: usize = 20;

/// What `diurnal prune --json` prints.
#[derive(Serialize)]
struct PruneReport {
    command: &'static str,
    outcome: &'static str,
    exit_code: u8,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    files: usize,
    bytes: u64,
    days: Vec<PrunedDay>,
    rejects: Vec<String>,
    elapsed_s: f64,
}

/// A day that loses files.
#[derive(Serialize)]
struct PrunedDay {
    measurement: String,
    day: String,
    rows: u64,
    /// Paths relative to the archive.
    removed: Vec<String>,
    /// Whether none is left: late lines for it are rejects from now on.
    gone: bool,
}

/// What is old enough to go.
#[derive(Default)]
pub(super) struct Plan {
    /// The days' entries as they will be.
    entries: Vec<DayEntry>,
    days: Vec<PrunedDay>,
    rejects: Vec<String>,
    bytes: u64,
}

pub(super) fn run(console: Console, folder: &Path, args: &PruneArgs) -> Result<u8> {
    let started = Instant::now();
    let settings = PruneSettings::new(args, super::now())?;
    // There has to be one: pruning makes none.
    let archive = Archive::read(folder)?;
    let plan = match args.dry_run {
        true => Plan::new(
            archive.state(),
            &archive.settings().timezone,
            &|target| archive.locate(target),
            &settings,
        )?,
        false => remove(Arc::new(RealDisk), folder, &settings)?,
    };
    let removed = plan.days.iter().map(|day| day.removed.len()).sum::<usize>();
    let report = PruneReport {
        command: "prune",
        outcome: "done",
        exit_code: 0,
        dry_run: args.dry_run,
        files: removed + plan.rejects.len(),
        bytes: plan.bytes,
        days: plan.days,
        rejects: plan.rejects,
        elapsed_s: started.elapsed().as_secs_f64(),
    };
    if console.json {
        console.print_json(&report);
    } else {
        console.note(text(&report, columns_of(std::io::stderr())).trim_end());
    }
    Ok(0)
}

/// One commit: what is to go is on record first, then it goes. A run that is killed in between is completed by the next one.
pub(super) fn remove(disk: Arc<dyn Disk>, folder: &Path, settings: &PruneSettings) -> Result<Plan> {
    let store = Store::open_on(disk, folder, &Requested::default())?;
    let timezone = &store.settings().timezone;
    let plan = Plan::new(&store.state(), timezone, &|target| store.path(target), settings)?;
    if plan.entries.is_empty() && plan.rejects.is_empty() {
        return Ok(plan);
    }
    let staging = store.begin("prune")?;
    let of_days = plan.days.iter().flat_map(|day| &day.removed);
    let removed: Vec<String> = of_days.chain(&plan.rejects).cloned().collect();
    for path in &removed {
        staging.remove(path)?;
    }
    let commit = Commit {
        id: staging.id(),
        command: "prune".to_owned(),
        days: plan.entries.clone(),
        removed,
        ..Commit::default()
    };
    staging.commit(commit)?;
    Ok(plan)
}

impl Plan {
    fn new(
        state: &State,
        timezone: &str,
        locate: &dyn Fn(&str) -> Result<PathBuf>,
        settings: &PruneSettings,
    ) -> Result<Self> {
        let zone: Zone = timezone.parse()?;
        let mut plan = Self::default();
        for entry in state.days.values() {
            let day: Day = entry.day.parse()?;
            let (_, end) = zone.bounds(day);
            let is_old = |before: Option<i64>| before.is_some_and(|before| end <= i128::from(before));
            let mut left = entry.clone();
            let mut removed = Vec::new();
            if is_old(settings.parquet_before)
                && let Some(file) = left.parquet.take()
            {
                left.leaves.iter_mut().for_each(|leaf| leaf.parquet = None);
                plan.take(file, &mut removed);
            }
            if is_old(settings.csv_before)
                && let Some(file) = left.csv.take()
            {
                left.leaves.iter_mut().for_each(|leaf| leaf.csv = None);
                plan.take(file, &mut removed);
            }
            if removed.is_empty() {
                continue;
            }
            // Which file replaced which was told by the commit that did it.
            for file in [&mut left.parquet, &mut left.csv].into_iter().flatten() {
                file.replaced = None;
            }
            plan.days.push(PrunedDay {
                measurement: entry.measurement.clone(),
                day: entry.day.clone(),
                rows: entry.rows,
                removed,
                gone: !left.has_file(),
            });
            plan.entries.push(left);
        }
        let Some(before) = settings.rejects_before else {
            return Ok(plan);
        };
        for file in stored_rejects::files(state) {
            if written_at(&locate(&file.path)?)? <= i128::from(before) {
                plan.rejects.push(file.path.clone());
                plan.bytes += file.bytes;
            }
        }
        Ok(plan)
    }

    fn take(&mut self, file: DayFileEntry, removed: &mut Vec<String>) {
        self.bytes += file.bytes;
        removed.push(file.path);
    }
}

/// When a reject file was written: nothing changes one later, and `backup` keeps its time. Nanoseconds since 1970-01-01 UTC.
fn written_at(path: &Path) -> Result<i128> {
    let looked = std::fs::symlink_metadata(path).and_then(|found| found.modified());
    let time = looked.map_err(|error| Error::io(path, "look at it", &error))?;
    let nanos = |since: std::time::Duration| i128::try_from(since.as_nanos()).unwrap_or(i128::MAX);
    Ok(match time.duration_since(UNIX_EPOCH) {
        Ok(since) => nanos(since),
        Err(before) => -nanos(before.duration()),
    })
}

fn text(report: &PruneReport, width: Option<usize>) -> String {
    let mut text = match report.dry_run {
        true => "dry run, nothing was removed; this is what would go:\n".to_owned(),
        false => String::new(),
    };
    if report.files == 0 {
        return text + "nothing is old enough\n";
    }
    let gone = report.days.iter().filter(|day| day.gone).count();
    text += &format!(
        "{} with {}: {} and {}{}\n",
        counted(report.files as u64, "file"),
        bytes(report.bytes),
        counted((report.files - report.rejects.len()) as u64, "day file"),
        counted(report.rejects.len() as u64, "reject file"),
        match gone {
            0 => String::new(),
            days => format!(
                "; no file is left of {}, and late lines for such a day are rejects",
                counted(days as u64, "day")
            ),
        }
    );
    let rows: Vec<Vec<String>> = report
        .days
        .iter()
        .take(SHOWN_DAYS)
        .map(|day| {
            let formats: BTreeSet<&str> = day.removed.iter().filter_map(|path| path.rsplit('.').next()).collect();
            vec![
                escaped(&day.measurement),
                day.day.clone(),
                grouped(day.rows),
                formats.into_iter().collect::<Vec<_>>().join(", "),
            ]
        })
        .collect();
    if !rows.is_empty() {
        text += &table_within(
            width,
            &["measurement", "day", "rows", "removed"],
            &[false, false, true, false],
            &rows,
        );
    }
    if let Some(rest) = report.days.len().checked_sub(SHOWN_DAYS).filter(|rest| *rest > 0) {
        text += &format!("  ... and {rest} more days\n");
    }
    text
}

/// The formats that a day still has: what was pruned stays so when late lines come.
pub(crate) fn kept_formats(formats: Formats, before: Option<&DayEntry>) -> Formats {
    match before {
        None => formats,
        Some(before) => Formats {
            parquet: formats.parquet && before.parquet.is_some(),
            csv: formats.csv && before.csv.is_some(),
        },
    }
}

/// The times of the days of which no file is left.
pub(super) fn pruned_days(state: &State, zone: Zone) -> Result<PrunedDays> {
    let days = state.pruned_days().map(|entry| {
        let (first, end) = zone.bounds(entry.day.parse()?);
        Ok((entry.measurement.clone(), first..end))
    });
    Ok(PrunedDays::new(days.collect::<Result<Vec<_>>>()?))
}
