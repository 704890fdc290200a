//! What `archive` says, on the embedded broker.

use super::{LINES, Seen};
use crate::support::embedded::Embedded;
use crate::support::folder::Folder;
use crate::support::produce::Record;

fn broker() -> Embedded {
    let broker = Embedded::start();
    broker.create_topic("my-computer-metric", 3);
    let mut records: Vec<Record> = LINES.lines().map(|line| Record::new(0, line)).collect();
    records.push(Record::new(1, "cpu,host=web-03 usage_idle= 1592568000000000000"));
    broker.send("my-computer-metric", &records);
    broker
}

/// The options that say where the broker is.
fn at(broker: &Embedded) -> String {
    format!("--brokers {}", broker.brokers())
}

#[test]
fn archive_runs() {
    let broker = broker();
    let at = at(&broker);
    let folder = Folder::new();
    let mut seen = Seen::in_folder(&folder);
    seen.run(&format!("archive {at} --topic my-computer-metric --dry-run"));
    seen.run(&format!("archive {at} --topic my-computer-metric"));
    seen.run(&format!("archive {at} --topic my-computer-metric"));
    seen.run(&format!("archive {at} --topic my-computer-metric -q"));
    seen.run(&format!("archive {at} --topic my-computer-metric --replay .."));
    seen.expect("archive_runs");
}

#[test]
fn brokers_and_topics_that_are_not_there() {
    let broker = broker();
    let at = at(&broker);
    let folder = Folder::new();
    let mut seen = Seen::in_folder(&folder);
    seen.run("archive --brokers 127.0.0.1:1 --topic t --timeout 1s");
    seen.run("archive --brokers no-such-host.invalid:9092 --topic t --timeout 1s");
    seen.run("archive --brokers = --topic t --timeout 1s");
    seen.run(&format!("archive {at} --topic my-computer-metrics"));
    seen.run(&format!("archive {at} --topic MY-computer-metric"));
    seen.run(&format!("archive {at} --topic something-else"));
    seen.run(&format!("archive {at} --topic ^telegraf-"));
    seen.run(&format!(
        "archive {at} --topic my-computer-metric -X sasl.password=hunter2"
    ));
    seen.expect("brokers_and_topics");
}
