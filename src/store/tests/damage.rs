//! Damaged archives: found, named, never believed, never made worse.

use std::path::Path;
use std::sync::Arc;

use super::sim::{SimDisk, Trouble};
use super::{COMMITS, REMOVED, commit_next, no_flags, run_script};
use crate::error::{Error, Kind, Result};
use crate::store::ledger::{Before, Record};
use crate::store::segments;
use crate::store::{Archive, Finding, Pending, Store, check_files};

const DIR: &str = "/data/archive";

fn path(relative: &str) -> String {
    format!("{DIR}/{relative}")
}

fn ledger() -> String {
    path(&format!("_diurnal/{}", segments::name(1)))
}

fn open(disk: &SimDisk) -> Result<Store> {
    Store::open_on(Arc::new(disk.clone()), Path::new(DIR), &no_flags())
}

fn read(disk: &SimDisk) -> Result<Archive> {
    Archive::read_on(Arc::new(disk.clone()), Path::new(DIR))
}

/// An archive with all commits of the script.
fn whole() -> SimDisk {
    let disk = SimDisk::new();
    disk.expect(Trouble::Nothing);
    run_script(|| open(&disk), &mut 0).unwrap();
    disk
}

/// An archive with all commits but the last one, which removes most files.
fn unpruned() -> SimDisk {
    let disk = SimDisk::new();
    disk.expect(Trouble::Nothing);
    go_on_to(&disk, COMMITS - 1).unwrap();
    disk
}

/// Makes the commits of the script up to this one.
fn go_on_to(disk: &SimDisk, commits: u64) -> Result<()> {
    let store = open(disk)?;
    while store.state().commits < commits {
        commit_next(&store)?;
    }
    Ok(())
}

/// An archive whose run was killed just before the operation in whose name is `what`, while it made commit `commit`.
fn killed_before(what: &str, commit: u64) -> SimDisk {
    let disk = whole();
    let begin = disk
        .log()
        .iter()
        .position(|step| step.contains(&format!("make folder {DIR}/_diurnal/staging/00000{commit}")));
    let begin = begin.unwrap();
    let at = begin + disk.log()[begin..].iter().position(|step| step.contains(what)).unwrap();
    let disk = SimDisk::new();
    disk.expect(Trouble::Crash(at));
    run_script(|| open(&disk), &mut 0).unwrap_err();
    disk.copy()
}

/// Opening fails and changes nothing.
fn refused(disk: &SimDisk) -> Error {
    let before = disk.files();
    let error = open(disk).expect_err("it was opened");
    assert_eq!(disk.files(), before, "something was touched");
    assert!(error.advice().is_some(), "{error}");
    // A schedule ends with it: no later run will find it better.
    assert_eq!(error.kind(), Kind::Damaged, "{error}");
    error
}

fn find(disk: &SimDisk) -> Vec<Finding> {
    check_files(&read(disk).unwrap())
}

#[test]
fn any_flipped_bit_of_a_ledger_is_refused() {
    let disk = whole();
    let bytes = disk.files()[&ledger()].clone();
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        disk.put(&ledger(), &flipped);
        refused(&disk);
    }
    println!("{} bits of a ledger flipped, each refused", 8 * bytes.len());
}

#[test]
fn a_flipped_bit_in_a_record_whose_files_still_wait_undoes_that_commit_or_is_refused() {
    let killed = killed_before("rename to", 3);
    let bytes = killed.files()[&ledger()].clone();
    let last_line = bytes[..bytes.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let disk = killed.copy();
        disk.put(&ledger(), &flipped);
        if bit / 8 < last_line {
            refused(&disk);
        } else {
            let store = open(&disk).unwrap();
            assert!(store.recovery().cut && store.state().commits == 2);
            drop(store);
            assert_eq!(find(&disk), []);
        }
    }
}

#[test]
fn a_finished_ledger_cut_at_any_byte_is_refused_or_loses_nothing_in_silence() {
    let disk = unpruned();
    let whole = disk.files();
    let bytes = &whole[&ledger()];
    for cut in 0..bytes.len() {
        let disk = disk.copy();
        disk.put(&ledger(), &bytes[..cut]);
        if cut > 0 && bytes[cut - 1] != b'\n' {
            refused(&disk);
            continue;
        }
        // Whole records are missing. Their files say so, to `verify` and to the run that would replace them.
        let store = open(&disk).unwrap();
        let commits = store.state().commits;
        drop(store);
        if commits < 3 {
            assert_ne!(find(&disk), [], "cut at {cut}");
            let error = go_on_to(&disk, COMMITS - 1).unwrap_err();
            assert!(error.advice().unwrap().contains("verify"), "{error}");
            assert_eq!(error.kind(), Kind::Damaged, "{error}");
            for (path, content) in disk.files().iter().filter(|(path, _)| **path != ledger()) {
                assert_eq!(whole.get(path), Some(content), "{path} was touched");
            }
        } else {
            // The last commit has offsets only: it is made again.
            go_on_to(&disk, COMMITS - 1).unwrap();
            assert_eq!(disk.files(), whole);
        }
    }
}

#[test]
fn a_ledger_that_lost_the_record_of_a_removal_misses_what_was_removed() {
    let disk = whole();
    let bytes = disk.files()[&ledger()].clone();
    let last_line = bytes[..bytes.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    disk.put(&ledger(), &bytes[..last_line]);
    let mut found: Vec<String> = find(&disk).into_iter().map(|finding| finding.object).collect();
    found.sort();
    assert_eq!(found, REMOVED);
    let error = run_script(|| open(&disk), &mut 0).unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
}

#[test]
fn a_torn_record_of_a_removal_never_happened_unless_a_file_is_gone() {
    let [first, second, _] = REMOVED.map(|removed| killed_before(&format!("remove {}", path(removed)), COMMITS));
    for killed in [&first, &second] {
        assert_eq!(check_files(&read(killed).unwrap()), [], "a reader is disturbed");
        let store = open(&killed.copy()).unwrap();
        assert_eq!(store.recovery().completed, Some(COMMITS));
        let disk = killed.copy();
        run_script(|| open(&disk), &mut 0).unwrap();
        assert_eq!(disk.files(), whole().files());
    }
    let torn = |disk: SimDisk| {
        let bytes = disk.files()[&ledger()].clone();
        disk.put(&ledger(), &bytes[..bytes.len() - 1]);
        disk
    };
    let before = torn(first);
    let store = open(&before).unwrap();
    assert!(store.recovery().cut && store.state().commits == COMMITS - 1);
    drop(store);
    assert_eq!(find(&before), []);
    refused(&torn(second));
}

#[test]
fn a_torn_ledger_cut_at_any_byte_is_the_archive_before() {
    let killed = killed_before("rename to", 3);
    let bytes = killed.files()[&ledger()].clone();
    let last_line = bytes[..bytes.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    for cut in last_line..bytes.len() {
        let disk = killed.copy();
        disk.put(&ledger(), &bytes[..cut]);
        let before = disk.files();
        let archive = read(&disk).unwrap();
        assert_eq!(disk.files(), before, "reading touched something");
        let torn = (cut > last_line).then_some(Pending::TornTail {
            bytes: (cut - last_line) as u64,
        });
        assert_eq!(archive.pending(), torn.as_ref());
        assert_eq!(check_files(&archive), []);
        assert_eq!(open(&disk).unwrap().state().commits, 2);
        run_script(|| open(&disk), &mut 0).unwrap();
        assert_eq!(disk.files(), whole().files());
    }
}

#[test]
fn a_reader_finds_waiting_files_where_they_are() {
    let disk = killed_before("rename to /data/archive/mem", 3);
    let archive = read(&disk).unwrap();
    assert_eq!(archive.state().commits, 3);
    let Some(Pending::RollForward { commit: 3, waiting, .. }) = archive.pending() else {
        panic!("{:?}", archive.pending());
    };
    assert_eq!(waiting.keys().collect::<Vec<_>>(), ["mem/2020-06-20.csv"]);
    assert!(
        archive
            .locate("mem/2020-06-20.csv")
            .unwrap()
            .starts_with(path("_diurnal/staging/000003"))
    );
    assert_eq!(
        archive.locate("cpu/2020-06-19.csv").unwrap(),
        Path::new(&path("cpu/2020-06-19.csv"))
    );
    assert_eq!(check_files(&archive), []);
    // The same reader, after another run ended the commit.
    let store = open(&disk).unwrap();
    assert_eq!(store.recovery().completed, Some(3));
    assert_eq!(
        archive.locate("mem/2020-06-20.csv").unwrap(),
        Path::new(&path("mem/2020-06-20.csv"))
    );
    assert_eq!(check_files(&archive), []);
    assert!(!archive.has_moved_on().unwrap());
    super::commit_next(&store).unwrap();
    assert!(archive.has_moved_on().unwrap());
}

#[test]
fn a_record_whose_staged_file_is_gone_or_damaged_is_an_error_that_touches_nothing() {
    let killed = killed_before("rename to /data/archive/mem", 3);
    let staged = killed
        .files()
        .into_keys()
        .find(|path| path.contains("mem") || path.contains("2020-06-20.csv"))
        .unwrap();
    let gone = killed.copy();
    gone.take(&staged);
    let error = refused(&gone).to_string();
    assert!(
        error.contains("mem/2020-06-20.csv") && error.contains("is gone"),
        "{error}"
    );

    let content = killed.files()[&staged].clone();
    for at in 0..content.len() {
        let mut flipped = content.clone();
        flipped[at] ^= 0x10;
        let damaged = killed.copy();
        damaged.put(&staged, &flipped);
        assert!(refused(&damaged).to_string().contains("is damaged"));
    }

    let moved = killed.copy();
    moved.take(&path("cpu/2020-06-19.csv"));
    assert!(refused(&moved).to_string().contains("it is missing"));
}

#[test]
fn a_damaged_manifest_never_leads_to_another_archive() {
    let killed = killed_before("rename to", 3);
    let manifest = path("_diurnal/staging/000003/manifest.json");
    let content = killed.files()[&manifest].clone();
    for at in 0..content.len() {
        for bit in 0..8 {
            let mut flipped = content.clone();
            flipped[at] ^= 1 << bit;
            let disk = killed.copy();
            disk.put(&manifest, &flipped);
            let before = disk.files();
            match open(&disk) {
                Err(_) => assert_eq!(disk.files(), before, "byte {at}, bit {bit}: something was touched"),
                // Only the command's name, which is for people, can differ.
                Ok(store) => {
                    assert_eq!(store.recovery().completed, Some(3));
                    drop(store);
                    run_script(|| open(&disk), &mut 0).unwrap();
                    assert_eq!(disk.files(), whole().files());
                }
            }
        }
    }
}

#[test]
fn an_archive_without_its_ledger_or_settings_is_refused() {
    let disk = whole();
    disk.take(&ledger());
    assert!(refused(&disk).to_string().contains("the ledger is gone"));
    let disk = whole();
    disk.take(&path("_diurnal/archive.toml"));
    assert!(refused(&disk).to_string().contains("archive.toml"));
    assert_eq!(read(&disk).unwrap_err().kind(), Kind::Failed);
}

#[test]
fn archives_of_later_versions_are_refused() {
    let disk = whole();
    disk.put(&path("_diurnal/ledger-000002.v2"), b"");
    assert!(refused(&disk).advice().unwrap().contains("newer diurnal"));
    let disk = whole();
    disk.put(&path("_diurnal/archive.toml"), b"format = 2\nshards = 4\n");
    assert!(refused(&disk).advice().unwrap().contains("newer diurnal"));
    assert!(read(&disk).is_err());
}

#[test]
fn staging_debris_of_any_kind_is_removed() {
    let clean = whole();
    let disk = clean.copy();
    disk.put(&path("_diurnal/staging/archive.tmp"), b"x");
    disk.put(&path("_diurnal/staging/000004"), b"a file with a folder's name");
    let store = open(&disk).unwrap();
    assert_eq!(store.recovery().discarded, 2);
    drop(store);
    assert_eq!(disk.files(), clean.files());
}

#[test]
fn every_flipped_byte_of_every_file_is_found_and_named() {
    let disk = whole();
    assert_eq!(find(&disk), []);
    for (path, content) in disk
        .files()
        .iter()
        .filter(|(path, _)| !path.contains("ledger") && !path.contains(".toml"))
    {
        for at in 0..content.len() {
            let mut flipped = content.clone();
            flipped[at] ^= 1;
            disk.put(path, &flipped);
            let found = find(&disk);
            assert!(
                found.len() == 1 && path.ends_with(&found[0].object),
                "{path}: {found:?}"
            );
        }
        disk.put(path, content);
    }
}

#[test]
fn missing_shorter_and_foreign_files_are_found_and_named() {
    let clean = unpruned();
    for name in [
        "cpu/2020-06-19.parquet",
        "mem/2020-06-20.csv",
        "_diurnal/schema/cpu.toml",
        "_diurnal/rejects/000001.jsonl",
    ] {
        let disk = clean.copy();
        let content = disk.take(&path(name));
        let found = find(&disk);
        assert!(
            found.len() == 1 && found[0].object == name && found[0].problem == "it is missing",
            "{found:?}"
        );
        disk.put(&path(name), &content[1..]);
        let found = find(&disk);
        assert!(
            found.len() == 1 && found[0].problem.contains("on record are"),
            "{found:?}"
        );
    }
    for name in [
        "notes.txt",
        "cpu/2020-06-19.orc",
        "cpu/2020-06-20.csv",
        "mem/2020-06-20.parquet",
        "_diurnal/notes",
        "_diurnal/schema/mem.toml",
        "_diurnal/rejects/000009.jsonl",
    ] {
        let disk = clean.copy();
        disk.put(&path(name), b"foreign");
        let found = find(&disk);
        assert!(
            found.len() == 1 && found[0].object == name && found[0].problem == "is on no record",
            "{found:?}"
        );
    }
}

#[test]
fn a_ledger_that_does_not_balance_is_found_by_those_who_only_read() {
    let disk = whole();
    let mut end = crate::store::ledger::End::default();
    let mut lines = Vec::new();
    crate::store::ledger::scan(&disk, Path::new(&ledger()), Before::Nothing, |record| {
        let Record::Commit(mut commit) = record else {
            panic!("a state in the first segment");
        };
        match commit.id {
            2 => commit.sources[0].first += 1,
            3 => commit.counts.folded += 5,
            4 => commit.sources[0].messages += 1,
            _ => {}
        }
        let (line, next) = end.line(&commit)?;
        lines.extend_from_slice(&line);
        end = next;
        Ok(())
    })
    .unwrap();
    disk.put(&ledger(), &lines);
    let found = find(&disk);
    let named = |commit: &str, what: &str| {
        found
            .iter()
            .any(|finding| finding.object == commit && finding.problem.contains(what))
    };
    assert!(
        named("commit 2", "hole") && named("commit 3", "lines") && named("commit 4", "messages"),
        "{found:?}"
    );
    assert_eq!(read(&disk).unwrap().state().commits, COMMITS);
}
