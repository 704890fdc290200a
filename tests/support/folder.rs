//! A fresh folder for each test, gone when the test ends: not before real DuckDB has read every archive in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

use super::reader::{archives_in, expect_duckdb_reads, is_cut_short};
use super::run::diurnal;

/// A test's own folder: the binary runs in it, and the archive is `archive/` in it.
pub struct Folder {
    dir: TempDir,
    /// Archives that DuckDB is not to read at the end.
    damaged: Mutex<Vec<PathBuf>>,
}

impl Folder {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("diurnal-test-")
            .tempdir()
            .expect("a temporary folder can be made");
        Self {
            dir,
            damaged: Mutex::default(),
        }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The path of `name` in the folder.
    pub fn join(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The archive that runs in this folder make unless told otherwise.
    pub fn archive(&self) -> PathBuf {
        self.join("archive")
    }

    /// Says that the test damages this archive of the folder on purpose, so that no reader has to understand it.
    pub fn leaves_damaged(&self, archive: &str) {
        let mut damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        damaged.push(self.join(archive));
    }

    /// Has DuckDB read the archives that are meant to be whole.
    fn read_every_archive(&self) {
        let damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        let is_whole = |archive: &PathBuf| !damaged.contains(archive);
        for archive in archives_in(self.path()).into_iter().filter(is_whole) {
            if is_cut_short(&archive) {
                let recovery = diurnal(self, "import").arg("--archive").arg(&archive);
                recovery.args(["-q", "-"]).run().expect_code(0);
            }
            expect_duckdb_reads(&archive);
        }
    }

    /// Writes a file and gives its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, content).expect("a test can write into its folder");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A test that fails says enough.
        if !std::thread::panicking() {
            self.read_every_archive();
        }
    }
}

/// A folder in memory where the system has one: for thousands of cases of a test in which no disk takes part.
pub fn in_memory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    folder.expect("a temporary folder can be made")
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("a folder can be listed") {
        let entry = entry.expect("a folder can be listed");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}
