//! What a fleet of agents sends: 80% lines of Telegraf's cpu input of about 255 bytes, 20% of its mem input of about 700 bytes, fields in
//! Go's random map order, over a day's length that touches two days, each line up to a minute late. The same seed gives the same lines.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;

use diurnal::simulate::Random;

/// 2020-06-19 12:00 UTC.
const FIRST_S: i64 = 1_592_568_000;
const INTERVAL_S: i64 = 10;
const TICKS: u64 = 8_640;
/// Three processors, their total, and memory.
const LINES_A_HOST: u64 = 5;
const PROCESSORS: [&str; 4] = ["cpu0", "cpu1", "cpu2", "cpu-total"];
/// Fewer would make every tag column a constant.
const LEAST_HOSTS: u64 = 50;
/// The most that a line comes after its time, in milliseconds.
const DELAY_MS: u64 = 60_000;
const PAGE: u64 = 4_096;

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
    let mut fleet: Vec<Host> = (0..hosts).map(|number| Host::new(number, &mut random)).collect();
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
                let mut line = match kind {
                    4 => host.mem(&mut random),
                    cpu => host.cpu(cpu, &mut random),
                };
                writeln!(line, " {second}000000000").expect("memory");
                let arrival = now_ms + random.below(DELAY_MS);
                under_way.push(Reverse((arrival, number, second * 1_000, line)));
            }
        }
    }
    assert!(wanted == 0 && under_way.is_empty(), "all lines have arrived");
}

/// user, nice, system, idle, iowait, irq, softirq, steal in clock ticks, since the host was started.
type Ticks = [u64; 8];

const CPU_FIELDS: [&str; 10] = [
    "usage_user",
    "usage_nice",
    "usage_system",
    "usage_idle",
    "usage_iowait",
    "usage_irq",
    "usage_softirq",
    "usage_steal",
    "usage_guest",
    "usage_guest_nice",
];

struct Host {
    name: String,
    /// Ticks a sample that a processor works, at most.
    busy: u64,
    before: [Ticks; 4],
    now: [Ticks; 4],
    total: u64,
    /// Those of [`WANDERING`], as they are now.
    wandering: [u64; WANDERING.len()],
}

/// Bytes of memory of a kind that comes and goes: its least, its most, and the most pages that it changes by in a sample.
const WANDERING: [(&str, u64, u64, u64); 13] = [
    ("active", 80 << 20, 3 << 30, 900),
    ("buffered", 1 << 20, 64 << 20, 60),
    ("cached", 100 << 20, 1 << 30, 2_000),
    ("committed_as", 1 << 30, 5 << 30, 4_000),
    ("dirty", 0, 24 << 20, 40),
    ("inactive", 60 << 20, 2 << 30, 700),
    ("mapped", 20 << 20, 320 << 20, 300),
    ("page_tables", 2 << 20, 24 << 20, 40),
    ("shared", 1 << 20, 64 << 20, 1),
    ("sreclaimable", 40 << 20, 320 << 20, 40),
    ("sunreclaim", 10 << 20, 70 << 20, 10),
    ("used", 1 << 30, 4 << 30, 3_000),
    ("vmalloc_used", 8 << 20, 32 << 20, 3),
];

const CONSTANT: [(&str, u64); 14] = [
    ("high_free", 0),
    ("high_total", 0),
    ("huge_page_size", 2_097_152),
    ("huge_pages_free", 0),
    ("huge_pages_total", 0),
    ("low_free", 0),
    ("low_total", 0),
    ("swap_cached", 0),
    ("swap_free", 0),
    ("swap_total", 0),
    ("vmalloc_chunk", 0),
    ("vmalloc_total", 35_184_372_087_808),
    ("write_back", 0),
    ("write_back_tmp", 0),
];

impl Host {
    fn new(number: u64, random: &mut Random) -> Self {
        let start = |random: &mut Random| {
            let most = [5_000_000, 0, 3_000_000, 90_000_000, 100_000, 0, 50_000, 100_000];
            most.map(|most: u64| random.below(most.max(1)))
        };
        let mut now: [Ticks; 4] = std::array::from_fn(|_| start(random));
        now[3] = std::array::from_fn(|kind| (0..3).map(|cpu| now[cpu][kind]).sum());
        Self {
            name: format!("web-{number:03}"),
            busy: 5 + random.below(300),
            before: now,
            now,
            total: (8 + random.below(56)) << 30,
            wandering: WANDERING.map(|(_, least, most, _)| (least + random.below(most - least)) / PAGE * PAGE),
        }
    }

    fn step(&mut self, random: &mut Random) {
        self.before = self.now;
        self.busy = (self.busy + random.below(41)).saturating_sub(20).clamp(2, 700);
        let sometimes = |random: &mut Random, percent: u64, most: u64| match random.below(100) < percent {
            true => 1 + random.below(most),
            false => 0,
        };
        for cpu in &mut self.now[..3] {
            let all = 994 + random.below(10);
            let spent = [
                random.below(self.busy + 1),
                sometimes(random, 1, 4),
                random.below(self.busy / 3 + 4),
                0,
                sometimes(random, 15, 8),
                0,
                sometimes(random, 20, 3),
                sometimes(random, 30, 6),
            ];
            for (ticks, spent) in cpu.iter_mut().zip(spent) {
                *ticks += spent;
            }
            cpu[3] += all.saturating_sub(spent.iter().sum());
        }
        self.now[3] = std::array::from_fn(|kind| (0..3).map(|cpu| self.now[cpu][kind]).sum());
        for (bytes, (_, least, most, pages)) in self.wandering.iter_mut().zip(WANDERING) {
            let step = random.below(2 * pages + 1) * PAGE;
            *bytes = (*bytes + step).saturating_sub(pages * PAGE).clamp(least, most);
        }
    }

    /// Telegraf's own arithmetic: differences of seconds over their sum, where digits such as 94.94949494949657 come from.
    fn cpu(&self, cpu: usize, random: &mut Random) -> String {
        let seconds = |ticks: &Ticks, kind: usize| ticks[kind] as f64 / 100.0;
        let all = |ticks: &Ticks| (0..ticks.len()).map(|kind| seconds(ticks, kind)).sum::<f64>();
        let (before, now) = (&self.before[cpu], &self.now[cpu]);
        let span = all(now) - all(before);
        let mut fields: Vec<(&str, f64)> = CPU_FIELDS.iter().map(|name| (*name, 0.0)).collect();
        for (kind, (_, share)) in fields.iter_mut().take(before.len()).enumerate() {
            *share = 100.0 * (seconds(now, kind) - seconds(before, kind)) / span;
        }
        random.shuffle(&mut fields);
        let mut line = format!("cpu,cpu={},host={} ", PROCESSORS[cpu], self.name);
        for (number, (name, value)) in fields.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(line, "{comma}{name}={value}").expect("memory");
        }
        line
    }

    fn mem(&self, random: &mut Random) -> String {
        let of = |wanted: &str| {
            let found = WANDERING.iter().position(|(name, ..)| *name == wanted);
            self.wandering[found.expect("a kind of memory")]
        };
        let available = self.total - of("used");
        let mut fields: Vec<(&str, String)> = Vec::with_capacity(34);
        let mut integer = |name, value: u64| fields.push((name, format!("{value}i")));
        for ((name, ..), bytes) in WANDERING.iter().zip(self.wandering) {
            integer(name, bytes);
        }
        for (name, bytes) in CONSTANT {
            integer(name, bytes);
        }
        integer("total", self.total);
        integer("available", available);
        integer("free", available - of("cached"));
        integer("commit_limit", self.total / 2);
        integer("slab", of("sreclaimable") + of("sunreclaim"));
        for (name, bytes) in [("used_percent", of("used")), ("available_percent", available)] {
            fields.push((name, (100.0 * bytes as f64 / self.total as f64).to_string()));
        }
        random.shuffle(&mut fields);
        let mut line = format!("mem,host={} ", self.name);
        for (number, (name, value)) in fields.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(line, "{comma}{name}={value}").expect("memory");
        }
        line
    }
}
