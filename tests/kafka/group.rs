//! Group offsets are advice for people and their tools: the ledger decides, and nobody's group can fail a run.

use super::{archive, partition, point};
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::produce::Record;

#[test]
fn a_live_member_in_the_group_is_a_warning() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("member", 1, &[]);
    topic.send(&[Record::new(0, point(0)), Record::new(0, point(1))]);
    let member = kafka.member(topic.name(), topic.name());
    let ran = archive(&folder, kafka, &topic).arg("--json").run().expect_code(0);
    assert_eq!(ran.json()["points"], 2);
    ran.expect_said(topic.name());
    drop(member);

    // The next run puts it right, although it reads nothing.
    let report = archive(&folder, kafka, &topic).report(0);
    assert_eq!(report["lines"], 0);
    assert_eq!(kafka.describe_group(topic.name()), [(topic.name().to_owned(), 0, 2, 0)]);
}

#[test]
fn partitions_that_are_empty_have_an_offset_in_the_group_too() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("all-rows", 3, &[]);
    topic.send(&[Record::new(1, point(0))]);
    archive(&folder, kafka, &topic).run().expect_code(0);
    let row = |number, current| (topic.name().to_owned(), number, current, 0);
    assert_eq!(kafka.describe_group(topic.name()), [row(0, 0), row(1, 1), row(2, 0)]);
}

#[test]
fn offsets_that_others_moved_in_the_group_change_nothing() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("moved", 1, &[]);
    topic.send(&[Record::new(0, point(0)), Record::new(0, point(1))]);
    archive(&folder, kafka, &topic).run().expect_code(0);
    kafka.tool(
        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        &[
            "--reset-offsets",
            "--to-earliest",
            "--execute",
            "--group",
            topic.name(),
            "--topic",
            topic.name(),
        ],
    );
    topic.send(&[Record::new(0, point(2))]);
    let report = archive(&folder, kafka, &topic).report(0);
    assert_eq!(partition(&report, topic.name(), 0), [2, 3, 1, 0, 0]);
}
