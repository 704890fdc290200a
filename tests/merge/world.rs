//! Archives that are made apart inside of the test process, with ledgers as a test wants them.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser as _;
use diurnal::cli::Cli;
use diurnal::commands::{Archiver, LeafCounts, Merger};
use diurnal::console::Console;
use diurnal::error::Error;
use diurnal::format::Formats;
use diurnal::report::RunReport;
use diurnal::settings::MergeSettings;
use diurnal::source::{Origin, StopFlag};
use diurnal::store::record::SourceRange;
use diurnal::store::{Archive, State};
use tempfile::TempDir;

use crate::law::{LEAF_SIZE, SCHEMA, settings};
use crate::support::folder::in_memory;

pub const BOTH: Formats = Formats {
    parquet: true,
    csv: true,
};

/// A folder with archives.
pub struct World {
    folder: TempDir,
    formats: Formats,
    timezone: &'static str,
}

impl World {
    pub fn new(formats: Formats, timezone: &'static str) -> Self {
        let world = Self {
            folder: in_memory(),
            formats,
            timezone,
        };
        fs::create_dir(world.path("schemas")).expect("a folder");
        fs::write(world.path("schemas/declared.toml"), SCHEMA).expect("a schema");
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Gives an archive lines and offsets, as one run. Nothing may be rejected.
    pub fn archive(&self, name: &str, lines: &[impl AsRef<str>], sources: &[SourceRange]) {
        let settings = settings(&self.path(name), &self.path("schemas"), self.formats, self.timezone);
        let archiver = Archiver::open("archive", settings, Console::SILENT).expect("an archive");
        let mut archiver = archiver.with_leaf_size(LEAF_SIZE);
        let mut collector = archiver.collector();
        for line in lines {
            let origin = |at: usize| Origin::File {
                path: "test".into(),
                offset: at as u64,
            };
            collector.push(line.as_ref().as_bytes(), None, origin);
        }
        archiver
            .commit(vec![collector.finish()], sources.to_vec(), Vec::new())
            .expect("a commit");
        let report = archiver.finish();
        assert_eq!(report.rejected, 0, "{:?}", report.rejects);
    }

    pub fn merge(&self, into: &str, others: &[&str]) -> Result<(RunReport, LeafCounts), Error> {
        let settings = MergeSettings {
            archive: self.path(into),
            others: others.iter().map(|other| self.path(other)).collect(),
            accept_recreated: Vec::new(),
            dry_run: false,
        };
        let mut merger = Merger::open(settings, Console::SILENT)?.with_leaf_size(LEAF_SIZE);
        merger.merge(&StopFlag::new())?;
        let leaves = merger.leaves();
        let report = merger.finish();
        assert_eq!(report.lines, report.points + report.folded + report.rejected);
        Ok((report, leaves))
    }

    pub fn state(&self, name: &str) -> State {
        Archive::read(&self.path(name)).expect("an archive").state().clone()
    }

    /// Where the next run goes on with each partition.
    pub fn next(&self, name: &str) -> Vec<(String, i32, i64)> {
        let state = self.state(name);
        let sources = state.sources.values();
        sources
            .map(|range| (range.topic.clone(), range.partition, range.next))
            .collect()
    }

    pub fn verify(&self, name: &str) {
        let archive = self.path(name).display().to_string();
        let typed = ["diurnal", "verify", "-q", "--archive", &archive];
        assert_eq!(diurnal::commands::run(Cli::parse_from(typed)), 0, "{name}");
    }
}

/// Every file of an archive but its lock, with its bytes.
pub fn every_byte(archive: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![archive.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                // Who holds it, and when runs ended, says nothing about what they did.
                false if path.ends_with("lock") || path.ends_with("last-run.json") => {}
                false => found.push((path.clone(), fs::read(&path).expect("a file"))),
            }
        }
    }
    found.sort();
    found
}

/// Offsets of partition 0 of a topic, each of them a message.
pub fn range(first: i64, next: i64) -> SourceRange {
    SourceRange {
        cluster_id: "cluster".into(),
        topic_id: Some("id".into()),
        topic: "t".into(),
        partition: 0,
        first,
        next,
        messages: (next - first) as u64,
        gaps: 0,
        lost: 0,
        again: 0,
        last: None,
        epoch: None,
    }
}
