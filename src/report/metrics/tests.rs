//! What the file says, and that it keeps what it should. That Prometheus reads it is tested with its own tool, in `tests/metrics.rs`.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::samples::Sample;
use super::*;
use crate::report::{Outcome, PartitionReport, Phases};

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn run(command: &'static str, outcome: Outcome) -> RunReport {
    RunReport {
        outcome,
        exit_code: outcome.exit_code(),
        ..RunReport::new(command)
    }
}

/// Values by name and labels beyond those of all.
fn values(path: &Path) -> BTreeMap<(String, String), f64> {
    let text = std::fs::read_to_string(path).unwrap();
    let samples = text.lines().filter_map(Sample::parse);
    samples
        .map(|sample| {
            let (_, rest) = sample.labels.split_once("command=").unwrap();
            (
                (sample.name, rest.replace("\"", "").replace(",file=m", "")),
                sample.value,
            )
        })
        .collect()
}

fn value(path: &Path, metric: Metric, labels: &str) -> Option<f64> {
    values(path).get(&(metric.name.to_owned(), labels.to_owned())).copied()
}

#[test]
fn every_figure_of_a_run_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.prom");
    let report = RunReport {
        lines: 10,
        points: 5,
        folded: 2,
        conflicts: 1,
        rejected: 3,
        rejected_again: 1,
        reject_reasons: BTreeMap::from([("bad_number", 2), ("no_fields", 1)]),
        bytes_in: 12_345_678_901_234,
        elapsed_s: 1.5,
        phases_s: Phases {
            connect: 0.25,
            read: 0.5,
            encode: 0.125,
            commit: 0.0625,
        },
        partitions: vec![PartitionReport {
            topic: "t".to_owned(),
            partition: 3,
            first: 1,
            next: 10,
            messages: 6,
            gaps: 1,
            lost: 2,
            end: Some(14),
        }],
        ..run("archive", Outcome::LostOffsets)
    };
    Metrics::to(&path, Path::new("/a"))
        .unwrap()
        .write(&report, at(1_000))
        .unwrap();
    let found = values(&path);
    let expected = [
        (BUILD, concat!("archive,version=", env!("CARGO_PKG_VERSION")), 1.0),
        (RUN_TIME, "archive", 1_000.0),
        (SUCCESS_TIME, "archive", 1_000.0),
        (EXIT_CODE, "archive", 5.0),
        (DURATION, "archive", 1.5),
        (PHASE, "archive,phase=connect", 0.25),
        (PHASE, "archive,phase=read", 0.5),
        (PHASE, "archive,phase=encode", 0.125),
        (PHASE, "archive,phase=commit", 0.0625),
        (LINES, "archive", 10.0),
        (POINTS, "archive", 5.0),
        (FOLDED, "archive", 2.0),
        (CONFLICTS, "archive", 1.0),
        (REJECTED, "archive", 3.0),
        (REJECTED_AGAIN, "archive", 1.0),
        (REASONS, "archive,reason=bad_number", 2.0),
        (REASONS, "archive,reason=no_fields", 1.0),
        (BYTES, "archive", 12_345_678_901_234.0),
        (FILES, "archive", 0.0),
        (NEXT, "archive,topic=t,partition=3", 10.0),
        (MESSAGES, "archive,topic=t,partition=3", 6.0),
        (GAPS, "archive,topic=t,partition=3", 1.0),
        (LOST, "archive,topic=t,partition=3", 2.0),
        (LAG, "archive,topic=t,partition=3", 4.0),
    ];
    let expected: BTreeMap<(String, String), f64> = expected
        .into_iter()
        .map(|(metric, labels, value)| ((metric.name.to_owned(), labels.to_owned()), value))
        .collect();
    assert_eq!(found, expected);
    let named: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert!(named.iter().all(|name| expected.keys().any(|(found, _)| found == name)));
}

#[test]
fn a_run_that_fails_keeps_the_time_of_the_last_good_one_and_a_good_one_replaces_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.prom");
    let metrics = Metrics::to(&path, Path::new("/a")).unwrap();
    let times = || [RUN_TIME, SUCCESS_TIME].map(|metric| value(&path, metric, "archive").unwrap());
    for (outcome, now, expected) in [
        (Outcome::Failed, 100, [100.0, 0.0]),
        (Outcome::Done, 200, [200.0, 200.0]),
        (Outcome::Failed, 300, [300.0, 200.0]),
        (Outcome::Incomplete, 400, [400.0, 200.0]),
        (Outcome::Rejects, 500, [500.0, 500.0]),
        (Outcome::LostOffsets, 600, [600.0, 600.0]),
    ] {
        metrics.write(&run("archive", outcome), at(now)).unwrap();
        assert_eq!(times(), expected, "{outcome:?}");
    }
}

#[test]
fn other_commands_archives_and_replays_in_the_same_file_keep_their_figures() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.prom");
    let metrics = Metrics::to(&path, Path::new("/a")).unwrap();
    let lines = |lines| RunReport {
        lines,
        ..run("archive", Outcome::Done)
    };
    metrics.write(&lines(1), at(1)).unwrap();
    metrics
        .write(
            &RunReport {
                command: "import",
                ..lines(2)
            },
            at(2),
        )
        .unwrap();
    metrics
        .write(
            &RunReport {
                replay: true,
                ..lines(3)
            },
            at(3),
        )
        .unwrap();
    metrics.write(&run("archive", Outcome::Failed), at(4)).unwrap();
    let found = ["archive", "import", "replay"].map(|command| value(&path, LINES, command));
    assert_eq!(found, [Some(0.0), Some(2.0), Some(3.0)]);
    assert_eq!(value(&path, SUCCESS_TIME, "archive"), Some(1.0));

    let text = std::fs::read_to_string(&path).unwrap();
    let helps = text.lines().filter(|line| line.starts_with("# HELP")).count();
    let named = text
        .lines()
        .filter(|line| line.starts_with("# HELP diurnal_last_run_lines "));
    assert_eq!(
        named.count(),
        1,
        "each metric is introduced once, whosever samples it has"
    );
    assert!(helps > 10);
    Metrics::to(&path, Path::new("/b"))
        .unwrap()
        .write(&lines(5), at(5))
        .unwrap();
    let of_b = std::fs::read_to_string(&path).unwrap();
    let count = |archive: &str| {
        of_b.matches(&format!("diurnal_last_run_lines{{archive=\"{archive}\""))
            .count()
    };
    assert_eq!((count("/a"), count("/b")), (3, 1));
}

#[test]
fn whatever_was_in_the_file_is_no_error_and_what_is_not_ours_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.prom");
    let metrics = Metrics::to(&path, Path::new("/a")).unwrap();
    let own = "archive=\"/a\",command=\"archive\",file=\"m\"";
    for before in [
        "".to_owned(),
        "}{ 1\n{} {\nx".to_owned(),
        "\u{0}\u{0}".to_owned(),
        format!("diurnal_last_success_timestamp_seconds{{{own}}} soon\n"),
        format!("node_load1 0.5\nother_metric{{{own}}} 7\n"),
    ] {
        std::fs::write(&path, &before).unwrap();
        metrics.write(&run("archive", Outcome::Failed), at(9)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(value(&path, SUCCESS_TIME, "archive"), Some(0.0), "{before:?}");
        assert!(!text.contains("other_metric") && !text.contains("node_load1"), "{text}");
    }
    std::fs::write(&path, [0xff, 0xfe, b'\n']).unwrap();
    metrics.write(&run("archive", Outcome::Done), at(9)).unwrap();
    assert_eq!(value(&path, SUCCESS_TIME, "archive"), Some(9.0));
}

#[test]
fn the_file_may_be_read_by_others_and_a_link_is_replaced_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.prom");
    let outside = folder.path().join("outside");
    std::fs::write(&outside, "precious").unwrap();
    std::os::unix::fs::symlink(&outside, &path).unwrap();
    let metrics = Metrics::to(&path, Path::new("/a")).unwrap();
    metrics.write(&run("archive", Outcome::Done), at(1)).unwrap();
    let about = std::fs::symlink_metadata(&path).unwrap();
    assert!(about.is_file());
    // As far as this process's umask lets it.
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    let usual = std::fs::metadata(&plain).unwrap().permissions().mode();
    assert_eq!(about.permissions().mode() & 0o777, usual & 0o644);
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "precious");
    let names = std::fs::read_dir(folder.path()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "nothing is left beside it: {names:?}");
}

#[test]
fn a_file_that_can_not_be_replaced_is_an_error_and_leaves_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.prom");
    std::fs::create_dir_all(path.join("full")).unwrap();
    let metrics = Metrics::to(&path, Path::new("/a")).unwrap();
    let error = metrics.write(&run("archive", Outcome::Done), at(1)).unwrap_err();
    assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let nowhere = Metrics::to(&folder.path().join("gone/m.prom"), Path::new("/a")).unwrap();
    assert!(nowhere.write(&run("archive", Outcome::Done), at(1)).is_err());
}

#[test]
fn a_name_that_node_exporter_never_reads_is_wrong_usage() {
    for name in ["metrics", "metrics.txt", "diurnal.prom.bak", "..", "folder/.prom/"] {
        let made = Metrics::to(Path::new(name), Path::new("/a"));
        match name {
            "folder/.prom/" => drop(made.unwrap()),
            _ => assert_eq!(made.unwrap_err().kind(), crate::error::Kind::Usage, "{name}"),
        }
    }
}

proptest! {
    #[test]
    fn a_label_holds_any_text_on_one_line_and_is_read_back(topic in any::<String>(), value in any::<u32>()) {
        let sample = Sample::new("diurnal_x", labelled(&[("archive", "/a"), ("topic", &topic)]), f64::from(value));
        let line = sample.to_string();
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(Sample::parse(&line), Some(sample));
        // Unescaped by the rules of the format it is the text.
        let quoted = line.split_once("topic=\"").unwrap().1.rsplit_once("\"} ").unwrap().0;
        let mut text = String::new();
        let mut characters = quoted.chars();
        while let Some(c) = characters.next() {
            match c {
                '\\' => match characters.next() {
                    Some('n') => text.push('\n'),
                    Some(c @ ('\\' | '"')) => text.push(c),
                    other => prop_assert!(false, "{other:?} is escaped"),
                },
                '"' => prop_assert!(false, "a quote is not escaped"),
                c => text.push(c),
            }
        }
        prop_assert_eq!(text, topic);
    }
}
