//! What a run does first: it ends or undoes what the run before it left.
//!
//! The order matters. All is checked before anything is changed. The ledger is made durable before it is acted on,
//! because a record that only the kernel's memory holds may be gone after a power cut, and then its files must not be in
//! place. A torn tail is cut before its staging folder goes, because the folder is the proof that it is torn.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::archive::Loaded;
use super::commit::{self, Changes, Move, Steps};
use super::disk::{Disk, Kind};
use super::failpoint;
use super::hash;
use super::manifest::{self, Manifest, StagedEntry};
use super::paths::Layout;
use super::record::Commit;
use super::staging::check_folder;
use super::state;
use crate::error::{Error, Result};

const RECOVERY_STEPS: Steps = Steps {
    rename: "recovery-rename",
    renamed: "recovery-renamed",
    removed: "recovery-removed",
    folder_synced: "recovery-folder-synced",
};

/// What was found and put right when an archive was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// A commit that was on record but not completed, and now is.
    pub completed: Option<u64>,
    /// Whether a record that was not written whole was cut from the ledger.
    pub cut: bool,
    /// Entries of the staging folder that belonged to no commit and were removed.
    pub discarded: usize,
}

/// Puts right what the last run left. The lock is held.
pub(super) fn recover(disk: &dyn Disk, layout: &Layout, loaded: &Loaded) -> Result<Recovery> {
    failpoint::reach("recovery-begin");
    let unfinished = match &loaded.last {
        Some(last) if manifest::has_staging(disk, layout, last.id)? => Some((last, plan(disk, layout, last)?)),
        _ => None,
    };
    failpoint::reach("recovery-checked");

    if loaded.torn.is_some() {
        cut_torn_tail(disk, layout, loaded)?;
    }
    if let Some((last, changes)) = &unfinished {
        make_record_durable(disk, layout, loaded)?;
        // Also those of files that are in place already: the run before may not have come to their folder's fsync.
        let mut folders = changes.folders(layout);
        folders.extend(
            state::targets(last)
                .iter()
                .map(|target| layout.folder_of(target.path())),
        );
        commit::settle(disk, layout, changes, &folders, &RECOVERY_STEPS)?;
    }
    // With them the folder of a commit that is complete now.
    let discarded = discard_all(disk, layout)? - usize::from(unfinished.is_some());
    failpoint::reach("recovery-done");
    Ok(Recovery {
        completed: unfinished.map(|(last, _)| last.id),
        cut: loaded.torn.is_some(),
        discarded,
    })
}

/// Which staged files are still to be moved, and what is to be removed. Every file of the commit must be there, staged or in
/// place, and right; but one of a day of which another file is removed is none of this commit's.
fn plan(disk: &dyn Disk, layout: &Layout, commit: &Commit) -> Result<Changes> {
    let manifest = Manifest::read(disk, layout, commit.id)?;
    let files = manifest.map_or_else(Vec::new, |manifest| manifest.files);
    let mut files: BTreeMap<&str, &StagedEntry> = files.iter().map(|file| (file.target.as_str(), file)).collect();
    let mut moves = Vec::new();
    for target in &state::targets(commit) {
        let staged = files.remove(target.path());
        if let Some(file) = staged {
            check_folder(disk, layout, &layout.folder_of(&file.target))?;
            let path = layout.staging_of(commit.id).join(&file.staged);
            if manifest::exists(disk, &path)? {
                let mut problems = match &file.hash {
                    Some(hash) => hash::file_problems(disk, &path, file.bytes, hash),
                    None => Vec::new(),
                };
                problems.extend(target.problems(disk, &path));
                if let Some(problem) = problems.first() {
                    let problem = format!("its staged file {} is damaged: {problem}", path.display());
                    return Err(lost(layout, commit.id, target.path(), &problem));
                }
                moves.push(Move {
                    staged: path,
                    target: file.target.clone(),
                });
                continue;
            }
        }
        if staged.is_none() && !commit.removed.is_empty() {
            continue;
        }
        if let Some(problem) = target.problems(disk, &layout.target(target.path())).first() {
            let problem = format!("its staged file is gone, and in its place: {problem}");
            return Err(lost(layout, commit.id, target.path(), &problem));
        }
    }
    match files.first_key_value() {
        Some((target, _)) => Err(lost(
            layout,
            commit.id,
            target,
            "is staged, but the commit's record does not name it",
        )),
        None => Ok(Changes {
            moves,
            removes: commit.removed.clone(),
        }),
    }
}

fn lost(layout: &Layout, commit: u64, target: &str, problem: &str) -> Error {
    Error::damaged(
        layout.target(target).display(),
        format_args!("commit {commit} is on record but cannot be completed: {problem}"),
    )
    .hint("restore the archive from a backup; nothing was touched")
}

fn cut_torn_tail(disk: &dyn Disk, layout: &Layout, loaded: &Loaded) -> Result<()> {
    let path = layout.segment(loaded.end.segment);
    disk.truncate(&path, loaded.end.bytes)
        .map_err(|error| Error::io(&path, "cut the torn record", &error))?;
    failpoint::reach("recovery-tail-cut");
    sync_ledger(disk, &path)
}

/// The run before may have ended because this record's fsync failed. The kernel then calls the pages clean although
/// the disk never got them; written once more, they are really synced.
fn make_record_durable(disk: &dyn Disk, layout: &Layout, loaded: &Loaded) -> Result<()> {
    let (path, end) = (layout.segment(loaded.end.segment), &loaded.end);
    let ledger = disk
        .read(&path)
        .map_err(|error| Error::io(&path, "read the ledger", &error))?;
    let range = usize::try_from(end.last_line).ok().zip(usize::try_from(end.bytes).ok());
    let line = range
        .and_then(|(from, to)| ledger.get(from..to))
        .ok_or_else(|| Error::new(path.display(), "the ledger became shorter while it was read"))?;
    disk.overwrite(&path, end.last_line, line)
        .map_err(|error| Error::io(&path, "write the last record once more", &error))?;
    failpoint::reach("recovery-record-written");
    sync_ledger(disk, &path)
}

fn sync_ledger(disk: &dyn Disk, path: &Path) -> Result<()> {
    disk.sync_file(path)
        .map_err(|error| Error::io(path, "make the ledger durable (fsync)", &error))?;
    failpoint::reach("recovery-ledger-synced");
    Ok(())
}

fn sync_folder(disk: &dyn Disk, folder: &Path) -> Result<()> {
    disk.sync_folder(folder)
        .map_err(|error| Error::io(folder, "make it durable (fsync)", &error))
}

/// Removes everything in `staging/`: what is there now belongs to no commit, or to one that is complete. How many entries.
fn discard_all(disk: &dyn Disk, layout: &Layout) -> Result<usize> {
    let staging = layout.staging();
    let names = disk
        .list(&staging)
        .map_err(|error| Error::io(&staging, "list the folder", &error))?;
    for name in &names {
        discard(disk, &staging.join(name))?;
        failpoint::reach("recovery-debris-removed");
    }
    failpoint::reach("recovery-staging-clean");
    // Also where nothing was left: a folder that a power cut brings back could make the next damage look like a torn
    // record.
    sync_folder(disk, &staging)?;
    Ok(names.len())
}

/// Removes a file, a link or a folder with all in it, if it is there. Links are removed, never followed.
pub(super) fn discard(disk: &dyn Disk, path: &Path) -> Result<()> {
    let removed = match disk.metadata(path) {
        Ok(found) if found.kind == Kind::Folder => {
            empty(disk, path)?;
            disk.remove_folder(path)
        }
        Ok(_) => disk.remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io(path, "remove it", &error)),
        _ => Ok(()),
    }
}

/// Removes everything in a folder.
pub(super) fn empty(disk: &dyn Disk, folder: &Path) -> Result<()> {
    let names = disk
        .list(folder)
        .map_err(|error| Error::io(folder, "list the folder", &error))?;
    names.iter().try_for_each(|name| discard(disk, &folder.join(name)))
}
