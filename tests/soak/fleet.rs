//! A fleet of agents that sends without end, with clocks that jump, lines that come late, twice or broken, and a producer that changes
//! its codec: everything that it was able to send is on its record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::support::lines::{Random, START};
use crate::support::produce::{self, Record};

/// Pause between two rounds of the fleet.
const BREATH: Duration = Duration::from_millis(100);

/// How far the fleet's clock goes in a round, in seconds: two hours of rounds are four days.
const STEP: i64 = 5;

/// A clock that jumps goes at most so far, in seconds.
const JUMP: u64 = 2 * 86_400;

/// Rounds with one codec.
const ROUNDS_OF_A_CODEC: u64 = 20;

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// Five lines from each, ten times a second at most.
const HOSTS: u64 = 10;

/// Agents that send until they are asked what they sent.
pub struct Fleet {
    orders: Arc<Orders>,
    thread: Option<JoinHandle<Sent>>,
}

#[derive(Default)]
struct Orders {
    stop: AtomicBool,
    partitions: AtomicI32,
    messages: AtomicU64,
}

/// What a fleet sent, each line once.
#[derive(Default)]
pub struct Sent {
    pub good: Vec<String>,
    pub broken: Vec<String>,
    pub messages: u64,
}

impl Fleet {
    pub fn start(brokers: String, topic: String, partitions: i32, seed: u64) -> Self {
        let orders = Arc::new(Orders::default());
        orders.partitions.store(partitions, Ordering::Relaxed);
        let told = orders.clone();
        let thread = std::thread::spawn(move || send(&brokers, &topic, seed, &told));
        let thread = Some(thread);
        Self { orders, thread }
    }

    /// Partitions from now on.
    pub fn spread_over(&self, partitions: i32) {
        self.orders.partitions.store(partitions, Ordering::Relaxed);
    }

    /// Messages that the broker has for sure.
    pub fn messages(&self) -> u64 {
        let ended = self.thread.as_ref().is_some_and(JoinHandle::is_finished);
        assert!(!ended, "the fleet stopped by itself");
        self.orders.messages.load(Ordering::Relaxed)
    }

    /// Lets it finish what it is sending.
    pub fn stop(&mut self) -> Sent {
        self.orders.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is stopped once");
        thread.join().expect("the fleet ends well")
    }
}

fn send(brokers: &str, topic: &str, seed: u64, orders: &Orders) -> Sent {
    let mut random = Random::new(seed);
    let mut sent = Sent::default();
    let (mut clock, mut late) = (START, Vec::new());
    for round in 0.. {
        // No message is given up: a broker that is away comes back.
        let codec = random.one_of(&CODECS);
        let properties = [("compression.type", codec), ("message.timeout.ms", "0")];
        let producer = produce::producer(brokers, &properties);
        // A producer learns of new partitions late, a new one at once.
        let partitions = orders.partitions.load(Ordering::Relaxed) as u64;
        for step in 0..ROUNDS_OF_A_CODEC {
            clock += STEP;
            if random.one_in(100) {
                clock += random.below(2 * JUMP) as i64 - JUMP as i64;
            }
            let mut lines = samples(&mut random, clock, round);
            // Some come late, and some of these came before as well.
            for line in &lines {
                if random.one_in(20) {
                    late.push(line.clone());
                }
            }
            if random.one_in(20) {
                lines.retain(|_| !random.one_in(20));
                sent.good.extend(late.iter().cloned());
                lines.append(&mut late);
            }
            sent.good.extend(lines.iter().cloned());
            if random.one_in(10) {
                let broken = format!("broken,host=h{} v= {}", sent.broken.len(), nanoseconds(clock));
                sent.broken.push(broken.clone());
                lines.insert(random.below(lines.len() as u64) as usize, broken);
            }
            let records: Vec<Record> = lines
                .chunks(random.within(1..=12))
                .map(|lines| {
                    // The producers' clocks jump as well.
                    let stamped = clock * 1000 + random.below(JUMP * 1000) as i64;
                    Record::new(random.below(partitions) as i32, lines.join("\n") + "\n").at(stamped)
                })
                .collect();
            produce::send(&producer, topic, &records);
            sent.messages += records.len() as u64;
            orders.messages.store(sent.messages, Ordering::Relaxed);
            if orders.stop.load(Ordering::Relaxed) && step > 0 {
                return sent;
            }
            std::thread::sleep(BREATH);
        }
    }
    unreachable!("the rounds don't end")
}

fn nanoseconds(seconds: i64) -> i64 {
    seconds * 1_000_000_000
}

/// What the hosts say at one time: declared measurements, one with every type, and a column that is new now and then.
fn samples(random: &mut Random, clock: i64, round: i64) -> Vec<String> {
    let time = nanoseconds(clock);
    let mut lines = Vec::new();
    for host in (1..=HOSTS).map(|number| format!("web-{number:02}")) {
        let mut percent = || random.below(100_000) as f64 / 1000.0 + 0.000_5;
        for cpu in ["cpu0", "cpu1", "cpu-total"] {
            let (idle, user) = (percent(), percent());
            lines.push(format!(
                "cpu,cpu={cpu},host={host} usage_idle={idle},usage_user={user} {time}"
            ));
        }
        let (free, column) = (percent(), round / 5);
        let (used, requests) = (random.below(1 << 34), random.below(1 << 50));
        lines.push(format!("mem,host={host} used={used}i,available_percent={free} {time}"));
        lines.push(format!(
            "app,host={host} requests={requests}u,state=\"{}\",up={},c{column}={free} {time}",
            random.one_of(&["ok", "", "say \\\"x\\\", or\ttab", "ünï"]),
            random.one_in(2)
        ));
    }
    lines
}
