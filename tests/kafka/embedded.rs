//! The whole way on the embedded broker: runs on every machine, with nothing but this crate.

use super::{partition, point};
use crate::support::digest::{all_files, day_files};
use crate::support::embedded::Embedded;
use crate::support::folder::Folder;
use crate::support::lines::{self, Random};
use crate::support::produce::Record;
use crate::support::run::{Diurnal, diurnal};

/// Seed of the lines and their order.
const SEED: u64 = 20_200_619;

fn archive(folder: &Folder, broker: &Embedded) -> Diurnal {
    diurnal(folder, "archive").args(["--brokers", &broker.brokers(), "--topic", "t"])
}

#[test]
fn shuffled_messages_become_the_files_that_an_import_in_order_makes() {
    let broker = Embedded::start();
    broker.create_topic("t", 5);
    let sent = lines::telegraf(SEED, 10_000);
    let mut random = Random::new(SEED);
    let mut shuffled = sent.clone();
    random.shuffle(&mut shuffled);
    let records: Vec<_> = shuffled
        .iter()
        .map(|line| Record::new(random.below(5) as i32, format!("{line}\n")))
        .collect();
    broker.send("t", &records);
    // A batch that arrives twice, as a producer's retry makes it.
    broker.send("t", &records[..500]);

    let (kafka, file) = (Folder::new(), Folder::new());
    let report = archive(&kafka, &broker).report(0);
    assert_eq!(
        (report["lines"].as_i64(), report["points"].as_i64()),
        (Some(10_500), Some(10_000))
    );
    assert_eq!(report["folded"], 500);
    file.write("lines.txt", lines::file_of(&sent));
    diurnal(&file, "import").arg("lines.txt").run().expect_code(0);
    assert_eq!(day_files(&kafka.archive()), day_files(&file.archive()));
}

#[test]
fn a_second_run_reads_nothing_and_changes_no_byte() {
    let broker = Embedded::start();
    broker.create_topic("t", 5);
    let records: Vec<_> = (0..500).map(|n| Record::new((n % 4) as i32, point(n))).collect();
    broker.send("t", &records);
    let folder = Folder::new();
    assert_eq!(archive(&folder, &broker).report(0)["points"], 500);
    let before = all_files(&folder.archive());
    let report = archive(&folder, &broker).report(0);
    assert_eq!(
        (report["lines"].as_i64(), report["rejected"].as_i64()),
        (Some(0), Some(0))
    );
    assert_eq!(all_files(&folder.archive()), before);

    broker.send("t", &[Record::new(4, point(500))]);
    let report = archive(&folder, &broker).report(0);
    assert_eq!(partition(&report, "t", 4), [0, 1, 1, 0, 0]);
}

#[test]
fn a_bad_line_is_kept_byte_for_byte_and_its_neighbours_are_archived() {
    let broker = Embedded::start();
    broker.create_topic("t", 1);
    let bad = b"m,host=\xff\xfe v=1i 1";
    let message = [point(1).as_bytes(), bad, b"\n", point(2).as_bytes()].concat();
    broker.send("t", &[Record::new(0, point(0)), Record::new(0, message)]);
    let folder = Folder::new();
    let report = archive(&folder, &broker).report(3);
    assert_eq!(
        (report["points"].as_i64(), report["rejected"].as_i64()),
        (Some(3), Some(1))
    );
    let reject = &report["rejects"][0];
    assert_eq!(reject["reason"], "not_utf8");
    assert_eq!(reject["offset"], 1);
    assert_eq!(
        reject["line_base64"],
        base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bad)
    );

    // It was said once: a run that finds nothing new is a good one.
    archive(&folder, &broker).run().expect_code(0);
    let rejects: Vec<_> = all_files(&folder.archive())
        .into_keys()
        .filter(|path| path.starts_with("_diurnal/rejects/"))
        .collect();
    assert_eq!(rejects.len(), 1, "{rejects:?}");
}

#[test]
fn two_archives_of_one_topic_each_get_every_point_though_they_share_a_group() {
    let broker = Embedded::start();
    broker.create_topic("t", 3);
    let batch =
        |range: std::ops::Range<i64>| -> Vec<_> { range.map(|n| Record::new((n % 3) as i32, point(n))).collect() };
    broker.send("t", &batch(0..300));
    let (one, other) = (Folder::new(), Folder::new());
    assert_eq!(archive(&one, &broker).report(0)["points"], 300);
    broker.send("t", &batch(300..500));
    // The group's offsets are those of the first archive by now, and both runs go on at the same time.
    let runs = [&one, &other].map(|folder| archive(folder, &broker).arg("--json").start());
    let points = runs.map(|run| run.wait().expect_code(0).json()["points"].as_i64());
    assert_eq!(points, [Some(200), Some(500)]);
    assert_eq!(day_files(&one.archive()), day_files(&other.archive()));
    println!("2 archives of 500 points each: lost 0, doubled 0");
}
