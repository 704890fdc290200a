//! Round trip through Telegraf's own serializer: what is put into Telegraf is what diurnal reads, or a rule of `rules` says
//! what becomes of it instead.
//!
//! The metrics go in as JSON, which Telegraf's Starlark processor makes metrics of, so that no parser of line protocol stands
//! before the serializer. Only bytes that are not UTF-8 have to come in by line protocol.

mod archived;
mod hard;
mod metric;
mod random;
mod rules;

use std::fs;

use diurnal::lineproto::{Limits, Precision, Reason};
use serde_json::Value as Json;

use super::outcomes;
use super::reference::{Outcome, Value};
use crate::support::duckdb::DuckDb;
use crate::support::folder::Folder;
use crate::support::run::diurnal;
use crate::support::telegraf::Telegraf;
use crate::support::{long, root};
use metric::{Metric, read};
use rules::{Fate, Unsigned, fate};

/// Metrics in one file of Telegraf's input; the processor takes time by the square of it.
const IN_ONE_FILE: usize = 500;

/// Bytes of a line that a failure shows.
const SHOWN: usize = 2_000;

/// Has Telegraf write `sent` in each of some ways: `(file, options of its output)`. Gives the bytes of each file.
#[track_caller]
fn written<const WAYS: usize>(
    telegraf: &Telegraf,
    folder: &Folder,
    sent: &[Metric],
    ways: [(&str, &str); WAYS],
) -> [Vec<u8>; WAYS] {
    let mut files = Vec::new();
    for (number, metrics) in sent.chunks(IN_ONE_FILE).enumerate() {
        let json: Vec<Json> = metrics.iter().map(Metric::to_json).collect();
        let name = format!("sent-{number}.json");
        folder.write(&name, Json::from(json).to_string());
        files.push(name);
    }
    // A basic string of TOML is written as a Rust string is, as far as paths go.
    let script = root().join("tests/support/telegraf.star");
    let mut plugins = format!(
        "[[inputs.file]]\nfiles = {files:?}\ndata_format = \"value\"\ndata_type = \"string\"\n\
         [[processors.starlark]]\norder = 1\nscript = {script:?}\n\
         [[processors.converter]]\norder = 2\n[processors.converter.fields]\nunsigned = [\"{}*\"]\n",
        metric::UNSIGNED
    );
    for (file, options) in ways {
        plugins += &format!("[[outputs.file]]\nfiles = [{file:?}]\ndata_format = \"influx\"\n{options}\n");
    }
    telegraf.run_once(folder.path(), &plugins);
    ways.map(|(file, _)| fs::read(folder.join(file)).expect("Telegraf made its output"))
}

/// What diurnal reads and what it rejects of a file, in order.
fn parsed(bytes: &[u8]) -> Vec<Outcome> {
    outcomes(bytes, Precision::Ns, Limits::default())
}

/// Every metric has met the fate that the rules say, in the order in which they were sent, and nothing else is there.
#[track_caller]
fn assert_fates(bytes: &[u8], expected: &[(&Metric, Fate)], about: &str) {
    let mut outcomes = parsed(bytes).into_iter();
    // Bytes before this belong to a metric.
    let mut at = 0;
    for (sent, fate) in expected {
        let left = &bytes[at..];
        at += match fate {
            Fate::NotWritten => 0,
            Fate::Comment => {
                assert!(left.starts_with(b"#"), "{about}\nsent: {sent:?}\nexpected a comment");
                left.iter()
                    .position(|&byte| byte == b'\n')
                    .expect("Telegraf ends lines")
                    + 1
            }
            Fate::Read(_) | Fate::Rejected(_) => {
                let outcome = outcomes.next();
                let length = match (&outcome, fate) {
                    (Some(line @ Outcome::Line { offset, raw, .. }), Fate::Read(metric)) if *offset == at => {
                        (read(line).as_ref() == Ok(metric)).then_some(raw.len())
                    }
                    (
                        Some(Outcome::Reject {
                            offset, line, reason, ..
                        }),
                        Fate::Rejected(reasons),
                    ) if *offset == at => {
                        let allowed = reasons.iter().any(|allowed| allowed.as_str() == *reason);
                        allowed.then_some(line.len())
                    }
                    _ => None,
                };
                length.unwrap_or_else(|| {
                    let line = left[..left.len().min(SHOWN)].escape_ascii();
                    let got = outcome.as_ref().map(read);
                    panic!("{about}\nsent: {sent:?}\nexpected: {fate:?}\ngot: {got:?}\nbytes at {at}: {line}")
                }) + "\n".len()
            }
        }
    }
    assert_eq!(
        (at, outcomes.next()),
        (bytes.len(), None),
        "{about}: there is more than was sent"
    );
}

fn fates(sent: &[Metric], unsigned: Unsigned) -> Vec<(&Metric, Fate)> {
    sent.iter().map(|metric| (metric, fate(metric, unsigned))).collect()
}

/// With its fields in order of their keys, as `influx_sort_fields` has them.
fn with_sorted_fields(mut metric: Metric) -> Metric {
    metric.fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    metric
}

/// Sends them in all the ways that Telegraf has.
fn assert_round_trip(telegraf: &Telegraf, sent: &[Metric], about: &str) {
    let folder = Folder::new();
    let ways = [
        ("plain.txt", ""),
        ("unsigned.txt", "influx_uint_support = true"),
        ("batches.txt", "use_batch_format = true"),
        ("sorted.txt", "influx_uint_support = true\ninflux_sort_fields = true"),
    ];
    let [plain, unsigned, batches, sorted] = written(telegraf, &folder, sent, ways);
    assert_fates(&plain, &fates(sent, Unsigned::AsIntegers), about);
    assert_fates(
        &unsigned,
        &fates(sent, Unsigned::AsTheyAre),
        &format!("{about}, unsigned"),
    );
    assert!(batches == plain, "{about}: batches differ from single metrics");
    let in_order: Vec<Metric> = sent.iter().cloned().map(with_sorted_fields).collect();
    assert_fates(
        &sorted,
        &fates(&in_order, Unsigned::AsTheyAre),
        &format!("{about}, sorted"),
    );
}

#[test]
fn what_telegraf_writes_of_hard_metrics_is_read_as_it_was_sent() {
    let Some(telegraf) = Telegraf::get() else { return };
    let sent = hard::metrics();
    // The set is what it claims to be: a rule that took too much would leave little of it.
    let fates = fates(&sent, Unsigned::AsTheyAre);
    let read = fates.iter().filter(|(_, fate)| matches!(fate, Fate::Read(_))).count();
    assert!(read > 1_400 && sent.len() - read < 100, "{read} of {}", sent.len());
    assert_round_trip(telegraf, &sent, "hard metrics");
}

#[test]
fn what_telegraf_writes_of_random_metrics_is_read_as_it_was_sent() {
    let Some(telegraf) = Telegraf::get() else { return };
    let (seeds, count) = if long() { (1..=25, 20_000) } else { (1..=1, 3_000) };
    for seed in seeds {
        let sent = random::metrics(seed, count);
        assert_round_trip(telegraf, &sent, &format!("random metrics of seed {seed}"));
    }
}

#[test]
fn names_that_line_protocol_cannot_say_are_rejected_or_read_for_what_they_look_like() {
    let Some(telegraf) = Telegraf::get() else { return };
    let rejected = |reason| Fate::Rejected(vec![reason]);
    let told = |measurement: &str| Metric::new(measurement).int("f", 1);
    // Telegraf cuts backslashes off at the end of tags, but not at the end of measurements and field keys: there they escape the
    // delimiter that follows.
    let cases = [
        (told("m\\"), rejected(Reason::MissingEquals)),
        (told("m\\\\"), rejected(Reason::MissingEquals)),
        (told("m\\").tag("k", "v"), Fate::Read(told("m,k=v"))),
        (told("m\\\\").tag("k", "v"), Fate::Read(told("m\\,k=v"))),
        (
            told("m\\").tag("a", "b").tag("k", "v"),
            Fate::Read(told("m,a=b").tag("k", "v")),
        ),
        (Metric::new("m").int("f\\", 1), rejected(Reason::MissingEquals)),
        (
            Metric::new("m").int("f\\", 1).int("g", 2),
            rejected(Reason::MissingEquals),
        ),
        (
            Metric::new("m").int("f", 1).int("g\\", 2),
            rejected(Reason::MissingEquals),
        ),
        (Metric::new("m").string("f\\", "a=b"), rejected(Reason::BadNumber)),
        (
            Metric::new("m").string("f\\", "a=1").int("g", 2),
            rejected(Reason::BadNumber),
        ),
        // Here the string's last quote opens one; with a quote on the next line that line would go with it.
        (
            Metric::new("m").string("f\\", "a=1,b="),
            rejected(Reason::UnterminatedString),
        ),
        // A line that starts with # is a comment, and Telegraf has no escape for it.
        (told("#m"), Fate::Comment),
        (told("#m").tag("k", "v"), Fate::Comment),
        // A good one at the end: none of them harms its neighbour.
        (told("m"), Fate::Read(told("m"))),
    ];
    let sent: Vec<Metric> = cases.iter().map(|(metric, _)| metric.clone()).collect();
    let folder = Folder::new();
    let [plain] = written(telegraf, &folder, &sent, [("plain.txt", "")]);
    let expected: Vec<(&Metric, Fate)> = cases.iter().map(|(metric, fate)| (metric, fate.clone())).collect();
    assert_fates(&plain, &expected, "what line protocol cannot say");
}

#[test]
fn a_metric_that_telegraf_splits_over_lines_is_one_point_again() {
    let Some(telegraf) = Telegraf::get() else { return };
    const LINE_BYTES: usize = 4_096;
    let mut wide = Metric::new("a, wide one").tag("host", "web 01").at(hard::START);
    for index in 0..250 {
        wide = wide.float(format!("usage, {index}"), 1.0 / f64::from(index + 1));
        wide = wide.string(format!("text, {index}"), format!("\"{index}\"\n"));
    }
    // Telegraf does not write a metric that has a field longer than the limit; nothing of it.
    let too_long = Metric::new("lost").int("a", 1).string("b", "x".repeat(LINE_BYTES));
    let sent = [wide, too_long];
    let folder = Folder::new();
    let options = format!("influx_max_line_bytes = {LINE_BYTES}");
    let [split] = written(telegraf, &folder, &sent, [("split.txt", &options)]);

    let Fate::Read(expected) = fate(&sent[0], Unsigned::AsTheyAre) else {
        panic!("{:?}", sent[0])
    };
    let outcomes = parsed(&split);
    assert!(outcomes.len() > 2, "{} lines", outcomes.len());
    let without_fields = |metric: &Metric| Metric {
        fields: Vec::new(),
        ..metric.clone()
    };
    let mut joined = without_fields(&expected);
    for outcome in &outcomes {
        let part = read(outcome).unwrap_or_else(|reject| panic!("{reject:?}"));
        assert_eq!(without_fields(&part), without_fields(&expected));
        joined.fields.extend(part.fields);
    }
    assert_eq!(joined, expected);

    let report = diurnal(&folder, "import").arg("split.txt").report(0);
    assert_eq!(
        (&report["points"], &report["folded"]),
        (&1.into(), &(outcomes.len() - 1).into())
    );
    assert_eq!(archived::metrics(&folder.archive()), [expected.sorted()]);
}

/// The only way into Telegraf for them is line protocol: JSON and Starlark hold text.
#[test]
fn bytes_that_are_not_utf8_pass_through_telegraf_and_are_rejected() {
    let Some(telegraf) = Telegraf::get() else { return };
    let lines: [&[u8]; 6] = [
        b"m\xff f=1i 1\n",
        b"m,k\xc3=v f=1i 2\n",
        b"m,k=\xed\xa0\x80 f=1i 3\n",
        b"m f\x80=1i 4\n",
        b"m f=\"a\xe2\x82\" 5\n",
        b"m f=1i 6\n",
    ];
    let folder = Folder::new();
    folder.write("sent.txt", lines.concat());
    telegraf.run_once(
        folder.path(),
        "[[inputs.file]]\nfiles = [\"sent.txt\"]\ndata_format = \"influx\"\n\
         [[outputs.file]]\nfiles = [\"written.txt\"]\ndata_format = \"influx\"\n",
    );
    let written = fs::read(folder.join("written.txt")).expect("Telegraf made its output");
    assert_eq!(
        written.escape_ascii().to_string(),
        lines.concat().escape_ascii().to_string()
    );
    let outcomes = parsed(&written);
    let (last, rejects) = outcomes.split_last().expect("a line each");
    assert_eq!(rejects.len(), 5);
    for reject in rejects {
        assert!(
            matches!(reject, Outcome::Reject { reason: "not_utf8", .. }),
            "{reject:?}"
        );
    }
    assert_eq!(read(last), Ok(Metric::new("m").field("f", Value::Int(1)).at(6)));
}

#[test]
fn hard_metrics_stand_in_the_archive_as_they_were_sent() {
    let Some(telegraf) = Telegraf::get() else { return };
    let sent = hard::metrics();
    let folder = Folder::new();
    written(telegraf, &folder, &sent, [("lines.txt", "influx_uint_support = true")]);
    let (mut expected, mut rejected) = (Vec::new(), 0);
    for (_, fate) in fates(&sent, Unsigned::AsTheyAre) {
        match fate {
            // The hard times are outside an archive's range of time.
            Fate::Read(metric) if metric.measurement != "times" => expected.push(metric.sorted()),
            Fate::Read(_) | Fate::Rejected(_) => rejected += 1,
            Fate::Comment | Fate::NotWritten => {}
        }
    }
    let report = diurnal(&folder, "import")
        .args(["--max-rejects", "1000", "lines.txt"])
        .report(0);
    let counts = ["points", "folded", "conflicts", "rejected"].map(|name| report[name].clone());
    assert_eq!(counts, [expected.len(), 0, 0, rejected].map(Json::from));
    assert_archived(&folder, &expected);
    // Every byte once more, and CSV against Parquet.
    diurnal(&folder, "verify").run().expect_code(0);
}

#[track_caller]
fn assert_archived(folder: &Folder, expected: &[Metric]) {
    let found = archived::metrics(&folder.archive());
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected);
    }
}

#[test]
fn the_csv_files_of_hard_metrics_say_what_their_parquet_files_say() {
    let Some(telegraf) = Telegraf::get() else { return };
    let Some(duckdb) = DuckDb::get() else { return };
    // DuckDB takes spaces off the ends of the names in a CSV header, also in quotes.
    let kept = |name: &str| name.trim() == name;
    let mut sent = hard::metrics();
    sent.retain(|metric| match fate(metric, Unsigned::AsTheyAre) {
        Fate::Read(Metric { tags, fields, .. }) => {
            tags.iter().all(|(key, _)| kept(key)) && fields.iter().all(|(key, _)| kept(key))
        }
        _ => false,
    });
    let folder = Folder::new();
    written(telegraf, &folder, &sent, [("lines.txt", "influx_uint_support = true")]);
    let report = diurnal(&folder, "import")
        .args(["--max-rejects", "1000", "lines.txt"])
        .report(0);
    let rows = duckdb.check_archive(&folder.archive(), &[]);
    let days = rows
        .as_object()
        .expect("an object")
        .values()
        .filter_map(Json::as_object);
    let rows: u64 = days.flat_map(|days| days.values()).filter_map(Json::as_u64).sum();
    assert_eq!(report["points"], rows);
    assert!(rows > 1_300, "{rows}");
}
