//! The store without trouble, on a real disk, and what it refuses.

use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;

use super::sim::{SimDisk, Trouble};
use super::{COMMITS, commit_next, content, expected, no_flags, record, run_script};
use crate::error::Kind;
use crate::format::TimeUnit;
use crate::store::record::{Commit, Counts};
use crate::store::{Archive, Requested, Staging, Store, check_files, paths};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn stage(staging: &Staging, target: &str, bytes: &[u8]) {
    let mut file = staging.file(target).unwrap();
    file.write_all(bytes).unwrap();
    assert_eq!(file.position(), bytes.len() as u64);
    let written = file.finish().unwrap();
    assert_eq!(written.bytes, bytes.len() as u64);
    let hash = (!paths::is_day_file(target)).then(|| super::hex(bytes));
    assert_eq!(written.hash, hash);
}

/// Stages what the next commit of the script needs.
fn staged(store: &Store) -> (Staging, Commit) {
    let staging = store.begin("import").unwrap();
    let files = content(staging.id());
    for (path, bytes) in &files {
        stage(&staging, path, bytes);
    }
    let commit = record(staging.id(), &files, &store.state());
    (staging, commit)
}

#[test]
fn what_was_committed_is_there_in_the_next_run() {
    let folder = folder();
    let dir = folder.path().join("made/with/its/parents");
    run_script(|| Store::open(&dir, &no_flags()), &mut 0).unwrap();
    for (path, bytes) in expected(COMMITS) {
        assert_eq!(std::fs::read(dir.join(path)).unwrap(), bytes);
    }
    let archive = Archive::read(&dir).unwrap();
    assert_eq!((archive.pending(), check_files(&archive)), (None, vec![]));
    let state = archive.state();
    assert_eq!(
        (state.commits, state.totals.lines, state.days.len()),
        (COMMITS, 10 * COMMITS, 2)
    );
    assert_eq!(state.sources.values().next().unwrap().next, 10 * COMMITS as i64);
    let mem = "mem/2020-06-20.csv";
    let parquet = "cpu/2020-06-19.parquet";
    assert_eq!(
        [parquet, mem].map(|path| state.bytes_of(path)),
        [Some(expected(COMMITS)[parquet].len() as u64), None]
    );
    assert_eq!(*Store::open(&dir, &no_flags()).unwrap().state(), *state);
}

#[test]
fn a_record_has_the_time_of_its_commit() {
    let disk = SimDisk::new();
    let store = Store::open_on(Arc::new(disk), Path::new("/data/archive"), &no_flags()).unwrap();
    assert_eq!(store.state().at, None);
    commit_next(&store).unwrap();
    assert_eq!(store.state().at.as_deref(), Some("2020-06-20T00:00:00Z"));

    let folder = folder();
    let before = chrono::Utc::now();
    let store = Store::open(folder.path(), &no_flags()).unwrap();
    commit_next(&store).unwrap();
    let archive = Archive::read(folder.path()).unwrap();
    let mut times = Vec::new();
    archive
        .each_commit(|commit| {
            times.extend(commit.at);
            Ok(())
        })
        .unwrap();
    assert_eq!(times, Vec::from_iter(archive.state().at.clone()));
    let time = chrono::DateTime::parse_from_rfc3339(&times[0]).unwrap();
    assert!(times[0].ends_with('Z') && times[0].len() == "2020-06-20T00:00:00Z".len());
    // Whole seconds, so it may be a little before.
    assert!((before - chrono::TimeDelta::seconds(1)..=chrono::Utc::now()).contains(&time.to_utc()));
}

#[test]
fn an_idle_run_changes_no_byte() {
    let folder = folder();
    run_script(|| Store::open(folder.path(), &no_flags()), &mut 0).unwrap();
    let ledger = folder.path().join("_diurnal/ledger-000001.jsonl");
    let before = (
        std::fs::read(&ledger).unwrap(),
        std::fs::metadata(&ledger).unwrap().mtime_nsec(),
    );
    drop(Store::open(folder.path(), &no_flags()).unwrap());
    assert_eq!(
        (
            std::fs::read(&ledger).unwrap(),
            std::fs::metadata(&ledger).unwrap().mtime_nsec()
        ),
        before
    );
    assert_eq!(
        std::fs::read_dir(folder.path().join("_diurnal/staging"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn the_lock_is_held_as_long_as_anyone_can_commit() {
    let folder = folder();
    let store = Store::open(folder.path(), &no_flags()).unwrap();
    let refused = Store::open(folder.path(), &no_flags()).unwrap_err();
    assert_eq!(refused.kind(), Kind::Locked);
    assert!(refused.to_string().contains(&std::process::id().to_string()));
    let staging = store.begin("import").unwrap();
    drop(store);
    assert_eq!(
        Store::open(folder.path(), &no_flags()).unwrap_err().kind(),
        Kind::Locked
    );
    Archive::read(folder.path()).unwrap();
    drop(staging);
    Store::open(folder.path(), &no_flags()).unwrap();
}

#[test]
fn settings_are_fixed_by_the_first_run() {
    let folder = folder();
    let us = Requested {
        time_unit: Some(TimeUnit::Us),
        ..no_flags()
    };
    assert_eq!(
        Store::open(folder.path(), &us).unwrap().settings().time_unit,
        TimeUnit::Us
    );
    assert_eq!(
        Store::open(folder.path(), &no_flags()).unwrap().settings().time_unit,
        TimeUnit::Us
    );
    let ns = Requested {
        time_unit: Some(TimeUnit::Ns),
        ..no_flags()
    };
    assert_eq!(Store::open(folder.path(), &ns).unwrap_err().kind(), Kind::Usage);
    assert_eq!(Archive::read(folder.path()).unwrap().settings().time_unit, TimeUnit::Us);
}

#[test]
fn wrong_flags_make_no_archive() {
    let folder = folder();
    let dir = folder.path().join("archive");
    let nowhere = Requested {
        timezone: Some("Nowhere".into()),
        ..no_flags()
    };
    assert_eq!(Store::open(&dir, &nowhere).unwrap_err().kind(), Kind::Usage);
    assert!(!dir.exists());
    assert_eq!(Archive::read(&dir).unwrap_err().kind(), Kind::Failed);
    std::fs::write(&dir, "a file").unwrap();
    assert!(Store::open(&dir, &no_flags()).is_err());
}

#[test]
fn threads_stage_files_at_once() {
    let folder = folder();
    let store = Store::open(folder.path(), &no_flags()).unwrap();
    let staging = store.begin("import").unwrap();
    let files: Vec<(String, Vec<u8>)> = (0..64)
        .map(|day| {
            (
                format!("cpu/2020-{:02}-{:02}.csv", day / 28 + 1, day % 28 + 1),
                vec![b'a' + (day % 26) as u8; 300_000 + day],
            )
        })
        .collect();
    std::thread::scope(|scope| {
        for part in files.chunks(16) {
            scope.spawn(|| part.iter().for_each(|(path, bytes)| stage(&staging, path, bytes)));
        }
    });
    let commit = record(1, &files, &store.state());
    staging.commit(commit).unwrap();
    assert_eq!(check_files(&Archive::read(folder.path()).unwrap()), []);
}

#[test]
fn what_is_spilled_is_read_back_and_leaves_nothing() {
    let folder = folder();
    let staging = folder.path().join("_diurnal/staging");
    let left = || std::fs::read_dir(&staging).unwrap().count();
    let store = Store::open(folder.path(), &no_flags()).unwrap();
    let space = store.spill_space();
    assert_eq!(left(), 0, "no folder before the first file");
    let mut writer = space.file().unwrap();
    let pieces = ["sorted", "", "rows"].map(|text| writer.append(text.as_bytes()).unwrap());
    let file = writer.finish().unwrap();
    let read: Vec<Vec<u8>> = pieces.iter().map(|piece| file.read(*piece).unwrap()).collect();
    assert_eq!(read, [&b"sorted"[..], b"", b"rows"]);

    // A commit goes on beside it, and a bit that flips is found.
    commit_next(&store).unwrap();
    let path = staging.join("spilled/000001.arrows");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[2] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = file.read(pieces[0]).unwrap_err().to_string();
    assert!(error.contains("does not hold what was written"), "{error}");
    assert_eq!(file.read(pieces[2]).unwrap(), b"rows");

    drop((space, file));
    assert_eq!(left(), 0);
}

#[test]
fn a_staging_that_is_dropped_leaves_nothing() {
    let folder = folder();
    let store = Store::open(folder.path(), &no_flags()).unwrap();
    let (staging, _) = staged(&store);
    let half = staging.file("net/2020-06-19.csv").unwrap();
    assert!(store.begin("import").is_err(), "two commits at once");
    drop(staging);
    drop(half);
    assert_eq!(
        std::fs::read_dir(folder.path().join("_diurnal/staging"))
            .unwrap()
            .count(),
        0
    );
    commit_next(&store).unwrap();
}

#[test]
fn a_staged_file_that_is_dropped_frees_its_target() {
    let folder = folder();
    let store = Store::open(folder.path(), &no_flags()).unwrap();
    let (staging, commit) = staged(&store);
    let dropped = staging.file("net/2020-06-19.csv").unwrap();
    assert!(staging.file("net/2020-06-19.csv").is_err(), "staged twice");
    let path = dropped.path().to_path_buf();
    drop(dropped);
    assert!(!path.exists());
    drop(staging.file("net/2020-06-19.csv").unwrap());
    staging.commit(commit).unwrap();
}

#[test]
fn a_record_that_is_not_true_is_refused_and_nothing_happens() {
    let folder = folder();
    let store = Store::open(folder.path(), &no_flags()).unwrap();
    commit_next(&store).unwrap();
    type Lie = fn(&mut Commit);
    let lies: [(&str, Lie); 9] = [
        ("another id", |commit| commit.id = 7),
        ("another command", |commit| commit.command = "merge".into()),
        ("counts that do not balance", |commit| {
            commit.counts = Counts {
                lines: 1,
                ..Counts::default()
            }
        }),
        ("a hole in the offsets", |commit| commit.sources[0].first += 1),
        ("a file not staged", |commit| {
            commit.days[0].csv.as_mut().unwrap().path = "cpu/2020-06-18.csv".into()
        }),
        ("another length", |commit| {
            commit.days[0].csv.as_mut().unwrap().bytes += 1
        }),
        ("a staged file left out", |commit| commit.days[0].csv = None),
        ("a file named twice", |commit| commit.days.push(commit.days[0].clone())),
        ("a file of before with another length", |commit| {
            commit.files.push(crate::store::record::FileEntry {
                path: "_diurnal/schema/cpu.toml".into(),
                bytes: 1,
                hash: String::new(),
            });
        }),
    ];
    for (what, lie) in lies {
        let (staging, mut commit) = staged(&store);
        lie(&mut commit);
        assert!(staging.commit(commit).is_err(), "{what}");
        assert_eq!(store.state().commits, 1);
        assert_eq!(check_files(&Archive::read(folder.path()).unwrap()), [], "{what}");
    }
    let staging = store.begin("import").unwrap();
    let half = staging.file("cpu/2020-06-19.csv").unwrap();
    assert!(
        staging.commit(record(2, &[], &store.state())).is_err(),
        "a file is still being written"
    );
    drop(half);
    commit_next(&store).unwrap();
}

#[test]
fn a_wrong_hash_of_a_schema_file_is_refused() {
    let folder = folder();
    let store = Store::open(folder.path(), &no_flags()).unwrap();
    let (staging, mut commit) = staged(&store);
    commit.files[0].hash = super::hex(b"another content");
    assert!(
        staging
            .commit(commit)
            .unwrap_err()
            .to_string()
            .contains("is not what was staged")
    );
}

#[test]
fn only_files_of_an_archive_can_be_staged() {
    let folder = folder();
    let store = Store::open(folder.path(), &no_flags()).unwrap();
    let staging = store.begin("import").unwrap();
    for target in [
        "../2020-06-19.csv",
        "_diurnal/archive.toml",
        "/tmp/2020-06-19.csv",
        "cpu/../2020-06-19.csv",
        "x",
    ] {
        assert!(staging.file(target).is_err(), "{target}");
    }
}

#[test]
fn what_the_ledger_does_not_know_is_not_overwritten() {
    let folder = folder();
    let store = Store::open(folder.path(), &no_flags()).unwrap();
    commit_next(&store).unwrap();
    commit_next(&store).unwrap();
    let staging = store.begin("import").unwrap();
    let refusal = |target: &str| staging.file(target).err().unwrap().to_string();

    std::fs::write(folder.path().join("cpu/2020-06-30.csv"), "mine").unwrap();
    assert!(refusal("cpu/2020-06-30.csv").contains("does not know it"));
    std::fs::write(folder.path().join("cpu/2020-06-19.csv"), "short").unwrap();
    assert!(refusal("cpu/2020-06-19.csv").contains("5 bytes instead of"));
    std::fs::remove_file(folder.path().join("cpu/2020-06-19.parquet")).unwrap();
    assert!(refusal("cpu/2020-06-19.parquet").contains("but missing"));
}

#[test]
fn links_inside_the_archive_are_not_followed() {
    let folder = folder();
    let (dir, elsewhere) = (folder.path().join("archive"), folder.path().join("elsewhere"));
    std::fs::create_dir(&elsewhere).unwrap();
    let store = Store::open(&dir, &no_flags()).unwrap();
    symlink(&elsewhere, dir.join("cpu")).unwrap();
    let staging = store.begin("import").unwrap();
    assert!(
        staging
            .file("cpu/2020-06-19.csv")
            .err()
            .unwrap()
            .to_string()
            .contains("symbolic link")
    );
    std::fs::create_dir(dir.join("mem")).unwrap();
    symlink(elsewhere.join("target"), dir.join("mem/2020-06-19.csv")).unwrap();
    assert!(staging.file("mem/2020-06-19.csv").is_err());
    drop(staging);

    // In the staging folder a link is debris: it goes, what it leads to stays.
    std::fs::write(elsewhere.join("precious"), "precious").unwrap();
    symlink(&elsewhere, dir.join("_diurnal/staging/000009")).unwrap();
    drop(store);
    drop(Store::open(&dir, &no_flags()).unwrap());
    assert!(elsewhere.join("precious").exists() && !dir.join("_diurnal/staging/000009").is_symlink());

    std::fs::remove_dir(dir.join("_diurnal/staging")).unwrap();
    symlink(&elsewhere, dir.join("_diurnal/staging")).unwrap();
    assert!(Store::open(&dir, &no_flags()).is_err());
    assert!(elsewhere.join("precious").exists());
}

#[test]
fn the_archive_itself_may_be_a_link() {
    let folder = folder();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    std::fs::create_dir(&real).unwrap();
    symlink(&real, &link).unwrap();
    run_script(|| Store::open(&link, &no_flags()), &mut 0).unwrap();
    assert_eq!(check_files(&Archive::read(&real).unwrap()), []);
}

#[test]
fn a_measurement_folder_on_another_file_system_is_refused_before_any_work() {
    let disk = SimDisk::new();
    disk.expect(Trouble::Nothing);
    let dir = Path::new("/data/archive");
    let open = || Store::open_on(Arc::new(disk.clone()), dir, &no_flags());
    run_script(open, &mut 0).unwrap();
    for mounted in [
        "/data/archive/cpu",
        "/data/archive/_diurnal/schema",
        "/data/archive/_diurnal",
    ] {
        disk.mount(mounted);
        let error = open().unwrap().begin("import").unwrap_err();
        assert!(error.to_string().contains("another file system"), "{error}");
    }
    disk.mount("/data");
    open().unwrap().begin("import").unwrap();
}

#[test]
fn after_a_failed_fsync_the_run_takes_no_more_commits() {
    let disk = SimDisk::new();
    disk.expect(Trouble::Nothing);
    let store = Store::open_on(Arc::new(disk.clone()), Path::new("/data/archive"), &no_flags()).unwrap();
    let staging = store.begin("import").unwrap();
    let mut file = staging.file("cpu/2020-06-19.csv").unwrap();
    file.write_all(b"time\n").unwrap();
    file.flush().unwrap();
    disk.expect(Trouble::Fail(0, ErrorKind::Other));
    let error = file.finish().unwrap_err();
    assert!(error.to_string().contains("fsync"), "{error}");
    disk.expect(Trouble::Nothing);
    assert!(staging.file("cpu/2020-06-20.csv").is_err());
    drop(staging);
    assert!(
        store
            .begin("import")
            .unwrap_err()
            .to_string()
            .contains("an fsync failed")
    );
}

#[test]
fn an_error_after_the_commit_point_says_that_the_commit_stands() {
    let disk = SimDisk::new();
    disk.expect(Trouble::Nothing);
    let open = || Store::open_on(Arc::new(disk.clone()), Path::new("/data/archive"), &no_flags());
    run_script(open, &mut 0).unwrap();
    let rename = disk
        .log()
        .iter()
        .position(|what| what.starts_with("rename to /data/archive/cpu"))
        .unwrap();
    let disk = SimDisk::new();
    disk.expect(Trouble::Fail(rename, ErrorKind::PermissionDenied));
    let open = || Store::open_on(Arc::new(disk.clone()), Path::new("/data/archive"), &no_flags());
    let error = run_script(open, &mut 0).unwrap_err();
    assert!(error.to_string().contains("/data/archive/cpu/"), "{error}");
    assert!(error.advice().unwrap().contains("commit 2 stands"), "{error:?}");
    disk.expect(Trouble::Nothing);
    assert_eq!(open().unwrap().recovery().completed, Some(2));
}

#[test]
fn files_have_the_permissions_that_the_umask_gives() {
    let folder = folder();
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    let usual = std::fs::metadata(&plain).unwrap().permissions().mode();
    let dir = folder.path().join("archive");
    run_script(|| Store::open(&dir, &no_flags()), &mut 0).unwrap();
    for path in expected(COMMITS)
        .keys()
        .map(String::as_str)
        .chain(["_diurnal/archive.toml", "_diurnal/lock"])
    {
        assert_eq!(
            std::fs::metadata(dir.join(path)).unwrap().permissions().mode(),
            usual,
            "{path}"
        );
    }
}
