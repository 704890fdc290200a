//! `cargo bench --bench row_groups`: what the limit of rows in a row group costs and brings, on days made of real Telegraf captures.
//!
//! A day of each measurement is written once a limit, Parquet alone, and read by DuckDB. The lines are those of
//! `tests/data/telegraf`, of three agents with about 100 samples in 1,000 s (cpu, mem) or 134 in 270 s (the others) a series, extended to a fleet and a day:
//!
//! - a sample every 10 s from midnight to midnight, as many hosts as make the rows;
//! - host `h` plays agent `h` mod 3 under another name: all of the agent's samples in turn, beginning with a random one (seeded), then
//!   again, beginning with another. All series of a host stand at the sample of the same number, so that what was measured together
//!   stays together, and no two hosts go along side by side;
//! - values are as they were sent, but for integers that only ever grew: these are counters, and go on growing as they did when the samples
//!   begin again, each host from another start. Everything else has no more distinct values than the captures, hundreds to a thousand
//!   a column, where a large fleet has more: dictionaries do better here than there.
//!
//! `MB` and `bytes/value` are of the Parquet file, a value being a time, tag or field that was sent. `encode` is the processor time of the
//! commit (sort, fold, encode, write), of all threads. `scan` adds up five columns, `filter` one over 5 minutes at 15:02, as medians of nine
//! in one DuckDB process with 2 threads, milliseconds. `again` is how many rows 24 hourly appends encode, as a multiple of the day's rows: not
//! measured, but counted by the library's division, in which an hour's rows have the whole slices encoded that they fall into.
//!
//! 2,000,000 rows by default. `DIURNAL_BENCH_ROWS=2000000,8000000` and `DIURNAL_BENCH_MEASUREMENTS=cpu,mem,disk,diskio,net,kernel` take others
//! (8,000,000 rows need 3 GB of memory, four minutes and 1 GB of disk). It needs Python with `venv`, as the tests do for DuckDB.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use diurnal::commands::Archiver;
use diurnal::console::Console;
use diurnal::format::Formats;
use diurnal::order::{LeafSize, OldLeaf, OldSlice, Slice, divide, divide_old};
use diurnal::settings::IngestSettings;
use diurnal::simulate::Random;
use diurnal::source::Origin;
use diurnal::store::Requested;
use serde_json::{Value as Json, json};

/// 2020-06-19 00:00 UTC.
const FIRST_S: i64 = 1_592_524_800;
const DAY: &str = "2020-06-19";
const INTERVAL_S: i64 = 10;
const TICKS: i64 = 86_400 / INTERVAL_S;
const LIMITS: [usize; 6] = [1 << 15, 1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 20];
/// So that not all hosts begin again at one time.
const HOST_OFFSET: usize = 37;
/// How far counters of one host start from those of the next one.
const HOST_COUNT: i64 = 1_000_003;

/// All files in turn, nine times, so that what else goes on meets all of them.
const DUCKDB: &str = r#"
import duckdb, json, statistics, sys, time
connection = duckdb.connect(config={"threads": 2})
def milliseconds(sql):
    start = time.perf_counter()
    connection.execute(sql).fetchall()
    return (time.perf_counter() - start) * 1e3
queries = []
for file in json.load(sys.stdin):
    kinds = connection.execute(f"describe select * from '{file}'").fetchall()
    columns = [f'"{name}"' for name, kind, *_ in kinds if kind in ("DOUBLE", "BIGINT", "UBIGINT")][:5]
    totals = ", ".join(f"sum({column})" for column in columns)
    queries.append((f"select {totals} from '{file}'", f"""select count(*), sum({columns[0]}) from '{file}'
        where time >= '2020-06-19 15:02:00' and time < '2020-06-19 15:07:00'"""))
rounds = [[[milliseconds(sql) for sql in pair] for pair in queries] for _ in range(9)]
print(json.dumps([[statistics.median(taken) for taken in zip(*of_file)] for of_file in zip(*rounds)]))
"#;

fn main() {
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let measurements = setting("DIURNAL_BENCH_MEASUREMENTS", "cpu,diskio,net,mem");
    let captured = captures();
    for rows in setting("DIURNAL_BENCH_ROWS", "2000000").split(',') {
        let rows = rows.trim().parse().expect("DIURNAL_BENCH_ROWS: numbers of rows");
        for measurement in measurements.split(',') {
            let agents = captured.get(measurement).expect("a measurement of the captures");
            table(measurement, &Fleet::new(agents, rows));
        }
    }
}

fn table(measurement: &str, fleet: &Fleet) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    println!("\n{measurement}, {} rows of {} hosts", fleet.rows(), fleet.hosts);
    println!("     rows    MB  bytes/value  encode s  scan ms  filter ms  again");
    let mut files = Vec::new();
    for limit in LIMITS {
        let archive = folder.path().join(limit.to_string());
        let (encode_s, values) = write_day(&archive, measurement, fleet, limit);
        let file = archive.join(measurement).join(format!("{DAY}.parquet"));
        files.push((limit, file, encode_s, values));
    }
    let paths: Vec<&Path> = files.iter().map(|(_, file, ..)| file.as_path()).collect();
    for ((limit, file, encode_s, values), [scan, filter]) in files.iter().zip(read_by_duckdb(&paths)) {
        let bytes = fs::metadata(file).expect("a day file").len() as f64;
        println!(
            "{limit:>9} {:>5.1} {:>12.3} {encode_s:>9.2} {scan:>8.1} {filter:>10.1} {:>6.2}",
            bytes / 1e6,
            bytes / *values as f64,
            fleet.encoded_again(*limit),
        );
    }
}

/// A field as it was captured.
enum Field {
    /// Its text, with whatever tells its type.
    Text(String),
    /// A counter: its value, and what it grows by from one beginning of the samples to the next.
    Counter(i64, i64),
}

/// One series of an agent: its tags but the host, and the fields of each sample.
struct Series {
    tags: String,
    samples: Vec<Vec<(String, Field)>>,
}

/// What the captures have of a measurement, by agent.
type Agents = Vec<Vec<Series>>;

fn captures() -> BTreeMap<String, Agents> {
    // Measurement -> host -> tags -> time -> fields.
    type Samples = BTreeMap<i64, BTreeMap<String, String>>;
    let mut found: BTreeMap<String, BTreeMap<String, BTreeMap<String, Samples>>> = BTreeMap::new();
    for name in ["my-computer-metric", "wide"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/telegraf/{name}.kcat.jsonl"));
        let text = fs::read_to_string(path).expect("a capture");
        let payload = |line| serde_json::from_str::<Json>(line).expect("JSON")["payload"].clone();
        for payload in text.lines().map(payload) {
            for line in payload.as_str().expect("text").lines() {
                // No line of these measurements has escapes or strings.
                let [head, fields, time] = line.split(' ').collect::<Vec<_>>()[..] else {
                    continue;
                };
                let (measurement, tags) = head.split_once(',').expect("tags");
                // The second capture has more columns of cpu, and mem in another interval: one of them is enough.
                if (name == "wide") == ["cpu", "mem"].contains(&measurement) {
                    continue;
                }
                let (host, tags): (Vec<&str>, Vec<&str>) = tags.split(',').partition(|tag| tag.starts_with("host="));
                let by_host = found.entry(measurement.to_owned()).or_default();
                let series = by_host.entry(host.concat()).or_default();
                let sample = series.entry(tags.join(",")).or_default();
                let sample = sample.entry(time.parse().expect("a time")).or_default();
                let pairs = fields.split(',').map(|field| field.split_once('=').expect("a field"));
                sample.extend(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())));
            }
        }
    }
    let series = |(tags, samples): (String, Samples)| Series {
        tags,
        samples: with_counters(samples.into_values().collect()),
    };
    let agent = |series_of: BTreeMap<String, Samples>| {
        let mut all: Vec<Series> = series_of.into_iter().map(series).collect();
        let shortest = all.iter().map(|series| series.samples.len()).min().unwrap_or(0);
        all.iter_mut().for_each(|series| series.samples.truncate(shortest));
        all
    };
    found
        .into_iter()
        .map(|(measurement, hosts)| (measurement, hosts.into_values().map(agent).collect()))
        .collect()
}

fn with_counters(samples: Vec<BTreeMap<String, String>>) -> Vec<Vec<(String, Field)>> {
    let number = |text: &String| text.strip_suffix('i').and_then(|digits| digits.parse::<i64>().ok());
    let grown = |key: &String| -> Option<i64> {
        let values: Vec<i64> = samples
            .iter()
            .map(|sample| number(sample.get(key)?))
            .collect::<Option<_>>()?;
        let (first, last) = (*values.first()?, *values.last()?);
        // The step from the last sample to the first one is one as the others are.
        let step = (last - first) / (values.len() as i64 - 1).max(1);
        (values.is_sorted() && last > first).then_some(last - first + step)
    };
    let growth: BTreeMap<String, i64> = samples
        .iter()
        .flat_map(|sample| sample.keys())
        .filter_map(|key| Some((key.clone(), grown(key)?)))
        .collect();
    let field = |(key, text): (&String, &String)| {
        let counter = growth.get(key).zip(number(text));
        let field = match counter {
            Some((&growth, value)) => Field::Counter(value, growth),
            None => Field::Text(text.clone()),
        };
        (key.clone(), field)
    };
    samples
        .iter()
        .map(|sample| sample.iter().map(field).collect())
        .collect()
}

/// As many hosts as make the rows of a day.
struct Fleet<'a> {
    agents: &'a Agents,
    hosts: usize,
}

impl<'a> Fleet<'a> {
    fn new(agents: &'a Agents, rows: usize) -> Self {
        let series = agents.iter().map(Vec::len).sum::<usize>() as f64 / agents.len() as f64;
        let hosts = (rows as f64 / TICKS as f64 / series).round() as usize;
        Self { agents, hosts }
    }

    fn rows_a_tick(&self) -> usize {
        (0..self.hosts)
            .map(|host| self.agents[host % self.agents.len()].len())
            .sum()
    }

    fn rows(&self) -> usize {
        self.rows_a_tick() * TICKS as usize
    }

    /// Writes the lines of one time; gives how many values they have.
    fn write_lines(&self, measurement: &str, tick: i64, lines: &mut String) -> u64 {
        let mut values = 0;
        for host in 0..self.hosts {
            for series in &self.agents[host % self.agents.len()] {
                let place = tick as usize + host * HOST_OFFSET;
                let count = series.samples.len();
                let round = place / count;
                let first = Random::new((host << 20 | round) as u64).below(count as u64) as usize;
                let sample = first + place % count;
                // Less than twice their growth is what counters grow by from one beginning to the next.
                let rounds = 2 * round + sample / count;
                let comma = if series.tags.is_empty() { "" } else { "," };
                let _ = write!(lines, "{measurement},host=web-{host:04}{comma}{}", series.tags);
                values += 2 + series.tags.matches('=').count() as u64;
                let mut separator = ' ';
                for (key, field) in &series.samples[sample % count] {
                    let _ = match field {
                        Field::Text(text) => write!(lines, "{separator}{key}={text}"),
                        Field::Counter(value, growth) => {
                            let value = value + growth * rounds as i64 + host as i64 * HOST_COUNT;
                            write!(lines, "{separator}{key}={value}i")
                        }
                    };
                    separator = ',';
                    values += 1;
                }
                let _ = writeln!(lines, " {}000000000", FIRST_S + tick * INTERVAL_S);
            }
        }
        values
    }

    /// Rows that 24 hourly appends encode, as a multiple of the day's: all rows of each slice of the division that gets new ones.
    fn encoded_again(&self, limit: usize) -> f64 {
        let nanoseconds = |seconds: i64| i128::from(seconds) * 1_000_000_000;
        let start = nanoseconds(FIRST_S);
        let day = Slice::of_day(start..start + nanoseconds(86_400));
        let rows_before = |time: i128, end_tick: i64| {
            let ticks = (time - start + nanoseconds(INTERVAL_S) - 1) / nanoseconds(INTERVAL_S);
            ticks.clamp(0, end_tick.into()) as usize * self.rows_a_tick()
        };
        let time_of = |row: usize| (FIRST_S + (row / self.rows_a_tick()) as i64 * INTERVAL_S) * 1_000_000_000;
        let mut encoded = 0;
        for hour in 1..=24 {
            let [old_end, new_end] = [hour - 1, hour].map(|hours| hours * 3_600 / INTERVAL_S);
            let leaf = |rows: Range<usize>| OldLeaf {
                rows: rows.len(),
                first: time_of(rows.start),
                last: time_of(rows.end - 1),
            };
            let old = divide(&day, limit, |time| rows_before(time, old_end));
            let old: Vec<OldLeaf> = old.into_iter().map(leaf).collect();
            for OldSlice { slice, .. } in divide_old(day.clone(), limit, &old).expect("its own leaves") {
                let rows = |end_tick| rows_before(slice.time.end, end_tick) - rows_before(slice.time.start, end_tick);
                if rows(new_end) > rows(old_end) {
                    encoded += rows(new_end);
                }
            }
        }
        encoded as f64 / self.rows() as f64
    }
}

/// Archives the day; gives the processor seconds of the commit, and how many values were sent.
fn write_day(archive: &Path, measurement: &str, fleet: &Fleet, limit: usize) -> (f64, u64) {
    let settings = IngestSettings {
        requested: Requested {
            formats: Some(Formats {
                parquet: true,
                csv: false,
            }),
            ..Requested::default()
        },
        ..IngestSettings::one_commit(archive)
    };
    let mut archiver = Archiver::open("import", settings, Console::SILENT)
        .expect("an archive")
        .with_leaf_size(LeafSize {
            rows: limit,
            cells: usize::MAX,
        });
    let mut collector = archiver.collector();
    let mut values = 0;
    let mut lines = String::new();
    for tick in 0..TICKS {
        lines.clear();
        values += fleet.write_lines(measurement, tick, &mut lines);
        let origin = |at: usize| Origin::File {
            path: "bench".into(),
            offset: at as u64,
        };
        collector.push(lines.as_bytes(), None, origin);
    }
    let gathered = vec![collector.finish()];
    let before = processor_seconds();
    archiver.commit(gathered, Vec::new(), Vec::new()).expect("a commit");
    let taken = processor_seconds() - before;
    let report = archiver.finish();
    assert_eq!((report.points, report.rejected), (fleet.rows() as u64, 0));
    (taken, values)
}

/// User and system time of this process, from proc_pid_stat(5): fields 14 and 15, in ticks.
fn processor_seconds() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let behind_name = stat.rsplit(')').next().expect("a name in parentheses");
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    let ticks = [11, 12].map(|field: usize| fields[field].parse::<f64>().expect("ticks"));
    ticks.iter().sum::<f64>() / TICKS_PER_SECOND
}

/// What DuckDB takes for each file: the scan and the filter, in milliseconds.
fn read_by_duckdb(files: &[&Path]) -> Vec<[f64; 2]> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let installed = Command::new("bash")
        .arg(root.join("tests/support/install-duckdb.sh"))
        .arg(root.join("target/test-tools/duckdb"))
        .output()
        .expect("bash can be run");
    let said = String::from_utf8_lossy(&installed.stdout);
    let folder = said.lines().last().expect("the folder of DuckDB");
    let mut child = Command::new(Path::new(folder).join("bin/python"))
        .args(["-c", DUCKDB])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python can be run");
    let mut pipe = child.stdin.take().expect("it is piped");
    write!(pipe, "{}", json!(files)).expect("python reads");
    drop(pipe);
    let output = child.wait_with_output().expect("python ends");
    assert!(output.status.success(), "{}", output.status);
    serde_json::from_slice(&output.stdout).expect("JSON")
}
