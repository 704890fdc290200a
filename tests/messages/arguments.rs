//! What is answered to arguments that make no sense: which one, why, and what it should be.

use super::{LINES, Seen};
use crate::support::folder::Folder;

#[test]
fn commands_and_flags_that_there_are_not() {
    let folder = Folder::new();
    let mut seen = Seen::in_folder(&folder);
    for typed in [
        "statu",
        "import",
        "import --dry-rum lines.lp",
        "archive --topic t",
        "archive --brokers b:9092 --topic t --replay -1d.. --from earliest",
        "archive --brokers b:9092 --topic t --every 5m",
        "prune",
        "completions tcsh",
        "status --log-format xml",
    ] {
        seen.run(typed).expect_code(2);
    }
    seen.expect("commands_and_flags");
}

#[test]
fn values_of_flags_that_make_no_sense() {
    let folder = Folder::new();
    folder.write("lines.lp", LINES);
    let mut seen = Seen::in_folder(&folder);
    for value in [
        "--timezone Europe/Berln",
        "--timezone berlin",
        "--timezone nonsense",
        "--time-unit s",
        "--time-range yesterday",
        "--time-range yesterday..tomorrow",
        "--time-range 2030-01-01..2020-01-01",
        "--formats parquet,xml",
        "--memory much",
        "--memory 1k",
        "--threads 0",
        "--threads all",
        "--precision h",
        "--max-rejects few",
        "--max-rejects 101%",
        "--commit-every 0",
        "--commit-every often",
        "--max-line 3",
        "--max-line long",
        "--max-tags 0",
        "--default-time yesterday",
        "--schemas nowhere",
    ] {
        seen.run(&format!("import lines.lp {value}"));
    }
    for value in [
        "--timeout soon",
        "--timeout 0s",
        "--from yesterday",
        "--until yesterday",
        "--replay yesterday",
        "--replay -1d..-2d",
        "--follow --every never",
        "--follow --every 10ms",
        "--topic ^(",
        "--group=",
        "-X nonsense",
        "-X nonsense=1",
        "-X fetch.min.byte=1",
        "-X sasl.mechanizm=PLAIN",
        "-X fetch.min.bytes=many",
        "-X security.protocol=ssl3",
        "-X group.id=mine",
        "-F nowhere.properties",
    ] {
        seen.run(&format!("archive --brokers localhost:1 --topic t {value}"));
    }
    for typed in [
        "prune --csv-older-than 90",
        "rejects --limit all",
        "demo --hosts 0",
        "demo --seed x",
        "status --max-age long",
        "status --brokers localhost:1 --max-lag many",
    ] {
        seen.run(typed);
    }
    assert!(!folder.archive().exists(), "an archive was made");
    seen.expect("values_of_flags");
}

#[test]
fn names_that_an_archive_does_not_have() {
    let folder = Folder::new();
    folder.write("lines.lp", LINES);
    let mut seen = Seen::in_folder(&folder);
    seen.run("import -q lines.lp").expect_code(0);
    for typed in [
        "schema set cpu.usage_idel int",
        "schema set cpu.temperature int",
        "schema set cpx.usage_idle int",
        "schema set weather.wind int",
        "schema set cpu int",
        "schema set cpu.host int",
        "schema set cpu.time int",
        "schema set cpu.usage_idle flot",
        "schema set cpu.usage_idle int",
        "schema show cpuu",
        "schema export nothing",
        "report --field cpu.usage_idel",
        "report --field weather.wind",
        "import lines.lp --timezone Europe/Berlin",
        "import lines.lp --time-unit us",
    ] {
        seen.run(typed);
    }
    seen.expect("names_that_an_archive_does_not_have");
}
