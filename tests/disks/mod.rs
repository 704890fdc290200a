//! Real disks that are full, read-only, somebody else's or led elsewhere by links: a clear error, and an archive as it was.

mod files;
mod full;
mod links;

use std::path::Path;

use crate::support::digest::{Tree, all_files};
use crate::support::folder::Folder;
use crate::support::lines;
use crate::support::run::{Diurnal, diurnal};

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
