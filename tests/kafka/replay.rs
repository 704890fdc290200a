//! `--replay`: what was archived is read once more; that changes nothing, or fills a hole, and never moves where a run goes on.

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use super::{ASSIGNED, archive, partition, point};
use crate::support::digest::{all_files, day_files};
use crate::support::embedded::Embedded;
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::ledger::ledger;
use crate::support::produce::Record;
use crate::support::run::{Diurnal, diurnal};

/// The topic on the embedded brokers.
const TOPIC: &str = "t";

/// 2026-01-01T00:00:00Z in milliseconds.
const NEW_YEAR_MS: i64 = 1_767_225_600_000;

fn points(range: std::ops::Range<i64>) -> Vec<Record> {
    range.map(|n| Record::new(0, point(n))).collect()
}

/// A broker whose topic has one partition with these points.
fn embedded(range: std::ops::Range<i64>) -> Embedded {
    let broker = Embedded::start();
    broker.create_topic(TOPIC, 1);
    broker.send(TOPIC, &points(range));
    broker
}

fn archive_from(folder: &Folder, broker: &Embedded) -> Diurnal {
    diurnal(folder, "archive").args(["--brokers", &broker.brokers(), "--topic", TOPIC])
}

/// (lines, new points, folded) of a report.
fn counts(report: &Value) -> [i64; 3] {
    ["lines", "points", "folded"].map(|name| report[name].as_i64().expect("a number"))
}

/// The files that one import of these points makes.
fn files_of(range: std::ops::Range<i64>) -> crate::support::digest::Tree {
    let folder = Folder::new();
    folder.write("all.txt", range.map(point).collect::<String>());
    diurnal(&folder, "import").arg("all.txt").run().expect_code(0);
    day_files(&folder.archive())
}

/// The commits of the ledger.
fn commits(folder: &Folder) -> Vec<Value> {
    let line = |line: &String| serde_json::from_str::<Value>(line).expect("JSON")["commit"].clone();
    ledger(folder).1.iter().map(line).collect()
}

#[test]
fn a_replay_of_what_is_archived_changes_no_byte_and_no_record() {
    let broker = Embedded::start();
    broker.create_topic(TOPIC, 4);
    let records: Vec<_> = (0..500).map(|n| Record::new((n % 3) as i32, point(n))).collect();
    broker.send(TOPIC, &records);
    broker.send(TOPIC, &[Record::new(0, "m,host= v=1i 1600000000000000000\n")]);
    let folder = Folder::new();
    archive_from(&folder, &broker).run().expect_code(3);
    let before = all_files(&folder.archive());

    for _ in 0..2 {
        // The line that is rejected is on record: no exit code 3 again.
        let report = archive_from(&folder, &broker).args(["--replay", ".."]).report(0);
        assert_eq!(counts(&report), [501, 0, 500]);
        assert_eq!((&report["rejected"], &report["rejected_again"]), (&json!(1), &json!(1)));
        assert_eq!(report["replay"], true);
        assert_eq!(report["days"], json!([]));
        assert_eq!(partition(&report, TOPIC, 0), [0, 168, 168, 0, 0]);
        assert_eq!(partition(&report, TOPIC, 3), [0, 0, 0, 0, 0]);
        assert_eq!(all_files(&folder.archive()), before);
    }
}

#[test]
fn a_replay_stops_where_the_archive_is_and_the_next_run_goes_on_from_there() {
    let broker = embedded(0..10);
    let folder = Folder::new();
    archive_from(&folder, &broker).run().expect_code(0);
    broker.send(TOPIC, &points(10..15));
    let report = archive_from(&folder, &broker).args(["--replay", ".."]).report(0);
    assert_eq!(partition(&report, TOPIC, 0), [0, 10, 10, 0, 0]);
    let report = archive_from(&folder, &broker).report(0);
    assert_eq!(report.get("replay"), None);
    assert_eq!(partition(&report, TOPIC, 0), [10, 15, 5, 0, 0]);
}

#[test]
fn variables_for_runs_that_go_on_have_no_say_in_a_replay_and_typed_flags_are_refused() {
    let broker = embedded(0..10);
    let folder = Folder::new();
    archive_from(&folder, &broker).run().expect_code(0);
    let replay = |more: &[&str]| {
        archive_from(&folder, &broker)
            .env("DIURNAL_FROM", "latest")
            .env("DIURNAL_UNTIL", "no time at all")
            .args(more)
    };
    for way in [&["--replay", ".."][..], &["--replay=.."][..]] {
        assert_eq!(counts(&replay(way).report(0)), [10, 0, 10]);
    }
    replay(&["--replay", "..", "--from", "earliest"]).run().expect_code(2);
    replay(&["--until", "now", "--replay=.."]).run().expect_code(2);
    // Without it they have.
    replay(&[]).run().expect_code(2).expect_said("--until: ");
}

#[test]
fn a_replay_fetches_what_the_first_run_was_told_to_leave_out() {
    let broker = embedded(0..10);
    let folder = Folder::new();
    archive_from(&folder, &broker)
        .args(["--from", "latest"])
        .run()
        .expect_code(0);
    let report = archive_from(&folder, &broker).args(["--replay", ".."]).report(0);
    assert_eq!(counts(&report), [10, 10, 0]);
    assert_eq!(archive_from(&folder, &broker).report(0)["lines"], 0);
    assert_eq!(day_files(&folder.archive()), files_of(0..10));
    diurnal(&folder, "verify").run().expect_code(0);
}

#[test]
fn a_replay_of_another_cluster_leaves_nothing_that_a_run_there_could_take_for_its_own() {
    let (cluster, mirror) = (embedded(0..10), embedded(0..300));
    let folder = Folder::new();
    archive_from(&folder, &cluster).run().expect_code(0);
    let group = || {
        let consumer: BaseConsumer = rdkafka::ClientConfig::new()
            .set("bootstrap.servers", mirror.brokers())
            .set("group.id", "diurnal")
            .create()
            .expect("a consumer can be made");
        let mut asked = TopicPartitionList::new();
        asked.add_partition(TOPIC, 0);
        let told = consumer.committed_offsets(asked, crate::support::PATIENCE);
        told.expect("the broker answers").elements()[0].offset()
    };
    let before = all_files(&folder.archive());
    let replay = || archive_from(&folder, &mirror).args(["--replay", ".."]);
    let dry = replay().arg("--dry-run").report(0);
    assert_eq!(counts(&dry), [300, 290, 10]);
    assert_eq!(all_files(&folder.archive()), before, "a dry run writes nothing");

    let report = replay().report(0);
    assert_eq!(counts(&report), [300, 290, 10]);
    assert_eq!(partition(&report, TOPIC, 0), [0, 300, 300, 0, 0]);
    assert_eq!(group(), Offset::Invalid, "a replay commits no offsets");
    let [_, replayed] = &commits(&folder)[..] else {
        panic!("not two commits");
    };
    assert_eq!(replayed["sources"], json!([]));
    assert_eq!(
        (&replayed["replayed"][0]["first"], &replayed["replayed"][0]["next"]),
        (&json!(0), &json!(300))
    );

    // The cluster goes on where it was, and a run on the mirror begins at its beginning.
    assert_eq!(archive_from(&folder, &cluster).report(0)["lines"], 0);
    let report = archive_from(&folder, &mirror).report(0);
    assert_eq!(partition(&report, TOPIC, 0), [0, 300, 300, 0, 0]);
    assert_eq!(counts(&report), [300, 0, 300]);
    assert_eq!(day_files(&folder.archive()), files_of(0..300));
    diurnal(&folder, "verify").run().expect_code(0);
}

#[test]
fn a_replay_in_many_parts_balances_in_each_of_its_commits() {
    let broker = Embedded::start();
    broker.create_topic(TOPIC, 3);
    let folder = Folder::new();
    for part in 0..60 {
        let records: Vec<_> = (0..50)
            .map(|n| Record::new(n % 3, point(i64::from(part * 50 + n))))
            .collect();
        broker.send(TOPIC, &records);
    }
    let report = archive_from(&folder, &broker)
        .args(["--replay", "..", "--commit-every", "500", "--threads", "2"])
        .report(0);
    assert_eq!(counts(&report), [3_000, 3_000, 0]);
    for number in 0..3 {
        let [first, next, messages, ..] = partition(&report, TOPIC, number);
        assert_eq!((first, next), (0, messages));
    }
    let commits = commits(&folder);
    assert!(commits.len() > 1, "{} commit", commits.len());
    let read = commits
        .iter()
        .flat_map(|commit| commit["replayed"].as_array().expect("ranges"));
    assert_eq!(
        read.map(|range| range["messages"].as_i64().expect("a number"))
            .sum::<i64>(),
        3_000
    );
    assert_eq!(day_files(&folder.archive()), files_of(0..3_000));
    diurnal(&folder, "verify").run().expect_code(0);
}

#[test]
fn a_replay_of_a_mirror_fills_the_hole_that_retention_made() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("hole", 1, &[]);
    topic.send(&points(0..100));
    archive(&folder, kafka, &topic).run().expect_code(0);
    topic.send(&points(100..200));
    topic.delete_records(0, 200);
    topic.send(&points(200..300));
    let report = archive(&folder, kafka, &topic).report(5);
    assert_eq!(partition(&report, topic.name(), 0), [100, 300, 100, 0, 100]);

    let mirror = Embedded::start();
    mirror.create_topic(topic.name(), 1);
    mirror.send(topic.name(), &points(0..300));
    let report = diurnal(&folder, "archive")
        .args([
            "--brokers",
            &mirror.brokers(),
            "--topic",
            topic.name(),
            "--replay",
            "..",
        ])
        .report(0);
    assert_eq!(counts(&report), [300, 100, 200]);
    assert_eq!(day_files(&folder.archive()), files_of(0..300));
    diurnal(&folder, "verify").run().expect_code(0);

    topic.send(&points(300..301));
    let report = archive(&folder, kafka, &topic).report(0);
    assert_eq!(partition(&report, topic.name(), 0), [300, 301, 1, 0, 0]);
    let status = diurnal(&folder, "status").arg("--json").run().expect_code(0).json();
    assert_eq!(status["partitions"].as_array().map(Vec::len), Some(1), "{status:#}");
}

#[test]
fn a_replay_is_bounded_by_record_time() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("replay-bounds", 2, &[]);
    // One record a minute; the second partition has none after a quarter of an hour.
    let record = |partition: i32, n: i64| Record::new(partition, point(n)).at(NEW_YEAR_MS + n * 60_000);
    topic.send(&(0..30).map(|n| record(0, n)).collect::<Vec<_>>());
    topic.send(&(0..15).map(|n| record(1, n)).collect::<Vec<_>>());
    let bounded = |range: &str| {
        let report = archive(&folder, kafka, &topic).args(["--replay", range]).report(0);
        [0, 1].map(|number| {
            let [first, next, messages, gaps, lost] = partition(&report, topic.name(), number);
            assert_eq!((messages, gaps, lost), (next - first, 0, 0));
            (first, next)
        })
    };
    archive(&folder, kafka, &topic)
        .args(["--until", "2026-01-01T00:25:00Z"])
        .run()
        .expect_code(0);
    assert_eq!(
        bounded("2026-01-01T00:10:00Z..2026-01-01T00:20:00Z"),
        [(10, 20), (10, 15)]
    );
    assert_eq!(bounded("2026-01-01T00:20:00Z.."), [(20, 25), (15, 15)]);
    assert_eq!(bounded("..2026-01-01T00:05:00Z"), [(0, 5), (0, 5)]);
    assert_eq!(bounded("..2025-12-31"), [(0, 0), (0, 0)]);
    assert_eq!(bounded("2026-01-01T00:27:00Z.."), [(25, 25), (15, 15)]);
    // An age: all of it is older than a minute by the machine's clock, or newer than 30 years.
    assert_eq!(bounded("-1560w..2026-01-01T00:00:30Z"), [(0, 1), (0, 1)]);

    let report = archive(&folder, kafka, &topic).report(0);
    assert_eq!(partition(&report, topic.name(), 0), [25, 30, 5, 0, 0]);
}

#[test]
fn what_retention_took_of_the_range_is_said_and_is_no_loss() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("replay-retention", 1, &[]);
    topic.send(&points(0..10));
    archive(&folder, kafka, &topic).run().expect_code(0);
    let before = all_files(&folder.archive());
    topic.delete_records(0, 4);
    let replay = || archive(&folder, kafka, &topic).args(["--replay", "..", "--json"]);
    let ran = replay().run().expect_code(0).expect_said("offset 4 in partition 0");
    assert_eq!(partition(&ran.json(), topic.name(), 0), [4, 10, 6, 0, 0]);

    let mut run = replay().pause_at(ASSIGNED).start();
    run.wait_for_step(ASSIGNED);
    topic.delete_records(0, 8);
    run.resume();
    let ran = run.wait().expect_code(0).expect_said("[4, 8)");
    assert_eq!(ran.json()["outcome"], "done");
    assert_eq!(partition(&ran.json(), topic.name(), 0), [4, 10, 2, 0, 4]);
    assert_eq!(all_files(&folder.archive()), before);
    assert_eq!(archive(&folder, kafka, &topic).report(0)["lines"], 0);
}

#[test]
fn a_topic_that_was_made_again_is_replayed_only_when_that_is_accepted() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("replay-again", 1, &[]);
    topic.send(&points(0..5));
    archive(&folder, kafka, &topic).run().expect_code(0);
    topic.recreate(1);
    topic.send(&points(100..110));
    let before = all_files(&folder.archive());
    let replay = || archive(&folder, kafka, &topic).args(["--replay", ".."]);
    replay().run().expect_code(1).expect_said("--accept-recreated");
    assert_eq!(all_files(&folder.archive()), before);

    let report = replay().args(["--accept-recreated", topic.name()]).report(0);
    assert_eq!(partition(&report, topic.name(), 0), [0, 10, 10, 0, 0]);
    // The new topic is still one that no run has read.
    archive(&folder, kafka, &topic).run().expect_code(1);
    let report = archive(&folder, kafka, &topic)
        .args(["--accept-recreated", topic.name()])
        .report(0);
    assert_eq!(partition(&report, topic.name(), 0), [0, 10, 10, 0, 0]);
    diurnal(&folder, "verify").run().expect_code(0);
}

#[test]
fn a_range_that_is_none_is_wrong_usage() {
    let folder = Folder::new();
    for wrong in ["yesterday", "-1h..-2h", "2020-06-19", "earliest.."] {
        diurnal(&folder, "archive")
            .args(["--brokers", "127.0.0.1:1", "--topic", "t", "--replay", wrong])
            .run()
            .expect_code(2)
            .expect_said("--replay");
    }
    assert!(!folder.archive().exists());
}
