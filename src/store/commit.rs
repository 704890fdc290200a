//! The commit: staged files become part of the archive, all of them or none.
//!
//! In this order: manifest, folders, fsyncs, another segment of the ledger if the last is full, the record in it (the commit point), renames and removals, fsync of the
//! folders, removal of the staging folder. Whatever stops it, [`recovery`](super::recovery) ends it or undoes it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Shared;
use super::disk::{Disk, Kind};
use super::failpoint;
use super::ledger::{self, AppendError, End};
use super::manifest::{self, Manifest, StagedEntry};
use super::paths::Layout;
use super::record::Commit;
use super::recovery;
use super::remote;
use super::staging::{Staging, Written, check_folder};
use super::state;
use crate::error::{Error, Result};

impl Staging {
    /// Makes the staged files part of the archive, under `commit` as their record, which gets the time.
    ///
    /// # Errors
    /// Before the commit point: nothing happened. The record must name exactly what was staged, have this staging's
    /// id and command, and balance. After the commit point: the error says that the commit stands; the next run
    /// completes it. A failed fsync or an unfinished commit ends the run: this store takes no other one.
    pub fn commit(mut self, mut commit: Commit) -> Result<()> {
        let shared = self.shared.clone();
        commit.at.get_or_insert_with(|| super::clock(&*shared.disk));
        shared.ensure_running()?;
        failpoint::reach("commit-begin");
        let staged = self.finished()?;
        self.check(&commit, &staged)?;
        if let Some(dry) = &shared.dry {
            let (_, end) = shared.inner().end.line(&commit)?;
            dry.keep(
                self.id,
                staged.iter().map(|(target, name, _)| (target.as_str(), name.as_str())),
            );
            shared.committed(commit, end);
            return Ok(());
        }
        let manifest = self.write_manifest(&staged)?;
        let changes = Changes {
            moves: moves(&shared.layout, &manifest),
            removes: commit.removed.clone(),
        };
        let folders = changes.folders(&shared.layout);
        make_folders(&*shared.disk, &shared.layout, &folders)?;
        // Also where all were there: a run that was killed may have made one and not come to this.
        shared.sync_folder(shared.layout.root())?;
        failpoint::reach("commit-folders-synced");
        shared.sync_folder(&shared.layout.staging_of(self.id))?;
        shared.sync_folder(&shared.layout.staging())?;
        failpoint::reach("commit-staging-synced");

        let uploaded = match &shared.remote {
            Some(remote) => Some((remote, remote.upload(&manifest, self.folder())?)),
            None => None,
        };
        let begun = shared.inner().end.segment;
        let before = self.end_of_ledger()?;
        let (line, end) = before.line(&commit)?;
        self.keep = true;
        self.append(&before, &line)?;
        failpoint::reach("commit-record-synced");
        if let Some((remote, uploaded)) = &uploaded {
            // Of the mirror's ledger nobody knows: only now the commit stands.
            let lines = match before.segment == begun {
                true => line,
                false => self.read_segment(before.segment)?,
            };
            let recorded = remote.put_record(uploaded, &lines);
            recorded.inspect_err(|_| shared.end_run("the commit before was not made"))?;
        }
        shared.committed(commit, end);

        settle(&*shared.disk, &shared.layout, &changes, &folders, &COMMIT_STEPS)
            .and_then(|()| self.remove_folder())
            .and_then(|()| shared.sync_folder(&shared.layout.staging()))
            .and_then(|()| match &uploaded {
                Some((remote, uploaded)) => remote.carry_out(uploaded),
                None => Ok(()),
            })
            .inspect_err(|_| shared.end_run("the commit before was not completed"))
            .map_err(|error| {
                error.hint(format_args!(
                    "commit {} stands; the next run completes it, so just run again",
                    self.id
                ))
            })?;
        failpoint::reach("commit-done");
        Ok(())
    }

    /// The record must be true: of this staging, of these files, and balanced.
    fn check(&self, commit: &Commit, staged: &[(String, String, Written)]) -> Result<()> {
        let refuse = |cause: String| Err(Error::new(format_args!("commit {}", self.id), cause));
        if commit.id != self.id || commit.command != self.command {
            return refuse(format!(
                "its record is that of `{}` number {}, its staging that of `{}`",
                commit.command, commit.id, self.command
            ));
        }
        let now = self.shared.inner().state.clone();
        if let Some(problem) = now.imbalances(commit).into_iter().next() {
            return refuse(format!("does not balance: {problem}"));
        }
        let mut left: BTreeMap<&str, &Written> = staged
            .iter()
            .map(|(target, _, written)| (target.as_str(), written))
            .collect();
        let mut recorded = BTreeSet::new();
        for target in state::targets(commit) {
            let path = target.path();
            let written = left.remove(path);
            let bytes = match written {
                Some(written) => Some(written.bytes),
                None => now.bytes_of(path),
            };
            if !recorded.insert(path.to_string()) {
                return refuse(format!("its record names {path} twice"));
            }
            let other_hash =
                |written: &Written| target.hash().is_some_and(|hash| written.hash.as_deref() != Some(hash));
            if bytes != Some(target.bytes()) || written.is_some_and(other_hash) {
                return refuse(format!("its record of {path} is not what was staged"));
            }
        }
        if let Some((target, _)) = left.first_key_value() {
            return refuse(format!("{target} was staged, but its record does not name it"));
        }
        let removals: BTreeSet<String> = self.removals().into_iter().map(|file| file.target).collect();
        match commit.removed.len() == removals.len() && commit.removed.iter().all(|path| removals.contains(path)) {
            true => Ok(()),
            false => refuse("its record removes other files than were to be removed".to_string()),
        }
    }

    fn write_manifest(&self, staged: &[(String, String, Written)]) -> Result<Manifest> {
        let manifest = Manifest {
            commit: self.id,
            command: self.command.clone(),
            files: staged
                .iter()
                .map(|(target, name, written)| StagedEntry {
                    target: target.clone(),
                    staged: name.clone(),
                    bytes: written.bytes,
                    hash: written.hash.clone(),
                })
                .collect(),
            removes: self.removals(),
        };
        let path = manifest::path(&self.shared.layout, self.id);
        let json = serde_json::to_vec(&manifest).map_err(|error| Error::new(path.display(), error))?;
        let mut file = self
            .shared
            .disk
            .create(&path)
            .map_err(|error| Error::io(&path, "make the manifest", &error))?;
        file.write_all(&json)
            .map_err(|error| Error::io(&path, "write the manifest", &error))?;
        failpoint::reach("commit-manifest-written");
        self.shared.synced(&path, file.sync())?;
        failpoint::reach("commit-manifest-synced");
        Ok(manifest)
    }

    /// Removes the staging folder, whose files are all in place; `staging/` is to be synced then.
    fn remove_folder(&self) -> Result<()> {
        let (disk, folder) = (&*self.shared.disk, self.folder());
        recovery::empty(disk, folder)?;
        failpoint::reach("commit-staging-emptied");
        disk.remove_folder(folder)
            .map_err(|error| Error::io(folder, "remove the staging folder", &error))?;
        failpoint::reach("commit-staging-removed");
        Ok(())
    }

    /// Where the record goes: behind the last one, or into another segment.
    fn end_of_ledger(&self) -> Result<End> {
        let shared = &self.shared;
        let (before, limit) = {
            let inner = shared.inner();
            (inner.end.clone(), inner.segment_bytes)
        };
        let path = shared.layout.segment(before.segment);
        let found = shared
            .disk
            .metadata(&path)
            .map_err(|error| Error::io(&path, "look at the ledger", &error))?;
        if found.kind != Kind::File || found.bytes != before.bytes {
            return Err(Error::new(
                path.display(),
                format_args!(
                    "the ledger changed during the run: it has {} bytes, not {}",
                    found.bytes, before.bytes
                ),
            )
            .hint("nothing was committed; find out what else writes to this archive, then run again"));
        }
        // In a bucket the number alone decides, for who reads it has to know.
        let full = match &shared.remote {
            Some(_) => before.last > 0 && before.last.is_multiple_of(remote::record::RECORDS),
            None => before.is_full(limit),
        };
        match full {
            true => self.begin_segment(&before),
            false => Ok(before),
        }
    }

    fn read_segment(&self, segment: u32) -> Result<Vec<u8>> {
        let path = self.shared.layout.segment(segment);
        let read = self.shared.disk.read(&path);
        read.map_err(|error| Error::io(&path, "read the ledger", &error))
    }

    fn append(&self, before: &End, line: &[u8]) -> Result<()> {
        let shared = &self.shared;
        let path = shared.layout.segment(before.segment);
        ledger::append(&*shared.disk, &path, line).map_err(|error| {
            shared.end_run("the ledger could not be written");
            match error {
                AppendError::Write(error) => Error::io(&path, "append the commit's record", &error).hint(format_args!(
                    "commit {} did not happen; the next run clears what is left of it",
                    self.id
                )),
                AppendError::Sync(error) => {
                    Error::io(&path, "make the commit's record durable", &error).hint(format_args!(
                        "check the disk; the next run finds out whether commit {} stands",
                        self.id
                    ))
                }
            }
        })
    }
}

impl Shared {
    /// Takes the result of an fsync; after a failed one the run ends, because trying again would succeed and mean nothing.
    pub(super) fn synced(&self, path: &Path, result: std::io::Result<()>) -> Result<()> {
        result.map_err(|error| {
            self.end_run("an fsync failed");
            Error::io(path, "make it durable (fsync)", &error).hint("check the disk; what was committed before stands")
        })
    }

    pub(super) fn sync_folder(&self, path: &Path) -> Result<()> {
        self.synced(path, self.disk.sync_folder(path))
    }

    /// The commit point has passed.
    fn committed(&self, commit: Commit, end: End) {
        let mut inner = self.inner();
        Arc::make_mut(&mut inner.state).apply(commit);
        inner.end = end;
    }
}

/// One staged file on its way to its place.
#[derive(Debug)]
pub(super) struct Move {
    pub staged: PathBuf,
    /// Path relative to the archive.
    pub target: String,
}

/// What a commit changes in the archive once it is on record.
#[derive(Debug)]
pub(super) struct Changes {
    pub moves: Vec<Move>,
    /// Paths relative to the archive.
    pub removes: Vec<String>,
}

impl Changes {
    /// The folders whose names change.
    pub fn folders(&self, layout: &Layout) -> BTreeSet<PathBuf> {
        let moved = self.moves.iter().map(|step| &step.target);
        moved
            .chain(&self.removes)
            .map(|target| layout.folder_of(target))
            .collect()
    }
}

/// Names of the steps that a commit and its recovery share.
pub(super) struct Steps {
    pub rename: &'static str,
    pub renamed: &'static str,
    pub removed: &'static str,
    pub folder_synced: &'static str,
}

const COMMIT_STEPS: Steps = Steps {
    rename: "commit-rename",
    renamed: "commit-renamed",
    removed: "commit-removed",
    folder_synced: "commit-folder-synced",
};

fn moves(layout: &Layout, manifest: &Manifest) -> Vec<Move> {
    let folder = layout.staging_of(manifest.commit);
    manifest
        .files
        .iter()
        .map(|file| Move {
            staged: folder.join(&file.staged),
            target: file.target.clone(),
        })
        .collect()
}

/// Makes the folders that are not there yet; their parent is to be synced then.
fn make_folders(disk: &dyn Disk, layout: &Layout, folders: &BTreeSet<PathBuf>) -> Result<()> {
    for folder in folders {
        check_folder(disk, layout, folder)?;
        if !manifest::exists(disk, folder)? {
            disk.create_folder(folder)
                .map_err(|error| Error::io(folder, "make the folder", &error))?;
            failpoint::reach("commit-folder-made");
        }
    }
    Ok(())
}

/// What the record of a commit says, done: renames and removals, made durable in every folder of the commit, before their only
/// other trace, the staging folder, may go.
pub(super) fn settle(
    disk: &dyn Disk,
    layout: &Layout,
    changes: &Changes,
    folders: &BTreeSet<PathBuf>,
    steps: &Steps,
) -> Result<()> {
    for step in &changes.moves {
        failpoint::reach(steps.rename);
        let target = layout.target(&step.target);
        disk.rename(&step.staged, &target)
            .map_err(|error| Error::io(&target, "rename the staged file into its place", &error))?;
        failpoint::reach(steps.renamed);
    }
    for target in &changes.removes {
        let path = layout.target(target);
        match disk.remove_file(&path) {
            Ok(()) => {}
            // The run that was killed came to it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(&path, "remove it", &error)),
        }
        failpoint::reach(steps.removed);
    }
    for folder in folders {
        disk.sync_folder(folder)
            .map_err(|error| Error::io(folder, "make it durable (fsync)", &error))?;
        failpoint::reach(steps.folder_synced);
    }
    Ok(())
}
