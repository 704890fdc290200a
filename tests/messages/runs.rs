//! What runs say that go well, or nearly.

use std::fs;

use super::{LINES, Seen};
use crate::support::folder::Folder;

/// A line without a value, one with text in a number's column, one point with two values.
const STRANGE: &str = "\
cpu,host=web-01 usage_idle= 1592568010000000000
cpu,host=web-01 usage_idle=\"much\" 1592568020000000000
cpu,host=web-01 usage_idle=1 1592568030000000000
cpu,host=web-01 usage_idle=2 1592568030000000000
sensor,room=b temperature=21 1592568000000000000
no line protocol
";

#[test]
fn imports() {
    let folder = Folder::new();
    folder.write("lines.lp", LINES);
    folder.write("strange.lp", STRANGE);
    let mut seen = Seen::in_folder(&folder);
    seen.run("import lines.lp --dry-run");
    seen.run("import lines.lp");
    seen.run("import lines.lp");
    seen.run("import lines.lp -q");
    seen.run("import lines.lp -v");
    seen.run("import strange.lp");
    seen.run("import strange.lp");
    seen.run("import strange.lp -q");
    seen.run("import strange.lp --max-rejects 50%");
    seen.expect("imports");
}

#[test]
fn a_run_over_many_days_fits_a_screen() {
    let folder = Folder::new();
    let mut lines = String::new();
    for day in 0..40 {
        let second = 1_592_568_000 + day * 86_400;
        lines += &format!("cpu,host=a usage_idle=1 {second}000000000\nbroken {day}\n");
    }
    folder.write("lines.lp", lines);
    let mut seen = Seen::in_folder(&folder);
    let ran = seen.run("import lines.lp");
    assert!(ran.stderr.lines().count() <= 24, "{}", ran.stderr);
    seen.expect("a_run_over_many_days");
}

#[test]
fn looking_at_an_archive() {
    let folder = Folder::new();
    folder.write("lines.lp", LINES);
    folder.write("strange.lp", STRANGE);
    let mut seen = Seen::in_folder(&folder);
    seen.run("import -q lines.lp strange.lp");
    seen.run("verify");
    seen.run("verify -q");
    seen.run("rejects");
    seen.run("rejects --limit 1");
    seen.run("schema show cpu");
    seen.run("schema show");
    seen.run("schema export sensor");
    seen.run("schema export -o schemas");
    seen.run("report");
    seen.expect("looking_at_an_archive");
}

#[test]
fn the_status_of_an_archive() {
    let folder = Folder::new();
    folder.write("lines.lp", LINES);
    let mut seen = Seen::in_folder(&folder);
    seen.run("import -q lines.lp");
    seen.run("status");
    seen.run("status --days");
    seen.expect("the_status_of_an_archive");
}

#[test]
fn changing_an_archive() {
    let folder = Folder::new();
    folder.write("lines.lp", LINES);
    folder.write("strange.lp", STRANGE);
    folder.write("more.lp", "cpu,host=web-03 usage_idle=99 1592568000000000000\n");
    folder.write("clash.lp", "sensor,room=c temperature=20.5 1592568000000000000\n");
    let mut seen = Seen::in_folder(&folder);
    seen.run("import -q lines.lp strange.lp");
    seen.run("schema set sensor.temperature string --dry-run");
    seen.run("schema set sensor.temperature string");
    seen.run("schema set sensor.temperature string");
    seen.run("rejects --retry --dry-run");
    seen.run("rejects --retry");
    seen.run("backup copy");
    seen.run("import --archive other lines.lp more.lp -q");
    seen.run("merge other --dry-run");
    seen.run("merge other");
    seen.run("merge copy");
    seen.run("import --archive clash clash.lp -q");
    seen.run("merge clash");
    seen.run("prune --csv-older-than 1d --dry-run");
    seen.run("prune --csv-older-than 1d");
    seen.run("prune --csv-older-than 1d");
    seen.run("prune --csv-older-than 9999w -q");
    seen.expect("changing_an_archive");
}

#[test]
fn damage() {
    let folder = Folder::new();
    folder.write("lines.lp", LINES);
    let mut seen = Seen::in_folder(&folder);
    seen.run("import -q lines.lp");
    let csv = folder.join("archive/cpu/2020-06-19.csv");
    let text = fs::read_to_string(&csv).expect("it is there");
    fs::write(&csv, text.replace("97.5", "97.6")).expect("it can be written");
    fs::remove_file(folder.join("archive/mem/2020-06-19.parquet")).expect("it is there");
    fs::write(folder.join("archive/cpu/notes.txt"), "mine").expect("it can be written");
    folder.leaves_damaged("archive");
    seen.run("verify");
    seen.run("verify -q");
    seen.run("backup copy");
    seen.expect("damage");
}

#[test]
fn the_demo() {
    let folder = Folder::new();
    let mut seen = Seen::in_folder(&folder);
    seen.run("demo --hosts 2 --hours 1");
    seen.run("demo --hosts 2 --hours 1 --keep");
    seen.expect("the_demo");
}
