//! When the threads of a process were busy, by what they are for: sampled from outside while it runs.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::process;

/// Columns of the printed line.
const COLUMNS: usize = 20;

/// In the order in which a line meets them.
const STAGES: [&str; 4] = ["fetch (librdkafka)", "parse", "sort, encode", "write, commit, rest"];

/// Processor seconds by stage, at moments since the start.
pub struct Timeline {
    start: Instant,
    samples: Vec<(f64, [f64; STAGES.len()])>,
    /// The last of each thread: those that ended still count.
    threads: BTreeMap<u32, (usize, f64)>,
}

impl Timeline {
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            samples: vec![(0.0, Default::default())],
            threads: BTreeMap::new(),
        }
    }

    /// Looks at the process.
    pub fn sample(&mut self, process: u32) {
        for (number, name, seconds) in process::threads(process) {
            let stage = match name {
                _ if number == process => 3,
                _ if name.starts_with("rdk:") => 0,
                _ if name.starts_with("worker-") => 2,
                // The consumers have the program's own name.
                _ => 1,
            };
            self.threads.insert(number, (stage, seconds));
        }
        let mut sum: [f64; STAGES.len()] = Default::default();
        for (stage, seconds) in self.threads.values() {
            sum[*stage] += seconds;
        }
        self.samples.push((self.start.elapsed().as_secs_f64(), sum));
    }

    /// A line a stage: its processor seconds, and its share of one processor in each twentieth of the time, in tenths.
    pub fn print(&self) {
        let end = self.samples.last().map_or(0.0, |(at, _)| *at);
        println!(
            "  {:<22} {:>6}  busy tenths of one processor, each twentieth of {end:.2} s",
            "stage", "cpu s"
        );
        for (stage, name) in STAGES.iter().enumerate() {
            let seconds = |part: usize| self.seconds_at(stage, end * part as f64 / COLUMNS as f64);
            let width = end / COLUMNS as f64;
            let shares = (0..COLUMNS).map(|part| ((seconds(part + 1) - seconds(part)) / width * 10.0).round());
            let line: String = shares.map(|share| format!("{share:>3}")).collect();
            println!("  {name:<22} {:>6.2} {line}", seconds(COLUMNS));
        }
    }

    /// Between two samples a stage is as busy as on their average.
    fn seconds_at(&self, stage: usize, at: f64) -> f64 {
        let next = self.samples.partition_point(|(time, _)| *time < at);
        let next = next.clamp(1, self.samples.len() - 1);
        let ((t0, s0), (t1, s1)) = (&self.samples[next - 1], &self.samples[next]);
        let share = if t1 > t0 { (at - t0) / (t1 - t0) } else { 1.0 };
        s0[stage] + (s1[stage] - s0[stage]) * share.clamp(0.0, 1.0)
    }
}
