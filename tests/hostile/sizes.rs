//! Much of everything: what a producer sends may cost time in proportion to its bytes and disk, but no memory beyond `--memory`.
//!
//! Each test runs a fixed share of what `DIURNAL_TEST_LONG=1` runs: a million of each, ten million series, lines of 80 MB, bombs of
//! a gigabyte. Figures are printed; `--nocapture` shows them.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::Value;

use crate::support::embedded::Embedded;
use crate::support::folder::Folder;
use crate::support::lines::Random;
use crate::support::long;
use crate::support::produce::{self, Record};
use crate::support::run::{Diurnal, diurnal};

const MEMORY: &str = "256MiB";

/// What a run may take beyond it: blocks that were read when the memory was full, rejects on their way to disk, and the leaf of each
/// format that is being encoded, are not known to the byte before.
const PEAK: u64 = 2 * (256 << 20);

/// 2020-06-19 22:00 UTC.
const FIRST_S: u64 = 1_592_604_000;

/// The full number with `DIURNAL_TEST_LONG=1`, else a share.
fn number(share: usize, full: usize) -> usize {
    if long() { full } else { share }
}

/// The numbers below `count`, in no order.
fn shuffled(count: usize) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..count).collect();
    Random::new(1).shuffle(&mut numbers);
    numbers
}

/// The same from the last one down: each name is before all that came, so that places change hands each time.
fn descending(count: usize) -> Vec<usize> {
    (0..count).rev().collect()
}

fn write_lines(path: &Path, numbers: impl IntoIterator<Item = usize>, line: impl Fn(usize, &mut String)) {
    let mut file = BufWriter::new(File::create_new(path).expect("a test can write into its folder"));
    let mut text = String::new();
    for number in numbers {
        text.clear();
        line(number, &mut text);
        file.write_all(text.as_bytes()).expect("room on the disk");
    }
    file.flush().expect("room on the disk");
}

/// Runs with little memory, checks what it took, and gives the report.
#[track_caller]
fn measured(what: &str, run: Diurnal, code: i32) -> Value {
    let (ran, peak) = run.args(["--memory", MEMORY, "--json"]).start().wait_measured();
    let seconds = ran.elapsed.as_secs_f64();
    let report = ran.expect_code(code).json();
    let [lines, points, folded, rejected] =
        ["lines", "points", "folded", "rejected"].map(|count| report[count].as_u64().expect("a number"));
    println!(
        "{what}: {lines} lines in {seconds:.1} s, peak {} MB; {points} points, {rejected} rejected, lost 0, doubled 0",
        peak / 1_000_000
    );
    assert_eq!(lines, points + folded + rejected);
    assert!(peak <= PEAK, "{what}: {peak} bytes at the peak");
    report
}

#[track_caller]
fn import(folder: &Folder, what: &str, flags: &[&str], code: i32) -> Value {
    measured(what, diurnal(folder, "import").args(flags).arg("lines.lp"), code)
}

#[test]
fn a_million_measurements_fill_their_places_and_no_more() {
    let count = number(60_000, 1_000_000);
    for numbers in [shuffled(count), descending(count)] {
        let folder = Folder::new();
        write_lines(&folder.join("lines.lp"), numbers, |number, line| {
            writeln!(line, "m{number:07} v={number}i {FIRST_S}000000000").expect("memory");
        });
        let report = import(&folder, "measurements", &["--max-measurements", "100"], 3);
        assert_eq!((&report["points"], &report["lines"]), (&100.into(), &count.into()));
        assert_eq!(
            diurnal(&folder, "rejects")
                .args(["--limit", "1", "--json"])
                .run()
                .json()["rejects"],
            count - 100
        );
    }
}

#[test]
fn a_million_fields_fill_their_places_and_no_more() {
    let count = number(60_000, 1_000_000);
    for numbers in [shuffled(count), descending(count)] {
        let folder = Folder::new();
        write_lines(&folder.join("lines.lp"), numbers, |number, line| {
            let time = FIRST_S + number as u64 % 80_000;
            writeln!(line, "m f{number:07}={number}i {time}000000000").expect("memory");
        });
        let report = import(&folder, "fields", &[], 3);
        assert_eq!((&report["points"], &report["lines"]), (&1024.into(), &count.into()));
    }
}

#[test]
fn a_million_tag_keys_fill_their_places_and_no_more() {
    let count = number(60_000, 1_000_000);
    let folder = Folder::new();
    write_lines(&folder.join("lines.lp"), shuffled(count), |number, line| {
        let time = FIRST_S + number as u64 % 80_000;
        writeln!(line, "m,t{number:07}=x v={number}i {time}000000000").expect("memory");
    });
    // The field comes after all tags.
    let report = import(&folder, "tag keys", &[], 3);
    assert_eq!((&report["points"], &report["lines"]), (&0.into(), &count.into()));
    // One more place for each of the two, should the memory have been full before the first key by name came.
    folder.write("more.lp", format!("m,t0000000=x v=1i {FIRST_S}000000000\n"));
    let report = diurnal(&folder, "import")
        .args(["--max-columns", "1026", "more.lp"])
        .report(0);
    assert_eq!(report["points"], 1);
}

#[test]
fn ten_million_series_are_archived() {
    let count = number(200_000, 10_000_000);
    let folder = Folder::new();
    write_lines(&folder.join("lines.lp"), shuffled(count), |number, line| {
        let time = FIRST_S + number as u64 % 80_000;
        writeln!(line, "m,host=h{number:08} v={number}i {time}000000000").expect("memory");
    });
    assert_eq!(import(&folder, "series", &[], 0)["points"], count);
}

#[test]
fn as_many_days_as_there_are_become_files() {
    // All of them, 1677 to 2262, take 427,000 files: a long run tries a tenth of the days, for the sake of the disk.
    let count = number(300, 20_000);
    let folder = Folder::new();
    write_lines(&folder.join("lines.lp"), shuffled(count), |number, line| {
        writeln!(line, "m v={number}i {}000000000", number as u64 * 86_400).expect("memory");
    });
    let report = import(&folder, "days", &["--time-range", ".."], 0);
    assert_eq!(report["days"].as_array().map(Vec::len), Some(count));
    if long() {
        // More files than DuckDB can open at once.
        folder.leaves_damaged("archive");
        diurnal(&folder, "verify").run().expect_code(0);
    }
}

/// Neighbours of a line that is too long, and what they become.
const BEFORE: &str = "m v=1i 1592604000000000000\n";
const AFTER: &str = "m v=2i 1592604001000000000\n";

/// A line that is too long, by the bytes that are written again and again.
fn long_lines() -> Vec<(&'static str, String, u8)> {
    vec![
        ("a string", "m v=\"".to_owned(), b'x'),
        ("a string that is not closed", "m v=\"\n".to_owned(), b'"'),
        ("fields", "m ".to_owned(), b','),
        ("no byte that means anything", String::new(), 0),
        ("invalid UTF-8", "m,h=\u{e9}".to_owned(), 0xff),
        ("spaces before a line", String::new(), b' '),
    ]
}

#[test]
fn lines_of_80_mb_are_read_over_and_told_with_their_length() {
    let bytes = number(40 << 20, 80 << 20);
    for (what, start, byte) in long_lines() {
        let folder = Folder::new();
        let mut line = start.clone().into_bytes();
        line.resize(bytes, byte);
        if byte == b' ' {
            line.extend_from_slice(b"m v=1i");
        }
        let lines = [BEFORE.as_bytes(), &line, b"\n", AFTER.as_bytes()].concat();
        folder.write("lines.lp", &lines);
        let report = import(&folder, what, &[], 3);
        let first = start.find('\n').map_or(line.len(), |end| end);
        assert_eq!(report["points"], 2, "{what}: the neighbours are archived");
        assert_eq!(report["bytes_in"], lines.len());
        if first == line.len() {
            let kept: Vec<Value> = rejects(&folder);
            assert_eq!(
                (kept.len(), &kept[0]["reason"], &kept[0]["cut_from"]),
                (1, &"line_too_long".into(), &line.len().into())
            );
            assert_eq!(kept[0]["offset"], BEFORE.len());
            // Its beginning may look like a line: it is never driven as one.
            let retry = diurnal(&folder, "rejects")
                .args(["--retry", "--max-line", "1GiB"])
                .report(0);
            assert_eq!((&retry["points"], &retry["rejected"]), (&0.into(), &1.into()));
        }
        let again = diurnal(&folder, "import").arg("lines.lp").report(0);
        assert_eq!(again["points"], 0);
    }
}

/// The rejects of the first reject file.
fn rejects(folder: &Folder) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("archive/_diurnal/rejects/000001.jsonl")).expect("a reject file");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn a_comment_and_a_blank_line_are_none_however_long_they_are() {
    let bytes = 17 << 20;
    let lines = [
        BEFORE.to_owned(),
        format!("#{}\n", "x".repeat(bytes)),
        format!("  #{}\r\n", " ".repeat(bytes)),
        format!("{}\n", " ".repeat(bytes)),
        format!("{}\r\n", " ".repeat(bytes)),
        AFTER.to_owned(),
        format!("#{}", "y".repeat(bytes)),
    ];
    let folder = Folder::new();
    folder.write("lines.lp", lines.concat());
    let report = import(&folder, "comments", &[], 0);
    assert_eq!(
        (&report["lines"], &report["bytes_in"]),
        (&2.into(), &lines.concat().len().into())
    );
}

#[test]
fn the_longest_line_is_archived_and_one_more_byte_is_a_reject_whatever_ends_it() {
    for end in ["\n", "\r\n", ""] {
        for (bytes, fits) in [(16 << 20, true), ((16 << 20) + 1, false)] {
            let around = "m v=\"\" 1592604002000000000".len();
            let line = format!("m v=\"{}\" 1592604002000000000", "x".repeat(bytes - around));
            let folder = Folder::new();
            folder.write("lines.lp", format!("m v=\"a\" 1592604000000000000\n{line}{end}"));
            // DuckDB reads no CSV line of more than 2 MB unless it is told to.
            let run = diurnal(&folder, "import").args(["--formats", "parquet", "lines.lp"]);
            let report = run.report(if fits { 0 } else { 3 });
            assert_eq!(
                report["points"],
                if fits { 2 } else { 1 },
                "{bytes} bytes, then {end:?}"
            );
            if !fits {
                let kept = rejects(&folder);
                assert_eq!(kept[0]["cut_from"], bytes);
                assert_eq!(kept[0]["line"], line[..64 << 10]);
            }
        }
    }
}

#[test]
fn compressed_files_that_explode_take_no_more_memory_than_others() {
    let bytes = number(100 << 20, 1 << 30);
    let line = |number: u64| format!("m v=2i {}000000000\n", FIRST_S + 1 + number);
    let same: String = (0..10_000).map(line).collect();
    let pieces: [(&str, &[u8], i32); 3] = [
        ("one line", b"\0", 3),
        ("blank lines", b"\n", 0),
        ("the same lines", same.as_bytes(), 0),
    ];
    for (what, piece, code) in pieces {
        for zstd in [false, true] {
            let folder = Folder::new();
            let file = File::create_new(folder.join("lines.lp")).expect("a file");
            let block = piece.repeat((1 << 20) / piece.len());
            let write = |to: &mut dyn Write| {
                to.write_all(BEFORE.as_bytes()).expect("room on the disk");
                for _ in 0..bytes / block.len() {
                    to.write_all(&block).expect("room on the disk");
                }
            };
            if zstd {
                let mut packed = zstd::Encoder::new(file, 1).expect("an encoder");
                write(&mut packed);
                packed.finish().expect("room on the disk");
            } else {
                let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
                write(&mut packed);
                packed.finish().expect("room on the disk");
            }
            let format = if zstd { "zstd" } else { "gzip" };
            let report = import(&folder, &format!("{format} of {what}"), &[], code);
            assert!(report["bytes_in"].as_u64().is_some_and(|read| read > bytes as u64 / 2));
        }
    }
}

#[test]
fn batches_of_kafka_that_explode_take_no_more_memory_than_others() {
    // The embedded broker keeps no more than some megabytes, compressed.
    for (codec, most) in [("gzip", 2_000), ("zstd", 2_000), ("lz4", 1_000), ("snappy", 100)] {
        let messages = number(100, most);
        let broker = Embedded::start();
        broker.create_topic("t", 1);
        let producer = produce::producer(
            &broker.brokers(),
            &[
                ("compression.type", codec),
                ("message.max.bytes", "2000000"),
                ("queue.buffering.max.kbytes", "100000"),
            ],
        );
        let zeros = vec![0; 900_000];
        for _ in 0..messages / 100 {
            produce::send(&producer, "t", &vec![Record::new(0, &zeros); 100]);
        }
        produce::send(&producer, "t", &[Record::new(0, BEFORE)]);
        let folder = Folder::new();
        let run = diurnal(&folder, "archive").args(["--brokers", &broker.brokers(), "--topic", "t"]);
        let report = measured(&format!("{codec} from Kafka"), run, 3);
        assert_eq!((&report["points"], &report["rejected"]), (&1.into(), &messages.into()));
    }
}
