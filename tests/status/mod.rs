//! `status`: what the archive holds, how old it is, and how far behind Kafka. On the embedded broker; the real one is in `tests/kafka/lag.rs`.

use std::fs;

use serde_json::Value;

use crate::support::embedded::Embedded;
use crate::support::folder::Folder;
use crate::support::produce::Record;
use crate::support::run::{Diurnal, Ran, diurnal};

/// 2026-11-23T18:40:00Z, at which the clock of these runs stands.
const NOON: u64 = 1_795_459_200;

fn at(seconds: u64, run: Diurnal) -> Diurnal {
    run.env("DIURNAL_CLOCK", seconds.to_string())
}

fn status(folder: &Folder, seconds: u64) -> Diurnal {
    at(seconds, diurnal(folder, "status"))
}

fn archive(folder: &Folder, broker: &Embedded, seconds: u64) -> Diurnal {
    at(seconds, diurnal(folder, "archive")).args(["--brokers", &broker.brokers(), "--topic", "t"])
}

fn send(broker: &Embedded, partition: i32, points: std::ops::Range<i64>) {
    let line = |n| format!("m,host=a v={n}i {}\n", 1_592_604_000_000_000_000 + n * 1_000_000_000);
    let records: Vec<_> = points.map(|n| Record::new(partition, line(n))).collect();
    broker.send("t", &records);
}

/// What `--json` says of a partition.
fn partition(status: &Value, number: i64) -> Value {
    let all = status["partitions"].as_array().expect("partitions");
    let found = all.iter().find(|partition| partition["partition"] == number);
    found
        .unwrap_or_else(|| panic!("no partition {number} in {status:#}"))
        .clone()
}

/// The lines of standard error.
fn said(ran: &Ran) -> Vec<&str> {
    ran.stderr.lines().collect()
}

#[test]
fn a_measurement_is_a_row_and_a_day_is_one_where_days_are_asked_for() {
    let folder = Folder::new();
    let lines = "cpu,host=a,cpu=cpu0 usage_idle=1 1592604000000000000\n\
                 cpu,host=a,cpu=cpu0 usage_idle=2 1592690400000000000\n\
                 m,host=b v=1i,w=2i 1592604000000000000\n";
    at(NOON, diurnal(&folder, "import"))
        .arg("-")
        .stdin(lines)
        .run()
        .expect_code(0);
    let report = status(&folder, NOON + 90).arg("--json").run().expect_code(0).json();
    let [cpu, m] = &report["measurements"].as_array().expect("measurements")[..] else {
        panic!("{report:#}")
    };
    let size = |name: &str, extension: &str| {
        let path = folder.archive().join(name).with_extension(extension);
        fs::metadata(&path)
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
            .len()
    };
    let [parquet, csv] =
        ["parquet", "csv"].map(|format| size("cpu/2020-06-19", format) + size("cpu/2020-06-20", format));
    assert_eq!(cpu["measurement"], "cpu");
    assert_eq!((&cpu["days"], &cpu["rows"]), (&2.into(), &2.into()));
    assert_eq!(
        (&cpu["parquet_bytes"], &cpu["csv_bytes"]),
        (&parquet.into(), &csv.into())
    );
    assert_eq!(cpu["bytes_per_row"].as_f64(), Some((parquet + csv) as f64 / 2.0));
    assert_eq!(cpu["first"], "2020-06-19T22:00:00.000000000Z");
    assert_eq!(cpu["last"], "2020-06-20T22:00:00.000000000Z");
    // host, v and w; `time` is no column of the schema.
    assert_eq!((&m["columns"], &m["days"]), (&3.into(), &1.into()));
    assert_eq!(report["last_commit"], "2026-11-23T18:40:00Z");
    assert_eq!(report["last_run"]["command"], "import");
    assert_eq!(report["last_success"]["import"]["age_s"], 90);
    assert_eq!(report["days"].as_array().map(Vec::len), Some(3));

    let page = status(&folder, NOON + 90).run().expect_code(0).stdout;
    let rows = |page: &str, name: &str| page.lines().filter(|line| line.trim_start().starts_with(name)).count();
    assert_eq!((rows(&page, "cpu "), rows(&page, "m ")), (1, 1), "{page}");
    assert!(
        page.contains("last run: import, done (90 s ago, 2026-11-23 18:40:00 UTC)"),
        "{page}"
    );
    let page = status(&folder, NOON).arg("--days").run().expect_code(0).stdout;
    assert_eq!((rows(&page, "cpu "), rows(&page, "m ")), (2, 1), "{page}");
}

#[test]
fn lag_is_what_the_next_run_has_to_read_and_partitions_that_are_new_are_shown() {
    let broker = Embedded::start();
    broker.create_topic("t", 3);
    let folder = Folder::new();
    send(&broker, 0, 0..5);
    archive(&folder, &broker, NOON).run().expect_code(0);
    send(&broker, 0, 5..12);
    send(&broker, 2, 20..24);
    let asking = || status(&folder, NOON + 60).args(["--brokers", &broker.brokers()]);
    let report = asking().arg("--json").run().expect_code(0).json();
    let of = |number| {
        let partition = partition(&report, number);
        ["next", "start", "end", "lag", "lost"].map(|key| partition[key].as_i64())
    };
    assert_eq!(of(0), [Some(5), Some(0), Some(12), Some(7), Some(0)]);
    assert_eq!(of(1), [Some(0), Some(0), Some(0), Some(0), Some(0)]);
    assert_eq!(of(2), [Some(0), Some(0), Some(4), Some(4), Some(0)]);
    assert_eq!(partition(&report, 0)["standing"], "known");

    // A topic that no run has read.
    let elsewhere = Folder::new();
    at(NOON, diurnal(&elsewhere, "import"))
        .arg("-")
        .stdin("m v=1 1592604000000000000\n")
        .run()
        .expect_code(0);
    let asking = || {
        let status = status(&elsewhere, NOON).args(["--brokers", &broker.brokers()]);
        status.args(["--topic", "t"])
    };
    let report = asking().arg("--json").run().expect_code(0).json();
    let new = partition(&report, 0);
    assert_eq!(
        (&new["standing"], &new["next"], &new["lag"]),
        (&"new".into(), &Value::Null, &12.into())
    );
    asking()
        .args(["--max-lag", "11"])
        .run()
        .expect_code(1)
        .expect_said("t[0]: lag 12 is 1 over --max-lag 11");
    let page = asking().run().expect_code(0).stdout;
    let row = page.lines().find(|line| line.contains("t[0]")).expect("a row");
    assert_eq!(
        row.split_whitespace().collect::<Vec<_>>(),
        ["t[0]", "-", "12", "12", "never"]
    );
}

#[test]
fn a_limit_that_is_not_kept_is_named_with_how_much_it_is_over_and_asks_for_exit_code_1() {
    let broker = Embedded::start();
    broker.create_topic("t", 2);
    let folder = Folder::new();
    send(&broker, 0, 0..5);
    archive(&folder, &broker, NOON).run().expect_code(0);
    send(&broker, 1, 5..1_505);
    let asking = |seconds| status(&folder, seconds).args(["-q", "--brokers", &broker.brokers()]);
    let quiet = asking(NOON + 60)
        .args(["--max-lag", "1500", "--max-age", "60s"])
        .run()
        .expect_code(0);
    assert_eq!(
        (quiet.stdout.as_str(), quiet.stderr.as_str()),
        ("", ""),
        "with -q nothing is said where all is well"
    );

    let over = asking(NOON + 60).args(["--max-lag", "1499"]).run().expect_code(1);
    assert_eq!(
        said(&over),
        ["diurnal: error: t[1]: lag 1,500 is 1 over --max-lag 1,499"]
    );
    let late = asking(NOON + 7_260).args(["--max-age", "2h"]).run().expect_code(1);
    let expected =
        [0, 1].map(|n| format!("diurnal: error: t[{n}]: was last read to its end 2 h ago, 60 s over --max-age 2 h"));
    assert_eq!(said(&late), expected);
    let report = asking(NOON + 7_260)
        .args(["--max-age", "2h", "--max-lag", "0", "--json"])
        .run()
        .expect_code(1)
        .json();
    assert_eq!(
        (&report["exit_code"], report["errors"].as_array().map(Vec::len)),
        (&1.into(), Some(3))
    );
    // Without Kafka: the age is the archive's own.
    status(&folder, NOON + 7_260)
        .args(["--max-age", "2h"])
        .run()
        .expect_code(1);
    status(&folder, NOON + 7_260)
        .args(["--max-age", "3h"])
        .run()
        .expect_code(0);
    status(&folder, NOON + 7_260)
        .args(["--max-age", "3h", "--topic", "^other"])
        .run()
        .expect_code(1)
        .expect_said("--topic: names no topic that the archive has read");
    status(&folder, NOON).args(["--max-lag", "5"]).run().expect_code(2);
    status(&folder, NOON).args(["--max-age", "soon"]).run().expect_code(2);
}

#[test]
fn an_idle_run_makes_an_archive_younger_and_a_failed_one_does_not() {
    let broker = Embedded::start();
    broker.create_topic("t", 1);
    let folder = Folder::new();
    send(&broker, 0, 0..5);
    let age = |seconds| {
        let report = status(&folder, seconds).arg("--json").run().expect_code(0).json();
        (
            partition(&report, 0)["last_read"]["age_s"].clone(),
            report["last_run"]["outcome"].clone(),
        )
    };
    archive(&folder, &broker, NOON).run().expect_code(0);
    archive(&folder, &broker, NOON + 100).run().expect_code(0);
    assert_eq!(age(NOON + 150), (50.into(), "done".into()));
    at(NOON + 200, diurnal(&folder, "archive"))
        .args(["--brokers", "127.0.0.1:1", "--topic", "t", "--timeout", "1s"])
        .run()
        .expect_code(1);
    assert_eq!(age(NOON + 250), (150.into(), "failed".into()));
    let page = status(&folder, NOON + 250).run().expect_code(0).stdout;
    assert!(
        page.contains("last run: archive, failed (2026-11-23 18:43:20 UTC); last good one 2 min ago"),
        "{page}"
    );
    // Neither an import nor a replay says anything of how far the partition is.
    at(NOON + 300, diurnal(&folder, "import"))
        .arg("-")
        .stdin("n v=1 1\n")
        .run()
        .expect_code(3);
    archive(&folder, &broker, NOON + 310)
        .args(["--replay", ".."])
        .run()
        .expect_code(0);
    archive(&folder, &broker, NOON + 320)
        .arg("--dry-run")
        .run()
        .expect_code(0);
    assert_eq!(age(NOON + 350), (250.into(), "done".into()));
    let report = status(&folder, NOON + 350).arg("--json").run().expect_code(0).json();
    assert_eq!(report["last_run"]["command"], "replay");
    let ages = ["archive", "import", "replay"].map(|command| report["last_success"][command]["age_s"].as_u64());
    assert_eq!(ages, [Some(250), Some(50), Some(40)]);
}

#[test]
fn an_archive_without_topics_is_as_old_as_its_last_good_run_and_one_that_was_copied_has_no_age() {
    let folder = Folder::new();
    let lines = "m v=1 1592604000000000000\n";
    at(NOON, diurnal(&folder, "import"))
        .arg("-")
        .stdin(lines)
        .run()
        .expect_code(0);
    let asking = |archive: &str| status(&folder, NOON + 3_700).args(["--archive", archive, "--max-age", "1h"]);
    asking("archive")
        .run()
        .expect_code(1)
        .expect_said("the last good run was 61 min ago, 100 s over --max-age 60 min");
    at(NOON + 3_000, diurnal(&folder, "import"))
        .arg("-")
        .stdin(lines)
        .run()
        .expect_code(0);
    asking("archive").run().expect_code(0);

    // What is not known is not young enough, and no damage.
    diurnal(&folder, "backup").arg("copy").run().expect_code(0);
    assert!(
        !folder.join("copy/_diurnal/last-run.json").exists(),
        "a copy made no run"
    );
    asking("copy")
        .run()
        .expect_code(1)
        .expect_said("it is not known when the last good run was");
    for content in ["", "{", "[]"] {
        folder.write("archive/_diurnal/last-run.json", content);
        asking("archive").run().expect_code(1).expect_said("it is not known");
        diurnal(&folder, "verify").run().expect_code(0);
    }
    at(NOON + 3_600, diurnal(&folder, "import"))
        .arg("-")
        .stdin(lines)
        .run()
        .expect_code(0);
    asking("archive").run().expect_code(0);
}

#[test]
fn a_broker_that_does_not_answer_is_an_error_and_what_the_archive_knows_is_shown() {
    let broker = Embedded::start();
    broker.create_topic("t", 1);
    let folder = Folder::new();
    send(&broker, 0, 0..5);
    archive(&folder, &broker, NOON).run().expect_code(0);
    let asking = || status(&folder, NOON).args(["--brokers", "127.0.0.1:1", "--timeout", "1s"]);
    let ran = asking()
        .run()
        .expect_code(1)
        .expect_said("127.0.0.1:1: no broker answered within 1 s");
    let row = ran.stdout.lines().find(|line| line.contains("t[0]")).expect("a row");
    assert_eq!(
        row.split_whitespace().collect::<Vec<_>>(),
        ["t[0]", "5", "0", "s", "ago"]
    );
    let report = asking().args(["--json", "--max-lag", "9"]).run().expect_code(1).json();
    assert_eq!(
        (&report["exit_code"], &report["partitions"][0]["next"]),
        (&1.into(), &5.into())
    );
    assert!(
        report["errors"][0]
            .as_str()
            .is_some_and(|error| error.contains("no broker answered")),
        "{report:#}"
    );
    status(&folder, NOON)
        .args(["--brokers", &broker.brokers(), "--topic", "tt"])
        .run()
        .expect_code(1)
        .expect_said("did you mean t?");
}

#[test]
fn partitions_of_another_cluster_are_shown_as_such() {
    let (one, other) = (Embedded::start(), Embedded::start());
    let folder = Folder::new();
    for broker in [&one, &other] {
        broker.create_topic("t", 1);
        send(broker, 0, 0..5);
        archive(&folder, broker, NOON).run().expect_code(0);
    }
    send(&one, 0, 5..8);
    let asking = || status(&folder, NOON).args(["--brokers", &one.brokers(), "--max-lag", "2"]);
    let report = asking().arg("--json").run().expect_code(1).json();
    let mut found: Vec<(String, Option<u64>)> = report["partitions"]
        .as_array()
        .expect("partitions")
        .iter()
        .map(|partition| {
            (
                partition["standing"].as_str().unwrap_or("-").to_owned(),
                partition["lag"].as_u64(),
            )
        })
        .collect();
    found.sort();
    assert_eq!(
        found,
        [("elsewhere".to_owned(), None), ("known".to_owned(), Some(3))],
        "{report:#}"
    );
    let page = asking().run().expect_code(1).stdout;
    assert!(
        page.contains("topic id") && page.contains("cluster"),
        "two of a name are told apart: {page}"
    );
}
