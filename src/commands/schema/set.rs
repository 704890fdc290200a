//! `diurnal schema set`: a field gets another type, in every day file that has it, or in none.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::super::day_file::DayContext;
use super::super::prune::kept_formats;
use super::super::small_files::{load_schemas, stage_schema};
use super::names;
use super::rewrite::{Change, rewrite_day};
use crate::calendar::Zone;
use crate::cli::SchemaSetArgs;
use crate::console::Console;
use crate::error::{Error, Result};
use crate::order::LeafSize;
use crate::report::{counted, escaped};
use crate::store::disk::{Disk, RealDisk};
use crate::store::record::{Commit, DayEntry, DayFileEntry};
use crate::store::{Archive, Requested, Store};
use crate::table::schema::ColumnType;

/// A change of a field's type that was asked for.
#[derive(Clone, Copy, Debug)]
pub struct TypeChange<'a> {
    /// `MEASUREMENT.COLUMN`, or the column's name alone.
    pub column: &'a str,
    /// The measurement, where `column` does not name it.
    pub measurement: Option<&'a str>,
    /// The type that the column gets.
    pub ty: ColumnType,
    /// Whether all is done but writing.
    pub dry_run: bool,
    /// The default, but for tests: that with which the archive was made.
    #[doc(hidden)]
    pub leaf_size: LeafSize,
}

/// What `diurnal schema set --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct SetReport {
    command: &'static str,
    outcome: &'static str,
    exit_code: u8,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    measurement: String,
    column: String,
    from: ColumnType,
    to: ColumnType,
    days: Vec<SetDay>,
    elapsed_s: f64,
}

/// A day whose files are other ones now.
#[derive(Clone, Debug, Serialize)]
struct SetDay {
    measurement: String,
    day: String,
    rows: u64,
    /// Paths relative to the archive.
    parquet: Option<String>,
    csv: Option<String>,
}

pub(super) fn set(console: Console, folder: &Path, args: &SchemaSetArgs) -> Result<u8> {
    let change = TypeChange {
        column: &args.column,
        measurement: args.measurement.as_deref(),
        ty: args.ty,
        dry_run: args.dry_run,
        leaf_size: LeafSize::default(),
    };
    let report = change.make(console, folder)?;
    if console.json {
        console.print_json(&report);
    } else {
        console.note(text(&report));
    }
    Ok(0)
}

impl TypeChange<'_> {
    /// Makes the change in the archive in `folder`, as one commit: the schema file, and the files of the days that have the column.
    ///
    /// # Errors
    /// No such field, or a tag (wrong usage); the first value that does not fit: then nothing is changed; another run holds the
    /// archive; files that are not as the ledger says; a disk that can't be written.
    pub fn make(&self, console: Console, folder: &Path) -> Result<SetReport> {
        self.make_on(Arc::new(RealDisk), console, folder)
    }

    /// [`TypeChange::make`] on any disk, so that a test can have it die or fail at any of its operations.
    pub(crate) fn make_on(&self, disk: Arc<dyn Disk>, console: Console, folder: &Path) -> Result<SetReport> {
        let started = Instant::now();
        // There has to be one: this makes none.
        Archive::read_on(Arc::clone(&disk), folder)?;
        let store = match self.dry_run {
            true => Store::dry_run(folder, &Requested::default())?,
            false => Store::open_on(disk, folder, &Requested::default())?,
        };
        store.expect_more(false);
        let made = self.make_in(&store, console);
        let moved_on = || {
            Error::new(
                folder.display(),
                "another run made commits while this dry run looked at it",
            )
            .hint("try again")
        };
        let mut report = match made {
            // What another run did meanwhile is no damage.
            Err(_) if store.has_moved_on()? => return Err(moved_on()),
            made => made?,
        };
        if store.has_moved_on().unwrap_or(false) {
            console.warning(&moved_on());
        }
        report.elapsed_s = started.elapsed().as_secs_f64();
        Ok(report)
    }

    fn make_in(&self, store: &Store, console: Console) -> Result<SetReport> {
        let state = store.state();
        let schemas = load_schemas(&state, &|target| store.path(target))?;
        let (schema, number) = names::field(&schemas, self.measurement, self.column)?;
        let change = Change::new(schema, number, self.ty);
        let mut report = SetReport {
            command: "schema set",
            outcome: "done",
            exit_code: 0,
            dry_run: self.dry_run,
            measurement: schema.measurement.clone(),
            column: change.column().name.clone(),
            from: change.column().ty,
            to: self.ty,
            days: Vec::new(),
            elapsed_s: 0.0,
        };
        if report.from == report.to {
            return Ok(report);
        }
        let settings = store.settings();
        let zone: Zone = settings.timezone.parse()?;
        let staging = store.begin("schema")?;
        let mut days = Vec::new();
        let of_measurement = |day: &&DayEntry| day.measurement == schema.measurement && day.has_file();
        for entry in state.days.values().filter(of_measurement) {
            let context = DayContext {
                locate: &|target| store.path(target),
                zone,
                time_unit: settings.time_unit,
                formats: kept_formats(settings.formats, Some(entry)),
                leaf_size: self.leaf_size,
                // Leaves are taken a few at a time.
                memory: 0,
                work: None,
            };
            if let Some(day) = rewrite_day(context, &staging, &change, entry)? {
                console.detail(format_args!("{} {}: rewritten", escaped(&day.measurement), day.day));
                days.push(day);
            }
        }
        let file = stage_schema(&staging, &change.after)?;
        report.days = days.iter().map(SetDay::from).collect();
        let commit = Commit {
            id: staging.id(),
            command: "schema".to_owned(),
            days,
            files: vec![file],
            ..Commit::default()
        };
        staging.commit(commit)?;
        Ok(report)
    }
}

impl From<&DayEntry> for SetDay {
    fn from(entry: &DayEntry) -> Self {
        let path = |file: &Option<DayFileEntry>| file.as_ref().map(|file| file.path.clone());
        Self {
            measurement: entry.measurement.clone(),
            day: entry.day.clone(),
            rows: entry.rows,
            parquet: path(&entry.parquet),
            csv: path(&entry.csv),
        }
    }
}

fn text(report: &SetReport) -> String {
    let column = escaped(&format!("{}.{}", report.measurement, report.column));
    let (from, to) = (report.from, report.to);
    if from == to {
        return format!("{column} is {to} already: nothing to do");
    }
    let begins = match report.dry_run {
        true => "dry run, nothing was written: ",
        false => "",
    };
    let rows: u64 = report.days.iter().map(|day| day.rows).sum();
    let (days, would) = (
        counted(report.days.len() as u64, "day"),
        if report.dry_run { "would be" } else { "are" },
    );
    format!(
        "{begins}{column}: {from} -> {to}; the files of {days} with {} {would} written anew",
        counted(rows, "row")
    )
}
