//! Simulated Telegraf agents: the lines of some hosts, in the order in which they reach Kafka. For the demo, tests and benchmarks.

use std::collections::BTreeSet;

/// Seconds between two samples of a host, Telegraf's default.
const INTERVAL_S: i64 = 10;

/// One line in this many is late by minutes or hours instead of seconds.
const LATE_ONE_IN: u64 = 500;

/// Lines of the batch that is sent twice, as a producer does that missed an acknowledgement.
const TWICE: usize = 40;

/// A line that no parser should take: a value was cut.
const BROKEN: &str = "cpu,cpu=cpu-total,host=web-01 usage_user=,usage_system=1.5 1592611200000000000\n";

/// A simulated stretch of time.
#[derive(Clone, Copy, Debug)]
pub struct Simulation {
    /// Hosts, each with one agent.
    pub hosts: u32,
    /// The first second, since 1970-01-01 UTC.
    pub first_s: i64,
    /// The second behind the last one, since 1970-01-01 UTC.
    pub end_s: i64,
    /// The same seed gives the same lines.
    pub seed: u64,
}

/// A line as it reaches Kafka.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The line, LF included.
    pub line: String,
    /// The record's timestamp: the metric's time, in milliseconds.
    pub timestamp_ms: i64,
    /// The partition it goes to.
    pub partition: i32,
}

/// What was sent.
#[derive(Debug)]
pub struct Traffic {
    /// In the order of arrival.
    pub sent: Vec<Sent>,
    /// Lines that were sent a second time.
    pub twice: usize,
    /// Lines that arrive more than a minute after their time.
    pub late: usize,
}

impl Simulation {
    /// All lines of all hosts over `partitions` partitions, without keys: any line can go anywhere.
    pub fn traffic(&self, partitions: i32) -> Traffic {
        let mut random = Random::new(self.seed);
        let mut hosts: Vec<Host> = (1..=self.hosts).map(|number| Host::new(number, &mut random)).collect();
        let mut late = 0;
        // Arrival time in milliseconds, then a number that keeps equal ones in the order sent.
        let mut arriving: Vec<(i64, Sent)> = Vec::new();
        for second in (self.first_s..self.end_s).step_by(INTERVAL_S as usize) {
            for host in &mut hosts {
                for line in host.sample(second, &mut random) {
                    let is_late = random.below(LATE_ONE_IN) == 0;
                    late += usize::from(is_late);
                    let delay = if is_late {
                        60_000 + random.below(3 * 3_600_000)
                    } else {
                        random.below(15_000)
                    };
                    let partition = random.below(partitions as u64) as i32;
                    let timestamp_ms = second * 1_000;
                    arriving.push((
                        timestamp_ms + delay as i64,
                        Sent {
                            line,
                            timestamp_ms,
                            partition,
                        },
                    ));
                }
            }
        }
        arriving.sort_by_key(|(at, _)| *at);
        let mut sent: Vec<Sent> = arriving.into_iter().map(|(_, sent)| sent).collect();
        let middle = sent.len() / 2;
        let again: Vec<Sent> = sent[middle..sent.len().min(middle + TWICE)].to_vec();
        let twice = again.len();
        let place = sent.len().min(middle + 3 * TWICE);
        sent.splice(place..place, again);
        sent.insert(
            middle,
            Sent {
                line: BROKEN.to_owned(),
                timestamp_ms: 1_592_611_200_000,
                partition: 0,
            },
        );
        Traffic { sent, twice, late }
    }
}

struct Host {
    name: String,
    /// Per cent of the processor that is busy, as a slow random walk.
    busy: f64,
    memory_total: u64,
    memory_used: u64,
}

impl Host {
    fn new(number: u32, random: &mut Random) -> Self {
        let memory_total = (4 + random.below(13)) << 30;
        Self {
            name: format!("web-{number:02}"),
            busy: 5.0 + random.below(40) as f64,
            memory_total,
            memory_used: memory_total / 4 + random.below(memory_total / 4) / PAGE * PAGE,
        }
    }

    /// The lines of one interval: `inputs.cpu` (total) and `inputs.mem`, fields in Go's random map order.
    fn sample(&mut self, second: i64, random: &mut Random) -> [String; 2] {
        self.busy = (self.busy + random.below(601) as f64 / 100.0 - 3.0).clamp(1.0, 97.0);
        let step = random.below(2_001) * PAGE;
        self.memory_used = (self.memory_used + step)
            .saturating_sub(1_000 * PAGE)
            .clamp(self.memory_total / 10, self.memory_total * 9 / 10);
        let mut cpu = self.cpu_fields(random);
        let mut mem = self.memory_fields(random);
        random.shuffle(&mut cpu);
        random.shuffle(&mut mem);
        let host = &self.name;
        [
            format!("cpu,cpu=cpu-total,host={host} {} {second}000000000\n", cpu.join(",")),
            format!("mem,host={host} {} {second}000000000\n", mem.join(",")),
        ]
    }

    /// Shares of 1,000 clock ticks: where digits such as 94.94949494949657 come from.
    fn cpu_fields(&self, random: &mut Random) -> Vec<String> {
        let ticks = 990 + random.below(20);
        let busy = (ticks as f64 * self.busy / 100.0) as u64;
        let user = busy * (60 + random.below(20)) / 100;
        let system = (busy - user) * (70 + random.below(30)) / 100;
        let iowait = busy - user - system;
        let steal = random.below(3);
        let idle = ticks - (busy + steal).min(ticks);
        let share = |ticks_of: u64| 100.0 * ticks_of as f64 / ticks as f64;
        let fields = [
            ("usage_user", share(user)),
            ("usage_system", share(system)),
            ("usage_idle", share(idle)),
            ("usage_nice", 0.0),
            ("usage_iowait", share(iowait)),
            ("usage_irq", 0.0),
            ("usage_softirq", share(random.below(4))),
            ("usage_steal", share(steal)),
            ("usage_guest", 0.0),
            ("usage_guest_nice", 0.0),
        ];
        // Go, as Rust, writes integral floats without a dot.
        fields.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    fn memory_fields(&self, random: &mut Random) -> Vec<String> {
        let (total, used) = (self.memory_total, self.memory_used);
        let cached = total / 8 + random.below(512) * PAGE;
        let integers = [
            ("total", total),
            ("used", used),
            ("available", total - used),
            ("free", total - used - cached.min(total - used)),
            ("cached", cached),
            ("buffered", (1 << 21) + random.below(64) * PAGE),
            ("active", used / 3 / PAGE * PAGE),
            ("inactive", used / 2 / PAGE * PAGE),
            ("dirty", random.below(256) * PAGE),
            ("slab", (165 << 20) + random.below(64) * PAGE),
            ("swap_total", 0),
            ("swap_free", 0),
        ];
        let percents = [("used_percent", used), ("available_percent", total - used)];
        let integers = integers.iter().map(|(name, value)| format!("{name}={value}i"));
        let percents = percents
            .iter()
            .map(|(name, value)| format!("{name}={}", 100.0 * *value as f64 / total as f64));
        integers.chain(percents).collect()
    }
}

/// Bytes of a page of memory: what the kernel counts in.
const PAGE: u64 = 4_096;

/// splitmix64 (Steele, Lea and Flood, 2014): the same numbers for the same seed, on every machine.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers that follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in `0..end`; the bias of this method is far below what a demo can show.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// Puts the items in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }
}

/// How many lines come after one with a later time: what a reader that trusts the order of arrival gets wrong.
pub fn out_of_order<'a>(lines: impl Iterator<Item = &'a [u8]>) -> usize {
    let mut latest = i64::MIN;
    lines
        .filter(|line| {
            let time = std::str::from_utf8(line)
                .ok()
                .and_then(|line| line.trim_end().rsplit(' ').next()?.parse().ok());
            let time: i64 = time.unwrap_or(latest);
            let behind = time < latest;
            latest = latest.max(time);
            behind
        })
        .count()
}

/// The distinct lines that a parser should take, for checking what came out.
pub fn points(sent: &[Sent]) -> usize {
    sent.iter()
        .map(|sent| sent.line.as_str())
        .filter(|line| *line != BROKEN)
        .collect::<BTreeSet<_>>()
        .len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_sends_the_same_lines_and_another_one_others() {
        let one = Simulation {
            hosts: 2,
            first_s: 1_592_568_000,
            end_s: 1_592_571_600,
            seed: 7,
        };
        let lines = |simulation: Simulation| {
            simulation
                .traffic(5)
                .sent
                .into_iter()
                .map(|sent| sent.line)
                .collect::<Vec<_>>()
        };
        assert_eq!(lines(one), lines(one));
        assert_ne!(lines(one), lines(Simulation { seed: 8, ..one }));
        let traffic = one.traffic(5);
        assert_eq!(traffic.sent.len(), 2 * 2 * 360 + traffic.twice + 1);
        assert_eq!(points(&traffic.sent), 2 * 2 * 360);
        assert!(out_of_order(traffic.sent.iter().map(|sent| sent.line.as_bytes())) > 0);
    }
}
