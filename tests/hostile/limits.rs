//! Limits on measurements and columns: who gets a place follows from the names of a commit, and what does not is a reject that can go in
//! later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicUsize;

use diurnal::commands::Archiver;
use diurnal::console::Console;
use diurnal::report::RunReport;
use diurnal::settings::{IngestSettings, InputLimits, Memory};
use diurnal::source::Origin;
use proptest::prelude::*;

use crate::law::{AMPLE, Budget, budget, bytes_of, settings};
use crate::support::digest::day_files;
use crate::support::folder::{Folder, in_memory};
use crate::support::long;
use crate::support::reader::expect_duckdb_reads_some;
use crate::support::run::diurnal;
use diurnal::format::Formats;
use diurnal::table::COLUMNS;

const BOTH: Formats = Formats {
    parquet: true,
    csv: true,
};

/// Names of a line, and a value that makes it one of its kind.
#[derive(Clone, Debug)]
struct Line {
    measurement: u8,
    tags: BTreeSet<u8>,
    fields: BTreeSet<u8>,
    number: usize,
}

impl Line {
    fn measurement(&self) -> String {
        format!("m{}", self.measurement)
    }

    /// As they are sorted: tags before fields.
    fn columns(&self) -> BTreeSet<String> {
        let tags = self.tags.iter().map(|tag| format!("1 t{tag}"));
        tags.chain(self.fields.iter().map(|field| format!("2 f{field}")))
            .collect()
    }

    /// With `mixed` values have types that disagree with those of other lines.
    fn text(&self, mixed: bool) -> String {
        let tags: String = self.tags.iter().map(|tag| format!(",t{tag}=x")).collect();
        let value = |field: &u8| match (mixed, (self.number + usize::from(*field)) % 6) {
            (false, _) | (_, 0) => format!("{}i", self.number),
            (_, 1) => "1.5".to_owned(),
            (_, 2) => "t".to_owned(),
            (_, 3) => "\"text\"".to_owned(),
            (_, 4) => "9007199254740993i".to_owned(),
            _ => "18446744073709551615u".to_owned(),
        };
        let fields: Vec<String> = self
            .fields
            .iter()
            .map(|field| format!("f{field}={}", value(field)))
            .collect();
        format!(
            "m{}{tags} {} {}000000000\n",
            self.measurement,
            fields.join(","),
            1_592_611_190 + self.number
        )
    }
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    let names = |most, least| prop::collection::btree_set(0..6u8, least..most);
    prop::collection::vec((0..6u8, names(3, 0), names(4, 1)), 1..40).prop_map(|lines| {
        let line = |(number, (measurement, tags, fields))| Line {
            measurement,
            tags,
            fields,
            number,
        };
        lines.into_iter().enumerate().map(line).collect()
    })
}

/// The rule, said in another way: what the archive knows, and the lines of a commit that it does not take.
#[derive(Default)]
struct Model {
    columns: BTreeMap<String, BTreeSet<String>>,
}

impl Model {
    fn rejected(&mut self, lines: &[Line], limits: InputLimits) -> BTreeSet<(usize, &'static str)> {
        let mut rejected = BTreeSet::new();
        let seen: BTreeSet<String> = lines.iter().map(Line::measurement).collect();
        let new = seen.iter().filter(|name| !self.columns.contains_key(*name));
        let places = limits.measurements.saturating_sub(self.columns.len());
        let excess: BTreeSet<&String> = new.skip(places).collect();
        for measurement in &seen {
            let of_it = || lines.iter().filter(|line| line.measurement() == *measurement);
            if excess.contains(measurement) {
                rejected.extend(of_it().map(|line| (line.number, "too_many_measurements")));
                continue;
            }
            let known = self.columns.entry(measurement.clone()).or_default();
            let names: BTreeSet<String> = of_it().flat_map(Line::columns).collect();
            let new: Vec<String> = names.difference(known).cloned().collect();
            known.extend(new.into_iter().take(limits.columns.saturating_sub(known.len())));
            let too_many = of_it().filter(|line| !line.columns().is_subset(known));
            rejected.extend(too_many.map(|line| (line.number, "too_many_columns")));
        }
        rejected
    }
}

fn archive(settings: &IngestSettings, budget: Budget, threads: usize, texts: &[(usize, String)]) -> RunReport {
    let settings = IngestSettings {
        memory: Memory::new(budget.memory),
        ..settings.clone()
    };
    let mut archiver = Archiver::open("import", settings, Console::SILENT).expect("an archive");
    let mut gatherers: Vec<_> = (0..threads)
        .map(|_| archiver.gatherer_of(budget.held, budget.block))
        .collect();
    for (turn, (number, text)) in texts.iter().enumerate() {
        gatherers[turn % threads].push(text.as_bytes(), None, |_| Origin::File {
            path: "lines".into(),
            offset: *number as u64,
        });
    }
    let gathered = gatherers.into_iter().map(|gatherer| gatherer.finish().expect("room"));
    archiver
        .commit(gathered.collect::<Vec<_>>(), Vec::new(), Vec::new())
        .expect("a commit");
    archiver.finish()
}

fn rejected(report: &RunReport) -> BTreeSet<(usize, &'static str)> {
    let rejects = report.rejects.iter();
    let rejected: BTreeSet<_> = rejects.map(|reject| (reject.offset as usize, reject.reason)).collect();
    assert_eq!(rejected.len() as u64, report.rejected, "each is told once");
    rejected
}

static READ_BY_DUCKDB: AtomicUsize = AtomicUsize::new(0);

fn cases() -> u32 {
    if long() { 10_000 } else { 200 }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn places_are_given_by_name_whatever_the_order_threads_and_memory(
        (lines, shuffled) in lines().prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
        measurements in 1..7usize,
        columns in 1..10usize,
        threads in 1..4usize,
        budget in budget(),
        cut in 0..40usize,
        mixed: bool,
    ) {
        let folder = in_memory();
        let schemas = folder.path().join("schemas");
        std::fs::create_dir(&schemas).expect("a folder");
        let limits = InputLimits { measurements, columns, ..InputLimits::default() };
        let settings = |name: &str| IngestSettings {
            limits,
            ..settings(&folder.path().join(name), &schemas, BOTH, "UTC")
        };
        let cut = cut.min(lines.len());
        let mut model = Model::default();
        for part in [0..cut, cut..lines.len()] {
            let expected = model.rejected(&lines[part.clone()], limits);
            let texts = |lines: &[Line]| -> Vec<(usize, String)> {
                let part = lines.iter().filter(|line| part.contains(&line.number));
                part.map(|line| (line.number, line.text(mixed))).collect()
            };
            let plain = archive(&settings("plain"), AMPLE, 1, &texts(&lines));
            if !mixed {
                prop_assert_eq!(rejected(&plain), expected);
            }
            let other = archive(&settings("other"), budget, threads, &texts(&shuffled));
            prop_assert_eq!(rejected(&other), rejected(&plain));
        }
        let [plain, other] = ["plain", "other"].map(|name| bytes_of(&folder.path().join(name)));
        prop_assert!(plain == other, "the files differ");
        // The same lines once more have the same fate.
        let all: Vec<(usize, String)> = lines.iter().map(|line| (line.number, line.text(mixed))).collect();
        let again = archive(&settings("plain"), AMPLE, 2, &all);
        prop_assert_eq!(again.points, 0);
        expect_duckdb_reads_some(&folder.path().join("other"), &READ_BY_DUCKDB);
    }
}

/// `lines` imported with these flags.
fn imported(lines: &str, flags: &[&str], code: i32) -> Folder {
    let folder = Folder::new();
    folder.write("lines.lp", lines);
    let run = diurnal(&folder, "import").args(flags).arg("lines.lp").run();
    run.expect_code(code);
    folder
}

/// What `rejects` lists: reason and lines of each kind.
fn kinds(folder: &Folder) -> Vec<(String, u64)> {
    let report = diurnal(folder, "rejects").report(0);
    let kinds = report["kinds"].as_array().expect("kinds");
    let kind = |kind: &serde_json::Value| {
        let reason = kind["reason"].as_str().expect("a reason").to_owned();
        (reason, kind["lines"].as_u64().expect("a number"))
    };
    kinds.iter().map(kind).filter(|(_, lines)| *lines > 0).collect()
}

#[test]
fn as_many_measurements_as_may_be_are_taken_and_the_next_is_a_reject_until_the_limit_is_raised() {
    let line = |name: &str| format!("{name} v=1i 1592604000000000000\n");
    let three = [line("c"), line("a"), line("b")].concat();
    imported(&three, &["--max-measurements", "3"], 0);
    let folder = imported(&(three.clone() + &line("aa")), &["--max-measurements", "3"], 3);
    assert_eq!(kinds(&folder), [("too_many_measurements".to_owned(), 1)]);
    assert!(!folder.join("archive/c").exists(), "the last by name has no place");
    // A place is for good: what comes before by name comes too late, what has a place is taken.
    folder.write("more.lp", line("0") + "b v=2i 1592604001000000000\n");
    let more = diurnal(&folder, "import").args(["--max-measurements", "3", "more.lp"]);
    let report = more.report(3);
    assert_eq!((&report["points"], &report["rejected"]), (&1.into(), &1.into()));
    // A measurement that is declared has a place in any case.
    folder.write("declared.lp", "mem,host=a used=1i 1592604001000000000\n");
    diurnal(&folder, "import")
        .args(["--max-measurements", "3", "declared.lp"])
        .run()
        .expect_code(0);

    let retry = |flags: &[&str]| diurnal(&folder, "rejects").arg("--retry").args(flags).report(0);
    assert_eq!(retry(&["--max-measurements", "4"])["points"], 0);
    assert_eq!(retry(&[])["points"], 2);
    let all = three + &line("aa") + &line("0") + "b v=2i 1592604001000000000\nmem,host=a used=1i 1592604001000000000\n";
    assert_eq!(
        day_files(&folder.archive()),
        day_files(&imported(&all, &[], 0).archive())
    );
    diurnal(&folder, "verify").run().expect_code(0);
}

#[test]
fn as_many_columns_as_may_be_are_taken_and_a_line_with_one_more_is_a_reject_until_the_limit_is_raised() {
    let full = "m,t=x a=1i,b=2i 1592604000000000000\n";
    imported(full, &["--max-columns", "3"], 0);
    let more = "m,t=x aa=1i 1592604001000000000\nm,u=x a=1i 1592604002000000000\n";
    let folder = imported(&(full.to_owned() + more), &["--max-columns", "3"], 3);
    // Tags come first, then fields by name: t, u and a have a place, b and aa have none.
    assert_eq!(kinds(&folder), [("too_many_columns".to_owned(), 2)]);
    let shown = diurnal(&folder, "schema").arg("show").run().expect_code(0);
    for (column, there) in [
        ("  t ", true),
        ("  u ", true),
        ("  a ", true),
        ("  aa ", false),
        ("  b ", false),
    ] {
        assert_eq!(shown.stdout.contains(column), there, "{column}: {}", shown.stdout);
    }
    let again = diurnal(&folder, "import")
        .args(["--max-columns", "3", "lines.lp"])
        .report(0);
    assert_eq!((&again["points"], &again["rejected_again"]), (&0.into(), &2.into()));
    let retry = |flags: &[&str]| diurnal(&folder, "rejects").arg("--retry").args(flags).report(0);
    assert_eq!(retry(&["--max-columns", "3"])["points"], 0);
    assert_eq!(retry(&["--max-columns", "5"])["points"], 2);
    let all = imported(&(full.to_owned() + more), &[], 0);
    assert_eq!(day_files(&folder.archive()), day_files(&all.archive()));
    diurnal(&folder, "verify").run().expect_code(0);
}

#[test]
fn declared_columns_have_a_place_in_any_case() {
    let folder = imported(
        "mem,host=a used=1i,free=2i 1592604000000000000\n",
        &["--max-columns", "1"],
        0,
    );
    folder.write("more.lp", "mem,host=a mine=1i 1592604001000000000\n");
    let more = diurnal(&folder, "import").args(["--max-columns", "1", "more.lp"]);
    assert_eq!(more.report(3)["rejects"][0]["reason"], "too_many_columns");
}

#[test]
fn the_columns_of_the_default_limit_are_archived_and_one_more_is_not() {
    let line = |columns: usize, time: u64| {
        let fields: Vec<String> = (0..columns).map(|field| format!("f{field:05}={field}i")).collect();
        format!("m {} 15926040{time:02}000000000\n", fields.join(","))
    };
    let folder = imported(&line(COLUMNS, 0), &[], 0);
    folder.write("more.lp", line(COLUMNS + 1, 1));
    let report = diurnal(&folder, "import").arg("more.lp").report(3);
    assert_eq!(
        (&report["points"], &report["rejects"][0]["reason"]),
        (&0.into(), &"too_many_columns".into())
    );
    diurnal(&folder, "verify").run().expect_code(0);
}

#[test]
fn lines_at_the_edge_of_each_flag_are_archived_and_one_more_byte_tag_or_field_is_a_reject() {
    let flags = ["--max-line", "1000", "--max-tags", "2", "--max-fields", "2"];
    let line = |bytes: usize, time: u64| {
        let around = "m v=\"\" 1592604000000000000".len();
        format!("m v=\"{}\" 15926040{time:02}000000000\n", "x".repeat(bytes - around))
    };
    let good = line(1000, 0) + "m,a=1,b=2 c=1,d=2 1592604001000000000\n";
    imported(&good, &flags, 0);
    let bad = line(1001, 2) + "m,a=1,b=2,c=3 w=1 1592604003000000000\nm a=1,b=2,c=3 1592604004000000000\n";
    let folder = imported(&(good.clone() + &bad), &flags, 3);
    let one = |reason: &str| (reason.to_owned(), 1);
    assert_eq!(
        kinds(&folder),
        [one("line_too_long"), one("too_many_fields"), one("too_many_tags")]
    );
    let retry = diurnal(&folder, "rejects").arg("--retry").report(0);
    // The third one has `c` as a tag, where others have it as a field; each has its column.
    assert_eq!((&retry["points"], &retry["rejected"]), (&3.into(), &0.into()));
}

#[test]
fn a_limit_that_makes_no_sense_is_refused() {
    let folder = Folder::new();
    for (flag, value) in [
        ("--max-measurements", "0"),
        ("--max-measurements", "1000001"),
        ("--max-columns", "0"),
        ("--max-columns", "100001"),
        ("--max-line", "999"),
        ("--max-line", "2GiB"),
        ("--max-line", "long"),
        ("--max-tags", "-1"),
        ("--max-fields", "many"),
    ] {
        let run = diurnal(&folder, "import").arg(format!("{flag}={value}")).arg("-");
        run.run().expect_code(2).expect_said(flag);
    }
    assert!(!folder.archive().exists());
}
