//! `_diurnal/last-run.json`: when runs ended, those too that had nothing to commit.
//!
//! The ledger says what is true of the archive, and an idle run adds nothing to it. Monitoring wants to know that there was one. This file is
//! no part of that truth: nothing is decided by it, no hash vouches for it, a backup leaves it out. One that is missing or damaged means that
//! nothing is known, and the next run writes it anew.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::archive::Archive;
use super::disk::{Disk, Kind};
use super::paths::{Layout, STAGED_SUFFIX};
use super::state::SourceKey;
use super::{Store, clock, recovery};
use crate::error::{Error, Result};

/// Longer than the file gets with thousands of partitions; what is longer is not read.
const MOST_BYTES: u64 = 16 << 20;

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunTimes {
    /// The last run, however it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastRun>,
    /// When the last run of each command ended that archived all that there was.
    #[serde(default)]
    pub well: BTreeMap<String, String>,
    /// When each partition was last read to its end.
    #[serde(default)]
    pub partitions: Vec<ReadAt>,
}

/// The last run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// `archive`, `import`, `merge`, `rejects`; `replay` is `archive --replay`.
    pub command: String,
    /// As in a report: `done`, `rejects`, `lost_offsets`, `incomplete` or `failed`.
    pub outcome: String,
    /// The exit code.
    pub exit_code: u8,
    /// When it ended: RFC 3339 in UTC, whole seconds.
    pub at: String,
}

/// A partition, and when a run last read it to its end as it was when that run began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadAt {
    /// The cluster's id; empty where the broker gives none.
    pub cluster_id: String,
    /// The topic's id, where the broker has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_id: Option<String>,
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// When that run ended: RFC 3339 in UTC, whole seconds.
    pub at: String,
}

/// How a run ended, for [`Store::note_run`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunNote {
    /// See [`LastRun::command`].
    pub command: &'static str,
    /// See [`LastRun::outcome`].
    pub outcome: String,
    /// The exit code.
    pub exit_code: u8,
    /// Whether it archived all that there was.
    pub is_well: bool,
    /// Partitions that it read to their end.
    pub read: Vec<SourceKey>,
}

impl RunTimes {
    /// When this partition was last read to its end.
    pub fn read_at(&self, key: &SourceKey) -> Option<&str> {
        let found = self.partitions.iter().find(|read| read.key() == *key);
        found.map(|read| read.at.as_str())
    }

    fn note(&mut self, note: RunNote, at: String, is_known: impl Fn(&SourceKey) -> bool) {
        if note.is_well {
            self.well.insert(note.command.to_owned(), at.clone());
        }
        self.last = Some(LastRun {
            command: note.command.to_owned(),
            outcome: note.outcome,
            exit_code: note.exit_code,
            at: at.clone(),
        });
        // What the ledger does not know was made up or belongs to another archive.
        self.partitions
            .retain(|read| is_known(&read.key()) && !note.read.contains(&read.key()));
        let read = note.read.into_iter().filter(is_known).map(|key| ReadAt {
            cluster_id: key.cluster_id,
            topic_id: key.topic_id,
            topic: key.topic,
            partition: key.partition,
            at: at.clone(),
        });
        self.partitions.extend(read);
        self.partitions
            .sort_by_cached_key(|read| (read.topic.clone(), read.partition, read.cluster_id.clone()));
    }
}

impl ReadAt {
    fn key(&self) -> SourceKey {
        SourceKey {
            cluster_id: self.cluster_id.clone(),
            topic_id: self.topic_id.clone(),
            topic: self.topic.clone(),
            partition: self.partition,
        }
    }
}

impl Store {
    /// Writes down how this run ended; nothing in a dry run. It is for who holds the lock: the last thing that a run does with it.
    ///
    /// # Errors
    /// The file can't be written. What was archived is archived.
    pub fn note_run(&self, note: RunNote) -> Result<()> {
        if self.shared.dry.is_some() {
            return Ok(());
        }
        let (disk, layout) = (&*self.shared.disk, &self.shared.layout);
        let mut times = read(disk, layout);
        let state = self.state();
        times.note(note, clock(disk), |key| state.sources.contains_key(key));
        let path = layout.last_run();
        let json = serde_json::to_vec(&times).map_err(|error| Error::new(path.display(), error))?;
        // In the staging folder, so that what a kill leaves goes with the next run.
        let staged = layout.staging().join(format!("last-run.json{STAGED_SUFFIX}"));
        write(disk, &staged, &path, &json)
            .inspect_err(|_| {
                // It may be what does not fit on the disk.
                let _ = recovery::discard(disk, &staged);
            })
            .map_err(|error| Error::io(&path, "write down when this run ended", &error))?;
        match &self.shared.remote {
            Some(remote) => remote.put_last_run(&json),
            None => Ok(()),
        }
    }
}

fn write(disk: &dyn Disk, staged: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = disk.create(staged)?;
    file.write_all(bytes)?;
    file.sync()?;
    disk.rename(staged, path)
}

impl Archive {
    /// When runs ended; empty where that is not known.
    pub fn run_times(&self) -> RunTimes {
        read(&*self.disk, &self.layout)
    }
}

fn read(disk: &dyn Disk, layout: &Layout) -> RunTimes {
    let path = layout.last_run();
    let is_ours = |path: &Path| {
        let found = disk.metadata(path);
        found.is_ok_and(|found| found.kind == Kind::File && found.bytes <= MOST_BYTES)
    };
    if !is_ours(&path) {
        return RunTimes::default();
    }
    let bytes = disk.read(&path).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests;
