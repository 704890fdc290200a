//! Opening an archive in a bucket: its ledger is laid out in the mirror, and what the run before left is put right.

use std::fs;

use rayon::prelude::*;

use super::Remote;
use super::bucket::{Condition, Found, Put, Version};
use super::record::{self, Plan};
use crate::error::{Error, Result};
use crate::store::failpoint;
use crate::store::settings::{ArchiveSettings, Requested};
use crate::store::{segments, settings_are_gone};

/// Key of the settings, relative to the archive.
pub(super) const SETTINGS: &str = "_diurnal/archive.toml";
/// Key of the note on when runs ended.
pub(super) const LAST_RUN: &str = "_diurnal/last-run.json";
/// How often an archive is read again because another run went on meanwhile.
const TRIES: usize = 10;

impl Remote {
    /// Lays the ledger out in the mirror, for those who only read. Whether there is an archive.
    ///
    /// # Errors
    /// A record is missing or damaged; the store's.
    pub fn read(&self) -> Result<bool> {
        let there = self.fetch_settings()?.is_some();
        let plan = self.load()?;
        let pending = match plan {
            Some(plan) if self.bucket.head(&plan.marker())?.is_some() => Some(plan),
            _ => None,
        };
        self.known().pending = pending;
        self.fetch_last_run();
        Ok(there)
    }

    /// [`Remote::read`] for a run that writes: the archive is made if there is none, and the last commit completed if it is not. Gives
    /// its number if so, and how many staged objects belonged to no commit and were removed.
    ///
    /// # Errors
    /// As [`Remote::read`]; `requested` disagrees with the archive; an object of the last commit is lost; the store does not honour
    /// conditions.
    pub fn begin(&self, requested: &Requested) -> Result<(Option<u64>, usize)> {
        for _ in 0..TRIES {
            let stored = match self.fetch_settings()? {
                Some(stored) => {
                    requested.agree_with(&stored)?;
                    stored
                }
                None => match self.make(requested)? {
                    Some(made) => made,
                    None => continue,
                },
            };
            self.ensure_conditions(&stored)?;
            failpoint::reach("bucket-settings-there");
            let plan = self.load()?;
            let staged = self.bucket.list(&format!("{}/staging", crate::store::paths::PRIVATE))?;
            let completed = match &plan {
                Some(plan) if staged.iter().any(|found| found.key == plan.marker()) => {
                    match self.roll_forward(plan)? {
                        true => Some(plan.commit),
                        // Another run did, and went on: what was read is old.
                        false => continue,
                    }
                }
                _ => None,
            };
            let discarded = self.discard(&staged, plan.as_ref())?;
            self.fetch_last_run();
            failpoint::reach("bucket-opened");
            return Ok((completed, discarded));
        }
        Err(Error::new(
            self.url(),
            format_args!("other runs went on {TRIES} times while it was opened"),
        )
        .hint("run again when fewer of them go on"))
    }

    fn fetch_settings(&self) -> Result<Option<ArchiveSettings>> {
        let path = self.layout.settings();
        match self.bucket.get(SETTINGS)? {
            Some(bytes) => {
                let settings = ArchiveSettings::parse(&path, &bytes)?;
                self.write(&path, &bytes)?;
                Ok(Some(settings))
            }
            None => Ok(None),
        }
    }

    /// Makes the archive; `None` where another run did just now.
    fn make(&self, requested: &Requested) -> Result<Option<ArchiveSettings>> {
        let settings = requested.for_new_archive()?;
        if !self.bucket.list(record::FOLDER)?.is_empty() {
            return Err(settings_are_gone(&self.layout));
        }
        let text = settings.render();
        let put = self.bucket.put_if(SETTINGS, text.clone().into(), &Condition::Absent);
        match put {
            Put::Done => {
                self.write(&self.layout.settings(), text.as_bytes())?;
                log::debug!("made the archive {}", self.url());
                Ok(Some(settings))
            }
            Put::Refused | Put::Unknown(_) => match self.bucket.head(SETTINGS)? {
                Some(_) => Ok(None),
                None => match put {
                    Put::Unknown(error) => Err(error),
                    _ => Ok(None),
                },
            },
            Put::Denied(error) => Err(error),
        }
    }

    /// Everything hangs on conditional writes, and a server that does not know them may say nothing.
    fn ensure_conditions(&self, settings: &ArchiveSettings) -> Result<()> {
        let mut conditions = vec![Condition::Absent];
        // The others give no object another tag than their own, and have had conditions from the beginning.
        if self.url().starts_with("s3:") {
            conditions.push(Condition::Is(Version {
                e_tag: Some("\"00000000000000000000000000000000\"".to_owned()),
                version: None,
            }));
        }
        for condition in conditions {
            // What is written if it does: the same again.
            match self.bucket.put_if(SETTINGS, settings.render().into(), &condition) {
                Put::Refused => {}
                Put::Done => return Err(self.ignores_conditions("writes")),
                Put::Denied(error) | Put::Unknown(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The same for uploads in parts, once a run.
    pub(super) fn ensure_conditions_of_parts(&self) -> Result<()> {
        if self.known().parts_tried {
            return Ok(());
        }
        let settings = self.layout.settings();
        match self.bucket.put_parts_if(SETTINGS, &settings, &Condition::Absent) {
            Put::Refused => {}
            Put::Done => return Err(self.ignores_conditions("uploads of parts")),
            Put::Denied(error) | Put::Unknown(error) => return Err(error),
        }
        self.known().parts_tried = true;
        Ok(())
    }

    fn ignores_conditions(&self, what: &str) -> Error {
        let cause =
            format_args!("its server ignores conditions on {what} (If-None-Match, If-Match), which keep runs apart");
        Error::new(self.url(), cause).hint("use a store that honours them; nothing was archived")
    }

    /// Reads the last segment of the ledger into the mirror, and gives the plan of its last commit.
    fn load(&self) -> Result<Option<Plan>> {
        let listed = self.bucket.list(record::FOLDER)?;
        let last = self.last_of(&listed)?;
        let segment = record::segment_of(last);
        let commits: Vec<u64> = (record::first_of(segment)..=last).collect();
        let records = self.records(&commits)?;
        let private = self.layout.private();
        for folder in [
            &private,
            &self.layout.staging(),
            &self.layout.schema(),
            &self.layout.rejects(),
        ] {
            fs::create_dir_all(folder).map_err(|error| Error::io(folder, "make the folder", &error))?;
        }
        // Of an earlier look.
        let names = fs::read_dir(&private).map_err(|error| Error::io(&private, "list the folder", &error))?;
        for entry in names.flatten() {
            if entry.file_name().to_str().and_then(segments::number).is_some() {
                fs::remove_file(entry.path()).map_err(|error| Error::io(&entry.path(), "remove it", &error))?;
            }
        }
        // Their names have to be there; what is in them is fetched when it is read.
        for earlier in 1..segment {
            self.write(&self.layout.segment(earlier), b"")?;
        }
        let lines: Vec<u8> = records.iter().flat_map(|(lines, _)| lines.iter().copied()).collect();
        self.write(&self.layout.segment(segment), &lines)?;
        let mut known = self.known();
        known.last = last;
        known.whole = segment == 1;
        known.pending = None;
        Ok(records.into_iter().next_back().map(|(_, plan)| plan))
    }

    /// The last commit of those whose records are there: from the first one on none may be missing.
    fn last_of(&self, listed: &[Found]) -> Result<u64> {
        let mut numbers = Vec::with_capacity(listed.len());
        for found in listed {
            match record::commit_of(&found.key) {
                Some(number) => numbers.push(number),
                None => {
                    return Err(Error::damaged(
                        self.bucket.name(&found.key),
                        "this diurnal knows no such object: the ledger was continued by a later one",
                    )
                    .hint("use a newer diurnal; nothing was touched"));
                }
            }
        }
        numbers.sort_unstable();
        match (1..).zip(&numbers).find(|(expected, number)| expected != *number) {
            None => Ok(numbers.last().copied().unwrap_or(0)),
            Some((missing, later)) => Err(Error::damaged(
                self.bucket.name(&record::key(missing)),
                format_args!("this record of the ledger is gone, but that of commit {later} is there"),
            )
            .hint("restore it from a backup; nothing was touched")),
        }
    }

    /// The ledger's lines and the plans of commits.
    fn records(&self, commits: &[u64]) -> Result<Vec<(Vec<u8>, Plan)>> {
        commits
            .par_iter()
            .map(|commit| {
                let key = record::key(*commit);
                let damaged = |problem: &str| {
                    Error::damaged(self.bucket.name(&key), format_args!("the record is damaged: {problem}"))
                        .hint("restore it from a backup; nothing was touched")
                };
                let object = self.bucket.get(&key)?.ok_or_else(|| damaged("it is gone"))?;
                let (lines, plan) = record::parse(&object, *commit).map_err(|problem| damaged(&problem))?;
                Ok((lines.to_vec(), plan))
            })
            .collect()
    }

    /// Brings the segments before the last to the mirror, for those who read all commits.
    pub fn fetch_segments(&self) -> Result<()> {
        let (last, whole) = {
            let known = self.known();
            (known.last, known.whole)
        };
        if whole {
            return Ok(());
        }
        for segment in 1..record::segment_of(last) {
            let commits: Vec<u64> = (record::first_of(segment)..record::first_of(segment + 1)).collect();
            let lines: Vec<u8> = self
                .records(&commits)?
                .into_iter()
                .flat_map(|(lines, _)| lines)
                .collect();
            self.write(&self.layout.segment(segment), &lines)?;
        }
        self.known().whole = true;
        Ok(())
    }

    /// Nothing depends on it: one that can't be had is not there.
    fn fetch_last_run(&self) {
        if let Ok(Some(bytes)) = self.bucket.get(LAST_RUN) {
            let _ = fs::write(self.layout.last_run(), bytes);
        }
    }

    fn write(&self, path: &std::path::Path, bytes: &[u8]) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| Error::io(folder, "make the folder", &error))?;
        }
        fs::write(path, bytes).map_err(|error| Error::io(path, "write a local copy", &error))
    }
}
