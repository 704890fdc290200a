//! The Python package: built as users get it but for the optimiser, installed into an environment of its own, and its tests in
//! `python/tests` run there with the program of these tests.

use std::ffi::OsStr;
use std::process::Command;

use crate::support::python::interpreter;
use crate::support::root;

/// Runs a file of the package's tests.
#[track_caller]
fn run(file: &str) {
    let Some(python) = interpreter() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let done = Command::new(python)
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp"])
        .arg(folder.path().join("pytest"))
        .arg(root().join("python/tests").join(file))
        .env("DIURNAL_PROGRAM", OsStr::new(env!("CARGO_BIN_EXE_diurnal")))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(folder.path())
        .output()
        .expect("the environment's python can be run");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(!said.contains("skipped"), "{said}");
    println!("{}", said.lines().last().unwrap_or_default());
}

#[test]
fn lines_are_read_from_every_source_and_what_is_wrong_is_said() {
    run("test_read.py");
}

#[test]
fn tables_and_merged_days_are_those_of_an_archive() {
    run("test_archive.py");
}

#[test]
fn days_are_merged_from_frames_of_all_kinds() {
    run("test_merge.py");
}

#[test]
fn pandas_polars_and_duckdb_take_the_tables_as_they_are() {
    run("test_handover.py");
}

#[test]
fn steps_of_a_run_over_many_machines_say_what_is_wrong() {
    run("test_engine.py");
}

#[test]
fn stubs_documentation_and_examples_are_true() {
    run("test_package.py");
}
