//! Three brokers, of which one goes in the middle of a run: the others lead its partitions on, and so goes the run.

use super::midway::{Midway, shuffled};
use crate::support::kafka::Kafka;

const PARTITIONS: i32 = 3;
const MESSAGES: usize = 20_000;

#[test]
fn a_leader_that_is_killed_in_the_middle_of_a_run_costs_no_line() {
    let Some(kafka) = Kafka::cluster() else { return };
    let topic = kafka.topic("led", PARTITIONS, &[]);
    let midway = Midway::start(&kafka, topic, shuffled(6, MESSAGES, PARTITIONS), 3, &[]);
    let leader = midway.topic.leader(0).expect("a leader");
    kafka.kill_node(leader);
    midway.run.resume();
    midway.topic.wait_for_leader_other_than(0, leader);
    let mut ended = midway.ended(0);
    ended.expect_whole("leader killed midway");

    // The next run finds other leaders, and nobody's log cut.
    kafka.start_node_again(leader);
    let more = shuffled(7, 1_000, PARTITIONS);
    ended.topic.send(&more);
    let ran = ended.again().run().expect_code(0);
    assert!(!ran.stderr.contains("was cut"), "{}", ran.stderr);
    ended.sent.extend(more);
    ended.expect_whole("leader killed midway, and the next run");
}

/// A minute of starts and elections: in the long run only.
#[test]
fn a_run_goes_on_while_one_broker_after_the_other_is_killed_and_started_again() {
    if !crate::support::long() {
        return;
    }
    let Some(kafka) = Kafka::cluster() else { return };
    let topic = kafka.topic("rolling", PARTITIONS, &[]);
    let midway = Midway::start(&kafka, topic, shuffled(8, MESSAGES, PARTITIONS), 3, &[]);
    // It stands still while all but the last come back, and reads on without that one.
    for number in 1..=3 {
        kafka.kill_node(number);
        midway.topic.wait_for_leader_other_than(0, number);
        if number == 3 {
            midway.run.resume();
        }
        kafka.start_node_again(number);
        for partition in 0..PARTITIONS {
            midway.topic.wait_for_in_sync(partition, &[1, 2, 3]);
        }
    }
    midway.ended(0).expect_whole("every broker killed once");
}
