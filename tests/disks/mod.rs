//! Real disks that are full, read-only, somebody else's or led elsewhere by links: a clear error, and an archive as it was.

mod files;
mod full;
mod links;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::digest::{Tree, all_files};
use crate::support::folder::Folder;
use crate::support::lines;
use crate::support::run::{Diurnal, diurnal};
use crate::support::skip;

/// A small file system in memory, mounted at a folder until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// `None`, with a word, where this machine or user may not mount.
    fn at(folder: PathBuf, bytes: u64) -> Option<Self> {
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        match mount(&folder, &format!("size={bytes},mode=755")) {
            true => Some(Self(folder)),
            false => {
                skip("a file system can't be mounted here (root with CAP_SYS_ADMIN can)");
                None
            }
        }
    }

    fn remount(&self, options: &str) {
        assert!(mount(&self.0, &format!("remount,{options}")), "remount,{options}");
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

/// Lines of two commits for the same days, in the test's folder.
fn write_lines(folder: &Folder, count: usize) {
    let all = lines::telegraf(7, count);
    let (first, later): (Vec<_>, Vec<_>) = all.iter().cloned().enumerate().partition(|(at, _)| at % 2 == 0);
    let text = |part: Vec<(usize, _)>| lines::file_of(&part.into_iter().map(|(_, line)| line).collect::<Vec<_>>());
    folder.write("first.txt", text(first));
    folder.write("later.txt", text(later));
}

fn run(folder: &Folder, archive: &Path, subcommand: &str) -> Diurnal {
    diurnal(folder, subcommand).arg("--archive").arg(archive)
}

fn import(folder: &Folder, archive: &Path, file: &str) -> Diurnal {
    run(folder, archive, "import").arg(file)
}

/// What an archive holds, without the lock, whose text is for people.
fn tree(archive: &Path) -> Tree {
    let mut tree = all_files(archive);
    tree.remove("_diurnal/lock");
    tree
}
