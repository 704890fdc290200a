//! What the benchmark prints, and the same as JSON.

use std::fs;
use std::path::Path;
use std::time::Duration;

use diurnal::report::{grouped, table};
use serde_json::{Value, json};

use crate::contenders::Contender;
use crate::hostile::{Case, Feed};
use crate::machine::{Clock, Machine};
use crate::options::Options;
use crate::race::{Times, median, ratios};
use crate::scaling::{Costs, Point, SCALES, growth};
use crate::sets::Set;
use crate::tally::Tally;

/// A byte that costs less is cheap whatever it costs in smaller sizes: fresh memory alone comes to about as much.
const CHEAP_NS: f64 = 1.0;

/// Below this many megabytes a second a case is called slow.
const SLOW_MB: f64 = 30.0;

/// More bytes of memory than this for a byte of input are remarked on.
const MEMORY: f64 = 50.0;

/// The lock file that this was built with, for the version of the crate that we compare with.
const LOCK: &str = include_str!("../../Cargo.lock");

/// Prints each result as it comes and keeps it for the JSON.
pub struct Report {
    json: Value,
    /// For each set diurnal's best way to columns and its ratio.
    best: Vec<(String, f64, String)>,
    hostile_header_shown: bool,
}

impl Report {
    /// Prints the header.
    pub fn new(machine: &Machine, options: &Options) -> Self {
        let reference = reference_version();
        println!("Parsers of line protocol: diurnal against influxdb-line-protocol {reference}, on one core");
        let pinned = match machine.pinned {
            Some(core) => format!("pinned to core {core}"),
            None => "not pinned to a core".to_owned(),
        };
        println!("  {}, {} cores, {pinned}", machine.processor, machine.cores);
        println!("  {}, {}", machine.rustc, machine.target);
        println!("  instruction sets: {}", machine.instructions.join(", "));
        println!(
            "  medians of {} rounds in which all take turns; {}; memory is given back outside of it",
            options.rounds,
            Clock::COUNTS
        );
        Self {
            json: json!({
                "processor": machine.processor,
                "cores": machine.cores,
                "pinned": machine.pinned,
                "rustc": machine.rustc,
                "target": machine.target,
                "instructions": machine.instructions,
                "reference": format!("influxdb-line-protocol {reference}"),
                "clock": Clock::COUNTS,
                "rounds": options.rounds,
                "sets": [],
                "hostile": [],
            }),
            best: Vec::new(),
            hostile_header_shown: false,
        }
    }

    /// Prints how the contenders did on a set.
    pub fn add_set(&mut self, set: &Set, tally: &Tally, contenders: &[Contender], times: &Times) {
        let bytes = set.text.len();
        println!(
            "\n{}: {} lines, {} fields, {:.1} MB, {:.0} bytes a line",
            set.name,
            grouped(tally.lines),
            grouped(tally.fields),
            bytes as f64 / 1e6,
            bytes as f64 / tally.lines as f64
        );
        let mut rows = Vec::new();
        let mut results = Vec::new();
        let mut best: Option<(f64, String)> = None;
        for (contender, seconds) in contenders.iter().zip(times) {
            let middle = median(seconds);
            let ratios = ratios(&times[0], seconds);
            let (low, high) = extremes(&ratios);
            let instructions = contender.instructions().map(|set| set.as_str());
            rows.push(vec![
                contender.name().to_owned(),
                instructions.unwrap_or("-").to_owned(),
                format!("{:.0}", bytes as f64 / 1e6 / middle),
                format!("{:.3}", tally.lines as f64 / 1e6 / middle),
                format!("{:.0}", 1e9 * middle / tally.lines as f64),
                format!("{:.2}x", median(&ratios)),
                format!("{low:.2}..{high:.2}"),
            ]);
            results.push(json!({
                "contender": contender.name(),
                "instructions": instructions,
                "mb_per_s": bytes as f64 / 1e6 / middle,
                "lines_per_s": tally.lines as f64 / middle,
                "ns_per_line": 1e9 * middle / tally.lines as f64,
                "ratio": median(&ratios),
                "ratio_min": low,
                "ratio_max": high,
                "seconds": seconds,
            }));
            let to_columns = matches!(contender, Contender::Blocks(_) | Contender::Messages(_));
            if to_columns && best.as_ref().is_none_or(|(ratio, _)| median(&ratios) > *ratio) {
                let how = format!("{} ({})", contender.name(), instructions.unwrap_or("-"));
                best = Some((median(&ratios), how));
            }
        }
        let header = [
            "contender",
            "instructions",
            "MB/s",
            "M lines/s",
            "ns/line",
            "ratio",
            "min..max",
        ];
        print!(
            "{}",
            table(&header, &[false, false, true, true, true, true, true], &rows)
        );
        if let Some((ratio, how)) = best {
            self.best.push((set.name.clone(), ratio, how));
        }
        push(
            &mut self.json["sets"],
            json!({
                "set": set.name,
                "lines": tally.lines,
                "fields": tally.fields,
                "bytes": bytes,
                "contenders": results,
            }),
        );
    }

    /// Prints the best of each set.
    pub fn compare_sets(&self) {
        if self.best.is_empty() {
            return;
        }
        let rows: Vec<Vec<String>> = self
            .best
            .iter()
            .map(|(set, ratio, how)| vec![set.clone(), format!("{ratio:.2}x"), how.clone()])
            .collect();
        println!("\nStraight to typed columns, the best of each set");
        print!("{}", table(&["set", "ratio", "by"], &[false, true, false], &rows));
    }

    /// Prints what a hostile case costs.
    pub fn add_case(&mut self, case: &Case, costs: &Costs) {
        if !self.hostile_header_shown {
            self.hostile_header_shown = true;
            println!(
                "\nHostile input: MB/s at sizes N, 4N and 16N; how many times more a byte costs at the largest (1.0: linear);"
            );
            println!(
                "bytes of memory for each byte of input. The cases are described in benches/lineproto/hostile.rs and in the JSON."
            );
            let header = [
                "case", "N, kB", "parse", "", "", "growth", "columns", "", "", "growth", "memory", "",
            ];
            println!("{}", case_row(header));
        }
        let note = note(costs);
        let [p1, p4, p16] = speeds(&costs.parse);
        let [c1, c4, c16] = speeds(&costs.columns);
        let unit = costs.columns.first().map_or(0, |point| point.bytes);
        let row = [
            case.name,
            &format!("{:.0}", unit as f64 / 1e3),
            &p1,
            &p4,
            &p16,
            &format!("{:.1}", growth(&costs.parse)),
            &c1,
            &c4,
            &c16,
            &format!("{:.1}", growth(&costs.columns)),
            &costs.memory.map_or("-".to_owned(), |memory| format!("{memory:.1}x")),
            &note,
        ];
        println!("{}", case_row(row));
        let points = |points: &[Point]| -> Value {
            let point = |point: &Point| json!({"bytes": point.bytes, "ns_per_byte": point.ns_a_byte()});
            points.iter().map(point).collect()
        };
        let feed = match case.feed {
            Feed::Blocks => "blocks".to_owned(),
            Feed::Messages(length) => format!("messages of {length} bytes"),
        };
        push(
            &mut self.json["hostile"],
            json!({
                "case": case.name,
                "about": case.about,
                "given_in": feed,
                "parse": points(&costs.parse),
                "parse_growth": growth(&costs.parse),
                "columns": points(&costs.columns),
                "columns_growth": growth(&costs.columns),
                "memory_per_byte": costs.memory,
                "note": note,
            }),
        );
    }

    /// Says how long it took, and how much of the core was ours.
    pub fn finish(&mut self, passed: Duration, share: f64) {
        let seconds = passed.as_secs_f64();
        println!(
            "\n{seconds:.0} s; while the clock ran, the core was ours for {:.0}%",
            100.0 * share
        );
        self.json["seconds"] = json!(seconds);
        self.json["share_of_core"] = json!(share);
    }

    /// Writes the JSON.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn write_json(&self, path: &Path) -> Result<(), String> {
        fs::write(path, format!("{:#}\n", self.json)).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// A row of the hostile table, which is printed as it grows, since a case can take its time.
fn case_row(cells: [&str; 12]) -> String {
    let [name, unit, p1, p4, p16, p, c1, c4, c16, c, memory, note] = cells;
    let row = format!(
        "{name:<20} {unit:>6} {p1:>8} {p4:>6} {p16:>6} {p:>7} {c1:>9} {c4:>6} {c16:>6} {c:>7} {memory:>7}  {note}"
    );
    row.trim_end().to_owned()
}

fn speeds(points: &[Point]) -> [String; SCALES.len()] {
    std::array::from_fn(|index| match points.get(index) {
        Some(point) if point.mb_a_second() < 9.95 => format!("{:.1}", point.mb_a_second()),
        Some(point) => format!("{:.0}", point.mb_a_second()),
        None => "-".to_owned(),
    })
}

/// What is wrong with a case, if anything is.
fn note(costs: &Costs) -> String {
    let mut notes = Vec::new();
    for (what, points) in [("parse", &costs.parse), ("columns", &costs.columns)] {
        let slowest = points.iter().map(Point::mb_a_second).fold(f64::INFINITY, f64::min);
        if !is_linear(points) {
            notes.push(format!("{what}: NOT LINEAR"));
        } else if slowest < SLOW_MB {
            notes.push(format!("{what}: slow"));
        }
        if points.len() < SCALES.len() {
            notes.push(format!("{what}: larger sizes left out"));
        }
    }
    if costs.memory.is_some_and(|memory| memory > MEMORY) {
        notes.push("much memory".to_owned());
    }
    notes.join("; ")
}

/// Whether a byte costs about the same in all sizes. Where the cost of all bytes grows as their square, a byte's grows as their
/// number; half of that, on a scale of factors, is taken for caches and fresh memory.
fn is_linear(points: &[Point]) -> bool {
    match points {
        [first, .., last] => {
            let sizes = last.bytes as f64 / first.bytes as f64;
            growth(points) <= sizes.sqrt() || last.ns_a_byte() < CHEAP_NS
        }
        _ => true,
    }
}

fn extremes(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(0.0, f64::max);
    (low, high)
}

fn push(list: &mut Value, entry: Value) {
    list.as_array_mut()
        .expect("the lists were made by Report::new")
        .push(entry);
}

fn reference_version() -> &'static str {
    let entry = LOCK.split_once("name = \"influxdb-line-protocol\"\nversion = \"");
    entry
        .and_then(|(_, rest)| rest.split('"').next())
        .unwrap_or("of an unknown version")
}
