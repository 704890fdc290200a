//! A fresh folder for each test, gone when the test ends.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A test's own folder: the binary runs in it, and the archive is `archive/` in it.
pub struct Folder {
    dir: TempDir,
}

impl Folder {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("diurnal-test-")
            .tempdir()
            .expect("a temporary folder can be made");
        Self { dir }
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

    /// Writes a file and gives its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, content).expect("a test can write into its folder");
        path
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
