//! A small fleet over a month, and what its report has to show of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::support::lines::Random;

/// 2020-06-01T00:00:00Z, in seconds.
pub const START: i64 = 1_590_969_600;
pub const DAYS: i64 = 30;
pub const DAY: i64 = 86_400;

/// Hosts that send cpu and mem at an interval, but for samples that get lost.
pub struct Fleet {
    pub hosts: usize,
    pub interval: i64,
    pub seed: u64,
}

/// The lines of a fleet by day, and what is known of them.
#[derive(Default)]
pub struct Sent {
    pub by_day: Vec<String>,
    /// Least and greatest value of each plotted field and host.
    pub extremes: BTreeMap<(&'static str, String), (f64, f64)>,
    /// Samples of each field that got lost between two others, by day.
    pub lost: BTreeMap<String, u64>,
    pub samples: u64,
}

impl Fleet {
    pub fn sent(&self) -> Sent {
        let mut random = Random::new(self.seed);
        let mut sent = Sent::default();
        for day in 0..DAYS {
            let mut lines = String::new();
            for second in (0..DAY).step_by(self.interval as usize) {
                let time = START + day * DAY + second;
                for host in 1..=self.hosts {
                    let idle = random.below(1_000_000) as f64 / 10_007.0;
                    let used = random.below(1_000_000) as f64 / 10_009.0;
                    let other = random.below(100) as f64;
                    let name = format!("web-{host:02}");
                    let is_last = day == DAYS - 1 && second + self.interval >= DAY;
                    let is_first = day == 0 && second == 0;
                    if random.one_in(500) && !is_first && !is_last {
                        *sent.lost.entry(date(day)).or_default() += 2;
                        continue;
                    }
                    sent.samples += 2;
                    // The other processor is no part of the plot.
                    let _ = writeln!(lines, "cpu,cpu=cpu-total,host={name} usage_idle={idle} {time}000000000");
                    let _ = writeln!(lines, "cpu,cpu=cpu0,host={name} usage_idle={other} {time}000000000");
                    let _ = writeln!(
                        lines,
                        "mem,host={name} used_percent={used},total=8589934592i {time}000000000"
                    );
                    for (field, value) in [("cpu.busy", 100.0 - idle), ("mem.used_percent", used)] {
                        let extremes = sent.extremes.entry((field, name.clone())).or_insert((value, value));
                        *extremes = (extremes.0.min(value), extremes.1.max(value));
                    }
                }
            }
            sent.by_day.push(lines);
        }
        sent
    }
}

pub fn date(day: i64) -> String {
    format!("2020-06-{:02}", day + 1)
}
