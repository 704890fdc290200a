//! Backups on the simulated disk: the copy is whole or not there, whatever happens while it is made.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::sim::{Left, SimDisk, Trouble};
use super::{COMMITS, commit_next, expected, no_flags, run_script};
use crate::error::Result;
use crate::store::disk::Disk as _;
use crate::store::{Archive, BackedUp, Backup, Copied, Store, check_files};

const DIR: &str = "/data/archive";
const DEST: &str = "/safe/copy";
/// Commits of the archive: all of the script but the last one, which removes most files.
const MADE: u64 = COMMITS - 1;
const PARTIAL: &str = "/safe/.copy.diurnal-backup";

fn open(disk: &SimDisk) -> Result<Store> {
    let store = Store::open_on(Arc::new(disk.clone()), Path::new(DIR), &no_flags())?;
    // So small that the ledger goes on in other segments.
    Ok(store.with_segment_bytes(1))
}

fn read(disk: &SimDisk, dir: &str) -> Result<Archive> {
    Archive::read_on(Arc::new(disk.clone()), Path::new(dir))
}

fn back_up(disk: &SimDisk) -> Result<Copied> {
    Backup::new_on(Arc::new(disk.clone()), Path::new(DIR), Path::new(DEST))?.make(|| false)
}

/// A disk with an archive, and an empty folder for backups.
fn prepared() -> SimDisk {
    let disk = SimDisk::new();
    let store = open(&disk).unwrap();
    while store.state().commits < MADE {
        commit_next(&store).unwrap();
    }
    disk.create_folder(Path::new("/safe")).unwrap();
    disk.sync_folder(Path::new("/")).unwrap();
    disk.sync_folder(Path::new("/data")).unwrap();
    disk.expect(Trouble::Nothing);
    disk
}

/// Files below a folder, by relative path.
fn files(disk: &SimDisk, dir: &str) -> BTreeMap<String, Vec<u8>> {
    let relative =
        |(path, data): (String, Vec<u8>)| Some((path.strip_prefix(dir)?.strip_prefix('/')?.to_owned(), data));
    disk.files().into_iter().filter_map(relative).collect()
}

/// A copy at `dir`: none, or all of the archive with `commits` commits.
fn nothing_or_whole(disk: &SimDisk, dir: &str, commits: u64) -> Result<bool, String> {
    if disk.metadata(Path::new(dir)).is_err() {
        return Ok(false);
    }
    let archive = read(disk, dir).map_err(|error| error.to_string())?;
    let findings = check_files(&archive);
    if archive.pending().is_some() || !findings.is_empty() {
        return Err(format!("{:?}, {findings:?}", archive.pending()));
    }
    let mut found = files(disk, dir);
    found.retain(|path, _| !path.ends_with(".toml") || path.contains("schema") || path.starts_with("cpu/"));
    found.retain(|path, _| !path.starts_with("_diurnal/ledger-"));
    match found == expected(commits) {
        true => Ok(true),
        false => Err(format!("holds {:?}", found.keys())),
    }
}

/// Whether what is left after a power cut is right: the source untouched, the copy whole or absent, nothing half that
/// looks like an archive. `said` is whether the backup was said to be there.
fn left_right(disk: &SimDisk, source: &BTreeMap<String, Vec<u8>>, said: bool) -> Result<(), String> {
    if files(disk, DIR) != *source {
        return Err("the source was changed".into());
    }
    let there = nothing_or_whole(disk, DEST, MADE).map_err(|problem| format!("the copy: {problem}"))?;
    if said && !there {
        return Err("the copy is gone that was said to be there".into());
    }
    // Torn, it is none that any diurnal would take.
    let settings = "_diurnal/archive.toml";
    if files(disk, PARTIAL).get(settings) == source.get(settings) {
        nothing_or_whole(disk, PARTIAL, MADE).map_err(|problem| format!("half a copy looks whole: {problem}"))?;
    }
    Ok(())
}

fn all_that_may_be_left() -> impl Iterator<Item = Left> {
    [Left::Nothing, Left::All].into_iter().chain((1..=6).map(Left::Some))
}

#[test]
fn a_backup_is_the_archive_without_its_lock() {
    let disk = prepared();
    let copied = back_up(&disk).unwrap();
    assert_eq!(files(&disk, DEST), files(&disk, DIR));
    assert_eq!(nothing_or_whole(&disk, DEST, MADE), Ok(true));
    assert!(disk.metadata(Path::new(PARTIAL)).is_err());
    let bytes = files(&disk, DIR).values().map(|data| data.len() as u64).sum();
    let whole = BackedUp {
        commits: MADE,
        days: 2,
        rows: 8,
        files: files(&disk, DIR).len(),
        bytes,
    };
    assert_eq!(copied, Copied::Whole(whole));
    // It is an archive: a run goes on with it.
    let store = Store::open_on(Arc::new(disk.clone()), Path::new(DEST), &no_flags()).unwrap();
    assert_eq!(store.state().commits, MADE);
}

#[test]
fn a_power_cut_or_fault_at_any_operation_leaves_no_half_copy_and_the_next_backup_is_whole() {
    let undisturbed = prepared();
    let source = files(&undisturbed, DIR);
    back_up(&undisturbed).unwrap();
    let mut tried = 0;
    for at in 0..=undisturbed.log().len() {
        for trouble in [Trouble::Crash(at), Trouble::Fail(at, ErrorKind::StorageFull)] {
            let disk = prepared();
            disk.expect(trouble);
            let said = matches!(back_up(&disk), Ok(Copied::Whole(_)));
            disk.expect(Trouble::Nothing);
            for after in all_that_may_be_left()
                .map(|left| disk.reboot(left))
                .chain([disk.copy()])
            {
                left_right(&after, &source, said).unwrap_or_else(|problem| panic!("{trouble:?}: {problem}"));
                if after.metadata(Path::new(DEST)).is_err() {
                    back_up(&after).unwrap_or_else(|error| panic!("{trouble:?}: not again: {error}"));
                    assert_eq!(files(&after, DEST), source, "{trouble:?}");
                }
                tried += 1;
            }
        }
    }
    println!("{tried} troubles during a backup tried");
}

#[test]
fn no_fsync_of_a_backup_can_be_left_out_unnoticed() {
    let whole = prepared();
    let source = files(&whole, DIR);
    back_up(&whole).unwrap();
    let log = whole.log();
    let mut unnoticed = Vec::new();
    let syncs: Vec<usize> = (0..log.len()).filter(|at| log[*at].starts_with("sync")).collect();
    assert!(syncs.len() > 10, "{log:?}");
    for skipped in syncs {
        let noticed = (skipped + 1..=log.len()).any(|cut| {
            let disk = prepared();
            disk.expect(Trouble::SkipAndCrash(skipped, cut));
            let said = matches!(back_up(&disk), Ok(Copied::Whole(_)));
            disk.expect(Trouble::Nothing);
            all_that_may_be_left().any(|left| left_right(&disk.reboot(left), &source, said).is_err())
        });
        if !noticed {
            unnoticed.push(&log[skipped]);
        }
    }
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
}

#[test]
fn of_damage_no_backup_is_made_and_every_problem_is_named() {
    let clean = prepared();
    let source = files(&clean, DIR);
    let recorded = source
        .keys()
        .filter(|path| !path.ends_with("archive.toml") && !path.contains("ledger"));
    for path in recorded {
        for byte in [0, source[path].len() / 2, source[path].len() - 1] {
            let disk = clean.copy();
            let mut flipped = source[path].clone();
            flipped[byte] ^= 4;
            disk.put(&format!("{DIR}/{path}"), &flipped);
            let Ok(Copied::Damaged(findings)) = back_up(&disk) else {
                panic!("{path}, byte {byte}: laundered");
            };
            assert_eq!(findings.iter().map(|found| &found.object).collect::<Vec<_>>(), [path]);
            assert!(disk.metadata(Path::new(DEST)).is_err() && disk.metadata(Path::new(PARTIAL)).is_err());
        }
    }
    let disk = clean.copy();
    disk.take(&format!("{DIR}/cpu/2020-06-19.csv"));
    disk.put(&format!("{DIR}/mem/2020-06-20.csv"), b"short");
    match back_up(&disk).unwrap() {
        Copied::Damaged(findings) => assert_eq!(findings.len(), 2, "{findings:?}"),
        other => panic!("{other:?}"),
    }
    let segments: Vec<&String> = source.keys().filter(|path| path.contains("ledger")).collect();
    assert!(segments.len() > 1);
    for segment in segments {
        let disk = clean.copy();
        let mut lines = source[segment].clone();
        lines[100] ^= 1;
        disk.put(&format!("{DIR}/{segment}"), &lines);
        let error = back_up(&disk).unwrap_err().to_string();
        assert!(error.contains(&format!("{DIR}/{segment}")), "{error}");
        assert!(disk.metadata(Path::new(DEST)).is_err() && disk.metadata(Path::new(PARTIAL)).is_err());
    }
}

/// A run makes a commit between any two files of the backup: what comes out is one of its states.
#[test]
fn a_commit_at_any_moment_of_a_backup_leaves_one_state_of_the_archive() {
    let files_copied = 4;
    for moment in 0..=files_copied + 1 {
        let disk = SimDisk::new();
        let store = open(&disk).unwrap();
        commit_next(&store).unwrap();
        commit_next(&store).unwrap();
        disk.create_folder(Path::new("/safe")).unwrap();
        let backup = Backup::new_on(Arc::new(disk.clone()), Path::new(DIR), Path::new(DEST)).unwrap();
        let asked = std::cell::Cell::new(0);
        let copied = backup.make(|| {
            if asked.get() == moment {
                commit_next(&store).unwrap();
            }
            asked.set(asked.get() + 1);
            false
        });
        let Ok(Copied::Whole(whole)) = copied else {
            panic!("at {moment}: {copied:?}")
        };
        assert!(asked.get() >= files_copied, "{}", asked.get());
        assert_eq!(nothing_or_whole(&disk, DEST, whole.commits), Ok(true), "at {moment}");
    }
}

#[test]
fn a_backup_that_was_asked_to_stop_leaves_nothing() {
    for after in 0..3 {
        let disk = prepared();
        let asked = std::cell::Cell::new(0);
        let backup = Backup::new_on(Arc::new(disk.clone()), Path::new(DIR), Path::new(DEST)).unwrap();
        let copied = backup.make(|| {
            asked.set(asked.get() + 1);
            asked.get() > after
        });
        assert_eq!(copied, Ok(Copied::Stopped));
        assert_eq!(files(&disk, "/safe"), BTreeMap::new());
        assert!(disk.metadata(Path::new(PARTIAL)).is_err());
    }
}

#[test]
fn a_commit_that_waits_to_be_completed_is_in_the_backup() {
    let undisturbed = SimDisk::new();
    run_script(|| open(&undisturbed), &mut 0).unwrap();
    let mut tried = 0;
    for at in undisturbed.changes() {
        let disk = SimDisk::new();
        disk.create_folder(Path::new("/safe")).unwrap();
        disk.expect(Trouble::Crash(at));
        let mut acknowledged = 0;
        let _ = run_script(|| open(&disk), &mut acknowledged);
        // The process was killed, the machine goes on.
        disk.expect(Trouble::Nothing);
        let Ok(archive) = read(&disk, DIR) else { continue };
        let source = files(&disk, DIR);
        back_up(&disk).unwrap();
        assert_eq!(
            nothing_or_whole(&disk, DEST, archive.state().commits),
            Ok(true),
            "killed at {at}"
        );
        assert_eq!(files(&disk, DIR), source);
        tried += u32::from(archive.pending().is_some());
    }
    assert!(tried > 10, "only {tried} archives had something pending");
}

#[test]
fn a_place_that_is_not_empty_or_not_there_is_refused() {
    let disk = prepared();
    disk.create_folder(Path::new("/safe/empty")).unwrap();
    disk.put("/safe/file", b"");
    let ask = |dest: &str| Backup::new_on(Arc::new(disk.clone()), Path::new(DIR), Path::new(dest)).map(drop);
    for refused in ["/data", "/safe/file", "/nowhere/copy", "/", "/safe/.."] {
        let error = ask(refused).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Usage, "{refused}: {error}");
    }
    ask("/safe/empty").unwrap();
    disk.mount("/safe/empty");
    assert!(ask("/safe/empty").unwrap_err().to_string().contains("file system"));
}
