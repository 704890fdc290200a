//! The simulated disk with a shadow on a real one: commands read day files by path, past the disk that they are given.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::store::disk::{Disk, DiskFile, Metadata};
use crate::store::tests::sim::{Left, SimDisk};

/// Whatever the simulated disk does is done in a real folder too. Reads past this disk see the one, a power cut the other.
#[derive(Clone, Debug)]
pub struct MirrorDisk {
    sim: SimDisk,
    /// The real folder; nothing above it changes.
    root: PathBuf,
}

impl MirrorDisk {
    /// A disk on which there is nothing below the real folder `root`, which exists.
    pub fn new(root: &Path) -> Self {
        let sim = SimDisk::new();
        let above: Vec<&Path> = root.ancestors().collect();
        for folder in above.into_iter().rev().skip(1) {
            sim.create_folder(folder).expect("a folder");
            sim.sync_folder(folder.parent().expect("a parent"))
                .expect("a durable folder");
        }
        Self::of(sim, root)
    }

    fn of(sim: SimDisk, root: &Path) -> Self {
        let disk = Self {
            sim,
            root: root.to_owned(),
        };
        for entry in fs::read_dir(root).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => fs::remove_dir_all(path).expect("it can be removed"),
                false => fs::remove_file(path).expect("it can be removed"),
            }
        }
        for path in disk.sim.paths() {
            if path.starts_with(root) {
                disk.mirror(&path);
            }
        }
        disk
    }

    /// What counts operations and has troubles.
    pub fn sim(&self) -> &SimDisk {
        &self.sim
    }

    /// The same disk once more, in the same real folder, in place of what is there.
    pub fn copy(&self) -> Self {
        Self::of(self.sim.copy(), &self.root)
    }

    /// The disk after a power cut, in the same real folder.
    pub fn reboot(&self, left: Left) -> Self {
        Self::of(self.sim.reboot(left), &self.root)
    }

    /// Has the real disk show what the simulated one has at a path.
    fn mirror(&self, path: &Path) {
        let shown = match self.sim.peek(path) {
            Some(Some(data)) => fs::write(path, data),
            Some(None) if path.is_dir() => Ok(()),
            Some(None) => fs::create_dir(path),
            None if path.is_dir() => fs::remove_dir(path),
            None if path.exists() => fs::remove_file(path),
            None => Ok(()),
        };
        shown.unwrap_or_else(|error| panic!("the real disk: {}: {error}", path.display()));
    }

    /// Shows what became of `path`, whether it was done or failed.
    fn done<T>(&self, path: &Path, done: T) -> T {
        self.mirror(path);
        done
    }

    fn file(&self, path: &Path, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(MirrorFile {
            disk: self.clone(),
            path: path.to_owned(),
            file,
        })
    }
}

struct MirrorFile {
    disk: MirrorDisk,
    path: PathBuf,
    file: Box<dyn DiskFile>,
}

impl Write for MirrorFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes);
        self.disk.done(&self.path, written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DiskFile for MirrorFile {
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}

impl Disk for MirrorDisk {
    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.sim.metadata(path)
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<Option<u64>> {
        self.sim.free_bytes(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        self.sim.list(folder)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.sim.read(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        self.sim.open(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.done(path, self.sim.create_folder(path))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.done(path, self.sim.create(path)).map(|file| self.file(path, file))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.sim.append(path).map(|file| self.file(path, file))
    }

    fn overwrite(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.done(path, self.sim.overwrite(path, offset, bytes))
    }

    fn truncate(&self, path: &Path, bytes: u64) -> io::Result<()> {
        self.done(path, self.sim.truncate(path, bytes))
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.sim.sync_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.sim.sync_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let renamed = self.sim.rename(from, to);
        // A rename that is left out says that all is well, too.
        if renamed.is_ok() && self.sim.peek(from).is_none() {
            fs::rename(from, to).expect("the real disk can do what the other did");
        }
        renamed
    }

    fn copy_time(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.sim.copy_time(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.done(path, self.sim.remove_file(path))
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.done(path, self.sim.remove_folder(path))
    }

    fn open_lock(&self, path: &Path) -> io::Result<File> {
        self.sim.open_lock(path)
    }

    fn now(&self) -> SystemTime {
        self.sim.now()
    }
}
