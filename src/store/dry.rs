//! A dry run: the archive as it is, the commits of the run on top of it in memory, and not a byte written to it.
//!
//! It takes no lock, as all who only read: it must not hold up the run that cron starts meanwhile. So the archive may move on
//! while it goes on; [`Store::has_moved_on`](super::Store::has_moved_on) tells.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use super::archive::{self, Archive};
use super::disk::{Disk, DiskFile, Metadata};
use super::ledger::End;
use super::paths::Layout;
use super::remote::Remote;
use super::segments;
use super::settings::{ArchiveSettings, Requested};
use super::state::State;
use crate::error::{Error, Result};

/// What a dry run knows beside the state that its commits add up to.
#[derive(Debug)]
pub(super) struct DryRun {
    /// The archive as it was read; `None` where there is none yet.
    archive: Option<Archive>,
    scratch: Mutex<Scratch>,
}

/// Files of commits that another commit of the same run may have to merge with. Outside of the archive, gone with the run.
#[derive(Debug)]
struct Scratch {
    /// Whether another commit may follow.
    more: bool,
    folder: Option<TempDir>,
    /// By path relative to the archive.
    files: BTreeMap<String, PathBuf>,
}

/// What [`DryRun::read`] found.
pub(super) struct Begun {
    pub dry: DryRun,
    pub settings: ArchiveSettings,
    pub state: State,
    pub end: End,
}

impl DryRun {
    /// Reads the archive, or finds that a run would make one.
    pub fn read(
        disk: Arc<dyn Disk>,
        layout: &Layout,
        requested: &Requested,
        remote: Option<Arc<Remote>>,
    ) -> Result<Begun> {
        let stored = archive::load_settings(&*disk, layout)?;
        let (archive, settings) = match stored {
            Some(stored) => {
                requested.agree_with(&stored)?;
                (Some(Archive::read_layout(disk, layout.clone(), remote)?), stored)
            }
            None => {
                can_be_made(&*disk, layout)?;
                (None, requested.for_new_archive()?)
            }
        };
        let state = archive.as_ref().map(|archive| archive.state().clone());
        let state = state.unwrap_or_default();
        Ok(Begun {
            end: End {
                last: state.commits,
                ..End::default()
            },
            state,
            settings,
            dry: Self {
                archive,
                scratch: Mutex::new(Scratch {
                    more: true,
                    folder: None,
                    files: BTreeMap::new(),
                }),
            },
        })
    }

    fn scratch(&self) -> MutexGuard<'_, Scratch> {
        // A panic elsewhere does not make these values wrong: each statement leaves them whole.
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another commit may follow: only then the files of the next one are kept.
    pub fn expect_more(&self, more: bool) {
        self.scratch().more = more;
    }

    /// Where the file on record as `target` is now.
    pub fn locate(&self, target: &str, layout: &Layout) -> Result<PathBuf> {
        if let Some(path) = self.scratch().files.get(target) {
            return Ok(path.clone());
        }
        match &self.archive {
            Some(archive) => archive.locate(target),
            None => Ok(layout.target(target)),
        }
    }

    /// A file for a commit: in the scratch folder, or nowhere at all if nobody will read it.
    pub fn create(&self, commit: u64, name: &str) -> Result<Box<dyn DiskFile>> {
        let mut scratch = self.scratch();
        if !scratch.more {
            return Ok(Box::new(Passing(None)));
        }
        let folder = match &scratch.folder {
            Some(folder) => folder.path().to_owned(),
            None => {
                let made = tempfile::Builder::new().prefix("diurnal-dry-run-").tempdir();
                let folder = made.map_err(|error| {
                    Error::io(&std::env::temp_dir(), "make a temporary folder", &error)
                        .hint("a dry run of several steps keeps its day files there; TMPDIR names another place")
                })?;
                let path = folder.path().to_owned();
                scratch.folder = Some(folder);
                path
            }
        };
        let path = folder.join(format!("{commit:06}-{name}"));
        match File::create_new(&path) {
            Ok(file) => Ok(Box::new(Passing(Some(file)))),
            Err(error) => Err(Error::io(&path, "make a temporary file", &error)),
        }
    }

    /// The commit stands: its files, by target and name, are the current ones.
    pub fn keep<'a>(&self, commit: u64, files: impl Iterator<Item = (&'a str, &'a str)>) {
        let mut scratch = self.scratch();
        let Some(folder) = scratch.folder.as_ref().map(|folder| folder.path().to_owned()) else {
            return;
        };
        for (target, name) in files {
            let path = folder.join(format!("{commit:06}-{name}"));
            if let Some(old) = scratch.files.insert(target.to_owned(), path) {
                // Only room is lost if it stays: it goes with the folder.
                let _ = std::fs::remove_file(old);
            }
        }
    }

    /// Whether the archive has changed since it was read.
    pub fn has_moved_on(&self, disk: &dyn Disk, layout: &Layout, remote: Option<&Remote>) -> Result<bool> {
        match (&self.archive, remote) {
            (Some(archive), _) => archive.has_moved_on(),
            (None, Some(remote)) => remote.exists(),
            (None, None) => Ok(archive::load_settings(disk, layout)?.is_some()),
        }
    }
}

/// What a real run would refuse before it made anything.
fn can_be_made(disk: &dyn Disk, layout: &Layout) -> Result<()> {
    let lost = |found: Metadata| found.bytes > 0;
    let later = segments::last(disk, layout).is_ok_and(|last| last > 1);
    match later || disk.metadata(&layout.segment(1)).is_ok_and(lost) {
        true => Err(super::settings_are_gone(layout)),
        false => super::refuse_foreign(disk, layout),
    }
}

/// A file that needs to outlive nothing: in the scratch folder, or nowhere at all.
struct Passing(Option<File>);

impl Write for Passing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Some(file) => file.write(bytes),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for Passing {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A disk to look at: whatever would change it is refused, so that no path of the code can.
#[derive(Debug)]
pub(super) struct ReadOnlyDisk(pub Arc<dyn Disk>);

fn refused<T>() -> io::Result<T> {
    Err(io::Error::new(
        io::ErrorKind::ReadOnlyFilesystem,
        "a dry run writes nothing",
    ))
}

impl Disk for ReadOnlyDisk {
    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.0.metadata(path)
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<Option<u64>> {
        self.0.free_bytes(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        self.0.list(folder)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.read(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        self.0.open(path)
    }

    fn create_folder(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn create(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        refused()
    }

    fn append(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        refused()
    }

    fn overwrite(&self, _: &Path, _: u64, _: &[u8]) -> io::Result<()> {
        refused()
    }

    fn truncate(&self, _: &Path, _: u64) -> io::Result<()> {
        refused()
    }

    fn sync_file(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        refused()
    }

    fn copy_time(&self, _: &Path, _: &Path) -> io::Result<()> {
        refused()
    }

    fn remove_file(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn remove_folder(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn open_lock(&self, _: &Path) -> io::Result<File> {
        refused()
    }
}
