//! `engines/spark`: a real standalone cluster makes the archive that one machine makes, byte for byte, whatever dies meanwhile.

mod bucket;
mod cluster;
mod faults;
mod large;
mod same;
mod topics;

use std::collections::BTreeSet;

use serde_json::Value;

use self::cluster::{Job, Spark};
use crate::support::digest::{assert_no_debris, day_files_and_schemas};
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::run::diurnal;
use crate::support::topic::{Topic, archive};

/// So few rows that every day of more than a few lines is encoded by several tasks and spliced.
const SMALL_UNIT: &str = "500";

/// A job that encodes each day in several tasks.
fn job(spark: &'static Spark, folder: &Folder, kafka: &Kafka, topic: &Topic<'_>) -> Job {
    spark.job(folder, kafka, topic).args(&["--unit-rows", SMALL_UNIT])
}

/// The archive of a topic that two machines read, a part of its partitions each: their archives, merged.
fn split_and_merged(kafka: &Kafka, topic: &Topic<'_>) -> Folder {
    let parts = ["0-1", "2-"].map(|partitions| {
        let part = Folder::new();
        let run = archive(&part, kafka, topic).args(["--partitions", partitions]);
        let lines = run.report(0)["lines"].as_u64();
        assert_ne!(lines, Some(0), "a part of the topic has no lines");
        part
    });
    let merged = Folder::new();
    let paths = parts.iter().map(|part| part.archive().display().to_string());
    diurnal(&merged, "merge").args(paths).run().expect_code(0);
    merged
}

/// Fails unless both archives have the same day files, schemas and rejects, and `verify` has nothing to say of either.
#[track_caller]
fn expect_same(spark: &Folder, plain: &Folder) {
    assert_eq!(
        day_files_and_schemas(&spark.archive()),
        day_files_and_schemas(&plain.archive()),
        "day files and schemas"
    );
    assert_eq!(rejects(spark), rejects(plain), "rejects");
    for folder in [spark, plain] {
        diurnal(folder, "verify").run().expect_code(0);
        assert_no_debris(&folder.archive());
    }
}

/// Each reject with its origin, its reason and the line.
fn rejects(folder: &Folder) -> BTreeSet<String> {
    let mut listed = diurnal(folder, "rejects").report(0);
    let rejects = listed["lines"].as_array_mut().expect("a report lists rejects");
    let without_place = |reject: &mut Value| {
        let object = reject.as_object_mut().expect("a reject is an object");
        // Tasks end in any order, and their rejects are kept in that.
        object.retain(|name, _| name != "number");
        reject.to_string()
    };
    rejects.iter_mut().map(without_place).collect()
}

/// What two reports of the same run on different engines have to agree in.
fn facts(report: &Value) -> Value {
    let mut facts = report.clone();
    let object = facts.as_object_mut().expect("a report is an object");
    // Times, and what names the program.
    object.retain(|name, _| {
        [
            "lines",
            "points",
            "folded",
            "conflicts",
            "rejected",
            "bytes_in",
            "days",
            "partitions",
        ]
        .contains(&name.as_str())
    });
    facts
}
