//! What is said of files and archives that can't be read, written or understood, and of a bug.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::{LINES, Seen};
use crate::support::folder::Folder;
use crate::support::run::diurnal;

#[test]
fn paths_that_are_not_what_is_needed() {
    let folder = Folder::new();
    folder.write("lines.lp", LINES);
    folder.write("broken.lp.gz", b"\x1f\x8bno gzip");
    fs::create_dir(folder.join("some")).expect("a folder can be made");
    let mut seen = Seen::in_folder(&folder);
    for typed in [
        "import missing.lp",
        "import some",
        "import broken.lp.gz",
        "import missing.lp lines.lp",
        "import lines.lp --archive lines.lp",
        "status --archive missing",
        "verify --archive some",
        "rejects --archive some",
        "schema show --archive some",
        "prune --csv-older-than 1d --archive some",
        "merge some",
        "backup archive",
        "backup archive/copy",
        "backup no/such/folder",
        "demo --archive .",
    ] {
        seen.run(typed);
    }
    seen.expect("paths");
}

#[test]
fn permissions_that_lack() {
    let folder = Folder::new();
    let lines = folder.write("lines.lp", LINES);
    let mut seen = Seen::in_folder(&folder);
    seen.run("import -q lines.lp").expect_code(0);
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("its mode can be set");
    };
    mode(&lines, 0o000);
    seen.run_as("import lines.lp", |run| run.unprivileged());
    mode(&lines, 0o644);
    let toml = folder.archive().join("_diurnal/archive.toml");
    mode(&toml, 0o000);
    seen.run_as("status", |run| run.unprivileged());
    mode(&toml, 0o644);
    let staging = folder.archive().join("_diurnal/staging");
    folder.write("more.lp", "cpu,host=c usage_idle=1 1592568000000000000\n");
    mode(&staging, 0o555);
    seen.run_as("import more.lp", |run| run.unprivileged());
    mode(&staging, 0o755);
    mode(folder.path(), 0o555);
    seen.run_as("import more.lp --archive new", |run| run.unprivileged());
    mode(folder.path(), 0o755);
    seen.expect("permissions");
}

#[test]
fn an_archive_that_another_run_holds() {
    let folder = Folder::new();
    folder.write("lines.lp", LINES);
    let mut first = diurnal(&folder, "import")
        .arg("lines.lp")
        .pause_at("before-commit")
        .start();
    first.wait_for_step("before-commit");
    let mut seen = Seen::in_folder(&folder);
    seen.run("import lines.lp").expect_code(4);
    seen.run("prune --csv-older-than 1d").expect_code(4);
    first.resume();
    first.wait().expect_code(0);
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    seen.text = seen.text.replace(&host, "[host]");
    seen.expect("an_archive_that_is_held");
}

#[test]
fn archives_of_another_time() {
    let folder = Folder::new();
    folder.write("lines.lp", LINES);
    let mut seen = Seen::in_folder(&folder);
    seen.run("import -q lines.lp").expect_code(0);
    folder.leaves_damaged("archive");
    let toml = folder.archive().join("_diurnal/archive.toml");
    let was = fs::read_to_string(&toml).expect("it is there");
    for now in [was.replace("format = 1", "format = 9"), was.replace("UTC", "CET")] {
        assert_ne!(now, was);
        fs::write(&toml, now).expect("it can be written");
        seen.run("import lines.lp").expect_code(1);
        seen.run("status").expect_code(1);
    }
    fs::write(&toml, was).expect("it can be written");
    let ledger = folder.archive().join("_diurnal/ledger-000001.jsonl");
    let text = fs::read_to_string(&ledger).expect("it is there");
    fs::write(&ledger, text.replace("cpu", "gpu")).expect("it can be written");
    seen.run("import lines.lp").expect_code(1);
    seen.run("verify").expect_code(1);
    seen.expect("archives_of_another_time");
}

#[test]
fn a_bug_is_an_error_like_any_other_without_a_backtrace() {
    let folder = Folder::new();
    let mut seen = Seen::in_folder(&folder);
    let with_bug = |run: crate::support::run::Diurnal| run.fail_at("bug").env("RUST_BACKTRACE", "1");
    let ran = seen.run_as("verify", with_bug).expect_code(1);
    assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
    seen.expect("a_bug");
}
