//! `diurnal verify`: is everything as the ledger says, and as the law demands?

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use super::day_file::{DayContext, read_day};
use crate::calendar::{Day, Zone};
use crate::console::Console;
use crate::encode::{CsvDayWriter, ENCODER_VERSION, LeafEncoder, LeafRows};
use crate::error::{Error, Result};
use crate::format::Formats;
use crate::order::{LeafSize, row_order};
use crate::report::{counted, escaped};
use crate::store::record::DayEntry;
use crate::store::{Archive, Finding, check_files, paths};
use crate::table::schema::MeasurementSchema;
use crate::table::schema_file;

/// What `diurnal verify --json` prints.
#[derive(Serialize)]
struct VerifyReport {
    command: &'static str,
    outcome: &'static str,
    exit_code: u8,
    days: usize,
    rows: u64,
    commits: u64,
    /// Whether a run made commits while the archive was looked at.
    #[serde(skip)]
    moved_on: bool,
    findings: Vec<Finding>,
}

/// What to do about a day whose rows are wrong.
const RESTORE: &str = "restore the file from a backup, or move the day away and archive it again from its source";

/// Looks again at most this often when a run makes commits meanwhile.
const LOOKS: usize = 5;

pub(super) fn run(console: Console, folder: &Path) -> Result<u8> {
    let mut report = look(console, folder)?;
    for _ in 1..LOOKS {
        // What a run replaced while it was looked at is no fault of the archive's.
        if report.findings.is_empty() || !report.moved_on {
            break;
        }
        report = look(console, folder)?;
    }
    if console.json {
        console.print_json(&report);
    } else {
        say(console, &report);
    }
    Ok(report.exit_code)
}

fn look(console: Console, folder: &Path) -> Result<VerifyReport> {
    let archive = Archive::read(folder)?;
    let progress = console.progress();
    let hashing = progress.wait("checking the hashes of all files");
    let mut findings = check_files(&archive);
    drop(hashing);
    // Rows of a file whose bytes are wrong already would only repeat that.
    let broken: Vec<String> = findings.iter().map(|finding| finding.object.clone()).collect();
    let state = archive.state();
    let schemas = read_schemas(&archive, &mut findings);
    let zone: Zone = archive.settings().timezone.parse()?;
    let context = DayContext {
        locate: &|target| archive.locate(target),
        zone,
        time_unit: archive.settings().time_unit,
        formats: archive.settings().formats,
        leaf_size: LeafSize::default(),
        // It only reads.
        memory: 0,
        work: None,
    };
    // Of days that were pruned nothing is left to check.
    let days: Vec<&DayEntry> = state.days.values().filter(|day| day.has_file()).collect();
    let checking = progress.rows("checking rows", days.iter().map(|day| day.rows).sum());
    let in_rows: Vec<Finding> = days
        .par_iter()
        .filter(|entry| !entry.paths().any(|path| broken.iter().any(|object| object == path)))
        .flat_map_iter(|entry| match schemas.get(&entry.measurement) {
            Some(schema) => {
                let found = check_rows(context, schema, entry);
                entry.paths().for_each(|path| archive.release(path));
                checking.add(entry.rows);
                found.unwrap_or_else(|error| {
                    let advice = error.advice().unwrap_or(RESTORE).to_owned();
                    vec![finding(entry, error.to_string(), &advice)]
                })
            }
            None => vec![finding(
                entry,
                format!("{} has no schema on record", entry.measurement),
                "restore _diurnal/schema from a backup",
            )],
        })
        .collect();
    drop(checking);
    findings.extend(in_rows);
    findings.sort_by(|a, b| a.object.cmp(&b.object));
    Ok(VerifyReport {
        command: "verify",
        outcome: if findings.is_empty() { "done" } else { "failed" },
        exit_code: u8::from(!findings.is_empty()),
        days: days.len(),
        rows: days.iter().map(|day| day.rows).sum(),
        commits: state.commits,
        moved_on: archive.has_moved_on()?,
        findings,
    })
}

fn say(console: Console, report: &VerifyReport) {
    for finding in &report.findings {
        console.error(&Error::new(escaped(&finding.object), escaped(&finding.problem)).hint(&finding.advice));
    }
    let checked = format!(
        "{} with {} and {} checked",
        counted(report.days as u64, "day file"),
        counted(report.rows, "row"),
        counted(report.commits, "commit")
    );
    match report.findings.len() {
        0 => console.note(format_args!(
            "{checked}: all is as recorded, in order, and both formats agree"
        )),
        found => console.always(format_args!("{checked}: {}", counted(found as u64, "problem"))),
    }
}

fn finding(entry: &DayEntry, problem: String, advice: &str) -> Finding {
    Finding {
        object: entry.paths().next().unwrap_or(&entry.measurement).to_owned(),
        problem,
        advice: advice.to_owned(),
    }
}

/// The archive's schemas; a file that can't be read is a finding, and its measurement's rows are not checked.
fn read_schemas(archive: &Archive, findings: &mut Vec<Finding>) -> BTreeMap<String, MeasurementSchema> {
    let prefix = format!("{}/schema/", paths::PRIVATE);
    let mut schemas = BTreeMap::new();
    for entry in archive
        .state()
        .files
        .values()
        .filter(|entry| entry.path.starts_with(&prefix))
    {
        let read = archive.locate(&entry.path).and_then(|path| {
            let text = fs::read_to_string(&path).map_err(|error| Error::io(&path, "read it", &error))?;
            schema_file::parse(&text, &path)
        });
        match read {
            Ok(schema) => {
                schemas.insert(schema.measurement.clone(), schema);
            }
            Err(error) if !findings.iter().any(|finding| finding.object == entry.path) => findings.push(Finding {
                object: entry.path.clone(),
                problem: error.to_string(),
                advice: "restore the file from a backup".to_owned(),
            }),
            Err(_) => {}
        }
    }
    schemas
}

/// Order, day, counts and, where there are both formats, that they hold the same rows.
fn check_rows(context: DayContext<'_>, schema: &MeasurementSchema, entry: &DayEntry) -> Result<Vec<Finding>> {
    let leaves = read_day(context, schema, entry)?;
    let mut problems = Vec::new();
    let rows: u64 = leaves.iter().map(|leaf| leaf.times.len() as u64).sum();
    if rows != entry.rows {
        problems.push(format!("holds {rows} rows, the ledger says {}", entry.rows));
    }
    let day: Day = entry.day.parse()?;
    let (first, end) = context.zone.bounds(day);
    let strangers = leaves
        .iter()
        .flat_map(|leaf| &leaf.times)
        .filter(|time| !(first..end).contains(&i128::from(**time)));
    let strangers = strangers.count();
    if strangers > 0 {
        problems.push(format!("holds {strangers} rows that are not of this day"));
    }
    let disorder = row_order(&leaves);
    if disorder > 0 {
        problems.push(format!(
            "has {disorder} rows that are not in the order of time and tags"
        ));
    }
    if entry.parquet.is_some()
        && entry.csv.is_some()
        && entry.encoder == ENCODER_VERSION
        && !csv_agrees(entry, &leaves)?
    {
        problems.push("CSV and Parquet do not hold the same rows".to_owned());
    }
    Ok(problems
        .into_iter()
        .map(|problem| finding(entry, problem, RESTORE))
        .collect())
}

/// Whether the Parquet file's rows, written as CSV, are what the ledger says of the CSV file (whose bytes were checked against it).
fn csv_agrees(entry: &DayEntry, leaves: &[LeafRows]) -> Result<bool> {
    let (Some(csv), Some(first)) = (&entry.csv, leaves.first()) else {
        return Ok(true);
    };
    let path = Path::new(&csv.path);
    let only_csv = Formats {
        parquet: false,
        csv: true,
    };
    let encoder = LeafEncoder::new(first.schema.clone(), only_csv)?;
    let mut again = CsvDayWriter::new(std::io::sink(), path, &first.schema)?;
    for (index, leaf) in leaves.iter().enumerate() {
        if let Some(text) = encoder.encode(index, leaf)?.csv {
            again.append(&text)?;
        }
    }
    let again = again.finish()?;
    let recorded = entry.leaves.iter().filter_map(|leaf| leaf.csv.as_ref());
    Ok(again.bytes == csv.bytes && again.rest == csv.rest && again.pieces.iter().eq(recorded))
}
