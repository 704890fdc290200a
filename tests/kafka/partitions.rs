//! `--partitions`: a topic that is split over machines, each with an archive of its own, and merged. It is one archive of all, byte for byte.

use serde_json::Value;

use super::{archive, partition, point};
use crate::support::captures::{self, PARTITIONS};
use crate::support::digest::{all_files, assert_no_debris, day_files, day_files_and_schemas};
use crate::support::embedded::Embedded;
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::lines::{self, Random};
use crate::support::long;
use crate::support::produce::Record;
use crate::support::run::{Diurnal, diurnal};

/// Seed of the lines and of the splits.
const SEED: u64 = 20_200_619;

/// Partitions of the topic that is split at random.
const MANY: i32 = 7;

/// A run of the archive called `name` on the embedded broker.
fn part(folder: &Folder, broker: &Embedded, name: &str, partitions: &str) -> Diurnal {
    diurnal(folder, "archive").args([
        "--archive",
        name,
        "--brokers",
        &broker.brokers(),
        "--topic",
        "t",
        "--partitions",
        partitions,
    ])
}

/// A run of all partitions.
fn whole(folder: &Folder, broker: &Embedded, name: &str) -> Diurnal {
    diurnal(folder, "archive").args(["--archive", name, "--brokers", &broker.brokers(), "--topic", "t"])
}

/// A broker with a topic of so many partitions, and points dealt over them.
fn broker(partitions: i32, points: std::ops::Range<i64>) -> Embedded {
    let broker = Embedded::start();
    broker.create_topic("t", partitions);
    send(&broker, partitions, points);
    broker
}

fn send(broker: &Embedded, partitions: i32, points: std::ops::Range<i64>) {
    let record = |n| Record::new((n % i64::from(partitions)) as i32, point(n));
    broker.send("t", &points.map(record).collect::<Vec<_>>());
}

/// Numbers of the partitions in a report.
fn numbers(report: &Value) -> Vec<i64> {
    let rows = report["partitions"].as_array().expect("a report lists partitions");
    rows.iter()
        .map(|row| row["partition"].as_i64().expect("a number"))
        .collect()
}

/// Deals the partitions to machines, each to one or, now and then, to a second one as well. The last set has no end.
fn split(random: &mut Random) -> Vec<String> {
    let machines = random.within(2..=4);
    let mut sets = vec![Vec::new(); machines];
    for number in 0..MANY {
        sets[random.within(0..=machines - 1)].push(number);
        if random.one_in(5) {
            sets[random.within(0..=machines - 1)].push(number);
        }
    }
    sets[machines - 1].retain(|&number| number < 4);
    let mut sets: Vec<String> = sets
        .iter()
        .map(|set| set.iter().map(i32::to_string).collect::<Vec<_>>().join(","))
        .collect();
    let last = sets.last_mut().expect("two machines at least");
    *last = format!("4-{}{last}", if last.is_empty() { "" } else { "," });
    sets.retain(|set| !set.is_empty());
    sets
}

#[test]
fn archives_of_any_split_merge_into_the_archive_of_the_whole_topic_and_it_goes_on() {
    let mut random = Random::new(SEED);
    let records: Vec<Record> = lines::telegraf(SEED, 4_000)
        .iter()
        .map(|line| Record::new(random.below(MANY as u64) as i32, format!("{line}\n")))
        .collect();
    let (early, late) = records.split_at(3_000);
    for case in 0..if long() { 100 } else { 6 } {
        let sets = split(&mut random);
        println!("seed {SEED}, case {case}: {sets:?}");
        let broker = Embedded::start();
        broker.create_topic("t", MANY);
        broker.send("t", early);
        let folder = Folder::new();
        let names: Vec<String> = (0..sets.len()).map(|number| format!("part-{number}")).collect();
        // They run at the same time, and share a group.
        let runs: Vec<_> = names
            .iter()
            .zip(&sets)
            .map(|(name, set)| part(&folder, &broker, name, set).arg("--json").start())
            .collect();
        let read: i64 = runs
            .into_iter()
            .map(|run| run.wait().expect_code(0).json()["lines"].as_i64().expect("a number"))
            .sum();
        assert!(read >= early.len() as i64, "{read} lines of {}", early.len());
        diurnal(&folder, "merge")
            .args(["--archive", "all"])
            .args(&names)
            .run()
            .expect_code(0);
        whole(&folder, &broker, "whole").run().expect_code(0);
        assert_eq!(
            day_files_and_schemas(&folder.join("all")),
            day_files_and_schemas(&folder.join("whole"))
        );

        // The merged archive knows where each of them was: a run of all partitions reads nothing twice.
        broker.send("t", late);
        let report = whole(&folder, &broker, "all").report(0);
        assert_eq!(report["lines"].as_u64(), Some(late.len() as u64));
        // And a part goes on with its own, to be merged once more.
        part(&folder, &broker, &names[0], &sets[0]).run().expect_code(0);
        let again = diurnal(&folder, "merge")
            .args(["--archive", "all", &names[0]])
            .report(0);
        assert_eq!((&again["points"], &again["rejected"]), (&0.into(), &0.into()));
        whole(&folder, &broker, "whole").run().expect_code(0);
        assert_eq!(
            day_files_and_schemas(&folder.join("all")),
            day_files_and_schemas(&folder.join("whole"))
        );
        diurnal(&folder, "verify")
            .args(["--archive", "all"])
            .run()
            .expect_code(0);
        assert_no_debris(&folder.join("all"));
    }
}

#[test]
fn what_is_left_out_is_neither_read_nor_recorded_and_another_run_may_take_it() {
    let broker = broker(5, 0..50);
    let folder = Folder::new();
    let report = part(&folder, &broker, "archive", "3,0-1").report(0);
    assert_eq!(numbers(&report), [0, 1, 3]);
    assert_eq!((&report["lines"], &report["points"]), (&30.into(), &30.into()));
    let status = diurnal(&folder, "status").report(0);
    assert_eq!(numbers(&status), [0, 1, 3]);

    let said = part(&folder, &broker, "archive", "0-1,3")
        .arg("-v")
        .run()
        .expect_code(0);
    said.expect_said("left out partitions 2,4 of t: --partitions names others");

    // The set is not the archive's: a run without it takes what was left out, from its beginning, and reads nothing twice.
    let report = whole(&folder, &broker, "archive").args(["--from", "latest"]).report(0);
    assert_eq!((&report["lines"], &report["points"]), (&20.into(), &20.into()));
    assert_eq!(partition(&report, "t", 4), [0, 10, 10, 0, 0]);
    let all = Folder::new();
    whole(&all, &broker, "archive").run().expect_code(0);
    assert_eq!(day_files(&folder.archive()), day_files(&all.archive()));
}

#[test]
fn the_environment_sets_it_for_a_run_and_for_the_status_that_follows() {
    let broker = broker(4, 0..40);
    let folder = Folder::new();
    let mine = |run: Diurnal| run.env("DIURNAL_PARTITIONS", "2-");
    let report = mine(whole(&folder, &broker, "archive")).report(0);
    assert_eq!(numbers(&report), [2, 3]);

    let status = || diurnal(&folder, "status").args(["--brokers", &broker.brokers(), "--max-lag", "0"]);
    // Whoever does not say which part it is sees what the archive does not have.
    let ran = status().arg("--json").run().expect_code(1);
    assert_eq!(numbers(&ran.json()), [0, 1, 2, 3]);
    ran.expect_said("t[0]: lag 10 is 10 over --max-lag 0");
    let well = mine(status()).report(0);
    assert_eq!(numbers(&well), [2, 3]);

    // Without the brokers too, and for the age.
    let offline = |set: &str| diurnal(&folder, "status").args(["--max-age", "1h", "--partitions", set]);
    assert_eq!(numbers(&offline("3").report(0)), [3]);
    offline("0-1")
        .run()
        .expect_code(1)
        .expect_said("--partitions 0-1: names no partition that the archive has read");
}

#[test]
fn a_partition_that_no_topic_has_is_an_error_and_nothing_is_read() {
    let broker = broker(3, 0..9);
    broker.create_topic("u", 2);
    let folder = Folder::new();
    let ran = part(&folder, &broker, "archive", "1-4").run().expect_code(1);
    ran.expect_said("--partitions 1-4: topic t has no partitions 3-4")
        .expect_said("it has partitions 0-2; those that Kafka adds later are in a range without an end, such as 3-");
    assert!(!folder.archive().join("m").exists());
    part(&folder, &broker, "archive", "4-1")
        .run()
        .expect_code(2)
        .expect_said("--partitions: the range 4-1 ends before it begins");

    // One of the topics has them all.
    let both = |set: &str| {
        diurnal(&folder, "archive").args(["--brokers", &broker.brokers(), "--topic", "^[tu]$", "--partitions", set])
    };
    let report = both("1-2").report(0);
    assert_eq!(numbers(&report), [1, 2, 1]);
    both("3")
        .run()
        .expect_code(1)
        .expect_said("none of the 2 topics has partition 3");
    let status = |set: &str| diurnal(&folder, "status").args(["--brokers", &broker.brokers(), "--partitions", set]);
    status("3")
        .run()
        .expect_code(1)
        .expect_said("none of the 2 topics has partition 3");
    status("1-2").run().expect_code(0);

    // A range without an end waits for what is to come, and says so while there is nothing at all.
    let ran = part(&folder, &broker, "later", "3-").run().expect_code(0);
    ran.expect_said("--partitions 3-: topic t has no such partition yet: nothing is read");
    part(&folder, &broker, "later", "2-").arg("-q").run().expect_code(0);
}

#[test]
fn a_replay_reads_the_same_part_once_more() {
    let broker = broker(4, 0..40);
    let folder = Folder::new();
    part(&folder, &broker, "archive", "1,3").run().expect_code(0);
    let before = all_files(&folder.archive());
    let report = part(&folder, &broker, "archive", "3")
        .args(["--replay", ".."])
        .report(0);
    assert_eq!(numbers(&report), [3]);
    assert_eq!((&report["lines"], &report["folded"]), (&10.into(), &10.into()));
    assert_eq!(all_files(&folder.archive()), before);
    // What no run has come to is not replayed.
    let report = whole(&folder, &broker, "archive").args(["--replay", ".."]).report(0);
    assert_eq!(report["lines"], 20);
}

#[test]
fn each_run_of_a_schedule_takes_its_part() {
    let broker = broker(3, 0..30);
    let folder = Folder::new();
    let mut run = part(&folder, &broker, "archive", "0,2")
        .args(["--follow", "--every", "1s", "--json"])
        .start();
    let lines = |run: &[Value]| run.iter().map(|run| run["lines"].as_i64().unwrap_or(0)).sum::<i64>();
    run.wait_for_json_lines("the first run", |runs| (lines(runs) == 20).then_some(()));
    send(&broker, 3, 30..60);
    run.wait_for_json_lines("what came later", |runs| (lines(runs) == 40).then_some(()));
    run.terminate();
    let runs = run.wait().expect_code(0).json_lines();
    // One that the signal met while it connected has read of none.
    let mine = |run: &Value| numbers(run).iter().all(|number| [0, 2].contains(number));
    assert!(runs.iter().all(mine), "{runs:?}");
}

#[test]
fn three_machines_share_a_topic_of_kafka_its_group_and_its_times() {
    let Some(kafka) = Kafka::shared() else { return };
    let topic = kafka.topic("split", PARTITIONS, &[]);
    topic.send(&captures::records("my-computer-metric"));
    let folder = Folder::new();
    let run = |name: &str, set: &str| archive(&folder, kafka, &topic).args(["--archive", name, "--partitions", set]);
    // The offsets of one part only are told to Kafka.
    run("one", "0-1").run().expect_code(0);
    let told = |numbers: &[i32]| {
        let group = kafka.describe_group(topic.name());
        let mut known: Vec<i32> = group.iter().filter(|row| row.2 >= 0).map(|row| row.1).collect();
        known.sort_unstable();
        assert_eq!(known, numbers, "{group:?}");
        assert!(group.iter().filter(|row| row.2 >= 0).all(|row| row.3 == 0), "{group:?}");
    };
    told(&[0, 1]);
    let runs = [("two", "2,4-"), ("three", "3")].map(|(name, set)| run(name, set).start());
    for run in runs {
        run.wait().expect_code(0);
    }
    told(&[0, 1, 2, 3, 4]);
    let whole = archive(&folder, kafka, &topic).args(["--archive", "whole"]).report(0);
    let merged = diurnal(&folder, "merge")
        .args(["--archive", "all", "one", "two", "three"])
        .report(0);
    assert_eq!(merged["points"], whole["points"]);
    let same = || {
        assert_eq!(
            day_files_and_schemas(&folder.join("all")),
            day_files_and_schemas(&folder.join("whole"))
        );
    };
    same();

    // A partition that is added is the open range's, and the merged archive goes on with all of them.
    topic.add_partitions(PARTITIONS + 1);
    let added: Vec<Record> = (0..40).map(|n| Record::new((n % 6) as i32, point(n))).collect();
    topic.send(&added);
    let report = run("two", "2,4-").report(0);
    assert_eq!(numbers(&report), [2, 4, 5]);
    assert_eq!(partition(&report, topic.name(), 5), [0, 6, 6, 0, 0]);
    assert_eq!(numbers(&run("three", "3").report(0)), [3]);
    diurnal(&folder, "merge")
        .args(["--archive", "all", "two"])
        .run()
        .expect_code(0);
    let report = archive(&folder, kafka, &topic).args(["--archive", "all"]).report(0);
    // The lines of 0, 1 and 3.
    assert_eq!(report["lines"], 21);
    archive(&folder, kafka, &topic)
        .args(["--archive", "whole"])
        .run()
        .expect_code(0);
    same();
    diurnal(&folder, "verify")
        .args(["--archive", "all"])
        .run()
        .expect_code(0);
}

#[test]
fn a_part_stops_at_a_time_and_begins_at_one() {
    let Some(kafka) = Kafka::shared() else { return };
    let topic = kafka.topic("split-times", 3, &[]);
    // Record times of 2020, one a minute.
    let stamped = |n: i64| Record::new((n % 3) as i32, point(n)).at(1_592_604_000_000 + n * 60_000);
    topic.send(&(0..30).map(stamped).collect::<Vec<_>>());
    let folder = Folder::new();
    let run = || archive(&folder, kafka, &topic).args(["--partitions", "0,2"]);
    let report = run()
        .args(["--from", "2020-06-19T22:06:00Z", "--until", "2020-06-19T22:15:00Z"])
        .report(0);
    assert_eq!(numbers(&report), [0, 2]);
    // The points 6, 9, 12 and 8, 11, 14.
    assert_eq!(partition(&report, topic.name(), 0), [2, 5, 3, 0, 0]);
    assert_eq!(partition(&report, topic.name(), 2), [2, 5, 3, 0, 0]);
    assert_eq!(run().report(0)["lines"], 10);
}
