//! An archive that gets its lines bit by bit, by the side of fresh archives of the same lines.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use diurnal::commands::{Archiver, LeafCounts};
use diurnal::console::Console;
use diurnal::encode::ParquetDay;
use diurnal::error::Error;
use diurnal::format::Formats;
use diurnal::order::LeafSize;
use diurnal::source::Origin;
use diurnal::store::Archive;
use diurnal::store::record::{DayEntry, Leaf};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use tempfile::TempDir;

use crate::law::{FIRST, SCHEMA, bytes_of, settings};
use crate::support::folder::in_memory;

/// A folder with archives, and the lines that they have so far.
pub struct World {
    folder: TempDir,
    schemas: PathBuf,
    formats: Formats,
    timezone: &'static str,
    leaf_size: LeafSize,
    /// How many fresh archives were made.
    made: usize,
    lines: String,
}

impl World {
    pub fn new(formats: Formats, timezone: &'static str, leaf_size: LeafSize) -> Self {
        let folder = in_memory();
        let schemas = folder.path().join("schemas");
        fs::create_dir(&schemas).expect("a folder");
        fs::write(schemas.join("declared.toml"), SCHEMA).expect("a schema");
        let mut world = Self {
            folder,
            schemas,
            formats,
            timezone,
            leaf_size,
            made: 0,
            lines: String::new(),
        };
        world.merge(&FIRST.concat()).expect("the first lines");
        world
    }

    /// The archive that gets its lines bit by bit.
    pub fn archive(&self) -> PathBuf {
        self.folder.path().join("late")
    }

    pub fn days(&self) -> BTreeMap<String, DayEntry> {
        let archive = Archive::read(&self.archive()).expect("an archive");
        let days = archive.state().days.values();
        days.map(|entry| (format!("{}/{}", entry.measurement, entry.day), entry.clone()))
            .collect()
    }

    /// Gives the archive more lines.
    pub fn merge(&mut self, lines: &str) -> Result<LeafCounts, Error> {
        self.lines.push_str(lines);
        self.commit(&self.archive(), lines)
    }

    pub fn commit(&self, archive: &Path, lines: &str) -> Result<LeafCounts, Error> {
        let settings = settings(archive, &self.schemas, self.formats, self.timezone);
        let mut archiver = Archiver::open("import", settings, Console::SILENT)?.with_leaf_size(self.leaf_size);
        let mut collector = archiver.collector();
        let origin = |at: usize| Origin::File {
            path: "test".into(),
            offset: at as u64,
        };
        collector.push(lines.as_bytes(), None, origin);
        archiver.commit(vec![collector.finish()], Vec::new(), Vec::new())?;
        let leaves = archiver.leaves();
        let report = archiver.finish();
        assert_eq!(report.rejected, 0, "{:?}", report.rejects);
        assert_eq!(report.lines, report.points + report.folded);
        Ok(leaves)
    }

    /// The files of a fresh archive of all lines so far. Types and names are settled in the same way by the first lines.
    pub fn fresh(&mut self) -> BTreeMap<String, Vec<u8>> {
        self.made += 1;
        let path = self.folder.path().join(format!("fresh-{}", self.made));
        self.commit(&path, &FIRST.concat()).expect("a fresh archive");
        self.commit(&path, &self.lines).expect("a fresh archive");
        let files = bytes_of(&path);
        fs::remove_dir_all(&path).expect("a folder that this test made");
        files
    }

    /// The columns of a day file, whichever format it has.
    pub fn columns(&self, entry: &DayEntry) -> String {
        let path = |path: &str| self.archive().join(path);
        match (&entry.parquet, &entry.csv) {
            (Some(file), _) => {
                let path = path(&file.path);
                let day = ParquetDay::open(fs::File::open(&path).expect("a file"), &path).expect("a day file");
                format!("{:?}", day.footer().schema())
            }
            (None, Some(csv)) => csv.rest.clone(),
            (None, None) => panic!("a day without files"),
        }
    }
}

/// Compares all files of two archives.
pub fn expect_equal(found: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) -> TestCaseResult {
    prop_assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in expected {
        prop_assert!(found[name] == *bytes, "{} differs", name);
    }
    Ok(())
}

/// What is the same of a leaf wherever it stands in a file.
fn content(leaf: &Leaf) -> (u64, i64, [Option<String>; 2]) {
    let hashes = [&leaf.parquet, &leaf.csv].map(|piece| piece.as_ref().map(|piece| piece.hash.clone()));
    (leaf.rows, leaf.first, hashes)
}

/// How many leaves a commit must have copied at least and at most, and how many it wrote, by the records before and after it: those
/// that are as before. But the leaves of one instant are merged together; and a leaf can be as before that lines came beside, which made
/// two leaves of its slice: one such leaf at most for each that is not as before. Where the day has other columns than before, no leaf
/// has the bytes it had, and the record does not tell which ones were kept.
pub fn expected_leaves(world: &World, before: &BTreeMap<String, (DayEntry, String)>) -> (u64, u64, u64) {
    let (mut least, mut most, mut all) = (0, 0, 0);
    for (day, entry) in world.days() {
        let old = before.get(&day);
        if old.is_some_and(|(old, _)| *old == entry) {
            continue;
        }
        let leaves = &entry.leaves;
        all += leaves.len();
        let Some((old, columns)) = old else {
            continue;
        };
        if *columns != world.columns(&entry) {
            most += old.leaves.len();
            continue;
        }
        let is_same = |leaf: &&Leaf| old.leaves.iter().any(|old| content(old) == content(leaf));
        let is_alone = |leaf: &&Leaf| leaves.iter().filter(|other| other.first == leaf.first).count() == 1;
        let same = leaves.iter().filter(is_same).count();
        let alone = leaves.iter().filter(is_same).filter(is_alone).count();
        most += same;
        least += alone.saturating_sub(leaves.len() - same);
    }
    (least as u64, most as u64, all as u64)
}
