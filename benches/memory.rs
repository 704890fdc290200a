//! `cargo bench --bench memory`: what a day larger than memory costs, against the same run with memory for all of it.
//!
//! 20,000,000 lines of Telegraf's cpu input over two days (seeded, 5 GB, out of order as agents send them) are imported with
//! `--memory 512MiB` and with 64 GiB, turn by turn, into both formats: once in the order of arrival, once partition by partition, where
//! every sorted run covers both days. Wall and processor time are those of the `diurnal` process; the peak is the kernel's high-water
//! mark of its resident memory, read every 20 ms. Both archives must be the same, byte for byte.
//!
//! `DIURNAL_BENCH_LINES=N`, `DIURNAL_BENCH_RUNS=N` and `DIURNAL_BENCH_MEMORY=512MiB` change the size. It needs 20 GB of disk.

#[path = "number.rs"]
mod number;
#[path = "process.rs"]
#[allow(dead_code)]
mod process;

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use diurnal::simulate::Simulation;

use self::number::number;
use self::process::Took;

/// 2020-06-19 00:00 UTC.
const FIRST_S: i64 = 1_592_524_800;
const DAYS: i64 = 2;
const INTERVAL_S: i64 = 10;
/// As many as partitions of a topic.
const FILES: usize = 5;
/// No run needs as much.
const AMPLE: &str = "64GiB";

fn main() {
    let lines = number("DIURNAL_BENCH_LINES", 20_000_000);
    let runs = number("DIURNAL_BENCH_RUNS", 1);
    let memory = std::env::var("DIURNAL_BENCH_MEMORY").unwrap_or_else(|_| "512MiB".to_owned());
    let orders = [
        ("in the order of arrival", Order::Arrival),
        ("partition by partition", Order::Partitions),
    ];
    for (name, order) in orders {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let files = write_lines(folder.path(), lines, order);
        let bytes: u64 = files.iter().map(|file| fs::metadata(file).expect("a file").len()).sum();
        println!("\n{lines} cpu lines, {:.1} GB, {name}", bytes as f64 / 1e9);
        compare(folder.path(), &files, &memory, runs);
    }
}

#[derive(Clone, Copy)]
enum Order {
    Arrival,
    Partitions,
}

/// One after the other the files are the lines in this order.
fn write_lines(folder: &Path, wanted: usize, order: Order) -> Vec<PathBuf> {
    let ticks = DAYS * 86_400 / INTERVAL_S;
    let hosts = wanted.div_ceil(ticks as usize) as u32;
    let paths: Vec<PathBuf> = (0..FILES).map(|file| folder.join(format!("{file}.lp"))).collect();
    let create = |path: &PathBuf| BufWriter::new(File::create_new(path).expect("a file"));
    let mut files: Vec<BufWriter<File>> = paths.iter().map(create).collect();
    let mut written = 0;
    let hours = DAYS * 24;
    for hour in 0..hours {
        let simulation = Simulation {
            hosts,
            first_s: FIRST_S + hour * 3_600,
            end_s: FIRST_S + (hour + 1) * 3_600,
            seed: 5 + hour as u64,
        };
        for sent in simulation.traffic(FILES as i32).sent {
            if written < wanted && sent.line.starts_with("cpu,") && !sent.line.contains("=,") {
                let file = match order {
                    Order::Arrival => hour as usize * FILES / hours as usize,
                    Order::Partitions => sent.partition as usize,
                };
                files[file].write_all(sent.line.as_bytes()).expect("room on the disk");
                written += 1;
            }
        }
    }
    for file in &mut files {
        file.flush().expect("room on the disk");
    }
    paths
}

fn compare(folder: &Path, files: &[PathBuf], memory: &str, runs: usize) {
    let (bounded, ample) = (folder.join("bounded"), folder.join("ample"));
    let (mut with_little, mut with_ample) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        with_ample.push(import(files, &ample, AMPLE));
        with_little.push(import(files, &bounded, memory));
        let same = same_files(&bounded, &ample);
        assert!(same, "the archives differ: {}", folder.display());
        fs::remove_dir_all(&bounded).expect("an archive");
        fs::remove_dir_all(&ample).expect("an archive");
    }
    let (little, ample) = (median(with_little), median(with_ample));
    println!("  --memory        wall s   cpu s  peak MiB");
    for (name, took) in [(AMPLE, ample), (memory, little)] {
        let peak = took.peak >> 20;
        println!("  {name:<12} {:>9.1} {:>7.1} {peak:>9}", took.wall_s, took.cpu.all());
    }
    println!(
        "  {memory} / {AMPLE}: wall {:.2}x, processor {:.2}x; the archives are the same",
        little.wall_s / ample.wall_s,
        little.cpu.all() / ample.cpu.all()
    );
}

fn median(mut runs: Vec<Took>) -> Took {
    runs.sort_by(|a, b| a.wall_s.total_cmp(&b.wall_s));
    let peak = runs.iter().map(|took| took.peak).max().unwrap_or_default();
    Took {
        peak,
        ..runs[runs.len() / 2]
    }
}

fn import(files: &[PathBuf], archive: &Path, memory: &str) -> Took {
    let mut command = Command::new(env!("CARGO_BIN_EXE_diurnal"));
    command
        .args(["import", "-q", "--memory", memory, "--archive"])
        .arg(archive);
    process::run(command.args(files).stdout(Stdio::null()))
}

/// Whether the day files of two archives are the same.
fn same_files(one: &Path, other: &Path) -> bool {
    let days = |archive: &Path| {
        let files = fs::read_dir(archive.join("cpu")).expect("a folder");
        let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
        files.sort();
        files
    };
    let digest = |path: &PathBuf| {
        let mut hasher = blake3::Hasher::new();
        let mut file = File::open(path).expect("a file");
        std::io::copy(&mut file, &mut hasher).expect("a file");
        (path.file_name().map(ToOwned::to_owned), hasher.finalize())
    };
    let digests = |archive: &Path| days(archive).iter().map(digest).collect::<Vec<_>>();
    let (one, other) = (digests(one), digests(other));
    !one.is_empty() && one == other
}
