//! Lines as Telegraf sends them, made up from a seed: the same seed gives the same lines on every machine.

use std::ops::RangeInclusive;

/// 2020-06-19T23:00:00Z, an hour before a midnight, in seconds.
pub const START: i64 = 1_592_607_600;

/// Telegraf's default interval, in seconds.
const INTERVAL: i64 = 10;

/// The hosts that send, in turn.
const HOSTS: [&str; 4] = ["web-01", "web-02", "db-01", "db-02"];

/// A small random generator (SplitMix64, Steele et al. 2014): tests need a seed, not quality.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A number from `range`.
    pub fn within(&mut self, range: RangeInclusive<usize>) -> usize {
        range.start() + self.below((range.end() - range.start()) as u64 + 1) as usize
    }

    /// Any of `items`.
    pub fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    /// Any order of `items` (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }
}

/// `count` lines in time order, each a point of its own: two cpu lines, then one of mem, from each host in turn, every
/// ten seconds. From about 4,300 lines on they cross midnight.
pub fn telegraf(seed: u64, count: usize) -> Vec<String> {
    let mut random = Random::new(seed);
    let mut lines = Vec::with_capacity(count);
    for round in 0.. {
        let time = (START + round * INTERVAL) * 1_000_000_000;
        for host in HOSTS {
            for cpu in ["cpu0", "cpu1"] {
                let mut percent = || random.below(1_000_000) as f64 / 10_000.0;
                let (idle, user, system) = (percent(), percent(), percent());
                lines.push(format!(
                    "cpu,cpu={cpu},host={host} usage_idle={idle},usage_user={user},usage_system={system} {time}"
                ));
            }
            let (used, percent) = (random.below(1 << 34), random.below(100_000) as f64 / 1000.0);
            lines.push(format!("mem,host={host} used={used}i,used_percent={percent} {time}"));
        }
        if lines.len() >= count {
            lines.truncate(count);
            return lines;
        }
    }
    unreachable!("the rounds don't end")
}

/// The lines as one file, an LF after each.
pub fn file_of<S: AsRef<str>>(lines: &[S]) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(line.as_ref());
        text.push('\n');
    }
    text
}
