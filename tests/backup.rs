//! `diurnal backup`: a whole archive or nothing, while runs go on, and never a copy of damage.

use std::fs;

use diurnal::store::failpoint::BACKUP_STEPS;

use crate::support::digest::{Tree, all_files};
use crate::support::embedded::Embedded;
use crate::support::folder::Folder;
use crate::support::lines::{self, file_of};
use crate::support::produce::Record;
use crate::support::run::{Diurnal, diurnal};

/// A reject is part of what a backup keeps.
const BAD: &str = "m,host= v=1i 1592604000000000000\n";

/// Two archives are equal to the ledger when their commits are of the same second.
const CLOCK: (&str, &str) = ("DIURNAL_CLOCK", "1592700000");

/// A folder with an archive of two commits.
fn archive() -> Folder {
    let folder = Folder::new();
    let all = lines::telegraf(1, 6_000);
    folder.write("a.txt", file_of(&all[..3_000]) + BAD);
    folder.write("b.txt", file_of(&all[2_000..5_000]));
    folder.write("c.txt", file_of(&all[4_000..]));
    diurnal(&folder, "import").arg("a.txt").run().expect_code(3);
    diurnal(&folder, "import").arg("b.txt").run().expect_code(0);
    folder
}

fn verify(folder: &Folder, archive: &str) -> Diurnal {
    diurnal(folder, "verify").args(["--archive", archive])
}

fn tree(folder: &Folder, archive: &str) -> Tree {
    let mut tree = all_files(&folder.join(archive));
    tree.remove("_diurnal/lock");
    tree
}

#[test]
fn a_backup_equals_the_archive_verifies_and_takes_further_runs() {
    let folder = archive();
    fs::create_dir(folder.join("empty")).expect("a folder can be made");
    for dest in ["copy", "empty"] {
        let report = diurnal(&folder, "backup").arg(dest).report(0);
        assert_eq!((&report["commits"], &report["outcome"]), (&2.into(), &"done".into()));
        assert_eq!(tree(&folder, dest), tree(&folder, "archive"));
        verify(&folder, dest).run().expect_code(0);
    }
    for archive in ["archive", "copy"] {
        diurnal(&folder, "import")
            .args(["--archive", archive, "c.txt"])
            .env(CLOCK.0, CLOCK.1)
            .run()
            .expect_code(0);
    }
    assert_eq!(tree(&folder, "copy"), tree(&folder, "archive"));
    verify(&folder, "copy").run().expect_code(0);
}

#[test]
fn an_archive_run_goes_on_where_the_backup_was_made() {
    let broker = Embedded::start();
    broker.create_topic("t", 1);
    let send = |numbers: std::ops::Range<i64>| {
        let records: Vec<_> = numbers
            .map(|n| Record::new(0, format!("m v={n}i {}\n", 1_592_604_000_000_000_000 + n)))
            .collect();
        broker.send("t", &records);
    };
    let folder = Folder::new();
    let run = |archive: &str| {
        diurnal(&folder, "archive")
            .args(["--archive", archive, "--brokers", &broker.brokers(), "--topic", "t"])
            .env(CLOCK.0, CLOCK.1)
            .report(0)
    };
    send(0..100);
    run("archive");
    diurnal(&folder, "backup").arg("copy").run().expect_code(0);
    send(100..150);
    run("archive");
    let report = run("copy");
    assert_eq!(
        (&report["points"], &report["partitions"][0]["first"]),
        (&50.into(), &100.into())
    );
    assert_eq!(tree(&folder, "copy"), tree(&folder, "archive"));
}

#[test]
fn a_backup_is_made_while_a_run_holds_the_lock_and_holds_none_itself() {
    let folder = archive();
    let before = tree(&folder, "archive");
    let mut run = diurnal(&folder, "import")
        .arg("c.txt")
        .pause_at("commit-rename")
        .start();
    run.wait_for_step("commit-rename");
    // The record stands, its files wait in the staging folder.
    let report = diurnal(&folder, "backup").arg("during").report(0);
    assert_eq!(report["commits"], 3);
    let mut backup = diurnal(&folder, "backup")
        .arg("later")
        .pause_at("backup-file-copied")
        .start();
    backup.wait_for_step("backup-file-copied");
    run.resume();
    run.wait().expect_code(0);
    diurnal(&folder, "import").arg("a.txt").run();
    backup.resume();
    backup.wait().expect_code(0);
    for copy in ["during", "later"] {
        verify(&folder, copy).run().expect_code(0);
    }
    assert_eq!(
        tree(&folder, "during").get("cpu/2020-06-20.csv"),
        tree(&folder, "archive").get("cpu/2020-06-20.csv")
    );
    assert_ne!(tree(&folder, "during"), before);
}

#[test]
fn files_that_are_replaced_while_they_are_copied_are_copied_again() {
    let folder = archive();
    let mut backup = diurnal(&folder, "backup")
        .arg("copy")
        .pause_at("backup-file-copied")
        .start();
    backup.wait_for_step("backup-file-copied");
    diurnal(&folder, "import").arg("c.txt").run().expect_code(0);
    backup.resume();
    backup.wait().expect_code(0);
    assert_eq!(tree(&folder, "copy"), tree(&folder, "archive"));
    verify(&folder, "copy").run().expect_code(0);
}

#[test]
fn a_backup_killed_at_any_step_leaves_nothing_that_looks_like_an_archive_and_the_next_one_is_whole() {
    let folder = archive();
    let whole = tree(&folder, "archive");
    for step in BACKUP_STEPS {
        let dest = format!("copy-{step}");
        let ran = diurnal(&folder, "backup").arg(&dest).fail_at(step).run();
        assert!(ran.was_killed(), "{step} was not reached");
        if folder.join(&dest).exists() {
            assert!(["backup-renamed", "backup-done"].contains(step), "{step}");
            assert_eq!(tree(&folder, &dest), whole, "{step}");
            continue;
        }
        let said = diurnal(&folder, "status")
            .args(["--archive", &dest])
            .run()
            .expect_code(1);
        assert!(said.stderr.contains("no archive"), "{step}");
        diurnal(&folder, "backup").arg(&dest).run().expect_code(0);
        assert_eq!(tree(&folder, &dest), whole, "{step}");
    }
    let names = fs::read_dir(folder.path()).expect("a folder can be listed");
    let left: Vec<_> = names
        .map(|entry| entry.expect("it can be listed").file_name())
        .filter(|name| name.to_string_lossy().starts_with('.'))
        .collect();
    assert_eq!(left, [""; 0]);
    assert_eq!(tree(&folder, "archive"), whole);
}

#[test]
fn a_second_backup_to_the_same_place_exits_4_and_one_that_is_stopped_leaves_nothing() {
    let folder = archive();
    let mut first = diurnal(&folder, "backup")
        .arg("copy")
        .pause_at("backup-file-copied")
        .start();
    first.wait_for_step("backup-file-copied");
    diurnal(&folder, "backup")
        .arg("copy")
        .run()
        .expect_code(4)
        .expect_said("another backup");
    first.terminate();
    first.resume();
    first.wait().expect_code(1).expect_said("stopped");
    let hidden = folder.join(".copy.diurnal-backup");
    assert!(!folder.join("copy").exists() && !hidden.exists());
}

#[test]
fn of_a_damaged_archive_no_backup_is_made() {
    let folder = archive();
    folder.leaves_damaged("archive");
    let path = folder.join("archive/cpu/2020-06-19.parquet");
    let mut bytes = fs::read(&path).expect("a day file");
    bytes[1_000] ^= 1;
    fs::write(&path, bytes).expect("a test can write into its folder");
    let report = diurnal(&folder, "backup").arg("copy").report(1);
    assert_eq!(report["findings"][0]["object"], "cpu/2020-06-19.parquet");
    let ran = diurnal(&folder, "backup").arg("copy").run().expect_code(1);
    assert!(ran.stderr.contains("cpu/2020-06-19.parquet") && ran.stderr.contains("no backup was made"));
    assert!(!folder.join("copy").exists() && !folder.join(".copy.diurnal-backup").exists());
}

#[test]
fn a_place_inside_the_archive_or_in_use_is_refused() {
    let folder = archive();
    std::os::unix::fs::symlink(folder.archive(), folder.join("link")).expect("a link can be made");
    fs::create_dir(folder.join("full")).expect("a folder can be made");
    folder.write("full/precious.txt", "");
    let whole = tree(&folder, "archive");
    for dest in [
        "archive/copy",
        "archive/cpu/copy",
        "link/copy",
        "archive",
        "link",
        "full",
        "a.txt",
        "nowhere/copy",
        "..",
        ".",
    ] {
        diurnal(&folder, "backup")
            .arg(dest)
            .run()
            .expect_code(2)
            .expect_said(dest.trim_end_matches('.'));
    }
    assert_eq!(tree(&folder, "archive"), whole);
    let none = Folder::new();
    diurnal(&none, "backup")
        .arg("copy")
        .run()
        .expect_code(1)
        .expect_said("no archive");
    assert_eq!(
        fs::read_dir(none.path()).expect("it is there").count(),
        1,
        "only the log of the test's own steps"
    );
}
