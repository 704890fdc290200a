//! The local folder in which a run works on an archive in a bucket, and those that killed runs left.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::store::lock::host;

/// Begins the name of every such folder, before the name of the machine.
const PREFIX: &str = "diurnal-bucket-";

/// How often a folder is made that another run takes for one that was left, in the moment before it is locked.
const TRIES: usize = 100;

/// A run's own folder below `TMPDIR`, removed with this value. As long as the process lives it is locked, which tells it from what a killed
/// one left.
#[derive(Debug)]
pub(super) struct Mirror {
    folder: TempDir,
    /// `None` where the file system has no locks: then nothing is ever taken for left there.
    lock: Option<File>,
}

impl Mirror {
    /// Makes one, and removes those that killed runs of the same user left.
    ///
    /// # Errors
    /// No folder can be made there.
    pub fn make() -> Result<Self> {
        let place = std::env::temp_dir();
        let mirror = Self::make_in(&place).map_err(|error| {
            Error::io(&place, "make a temporary folder", &error)
                .hint("what a run needs of a bucket is kept there; TMPDIR names another place")
        })?;
        if mirror.lock.is_some() {
            mirror.remove_left(&place);
        }
        Ok(mirror)
    }

    fn make_in(place: &Path) -> io::Result<Self> {
        for _ in 0..TRIES {
            let folder = tempfile::Builder::new().prefix(&prefix()).tempdir_in(place)?;
            let lock = match lock(folder.path()) {
                Ok(lock) => Some(lock),
                Err(TryLockError::Error(error)) if error.kind() != io::ErrorKind::NotFound => None,
                Err(_) => continue,
            };
            // It may have been removed before it was locked; from here on it is not.
            if folder.path().symlink_metadata().is_ok() {
                return Ok(Self { folder, lock });
            }
        }
        Err(io::Error::other(format!(
            "{TRIES} folders were removed as soon as they were made"
        )))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Only room is lost by what stays.
    fn remove_left(&self, place: &Path) {
        let Ok(own) = self.path().symlink_metadata() else {
            return;
        };
        for path in mirrors(place) {
            let of_same_user = |path: &Path| {
                let found = path.symlink_metadata();
                found.is_ok_and(|found| found.is_dir() && found.uid() == own.uid())
            };
            if path == self.path() || !of_same_user(&path) {
                continue;
            }
            if let Ok(_lock) = lock(&path) {
                match fs::remove_dir_all(&path) {
                    Ok(()) => log::debug!("removed {}, left by a run that was killed", path.display()),
                    Err(error) => log::debug!("{}: can't be removed: {error}", path.display()),
                }
            }
        }
    }
}

/// Begins the names of this machine's. `TMPDIR` may be on a file system that several share, and not all of those share locks.
fn prefix() -> String {
    match host() {
        Some(host) => format!("{PREFIX}{host}-"),
        None => PREFIX.to_owned(),
    }
}

/// The folders of this machine's runs in this one.
fn mirrors(place: &Path) -> Vec<PathBuf> {
    let prefix = prefix();
    let is_mirror = |name: &str| {
        // A host's name may be the beginning of another one's.
        let random = name.strip_prefix(&prefix);
        random.is_some_and(|random| random.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    };
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_mirror));
    named.map(|entry| entry.path()).collect()
}

fn lock(folder: &Path) -> Result<File, TryLockError> {
    let folder = File::open(folder).map_err(TryLockError::Error)?;
    folder.try_lock()?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_is_removed_and_what_is_in_use_or_something_else_stays() {
        let place = tempfile::tempdir().unwrap();
        let in_use = Mirror::make_in(place.path()).unwrap();
        let left = Mirror::make_in(place.path()).unwrap();
        fs::create_dir(left.path().join("cpu")).unwrap();
        fs::write(left.path().join("cpu/2020-06-19.csv"), "time\n").unwrap();
        // As a kill leaves it: the folder there, its lock gone.
        let killed = left.folder.keep();
        left.lock.unwrap().unlock().unwrap();
        let [other, elsewhere] = ["other", "diurnal-bucket-another-machine-abc"].map(|name| place.path().join(name));
        fs::create_dir(&other).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        let [file, link] = ["file", "link"].map(|name| place.path().join(prefix() + name));
        fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&other, &link).unwrap();

        let next = Mirror::make_in(place.path()).unwrap();
        next.remove_left(place.path());
        assert!(!killed.exists());
        for kept in [in_use.path(), next.path(), &other, &elsewhere, &file, &link] {
            assert!(kept.exists(), "{}", kept.display());
        }
        let gone = next.path().to_owned();
        drop(next);
        assert!(!gone.exists());
    }

    #[test]
    fn runs_that_begin_at_the_same_time_keep_their_folders() {
        let place = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let mirror = Mirror::make_in(place.path()).unwrap();
                        mirror.remove_left(place.path());
                        fs::write(mirror.path().join("ledger"), "").unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
