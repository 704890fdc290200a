//! The Python package: built as users get it but for the optimiser, installed into an environment of its own, and its tests in
//! `python/tests` run there with the program of these tests.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::support::{install, root, runs, skip};

/// A Python that has the package of this checkout; `None`, with a message, where it can't be had.
fn interpreter() -> Option<PathBuf> {
    static SHARED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match SHARED.get_or_init(installed) {
        Ok(python) => Some(python.clone()),
        Err(missing) => {
            skip(missing);
            None
        }
    }
}

fn installed() -> Result<PathBuf, String> {
    if !runs("python3", "--version") {
        return Err("the Python package needs python3 (on Debian: apt-get install python3-venv)".to_owned());
    }
    let bin = install("install-python.sh", "python")?.join("bin");
    let python = bin.join("python");
    let wheels = tempfile::tempdir().expect("a temporary folder can be made");
    // Its target folder is this one, where all but the extension itself is compiled already.
    let built = Command::new(bin.join("maturin"))
        .args(["build", "--profile", "dev", "--locked", "--compatibility", "linux", "--compression-method", "stored"])
        .arg("--interpreter")
        .arg(&python)
        .arg("--out")
        .arg(wheels.path())
        .arg("--manifest-path")
        .arg(root().join("python/Cargo.toml"))
        .output()
        .expect("the environment's maturin can be run");
    // A package that can't be built is a failure, and nothing to be skipped.
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let wheel = wheels.path().read_dir().expect("maturin made it").next();
    let wheel = wheel.expect("it has a wheel").expect("it can be read").path();
    let install = ["-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall"];
    let done = Command::new(&python).args(install).arg(wheel).output();
    let done = done.expect("the environment's python can be run");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(python)
}

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
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
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
