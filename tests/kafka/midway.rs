//! A run that stands still in the middle: some messages are read, the others are still the broker's.

use super::{BATCH, archive};
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::lines::{Random, telegraf};
use crate::support::produce::Record;
use crate::support::run::{Diurnal, Ran, Running};
use crate::support::topic::Topic;
use crate::support::whole::{expect_nothing_lost_or_doubled, lines_of, read_so_far};

/// What keeps librdkafka from having all of a small topic in memory at once: it asks for one of the producer's batches when it is
/// out of messages, and not before.
const LITTLE_AHEAD: [&str; 8] = [
    "-X",
    "fetch.message.max.bytes=1000",
    "-X",
    "queued.min.messages=1",
    "-X",
    "queued.max.messages.kbytes=1",
    "--threads",
    "1",
];

/// Each batch of messages is a commit.
pub const COMMIT_EACH_BATCH: [&str; 2] = ["--commit-every", "1"];

/// A topic with messages, and a run that has read some of them.
pub struct Midway<'k> {
    pub kafka: &'k Kafka,
    pub topic: Topic<'k>,
    /// In the order in which they were sent.
    pub sent: Vec<Record>,
    pub folder: Folder,
    pub run: Running,
}

impl<'k> Midway<'k> {
    /// Sends the records, starts a run with these further arguments and waits until it has taken `batches` batches.
    pub fn start(kafka: &'k Kafka, topic: Topic<'k>, sent: Vec<Record>, batches: usize, arguments: &[&str]) -> Self {
        in_small_batches(&topic, &sent);
        Self::of_what_is_there(kafka, topic, sent, batches, arguments)
    }

    /// The same when the records are there.
    pub fn of_what_is_there(
        kafka: &'k Kafka,
        topic: Topic<'k>,
        sent: Vec<Record>,
        batches: usize,
        arguments: &[&str],
    ) -> Self {
        let folder = Folder::new();
        let mut run = archive(&folder, kafka, &topic)
            .args(LITTLE_AHEAD)
            .args(arguments)
            .arg("--json")
            .pause_at(&format!("{BATCH}:{batches}"))
            .start();
        run.wait_for_steps(BATCH, batches);
        Self {
            kafka,
            topic,
            sent,
            folder,
            run,
        }
    }

    /// Lets the run go on to its end, which has to be this one. It must have come in the middle: gives what it said, and how many
    /// messages the ledger says were read.
    pub fn ends_with(self, code: i32) -> Ended<'k> {
        self.run.resume();
        self.ended(code)
    }

    /// The same of a run that goes on already.
    pub fn ended(self, code: i32) -> Ended<'k> {
        let ran = self.run.wait().expect_code(code);
        let read = read_so_far(&self.folder, self.topic.name());
        let read = read
            .values()
            .map(|&next| usize::try_from(next).expect("an offset"))
            .sum();
        Ended {
            kafka: self.kafka,
            topic: self.topic,
            sent: self.sent,
            folder: self.folder,
            ran,
            read,
        }
    }
}

/// A run that stood still in the middle, at its end.
pub struct Ended<'k> {
    pub kafka: &'k Kafka,
    pub topic: Topic<'k>,
    pub sent: Vec<Record>,
    pub folder: Folder,
    pub ran: Ran,
    /// Messages that were read and committed, or lost on record.
    pub read: usize,
}

impl Ended<'_> {
    /// Another run into the same archive.
    pub fn again(&self) -> Diurnal {
        archive(&self.folder, self.kafka, &self.topic)
    }

    /// The archive has all that was sent.
    #[track_caller]
    pub fn expect_whole(&self, what: &str) {
        expect_nothing_lost_or_doubled(&self.folder, what, &lines_of(&self.sent));
    }

    /// It committed something, but not all: whatever the run had in memory, it needed the broker for more.
    #[track_caller]
    pub fn expect_part(&self) {
        assert!(
            (1..self.sent.len()).contains(&self.read),
            "{} of {} messages were read",
            self.read,
            self.sent.len()
        );
    }
}

/// Sends the records in many small batches.
pub fn in_small_batches(topic: &Topic<'_>, records: &[Record]) {
    topic.send_with(&[("batch.num.messages", "100")], records);
}

/// `count` lines of Telegraf's, a message each, shuffled over the partitions.
pub fn shuffled(seed: u64, count: usize, partitions: i32) -> Vec<Record> {
    let mut random = Random::new(seed);
    let mut lines = telegraf(seed, count);
    random.shuffle(&mut lines);
    let place = |line: String| Record::new(random.below(partitions as u64) as i32, line + "\n");
    lines.into_iter().map(place).collect()
}
