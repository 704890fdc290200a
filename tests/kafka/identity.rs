//! A topic is more than its name: one that was deleted and made again is refused, and partitions may come later.

use super::{ASSIGNED, BEFORE_COMMIT, archive, partition, point};
use crate::support::digest::all_files;
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::produce::Record;

fn points(partition: i32, range: std::ops::Range<i64>) -> Vec<Record> {
    range.map(|n| Record::new(partition, point(n))).collect()
}

#[test]
fn a_topic_made_again_between_runs_is_refused_and_others_go_on() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("again", 1, &[]);
    let other = kafka.topic("again-other", 1, &[]);
    topic.send(&points(0, 0..5));
    archive(&folder, kafka, &topic).run().expect_code(0);

    topic.recreate(1);
    // More records than before: the old offset exists in the new topic, and nothing but the id tells the two apart.
    topic.send(&points(0, 100..110));
    other.send(&points(0, 5..8));
    let ran = archive(&folder, kafka, &topic)
        .args(["--topic", other.name(), "--json"])
        .run()
        .expect_code(1)
        .expect_said(topic.name());
    let report = ran.json();
    assert_eq!(report["points"], 3);
    assert_eq!(partition(&report, other.name(), 0), [0, 3, 3, 0, 0]);

    let before = all_files(&folder.archive());
    archive(&folder, kafka, &topic)
        .run()
        .expect_code(1)
        .expect_said(topic.name());
    assert_eq!(
        all_files(&folder.archive()),
        before,
        "nothing of the new topic is archived"
    );
}

#[test]
fn a_topic_made_again_during_a_run_is_refused() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("again-during", 1, &[]);
    topic.send(&points(0, 0..5));
    archive(&folder, kafka, &topic).run().expect_code(0);
    topic.send(&points(0, 5..10));
    let before = all_files(&folder.archive());

    let mut run = archive(&folder, kafka, &topic).pause_at(ASSIGNED).start();
    run.wait_for_step(ASSIGNED);
    topic.recreate(1);
    topic.send(&points(0, 100..120));
    run.resume();
    run.wait().expect_code(1).expect_said(topic.name());
    assert_eq!(all_files(&folder.archive()), before, "nothing of it is committed");
}

#[test]
fn a_topic_made_again_after_it_was_read_is_not_committed() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("again-late", 1, &[]);
    topic.send(&points(0, 0..5));
    let mut run = archive(&folder, kafka, &topic).pause_at(BEFORE_COMMIT).start();
    run.wait_for_step(BEFORE_COMMIT);
    topic.recreate(1);
    run.resume();
    run.wait().expect_code(1).expect_said(topic.name());
    let files = all_files(&folder.archive());
    assert!(
        files.keys().all(|path| path.starts_with("_diurnal/")),
        "{:?}",
        files.keys()
    );
}

#[test]
fn a_partition_added_later_is_read_from_its_beginning() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("grown", 1, &[]);
    topic.send(&points(0, 0..5));
    archive(&folder, kafka, &topic).run().expect_code(0);
    topic.add_partitions(3);
    topic.send(&points(2, 5..9));
    // `latest` is for topics that are new, not for partitions of known ones.
    let report = archive(&folder, kafka, &topic).args(["--from", "latest"]).report(0);
    assert_eq!(partition(&report, topic.name(), 2), [0, 4, 4, 0, 0]);
    assert_eq!(report["points"], 4);
}

#[test]
fn a_regular_expression_takes_every_topic_that_matches() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topics = [kafka.topic("family-a", 1, &[]), kafka.topic("family-b", 1, &[])];
    topics[0].send(&points(0, 0..2));
    topics[1].send(&points(0, 2..5));
    let report = crate::support::run::diurnal(&folder, "archive")
        .args([
            "--brokers",
            &kafka.brokers(),
            "--topic",
            "^family-",
            "--group",
            "family",
        ])
        .report(0);
    assert_eq!(report["points"], 5);
    assert_eq!(partition(&report, topics[1].name(), 0), [0, 3, 3, 0, 0]);
}

#[test]
fn a_mistyped_topic_is_an_error_that_names_the_nearest() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("spelling", 1, &[]);
    let mistyped = topic.name().replace("spell", "spel");
    crate::support::run::diurnal(&folder, "archive")
        .args(["--brokers", &kafka.brokers(), "--topic", &mistyped])
        .run()
        .expect_code(1)
        .expect_said(topic.name());
}
