//! A commit's files before the commit: written and made durable in a folder that no reader looks into.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Shared;
use super::disk::{Disk, DiskFile, Kind, Metadata};
use super::failpoint;
use super::manifest::Removal;
use super::paths::{self, Layout};
use super::recovery;
use crate::error::{Error, Result};

/// Bytes that a staged file gathers before it writes; the large ones gather by themselves.
const BUFFER_BYTES: usize = 256 * 1024;

/// The files of one commit in the making; several threads may stage files at once. Dropped without
/// [`commit`](Staging::commit), it removes them.
#[derive(Debug)]
pub struct Staging {
    pub(super) shared: Arc<Shared>,
    pub(super) id: u64,
    pub(super) command: String,
    pub(super) files: Arc<StagedFiles>,
    /// Set once the ledger may name these files: from then on only the ledger decides what becomes of them.
    pub(super) keep: bool,
}

/// What was staged so far.
#[derive(Debug)]
pub(super) struct StagedFiles {
    pub(super) folder: PathBuf,
    pub(super) slots: Mutex<Slots>,
    /// Bytes of those that are not whole yet.
    pub(super) begun: AtomicU64,
}

#[derive(Debug, Default)]
pub(super) struct Slots {
    made: u64,
    by_target: BTreeMap<String, Slot>,
    /// Files that the commit removes, with their lengths.
    removals: BTreeMap<String, u64>,
}

#[derive(Debug)]
struct Slot {
    name: String,
    written: Option<Written>,
}

/// A staged file, whole and durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Length in bytes.
    pub bytes: u64,
    /// BLAKE3 of the whole file, hexadecimal; `None` for a day file, whose record has that of each leaf.
    pub hash: Option<String>,
}

/// A staged file that is being written, buffered. Dropped without [`finish`](StagedFile::finish), it is removed and
/// its target is free again.
pub struct StagedFile {
    shared: Arc<Shared>,
    files: Arc<StagedFiles>,
    target: String,
    path: PathBuf,
    output: BufWriter<Box<dyn DiskFile>>,
    /// None for a day file: what its record says of each leaf is as good, and a day that is copied is hashed once.
    hasher: Option<blake3::Hasher>,
    position: u64,
    finished: bool,
}

impl StagedFiles {
    /// Bytes of all files, whole or not.
    fn bytes(&self) -> u64 {
        let slots = self.slots();
        let whole = slots.by_target.values().filter_map(|slot| slot.written.as_ref());
        whole.map(|written| written.bytes).sum::<u64>() + self.begun.load(Ordering::Relaxed)
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        // A panic elsewhere ends the run without a commit; these maps are whole after each statement.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a target its name among the staged files: `written` if it is whole already.
    fn begin(&self, target: &str, written: Option<Written>) -> Result<String> {
        let mut slots = self.slots();
        if slots.by_target.contains_key(target) || slots.removals.contains_key(target) {
            return Err(Error::new(target, "is staged twice in one commit"));
        }
        slots.made += 1;
        let last = target.rsplit('/').next().unwrap_or(target);
        let name = format!("{:06}-{last}{}", slots.made, paths::STAGED_SUFFIX);
        let slot = Slot {
            name: name.clone(),
            written,
        };
        slots.by_target.insert(target.to_string(), slot);
        Ok(name)
    }

    /// Adds a file that is whole and durable; gives the path that it is to have.
    pub(super) fn add(&self, target: &str, written: Written) -> Result<PathBuf> {
        Ok(self.folder.join(self.begin(target, Some(written))?))
    }
}

impl Staging {
    /// Makes the staging folder of the next commit.
    pub(super) fn begin(shared: Arc<Shared>, id: u64, command: &str) -> Result<Self> {
        let disk = &*shared.disk;
        let folder = shared.layout.staging_of(id);
        if shared.dry.is_none() {
            check_devices(&shared)?;
            // A commit given up earlier in this run may have left its folder.
            recovery::discard(disk, &folder)?;
            disk.create_folder(&folder)
                .map_err(|error| Error::io(&folder, "make the staging folder", &error))?;
        }
        failpoint::reach("stage-folder-made");
        let files = Arc::new(StagedFiles::new(folder));
        Ok(Self {
            shared,
            id,
            command: command.to_string(),
            files,
            keep: false,
        })
    }

    /// The id that the commit will have.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The staging folder.
    pub(super) fn folder(&self) -> &Path {
        &self.files.folder
    }

    /// Starts a file that the commit will put at `target`, relative to the archive, in place of what is there:
    /// `cpu/2020-06-19.parquet`, `_diurnal/schema/cpu.toml`, `_diurnal/rejects/000042.jsonl`.
    ///
    /// # Errors
    /// `target` is none of these or staged already; what is there now is not what the ledger says, so that replacing it
    /// could lose data; its folder is a symbolic link or on another file system.
    pub fn file(&self, target: &str) -> Result<StagedFile> {
        let shared = &self.shared;
        shared.ensure_running()?;
        if !paths::is_target(target) {
            return Err(Error::new(
                target,
                "is no day, schema or reject file: a commit cannot write it",
            ));
        }
        let (disk, layout) = (&*shared.disk, &shared.layout);
        check_folder(disk, layout, &layout.folder_of(target))?;
        check_replaced(shared, target)?;

        let name = self.files.begin(target, None)?;
        let path = self.files.folder.join(&name);
        let large = paths::is_csv(target);
        let made = match &shared.dry {
            None => match large {
                true => disk.create_large(&path),
                false => disk.create(&path),
            }
            .map_err(|error| Error::io(&path, "make a staged file", &error)),
            Some(dry) => dry.create(self.id, &name),
        };
        let output = made.inspect_err(|_| drop(self.files.slots().by_target.remove(target)))?;
        failpoint::reach("stage-file-made");
        Ok(StagedFile {
            shared: shared.clone(),
            files: self.files.clone(),
            target: target.to_string(),
            path,
            output: BufWriter::with_capacity(if large { 0 } else { BUFFER_BYTES }, output),
            hasher: (!paths::is_day_file(target)).then(blake3::Hasher::new),
            position: 0,
            finished: false,
        })
    }

    /// Has the commit remove a day or reject file; its record must not have it any more.
    ///
    /// # Errors
    /// `target` is none of these; what is there is not what the ledger says, so that it may be somebody's; its folder is a
    /// symbolic link or on another file system.
    pub fn remove(&self, target: &str) -> Result<()> {
        let shared = &self.shared;
        shared.ensure_running()?;
        if !paths::is_target(target) || paths::is_schema(target) {
            return Err(Error::new(
                target,
                "is no day or reject file: a commit cannot remove it",
            ));
        }
        check_folder(&*shared.disk, &shared.layout, &shared.layout.folder_of(target))?;
        check_replaced(shared, target)?;
        let recorded = shared.inner().state.bytes_of(target);
        let bytes = recorded.ok_or_else(|| Error::new(target, "is on no record: a commit cannot remove it"))?;
        let mut slots = self.files.slots();
        if slots.by_target.contains_key(target) {
            return Err(Error::new(target, "is staged by the commit that is to remove it"));
        }
        slots.removals.insert(target.to_string(), bytes);
        Ok(())
    }

    /// What the commit removes, with its length.
    pub(super) fn removals(&self) -> Vec<Removal> {
        let slots = self.files.slots();
        let removal = |(target, bytes): (&String, &u64)| Removal {
            target: target.clone(),
            bytes: *bytes,
        };
        slots.removals.iter().map(removal).collect()
    }

    /// Target, name in the staging folder and content of every staged file.
    ///
    /// # Errors
    /// One is still being written.
    pub(super) fn finished(&self) -> Result<Vec<(String, String, Written)>> {
        self.files
            .slots()
            .by_target
            .iter()
            .map(|(target, slot)| {
                let written = slot
                    .written
                    .clone()
                    .ok_or_else(|| Error::new(target, "was not written to its end before the commit"))?;
                Ok((target.clone(), slot.name.clone(), written))
            })
            .collect()
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.keep {
            // The next run removes what can't be removed now.
            let _ = recovery::discard(&*self.shared.disk, &self.files.folder);
        }
        self.shared.inner().staging = false;
    }
}

impl StagedFile {
    /// Bytes written so far: the offset of the next one.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The path that is written, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn with_room(&self, error: io::Error) -> io::Error {
        self.shared.with_room(error, self.files.bytes())
    }

    /// Writes what is buffered and makes the file durable.
    ///
    /// # Errors
    /// The disk's. After a failed fsync the run ends: no other commit can be made from this store.
    pub fn finish(mut self) -> Result<Written> {
        self.flush()
            .map_err(|error| Error::io(&self.path, "write a staged file", &error))?;
        failpoint::reach("stage-file-written");
        let synced = self.output.get_mut().sync().map_err(|error| self.with_room(error));
        self.shared.synced(&self.path, synced)?;
        failpoint::reach("stage-file-synced");
        let written = Written {
            bytes: self.position,
            hash: self
                .hasher
                .as_ref()
                .map(|hasher| hasher.finalize().to_hex().to_string()),
        };
        if let Some(slot) = self.files.slots().by_target.get_mut(&self.target) {
            slot.written = Some(written.clone());
        }
        self.finished = true;
        self.files.begun.fetch_sub(self.position, Ordering::Relaxed);
        Ok(written)
    }
}

impl Write for StagedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.output.write(bytes).map_err(|error| self.with_room(error))?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&bytes[..taken]);
        }
        self.position += taken as u64;
        self.files.begun.fetch_add(taken as u64, Ordering::Relaxed);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush().map_err(|error| self.with_room(error))
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.finished {
            // What stays behind is in no manifest, and goes with the folder.
            let _ = self.shared.disk.remove_file(&self.path);
            self.files.begun.fetch_sub(self.position, Ordering::Relaxed);
            self.files.slots().by_target.remove(&self.target);
        }
    }
}

/// Refuses folders that staged files could not be renamed into, before any work is done for them.
fn check_devices(shared: &Shared) -> Result<()> {
    let (disk, layout) = (&*shared.disk, &shared.layout);
    // `.`: the archive itself may be a symbolic link, what counts is where it leads.
    check_folder(disk, layout, &layout.root().join("."))?;
    check_folder(disk, layout, &layout.schema())?;
    check_folder(disk, layout, &layout.rejects())?;
    let state = shared.inner().state.clone();
    let mut last = None;
    for (measurement, _) in state.days.keys() {
        if last != Some(measurement)
            && let Ok(folder) = paths::folder_name(measurement)
        {
            check_folder(disk, layout, &layout.target(&folder))?;
        }
        last = Some(measurement);
    }
    Ok(())
}

/// A folder is absent, or a real one on the staging folder's file system.
pub(super) fn check_folder(disk: &dyn Disk, layout: &Layout, folder: &Path) -> Result<()> {
    let Some(found) = real_folder(disk, folder)? else {
        return Ok(());
    };
    let staging = layout.staging();
    let device = disk
        .metadata(&staging)
        .map_err(|error| Error::io(&staging, "look at the folder", &error))?
        .device;
    if found.device != device {
        return Err(Error::new(
            folder.display(),
            format_args!(
                "is on another file system than {}, so files cannot be renamed into it",
                staging.display()
            ),
        )
        .hint("keep the whole archive on one file system"));
    }
    Ok(())
}

/// A folder inside an archive, if it is there: no symbolic link, which could lead anywhere.
pub(super) fn real_folder(disk: &dyn Disk, folder: &Path) -> Result<Option<Metadata>> {
    let found = match disk.metadata(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(folder, "look at the folder", &error)),
    };
    match found.kind {
        Kind::Folder => Ok(Some(found)),
        Kind::Symlink => Err(Error::new(
            folder.display(),
            "is a symbolic link, which diurnal does not follow inside an archive",
        )
        .hint("put the folder itself there; the whole archive may be a link")),
        Kind::File | Kind::Other => Err(Error::new(folder.display(), "is not a folder")),
    }
}

/// What a commit replaces must be what the ledger says: else the new file would lack rows that only the old one has.
pub(super) fn check_replaced(shared: &Shared, target: &str) -> Result<()> {
    if let (Some(remote), None) = (&shared.remote, &shared.dry) {
        let state = shared.inner().state.clone();
        return remote.check_replaced(target, state.bytes_of(target));
    }
    let path = shared.locate(target)?;
    let found = match shared.disk.metadata(&path) {
        Ok(found) => Some(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::io(&path, "look at the file", &error)),
    };
    let recorded = shared.inner().state.bytes_of(target);
    let found = found.map(|found| (found.kind == Kind::File, found.bytes));
    match unlike_record(found, recorded) {
        None => Ok(()),
        Some(cause) => Err(Error::damaged(path.display(), cause).hint(
            "run `diurnal verify`; then restore the file or the ledger from a backup, or move a foreign file away",
        )),
    }
}

/// What is there in another way than on record: `found` says whether it is a file, and its length.
pub(super) fn unlike_record(found: Option<(bool, u64)>, recorded: Option<u64>) -> Option<String> {
    match (found, recorded) {
        (None, None) => None,
        (Some((true, found)), Some(bytes)) if found == bytes => None,
        (Some(_), None) => Some("is in the way: the ledger does not know it".to_owned()),
        (None, Some(_)) => Some("is on record but missing".to_owned()),
        (Some((_, found)), Some(bytes)) => Some(format!(
            "is not the file on record: it has {found} bytes instead of {bytes}"
        )),
    }
}
