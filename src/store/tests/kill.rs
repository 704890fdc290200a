//! Real processes, killed at every named step, and the run after them.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use super::{no_flags, run_script};
use crate::store::failpoint::STEPS;
use crate::store::{Archive, Store, check_files};

/// Names the archive that [`the_child`] works on.
const CHILD: &str = "DIURNAL_TEST_STORE";

/// Not a test of its own: the process that the tests below start and kill.
#[test]
fn the_child() {
    if let Some(dir) = std::env::var_os(CHILD) {
        run_script(|| Store::open(Path::new(&dir), &no_flags()), &mut 0).unwrap();
    }
}

/// Runs the script in a process of its own. Whether it was killed.
fn run(dir: &Path, environment: &[(&str, &str)]) -> bool {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::kill::the_child"])
        .env(CHILD, dir)
        // So small that the second commit begins another segment of the ledger.
        .env("DIURNAL_SEGMENT_BYTES", "1")
        // Records have the time: those of two runs are to be the same.
        .env("DIURNAL_CLOCK", "1592611200")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    match output.status.signal() {
        None => assert!(output.status.success(), "{output:?}"),
        Some(signal) => assert_eq!(signal, signal_hook::consts::SIGKILL),
    }
    output.status.signal().is_some()
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().unwrap() != "lock" {
                found.insert(
                    path.strip_prefix(dir).unwrap().to_str().unwrap().into(),
                    std::fs::read(&path).unwrap(),
                );
            }
        }
    }
    found
}

#[test]
fn a_run_killed_at_any_step_and_run_again_leaves_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let undisturbed = folder.path().join("undisturbed");
    assert!(!run(&undisturbed, &[]));
    for step in STEPS {
        let dir = folder.path().join(step);
        // What a recovery has to do is left by another kill.
        let before = match *step {
            "recovery-tail-cut" => Some("commit-record-half-written"),
            "recovery-debris-removed" => Some("stage-file-synced"),
            "recovery-removed" => Some("commit-removed:2"),
            step if step.starts_with("recovery-") => Some("commit-rename"),
            _ => None,
        };
        if let Some(before) = before {
            assert!(run(&dir, &[("DIURNAL_FAILPOINT", before)]), "{before} was not reached");
        }
        assert!(run(&dir, &[("DIURNAL_FAILPOINT", step)]), "{step} was not reached");
        if *step != "open-begin" && *step != "open-folders-made" && dir.join("_diurnal/archive.toml").exists() {
            let archive = Archive::read(&dir).unwrap();
            assert_eq!(check_files(&archive), [], "{step}: a reader is disturbed");
        }
        assert!(!run(&dir, &[]));
        assert!(files(&dir) == files(&undisturbed), "{step}");
    }
}

#[test]
fn the_log_of_steps_names_what_was_done_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("steps");
    let dir = folder.path().join("archive");
    assert!(run(
        &dir,
        &[
            ("DIURNAL_STEP_LOG", log.to_str().unwrap()),
            ("DIURNAL_FAILPOINT", "commit-renamed:3")
        ]
    ));
    let text = std::fs::read_to_string(&log).unwrap();
    let steps: Vec<&str> = text.lines().collect();
    assert_eq!(steps.iter().filter(|step| **step == "commit-renamed").count(), 3);
    assert_eq!(steps.last(), Some(&"commit-renamed"));
    // The first open and the first commit, each step when it was met first.
    let second = steps.iter().rposition(|step| *step == "stage-folder-made").unwrap();
    let place = |step: &&str| STEPS.iter().position(|known| known == step);
    let mut places: Vec<usize> = Vec::new();
    for step in &steps[..second] {
        let place = place(step).unwrap_or_else(|| panic!("{step} is not listed"));
        if !places.contains(&place) {
            places.push(place);
        }
    }
    assert!(
        places.is_sorted() && places.len() > 20,
        "the list is not in the order of a run: {places:?}"
    );
}

#[test]
fn a_paused_run_goes_on_when_the_file_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, go) = (folder.path().join("archive"), folder.path().join("go"));
    std::thread::scope(|scope| {
        let pause = format!("commit-rename={}", go.display());
        let paused = scope.spawn({
            let dir = dir.clone();
            move || run(&dir, &[("DIURNAL_PAUSE", &pause)])
        });
        // The run holds the lock and has a record whose files wait.
        let waiting = || Archive::read(&dir).is_ok_and(|archive| archive.state().commits == 1);
        while !waiting() {
            assert!(!paused.is_finished(), "it did not pause");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        assert_eq!(
            Store::open(&dir, &no_flags()).unwrap_err().kind(),
            crate::error::Kind::Locked
        );
        std::fs::write(&go, "").unwrap();
        assert!(!paused.join().unwrap());
    });
}
