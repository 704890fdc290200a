//! Whatever dies while Spark works, the rerun makes the archive of a run in which nothing died.

use super::cluster::Spark;
use super::topics::{self, PARTITIONS};
use super::{archive, expect_same, facts, job};
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::long;
use crate::support::topic::Topic;

/// So that a second attempt of a task that lingers starts soon.
const SPECULATION: [(&str, &str); 5] = [
    ("spark.speculation", "true"),
    ("spark.speculation.interval", "100ms"),
    ("spark.speculation.quantile", "0.1"),
    ("spark.speculation.multiplier", "1.1"),
    ("spark.speculation.minTaskRuntime", "1ms"),
];

/// Where the driver kills itself with nothing committed: around each method of `Run`, then at steps of the store.
const BEFORE_THE_COMMIT_POINT: [&str; 11] = [
    "after-begin",
    "before-settle",
    "after-settle",
    "after-plan",
    "before-encoded",
    "after-encoded",
    "before-commit",
    "commit-begin",
    "commit-manifest-synced",
    "commit-staging-synced",
    "commit-record-half-written",
];

/// The same after the record is on disk.
const AFTER_THE_COMMIT_POINT: [&str; 5] = [
    "commit-record-synced",
    "commit-rename",
    "commit-renamed:3",
    "commit-staging-emptied",
    "after-commit",
];

/// Those that are tried each time.
const SOME: [&str; 2] = ["after-encoded", "commit-record-synced"];

fn is_tried(place: &str) -> bool {
    long() || SOME.contains(&place)
}

/// Runs a job whose driver kills itself at this place.
fn killed(spark: &'static Spark, folder: &Folder, kafka: &Kafka, topic: &Topic<'_>, place: &str) {
    let job = job(spark, folder, kafka, topic);
    let is_of_run = place.starts_with("before-") || place.starts_with("after-");
    let ran = match is_of_run {
        true => job.faults(folder, place, &format!("kill-driver={place}")),
        false => job.fail_at(place),
    }
    .submit()
    .run();
    // What is left of a program that SIGKILL ended. One that never came to the place would have ended otherwise.
    assert_eq!(
        ran.status.code(),
        Some(128 + 9),
        "{place}: {}\n{}",
        ran.stdout,
        ran.stderr
    );
}

#[test]
fn tasks_that_fail_executors_that_are_killed_and_second_attempts_do_not_show() {
    let (Some(kafka), Some(spark)) = (Kafka::shared(), Spark::shared()) else {
        return;
    };
    let _alone = spark.alone();
    let topic = kafka.topic("spark-tasks", PARTITIONS, &[]);
    topic.send(&topics::first());
    let plain = Folder::new();
    let on_one = archive(&plain, kafka, &topic).report(3);
    let mut cases = vec!["fail=parse fail=encode kill-executor=encode fail=splice linger=splice"];
    if long() {
        cases.extend([
            "kill-executor=parse",
            "kill-executor=route",
            "kill-executor=splice",
            "linger=parse",
            "linger=encode",
            "fail=route fail=splice",
        ]);
    }
    for faults in cases {
        let folder = Folder::new();
        let mut job = job(spark, &folder, kafka, &topic).faults(&folder, "marks", faults);
        for (name, value) in SPECULATION {
            job = job.conf(name, value);
        }
        let report = spark.run(job, 3);
        for fault in faults.split(' ') {
            assert!(folder.join("marks").join(fault).exists(), "{fault} did not happen");
        }
        assert_eq!(facts(&report), facts(&on_one), "{faults}");
        expect_same(&folder, &plain);
    }
}

#[test]
fn a_driver_that_is_killed_anywhere_before_the_commit_point_leaves_the_next_one_to_do_all_of_it() {
    let (Some(kafka), Some(spark)) = (Kafka::shared(), Spark::shared()) else {
        return;
    };
    let _alone = spark.alone();
    let topic = kafka.topic("spark-driver", PARTITIONS, &[]);
    topic.send(&topics::first());
    let (plain, folder) = (Folder::new(), Folder::new());
    let on_one = archive(&plain, kafka, &topic).report(3);
    // Each run meets what the one before it left behind.
    for place in BEFORE_THE_COMMIT_POINT.into_iter().filter(|place| is_tried(place)) {
        killed(spark, &folder, kafka, &topic, place);
    }
    let report = spark.run(job(spark, &folder, kafka, &topic), 3);
    assert_eq!(facts(&report), facts(&on_one), "nothing was committed before");
    expect_same(&folder, &plain);
}

#[test]
fn a_driver_that_is_killed_after_the_commit_point_has_archived_everything_once() {
    let (Some(kafka), Some(spark)) = (Kafka::shared(), Spark::shared()) else {
        return;
    };
    let _alone = spark.alone();
    let topic = kafka.topic("spark-committed", PARTITIONS, &[]);
    let (plain, folder) = (Folder::new(), Folder::new());
    let lines = crate::support::lines::telegraf(4, 8_000);
    for (place, lines) in AFTER_THE_COMMIT_POINT.into_iter().zip(lines.chunks(1_600)) {
        if !is_tried(place) {
            continue;
        }
        topic.send(&topics::dealt(5, lines.to_vec()));
        archive(&plain, kafka, &topic).run().expect_code(0);
        killed(spark, &folder, kafka, &topic, place);
        // Kafka has nothing new: the next run completes what was committed.
        let report = match long() {
            true => spark.run(job(spark, &folder, kafka, &topic), 0),
            false => archive(&folder, kafka, &topic).report(0),
        };
        assert_eq!(report["lines"], 0, "{place}");
        expect_same(&folder, &plain);
    }
}
