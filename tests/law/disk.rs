//! A disk on which a process dies: from one of its operations on, nothing more is done.
//!
//! What SIGKILL does at the steps of `store/failpoint.rs` is done here in the process of the test, because starting a process for each
//! kill would cost more than all the rest. The steps lie between operations of the store on its disk, and every write to an archive is
//! such an operation (but for the process id in the lock file, which decides nothing). A process that dies at a step has done all
//! operations before it and none behind it; so has one that dies before the next operation. What it would still have read is of no
//! matter: dying before any of the operations that change something covers every step. A write may die with a part of its bytes written.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use diurnal::store::disk::{Disk, DiskFile, Metadata, RealDisk};

/// An operation that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Of any kind: what a kill that is aimed at this one meets.
    Any,
    /// A file of rows that there is no memory for is made.
    Spill,
    /// A file of the commit is made.
    Stage,
    /// The ledger is written.
    Record,
    /// A file comes to its place.
    Rename,
    /// A file or folder is removed.
    Remove,
    /// Any other.
    Other,
}

/// The process dies before (a write: within) the operation of this kind with this number, from 1.
#[derive(Clone, Copy, Debug)]
pub struct Kill {
    pub aim: Operation,
    pub number: u32,
    /// How much of a write is done, of 256.
    pub part: u8,
}

#[derive(Debug, Default)]
struct Process {
    kill: Option<Kill>,
    met: u32,
    dead: bool,
    spilled: u64,
}

/// The real disk, for one process.
#[derive(Clone, Debug)]
pub struct MortalDisk(Arc<Mutex<Process>>);

impl MortalDisk {
    pub fn new(kill: Option<Kill>) -> Self {
        Self(Arc::new(Mutex::new(Process {
            kill,
            ..Process::default()
        })))
    }

    pub fn is_dead(&self) -> bool {
        self.process().dead
    }

    /// How many files were made for rows that there was no memory for.
    pub fn spilled(&self) -> u64 {
        self.process().spilled
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.0.lock().expect("nothing panics while it is held")
    }

    /// The process is about to do this; an error if it is dead by now.
    fn change(&self, operation: Operation) -> io::Result<()> {
        let mut process = self.process();
        if process.dead {
            return Err(killed());
        }
        if let Some(kill) = process
            .kill
            .filter(|kill| [operation, Operation::Any].contains(&kill.aim))
        {
            process.met += 1;
            process.dead = process.met == kill.number;
            if process.dead {
                return Err(killed());
            }
        }
        process.spilled += u64::from(operation == Operation::Spill);
        Ok(())
    }

    /// The process looks at something.
    fn look(&self) -> io::Result<()> {
        match self.is_dead() {
            true => Err(killed()),
            false => Ok(()),
        }
    }

    fn file(&self, path: &Path, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(MortalFile {
            disk: self.clone(),
            path: path.to_owned(),
            file,
        })
    }
}

fn killed() -> io::Error {
    io::Error::other("this process was killed")
}

/// What a write to this path is.
fn writing(path: &Path) -> Operation {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match name.starts_with("ledger-") {
        true => Operation::Record,
        false => Operation::Other,
    }
}

struct MortalFile {
    disk: MortalDisk,
    path: PathBuf,
    file: Box<dyn DiskFile>,
}

impl Write for MortalFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let was_dead = self.disk.is_dead();
        if let Err(error) = self.disk.change(writing(&self.path)) {
            if !was_dead && let Some(kill) = self.disk.process().kill {
                let part = bytes.len() * usize::from(kill.part) / 256;
                self.file.write_all(&bytes[..part])?;
            }
            return Err(error);
        }
        self.file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DiskFile for MortalFile {
    fn sync(&mut self) -> io::Result<()> {
        self.disk.change(Operation::Other)?;
        self.file.sync()
    }
}

impl Disk for MortalDisk {
    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.look()?;
        RealDisk.metadata(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        self.look()?;
        RealDisk.list(folder)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.look()?;
        RealDisk.read(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        self.look()?;
        RealDisk.open(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.change(Operation::Other)?;
        RealDisk.create_folder(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let is = |extension: &str| path.extension().is_some_and(|found| found == extension);
        self.change(if is("arrows") {
            Operation::Spill
        } else if is("staged") {
            Operation::Stage
        } else {
            Operation::Other
        })?;
        Ok(self.file(path, RealDisk.create(path)?))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.look()?;
        Ok(self.file(path, RealDisk.append(path)?))
    }

    fn overwrite(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(writing(path))?;
        RealDisk.overwrite(path, offset, bytes)
    }

    fn truncate(&self, path: &Path, bytes: u64) -> io::Result<()> {
        self.change(writing(path))?;
        RealDisk.truncate(path, bytes)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.change(Operation::Other)?;
        RealDisk.sync_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.change(Operation::Other)?;
        RealDisk.sync_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(Operation::Rename)?;
        RealDisk.rename(from, to)
    }

    fn copy_time(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(Operation::Other)?;
        RealDisk.copy_time(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change(Operation::Remove)?;
        RealDisk.remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.change(Operation::Remove)?;
        RealDisk.remove_folder(path)
    }

    fn open_lock(&self, path: &Path) -> io::Result<File> {
        self.change(Operation::Other)?;
        RealDisk.open_lock(path)
    }
}
