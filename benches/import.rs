//! `cargo bench --bench import`: where the time of an import goes, stage by stage, and how long the whole takes.
//!
//! 1,000,000 lines of Telegraf's cpu input (seeded). The stages run one after the other on one thread, each on the output of the one
//! before it; then the binary imports the same lines from a file to both formats, on all cores. Figures are medians.
//! `DIURNAL_BENCH_LINES=N` and `DIURNAL_BENCH_RUNS=N` change the size.

#[path = "number.rs"]
mod number;

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, RecordBatch, TimestampNanosecondArray};
use diurnal::calendar::Zone;
use diurnal::encode::{LeafEncoder, LeafRows};
use diurnal::format::{Formats, TimeUnit};
use diurnal::lineproto::{Limits, Parser, Precision};
use diurnal::order::{DayColumns, LeafSize, Slice, SortedRun, split_days};
use diurnal::simulate::Simulation;
use diurnal::source::Origin;
use diurnal::table::settle::settle;
use diurnal::table::{CollectSettings, Collector};

use self::number::number;

const HOSTS: u32 = 100;
const FIRST_S: i64 = 1_592_568_000;

fn main() {
    let lines = number("DIURNAL_BENCH_LINES", 1_000_000);
    let runs = number("DIURNAL_BENCH_RUNS", 5);
    let text = cpu_lines(lines);
    println!(
        "{lines} cpu lines, {:.1} MB, {:.0} bytes a line",
        text.len() as f64 / 1e6,
        text.len() as f64 / lines as f64
    );
    let bench = Bench {
        lines,
        bytes: text.len(),
        runs,
    };
    stages(&bench, &text);
    whole(&bench, &text);
}

/// Lines as agents send them: out of order by seconds, some by hours.
fn cpu_lines(wanted: usize) -> String {
    let ticks = wanted.div_ceil(HOSTS as usize) as i64;
    let simulation = Simulation {
        hosts: HOSTS,
        first_s: FIRST_S,
        end_s: FIRST_S + 10 * ticks,
        seed: 3,
    };
    let traffic = simulation.traffic(1);
    let mut text = String::new();
    let cpu = traffic
        .sent
        .iter()
        .map(|sent| sent.line.as_str())
        .filter(|line| line.starts_with("cpu,") && !line.contains("=,"));
    for line in cpu.take(wanted) {
        text.push_str(line);
    }
    text
}

struct Bench {
    lines: usize,
    bytes: usize,
    runs: usize,
}

impl Bench {
    /// Runs a stage several times; prints its median and gives its last result.
    fn stage<T>(&self, name: &str, mut run: impl FnMut() -> T) -> T {
        let mut times = Vec::new();
        let mut last = None;
        for _ in 0..self.runs {
            let start = Instant::now();
            let result = run();
            times.push(start.elapsed());
            last = Some(result);
        }
        self.print(name, times);
        last.expect("at least one run")
    }

    fn print(&self, name: &str, mut times: Vec<Duration>) {
        times.sort();
        let median = times[times.len() / 2].as_secs_f64();
        println!(
            "{name:<34} {:>8.3} s {:>12.0} lines/s {:>8.0} MB/s",
            median,
            self.lines as f64 / median,
            self.bytes as f64 / 1e6 / median
        );
    }
}

fn stages(bench: &Bench, text: &str) {
    let one_thread = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .expect("a thread");
    let block = 1 << 20;
    bench.stage("parse", || {
        let mut parser = Parser::new(Precision::Ns, Limits::default());
        let mut lines = parser.lines(text.as_bytes());
        let mut fields = 0;
        while let Some(line) = lines.next() {
            fields += line.expect("a good line").fields().len();
        }
        black_box(fields)
    });
    let collect = || {
        let mut collector = Collector::new(CollectSettings::default());
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let cut = rest.len().min(block);
            let cut = rest[..cut]
                .iter()
                .rposition(|&byte| byte == b'\n')
                .map_or(rest.len(), |at| at + 1);
            let (now, later) = rest.split_at(cut);
            let origin = |at: usize| Origin::File {
                path: "bench".into(),
                offset: at as u64,
            };
            collector.push(now, None, origin);
            rest = later;
        }
        collector.finish()
    };
    bench.stage("parse to typed columns", collect);
    let collected = collect();
    let start = Instant::now();
    let settled = settle(vec![collected]);
    bench.print("settle names and types", vec![start.elapsed()]);
    let table = &settled.tables[0];
    let days = split_days(table, Zone::Utc).expect("few batches");
    bench.stage("split into days", || {
        black_box(split_days(table, Zone::Utc).expect("few batches"))
    });
    let columns: Vec<DayColumns> = days
        .values()
        .map(|entries| DayColumns::new(table, &[], entries, TimeUnit::Ns))
        .collect();
    let sort = || -> Vec<SortedRun<'_>> {
        days.iter()
            .zip(&columns)
            .map(|((day, entries), columns)| {
                let (first, end) = Zone::Utc.bounds(*day);
                let day = Slice::of_day(first..end);
                SortedRun::merge(table, None, entries.clone(), columns, day).expect("a sorted day")
            })
            .collect()
    };
    let sorted = one_thread.install(|| bench.stage("sort and fold", sort));
    let gather = || -> Vec<Vec<LeafRows>> {
        let leaves = |run: &SortedRun<'_>| {
            run.leaves(LeafSize::default().limit(1 + run.schema().columns.len()))
                .into_iter()
                .map(|rows| run.leaf(rows).expect("a leaf"))
                .collect()
        };
        sorted.iter().map(leaves).collect()
    };
    let leaves = bench.stage("gather leaves", gather);
    let encode = |formats: Formats| {
        let mut bytes = 0;
        for day in &leaves {
            let encoder = LeafEncoder::new(Arc::clone(&day[0].schema), formats).expect("an encoder");
            for (index, leaf) in day.iter().enumerate() {
                let leaf = encoder.encode(index, leaf).expect("an encoded leaf");
                bytes += leaf.csv.map_or(0, |csv| csv.text.len());
            }
        }
        black_box(bytes)
    };
    bench.stage("encode Parquet", || {
        encode(Formats {
            parquet: true,
            csv: false,
        })
    });
    bench.stage("encode CSV", || {
        encode(Formats {
            parquet: false,
            csv: true,
        })
    });
    let batches: Vec<RecordBatch> = leaves.iter().flatten().map(batch).collect();
    bench.stage("encode CSV, arrow's own writer", || {
        let mut text = Vec::new();
        let mut writer = arrow_csv::Writer::new(&mut text);
        for batch in &batches {
            writer.write(batch).expect("memory");
        }
        drop(writer);
        black_box(text.len())
    });
}

/// A leaf as arrow's writers take it.
fn batch(leaf: &LeafRows) -> RecordBatch {
    let time: ArrayRef = Arc::new(TimestampNanosecondArray::from(leaf.times.clone()).with_timezone("+00:00"));
    let names = leaf.schema.columns.iter().map(|column| column.name.as_str());
    let columns = names.zip(leaf.columns.iter().cloned());
    RecordBatch::try_from_iter(std::iter::once(("time", time)).chain(columns)).expect("columns of one length")
}

fn whole(bench: &Bench, text: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("cpu.lp");
    std::fs::write(&input, text).expect("a file");
    for formats in ["parquet,csv", "parquet", "csv"] {
        let mut times = Vec::new();
        for run in 0..bench.runs {
            let archive = folder.path().join(format!("{formats}-{run}"));
            let start = Instant::now();
            import(&input, &archive, formats);
            times.push(start.elapsed());
            std::fs::remove_dir_all(&archive).expect("an archive");
        }
        bench.print(&format!("diurnal import, {formats}"), times);
    }
}

fn import(input: &Path, archive: &Path, formats: &str) {
    let status = Command::new(env!("CARGO_BIN_EXE_diurnal"))
        .args(["import", "-q", "--formats", formats, "--archive"])
        .args([archive, input])
        .status()
        .expect("the binary runs");
    assert!(status.success(), "{status}");
}
