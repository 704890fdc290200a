//! `cargo bench --bench instructions`: how many instructions each stage takes for fixed lines, against the numbers in
//! `benches/instructions.json`. It fails where one takes over 5% more: unlike times, instructions do not depend on what else the machine does.
//!
//! 20,000 lines of Telegraf's cpu and mem inputs (seeded), each stage in a process of its own under Valgrind's callgrind, on one thread,
//! the parser with AVX2. The numbers are of one version of the compiler, which `.ci/instructions` installs; with another one they are only
//! shown. There are those of the tests' profile, which `.ci/run` compares since it has that build anyway, and those of the release's.
//! `DIURNAL_BENCH_UPDATE=1` writes them anew: say why in the commit.

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use diurnal::calendar::{Day, Zone};
use diurnal::encode::{LeafEncoder, LeafRows};
use diurnal::format::{Formats, TimeUnit};
use diurnal::lineproto::{Instructions, Limits, Parser, Precision};
use diurnal::order::{DayColumns, Entry, LeafSize, OldDay, Slice, SortedRun, split_days};
use diurnal::simulate::Simulation;
use diurnal::source::Origin;
use diurnal::table::settle::settle;
use diurnal::table::{CollectSettings, Collected, Collector, SettledTable};
use serde::{Deserialize, Serialize};

const LINES: usize = 20_000;
const HOSTS: u32 = 50;
/// 2020-06-19 00:00 UTC: all lines are of one day.
const FIRST_S: i64 = 1_592_524_800;
/// How many more instructions are too many.
const TOLERANCE: f64 = 0.05;

/// Valgrind knows no AVX-512.
#[cfg(target_arch = "x86_64")]
const INSTRUCTIONS: Instructions = Instructions::Avx2;
#[cfg(not(target_arch = "x86_64"))]
const INSTRUCTIONS: Instructions = Instructions::Portable;

/// Lines -> the instructions that a stage takes for them.
type Stage = fn(&str);

const STAGES: [(&str, Stage); 7] = [
    ("parse", parse),
    ("parse to columns", columns),
    ("sort and fold", sort),
    ("merge with a day", merge),
    ("gather leaves", gather),
    ("encode Parquet", parquet),
    ("encode CSV", csv),
];

/// What is on record.
#[derive(Debug, Deserialize, Serialize)]
struct Numbers {
    rustc: String,
    /// By profile, then by stage.
    instructions: BTreeMap<String, BTreeMap<String, u64>>,
}

/// The profile of this build; others than these two are not expected.
const PROFILE: &str = if cfg!(debug_assertions) { "dev" } else { "release" };

fn main() {
    let wanted = std::env::var("DIURNAL_BENCH_STAGE").ok();
    if let Some((_, stage)) = STAGES.iter().find(|(name, _)| Some(*name) == wanted.as_deref()) {
        stage(&lines());
        return;
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.json");
    let text = fs::read_to_string(&path).expect("benches/instructions.json");
    let mut numbers: Numbers = serde_json::from_str(&text).expect("benches/instructions.json");
    let known = numbers.instructions.get(PROFILE).cloned().unwrap_or_default();
    let stages = STAGES.iter().map(|(name, _)| ((*name).to_owned(), count(name)));
    let found: BTreeMap<String, u64> = stages.collect();
    let rustc = rustc();
    let comparable = numbers.rustc == rustc;
    let update = std::env::var("DIURNAL_BENCH_UPDATE").is_ok_and(|update| update == "1");
    if update {
        if !comparable {
            numbers.instructions.clear();
        }
        numbers.rustc.clone_from(&rustc);
        numbers.instructions.insert(PROFILE.to_owned(), found.clone());
        let text = serde_json::to_string_pretty(&numbers).expect("JSON");
        fs::write(&path, text + "\n").expect("benches/instructions.json can be written");
    }
    println!("profile {PROFILE}, {rustc}");
    println!("{:<18} {:>14} {:>14} {:>8}", "", "on record", "now", "");
    let mut worse = Vec::new();
    for (name, _) in STAGES {
        let now = found[name];
        let before = known.get(name).copied().unwrap_or_default();
        let ratio = now as f64 / before as f64;
        println!("{name:<18} {before:>14} {now:>14} {ratio:>7.3}x");
        if ratio > 1.0 + TOLERANCE {
            worse.push(name);
        }
    }
    if update || worse.is_empty() {
        return;
    }
    if !comparable {
        println!("not compared: the numbers on record are of {}", numbers.rustc);
        return;
    }
    eprintln!(
        "over {:.0}% more instructions than on record: {}",
        TOLERANCE * 100.0,
        worse.join(", ")
    );
    std::process::exit(1);
}

fn rustc() -> String {
    let output = Command::new("rustc").arg("--version").output().expect("rustc");
    let text = String::from_utf8(output.stdout).expect("a version");
    text.split(" (").next().unwrap_or_default().trim().to_owned()
}

/// Runs this program for one stage under callgrind, which counts while [`counted`] runs.
fn count(stage: &str) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--collect-atstart=no", "--toggle-collect=*counted*"])
        .arg(std::env::current_exe().expect("this program"))
        .env("DIURNAL_BENCH_STAGE", stage)
        .output()
        .expect("valgrind (on Debian: apt-get install valgrind)");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stage}: {said}");
    let counted = said.lines().find_map(|line| line.split_once("Collected :"));
    let (_, number) = counted.unwrap_or_else(|| panic!("no count of {stage}: {said}"));
    let number = number.trim().parse().expect("a number");
    assert!(number > 0, "nothing was counted of {stage}");
    number
}

#[inline(never)]
fn counted<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}

fn lines() -> String {
    let ticks = LINES.div_ceil(2 * HOSTS as usize) as i64;
    let simulation = Simulation {
        hosts: HOSTS,
        first_s: FIRST_S,
        end_s: FIRST_S + 10 * ticks,
        seed: 3,
    };
    let sent = simulation.traffic(1).sent;
    sent.iter().take(LINES).map(|sent| sent.line.as_str()).collect()
}

fn parse(text: &str) {
    let mut parser = Parser::with_instructions(Precision::Ns, Limits::default(), INSTRUCTIONS);
    counted(|| {
        let mut lines = parser.lines(text.as_bytes());
        let mut fields = 0;
        while let Some(line) = lines.next() {
            fields += line.map_or(0, |line| line.fields().len());
        }
        fields
    });
}

fn collect(text: &str) -> Collected {
    let mut collector = Collector::new(CollectSettings {
        instructions: INSTRUCTIONS,
        ..CollectSettings::default()
    });
    let origin = |at: usize| Origin::File {
        path: "bench".into(),
        offset: at as u64,
    };
    collector.push(text.as_bytes(), None, origin);
    collector.finish()
}

fn columns(text: &str) {
    counted(|| collect(text));
}

/// The rows of one measurement, all of them of one day.
struct Rows {
    table: SettledTable,
    entries: Vec<Entry>,
    columns: DayColumns,
}

impl Rows {
    fn of(text: &str) -> Vec<Self> {
        let settled = settle(vec![collect(text)]);
        let rows = settled.tables.into_iter().map(|table| {
            let mut days = split_days(&table, Zone::Utc).expect("few rows");
            let (_, entries) = days.pop_first().expect("a day");
            let columns = DayColumns::new(&table, &[], &entries, TimeUnit::Ns);
            Self {
                table,
                entries,
                columns,
            }
        });
        rows.collect()
    }

    fn sort<'a>(&'a self, old: Option<&'a OldDay>) -> SortedRun<'a> {
        let day: Day = "2020-06-19".parse().expect("a day");
        let (first, end) = Zone::Utc.bounds(day);
        let entries = self.entries.clone();
        SortedRun::merge(&self.table, old, entries, &self.columns, Slice::of_day(first..end)).expect("a sorted day")
    }
}

/// One thread: what others do would not be counted.
fn alone<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread();
    pool.build().expect("this thread").install(work)
}

fn sort(text: &str) {
    let rows = Rows::of(text);
    alone(|| counted(|| rows.iter().map(|rows| rows.sort(None).rows()).sum::<usize>()));
}

fn merge(text: &str) {
    let rows = Rows::of(text);
    let old = |rows: &Rows| {
        let run = rows.sort(None);
        let leaf = run.leaf(0..run.rows()).expect("a leaf");
        OldDay::new(&rows.table.schema, &[leaf]).expect("an old day")
    };
    alone(|| {
        let old: Vec<OldDay> = rows.iter().map(old).collect();
        counted(|| {
            let merged = rows.iter().zip(&old).map(|(rows, old)| rows.sort(Some(old)).rows());
            merged.sum::<usize>()
        })
    });
}

fn leaves(rows: &[SortedRun<'_>]) -> Vec<LeafRows> {
    let leaf = |run: &SortedRun<'_>| {
        let limit = LeafSize::default().limit(1 + run.schema().columns.len());
        let leaves = run
            .leaves(limit)
            .into_iter()
            .map(|rows| run.leaf(rows).expect("a leaf"));
        leaves.collect::<Vec<_>>()
    };
    rows.iter().flat_map(leaf).collect()
}

fn gather(text: &str) {
    let rows = Rows::of(text);
    alone(|| {
        let sorted: Vec<SortedRun<'_>> = rows.iter().map(|rows| rows.sort(None)).collect();
        counted(|| leaves(&sorted))
    });
}

fn encode(text: &str, formats: Formats) {
    let rows = Rows::of(text);
    alone(|| {
        let sorted: Vec<SortedRun<'_>> = rows.iter().map(|rows| rows.sort(None)).collect();
        let leaves = leaves(&sorted);
        counted(|| {
            let encode = |(index, leaf): (usize, &LeafRows)| {
                let encoder = LeafEncoder::new(Arc::clone(&leaf.schema), formats).expect("an encoder");
                encoder.encode(index, leaf).expect("an encoded leaf")
            };
            leaves.iter().enumerate().map(encode).collect::<Vec<_>>()
        })
    });
}

fn parquet(text: &str) {
    encode(
        text,
        Formats {
            parquet: true,
            csv: false,
        },
    );
}

fn csv(text: &str) {
    encode(
        text,
        Formats {
            parquet: false,
            csv: true,
        },
    );
}
