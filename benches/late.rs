//! `cargo bench --bench late`: what late lines cost, as processor time, by the side of archiving them alone and of rewriting the day.
//!
//! Days of Telegraf's cpu input (seeded; a sample of each CPU every 10 s) with 100,000 and 1,000,000 rows in both formats, then late
//! lines. `DIURNAL_BENCH_ROWS=8000000,...` takes other sizes (8,000,000 rows need 8 GB of disk and a quarter of an hour),
//! `DIURNAL_BENCH_RUNS=N` other numbers of runs, `DIURNAL_BENCH_FORMATS=parquet` other formats. For each case:
//!
//! - `late`: `diurnal import` of the late lines into the archive, processor seconds, user and system, of all threads;
//! - `alone`: the same lines into a fresh archive;
//! - `copy`: the day's files read, hashed, written and synced by one loop, which is the least that replacing them costs;
//! - `rewrite`: the same merge where every leaf is read and encoded again, by the library's own merge with a leaf one row shorter (a day
//!   that is one leaf is merged as ever).

use std::fs::{self, File};
use std::io::{BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use diurnal::commands::Archiver;
use diurnal::console::Console;
use diurnal::order::{LEAF_ROWS, LeafSize};
use diurnal::settings::IngestSettings;
use diurnal::simulate::Simulation;
use diurnal::source::Origin;

/// 2020-06-19 00:00 UTC.
const FIRST_S: i64 = 1_592_524_800;
const TICKS_A_DAY: usize = 8_640;
const MIDDLE_S: i64 = FIRST_S + 12 * 3_600;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["child-copy", from, to] => copy(Path::new(from), Path::new(to)),
        ["child-rewrite", archive, lines] => rewrite(Path::new(archive), Path::new(lines)),
        _ => {
            let rows = std::env::var("DIURNAL_BENCH_ROWS").unwrap_or_else(|_| "100000,1000000".to_owned());
            for rows in rows.split(',') {
                day(rows.trim().parse().expect("DIURNAL_BENCH_ROWS: numbers of rows"));
            }
        }
    }
}

/// One late batch: what the archive has before, and what comes.
struct Case {
    name: &'static str,
    before: Vec<PathBuf>,
    late: PathBuf,
}

fn day(rows: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let series = rows.div_ceil(TICKS_A_DAY);
    let cases = write_lines(folder.path(), series);
    println!(
        "\n{} rows a day ({series} CPUs)                      processor seconds            late as a multiple of",
        series * TICKS_A_DAY
    );
    println!(
        "                                  late lines    late   alone    copy rewrite   alone  alone+copy  rewrite"
    );
    let runs = std::env::var("DIURNAL_BENCH_RUNS")
        .ok()
        .and_then(|runs| runs.parse().ok());
    let runs = runs.unwrap_or((3_000_000 / rows).clamp(1, 10));
    let mut base: Option<(Vec<PathBuf>, PathBuf)> = None;
    for case in cases {
        if base.as_ref().is_none_or(|(inputs, _)| *inputs != case.before) {
            let archive = folder.path().join("base");
            let _ = fs::remove_dir_all(&archive);
            import(&case.before, &archive);
            base = Some((case.before.clone(), archive));
        }
        let archive = &base.as_ref().expect("made just now").1;
        measure(folder.path(), &case, archive, runs);
    }
}

fn measure(folder: &Path, case: &Case, base: &Path, runs: usize) {
    let work = folder.join("work");
    let late_lines = std::slice::from_ref(&case.late);
    let copy_of_base = || link(base, &work);
    let late = seconds(runs, copy_of_base, || import(late_lines, &work));
    let alone = seconds(runs, || clear(&work), || import(late_lines, &work));
    let copy = seconds(runs, || clear(&work), || child("child-copy", base, &work));
    let rewrite = seconds(runs, copy_of_base, || child("child-rewrite", &work, &case.late));
    clear(&work);
    let lines = fs::read(&case.late)
        .expect("a file")
        .iter()
        .filter(|&&byte| byte == b'\n')
        .count();
    println!(
        "{:<32} {lines:>11} {late:>7.2} {alone:>7.2} {copy:>7.2} {rewrite:>7.2} {:>7.2} {:>11.2} {:>8.2}",
        case.name,
        late / alone,
        late / (alone + copy),
        late / rewrite
    );
}

/// Processor seconds of one of `runs` runs; what prepares them is not counted.
fn seconds(runs: usize, mut prepare: impl FnMut(), mut run: impl FnMut()) -> f64 {
    let mut total = 0.0;
    for _ in 0..runs {
        prepare();
        let before = children_seconds();
        run();
        total += children_seconds() - before;
    }
    total / runs as f64
}

/// User and system time of all children that ended, from proc_pid_stat(5): fields 16 and 17, in ticks.
fn children_seconds() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let behind_name = stat.rsplit(')').next().expect("a name in parentheses");
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    let ticks: f64 = [13, 14]
        .map(|field: usize| fields[field].parse::<f64>().expect("ticks"))
        .iter()
        .sum();
    ticks / TICKS_PER_SECOND
}

fn import(inputs: &[PathBuf], archive: &Path) {
    let formats = std::env::var("DIURNAL_BENCH_FORMATS").unwrap_or_else(|_| "parquet,csv".to_owned());
    let status = Command::new(env!("CARGO_BIN_EXE_diurnal"))
        .args(["import", "-q", "--memory", "16GiB", "--formats", &formats, "--archive"])
        .arg(archive)
        .args(inputs)
        .status()
        .expect("the binary runs");
    assert!(status.success(), "{status}");
}

fn child(what: &str, first: &Path, second: &Path) {
    let this = std::env::current_exe().expect("this program");
    let status = Command::new(this)
        .arg(what)
        .args([first, second])
        .status()
        .expect("this program runs");
    assert!(status.success(), "{status}");
}

fn clear(folder: &Path) {
    if folder.exists() {
        fs::remove_dir_all(folder).expect("a folder of this benchmark");
    }
}

/// An archive whose day files are those of another one (a run replaces them, it never writes into them).
fn link(from: &Path, to: &Path) {
    clear(to);
    each_file(from, &mut |path| {
        let target = to.join(path.strip_prefix(from).expect("below it"));
        fs::create_dir_all(target.parent().expect("a folder")).expect("a folder");
        match path.components().any(|part| part.as_os_str() == "_diurnal") {
            true => drop(fs::copy(path, target).expect("a copy")),
            false => fs::hard_link(path, target).expect("a link"),
        }
    });
}

fn each_file(folder: &Path, see: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => each_file(&path, see),
            false => see(&path),
        }
    }
}

/// Reads, hashes, writes and syncs the day files of an archive.
fn copy(archive: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    let mut number = 0;
    each_file(archive, &mut |path| {
        if path.components().any(|part| part.as_os_str() == "_diurnal") {
            return;
        }
        number += 1;
        let mut input = File::open(path).expect("a day file");
        let mut output = File::create(to.join(number.to_string())).expect("a file");
        let mut hash = blake3::Hasher::new();
        let mut buffer = vec![0; 128 * 1024];
        loop {
            let read = input.read(&mut buffer).expect("a read");
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            output.write_all(&buffer[..read]).expect("a write");
        }
        std::hint::black_box(hash.finalize());
        output.sync_all().expect("a sync");
    });
}

/// Merges lines by encoding every leaf again: the leaves on record are not those of a limit that is lower by one row.
fn rewrite(archive: &Path, lines: &Path) {
    let mut archiver = Archiver::open("import", IngestSettings::one_commit(archive), Console::SILENT)
        .expect("an archive")
        .with_leaf_size(LeafSize {
            rows: LEAF_ROWS - 1,
            ..LeafSize::default()
        });
    let mut collector = archiver.collector();
    let text = fs::read(lines).expect("lines");
    let mut rest = &text[..];
    while !rest.is_empty() {
        let cut = rest.len().min(1 << 20);
        let end = rest[..cut]
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(rest.len(), |at| at + 1);
        let (block, later) = rest.split_at(end);
        let origin = |at: usize| Origin::File {
            path: "bench".into(),
            offset: at as u64,
        };
        collector.push(block, None, origin);
        rest = later;
    }
    archiver
        .commit(vec![collector.finish()], Vec::new(), Vec::new())
        .expect("a commit");
}

/// Writes the lines of a day and gives what is to be measured with them, cases of one archive one after the other.
fn write_lines(folder: &Path, series: usize) -> Vec<Case> {
    let file = |name: &str| folder.join(format!("{name}.lp"));
    let names = ["hours", "last", "middle", "rest", "hosts", "others"];
    let mut files: Vec<BufWriter<File>> = names
        .iter()
        .map(|name| BufWriter::new(File::create(file(name)).expect("a file")))
        .collect();
    let mut write = |number: usize, line: &str| files[number].write_all(line.as_bytes()).expect("a write");
    // 1% of a day: as many seconds of its middle, or one host in a hundred.
    let middle = MIDDLE_S..MIDDLE_S + 864;
    for hour in 0..24 {
        let first_s = FIRST_S + hour * 3_600;
        let simulation = Simulation {
            hosts: u32::try_from(series).expect("a few hosts"),
            first_s,
            end_s: first_s + 3_600,
            seed: 3 + hour as u64,
        };
        for sent in simulation.traffic(1).sent {
            let line = sent.line;
            if !line.starts_with("cpu,") || line.contains("=,") {
                continue;
            }
            write(usize::from(hour == 23), &line);
            let in_the_middle = middle.contains(&(sent.timestamp_ms / 1_000));
            write(if in_the_middle { 2 } else { 3 }, &line);
            let host = line
                .split_once("host=web-")
                .and_then(|(_, rest)| rest.split(' ').next());
            let host: usize = host.and_then(|host| host.parse().ok()).expect("a host's number");
            write(if host % 100 == 5 { 4 } else { 5 }, &line);
        }
    }
    drop(files);
    fs::write(
        file("line"),
        format!("cpu,cpu=cpu-total,host=late usage_idle=1.5 {MIDDLE_S}000000000\n"),
    )
    .expect("a file");
    fs::write(
        file("column"),
        format!("cpu,cpu=cpu-total,host=late usage_new=1.5 {MIDDLE_S}000000000\n"),
    )
    .expect("a file");
    let case = |name, before: &[&str], late: &str| Case {
        name,
        before: before.iter().map(|name| file(name)).collect(),
        late: file(late),
    };
    vec![
        case("the last hour, at the end", &["hours"], "last"),
        case("1%: a quarter of an hour", &["rest"], "middle"),
        case("1%: some hosts, all day", &["others"], "hosts"),
        case("one late line", &["hours", "last"], "line"),
        case("all duplicates: the last hour", &["hours", "last"], "last"),
        case("all duplicates: the whole day", &["hours", "last"], "rest"),
        case("a new column", &["hours", "last"], "column"),
    ]
}
