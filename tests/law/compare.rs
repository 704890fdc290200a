//! What is wrong with an archive, or differs from what it is to be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::AtomicUsize;

use diurnal::error::Error;
use diurnal::store::{Archive, check_files};

use super::case::{Case, Partition};
use super::common::bytes_of;
use super::points::Point;
use crate::support::reader::expect_duckdb_reads_some;

/// Why a case fails, or only why a run came to no end.
pub enum Trouble {
    /// What diurnal says. A run that was killed may say anything.
    Said(String),
    /// Nothing excuses it.
    Broken(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Said(match error.advice() {
            Some(advice) => format!("{error} ({advice})"),
            None => error.to_string(),
        })
    }
}

pub fn broken<T>(problem: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble::Broken(problem.into()))
}

/// Archives that were compared.
static READ_BY_DUCKDB: AtomicUsize = AtomicUsize::new(0);

/// Compares an archive with one that got everything at once: bytes of files, what the ledger says, rejects.
pub fn compare(case: &Case, expected: &Path, found: &Path) -> Result<(), Trouble> {
    same_files(&bytes_of(expected), &bytes_of(found))?;
    expect_duckdb_reads_some(found, &READ_BY_DUCKDB);
    let (expected, found) = (Archive::read(expected)?, Archive::read(found)?);
    for archive in [&expected, &found] {
        nothing_found(archive)?;
        let staging = archive.dir().join("_diurnal/staging");
        if archive.pending().is_some() || std::fs::read_dir(staging).expect("a folder").next().is_some() {
            return broken("something is left in the staging folder");
        }
    }
    let points: BTreeSet<&Point> = case.given().flat_map(|message| &message.points).collect();
    let counted = [&expected, &found].map(|archive| archive.state().totals.points);
    if counted != [points.len() as u64; 2] {
        return broken(format!("{} points were counted as {counted:?}", points.len()));
    }
    if rejects(expected.dir()) != rejects(found.dir()) {
        return broken("the rejects on record differ");
    }
    for Partition {
        topic,
        number,
        log,
        end,
        ..
    } in &case.partitions
    {
        let mut known = found.state().sources.values();
        let next = known.find(|range| (range.topic.as_str(), range.partition) == (topic, *number));
        if !log.is_empty() && next.map(|range| range.next) != Some(*end) {
            return broken(format!("{topic}[{number}] ends at {end}, not at {next:?}"));
        }
    }
    Ok(())
}

/// All files of an archive are as its ledger says.
pub fn nothing_found(archive: &Archive) -> Result<(), Trouble> {
    match check_files(archive).first() {
        None => Ok(()),
        Some(finding) => broken(format!("{}: {}", finding.object, finding.problem)),
    }
}

fn same_files(expected: &BTreeMap<String, Vec<u8>>, found: &BTreeMap<String, Vec<u8>>) -> Result<(), Trouble> {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    if names(expected) != names(found) {
        return broken(format!(
            "the files are {:?} instead of {:?}",
            names(found),
            names(expected)
        ));
    }
    match expected.iter().find(|(name, bytes)| found[*name] != **bytes) {
        None => Ok(()),
        Some((name, bytes)) => {
            let text = |bytes: &[u8]| match name.ends_with("parquet") {
                true => format!("{} bytes", bytes.len()),
                false => String::from_utf8_lossy(bytes).into_owned(),
            };
            broken(format!(
                "{name} differs, found\n{}\ninstead of\n{}",
                text(&found[name]),
                text(bytes)
            ))
        }
    }
}

/// Every line of an archive's reject files, in no order.
fn rejects(archive: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(archive.join("_diurnal/rejects")).expect("a folder") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("rejects");
        lines.extend(text.lines().map(str::to_owned));
    }
    lines.sort_unstable();
    lines
}
