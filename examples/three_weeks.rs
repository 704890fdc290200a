//! Three weeks of a small fleet as line protocol, with what operators look for in it: the archive that `docs/QUERIES.md` asks.
//!
//!     cargo run --example three_weeks -- 1 > week-1.lp
//!
//! One argument, 1 to 3, is the week whose lines are printed, in the order in which they arrived; without it they all are. The same lines
//! come out on every machine. A sample of cpu, mem, disk and net each from:
//!
//! - `db-01`, whose memory leaks and whose disk fills up; it misses three samples;
//! - `web-01`, busier by the week, with a point of mem that was sent with two values;
//! - `web-02`, which was cut off on a Sunday evening and sent its lines the next day, and was started anew in the second week;
//! - `web-03`, new in the third week, and `old-01`, gone in the second.
//!
//! Some lines come twice, and some are none, or have the wrong type or unit of time: the archive keeps them as rejects.

use std::io::{self, Write as _};
use std::process::ExitCode;

use diurnal::simulate::Random;

/// Monday 2020-06-01 00:00 UTC, in seconds.
pub const FIRST_S: i64 = 1_590_969_600;

/// Seconds between two samples of a host.
pub const INTERVAL_S: i64 = 600;

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 24 * HOUR_S;
const WEEK_S: i64 = 7 * DAY_S;
const WEEKS: i64 = 3;

const MIB: i64 = 1 << 20;
const GIB: i64 = 1 << 30;

/// Lines of a batch that is sent twice.
const TWICE: usize = 20;

fn main() -> ExitCode {
    let weeks = match std::env::args().nth(1).map(|week| week.parse::<i64>()) {
        None => 1..=WEEKS,
        Some(Ok(week)) if (1..=WEEKS).contains(&week) => week..=week,
        Some(_) => {
            eprintln!("three_weeks: the argument is a week, 1 to {WEEKS}, or left out");
            return ExitCode::from(2);
        }
    };
    let mut out = io::stdout().lock();
    for line in weeks.flat_map(lines) {
        if let Err(error) = writeln!(out, "{line}") {
            eprintln!("three_weeks: standard output: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// The lines of a week, 1 to 3, in the order in which they arrived.
pub fn lines(week: i64) -> Vec<String> {
    let mut lines = Vec::new();
    for host in HOSTS {
        // Each host goes its way from the start, whichever week is asked for.
        let mut state = State::new(host);
        for second in (FIRST_S..FIRST_S + WEEKS * WEEK_S).step_by(INTERVAL_S as usize) {
            let sample = state.sample(second);
            if host.sends(second) && host.arrives_in(second) == week {
                lines.extend(sample);
            }
        }
    }
    // Sent without keys, lines come in any order.
    let mut random = Random::new(week as u64);
    random.shuffle(&mut lines);
    let again = lines[..TWICE].to_vec();
    lines.extend(again);
    lines.extend(strange_lines(week).into_iter().map(str::to_owned));
    lines
}

/// Lines that are no points, and one that says something else than the sample of its host and time.
fn strange_lines(week: i64) -> Vec<&'static str> {
    match week {
        1 => vec![
            "cpu,cpu=cpu-total,host=web-01 usage_user=,usage_system=1.5 1591178400000000000",
            "mem,host=web-01 used_percent=99.5 1591178400000000000",
        ],
        2 => vec!["mem,host=web-02 used=\"lots\" 1591783200000000000"],
        // Milliseconds: a clock in 1970.
        _ => vec![
            "cpu,cpu=cpu-total,host=web-03 usage_idle=50 1592215200000",
            "cpu,cpu=cpu-total,host=web-03 usage_idle=51 1592215800000",
        ],
    }
}

#[derive(Clone, Copy)]
struct Host {
    name: &'static str,
    /// Per mille of the processor that are busy at night.
    base: i64,
    /// Per mille that come on top in every week.
    more_each_week: i64,
    memory: i64,
    used: i64,
    leak_a_day: i64,
    disk_used: i64,
    disk_growth_a_day: i64,
}

const HOSTS: [Host; 5] = [
    Host::new("db-01", 300, 0, 32 * GIB, 12 * GIB).growing(700 * MIB, 420 * GIB, 9 * GIB),
    Host::new("old-01", 60, 0, 8 * GIB, 2 * GIB).growing(0, 100 * GIB, 0),
    Host::new("web-01", 200, 80, 16 * GIB, 5 * GIB).growing(0, 120 * GIB, GIB),
    Host::new("web-02", 250, 0, 16 * GIB, 6 * GIB).growing(0, 130 * GIB, GIB / 2),
    Host::new("web-03", 150, 0, 16 * GIB, 4 * GIB).growing(0, 20 * GIB, 2 * GIB),
];

const DISK_SIZE: i64 = 640 * GIB;

impl Host {
    const fn new(name: &'static str, base: i64, more_each_week: i64, memory: i64, used: i64) -> Self {
        Self {
            name,
            base,
            more_each_week,
            memory,
            used,
            leak_a_day: 0,
            disk_used: 0,
            disk_growth_a_day: 0,
        }
    }

    const fn growing(self, leak_a_day: i64, disk_used: i64, disk_growth_a_day: i64) -> Self {
        Self {
            leak_a_day,
            disk_used,
            disk_growth_a_day,
            ..self
        }
    }

    /// Whether it was there at that time, and its agent as well.
    fn sends(&self, second: i64) -> bool {
        let since = second - FIRST_S;
        match self.name {
            "old-01" => since < 9 * DAY_S + 14 * HOUR_S,
            "web-03" => since >= 14 * DAY_S + 9 * HOUR_S,
            "db-01" => !(0..3 * INTERVAL_S).contains(&(since - 15 * DAY_S - 4 * HOUR_S)),
            _ => true,
        }
    }

    /// The week in which a sample arrives.
    fn arrives_in(&self, second: i64) -> i64 {
        let since = second - FIRST_S;
        let is_cut_off = self.name == "web-02" && (6 * DAY_S + 20 * HOUR_S..7 * DAY_S).contains(&since);
        1 + since / WEEK_S + i64::from(is_cut_off)
    }
}

/// What a host counts and remembers from one sample to the next.
struct State {
    host: Host,
    random: Random,
    received: i64,
    sent: i64,
}

impl State {
    fn new(host: Host) -> Self {
        let seed = host.name.bytes().map(u64::from).sum();
        Self {
            host,
            random: Random::new(seed),
            received: 0,
            sent: 0,
        }
    }

    fn below(&mut self, end: i64) -> i64 {
        self.random.below(end as u64) as i64
    }

    fn sample(&mut self, second: i64) -> [String; 4] {
        let since = second - FIRST_S;
        let busy = self.busy(since);
        let time = format!("{second}000000000");
        // The agent of db-01 takes its time before it asks for the processor.
        let cpu_time = match self.host.name {
            "db-01" => format!("{}250000000", second + 2),
            _ => time.clone(),
        };
        [
            self.cpu(busy, &cpu_time),
            self.mem(since, &time),
            self.disk(since, &time),
            self.net(since, busy, &time),
        ]
    }

    /// Per mille that are busy: little at night and on Sundays, most in the afternoon.
    fn busy(&mut self, since: i64) -> i64 {
        let hour = since % DAY_S / HOUR_S;
        let of_day = 10 * (12 - (hour - 14).abs()).max(0);
        let is_weekend = since / DAY_S % 7 >= 5;
        let wave = if is_weekend { of_day / 3 } else { of_day };
        let week = since / WEEK_S;
        (self.host.base + self.host.more_each_week * week + 3 * wave + self.below(120)).min(990)
    }

    fn cpu(&mut self, busy: i64, time: &str) -> String {
        let name = self.host.name;
        let system = busy / 4;
        let iowait = self.below(busy / 10 + 1);
        let user = busy - system - iowait;
        let [user, system, iowait, idle] = [user, system, iowait, 1_000 - busy].map(|share| share as f64 / 10.0);
        format!(
            "cpu,cpu=cpu-total,host={name} usage_user={user},usage_system={system},usage_iowait={iowait},usage_idle={idle} {time}"
        )
    }

    fn mem(&mut self, since: i64, time: &str) -> String {
        let Host { name, memory, .. } = self.host;
        let leaked = self.host.leak_a_day * (since / HOUR_S) / 24;
        let used = self.host.used + leaked + self.below(128) * MIB;
        let free = memory - used;
        let percent = |part: i64| 100.0 * part as f64 / memory as f64;
        format!(
            "mem,host={name} total={memory}i,used={used}i,available={free}i,free={free}i,used_percent={},available_percent={} {time}",
            percent(used),
            percent(free)
        )
    }

    fn disk(&mut self, since: i64, time: &str) -> String {
        let name = self.host.name;
        let used = self.host.disk_used + self.host.disk_growth_a_day * (since / HOUR_S) / 24 + self.below(64) * MIB;
        let free = DISK_SIZE - used;
        let percent = 100.0 * used as f64 / DISK_SIZE as f64;
        format!(
            "disk,device=sda1,fstype=ext4,host={name},mode=rw,path=/ total={DISK_SIZE}i,used={used}i,free={free}i,used_percent={percent} {time}"
        )
    }

    fn net(&mut self, since: i64, busy: i64, time: &str) -> String {
        let name = self.host.name;
        // Started anew at three in the night: its counters began at 0.
        if name == "web-02" && since == 11 * DAY_S + 3 * HOUR_S {
            (self.received, self.sent) = (0, 0);
        }
        self.received += busy * 40_000 + self.below(5_000_000);
        self.sent += busy * 150_000 + self.below(9_000_000);
        let (received, sent) = (self.received, self.sent);
        format!("net,host={name},interface=eth0 bytes_recv={received}i,bytes_sent={sent}i {time}")
    }
}
