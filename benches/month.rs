//! `cargo bench --bench month`: an hourly cron job, against one run over the same lines, as processor time.
//!
//! A small fleet (seeded): 100 hosts, every 10 s nine cpu lines each (8 cores and the total) and one of mem, 8,640,000 lines a day. Each
//! hour is imported when it is over, into both formats; the other archive gets all of it from standard input in one run. In the second
//! case half of an hour's last samples come with the next hour, as happens when agents flush a little later than cron runs. Both
//! archives must be the same, byte for byte.
//!
//! Six days by default (16 GB of disk, 10 minutes a case), since one day is like the other but for the ledger, which grows, and for the one
//! run's memory: with 4 GiB it spills from the fifth day on, as over a month, and costs a third more a day. `DIURNAL_BENCH_DAYS=30` is
//! the month (70 GB of lines, of which one hour is on disk at a time, 90 GB of archives, an hour or two), `DIURNAL_BENCH_CASES=1` leaves the
//! second case out, `DIURNAL_BENCH_FORMATS=parquet` takes other formats.

#[path = "number.rs"]
mod number;
#[path = "process.rs"]
#[allow(dead_code)]
mod process;

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use diurnal::simulate::{Random, Simulation};
use serde_json::Value;

use self::number::number;
use self::process::{Seconds, children_seconds};

/// 2020-06-01 00:00 UTC.
const FIRST_S: i64 = 1_590_969_600;
const HOSTS: u32 = 100;
/// Eight cores and the total.
const CPUS: u32 = 9;
const HOUR_S: i64 = 3_600;
const INTERVAL_S: i64 = 10;

fn formats() -> String {
    std::env::var("DIURNAL_BENCH_FORMATS").unwrap_or_else(|_| "parquet,csv".to_owned())
}

fn main() {
    let days = number("DIURNAL_BENCH_DAYS", 6);
    let cases = [
        ("every line in its hour", false),
        ("half of the last samples an hour later", true),
    ];
    for (name, late) in cases.into_iter().take(number("DIURNAL_BENCH_CASES", 2)) {
        println!("\n{days} days, {}, {name}", formats());
        simulate(days, late);
    }
}

fn simulate(days: usize, late: bool) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let (hourly, at_once) = (folder.path().join("hourly"), folder.path().join("at-once"));
    let mut one_run = import(&at_once, Path::new("-"), Stdio::piped());
    let mut pipe = BufWriter::new(one_run.stdin.take().expect("a pipe"));
    let mut random = Random::new(7);
    let (mut later, mut lines, mut hourly_s) = (String::new(), 0, Seconds::default());
    for hour in 0..days as i64 * 24 {
        let mut now = std::mem::take(&mut later);
        let end_s = FIRST_S + (hour + 1) * HOUR_S;
        each_line(hour, |line, second| {
            let is_late = late && second >= end_s - INTERVAL_S && random.below(2) == 0;
            if is_late { &mut later } else { &mut now }.push_str(line);
        });
        if hour + 1 == days as i64 * 24 {
            now += &later;
        }
        lines += now.lines().count();
        pipe.write_all(now.as_bytes()).expect("the one run reads");
        let file = folder.path().join("hour.lp");
        fs::write(&file, now).expect("room on the disk");
        let this = seconds_of(import(&hourly, &file, Stdio::null()));
        hourly_s.user += this.user;
        hourly_s.system += this.system;
    }
    pipe.flush().expect("the one run reads");
    drop(pipe);
    let at_once_s = seconds_of(one_run);
    println!("  {lines} lines, processor seconds    user  system     all");
    for (name, s) in [("hourly", hourly_s), ("at once", at_once_s)] {
        println!("  {name:<30} {:>8.1} {:>7.1} {:>7.1}", s.user, s.system, s.all());
    }
    println!(
        "  hourly / at once: user {:.2}x, all {:.2}x",
        hourly_s.user / at_once_s.user,
        hourly_s.all() / at_once_s.all()
    );
    let [hourly_rows, at_once_rows] = [&hourly, &at_once].map(|archive| encoded_rows(archive));
    for (measurement, rows) in &hourly_rows {
        let ratio = *rows as f64 / at_once_rows[measurement] as f64;
        println!("  {measurement}: {rows} rows encoded, {ratio:.2}x those of one run");
    }
    assert!(
        digests(&hourly) == digests(&at_once),
        "the archives differ: {}",
        folder.keep().display()
    );
    println!("  the archives are the same");
}

/// The lines of an hour with their times, each host's cpus as a simulated host of its own.
fn each_line(hour: i64, mut see: impl FnMut(&str, i64)) {
    let first_s = FIRST_S + hour * HOUR_S;
    let simulation = Simulation {
        hosts: HOSTS * CPUS,
        first_s,
        end_s: first_s + HOUR_S,
        seed: 11 + hour as u64,
    };
    for sent in simulation.traffic(1).sent {
        let (name, rest) = sent.line.split_once("host=web-").expect("a host");
        let (number, fields) = rest.split_once(' ').expect("fields");
        if name.contains("usage") || fields.contains("=,") {
            continue;
        }
        let number: u32 = number.parse().expect("a number");
        let (host, cpu) = ((number - 1) / CPUS, (number - 1) % CPUS);
        let second = sent.timestamp_ms / 1_000;
        match (name.starts_with("cpu,"), cpu) {
            (true, 8) => see(&format!("cpu,cpu=cpu-total,host=web-{host:03} {fields}"), second),
            (true, _) => see(&format!("cpu,cpu=cpu{cpu},host=web-{host:03} {fields}"), second),
            (false, 0) => see(&format!("mem,host=web-{host:03} {fields}"), second),
            (false, _) => {}
        }
    }
}

fn import(archive: &Path, lines: &Path, input: Stdio) -> Child {
    Command::new(env!("CARGO_BIN_EXE_diurnal"))
        .args(["import", "-q", "--formats", &formats(), "--archive"])
        .arg(archive)
        .arg(lines)
        .stdin(input)
        .spawn()
        .expect("the binary")
}

/// Processor seconds of a child until its end.
fn seconds_of(mut child: Child) -> Seconds {
    let before = children_seconds();
    let status = child.wait().expect("a child");
    assert!(status.success(), "import failed: {status}");
    let after = children_seconds();
    Seconds {
        user: after.user - before.user,
        system: after.system - before.system,
    }
}

/// Rows of the leaves that were no leaves of their day before, by measurement, over all commits.
fn encoded_rows(archive: &Path) -> BTreeMap<String, u64> {
    let mut encoded = BTreeMap::new();
    let mut before: BTreeMap<(String, String), HashSet<String>> = BTreeMap::new();
    for path in files(&archive.join("_diurnal")) {
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        for record in fs::read_to_string(path).expect("a ledger").lines() {
            let record: Value = serde_json::from_str(record).expect("a record");
            for day in record["commit"]["days"].as_array().into_iter().flatten() {
                let text = |key: &str| day[key].as_str().expect("a text").to_owned();
                let leaves = day["leaves"].as_array().expect("leaves");
                let hash = |leaf: &Value| leaf["parquet"]["hash"].as_str().expect("a hash").to_owned();
                let old = before.entry((text("measurement"), text("day"))).or_default();
                let new = leaves.iter().filter(|leaf| !old.contains(&hash(leaf)));
                let rows: u64 = new.map(|leaf| leaf["rows"].as_u64().expect("a number")).sum();
                *encoded.entry(text("measurement")).or_default() += rows;
                *old = leaves.iter().map(hash).collect();
            }
        }
    }
    encoded
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// Name and digest of every day file.
fn digests(archive: &Path) -> BTreeMap<PathBuf, blake3::Hash> {
    let mut found = BTreeMap::new();
    for path in ["cpu", "mem"]
        .into_iter()
        .flat_map(|folder| files(&archive.join(folder)))
    {
        let mut hasher = blake3::Hasher::new();
        std::io::copy(&mut File::open(&path).expect("a file"), &mut hasher).expect("a file");
        let name = path.strip_prefix(archive).expect("below it").to_owned();
        found.insert(name, hasher.finalize());
    }
    found
}
