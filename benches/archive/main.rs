//! `cargo bench --bench archive`: a topic into day files, against a consumer that does nothing with what it reads (the floor).
//!
//! The topic has 80% cpu lines of about 255 bytes and 20% mem lines of about 700 (seeded, `load.rs`), over five partitions, lz4, two days,
//! in random field order and out of order by up to a minute. In turn, so that what else the machine does meets all of them alike: the
//! floor (librdkafka polled by two clients with its default settings, lengths summed up), diurnal's own drain without the lines,
//! `diurnal archive` into both formats and each alone, and `diurnal import` of the same lines from a file. Each is a process of its own;
//! figures are medians.
//!
//! `DIURNAL_BENCH_BROKERS=host:port` takes a real Kafka, which is where the ratios mean something: the embedded broker keeps few lines and
//! works in the benchmark's own process. `DIURNAL_BENCH_LINES=N` (2,000,000; embedded 60,000), `DIURNAL_BENCH_RUNS=N` (5),
//! `DIURNAL_BENCH_JSON=FILE` writes all figures. `DIURNAL_BENCH_SCALE=1` shows instead how both formats scale: over threads,
//! partitions, and half, twice and eight times the lines (`=2`: over lines only). `DIURNAL_BENCH_SPLIT=N` shows what N parts and their merge take (`split.rs`). `DIURNAL_BENCH_FILL=1` only fills the topic, for `benches/peers/run.sh`.

#[path = "../../tests/support/answer.rs"]
mod answer;
#[path = "../hosts.rs"]
#[allow(dead_code)]
mod hosts;
#[path = "../number.rs"]
mod number;
#[path = "../process.rs"]
#[allow(dead_code)]
mod process;

mod drains;
mod load;
mod split;
mod timeline;
mod topic;

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use self::number::number;
use self::process::Took;
use self::timeline::Timeline;
use self::topic::Broker;

const PARTITIONS: i32 = 5;
/// Clients of the floor.
const CLIENTS: usize = 2;
/// More than any run needs.
const AMPLE: &str = "16GiB";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, brokers, topic, threads] = &arguments[..] {
        let threads = threads.parse().expect("a number");
        let (messages, bytes) = match role.as_str() {
            "poll" => drains::poll(brokers, topic, threads),
            _ => drains::batches(brokers, topic, threads),
        };
        println!("{messages} messages, {bytes} bytes");
        // Closing a client takes a moment that is no part of a drain.
        std::process::exit(0);
    }
    let broker = Broker::find();
    let lines = number(
        "DIURNAL_BENCH_LINES",
        if broker.is_embedded() { 60_000 } else { 2_000_000 },
    );
    let runs = number("DIURNAL_BENCH_RUNS", 5);
    if number("DIURNAL_BENCH_FILL", 0) != 0 {
        println!("{}", broker.topic(lines, PARTITIONS, |_| {}));
        return;
    }
    let parts: i32 = number("DIURNAL_BENCH_SPLIT", 0);
    if parts != 0 {
        split::split(&broker, lines, parts, runs);
        return;
    }
    match number("DIURNAL_BENCH_SCALE", 0) {
        0 => compare(&broker, lines, runs),
        _ => scale(&broker, lines, runs),
    }
}

/// A way to empty the topic.
struct Candidate {
    name: &'static str,
    command: Box<dyn Fn(&Path) -> Command>,
    /// Whether it writes an archive.
    archives: bool,
    took: Vec<Took>,
    /// Bytes of its Parquet and CSV files.
    parquet: u64,
    csv: u64,
    timeline: Timeline,
}

impl Candidate {
    fn new(name: &'static str, archives: bool, command: impl Fn(&Path) -> Command + 'static) -> Self {
        Self {
            name,
            command: Box::new(command),
            archives,
            took: Vec::new(),
            parquet: 0,
            csv: 0,
            timeline: Timeline::new(),
        }
    }

    fn run(&mut self, archive: &Path) {
        let mut timeline = Timeline::new();
        let mut command = (self.command)(archive);
        command.stdout(Stdio::null()).stderr(Stdio::inherit());
        self.took
            .push(process::watch(&mut command, |child| timeline.sample(child)));
        self.timeline = timeline;
        if self.archives {
            self.parquet = bytes_of(archive, "parquet");
            self.csv = bytes_of(archive, "csv");
            fs::remove_dir_all(archive).expect("an archive");
        }
    }

    /// The run of the median time, with the highest peak of all.
    fn median(&self) -> Took {
        let mut took = self.took.clone();
        took.sort_by(|a, b| a.wall_s.total_cmp(&b.wall_s));
        let peak = took.iter().map(|took| took.peak).max().unwrap_or_default();
        Took {
            peak,
            ..took[took.len() / 2]
        }
    }
}

fn drain(role: &'static str, brokers: &str, topic: &str, threads: usize) -> impl Fn(&Path) -> Command + 'static {
    let arguments = [
        role.to_owned(),
        brokers.to_owned(),
        topic.to_owned(),
        threads.to_string(),
    ];
    move |_| {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(&arguments);
        command
    }
}

fn archive(brokers: &str, topic: &str, more: &[&str]) -> impl Fn(&Path) -> Command + 'static {
    let arguments = ["archive", "-q", "--brokers", brokers, "--topic", topic];
    let arguments: Vec<String> = arguments.iter().chain(more).map(|&word| word.to_owned()).collect();
    move |archive| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_diurnal"));
        command.args(&arguments).arg("--archive").arg(archive);
        command
    }
}

fn import(file: PathBuf) -> impl Fn(&Path) -> Command + 'static {
    move |archive| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_diurnal"));
        command.args(["import", "-q", "--archive"]).arg(archive).arg(&file);
        command
    }
}

/// Every candidate in turn, and what each took.
fn compare(broker: &Broker, lines: u64, runs: u64) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let file = folder.path().join("lines.lp");
    let mut output = BufWriter::new(File::create_new(&file).expect("a file"));
    let (mut bytes, mut values) = (0, 0);
    let topic = broker.topic(lines, PARTITIONS, |line| {
        output.write_all(line.as_bytes()).expect("room on the disk");
        bytes += line.len() as u64;
        values += 1 + line.matches('=').count() as u64;
    });
    output.flush().expect("room on the disk");
    drop(output);
    let brokers = broker.address.as_str();
    println!(
        "{lines} lines, {:.1} MB, {PARTITIONS} partitions, {}, medians of {runs}",
        bytes as f64 / 1e6,
        match broker.is_embedded() {
            true => "embedded broker",
            false => "Kafka",
        }
    );
    let mut candidates = [
        Candidate::new("floor: poll, 2 clients", false, drain("poll", brokers, &topic, CLIENTS)),
        Candidate::new("diurnal's drain alone", false, drain("batches", brokers, &topic, 1)),
        Candidate::new("archive, both formats", true, archive(brokers, &topic, &[])),
        Candidate::new(
            "archive, Parquet",
            true,
            archive(brokers, &topic, &["--formats", "parquet"]),
        ),
        Candidate::new("archive, CSV", true, archive(brokers, &topic, &["--formats", "csv"])),
        Candidate::new("import, both formats", true, import(file)),
    ];
    for _ in 0..runs {
        for candidate in &mut candidates {
            candidate.run(&folder.path().join("archive"));
        }
    }
    let floor = candidates[0].median();
    println!(
        "{:<24} {:>7} {:>8} {:>10} {:>6} {:>10} {:>9} {:>11} {:>8} {:>8}",
        "", "s", "x floor", "lines/s", "MB/s", "CPU s/1M", "peak MiB", "Parquet MB", "CSV MB", "B/value"
    );
    let mut figures = Vec::new();
    for candidate in &candidates {
        let took = candidate.median();
        let (parquet, csv) = (candidate.parquet as f64 / 1e6, candidate.csv as f64 / 1e6);
        let bytes_a_value = candidate.parquet as f64 / values as f64;
        let cpu = took.cpu.all() / lines as f64 * 1e6;
        println!(
            "{:<24} {:>7.3} {:>8.2} {:>10.0} {:>6.0} {:>10.2} {:>9} {:>11.1} {:>8.1} {:>8.2}",
            candidate.name,
            took.wall_s,
            took.wall_s / floor.wall_s,
            lines as f64 / took.wall_s,
            bytes as f64 / 1e6 / took.wall_s,
            cpu,
            took.peak >> 20,
            parquet,
            csv,
            bytes_a_value
        );
        let wall_s: Vec<f64> = candidate.took.iter().map(|took| took.wall_s).collect();
        figures.push(json!({
            "name": candidate.name, "wall_s": wall_s, "median_s": took.wall_s, "x_floor": took.wall_s / floor.wall_s,
            "cpu_s_per_1m": cpu, "peak_bytes": took.peak, "parquet_bytes": candidate.parquet, "csv_bytes": candidate.csv,
        }));
    }
    for candidate in &candidates[2..5] {
        println!("\n{} (last run)", candidate.name);
        candidate.timeline.print();
    }
    if let Ok(path) = std::env::var("DIURNAL_BENCH_JSON") {
        let all = json!({ "lines": lines, "bytes": bytes, "values": values, "runs": runs, "candidates": figures });
        fs::write(&path, format!("{all:#}\n")).expect("DIURNAL_BENCH_JSON can be written");
    }
}

/// Both formats over threads, partitions and lines; what a line costs should stay.
fn scale(broker: &Broker, lines: u64, runs: u64) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    println!(
        "{:<44} {:>8} {:>12} {:>10} {:>9}",
        "", "s", "us a line", "CPU s/1M", "peak MiB"
    );
    let show = |name: String, lines: u64, partitions: i32, more: &[&str]| {
        let topic = broker.topic(lines, partitions, |_| {});
        let mut candidate = Candidate::new("", true, archive(&broker.address, &topic, more));
        for _ in 0..runs {
            candidate.run(&folder.path().join("archive"));
        }
        let took = candidate.median();
        println!(
            "{name:<44} {:>8.3} {:>12.3} {:>10.2} {:>9}",
            took.wall_s,
            took.wall_s / lines as f64 * 1e6,
            took.cpu.all() / lines as f64 * 1e6,
            took.peak >> 20
        );
    };
    if number("DIURNAL_BENCH_SCALE", 1) == 1 {
        for threads in ["1", "2", "4"] {
            let name = format!("{lines} lines, {PARTITIONS} partitions, {threads} threads");
            show(name, lines, PARTITIONS, &["--threads", threads]);
        }
        for partitions in [1, 2, 20] {
            let name = format!("{lines} lines, {partitions} partitions");
            show(name, lines, partitions, &[]);
        }
    }
    for times in [1, 4, 16] {
        let lines = lines / 2 * times;
        show(
            format!("{lines} lines, {PARTITIONS} partitions"),
            lines,
            PARTITIONS,
            &[],
        );
    }
    // What is more than the default holds goes to disk on the way, which costs by itself.
    let name = format!("{} lines, --memory {AMPLE}", lines * 8);
    show(name, lines * 8, PARTITIONS, &["--memory", AMPLE]);
}

/// Bytes of an archive's files of a format.
fn bytes_of(archive: &Path, extension: &str) -> u64 {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.expect("an entry").path()).collect()
    };
    let files = entries(archive).into_iter().flat_map(|folder| entries(&folder));
    let files = files.filter(|file| file.extension().is_some_and(|found| found == extension));
    files.map(|file| fs::metadata(file).expect("a file").len()).sum()
}
