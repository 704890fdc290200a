//! Millions of lines on two days, with faults: for `DIURNAL_TEST_LONG=1`. `DIURNAL_SPARK_LINES` says how many.

use super::cluster::Spark;
use super::topics::{self, PARTITIONS};
use super::{archive, expect_same, facts, split_and_merged};
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::long;

const LINES: usize = 5_000_000;

#[test]
fn a_topic_of_millions_of_lines_is_archived_alike_while_executors_die() {
    if !long() {
        return;
    }
    let (Some(kafka), Some(spark)) = (Kafka::shared(), Spark::shared()) else {
        return;
    };
    let _alone = spark.alone();
    let topic = kafka.topic("spark-large", PARTITIONS, &[]);
    let asked = std::env::var("DIURNAL_SPARK_LINES");
    let lines = asked.map_or(LINES, |lines| lines.parse().expect("a number of lines"));
    topics::many(6, lines, |records| topic.send(records));
    let (plain, folder) = (Folder::new(), Folder::new());
    let on_one = archive(&plain, kafka, &topic).report(0);
    assert_eq!(on_one["lines"], lines);
    let unit = (lines / 20).to_string();
    let job = spark
        .job(&folder, kafka, &topic)
        .args(&["--unit-rows", &unit, "--partitions-per-core", "10"])
        .faults(&folder, "marks", "kill-executor=parse fail=encode kill-executor=encode")
        .conf("spark.speculation", "true");
    let report = spark.run(job, 0);
    assert_eq!(facts(&report), facts(&on_one));
    expect_same(&folder, &plain);
    expect_same(&split_and_merged(kafka, &topic), &plain);
    println!(
        "{lines} lines with faults: {} s on two executor cores, {} s by diurnal archive",
        report["elapsed_s"], on_one["elapsed_s"]
    );
}
