//! `-v` and `--log-format json`: what an operator and a log collector get.

use serde_json::Value;

use super::LINES;
use crate::support::embedded::Embedded;
use crate::support::folder::Folder;
use crate::support::produce::Record;
use crate::support::run::{Diurnal, Ran, diurnal};

const TOPIC: &str = "my-computer-metric";

fn broker() -> Embedded {
    let broker = Embedded::start();
    broker.create_topic(TOPIC, 2);
    let mut records: Vec<Record> = LINES.lines().map(|line| Record::new(0, line)).collect();
    records.push(Record::new(1, "cpu,host=web-03 usage_idle= 1592568000000000000"));
    broker.send(TOPIC, &records);
    broker
}

fn archive(folder: &Folder, broker: &Embedded) -> Diurnal {
    diurnal(folder, "archive").args(["--brokers", &broker.brokers(), "--topic", TOPIC])
}

/// The objects on standard error: every line is one, and has what every message has.
#[track_caller]
fn messages(ran: &Ran) -> Vec<Value> {
    let read = |line: &str| -> Value {
        let message: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let time = message["time"].as_str().expect("a time");
        assert!(
            time.len() == "2020-06-19T12:00:00.000Z".len() && time.ends_with('Z'),
            "{line}"
        );
        let level = message["level"].as_str().expect("a level");
        assert!(["error", "warning", "info", "debug"].contains(&level), "{line}");
        assert!(
            message["message"].as_str().is_some_and(|text| !text.is_empty()),
            "{line}"
        );
        message
    };
    ran.stderr.lines().map(read).collect()
}

/// The one message that begins so.
#[track_caller]
fn message<'m>(messages: &'m [Value], begin: &str) -> &'m Value {
    let begins = |message: &&Value| message["message"].as_str().is_some_and(|text| text.starts_with(begin));
    let found: Vec<&Value> = messages.iter().filter(begins).collect();
    assert_eq!(found.len(), 1, "{begin}: {messages:#?}");
    found[0]
}

#[test]
fn a_verbose_run_tells_assignments_positions_commits_and_times() {
    let broker = broker();
    let folder = Folder::new();
    let ran = archive(&folder, &broker).arg("-v").run().expect_code(3);
    for said in [
        "diurnal: connected to ",
        "diurnal: assigned my-computer-metric[0]: offsets 0 to 3\n",
        "diurnal: assigned my-computer-metric[1]: offsets 0 to 1\n",
        "diurnal: read 4 messages with ",
        "diurnal: read my-computer-metric[0] from offset 0 to 3: 3 messages, 0 gaps, 0 lost\n",
        "diurnal: 4 lines of 2 measurements settled in ",
        "diurnal: cpu 2020-06-19: 1 row, 1 leaves encoded, 0 copied\n",
        "diurnal: commit 1: 6 day files with ",
        "diurnal: told group diurnal the offsets of 2 partitions\n",
    ] {
        assert!(ran.stderr.contains(said), "{said:?}: {}", ran.stderr);
    }
    let without = Folder::new();
    let ran = archive(&without, &broker).run().expect_code(3);
    assert!(
        !ran.stderr.contains("assigned") && !ran.stderr.contains("librdkafka"),
        "{}",
        ran.stderr
    );
}

#[test]
fn each_message_of_a_run_is_an_object_with_its_fields() {
    let broker = broker();
    let folder = Folder::new();
    let ran = archive(&folder, &broker)
        .args(["-v", "--log-format", "json"])
        .run()
        .expect_code(3);
    assert_eq!(ran.stdout, "");
    let said = messages(&ran);
    let assigned = message(&said, "assigned my-computer-metric[0]");
    assert_eq!(assigned["level"], "debug");
    assert_eq!(
        (
            &assigned["topic"],
            &assigned["partition"],
            &assigned["offset"],
            &assigned["end"]
        ),
        (&TOPIC.into(), &0.into(), &0.into(), &3.into())
    );
    let read = message(&said, "read my-computer-metric[1]");
    assert_eq!((&read["offset"], &read["messages"]), (&1.into(), &1.into()));
    let commit = message(&said, "commit 1");
    assert_eq!((&commit["commit"], &commit["files"]), (&1.into(), &6.into()));
    assert!(commit["bytes"].as_u64().is_some_and(|bytes| bytes > 1_000), "{commit}");
    assert!(
        commit["encode_seconds"].is_f64() && commit["commit_seconds"].is_f64(),
        "{commit}"
    );
    assert_eq!(message(&said, "new kind of reject: empty_value")["level"], "warning");
    let summary = message(&said, "4 lines: 3 new points, 0 folded, 1 rejected");
    assert_eq!((&summary["level"], said.last()), (&"info".into(), Some(summary)));
    assert_eq!(
        (&summary["report"]["points"], &summary["report"]["exit_code"]),
        (&3.into(), &3.into())
    );
}

#[test]
fn the_summary_is_on_one_stream_only_and_a_quiet_run_says_nothing() {
    let folder = Folder::new();
    folder.write("lines.lp", LINES);
    let import = || {
        diurnal(&folder, "import")
            .arg("lines.lp")
            .env("DIURNAL_LOG_FORMAT", "json")
    };
    let ran = import().arg("--json").run().expect_code(0);
    assert_eq!((ran.json()["points"].as_u64(), ran.stderr.as_str()), (Some(3), ""));
    let ran = import().run().expect_code(0);
    assert_eq!((messages(&ran).len(), ran.stdout.as_str()), (1, ""));
    let ran = import().arg("-q").run().expect_code(0);
    assert_eq!((ran.stderr.as_str(), ran.stdout.as_str()), ("", ""));
    // The flag is nearer than the variable.
    let ran = import().args(["--log-format", "text"]).run().expect_code(0);
    assert!(ran.stderr.starts_with("3 lines: "), "{}", ran.stderr);
}

#[test]
fn errors_have_their_parts_whoever_finds_them() {
    let folder = Folder::new();
    let json = |run: Diurnal| run.args(["--log-format", "json"]);
    let missing = json(diurnal(&folder, "import").arg("missing.lp")).run().expect_code(1);
    let said = messages(&missing);
    assert_eq!(
        (said[0]["level"].as_str(), said[0]["object"].as_str()),
        (Some("error"), Some("missing.lp"))
    );
    assert!(
        said[0]["cause"]
            .as_str()
            .is_some_and(|cause| cause.starts_with("cannot open it"))
    );
    assert!(
        said[0]["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("check the path"))
    );

    // clap finds this one, before anything is known of how messages are to be written.
    let unknown = json(diurnal(&folder, "import").arg("--dry-rum")).run().expect_code(2);
    let said = messages(&unknown);
    assert_eq!(said.len(), 1);
    assert_eq!(said[0]["cause"], "unexpected argument '--dry-rum' found");
    assert!(
        said[0]["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("'--dry-run'"))
    );

    let bug = json(diurnal(&folder, "verify").fail_at("bug")).run().expect_code(1);
    assert!(
        messages(&bug)[0]["cause"]
            .as_str()
            .is_some_and(|cause| cause.starts_with("a bug: "))
    );
}

#[test]
fn what_librdkafka_says_is_marked_as_its_own() {
    let folder = Folder::new();
    let nowhere = ["--brokers", "localhost:1", "--topic", "t", "--timeout", "1s"];
    let ran = diurnal(&folder, "archive")
        .args(nowhere)
        .args(["-v", "--log-format", "json"])
        .run()
        .expect_code(1);
    let said = messages(&ran);
    let by_librdkafka = |message: &&Value| message["source"] == "librdkafka";
    assert!(said.iter().any(|message| by_librdkafka(&message)), "{said:#?}");
    let error = said
        .iter()
        .find(|message| message["level"] == "error" && !by_librdkafka(message));
    assert_eq!(error.expect("why it failed")["object"], "localhost:1");
}
