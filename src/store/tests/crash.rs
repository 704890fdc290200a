//! Every operation of a run as the moment of a power cut or of a fault, on the simulated disk.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::sim::{Left, SimDisk, Trouble};
use super::{COMMITS, expected, no_flags, run_script};
use crate::error::{Error, Result};
use crate::store::segments;
use crate::store::{Archive, Store, check_files};

const DIR: &str = "/data/archive";

fn open(disk: &SimDisk) -> Result<Store> {
    let store = Store::open_on(Arc::new(disk.clone()), Path::new(DIR), &no_flags())?;
    // So small that the ledger goes on in other segments: some commits begin one, some do not.
    Ok(store.with_segment_bytes(1))
}

/// The whole script with this trouble; the last commit that was said to stand, and how it ended.
fn run(disk: &SimDisk, trouble: Trouble) -> (u64, Result<()>) {
    disk.expect(trouble);
    let mut acknowledged = 0;
    let ended = run_script(|| open(disk), &mut acknowledged);
    (acknowledged, ended)
}

/// Files of the archive by relative path, without the lock.
fn files(disk: &SimDisk) -> BTreeMap<String, Vec<u8>> {
    let relative = |(path, data): (String, Vec<u8>)| (path.strip_prefix("/data/archive/").unwrap().to_string(), data);
    disk.files().into_iter().map(relative).collect()
}

/// Takes the ledger's segments out of the files, in order.
fn ledger(files: &mut BTreeMap<String, Vec<u8>>) -> Vec<(String, Vec<u8>)> {
    let is_segment = |path: &str| path.rsplit('/').next().and_then(segments::number).is_some();
    let all = std::mem::take(files).into_iter();
    let (segments, others): (Vec<_>, Vec<_>) = all.partition(|(path, _)| is_segment(path));
    files.extend(others);
    segments
}

/// Whether the archive, as it was just opened, is exactly that of its last commit.
fn consistent(disk: &SimDisk, commits: u64) -> Result<(), String> {
    let mut found = files(disk);
    found.remove("_diurnal/archive.toml").ok_or("no settings")?;
    ledger(&mut found);
    if found != expected(commits) {
        return Err(format!("after commit {commits} there are {:?}", found.keys()));
    }
    let archive = Archive::read_on(Arc::new(disk.clone()), Path::new(DIR)).map_err(|error| error.to_string())?;
    match (archive.pending(), check_files(&archive)) {
        (None, findings) if findings.is_empty() => Ok(()),
        unwell => Err(format!("{unwell:?}")),
    }
}

/// Opens what a crash left: nothing that was said to stand is lost, nothing half is there. The last commit it has.
fn opens(disk: &SimDisk, acknowledged: u64) -> Result<u64, String> {
    disk.expect(Trouble::Nothing);
    refuses_a_flipped_bit(disk, acknowledged)?;
    let store = open(disk).map_err(|error| format!("cannot be opened: {error}"))?;
    let commits = store.state().commits;
    drop(store);
    if commits < acknowledged {
        return Err(format!("commit {acknowledged} was lost: the archive has {commits}"));
    }
    consistent(disk, commits).map(|()| commits)
}

/// As [`opens`], then ends the script: the same archive as without the crash.
fn recovers(disk: &SimDisk, acknowledged: u64, whole: &Undisturbed) -> Result<(), String> {
    opens(disk, acknowledged)?;
    let (_, ended) = run(disk, Trouble::Nothing);
    ended.map_err(|error| format!("cannot go on: {error}"))?;
    match files(disk) == whole.files {
        true => consistent(disk, COMMITS),
        false => Err("another archive than without the crash".into()),
    }
}

/// A commit that was said to stand is never taken for a torn one.
fn refuses_a_flipped_bit(disk: &SimDisk, acknowledged: u64) -> Result<(), String> {
    let segments = ledger(&mut disk.files());
    let commits: usize = segments.iter().map(|(_, text)| commits_in(text)).sum();
    let Some((path, mut bytes)) = segments.into_iter().last() else {
        return Ok(());
    };
    if bytes.last() != Some(&b'\n') || commits as u64 != acknowledged {
        return Ok(());
    }
    *bytes.last_mut().unwrap() ^= 1;
    let damaged = disk.copy();
    damaged.put(&path, &bytes);
    match open(&damaged) {
        Err(_) => Ok(()),
        Ok(_) => Err(format!("commit {acknowledged} with a flipped bit was taken for torn")),
    }
}

/// Lines of a segment that are a commit's.
fn commits_in(segment: &[u8]) -> usize {
    let lines = segment.split_inclusive(|byte| *byte == b'\n');
    lines
        .filter(|line| line.ends_with(b"\n") && !String::from_utf8_lossy(line).contains(",\"state\":{"))
        .count()
}

/// A run without trouble.
struct Undisturbed {
    files: BTreeMap<String, Vec<u8>>,
    log: Vec<String>,
    /// Numbers of the operations in `log` that change something, and of the end.
    changes: Vec<usize>,
}

fn undisturbed() -> Undisturbed {
    let disk = SimDisk::new();
    run(&disk, Trouble::Nothing).1.unwrap();
    let (log, mut changes) = (disk.log(), disk.changes());
    changes.push(log.len());
    consistent(&disk, COMMITS).unwrap();
    let segments = ledger(&mut files(&disk)).len();
    assert!((3..=COMMITS as usize).contains(&segments), "{segments} segments");
    Undisturbed {
        files: files(&disk),
        log,
        changes,
    }
}

fn all_that_may_be_left() -> impl Iterator<Item = Left> {
    [Left::Nothing, Left::All].into_iter().chain((1..=6).map(Left::Some))
}

#[test]
fn a_power_cut_at_any_operation_loses_and_doubles_nothing() {
    let whole = undisturbed();
    let mut tried = 0;
    for &at in &whole.changes {
        let disk = SimDisk::new();
        let (acknowledged, _) = run(&disk, Trouble::Crash(at));
        for left in all_that_may_be_left() {
            recovers(&disk.reboot(left), acknowledged, &whole)
                .unwrap_or_else(|problem| panic!("crash at {at} ({:?}), {left:?}: {problem}", whole.log.get(at)));
            tried += 1;
        }
    }
    println!("{tried} power cuts at {} operations tried", whole.changes.len());
}

#[test]
fn a_power_cut_or_fault_during_recovery_loses_nothing() {
    let whole = undisturbed();
    let mut tried = 0;
    for &at in &whole.changes {
        let disk = SimDisk::new();
        let (acknowledged, _) = run(&disk, Trouble::Crash(at));
        let killed = [
            disk.copy(),
            disk.reboot(Left::Nothing),
            disk.reboot(Left::All),
            disk.reboot(Left::Some(at as u64)),
        ];
        for first in killed {
            let undisturbed = first.copy();
            drop(open(&undisturbed).unwrap());
            for again in undisturbed.changes() {
                for trouble in [Trouble::Crash(again), Trouble::Fail(again, ErrorKind::Other)] {
                    let second = first.copy();
                    second.expect(trouble);
                    let reached = open(&second).map_or(0, |store| store.state().commits);
                    for left in [Left::Nothing, Left::All, Left::Some(again as u64)] {
                        opens(&second.reboot(left), acknowledged.max(reached))
                            .unwrap_or_else(|problem| panic!("crash at {at}, then {trouble:?}, {left:?}: {problem}"));
                        tried += 1;
                    }
                }
            }
        }
    }
    println!("{tried} troubles during recovery tried");
}

#[test]
fn a_fault_at_any_operation_ends_the_run_with_the_path_and_loses_nothing() {
    let whole = undisturbed();
    let mut tried = 0;
    for (at, what) in whole.log.iter().enumerate() {
        for kind in [ErrorKind::StorageFull, ErrorKind::ReadOnlyFilesystem] {
            let disk = SimDisk::new();
            let (acknowledged, ended) = run(&disk, Trouble::Fail(at, kind));
            if let Err(error) = &ended {
                assert!(error.to_string().starts_with('/'), "{at}: {error}");
            }
            // The process is gone, the machine is not: what failed to reach the disk may still look as if it had.
            disk.expect(Trouble::Nothing);
            let store = open(&disk).unwrap_or_else(|error| panic!("fault at {at} ({what}): {error}"));
            let commits = store.state().commits;
            drop(store);
            assert!(commits >= acknowledged);
            consistent(&disk, commits).unwrap_or_else(|problem| panic!("fault at {at} ({what}): {problem}"));
            for left in [Left::Nothing, Left::All, Left::Some(at as u64)] {
                recovers(&disk.reboot(left), commits, &whole)
                    .unwrap_or_else(|problem| panic!("{kind:?} at {at} ({what}), {left:?}: {problem}"));
                tried += 1;
            }
        }
    }
    println!("{tried} faults at {} operations tried", whole.log.len());
}

#[test]
fn an_interrupted_write_is_tried_again() {
    let whole = undisturbed();
    for (at, _) in whole
        .log
        .iter()
        .enumerate()
        .filter(|(_, what)| what.starts_with("write "))
    {
        let disk = SimDisk::new();
        run(&disk, Trouble::Fail(at, ErrorKind::Interrupted)).1.unwrap();
        assert_eq!(files(&disk), whole.files);
    }
}

/// As [`open`]; fails too where something is left in `staging/` by then.
fn open_clean(disk: &SimDisk) -> Result<Store> {
    let store = open(disk)?;
    let staging = Path::new(DIR).join("_diurnal/staging");
    match disk.paths().iter().find(|path| path.parent() == Some(&staging)) {
        None => Ok(store),
        Some(left) => Err(Error::new(left.display(), "was left")),
    }
}

/// Whether a run that leaves out operation `skipped`, and goes on, is found out: it fails by itself, or some power cut tells.
fn is_noticed(start: &SimDisk, acknowledged: u64, skipped: usize, cuts: &[usize]) -> bool {
    let without = |cut| {
        let disk = start.copy();
        disk.expect(Trouble::SkipAndCrash(skipped, cut));
        let mut acknowledged = acknowledged;
        let ended = run_script(|| open_clean(&disk), &mut acknowledged);
        (disk, acknowledged, ended)
    };
    let (disk, told, ended) = without(usize::MAX);
    ended.is_err()
        || opens(&disk, told).is_err()
        || cuts.iter().filter(|cut| **cut > skipped).any(|cut| {
            let (disk, told, _) = without(*cut);
            [Left::Nothing, Left::All, Left::Some(1), Left::Some(2)]
                .into_iter()
                .any(|left| opens(&disk.reboot(left), told).is_err())
        })
}

/// How many operations after the one that was left out may pass until the power cut.
const NOTICED_WITHIN: usize = 45;

#[test]
fn no_step_of_a_commit_or_recovery_can_be_left_out_unnoticed() {
    let whole = undisturbed();
    // By the place in the program, `true` once it was found out that it was left out.
    let mut places = BTreeMap::<String, bool>::new();
    let mut try_all = |start: &SimDisk, acknowledged| {
        let disk = start.copy();
        run(&disk, Trouble::Nothing).1.unwrap();
        let (log, mut changes) = (disk.log(), disk.changes());
        changes.push(log.len());
        for (number, &step) in changes[..changes.len() - 1].iter().enumerate() {
            // Making a file and opening the lock can't be left out: what follows needs them.
            if !log[step].starts_with("create") && !log[step].starts_with("open lock") {
                let place = log[step].replace(|digit: char| digit.is_ascii_digit(), "");
                let noticed = places.entry(place).or_default();
                let cuts = &changes[number..changes.len().min(number + NOTICED_WITHIN)];
                *noticed = *noticed || is_noticed(start, acknowledged, step, cuts);
            }
        }
    };
    try_all(&SimDisk::new(), 0);
    // Wide steps first: once a place was noticed, it costs nothing any more.
    for &at in (0..7).flat_map(|from| whole.changes.iter().skip(from).step_by(7)) {
        for trouble in [Trouble::Crash(at), Trouble::Fail(at, ErrorKind::Other)] {
            let killed = SimDisk::new();
            let (acknowledged, _) = run(&killed, trouble);
            try_all(&killed, acknowledged);
            try_all(&killed.reboot(Left::All), acknowledged);
        }
    }
    let unnoticed: Vec<&String> = places
        .iter()
        .filter(|(_, noticed)| !**noticed)
        .map(|(place, _)| place)
        .collect();
    for kind in [
        "sync",
        "rename",
        "remove",
        "make folder",
        "write",
        "overwrite",
        "truncate",
    ] {
        let of_kind = places.keys().filter(|place| place.starts_with(kind)).count();
        assert!(of_kind > 0, "no place has a {kind}");
        println!("{of_kind} places with a {kind} tried");
    }
    let recovery = places.keys().filter(|place| place.contains("after recovery")).count();
    println!("{} places tried, {recovery} of them in recovery", places.len());
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
}
