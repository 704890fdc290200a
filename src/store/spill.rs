//! Room on the archive's file system for what a run can't hold in memory. Nothing of it outlives the run: no commit names these files,
//! nothing is synced, and a run that was killed leaves debris that the next one removes.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;

use super::Shared;
use super::disk::DiskFile;
use super::recovery;
use crate::error::{Error, Result};

/// Bytes that a file gathers before it writes.
const BUFFER_BYTES: usize = 256 * 1024;

/// Makes files for one run, on any thread. The folder is made with the first one and goes when the last file is dropped.
#[derive(Clone, Debug)]
pub struct SpillSpace(Arc<Space>);

#[derive(Debug)]
struct Space {
    /// The archive whose file system has the room; `None` where nothing may be written there, as in a dry run.
    archive: Option<Arc<Shared>>,
    folder: Mutex<Option<Folder>>,
    made: AtomicU64,
}

#[derive(Debug)]
enum Folder {
    /// In `staging/`, where the next run looks for debris.
    Staging(PathBuf),
    /// Of one that writes nothing into the archive.
    Temporary(TempDir),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Staging(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

/// A file that is being written.
pub struct SpillWriter {
    space: SpillSpace,
    path: PathBuf,
    output: BufWriter<Box<dyn DiskFile>>,
    position: u64,
}

/// A file that was written, to be read piece by piece. Removed when it is dropped.
#[derive(Debug)]
pub struct SpillFile {
    // Keeps the folder.
    space: SpillSpace,
    path: PathBuf,
}

/// Where a piece stands in a [`SpillFile`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpillPiece {
    offset: u64,
    bytes: usize,
    crc32c: u32,
}

impl SpillSpace {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let writes = shared.dry.is_none();
        Self::of(writes.then_some(shared))
    }

    /// Room where the system keeps what is temporary, for one who has rows and no archive to write to.
    pub fn temporary() -> Self {
        Self::of(None)
    }

    fn of(archive: Option<Arc<Shared>>) -> Self {
        Self(Arc::new(Space {
            archive,
            folder: Mutex::new(None),
            made: AtomicU64::new(0),
        }))
    }

    /// Begins a file.
    ///
    /// # Errors
    /// The disk's.
    pub fn file(&self) -> Result<SpillWriter> {
        let number = self.0.made.fetch_add(1, Ordering::Relaxed) + 1;
        let path = self.folder()?.join(format!("{number:06}.arrows"));
        let create = |error: std::io::Error| Error::io(&path, "make a file for sorted rows", &error);
        let output: Box<dyn DiskFile> = match &self.0.archive {
            Some(archive) => archive.disk.create(&path).map_err(create)?,
            None => Box::new(File::create_new(&path).map_err(create)?),
        };
        Ok(SpillWriter {
            space: self.clone(),
            output: BufWriter::with_capacity(BUFFER_BYTES, output),
            path,
            position: 0,
        })
    }

    fn folder(&self) -> Result<PathBuf> {
        let mut folder = self.0.folder.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = &*folder {
            return Ok(folder.path().to_owned());
        }
        let made = match &self.0.archive {
            Some(archive) => {
                let path = archive.layout.spilled();
                let disk = &*archive.disk;
                recovery::discard(disk, &path)?;
                disk.create_folder(&path)
                    .map_err(|error| Error::io(&path, "make a folder for sorted rows", &error))?;
                Folder::Staging(path)
            }
            None => {
                let made = tempfile::Builder::new().prefix("diurnal-rows-").tempdir();
                Folder::Temporary(made.map_err(|error| {
                    Error::io(&std::env::temp_dir(), "make a temporary folder", &error)
                        .hint("sorted rows that memory has no room for are kept there; TMPDIR names another place")
                })?)
            }
        };
        Ok(folder.insert(made).path().to_owned())
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let folder = self.folder.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let (Some(Folder::Staging(path)), Some(archive)) = (folder, &self.archive) {
            // What can't be removed now is debris for the next run.
            let _ = recovery::discard(&*archive.disk, path);
        }
    }
}

impl SpillWriter {
    /// Writes a piece behind those before.
    ///
    /// # Errors
    /// The disk's.
    pub fn append(&mut self, bytes: &[u8]) -> Result<SpillPiece> {
        self.output
            .write_all(bytes)
            .map_err(|error| Error::io(&self.path, "write sorted rows", &error))?;
        let offset = self.position;
        self.position += bytes.len() as u64;
        Ok(SpillPiece {
            offset,
            bytes: bytes.len(),
            crc32c: crc32c::crc32c(bytes),
        })
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(mut self) -> Result<SpillFile> {
        self.output
            .flush()
            .map_err(|error| Error::io(&self.path, "write sorted rows", &error))?;
        Ok(SpillFile {
            space: self.space,
            path: self.path,
        })
    }
}

impl SpillFile {
    /// A piece as it was written.
    ///
    /// # Errors
    /// The disk's; bytes that are not those that were written.
    pub fn read(&self, piece: SpillPiece) -> Result<Vec<u8>> {
        // Opened for each piece: a long run has more files than a process may hold open.
        let file = File::open(&self.path).map_err(|error| Error::io(&self.path, "open it", &error))?;
        let mut bytes = vec![0; piece.bytes];
        file.read_exact_at(&mut bytes, piece.offset)
            .map_err(|error| Error::io(&self.path, "read it", &error))?;
        match crc32c::crc32c(&bytes) == piece.crc32c {
            true => Ok(bytes),
            false => Err(self.damaged("it does not hold what was written")),
        }
    }

    /// What it holds can't be understood.
    pub fn damaged(&self, problem: impl std::fmt::Display) -> Error {
        Error::new(self.path.display(), problem)
            .hint("nothing was committed; the disk or the memory of this machine may be failing")
    }
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        // Room for others, while the run goes on. What can't be removed goes with the folder.
        match &self.space.0.archive {
            Some(archive) => drop(archive.disk.remove_file(&self.path)),
            None => drop(std::fs::remove_file(&self.path)),
        }
    }
}

impl SpillPiece {
    /// A piece that is not at hand: its rows are with another process. Whoever reads it is told that it is not what was written.
    pub const ELSEWHERE: Self = Self {
        offset: u64::MAX,
        bytes: 0,
        crc32c: 1,
    };

    /// The bytes of the file that it takes.
    pub fn range(&self) -> Range<u64> {
        self.offset..self.offset + self.bytes as u64
    }
}
