//! `--metrics-file`: what Prometheus makes of it, also of hostile names, and that it never stands in the way of a run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use diurnal::report::metrics::METRICS;

use crate::support::embedded::Embedded;
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::produce::Record;
use crate::support::promtool::Promtool;
use crate::support::root;
use crate::support::run::{Diurnal, diurnal};

const LINES: &str = "m,host=a v=1i 1592604000000000000\nm,host=a v=1i 1592604000000000000\nm v= 1\nm v=x 1\n";

fn import(folder: &Folder, lines: &str) -> Diurnal {
    diurnal(folder, "import")
        .args(["--metrics-file", "m.prom", "-"])
        .stdin(lines)
}

/// The values of metrics without labels of their own, by name, and of the others by name and the last of their labels.
fn values(file: &Path) -> BTreeMap<String, f64> {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = series.split_once('{').expect("labels");
            let own = labels.split_once("file=\"m\"").map_or("", |(_, own)| own);
            let key = format!("{name}{}", own.trim_end_matches('}').replace(['"'], ""));
            (key, value.parse().expect("a number"))
        })
        .collect()
}

#[test]
fn promtool_finds_nothing_wrong_with_the_figures_of_any_command() {
    let Some(promtool) = Promtool::get() else { return };
    let broker = Embedded::start();
    broker.create_topic("t", 2);
    broker.send("t", &[Record::new(0, LINES)]);
    let folder = Folder::new();
    let with = |command: &str| diurnal(&folder, command).env("DIURNAL_METRICS_FILE", "m.prom");
    let archive = || with("archive").args(["--brokers", &broker.brokers(), "--topic", "t"]);
    archive().run().expect_code(3);
    with("import").arg("-").stdin(LINES).run().expect_code(3);
    with("rejects").arg("--retry").run().expect_code(0);
    with("merge")
        .args(["archive", "--archive", "other"])
        .run()
        .expect_code(0);
    archive().args(["--replay", ".."]).run().expect_code(0);
    assert_eq!(promtool.lint(&folder.join("m.prom")), "");
    let text = fs::read_to_string(folder.join("m.prom")).expect("it is there");
    let commands = ["archive", "import", "merge", "rejects", "replay"].map(|command| format!("command=\"{command}\""));
    assert!(commands.iter().all(|command| text.contains(command)), "{text}");
    let missing: Vec<&str> = METRICS
        .iter()
        .map(|metric| metric.name)
        .filter(|name| !text.contains(name))
        .collect();
    assert_eq!(missing, [""; 0], "every metric was checked");
    // It does find what is wrong.
    folder.write(
        "bad.prom",
        text.replace("diurnal_last_run_read_bytes", "diurnal_last_run_read_kilobytes"),
    );
    assert!(promtool.lint(&folder.join("bad.prom")).contains("kilobytes"));
    folder.write("bad.prom", text.replacen("command=\"", "command=", 1));
    assert_ne!(promtool.lint(&folder.join("bad.prom")), "");
}

#[test]
fn the_figures_are_those_of_the_report() {
    let folder = Folder::new();
    let report = import(&folder, LINES).report(3);
    let found = values(&folder.join("m.prom"));
    let same = |key: &str, name: &str| {
        assert_eq!(found[name], report[key].as_f64().expect("a number"), "{name}");
    };
    same("lines", "diurnal_last_run_lines");
    same("points", "diurnal_last_run_points");
    same("folded", "diurnal_last_run_folded_lines");
    same("rejected", "diurnal_last_run_rejected_lines");
    same("bytes_in", "diurnal_last_run_read_bytes");
    same("elapsed_s", "diurnal_last_run_duration_seconds");
    same("exit_code", "diurnal_last_run_exit_code");
    for (reason, lines) in report["reject_reasons"].as_object().expect("reasons") {
        let name = format!("diurnal_last_run_rejected_lines_by_reason,reason={reason}");
        assert_eq!(found[&name], lines.as_f64().expect("a number"));
    }
    for (phase, seconds) in report["phases_s"].as_object().expect("phases") {
        let name = format!("diurnal_last_run_phase_duration_seconds,phase={phase}");
        assert_eq!(found[&name], seconds.as_f64().expect("a number"));
    }
    assert_eq!(found["diurnal_last_run_written_files"], 2.0);
    let phases: f64 = report["phases_s"]
        .as_object()
        .expect("phases")
        .values()
        .filter_map(serde_json::Value::as_f64)
        .sum();
    assert!(
        phases > 0.0 && phases <= report["elapsed_s"].as_f64().expect("a number"),
        "{report:#}"
    );
}

#[test]
fn a_run_that_fails_is_told_with_what_it_had_done_and_keeps_the_last_success() {
    let folder = Folder::new();
    let at = |seconds: &str, run: Diurnal| run.env("DIURNAL_CLOCK", seconds);
    at("1000", import(&folder, "m v=1 1592604000000000000\n"))
        .run()
        .expect_code(0);
    // The second of two commits fails.
    folder.write(
        "lines.lp",
        "m v=2 1592604001000000000\nm v=3 1592604002000000000\n".repeat(200_000),
    );
    let failing = diurnal(&folder, "import").args([
        "--metrics-file",
        "m.prom",
        "--commit-every",
        "1",
        "--threads",
        "1",
        "lines.lp",
    ]);
    let mut run = at("2000", failing).pause_at("before-commit").start();
    run.wait_for_step("before-commit");
    // Staging is impossible, and so is every commit.
    let staging = folder.archive().join("_diurnal/staging");
    fs::remove_dir_all(&staging).expect("a test can change its folder");
    fs::write(&staging, "in the way").expect("a test can change its folder");
    run.resume();
    run.wait().expect_code(1);
    fs::remove_file(&staging).expect("a test can change its folder");
    let found = values(&folder.join("m.prom"));
    assert_eq!(found["diurnal_last_run_exit_code"], 1.0);
    assert_eq!(found["diurnal_last_run_timestamp_seconds"], 2000.0);
    assert_eq!(found["diurnal_last_success_timestamp_seconds"], 1000.0);
    assert!(found["diurnal_last_run_read_bytes"] > 0.0);

    let broken = diurnal(&folder, "archive").args(["--metrics-file", "m.prom", "--brokers", "b:1", "--topic", "^("]);
    at("3000", broken).run().expect_code(2);
    let unreachable = [
        "--metrics-file",
        "m.prom",
        "--brokers",
        "127.0.0.1:1",
        "--topic",
        "t",
        "--timeout",
        "1s",
    ];
    at("4000", diurnal(&folder, "archive").args(unreachable))
        .run()
        .expect_code(1);
    let text = fs::read_to_string(folder.join("m.prom")).expect("it is there");
    let of_archive = |name: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with(name) && line.contains("command=\"archive\""));
        line.and_then(|line| line.rsplit_once(' '))
            .map(|(_, value)| value.to_owned())
    };
    assert_eq!(
        of_archive("diurnal_last_run_timestamp_seconds").as_deref(),
        Some("4000")
    );
    assert_eq!(
        of_archive("diurnal_last_success_timestamp_seconds").as_deref(),
        Some("0")
    );
}

#[test]
fn a_run_that_finds_the_archive_held_says_so_in_its_figures() {
    let folder = Folder::new();
    let mut holds = import(&folder, LINES).pause_at("before-commit").start();
    holds.wait_for_step("before-commit");
    import(&folder, LINES).run().expect_code(4);
    assert_eq!(values(&folder.join("m.prom"))["diurnal_last_run_exit_code"], 4.0);
    holds.resume();
    holds.wait().expect_code(3);
    assert_eq!(values(&folder.join("m.prom"))["diurnal_last_run_exit_code"], 3.0);
}

#[test]
fn a_file_that_can_not_be_written_is_a_warning_and_no_other_exit_code() {
    let folder = Folder::new();
    let run = |file: &str| {
        diurnal(&folder, "import")
            .args(["-q", "--metrics-file", file, "-"])
            .stdin("m v=1 1\n")
    };
    run("archive/m.prom").run().expect_code(2);
    assert!(!folder.archive().exists(), "nothing was done");
    run("nowhere/m.prom")
        .run()
        .expect_code(3)
        .expect_said("nowhere/m.prom: cannot write the metrics");
    let good = |file: &str| run(file).stdin("m v=1 1592604000000000000\n").run();
    good("nowhere/m.prom")
        .expect_code(0)
        .expect_said("warning: nowhere/m.prom");
    assert_eq!(good("m.prom").expect_code(0).stderr, "");
    // What would never be read, or is none of diurnal's, is refused before anything is done.
    run("m.txt").run().expect_code(2).expect_said("end in .prom");
    run("archive/m.prom")
        .run()
        .expect_code(2)
        .expect_said("inside of the archive");
    run("archive/_diurnal/m.prom").run().expect_code(2);
    diurnal(&folder, "verify").run().expect_code(0);
}

#[test]
fn a_dry_run_leaves_no_figures() {
    let folder = Folder::new();
    import(&folder, LINES).arg("--dry-run").run().expect_code(3);
    assert!(!folder.join("m.prom").exists() && !folder.archive().exists());
}

#[test]
fn each_run_of_a_schedule_leaves_its_figures() {
    let broker = Embedded::start();
    broker.create_topic("t", 1);
    broker.send("t", &[Record::new(0, "m v=1 1592604000000000000\n")]);
    let folder = Folder::new();
    let mut run = diurnal(&folder, "archive")
        .args([
            "--brokers",
            &broker.brokers(),
            "--topic",
            "t",
            "--metrics-file",
            "m.prom",
        ])
        .args(["--follow", "--every", "1s"])
        .start();
    run.wait_for_step("follow-waiting");
    // Before the first wait: those of the first run, which is the one that had something to do.
    let points = || values(&folder.join("m.prom")).get("diurnal_last_run_points").copied();
    crate::support::wait_for("the figures of an idle run", || (points() == Some(0.0)).then_some(()));
    run.terminate();
    run.wait().expect_code(0);
    let found = values(&folder.join("m.prom"));
    assert_eq!(found["diurnal_last_run_next_offset,topic=t,partition=0"], 1.0);
    assert_eq!(found["diurnal_last_run_lag_offsets,topic=t,partition=0"], 0.0);
}

#[test]
fn what_a_run_leaves_and_what_it_lost_is_told_by_partition() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("metrics", 1, &[]);
    let stamped = |n: i64| {
        Record::new(0, format!("m v={n} {}\n", 1_592_604_000_000_000_000 + n)).at(1_592_604_000_000 + n * 60_000)
    };
    topic.send(&Vec::from_iter((0..10).map(stamped)));
    let archive = || {
        let run = diurnal(&folder, "archive").args(["--brokers", &kafka.brokers(), "--topic", topic.name()]);
        run.args(["--group", topic.name(), "--metrics-file", "m.prom"])
    };
    let value = |metric: &str| {
        let found = values(&folder.join("m.prom"));
        found[&format!("diurnal_last_run_{metric},topic={},partition=0", topic.name())]
    };
    archive().args(["--until", "2020-06-19T22:04:00Z"]).run().expect_code(0);
    assert_eq!(
        [value("next_offset"), value("lag_offsets"), value("messages")],
        [4.0, 6.0, 4.0]
    );
    topic.delete_records(0, 7);
    archive().run().expect_code(5);
    assert_eq!(
        [value("next_offset"), value("lag_offsets"), value("lost_offsets")],
        [10.0, 0.0, 3.0]
    );
}

#[test]
fn the_example_rules_are_right_and_fire_when_they_should() {
    let Some(promtool) = Promtool::get() else { return };
    let folder = root().join("examples/prometheus");
    let (good, said) = promtool.check(&folder, &["check", "rules", "diurnal.rules.yml"]);
    assert!(good, "{said}");
    let (good, said) = promtool.check(&folder, &["test", "rules", "diurnal.rules.test.yml"]);
    assert!(good, "{said}");
    let rules = fs::read_to_string(folder.join("diurnal.rules.yml")).expect("the rules");
    let trials = fs::read_to_string(folder.join("diurnal.rules.test.yml")).expect("their trials");
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(
            trials.contains(&format!("alertname: {alert}")),
            "{alert} is never tried"
        );
    }
}
