//! A small file system in memory: a disk that can be made full, read-only, and taken away.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::skip;

/// A file system in memory, mounted at a folder until it is dropped.
pub struct Mounted(PathBuf);

impl Mounted {
    /// `None`, with a word, where this machine or user may not mount.
    pub fn at(folder: PathBuf, bytes: u64) -> Option<Self> {
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        match mount(&folder, &format!("size={bytes},mode=755")) {
            true => Some(Self(folder)),
            false => {
                skip("a file system can't be mounted here (root with CAP_SYS_ADMIN can)");
                None
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn remount(&self, options: &str) {
        assert!(self.try_remount(options), "remount,{options}");
    }

    /// False where the kernel refuses it: a file may be open for writing.
    pub fn try_remount(&self, options: &str) -> bool {
        mount(&self.0, &format!("remount,{options}"))
    }
}

fn mount(folder: &Path, options: &str) -> bool {
    let mut command = Command::new("mount");
    command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder);
    command.output().is_ok_and(|ran| ran.status.success())
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).output();
        if !std::thread::panicking() {
            assert!(
                unmounted.is_ok_and(|ran| ran.status.success()),
                "umount {}",
                self.0.display()
            );
        }
    }
}
