//! A ledger of several segments: opening reads the last, checking reads them all, and damage of any is found.

use std::path::Path;
use std::sync::Arc;

use super::sim::{SimDisk, Trouble};
use super::{COMMITS, commit_next, no_flags, record, run_script};
use crate::error::{Error, Result};
use crate::store::ledger::{self, Before, End, Record};
use crate::store::{Archive, Pending, Recovery, State, Store, check_files, segments};

const DIR: &str = "/data/archive";

fn segment(number: u32) -> String {
    format!("{DIR}/_diurnal/{}", segments::name(number))
}

fn open(disk: &SimDisk) -> Result<Store> {
    let store = Store::open_on(Arc::new(disk.clone()), Path::new(DIR), &no_flags())?;
    Ok(store.with_segment_bytes(1))
}

fn read(disk: &SimDisk) -> Result<Archive> {
    Archive::read_on(Arc::new(disk.clone()), Path::new(DIR))
}

/// An archive with all commits of the script.
fn whole() -> SimDisk {
    let disk = SimDisk::new();
    run_script(|| open(&disk), &mut 0).unwrap();
    disk.expect(Trouble::Nothing);
    disk
}

/// The segments of an archive, by number from 1.
fn all(disk: &SimDisk) -> Vec<(u32, Vec<u8>)> {
    let files = disk.files();
    let contents = (1..).map_while(|number| Some((number, files.get(&segment(number))?.clone())));
    contents.collect()
}

/// The same commits in one segment add up to the same.
fn in_one_segment() -> State {
    let disk = SimDisk::new();
    run_script(
        || Store::open_on(Arc::new(disk.clone()), Path::new(DIR), &no_flags()),
        &mut 0,
    )
    .unwrap();
    assert_eq!(all(&disk).len(), 1);
    read(&disk).unwrap().state().clone()
}

/// Opening and reading fail and change nothing.
fn refused(disk: &SimDisk) -> Error {
    let before = disk.files();
    let error = open(disk).expect_err("it was opened");
    assert_eq!(read(disk).expect_err("it was read"), error);
    assert_eq!(disk.files(), before, "something was touched");
    assert!(error.advice().is_some(), "{error}");
    error
}

fn found(disk: &SimDisk) -> Vec<String> {
    let findings = check_files(&read(disk).unwrap());
    findings
        .into_iter()
        .map(|found| format!("{}: {}", found.object, found.problem))
        .collect()
}

#[test]
fn who_opens_an_archive_reads_its_last_segment_and_who_checks_it_reads_all() {
    let disk = whole();
    let segments = all(&disk).len() as u32;
    assert!(segments >= 3, "{segments}");
    let archive = read(&disk).unwrap();
    assert_eq!(*archive.state(), in_one_segment());
    drop(open(&disk).unwrap());
    let opened = |number: u32| {
        disk.log()
            .iter()
            .any(|step| step.starts_with(&format!("read {}", segment(number))))
    };
    for number in 1..=segments {
        assert_eq!(opened(number), number == segments, "{number}");
    }
    assert_eq!(check_files(&archive), []);
    assert!((1..=segments).all(opened));
    let mut ids = Vec::new();
    archive
        .each_commit(|commit| {
            ids.push(commit.id);
            Ok(())
        })
        .unwrap();
    assert_eq!(ids, (1..=COMMITS).collect::<Vec<_>>());
}

#[test]
fn an_idle_run_begins_no_segment() {
    let disk = whole();
    let before = disk.files();
    for _ in 0..3 {
        let store = open(&disk).unwrap();
        drop(store.begin("import").unwrap());
        assert_eq!(*store.recovery(), Recovery::default());
    }
    assert_eq!(disk.files(), before);
}

#[test]
fn a_reader_sees_that_the_archive_moved_on_into_another_segment() {
    let disk = SimDisk::new();
    let store = open(&disk).unwrap();
    commit_next(&store).unwrap();
    let archive = read(&disk).unwrap();
    assert!(!archive.has_moved_on().unwrap());
    commit_next(&store).unwrap();
    assert_eq!(all(&disk).len(), 2);
    assert!(archive.has_moved_on().unwrap());
    // What it read still holds.
    let mut commits = 0;
    archive
        .each_commit(|_| {
            commits += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(commits, 1);
}

#[test]
fn a_segment_that_is_gone_is_named() {
    let clean = whole();
    let segments = all(&clean);
    let last = segments.len() as u32;
    for (number, _) in &segments[..segments.len() - 1] {
        let disk = clean.copy();
        disk.take(&segment(*number));
        let error = refused(&disk).to_string();
        assert!(
            error.starts_with(&segment(*number)) && error.contains("is gone"),
            "{error}"
        );
    }
    // Without the last one it is the archive before that; the files tell what is missing.
    let disk = clean.copy();
    disk.take(&segment(last));
    assert_ne!(found(&disk), [""; 0]);
}

#[test]
fn a_flipped_bit_in_any_byte_of_any_segment_is_found() {
    let clean = whole();
    let segments = all(&clean);
    let last = segments.len() as u32;
    for (number, bytes) in segments {
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            let disk = clean.copy();
            disk.put(&segment(number), &flipped);
            if number == last {
                // Which segment it follows, only those before can tell.
                match open(&disk) {
                    Ok(_) => panic!("byte {at} of the last segment"),
                    Err(error) => assert!(error.to_string().contains(&segments::name(last)), "{error}"),
                }
            } else {
                let found = found(&disk);
                assert!(
                    found.len() == 1 && found[0].starts_with(&format!("_diurnal/{}", segments::name(number))),
                    "byte {at} of segment {number}: {found:?}"
                );
            }
        }
    }
}

#[test]
fn a_segment_cut_at_any_byte_is_found() {
    let clean = whole();
    let segments = all(&clean);
    for (number, bytes) in &segments {
        for cut in 0..bytes.len() {
            let disk = clean.copy();
            disk.put(&segment(*number), &bytes[..cut]);
            let last = *number as usize == segments.len();
            match open(&disk.copy()) {
                // A last segment without its state never was.
                Err(error) => assert!(last && error.advice().is_some(), "{number}, {cut}: {error}"),
                Ok(_) => assert_ne!(found(&disk), [""; 0], "{number}, {cut}"),
            }
        }
    }
}

/// Writes the segments anew, each commit and state changed, with right lengths, checksums and hashes.
fn forge(disk: &SimDisk, change: impl Fn(u32, &mut State)) {
    let mut end = End::default();
    for (number, _) in all(disk) {
        let mut lines = Vec::new();
        let before = end.clone();
        let come_before = match number {
            1 => Before::Nothing,
            later => Before::Unread(later),
        };
        ledger::scan(disk, Path::new(&segment(number)), come_before, |record| {
            let (line, next) = match record {
                Record::Commit(commit) => end.line(&commit)?,
                Record::State(mut state) => {
                    change(number, &mut state);
                    before.next_segment(&state)?
                }
            };
            lines.extend_from_slice(&line);
            end = next;
            Ok(())
        })
        .unwrap();
        disk.put(&segment(number), &lines);
    }
}

#[test]
fn a_state_that_its_commits_do_not_add_up_to_is_found() {
    let clean = whole();
    let same = clean.copy();
    forge(&same, |_, _| {});
    assert_eq!(same.files(), clean.files(), "the forger writes what the store writes");
    for number in 2..=all(&clean).len() as u32 {
        let changes: [fn(&mut State); 4] = [
            |state| state.totals.lines += 1,
            |state| state.sources.values_mut().for_each(|range| range.messages += 1),
            |state| drop(state.files.pop_first()),
            |state| state.commits += 1,
        ];
        for (at, change) in changes.iter().enumerate() {
            let disk = clean.copy();
            forge(&disk, |of, state| {
                if of == number {
                    change(state);
                }
            });
            // Commits after a state that counts another one do not follow it; else only `verify` can tell.
            let said = match read(&disk) {
                Ok(_) => found(&disk).join("\n"),
                Err(error) => error.to_string(),
            };
            assert!(said.contains(&segments::name(number)), "{number}, change {at}: {said}");
        }
    }
}

#[test]
fn a_run_killed_in_any_byte_of_a_record_behind_a_state_is_the_archive_before() {
    let made = |commits: u64| {
        let disk = SimDisk::new();
        let store = open(&disk).unwrap();
        while store.state().commits < commits {
            commit_next(&store).unwrap();
        }
        disk
    };
    // The second commit begins the second segment; its files all wait when its record is written.
    let disk = made(1);
    disk.expect(Trouble::Nothing);
    commit_next(&open(&disk).unwrap()).unwrap();
    let log = disk.log();
    let renamed = log
        .iter()
        .position(|step| step.starts_with("rename to /data/archive/cpu"))
        .unwrap();
    let disk = made(1);
    disk.expect(Trouble::Crash(renamed));
    commit_next(&open(&disk).unwrap()).unwrap_err();
    let killed = disk.copy();
    let bytes = all(&killed)[1].1.clone();
    let state_ends = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    assert!(state_ends < bytes.len());
    for cut in state_ends..bytes.len() {
        let disk = killed.copy();
        disk.put(&segment(2), &bytes[..cut]);
        let archive = read(&disk).unwrap();
        let torn = (cut > state_ends).then_some(Pending::TornTail {
            bytes: (cut - state_ends) as u64,
        });
        assert_eq!((archive.pending(), archive.state().commits), (torn.as_ref(), 1));
        assert_eq!(check_files(&archive), []);
        let store = open(&disk).unwrap();
        assert_eq!((store.recovery().cut, store.state().commits), (torn.is_some(), 1));
        assert_eq!(all(&disk)[1].1, bytes[..state_ends]);
        drop(store);
        run_script(|| open(&disk), &mut 0).unwrap();
        assert_eq!(disk.files(), whole().files(), "cut at {cut}");
    }
}

#[test]
fn a_segment_that_somebody_else_wrote_meanwhile_is_not_replaced() {
    let disk = SimDisk::new();
    let store = open(&disk).unwrap();
    commit_next(&store).unwrap();
    disk.put(&segment(2), b"foreign");
    let error = commit_next(&store).unwrap_err();
    assert!(error.to_string().contains("is in the way"), "{error}");
    assert_eq!(disk.files()[&segment(2)], b"foreign");
}

#[test]
fn a_segment_may_begin_without_the_time_of_the_last_commit_but_with_nothing_else_left_out() {
    let disk = SimDisk::new();
    let store = Store::open_on(Arc::new(disk.clone()), Path::new(DIR), &no_flags()).unwrap();
    commit_next(&store).unwrap();
    drop(store);
    let archive = read(&disk).unwrap();
    let state = archive.state();
    assert!(state.at.is_some());
    let begin = |state: &State| {
        let (line, _) = archive.end.next_segment(state).unwrap();
        disk.put(&segment(2), &line);
        found(&disk)
    };
    let timeless = State {
        at: None,
        ..state.clone()
    };
    assert_eq!(begin(&timeless), [""; 0]);
    let early = State {
        at: Some("1970-01-01T00:00:00Z".into()),
        ..state.clone()
    };
    assert_eq!(begin(&early).len(), 1);
    let empty = State {
        totals: Default::default(),
        ..timeless
    };
    let findings = begin(&empty);
    assert!(findings[0].contains("it is another state"), "{findings:?}");
}

#[test]
fn a_state_is_written_and_read_back_as_it_is() {
    use crate::store::record::{Commit, RejectKind, Retried, Snapshot};
    let mut state = State::default();
    for id in 1..COMMITS {
        let mut commit = record(id, &super::content(id), &state);
        commit.reject_kinds = vec![
            RejectKind {
                reason: format!("reason {id}"),
                measurement: Some("ü".into()),
                column: None,
            };
            id as usize
        ];
        state.apply(commit);
    }
    state.apply(Commit {
        id: COMMITS,
        at: Some("2020-06-20T00:00:00Z".into()),
        retried: vec![Retried {
            path: "_diurnal/rejects/000001.jsonl".into(),
            lines: vec![(1, 3), (7, 7)],
        }],
        ..Commit::default()
    });
    let json = serde_json::to_string(&Snapshot::from(&state)).unwrap();
    let read: Snapshot = serde_json::from_str(&json).unwrap();
    assert_eq!(State::from(read), state);
}
