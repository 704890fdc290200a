//! What is sent to the topics of these tests.

use crate::support::captures;
use crate::support::lines::{self, Random};
use crate::support::produce::Record;

pub const PARTITIONS: i32 = 5;

/// Kafka's time of the records: 2020-06-19T23:30:00Z.
const SENT_MS: i64 = 1_592_609_400_000;

/// Lines in messages of up to nine, on any partition and in no order.
pub fn dealt(seed: u64, mut lines: Vec<String>) -> Vec<Record> {
    let mut random = Random::new(seed);
    random.shuffle(&mut lines);
    let mut rest = &lines[..];
    let mut records = Vec::new();
    while !rest.is_empty() {
        let (message, after) = rest.split_at(random.within(1..=9).min(rest.len()));
        rest = after;
        let partition = random.below(PARTITIONS as u64) as i32;
        records.push(Record::new(partition, lines::file_of(message)).at(SENT_MS));
    }
    records
}

/// Real captures.
pub fn captured() -> Vec<Record> {
    captures::NAMES.into_iter().flat_map(captures::records).collect()
}

/// Real captures, made-up lines across midnight, a line without time, a reject, and an integer that no float holds, in a column that
/// other lines make one of floats.
pub fn first() -> Vec<Record> {
    let mut records = captured();
    let mut lines = lines::telegraf(1, 6_000);
    lines.extend(
        [
            "odd,host=a v=1.5 1592607600000000001",
            "odd,host=b v=9007199254740993i 1592607600000000002",
            "odd,host=c v=3i 1592607600000000003",
            "odd,host= v=1 1592607600000000004",
            "odd,host=d v=4",
        ]
        .map(str::to_owned),
    );
    records.extend(dealt(1, lines));
    records
}

/// Late lines into the days of the first ones, some with other values for points that are there, new columns, a new tag, a new
/// measurement, a type that does not fit, a reject.
pub fn late() -> Vec<Record> {
    let mut lines = lines::telegraf(1, 6_000).split_off(5_900);
    lines.extend(lines::telegraf(2, 600));
    lines.extend(
        [
            "cpu,cpu=cpu0,host=web-01,rack=r1 usage_idle=1,usage_guest=2 1592607605000000000",
            "mem,host=web-01 used=\"much\" 1592607600000000000",
            "odd,host=a w=true 1592607600000000001",
            "new,host=a v=1i 1592607600000000000",
            "new,host=a v=",
        ]
        .map(str::to_owned),
    );
    dealt(2, lines)
}

/// `count` lines of many hosts over two days, messages of twenty lines: nearly all of it falls on two files.
pub fn many(seed: u64, count: usize, mut send: impl FnMut(&[Record])) {
    const LINES_A_MESSAGE: usize = 20;
    const MESSAGES_AT_A_TIME: usize = 20_000;
    /// 2020-06-19T00:00:00Z, and two days of seconds.
    const START_S: u64 = 1_592_524_800;
    const SECONDS: u64 = 2 * 86_400;

    let mut random = Random::new(seed);
    let (mut message, mut lines, mut records) = (String::new(), 0, Vec::new());
    for number in 0..count {
        // In time on the whole, each line up to ten minutes late.
        let second = START_S + number as u64 * SECONDS / count as u64;
        let time = second.saturating_sub(random.below(600)).max(START_S);
        let (host, idle, user) = (random.below(250), random.below(100_000), random.below(100_000));
        let (idle, user) = (idle as f64 / 1000.0, user as f64 / 1000.0);
        let nanoseconds = random.below(1_000_000_000);
        message.push_str(&format!(
            "cpu,cpu=cpu-total,host=web-{host:03} usage_idle={idle},usage_user={user},n={number}i {time}{nanoseconds:09}\n"
        ));
        lines += 1;
        if lines == LINES_A_MESSAGE || number + 1 == count {
            let partition = random.below(PARTITIONS as u64) as i32;
            records.push(Record::new(partition, std::mem::take(&mut message)).at(SENT_MS));
            lines = 0;
        }
        if records.len() == MESSAGES_AT_A_TIME || number + 1 == count {
            send(&records);
            records.clear();
        }
    }
}
