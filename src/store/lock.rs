//! One run at a time: the lock on `_diurnal/lock`, which the operating system drops with its process.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::Path;

use super::disk::{Disk, Kind};
use crate::error::{Error, Result};

/// More than a process id and a host name have; the rest of a longer file is no answer.
const MAX_HOLDER_BYTES: u64 = 300;

/// The lock of an archive, held until dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock at once or says who has it. The text in the file is for people: it never decides.
    pub fn take(disk: &dyn Disk, path: &Path) -> Result<Self> {
        match disk.metadata(path) {
            Ok(found) if found.kind != Kind::File => {
                return Err(
                    Error::new(path.display(), "is not a regular file, so it is no lock of diurnal")
                        .hint("remove it and run again"),
                );
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(path, "look at the lock", &error)),
        }
        let mut file = disk
            .open_lock(path)
            .map_err(|error| Error::io(path, "open the lock", &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held_by(&file, path)),
            Err(TryLockError::Error(error)) => {
                return Err(Error::io(path, "lock the archive", &error)
                    .hint("the archive's file system must support file locks (NFS: mount it with locking)"));
            }
        }
        let written = file.set_len(0).and_then(|()| match host() {
            Some(host) => write!(file, "{} {host}", std::process::id()),
            None => write!(file, "{}", std::process::id()),
        });
        match written {
            // A full disk has no room for a word to others, but a run may need none, or make some.
            Err(error) if !matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                Err(Error::io(path, "write the lock", &error))
            }
            _ => Ok(Self { file }),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A process id that holds nothing must not be read as the holder's. Nothing depends on it.
        let _ = self.file.set_len(0);
        // Closing would do, but for a child process that another thread is starting and that has the file still open.
        let _ = self.file.unlock();
    }
}

/// This machine's name, where it has one that can stand in a message: an archive may be held from another one.
pub(super) fn host() -> Option<String> {
    #[cfg(target_os = "linux")]
    let name = rustix::system::uname().nodename().to_str().ok().map(str::to_owned);
    #[cfg(not(target_os = "linux"))]
    let name = None::<String>;
    name.filter(|name| is_host(name))
}

/// Whether a text can be a host name: it stands in a file that anyone may have written.
fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

fn held_by(file: &File, path: &Path) -> Error {
    let mut text = String::new();
    let holder = match file.take(MAX_HOLDER_BYTES).read_to_string(&mut text) {
        Ok(_) => holder(&text),
        Err(_) => None,
    };
    let cause = match holder {
        Some((pid, Some(there))) if host().as_deref() != Some(there) => {
            format!("another run holds the archive: process {pid} on {there}")
        }
        Some((pid, _)) => format!("another run holds the archive: process {pid}"),
        None => "another run holds the archive".to_string(),
    };
    Error::locked(path.display(), cause).hint("wait for it to end, then run again")
}

/// The process and, since that is written, the machine that a lock's text names.
fn holder(text: &str) -> Option<(u32, Option<&str>)> {
    let mut words = text.split_whitespace();
    let pid = words.next()?.parse().ok()?;
    Some((pid, words.next().filter(|host| is_host(host))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind as Failed;
    use crate::store::disk::RealDisk;

    #[test]
    fn a_second_run_is_told_the_holders_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = Lock::take(&RealDisk, &path).unwrap();
        let refused = Lock::take(&RealDisk, &path).unwrap_err();
        assert_eq!(refused.kind(), Failed::Locked);
        assert!(
            refused
                .to_string()
                .ends_with(&format!("process {}", std::process::id())),
            "{refused}"
        );
        drop(held);
        Lock::take(&RealDisk, &path).unwrap();
    }

    #[test]
    fn a_process_id_left_behind_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        std::fs::write(&path, "123456789 and more than that").unwrap();
        let _held = Lock::take(&RealDisk, &path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(holder(&text), Some((std::process::id(), host().as_deref())));
    }

    #[test]
    fn a_run_on_another_machine_is_told_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let elsewhere = File::create(&path).unwrap();
        elsewhere.lock().unwrap();
        for (text, told) in [
            ("4711 metrics-2.example.org", ": process 4711 on metrics-2.example.org"),
            ("4711", ": process 4711"),
            ("4711 \u{1b}[31mred", ": process 4711"),
            ("somebody", "another run holds the archive"),
            ("", "another run holds the archive"),
        ] {
            std::fs::write(&path, text).unwrap();
            let refused = Lock::take(&RealDisk, &path).unwrap_err();
            assert_eq!(refused.kind(), Failed::Locked);
            assert!(refused.to_string().ends_with(told), "{refused}");
        }
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        std::fs::write(&elsewhere, "precious").unwrap();
        let path = folder.path().join("lock");
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(Lock::take(&RealDisk, &path).is_err());
        assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "precious");
    }
}
