//! What `verify` can tell without decoding a row: files against the ledger, and the ledger against itself.

use std::collections::BTreeSet;
use std::io;

use rayon::prelude::*;

use super::archive::{Archive, Pending};
use super::disk::Kind;
use super::paths;
use super::record::{DayEntry, DayFileEntry};
use super::segments;
use super::state::{State, Target, targets_of_day};

/// Something in an archive that is not as its ledger says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// A path relative to the archive, or a commit.
    pub object: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to do about it.
    pub advice: String,
}

pub(super) const RESTORE: &str = "restore it from a backup, or archive the day again from Kafka into a new archive";
const FOREIGN: &str = "move it out of the archive; diurnal did not put it there";
const REPORT: &str = "do not trust the offsets around it; report this as a bug of diurnal with the ledger's line";

/// Compares every file of the archive with the ledger (presence, length, the hash of each leaf and of the rest), looks
/// for files that are on no record, and adds up the ledger's own numbers. Files that wait in the staging folder for the
/// next run count as in place. Rows are not decoded.
///
/// Findings are in no commit that came after [`Archive::read`]: with runs going on, ask [`Archive::has_moved_on`].
pub fn check_files(archive: &Archive) -> Vec<Finding> {
    let mut found = ledger_findings(archive);
    let state = archive.state();
    let days: Vec<&DayEntry> = state.days.values().collect();
    let of_days: Vec<Finding> = days
        .par_iter()
        .flat_map_iter(|day| record_findings(day).into_iter().chain(day_findings(archive, day)))
        .collect();
    found.extend(of_days);
    for file in state.files.values() {
        found.extend(target_findings(archive, &Target::File(file)));
    }
    found.extend(foreign_findings(archive, state));
    found
}

pub(super) fn finding(object: impl Into<String>, problem: impl Into<String>, advice: &str) -> Finding {
    Finding {
        object: object.into(),
        problem: problem.into(),
        advice: advice.to_string(),
    }
}

/// The chain of the ledger, and what does not balance in its commits.
fn ledger_findings(archive: &Archive) -> Vec<Finding> {
    let mut found = Vec::new();
    let read = archive.walk(|before, commit| {
        let object = format!("commit {}", commit.id);
        let problems = before.imbalances(commit).into_iter();
        found.extend(problems.map(|problem| finding(&object, problem, REPORT)));
        Ok(())
    });
    if let Err((segment, error)) = read {
        let object = format!("{}/{}", paths::PRIVATE, segments::name(segment));
        let advice = error.advice().unwrap_or(RESTORE);
        found.push(finding(object, error.to_string(), advice));
    }
    found
}

/// What a day's record says about itself.
fn record_findings(day: &DayEntry) -> Vec<Finding> {
    let mut found = Vec::new();
    let object = format!("record of {} on {}", day.measurement, day.day);
    let rows: u128 = day.leaves.iter().map(|leaf| u128::from(leaf.rows)).sum();
    if rows != u128::from(day.rows) {
        found.push(finding(
            &object,
            format!("{} rows, but its leaves have {rows}", day.rows),
            REPORT,
        ));
    }
    let ordered = day.leaves.iter().all(|leaf| leaf.first <= leaf.last)
        && day.leaves.windows(2).all(|pair| pair[0].last <= pair[1].first);
    if !ordered {
        found.push(finding(&object, "its leaves are not in the order of time", REPORT));
    }
    let ends = day.leaves.first().zip(day.leaves.last());
    if ends.is_some_and(|(first, last)| (first.first, last.last) != (day.first, day.last)) {
        found.push(finding(
            &object,
            "its first and last time are not those of its leaves",
            REPORT,
        ));
    }
    let misplaced = |file: &Option<DayFileEntry>, extension| {
        let place = paths::day_file(&day.measurement, &day.day, extension).ok();
        file.as_ref()
            .filter(|file| Some(&file.path) != place.as_ref())
            .map(|file| file.path.clone())
    };
    for path in [misplaced(&day.parquet, "parquet"), misplaced(&day.csv, "csv")]
        .into_iter()
        .flatten()
    {
        found.push(finding(
            &object,
            format!("its file is {path}, which is not its place"),
            REPORT,
        ));
    }
    found
}

fn day_findings(archive: &Archive, day: &DayEntry) -> Vec<Finding> {
    targets_of_day(day)
        .flat_map(|target| target_findings(archive, &target))
        .collect()
}

fn target_findings(archive: &Archive, target: &Target<'_>) -> Vec<Finding> {
    let problems = match archive.locate(target.path()) {
        Ok(path) => target.problems(&*archive.disk, &path),
        Err(error) => vec![error.to_string()],
    };
    archive.release(target.path());
    problems
        .into_iter()
        .map(|problem| finding(target.path(), problem, RESTORE))
        .collect()
}

/// Files that are on no record. Empty folders of measurements are none: a run that was stopped can leave one.
fn foreign_findings(archive: &Archive, state: &State) -> Vec<Finding> {
    let recorded: BTreeSet<&str> = state.paths().collect();
    let mut found = Vec::new();
    let mut present = Vec::new();
    match &archive.remote {
        Some(remote) => match remote.files() {
            Ok(files) => present.extend(files),
            Err(error) => found.push(finding(".", error.to_string(), error.advice().unwrap_or(RESTORE))),
        },
        None => present_files(archive, &mut found, &mut present),
    }
    let goes = |path: &str| match archive.pending() {
        Some(Pending::RollForward { removing, .. }) => removing.contains(path),
        _ => false,
    };
    for path in present {
        if !recorded.contains(path.as_str()) && !goes(&path) {
            found.push(finding(path, "is on no record", FOREIGN));
        }
    }
    found
}

/// Every file but those that belong to the ledger and what is staged.
fn present_files(archive: &Archive, found: &mut Vec<Finding>, present: &mut Vec<String>) {
    let paths_of = |entries: Vec<(String, Kind)>| entries.into_iter().map(|(path, _)| path);
    for (path, kind) in entries(archive, "", found) {
        match kind {
            Kind::Folder if path == paths::PRIVATE => {}
            Kind::Folder if paths::measurement_of(&path).is_some() => {
                present.extend(paths_of(entries(archive, &path, found)));
            }
            _ => present.push(path),
        }
    }
    for (path, kind) in entries(archive, paths::PRIVATE, found) {
        match (path.rsplit('/').next(), kind) {
            (Some("archive.toml" | "lock" | "last-run.json"), Kind::File) => {}
            (Some(name), Kind::File) if segments::number(name).is_some() => {}
            // What was staged is no damage: the next run moves or removes it.
            (Some("staging"), Kind::Folder) => {}
            (Some("schema" | "rejects"), Kind::Folder) => present.extend(paths_of(entries(archive, &path, found))),
            _ => present.push(path),
        }
    }
}

/// The entries of a folder, by path relative to the archive. One that cannot be looked at is a finding.
fn entries(archive: &Archive, folder: &str, found: &mut Vec<Finding>) -> Vec<(String, Kind)> {
    let path = archive.layout.target(folder);
    let names = archive.disk.list(&path).unwrap_or_else(|error| {
        found.push(finding(
            folder,
            format!("cannot be listed: {error}"),
            "check its permissions",
        ));
        Vec::new()
    });
    let mut entries = Vec::new();
    for name in names {
        let relative = match folder {
            "" => name.to_string_lossy().into_owned(),
            _ => format!("{folder}/{}", name.to_string_lossy()),
        };
        match archive.disk.metadata(&path.join(&name)) {
            Ok(entry) => entries.push((relative, entry.kind)),
            // Gone since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => found.push(finding(
                relative,
                format!("cannot be looked at: {error}"),
                "check its permissions",
            )),
        }
    }
    entries
}
