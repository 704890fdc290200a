//! What a fleet of agents sends: 80% lines of Telegraf's cpu input of about 255 bytes, 20% of its mem input of about 700 bytes, fields in
//! Go's random map order, over a day's length that touches two days, each line up to a minute late. The same seed gives the same lines.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use diurnal::simulate::Random;

use crate::hosts::{CPUS, Host};

/// 2020-06-19 12:00 UTC.
const FIRST_S: i64 = 1_592_568_000;
const INTERVAL_S: i64 = 10;
const TICKS: u64 = 8_640;
/// One for each of [`CPUS`], and one of memory.
const LINES_A_HOST: u64 = CPUS.len() as u64 + 1;
/// Fewer would make every tag column a constant.
const LEAST_HOSTS: u64 = 50;
/// The most that a line comes after its time, in milliseconds.
const DELAY_MS: u64 = 60_000;

/// A line on its way.
pub struct Sent<'a> {
    pub line: &'a str,
    /// The line's own time.
    pub timestamp_ms: i64,
    pub partition: i32,
}

/// Gives so many lines in the order of their arrival.
pub fn each_line(lines: u64, seed: u64, partitions: i32, mut see: impl FnMut(Sent<'_>)) {
    let mut random = Random::new(seed);
    let hosts = lines.div_ceil(TICKS * LINES_A_HOST).max(LEAST_HOSTS);
    let mut fleet: Vec<Host> = (0..hosts)
        .map(|number| Host::new(number as usize, &mut random))
        .collect();
    let (mut wanted, mut left) = (lines, TICKS * LINES_A_HOST * hosts);
    // Arrival in milliseconds since the first line, a number that keeps equal ones in order, the line's time in milliseconds.
    let mut under_way: BinaryHeap<Reverse<(u64, u64, i64, String)>> = BinaryHeap::new();
    let mut number = 0;
    for tick in 0..=TICKS + DELAY_MS / 1_000 / INTERVAL_S as u64 {
        let now_ms = tick * INTERVAL_S as u64 * 1_000;
        while under_way.peek().is_some_and(|Reverse(next)| next.0 < now_ms) {
            let Some(Reverse((_, _, timestamp_ms, line))) = under_way.pop() else {
                break;
            };
            see(Sent {
                line: &line,
                timestamp_ms,
                partition: random.below(partitions as u64) as i32,
            });
        }
        if tick >= TICKS {
            continue;
        }
        let second = FIRST_S + tick as i64 * INTERVAL_S;
        for host in &mut fleet {
            host.step(&mut random);
            for kind in 0..LINES_A_HOST as usize {
                // Each of those that are left is as likely as another, and exactly as many are taken as are wanted.
                let taken = random.below(left) < wanted;
                left -= 1;
                if !taken {
                    continue;
                }
                wanted -= 1;
                number += 1;
                let line = match kind {
                    cpu if cpu < CPUS.len() => host.cpu_line(cpu, &mut random),
                    _ => host.memory_line(&mut random),
                };
                let line = format!("{line} {second}000000000\n");
                let arrival = now_ms + random.below(DELAY_MS);
                under_way.push(Reverse((arrival, number, second * 1_000, line)));
            }
        }
    }
    assert!(wanted == 0 && under_way.is_empty(), "all lines have arrived");
}
