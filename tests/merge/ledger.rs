//! How far each partition was read, after archives were merged that read it apart.

use diurnal::console::Console;
use diurnal::source::StopFlag;
use diurnal::store::record::{LastMessage, SourceRange};

use super::world::{BOTH, World, every_byte, range};
use crate::support::digest::day_files;
use crate::support::duckdb::DuckDb;
use crate::support::embedded::Embedded;
use crate::support::folder::Folder;
use crate::support::lines;
use crate::support::produce::Record;
use crate::support::root;
use crate::support::run::{Diurnal, diurnal};

const LINES: [&str; 2] = [
    "learned,host=a f=1 1592568000000000000\n",
    "learned,host=b f=2 1592568000000000000\n",
];

/// Two archives that read these offsets.
fn two(a: SourceRange, b: SourceRange) -> World {
    let world = World::new(BOTH, "UTC");
    world.archive("a", &LINES[..1], &[a]);
    world.archive("b", &LINES[1..], &[b]);
    world
}

fn ends_at(world: &World, name: &str, next: i64) {
    assert_eq!(world.next(name), [("t".to_owned(), 0, next)]);
    world.verify(name);
}

#[test]
fn the_next_run_goes_on_behind_what_both_have_read() {
    let world = two(range(0, 100), range(100, 250));
    world.merge("a", &["b"]).expect("a merge");
    ends_at(&world, "a", 250);
    world.archive("a", &LINES, &[range(250, 260)]);
    ends_at(&world, "a", 260);

    // What the archive itself is merged into learns all of it.
    world.merge("c", &["a"]).expect("a merge");
    ends_at(&world, "c", 260);

    let world = two(range(100, 250), range(0, 100));
    world.merge("a", &["b"]).expect("a merge");
    ends_at(&world, "a", 250);
    world.archive("a", &LINES, &[range(250, 260)]);
    ends_at(&world, "a", 260);
}

#[test]
fn what_was_read_inside_of_the_other_moves_nothing() {
    let world = two(range(0, 100), range(50, 80));
    let (report, _) = world.merge("a", &["b"]).expect("a merge");
    assert_eq!(report.partitions, []);
    ends_at(&world, "a", 100);
    world.merge("b", &["a"]).expect("a merge");
    ends_at(&world, "b", 100);
}

#[test]
fn ranges_that_overlap_are_told_as_they_were_read() {
    let mut overlapping = range(50, 150);
    (overlapping.messages, overlapping.gaps, overlapping.lost) = (60, 30, 10);
    let world = two(range(0, 100), overlapping.clone());
    let (report, _) = world.merge("a", &["b"]).expect("a merge");
    let told = &report.partitions[0];
    assert_eq!(
        (told.first, told.next, told.messages, told.gaps, told.lost),
        (50, 150, 60, 30, 10)
    );
    assert_eq!(report.exit_code, 0, "what was lost was told by the run that lost it");
    ends_at(&world, "a", 150);
    world.archive("a", &LINES, &[range(150, 200)]);
    world.merge("c", &["a"]).expect("a merge");
    ends_at(&world, "c", 200);
    world.archive("c", &LINES, &[range(200, 201)]);
    ends_at(&world, "c", 201);
}

#[test]
fn a_hole_is_refused_until_somebody_has_read_it() {
    let world = two(range(0, 100), range(200, 300));
    let before = every_byte(&world.path("a"));
    let error = world.merge("a", &["b"]).expect_err("there is a hole");
    assert!(error.to_string().contains("t[0]: the offsets 100 to 199"), "{error}");
    assert!(error.advice().expect("a hint").contains("diurnal archive"));
    assert!(every_byte(&world.path("a")) == before);
    assert!(world.merge("new", &["a", "b"]).is_err());
    assert!(!world.path("new").exists(), "a merge that is refused makes no archive");
    // A third one that has it, whatever the order in which they are named.
    world.archive("c", &LINES, &[range(100, 200)]);
    world.merge("new", &["a", "b", "c"]).expect("a merge");
    ends_at(&world, "new", 300);
    world.archive("a", &LINES, &[range(100, 200)]);
    world.merge("a", &["b"]).expect("a merge");
    ends_at(&world, "a", 300);
}

#[test]
fn partitions_topics_and_clusters_are_kept_apart() {
    let other = |change: fn(&mut SourceRange)| {
        let mut range = range(500, 510);
        change(&mut range);
        range
    };
    let world = two(range(0, 100), other(|range| range.partition = 1));
    world.archive("b", &LINES, &[other(|range| range.topic = "u".into())]);
    world.archive("b", &LINES, &[other(|range| range.cluster_id = "elsewhere".into())]);
    world.merge("a", &["b"]).expect("a merge");
    let next = world.next("a");
    let names: Vec<_> = next
        .iter()
        .map(|(topic, partition, next)| (topic.as_str(), *partition, *next))
        .collect();
    assert_eq!(names, [("t", 0, 100), ("t", 1, 510), ("u", 0, 510), ("t", 0, 510)]);
    world.verify("a");
}

#[test]
fn ledgers_that_contradict_each_other_are_refused() {
    let mut again = range(0, 50);
    again.topic_id = Some("another".into());
    let world = two(range(0, 100), again);
    let error = world.merge("a", &["b"]).expect_err("another topic");
    assert!(error.to_string().contains("the id id here and another in"), "{error}");
    let settings = diurnal::settings::MergeSettings {
        archive: world.path("a"),
        others: vec![world.path("b")],
        accept_recreated: vec!["t".to_owned()],
        dry_run: false,
    };
    let mut merger = diurnal::commands::Merger::open(settings, Console::SILENT).expect("it was accepted");
    merger.merge(&StopFlag::new()).expect("a merge");
    drop(merger);
    assert_eq!(world.next("a"), [("t".to_owned(), 0, 50), ("t".to_owned(), 0, 100)]);
    world.verify("a");

    let last = |digest: &str| SourceRange {
        topic_id: None,
        last: Some(LastMessage {
            offset: 99,
            digest: digest.into(),
        }),
        ..range(0, 100)
    };
    let world = two(last("one"), last("other"));
    let error = world.merge("a", &["b"]).expect_err("another message");
    assert!(
        error.to_string().contains("another message at the same offset"),
        "{error}"
    );
    two(last("one"), last("one"))
        .merge("a", &["b"])
        .expect("the same message");
}

fn archive(folder: &Folder, broker: &Embedded, name: &str) -> Diurnal {
    diurnal(folder, "archive").args(["--brokers", &broker.brokers(), "--topic", "t", "--archive", name])
}

#[test]
fn archive_goes_on_with_the_topic_where_the_merge_ended() {
    let broker = Embedded::start();
    broker.create_topic("t", 1);
    let sent = lines::telegraf(3, 360);
    let send = |lines: &[String]| {
        let records: Vec<_> = lines.iter().map(|line| Record::new(0, line)).collect();
        broker.send("t", &records);
    };
    let folder = Folder::new();
    send(&sent[..100]);
    archive(&folder, &broker, "archive").run().expect_code(0);
    archive(&folder, &broker, "late")
        .args(["--from", "latest"])
        .run()
        .expect_code(0);
    send(&sent[100..250]);
    let report = archive(&folder, &broker, "late").report(0);
    assert_eq!(
        (&report["partitions"][0]["first"], &report["points"]),
        (&100.into(), &150.into())
    );

    let report = diurnal(&folder, "merge").arg("late").report(0);
    assert_eq!(
        report["partitions"],
        serde_json::json!([{"topic": "t", "partition": 0, "first": 100, "next": 250, "messages": 150, "gaps": 0, "lost": 0}])
    );
    let status = diurnal(&folder, "status").arg("--json").run().expect_code(0).json();
    assert_eq!(status["partitions"][0]["next"], 250);

    send(&sent[250..]);
    let report = archive(&folder, &broker, "archive").report(0);
    let read = &report["partitions"][0];
    assert_eq!(
        (&read["first"], &read["next"], &read["messages"]),
        (&250.into(), &360.into(), &110.into())
    );
    folder.write("all.lp", lines::file_of(&sent));
    diurnal(&folder, "import")
        .args(["--archive", "whole", "all.lp"])
        .run()
        .expect_code(0);
    assert_eq!(day_files(&folder.archive()), day_files(&folder.join("whole")));
    diurnal(&folder, "verify").run().expect_code(0);
    if let Some(duckdb) = DuckDb::get() {
        let told = duckdb.run_file(folder.path(), &root().join("queries/ledger.sql"));
        let ranges: Vec<&str> = told.lines().filter(|line| line.contains("│ t ")).collect();
        assert_eq!(ranges.len(), 3, "{told}");
        assert!(ranges[1].contains("│ late"), "{told}");
    }
}
