//! What can't be shown is refused, and then no file is touched; what is empty is said to be.

use std::fs;
use std::os::unix::fs::symlink;

use super::{data_in, import, page_at, report};
use crate::support::folder::Folder;
use crate::support::run::diurnal;

const LINES: &str = "cpu,cpu=cpu-total,host=a usage_idle=5,note=\"x\",up=t 1592568000000000000\n";

fn archived() -> Folder {
    let folder = Folder::new();
    import(&folder, LINES);
    folder
}

/// Refused as wrong usage, with this on standard error, and without a file.
#[track_caller]
fn refuses(folder: &Folder, flags: &[&str], said: &[&str]) {
    let ran = diurnal(folder, "report").args(flags).run().expect_code(2);
    for what in said {
        assert!(ran.stderr.contains(what), "{what}: {}", ran.stderr);
    }
    assert!(!folder.join("report.html").exists());
}

#[test]
fn a_field_that_is_not_there_is_refused_with_the_nearest_one() {
    let folder = archived();
    refuses(&folder, &["--field", "cpu.usage_idel"], &["did you mean usage_idle?"]);
    refuses(&folder, &["--field", "cpus.usage_idle"], &["did you mean cpu?"]);
    refuses(&folder, &["--field", "cpu"], &["is no MEASUREMENT.COLUMN"]);
}

#[test]
fn what_holds_no_numbers_is_refused_with_what_does() {
    let folder = archived();
    refuses(&folder, &["--field", "cpu.note"], &["is a string here", "usage_idle"]);
    refuses(&folder, &["--field", "cpu.up"], &["is a boolean here"]);
    refuses(&folder, &["--field", "cpu.host"], &["is a tag"]);
}

#[test]
fn a_time_that_makes_no_sense_is_refused() {
    let folder = archived();
    refuses(&folder, &["--from", "yesterday"], &["--from", "not a time"]);
    refuses(
        &folder,
        &["--from", "2020-06-20", "--until", "2020-06-20"],
        &["is not before the end"],
    );
}

#[test]
fn a_report_inside_the_archive_is_refused() {
    let folder = archived();
    symlink(folder.archive(), folder.join("elsewhere")).expect("a link can be made");
    for output in [
        "archive/report.html",
        "archive/_diurnal/lock",
        "elsewhere/_diurnal/archive.toml",
    ] {
        refuses(&folder, &["-o", output], &["is inside the archive"]);
    }
    refuses(&folder, &["-o", "archive"], &["is a folder"]);
    refuses(&folder, &["-o", "nowhere/report.html"], &["there is no such folder"]);
    diurnal(&folder, "verify").run().expect_code(0);
}

#[test]
fn a_link_in_place_of_the_report_is_replaced_and_not_followed() {
    let folder = archived();
    let target = folder.archive().join("_diurnal/archive.toml");
    let before = fs::read(&target).expect("it is there");
    symlink(&target, folder.join("report.html")).expect("a link can be made");
    report(&folder, &[]);
    assert_eq!(fs::read(&target).expect("it is there"), before);
    assert!(!folder.join("report.html").is_symlink());
}

#[test]
fn a_report_that_fails_leaves_the_one_before() {
    let folder = archived();
    fs::write(folder.join("report.html"), "the one before").expect("a test can write");
    let file = folder.archive().join("cpu/2020-06-19.parquet");
    let mut bytes = fs::read(&file).expect("it is there");
    bytes[10] ^= 1;
    fs::write(&file, bytes).expect("a test can write");
    folder.leaves_damaged("archive");
    let ran = diurnal(&folder, "report").run().expect_code(1);
    assert!(ran.stderr.contains("cpu/2020-06-19.parquet"), "{}", ran.stderr);
    assert_eq!(page_at(&folder.join("report.html")), "the one before");
    let left: Vec<_> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .filter(|name| name.to_string_lossy().contains("diurnal-report"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_archive_without_rows_and_a_time_without_rows_are_pages_that_say_so() {
    let folder = Folder::new();
    import(&folder, "");
    let (said, page) = report(&folder, &[]);
    assert!(said["from"].is_null(), "{said}");
    assert_eq!(data_in(&page)["days"].as_array().map(Vec::len), Some(0));

    let folder = archived();
    let (said, page) = report(&folder, &["--from", "2021-01-01", "--until", "2021-02-01"]);
    assert_eq!((&said["points"], said["from"].is_null()), (&0.into(), true));
    assert_eq!(data_in(&page)["plots"][0]["series"].as_array().map(Vec::len), Some(0));
}

#[test]
fn there_is_no_report_of_no_archive() {
    let folder = Folder::new();
    diurnal(&folder, "report")
        .run()
        .expect_code(1)
        .expect_said("there is no archive here");
}

#[test]
fn a_report_needs_no_lock_and_changes_nothing() {
    let folder = archived();
    let mut running = diurnal(&folder, "import")
        .arg("-")
        .stdin("cpu,cpu=cpu-total,host=b usage_idle=6 1592568000000000000\n")
        .pause_at("commit-begin")
        .start();
    running.wait_for_step("commit-begin");
    let (_, page) = report(&folder, &[]);
    assert_eq!(data_in(&page)["hosts"].as_array().map(Vec::len), Some(1));
    running.resume();
    running.wait().expect_code(0);
    let before = crate::support::digest::all_files(&folder.archive());
    let (_, page) = report(&folder, &[]);
    assert_eq!(data_in(&page)["hosts"].as_array().map(Vec::len), Some(2));
    assert_eq!(crate::support::digest::all_files(&folder.archive()), before);
}
