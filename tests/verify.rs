//! `diurnal verify` finds what is wrong with an archive and names it; `diurnal status` shows what is there.

use std::fs;
use std::path::Path;

use crate::support::digest::all_files;
use crate::support::embedded::Embedded;
use crate::support::folder::Folder;
use crate::support::ledger::{ledger, line_around};
use crate::support::lines;
use crate::support::produce::Record;
use crate::support::run::{Ran, diurnal};

/// An archive of two days and two measurements, with a reject.
fn archive() -> Folder {
    let folder = Folder::new();
    let mut text = lines::file_of(&lines::telegraf(5, 4_600));
    text.push_str("m,host= v=1i 1592604000000000000\n");
    folder.write("lines.txt", text);
    diurnal(&folder, "import").arg("lines.txt").run().expect_code(3);
    folder
}

/// The archive's files whose path starts with `prefix`; there must be one.
fn files(folder: &Folder, prefix: &str) -> Vec<String> {
    let found: Vec<_> = all_files(&folder.archive())
        .into_keys()
        .filter(|path| path.starts_with(prefix))
        .collect();
    assert!(!found.is_empty(), "no file {prefix}*");
    found
}

#[test]
fn an_archive_whose_last_commit_waits_to_be_completed_is_found_good() {
    let folder = archive();
    folder.write("late.txt", lines::file_of(&lines::telegraf(6, 500)));
    let killed = diurnal(&folder, "import")
        .arg("late.txt")
        .fail_at("commit-record-synced")
        .run();
    assert!(killed.was_killed());
    let status = diurnal(&folder, "status").arg("--json").run().expect_code(0);
    assert_eq!(status.json()["recovery_pending"], true);
    diurnal(&folder, "verify").run().expect_code(0);
}

fn flip(path: &Path, byte: usize, bit: u8) {
    let mut bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    bytes[byte] ^= 1 << bit;
    fs::write(path, bytes).expect("a test can write into its folder");
}

/// Verify fails and names the file by its last part.
fn expect_found(folder: &Folder, path: &Path) -> Ran {
    let name = path.file_name().expect("it is a file").to_string_lossy().into_owned();
    diurnal(folder, "verify").run().expect_code(1).expect_said(&name)
}

#[test]
fn a_good_archive_is_found_good() {
    let folder = archive();
    let before = all_files(&folder.archive());
    diurnal(&folder, "verify").run().expect_code(0);
    assert_eq!(all_files(&folder.archive()), before, "verify changes nothing");
}

#[test]
fn a_flipped_bit_is_found_in_every_kind_of_file_and_at_every_place() {
    let folder = archive();
    for path in [
        "cpu/2020-06-19.parquet",
        "mem/2020-06-20.parquet",
        "cpu/2020-06-20.csv",
        "_diurnal/schema/cpu.toml",
        "_diurnal/ledger-000001.jsonl",
        &files(&folder, "_diurnal/rejects/")[0],
    ] {
        let path = folder.archive().join(path);
        let good = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for (place, bit) in [
            (0, 0),
            (4, 7),
            (good.len() / 3, 3),
            (good.len() / 2, 1),
            (good.len() - 1, 6),
        ] {
            flip(&path, place, bit);
            expect_found(&folder, &path);
            fs::write(&path, &good).expect("a test can write into its folder");
        }
    }
    diurnal(&folder, "verify").run().expect_code(0);
}

#[test]
fn a_file_that_was_cut_off_or_has_grown_is_found() {
    let folder = archive();
    for path in ["cpu/2020-06-19.parquet", "cpu/2020-06-19.csv"] {
        let path = folder.archive().join(path);
        let good = fs::read(&path).expect("a day file");
        for changed in [&good[..good.len() - 1], &[], &[&good[..], b"\n"].concat()] {
            fs::write(&path, changed).expect("a test can write into its folder");
            expect_found(&folder, &path);
        }
        fs::write(&path, &good).expect("a test can write into its folder");
    }
    diurnal(&folder, "verify").run().expect_code(0);
}

#[test]
fn a_missing_file_is_found() {
    let folder = archive();
    for path in [
        "cpu/2020-06-19.csv",
        "mem/2020-06-19.parquet",
        "_diurnal/schema/mem.toml",
    ] {
        let (path, aside) = (folder.archive().join(path), folder.join("aside"));
        fs::rename(&path, &aside).expect("a file can be moved");
        expect_found(&folder, &path);
        fs::rename(&aside, &path).expect("a file can be moved");
    }
    diurnal(&folder, "verify").run().expect_code(0);
}

#[test]
fn a_foreign_file_is_found() {
    let folder = archive();
    for path in [
        "cpu/2020-06-21.parquet",
        "notes.txt",
        "_diurnal/extra",
        "strange/2020-06-19.csv",
    ] {
        let path = folder.archive().join(path);
        fs::create_dir_all(path.parent().expect("it has one")).expect("a folder can be made");
        fs::write(&path, "foreign").expect("a test can write into its folder");
        expect_found(&folder, &path);
        fs::remove_file(&path).expect("a file can be removed");
    }
}

#[test]
fn days_whose_files_were_swapped_are_found() {
    let folder = archive();
    folder.leaves_damaged("archive");
    let [one, other] = ["cpu/2020-06-19.csv", "cpu/2020-06-20.csv"].map(|path| folder.archive().join(path));
    let aside = folder.join("aside");
    for (from, to) in [(&one, &aside), (&other, &one), (&aside, &other)] {
        fs::rename(from, to).expect("a file can be moved");
    }
    expect_found(&folder, &one);
}

#[test]
fn every_finding_is_said_not_only_the_first() {
    let folder = archive();
    folder.leaves_damaged("archive");
    let paths = ["cpu/2020-06-19.parquet", "mem/2020-06-20.csv"].map(|path| folder.archive().join(path));
    for path in &paths {
        flip(path, 100, 0);
    }
    expect_found(&folder, &paths[0]).expect_said("2020-06-20.csv");
}

#[test]
fn a_damaged_archive_is_not_written_to() {
    let folder = archive();
    folder.leaves_damaged("archive");
    flip(&folder.join("archive/_diurnal/ledger-000001.jsonl"), 50, 2);
    let before = all_files(&folder.archive());
    diurnal(&folder, "import")
        .arg("lines.txt")
        .run()
        .expect_code(1)
        .expect_said("ledger");
    assert_eq!(all_files(&folder.archive()), before);
}

#[test]
fn a_hole_and_an_overlap_in_the_offsets_are_found() {
    let broker = Embedded::start();
    broker.create_topic("t", 1);
    let folder = Folder::new();
    for first in [0, 10] {
        let records: Vec<_> = (first..first + 10)
            .map(|n| Record::new(0, format!("m v={n}i 15926040000000000{n:02}\n")))
            .collect();
        broker.send("t", &records);
        diurnal(&folder, "archive")
            .args(["--brokers", &broker.brokers(), "--topic", "t"])
            .run()
            .expect_code(0);
    }
    let (path, lines) = ledger(&folder);
    let [first, second] = &lines[..] else {
        panic!("{} commits", lines.len())
    };
    let commit = second.split_once(r#""commit":"#).expect("a commit").1;
    let commit = commit.strip_suffix('}').expect("the line's own brace");
    assert_eq!(
        &line_around(commit, first),
        second,
        "the test knows the ledger's format"
    );

    for (what, start, messages) in [("hole", 11, 9), ("overlap", 9, 11)] {
        let crafted = commit
            .replace(r#""first":10,"#, &format!(r#""first":{start},"#))
            .replace(r#""messages":10,"#, &format!(r#""messages":{messages},"#));
        assert_ne!(crafted, commit);
        fs::write(&path, format!("{first}\n{}\n", line_around(&crafted, first))).expect("it can be written");
        diurnal(&folder, "verify").run().expect_code(1).expect_said(what);
    }
}

#[test]
fn status_shows_days_and_offsets() {
    let broker = Embedded::start();
    broker.create_topic("t", 2);
    broker.send("t", &[Record::new(1, "m v=1i 1592604000000000000\n")]);
    let folder = Folder::new();
    diurnal(&folder, "archive")
        .args(["--brokers", &broker.brokers(), "--topic", "t"])
        .run()
        .expect_code(0);
    let ran = diurnal(&folder, "status").run().expect_code(0);
    for word in ["m", "2020-06-19", "t"] {
        assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
    }
    let json = diurnal(&folder, "status").arg("--json").run().expect_code(0).json();
    assert_eq!(json["command"], "status");
}

#[test]
fn status_and_verify_of_no_archive_say_so() {
    let folder = Folder::new();
    for command in ["status", "verify"] {
        diurnal(&folder, command).run().expect_code(1).expect_said("archive");
        assert!(!folder.archive().exists(), "{command} makes nothing");
    }
}

#[test]
fn an_archive_of_a_later_format_is_refused() {
    let folder = archive();
    folder.leaves_damaged("archive");
    let path = folder.join("archive/_diurnal/archive.toml");
    let text = fs::read_to_string(&path).expect("archive.toml");
    let later = text.replace("format = 1", "format = 2");
    assert_ne!(later, text);
    fs::write(&path, later).expect("a test can write into its folder");
    for command in ["status", "verify"] {
        diurnal(&folder, command).run().expect_code(1);
    }
    diurnal(&folder, "import").arg("lines.txt").run().expect_code(1);
}

#[test]
fn a_flag_that_disagrees_with_the_archive_is_refused() {
    let folder = archive();
    diurnal(&folder, "import")
        .args(["--timezone", "Europe/Berlin", "lines.txt"])
        .run()
        .expect_code(2)
        .expect_said("Europe/Berlin");
}
