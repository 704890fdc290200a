//! The archive is the same whichever engine made it, and either goes on with what the other began.

use super::cluster::{Spark, report};
use super::topics::{self, PARTITIONS};
use super::{archive, expect_same, facts, job, split_and_merged};
use crate::support::digest::all_files;
use crate::support::folder::{Folder, copy};
use crate::support::kafka::Kafka;
use crate::support::produce::Record;
use crate::support::run::diurnal;

#[test]
fn spark_and_one_machine_make_the_same_archive_and_go_on_with_each_others() {
    let (Some(kafka), Some(spark)) = (Kafka::shared(), Spark::shared()) else {
        return;
    };
    let _alone = spark.alone();
    let topic = kafka.topic("spark-same", PARTITIONS, &[]);
    topic.send(&topics::first());
    // What was aborted is no message, and what ends a partition is a marker.
    topic
        .transaction("1", &[Record::new(0, "odd,host=aborted v=1 1592607600000000005\n")])
        .abort();
    topic
        .transaction("2", &[Record::new(1, "odd,host=z v=1 1592607600000000006\n")])
        .commit();
    (0..PARTITIONS).for_each(|partition| _ = topic.settle(partition));

    let (plain, by_spark, mixed) = (Folder::new(), Folder::new(), Folder::new());
    let on_one = archive(&plain, kafka, &topic).report(3);
    copy(&plain.archive(), &mixed.archive());
    let package = spark.package_zip(&by_spark);
    let carried = job(spark, &by_spark, kafka, &topic).carries(&package);
    let on_many = spark.run(carried, 3);
    assert_eq!(facts(&on_many), facts(&on_one));
    expect_same(&by_spark, &plain);

    let before = all_files(&by_spark.archive());
    let idle = spark.run(spark.job(&by_spark, kafka, &topic), 0);
    assert_eq!(idle["lines"], 0);
    assert_eq!(all_files(&by_spark.archive()), before, "an idle run changes no byte");

    topic.send(&topics::late());
    let on_one = archive(&plain, kafka, &topic).report(3);
    let after_spark = archive(&by_spark, kafka, &topic).report(3);
    assert_eq!(facts(&after_spark), facts(&on_one));
    expect_same(&by_spark, &plain);
    let by_both = spark.run(job(spark, &mixed, kafka, &topic), 3);
    assert_eq!(facts(&by_both), facts(&on_one));
    expect_same(&mixed, &plain);
    diurnal(&mixed, "status").run().expect_code(0);
}

#[test]
fn one_machine_a_split_and_spark_make_one_archive() {
    let (Some(kafka), Some(spark)) = (Kafka::shared(), Spark::shared()) else {
        return;
    };
    let _alone = spark.alone();
    let topic = kafka.topic("spark-three-ways", PARTITIONS, &[]);
    // No value that fits one part's column and not another's: parts learn types apart from each other.
    topic.send(&topics::captured());
    topic.send(&topics::dealt(7, crate::support::lines::telegraf(7, 4_000)));
    let (plain, by_spark) = (Folder::new(), Folder::new());
    let on_one = archive(&plain, kafka, &topic).report(0);
    let by_cluster = spark.run(job(spark, &by_spark, kafka, &topic), 0);
    assert_eq!(facts(&by_cluster), facts(&on_one));
    expect_same(&by_spark, &plain);
    expect_same(&split_and_merged(kafka, &topic), &plain);
}

/// What Spark logs when it begins to ask the cluster for executors.
const SPARK_BEGINS: &str = "Running Spark version";

#[test]
fn one_driver_at_a_time_holds_the_archive_and_the_second_exits_4() {
    let (Some(kafka), Some(spark)) = (Kafka::shared(), Spark::shared()) else {
        return;
    };
    let _alone = spark.alone();
    let folder = Folder::new();
    let topic = kafka.topic("spark-lock", PARTITIONS, &[]);
    topic.send(&topics::dealt(3, crate::support::lines::telegraf(3, 300)));

    let mut first = spark
        .job(&folder, kafka, &topic)
        .arg("--json")
        .pause_at("open-done")
        .submit()
        .start();
    first.wait_for_step("open-done");
    let second = spark.job(&folder, kafka, &topic).submit().run().expect_code(4);
    assert!(second.stdout.contains("diurnal: "), "{}", second.stdout);
    assert!(!second.stderr.contains(SPARK_BEGINS), "{}", second.stderr);
    archive(&folder, kafka, &topic).run().expect_code(4);
    first.resume();
    let first = first.wait().expect_code(0);
    assert!(first.stderr.contains(SPARK_BEGINS), "{}", first.stderr);
    assert_eq!(report(&first)["lines"], 300);

    let usage = spark.job(&folder, kafka, &topic).args(&["--timezone", "Mars/Olympus"]);
    let refused = usage.submit().run().expect_code(2);
    assert!(!refused.stderr.contains(SPARK_BEGINS), "{}", refused.stderr);
}
