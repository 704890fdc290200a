//! `--dry-run`: says exactly what a run would do, and changes nothing at all.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;

use crate::support::digest::all_files;
use crate::support::embedded::Embedded;
use crate::support::folder::Folder;
use crate::support::lines::{self, file_of};
use crate::support::produce::Record;
use crate::support::run::{Diurnal, diurnal};

/// A step at which a run has read something and committed nothing of it.
const BEFORE_COMMIT: &str = "before-commit";

/// Every file and folder below, with the time of its last change and the file's length.
fn everything(folder: &Path) -> BTreeMap<String, (SystemTime, u64)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder can be listed") {
            let path = entry.expect("a folder can be listed").path();
            let about = fs::symlink_metadata(&path).expect("it was just listed");
            let changed = about.modified().expect("the file system keeps times");
            found.insert(path.display().to_string(), (changed, about.len()));
            if about.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

/// What a dry run and the real one after it must say alike.
fn comparable(mut report: Value) -> Value {
    let object = report.as_object_mut().expect("an object");
    object.remove("elapsed_s");
    object.remove("phases_s");
    object.remove("dry_run");
    for day in object["days"].as_array_mut().expect("days") {
        let day = day.as_object_mut().expect("an object");
        day.remove("points");
        day.remove("folded");
    }
    report
}

fn sum(report: &Value, key: &str) -> u64 {
    let days = report["days"].as_array().expect("days");
    days.iter().map(|day| day[key].as_u64().expect("a number")).sum()
}

/// Runs it dry, then for real: the first changes nothing, both say the same. The dry run's report.
fn dry_then_real(folder: &Folder, command: impl Fn() -> Diurnal, exit_code: i32) -> Value {
    let temporary = folder.join("tmp");
    fs::create_dir_all(&temporary).expect("a folder can be made");
    let existed = folder.archive().exists();
    let before = existed.then(|| everything(&folder.archive()));
    let dry = command().arg("--dry-run").env("TMPDIR", &temporary).report(exit_code);
    assert_eq!(dry["dry_run"], true);
    match before {
        Some(before) => assert_eq!(everything(&folder.archive()), before),
        None => assert!(!folder.archive().exists(), "a dry run made an archive"),
    }
    assert_eq!(
        fs::read_dir(&temporary).expect("it is there").count(),
        0,
        "{temporary:?}"
    );
    let real = command().report(exit_code);
    assert_eq!(real.get("dry_run"), None);
    assert_eq!(comparable(dry.clone()), comparable(real));
    dry
}

#[test]
fn a_dry_run_of_import_says_what_the_real_one_does_and_makes_nothing() {
    let folder = Folder::new();
    let all = lines::telegraf(1, 6_000);
    folder.write("early.txt", file_of(&all[..4_000]));
    folder.write("late.txt", file_of(&all[3_000..]) + "m,host= v=1 1592604000000000000\n");
    let early = dry_then_real(&folder, || diurnal(&folder, "import").arg("early.txt"), 0);
    assert_eq!((sum(&early, "points"), sum(&early, "folded")), (4_000, 0));
    let late = dry_then_real(&folder, || diurnal(&folder, "import").arg("late.txt"), 3);
    assert_eq!((sum(&late, "points"), sum(&late, "folded")), (2_000, 1_000));
    assert_eq!(
        (&late["points"], &late["folded"], &late["rejected"]),
        (&2_000.into(), &1_000.into(), &1.into())
    );
    let again = dry_then_real(&folder, || diurnal(&folder, "import").arg("early.txt"), 0);
    assert_eq!((&again["points"], &again["folded"]), (&0.into(), &4_000.into()));
    assert_eq!(again["days"], Value::Array(Vec::new()), "nothing changes");
}

#[test]
fn a_dry_run_of_many_steps_counts_like_one_that_makes_all_of_its_commits() {
    let folder = Folder::new();
    let all = lines::telegraf(2, 6_000);
    folder.write("a.txt", file_of(&all[..4_500]));
    folder.write("b.txt", file_of(&all[1_500..]));
    let command = || {
        diurnal(&folder, "import")
            .args(["--threads", "1", "--commit-every", "1000"])
            .args(["a.txt", "b.txt"])
    };
    let report = dry_then_real(&folder, command, 0);
    assert_eq!((&report["points"], &report["folded"]), (&6_000.into(), &3_000.into()));
    assert_eq!(sum(&report, "points"), 6_000);
    // Which lines are in a commit is a matter of time, and one that changes nothing of a day says nothing of that day.
    assert!(sum(&report, "folded") <= 3_000);
}

#[test]
fn a_dry_run_of_archive_commits_no_offset_anywhere() {
    let broker = Embedded::start();
    broker.create_topic("t", 2);
    let records: Vec<_> = (0..200)
        .map(|n| {
            Record::new(
                n % 2,
                format!("m v={n}i {}\n", 1_592_604_000_000_000_000_i64 + i64::from(n)),
            )
        })
        .collect();
    broker.send("t", &records);
    let folder = Folder::new();
    let command = || diurnal(&folder, "archive").args(["--brokers", &broker.brokers(), "--topic", "t"]);
    let group = || {
        let consumer: BaseConsumer = rdkafka::ClientConfig::new()
            .set("bootstrap.servers", broker.brokers())
            .set("group.id", "diurnal")
            .create()
            .expect("a consumer can be made");
        let mut asked = TopicPartitionList::new();
        asked.add_partition_range("t", 0, 1);
        let told = consumer.committed_offsets(asked, crate::support::PATIENCE);
        let told = told.expect("the broker answers");
        told.elements()
            .iter()
            .map(|element| element.offset())
            .collect::<Vec<_>>()
    };
    command().arg("--dry-run").run().expect_code(0);
    assert_eq!(group(), [Offset::Invalid, Offset::Invalid]);
    let report = dry_then_real(&folder, command, 0);
    assert_eq!(
        (&report["points"], &report["partitions"][0]["next"]),
        (&200.into(), &100.into())
    );
    assert_eq!(group(), [Offset::Offset(100), Offset::Offset(100)]);
    assert_eq!(dry_then_real(&folder, command, 0)["lines"], 0);
}

#[test]
fn a_dry_run_and_a_run_do_not_hold_each_other_up() {
    let folder = Folder::new();
    let all = lines::telegraf(3, 2_000);
    folder.write("a.txt", file_of(&all[..1_000]));
    folder.write("b.txt", file_of(&all[1_000..]));
    diurnal(&folder, "import").arg("a.txt").run().expect_code(0);
    let mut real = diurnal(&folder, "import").arg("b.txt").pause_at(BEFORE_COMMIT).start();
    real.wait_for_step(BEFORE_COMMIT);
    let mut dry = diurnal(&folder, "import")
        .args(["--dry-run", "--json", "a.txt"])
        .pause_at(BEFORE_COMMIT)
        .start();
    dry.wait_for_step(BEFORE_COMMIT);
    let quick = diurnal(&folder, "import").args(["--dry-run", "b.txt"]).report(0);
    assert_eq!(
        quick["points"], 1_000,
        "what the run that goes on has not committed is new"
    );
    real.resume();
    real.wait().expect_code(0);
    let read_at = all_files(&folder.archive());
    dry.resume();
    // It merges with the days as they were: those that it can't find any more it must not mistake for damage.
    let dry = dry.wait();
    assert!(dry.stderr.contains("another run made commits"), "{}", dry.stderr);
    assert_eq!(all_files(&folder.archive()), read_at);
}

#[test]
fn a_dry_run_on_what_a_killed_run_left_recovers_nothing_and_counts_right() {
    let folder = Folder::new();
    let all = lines::telegraf(4, 6_000);
    folder.write("a.txt", file_of(&all[..3_000]));
    folder.write("b.txt", file_of(&all[3_000..]));
    diurnal(&folder, "import").arg("a.txt").run().expect_code(0);
    for (step, points) in [
        ("commit-rename:2", 0),
        ("stage-file-synced", 3_000),
        ("commit-record-half-written", 3_000),
    ] {
        let other = Folder::new();
        let copied = std::process::Command::new("cp")
            .args(["-a", "."])
            .arg(other.path())
            .current_dir(folder.path())
            .status();
        assert!(copied.is_ok_and(|status| status.success()), "cp");
        assert!(diurnal(&other, "import").arg("b.txt").fail_at(step).run().was_killed());
        let before = everything(&other.archive());
        let report = diurnal(&other, "import").args(["--dry-run", "b.txt"]).report(0);
        assert_eq!(report["points"], points, "{step}");
        assert_eq!(everything(&other.archive()), before, "{step}");
    }
}

#[test]
fn a_dry_run_refuses_what_a_run_refuses() {
    let folder = Folder::new();
    folder.write("a.txt", file_of(&lines::telegraf(5, 10)));
    diurnal(&folder, "import").arg("a.txt").run().expect_code(0);
    diurnal(&folder, "import")
        .args(["--dry-run", "--timezone", "Europe/Berlin", "a.txt"])
        .run()
        .expect_code(2);
    for ledger_alone in [false, true] {
        let other = Folder::new();
        other.write("a.txt", "m v=1 1592604000000000000\n");
        let private = other.join("archive/_diurnal");
        fs::create_dir_all(&private).expect("a folder can be made");
        if ledger_alone {
            fs::write(private.join("ledger-000001.jsonl"), "{}").expect("a test can write into its folder");
        }
        let code = i32::from(ledger_alone);
        for flag in [&["--dry-run", "a.txt"][..], &["a.txt"]] {
            diurnal(&other, "import").args(flag).run().expect_code(code);
        }
    }
    folder.leaves_damaged("archive");
    let parquet = folder.join("archive/cpu/2020-06-19.parquet");
    let mut bytes = fs::read(&parquet).expect("a day file");
    bytes[100] ^= 1;
    fs::write(&parquet, bytes).expect("a test can write into its folder");
    diurnal(&folder, "import")
        .args(["--dry-run", "a.txt"])
        .run()
        .expect_code(1)
        .expect_said("not what was committed");
}

#[test]
fn people_are_told_that_nothing_was_written() {
    let folder = Folder::new();
    folder.write("a.txt", "m v=1 1592604000000000000\nm, v=1 1\n");
    let ran = diurnal(&folder, "import")
        .args(["--dry-run", "a.txt"])
        .run()
        .expect_code(3);
    assert!(ran.stderr.contains("dry run, nothing was written"), "{}", ran.stderr);
    assert!(ran.stderr.contains("would be kept"), "{}", ran.stderr);
}
