//! `DIURNAL_BENCH_SPLIT=N`: the topic in N parts, each an archive of its own (`--partitions`), and what it takes to merge them, beside one
//! archive of the whole.
//!
//! All of it runs on this machine, one after the other. What parts take at the same time on machines of their own is the longest of
//! them; the merge comes after that. Processor seconds are what carries over.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{self, Took};
use super::topic::Broker;
use super::{PARTITIONS, archive, bytes_of};

/// What the runs of one step took together: the sum of their time, the highest of their peaks.
#[derive(Default)]
struct Step {
    runs: Vec<Took>,
}

impl Step {
    fn run(&mut self, mut command: Command) {
        self.runs.push(process::run(&mut command));
    }

    fn print(&self, name: &str, lines: u64) {
        let sum = |of: fn(&Took) -> f64| self.runs.iter().map(of).sum::<f64>();
        let longest = self.runs.iter().map(|took| took.wall_s).fold(0.0, f64::max);
        let peak = self.runs.iter().map(|took| took.peak).max().unwrap_or_default();
        println!(
            "{name:<36} {:>8.3} {:>8.3} {:>10.2} {:>9}",
            sum(|took| took.wall_s),
            longest,
            sum(|took| took.cpu.all()) / lines as f64 * 1e6,
            peak >> 20
        );
    }
}

/// Medians need more than one run each: this shows each run, so that what else the machine did can be seen.
pub fn split(broker: &Broker, lines: u64, parts: i32, runs: u64) {
    assert!((1..=PARTITIONS).contains(&parts), "1 to {PARTITIONS} parts");
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let topic = broker.topic(lines, PARTITIONS, |_| {});
    println!("{lines} lines, {PARTITIONS} partitions, {parts} parts, both formats");
    println!(
        "{:<36} {:>8} {:>8} {:>10} {:>9}",
        "", "s", "longest", "CPU s/1M", "peak MiB"
    );
    for number in 1..=runs {
        println!("run {number}");
        let at = |name: &str| folder.path().join(name);
        let (whole, all) = (at("whole"), at("all"));
        let mut one = Step::default();
        one.run(archive(&broker.address, &topic, &[])(&whole));
        one.print("one machine", lines);

        let archives: Vec<PathBuf> = (0..parts).map(|part| at(&format!("part-{part}"))).collect();
        let mut reading = Step::default();
        for (archived, set) in archives.iter().zip(sets(parts)) {
            reading.run(archive(&broker.address, &topic, &["--partitions", &set])(archived));
        }
        reading.print("the parts", lines);
        let mut merging = Step::default();
        merging.run(merge(&all, &archives));
        merging.print("their merge", lines);
        let mut both = Step::default();
        both.runs.extend(reading.runs.iter().chain(&merging.runs));
        both.print("parts and merge", lines);
        let mut again = Step::default();
        again.run(merge(&all, &archives));
        again.print("the merge again, with nothing new", lines);

        for format in ["parquet", "csv"] {
            assert_eq!(bytes_of(&all, format), bytes_of(&whole, format), "{format}");
        }
        let of_parts: u64 = archives.iter().map(|part| bytes_of(part, "parquet")).sum();
        println!(
            "Parquet of the parts {:.1} MB, of the whole {:.1} MB",
            of_parts as f64 / 1e6,
            bytes_of(&whole, "parquet") as f64 / 1e6
        );
        for archived in archives.iter().chain([&whole, &all]) {
            fs::remove_dir_all(archived).expect("an archive");
        }
    }
}

/// `0-1`, `2-3`, `4-`: as even as they can be, the last one open.
fn sets(parts: i32) -> Vec<String> {
    let begin = |part: i32| part * PARTITIONS / parts;
    let set = |part: i32| match part + 1 == parts {
        true => format!("{}-", begin(part)),
        false => format!("{}-{}", begin(part), begin(part + 1) - 1),
    };
    (0..parts).map(set).collect()
}

fn merge(into: &Path, archives: &[PathBuf]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_diurnal"));
    command.args(["merge", "-q", "--archive"]).arg(into).args(archives);
    command
}
