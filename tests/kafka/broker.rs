//! A broker that dies, or stands still, in the middle of a run: the run waits for it as long as `--timeout` says, what it read by
//! then is committed, and the next run goes on from there. Nothing is lost, nothing doubled.

use std::time::Duration;

use super::midway::{COMMIT_EACH_BATCH, Midway, shuffled};
use crate::support::kafka::Kafka;

const PARTITIONS: i32 = 3;
const MESSAGES: usize = 20_000;

/// The `--timeout` of runs that are not to wait for the broker.
const IMPATIENT: [&str; 2] = ["--timeout", "3s"];

/// How long a broker is held that comes back in time.
const HELD: Duration = Duration::from_secs(4);

/// A run that has taken three batches of a topic.
fn midway<'k>(kafka: &'k Kafka, name: &str, arguments: &[&str]) -> Midway<'k> {
    let topic = kafka.topic(name, PARTITIONS, &[]);
    let records = shuffled(MESSAGES as u64, MESSAGES, PARTITIONS);
    Midway::start(kafka, topic, records, 3, arguments)
}

#[test]
fn a_broker_that_is_killed_and_started_again_costs_a_run_no_line() {
    let Some(kafka) = Kafka::breakable() else { return };
    let midway = midway(&kafka, "restarted", &[]);
    kafka.kill();
    midway.run.resume();
    kafka.start_again();
    midway.ended(0).expect_whole("broker killed and started again");
}

#[test]
fn a_broker_that_is_killed_for_longer_ends_the_run_with_what_was_read_and_the_next_one_completes() {
    let Some(kafka) = Kafka::breakable() else { return };
    let midway = midway(&kafka, "killed", &[IMPATIENT, COMMIT_EACH_BATCH].concat());
    kafka.kill();
    let ended = midway.ends_with(1);
    ended.expect_part();
    kafka.start_again();
    ended.again().run().expect_code(0);
    ended.expect_whole(&format!("broker killed after {} messages", ended.read));
}

#[test]
fn a_broker_that_stands_still_for_less_than_the_timeout_costs_a_run_no_line() {
    let Some(kafka) = Kafka::breakable() else { return };
    let midway = midway(&kafka, "held", &[]);
    kafka.pause();
    midway.run.resume();
    // Not a wait for anything: how long it is held is what is tried.
    std::thread::sleep(HELD);
    kafka.resume();
    midway.ended(0).expect_whole("broker held for 4 s");
}

#[test]
fn a_broker_that_stands_still_for_longer_ends_the_run_with_what_was_read_and_the_next_one_completes() {
    let Some(kafka) = Kafka::breakable() else { return };
    let midway = midway(&kafka, "silent", &IMPATIENT);
    kafka.pause();
    let ended = midway.ends_with(1);
    ended.expect_part();
    kafka.resume();
    ended.again().run().expect_code(0);
    ended.expect_whole(&format!("broker held after {} messages", ended.read));
}
