//! How far behind an archive is: what `status --brokers` says, and what Kafka's own tool says of the group.

use serde_json::Value;

use super::{archive, point};
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::produce::Record;
use crate::support::run::{Diurnal, diurnal};
use crate::support::topic::Topic;

fn status(folder: &Folder, kafka: &Kafka) -> Diurnal {
    diurnal(folder, "status").args(["--brokers", &kafka.brokers()])
}

fn points(partition: i32, range: std::ops::Range<i64>) -> Vec<Record> {
    range.map(|n| Record::new(partition, point(n))).collect()
}

/// Number, standing, next, end, lag.
type Row = (i64, String, Option<i64>, Option<i64>, Option<i64>);

/// Each partition of the topic.
fn rows(report: &Value, topic: &Topic<'_>) -> Vec<Row> {
    let all = report["partitions"].as_array().expect("partitions").iter();
    all.filter(|row| row["topic"] == topic.name())
        .map(|row| {
            let number = |key: &str| row[key].as_i64();
            let standing = row["standing"].as_str().unwrap_or("-").to_owned();
            (
                number("partition").expect("a number"),
                standing,
                number("next"),
                number("end"),
                number("lag"),
            )
        })
        .collect()
}

#[test]
fn status_and_kafkas_own_tool_tell_the_same_lag() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("lag", 2, &[]);
    topic.send(&points(0, 0..5));
    topic.send(&points(1, 5..7));
    archive(&folder, kafka, &topic).run().expect_code(0);
    topic.send(&points(0, 7..17));
    let report = status(&folder, kafka).arg("--json").run().expect_code(0).json();
    let row = |number, next, end, lag| (number, "known".to_owned(), Some(next), Some(end), Some(lag));
    assert_eq!(rows(&report, &topic), [row(0, 5, 15, 10), row(1, 2, 2, 0)]);
    let of_group = |number, current, lag| (topic.name().to_owned(), number, current, lag);
    assert_eq!(
        kafka.describe_group(topic.name()),
        [of_group(0, 5, 10), of_group(1, 2, 0)]
    );

    archive(&folder, kafka, &topic).run().expect_code(0);
    status(&folder, kafka)
        .args(["--max-lag", "0", "--max-age", "1h"])
        .run()
        .expect_code(0);
    assert_eq!(
        kafka.describe_group(topic.name()),
        [of_group(0, 15, 0), of_group(1, 2, 0)]
    );
}

#[test]
fn an_open_transaction_is_no_lag_and_a_partition_that_was_added_is() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("lag-open", 1, &[]);
    topic.send(&points(0, 0..5));
    archive(&folder, kafka, &topic).run().expect_code(0);
    let open = topic.transaction("lag-open", &points(0, 5..9));
    // The last stable offset is where a run would end.
    let report = status(&folder, kafka).arg("--json").run().expect_code(0).json();
    assert_eq!(rows(&report, &topic)[0].4, Some(0), "{report:#}");
    open.commit();
    topic.add_partitions(2);
    topic.send(&points(1, 9..12));
    let report = status(&folder, kafka).arg("--json").run().expect_code(0).json();
    let found = rows(&report, &topic);
    assert!(found[0].4.is_some_and(|lag| lag >= 4), "{found:?}");
    assert_eq!(found[1], (1, "new".to_owned(), None, Some(3), Some(3)));
}

#[test]
fn a_topic_made_again_is_said_and_its_lag_is_not_guessed() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("lag-again", 1, &[]);
    topic.send(&points(0, 0..50));
    archive(&folder, kafka, &topic).run().expect_code(0);
    topic.recreate(1);
    topic.send(&points(0, 100..103));
    let asking = || status(&folder, kafka).args(["--max-lag", "1000000"]);
    let ran = asking()
        .arg("--json")
        .run()
        .expect_code(1)
        .expect_said("was deleted and made again");
    let recreated = "recreated".to_owned();
    let mut found = rows(&ran.json(), &topic);
    found.sort_by_key(|row| row.2);
    assert_eq!(
        found,
        [
            (0, recreated.clone(), None, Some(3), None),
            (0, recreated, Some(50), None, None)
        ]
    );
    // Once it is accepted, nothing is expected of the old one.
    archive(&folder, kafka, &topic)
        .args(["--accept-recreated", topic.name()])
        .run()
        .expect_code(0);
    let report = asking().args(["--max-age", "1h", "--json"]).run().expect_code(0).json();
    let old = report["partitions"]
        .as_array()
        .expect("partitions")
        .iter()
        .find(|row| row["next"] == 50);
    let old = old.expect("the old topic is on record");
    assert_eq!((&old["standing"], &old["replaced"]), (&"replaced".into(), &true.into()));
    let without_kafka = diurnal(&folder, "status")
        .args(["--json", "--max-age", "1h"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(without_kafka["partitions"].as_array().map(Vec::len), Some(2));
}

#[test]
fn what_retention_took_is_a_warning_and_a_topic_that_is_gone_an_error() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("lag-lost", 1, &[]);
    topic.send(&points(0, 0..5));
    archive(&folder, kafka, &topic).run().expect_code(0);
    topic.send(&points(0, 5..20));
    topic.delete_records(0, 8);
    let ran = status(&folder, kafka)
        .arg("--json")
        .run()
        .expect_code(0)
        .expect_said("no longer has offsets [5, 8): 3 are lost");
    let row = &ran.json()["partitions"][0];
    assert_eq!((&row["lag"], &row["lost"]), (&15.into(), &3.into()));
    topic.delete();
    status(&folder, kafka)
        .run()
        .expect_code(1)
        .expect_said("is gone from the cluster");
    let report = status(&folder, kafka)
        .args(["--topic", "^nothing-else", "--json"])
        .run()
        .expect_code(1)
        .json();
    assert_eq!(report["partitions"], Value::Array(Vec::new()));
}

#[test]
fn what_a_run_leaves_is_in_its_report() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("lag-left", 1, &[]);
    // Record times of 2020, one a minute.
    let stamped = |n: i64| Record::new(0, point(n)).at(1_592_604_000_000 + n * 60_000);
    topic.send(&Vec::from_iter((0..7).map(stamped)));
    let report = archive(&folder, kafka, &topic)
        .args(["--until", "2020-06-19T22:05:00Z"])
        .report(0);
    let read = &report["partitions"][0];
    assert_eq!((&read["next"], &read["end"]), (&5.into(), &7.into()));
    // It read what it was asked to: the partition is as young as that run, and two offsets behind.
    let row = &status(&folder, kafka)
        .args(["--max-age", "1h", "--json"])
        .run()
        .expect_code(0)
        .json()["partitions"][0];
    assert_eq!((&row["lag"], &row["last_read"]["at"].is_string()), (&2.into(), &true));
}
