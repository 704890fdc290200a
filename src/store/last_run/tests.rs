//! The file is written whole or not at all, and whatever stands in its place is no error.

use std::io::ErrorKind;
use std::sync::Arc;

use super::*;
use crate::store::tests::sim::{Left, SimDisk, Trouble};
use crate::store::{Requested, check_files};

const DIR: &str = "/data/archive";
const FILE: &str = "/data/archive/_diurnal/last-run.json";

fn open(disk: &SimDisk) -> Store {
    Store::open_on(Arc::new(disk.clone()), Path::new(DIR), &Requested::default()).unwrap()
}

fn times(disk: &SimDisk) -> RunTimes {
    read(disk, &Layout::new(Path::new(DIR)))
}

fn note(command: &'static str, is_well: bool) -> RunNote {
    RunNote {
        command,
        outcome: if is_well { "done" } else { "incomplete" }.to_owned(),
        exit_code: u8::from(!is_well),
        is_well,
        read: Vec::new(),
    }
}

fn key(partition: i32) -> SourceKey {
    SourceKey {
        cluster_id: "c".to_owned(),
        topic_id: Some("a".to_owned()),
        topic: "t".to_owned(),
        partition,
    }
}

#[test]
fn each_command_keeps_the_time_of_its_last_good_run() {
    let mut known = RunTimes::default();
    known.note(note("archive", true), "1".to_owned(), |_| true);
    known.note(note("import", true), "2".to_owned(), |_| true);
    known.note(note("archive", false), "3".to_owned(), |_| true);
    let well: Vec<(&str, &str)> = known
        .well
        .iter()
        .map(|(name, at)| (name.as_str(), at.as_str()))
        .collect();
    assert_eq!(well, [("archive", "1"), ("import", "2")]);
    let last = known.last.unwrap();
    assert_eq!(
        (last.command.as_str(), last.exit_code, last.at.as_str()),
        ("archive", 1, "3")
    );
}

#[test]
fn partitions_keep_the_time_at_which_they_were_read_last_as_long_as_the_ledger_knows_them() {
    let mut known = RunTimes::default();
    let read = |partitions: &[i32]| RunNote {
        read: partitions.iter().copied().map(key).collect(),
        ..note("archive", true)
    };
    let up_to_2 = |key: &SourceKey| key.partition <= 2;
    known.note(read(&[2, 0, 9]), "1".to_owned(), up_to_2);
    known.note(read(&[0, 1]), "2".to_owned(), up_to_2);
    let at = |known: &RunTimes| [0, 1, 2, 9].map(|number| known.read_at(&key(number)).map(str::to_owned));
    let times = |texts: [&str; 4]| texts.map(|text| (!text.is_empty()).then(|| text.to_owned()));
    assert_eq!(at(&known), times(["2", "2", "1", ""]));
    known.note(read(&[]), "3".to_owned(), |key| key.partition == 1);
    assert_eq!(at(&known), times(["", "2", "", ""]));
}

#[test]
fn a_trouble_at_any_operation_leaves_what_was_known_or_what_is_and_an_archive_that_is_well() {
    let disk = SimDisk::new();
    let store = open(&disk);
    store.note_run(note("import", true)).unwrap();
    let before = times(&disk);
    disk.expect(Trouble::Nothing);
    store.note_run(note("archive", false)).unwrap();
    let after = times(&disk);
    assert_ne!(before, after);
    assert_eq!(after.last.clone().unwrap().at, "2020-06-20T00:00:00Z");
    let operations = disk.log().len();
    assert!(operations > 4);
    drop(store);
    for at in 0..operations {
        for trouble in [
            Trouble::Crash(at),
            Trouble::Fail(at, ErrorKind::StorageFull),
            Trouble::Short(at),
        ] {
            let disk = SimDisk::new();
            let store = open(&disk);
            store.note_run(note("import", true)).unwrap();
            // An archive without a commit need not be durable yet; here it is.
            for folder in [DIR, "/data/archive/_diurnal"] {
                disk.sync_folder(Path::new(folder)).unwrap();
            }
            disk.expect(trouble);
            let noted = store.note_run(note("archive", false));
            drop(store);
            disk.expect(Trouble::Nothing);
            if noted.is_ok() && !matches!(trouble, Trouble::Fail(..)) {
                assert_eq!(times(&disk), after);
            }
            for left in [None, Some(Left::Nothing), Some(Left::All), Some(Left::Some(at as u64))] {
                let disk = left.map_or_else(|| disk.copy(), |left| disk.reboot(left));
                let found = times(&disk);
                // What can't be read is unknown, and that is all: a file is never half there.
                let is_either = found == before || found == after || {
                    let forgot = RunTimes {
                        well: BTreeMap::new(),
                        ..after.clone()
                    };
                    matches!(trouble, Trouble::Fail(..)) && found == forgot
                };
                assert!(is_either, "{trouble:?}, {left:?}: {found:?}");
                let archive = Archive::read_on(Arc::new(disk.clone()), Path::new(DIR)).unwrap();
                assert_eq!((archive.pending(), check_files(&archive)), (None, Vec::new()));
                open(&disk);
                let debris = |path: &std::path::PathBuf| path.to_string_lossy().contains(STAGED_SUFFIX);
                assert!(
                    !disk.paths().iter().any(debris),
                    "{trouble:?}, {left:?}: {:?}",
                    disk.paths()
                );
            }
        }
    }
}

#[test]
fn what_is_not_such_a_file_means_that_nothing_is_known_and_is_replaced() {
    for (what, bytes) in [
        ("nothing", &b""[..]),
        ("half a file", br#"{"last":{"command":"ar"#),
        ("something else", b"[1,2,3]"),
        ("no text", b"\xff\xfe\x00"),
        ("another type", br#"{"well":7}"#),
    ] {
        let disk = SimDisk::new();
        let store = open(&disk);
        disk.put(FILE, bytes);
        assert_eq!(times(&disk), RunTimes::default(), "{what}");
        store.note_run(note("import", true)).unwrap();
        assert_eq!(times(&disk).well.len(), 1, "{what}");
    }
}

#[test]
fn keys_of_a_later_version_are_no_reason_to_know_nothing() {
    let disk = SimDisk::new();
    let _store = open(&disk);
    disk.put(FILE, br#"{"well":{"archive":"2026-11-23T18:40:00Z"},"weather":"fine"}"#);
    assert_eq!(times(&disk).well["archive"], "2026-11-23T18:40:00Z");
}

#[test]
fn a_link_is_neither_read_nor_followed() {
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside");
    std::fs::write(&outside, r#"{"well":{"archive":"made up"}}"#).unwrap();
    let archive = folder.path().join("archive");
    let store = Store::open(&archive, &Requested::default()).unwrap();
    let file = archive.join("_diurnal/last-run.json");
    std::os::unix::fs::symlink(&outside, &file).unwrap();
    assert_eq!(Archive::read(&archive).unwrap().run_times(), RunTimes::default());
    store.note_run(note("import", true)).unwrap();
    assert!(std::fs::symlink_metadata(&file).unwrap().is_file());
    assert_eq!(
        std::fs::read_to_string(&outside).unwrap(),
        r#"{"well":{"archive":"made up"}}"#
    );
    assert_eq!(Archive::read(&archive).unwrap().run_times().well.len(), 1);
}
