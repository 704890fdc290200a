//! Memory decides nothing: a run that spills most of its rows archives, learns and rejects what a run with ample memory does.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicUsize;

use diurnal::commands::Archiver;
use diurnal::console::Console;
use diurnal::order::{LEAF_CELLS, LeafSize};
use diurnal::report::RunReport;
use diurnal::settings::{IngestSettings, Memory};
use diurnal::source::Origin;
use proptest::prelude::*;

use crate::law::{AMPLE, Budget, budget, bytes_of, settings};
use crate::support::folder::in_memory;
use crate::support::long;
use crate::support::reader::{expect_duckdb_reads, expect_duckdb_reads_some};
use diurnal::format::Formats;

const BOTH: Formats = Formats {
    parquet: true,
    csv: true,
};

/// One commit of these lines, dealt to some threads in turn.
fn archive(
    settings: &IngestSettings,
    budget: Budget,
    leaf_rows: usize,
    threads: usize,
    lines: &[impl AsRef<str>],
) -> RunReport {
    let settings = IngestSettings {
        memory: Memory::new(budget.memory),
        ..settings.clone()
    };
    let mut archiver = Archiver::open("import", settings, Console::SILENT)
        .expect("an archive")
        .with_leaf_size(LeafSize {
            rows: leaf_rows,
            cells: LEAF_CELLS,
        });
    let mut gatherers: Vec<_> = (0..threads)
        .map(|_| archiver.gatherer_of(budget.held, budget.block))
        .collect();
    for (number, line) in lines.iter().enumerate() {
        let origin = |_| Origin::File {
            path: "lines".into(),
            offset: number as u64,
        };
        gatherers[number % threads].push(line.as_ref().as_bytes(), None, origin);
    }
    let gathered: Vec<_> = gatherers
        .into_iter()
        .map(|gatherer| gatherer.finish().expect("room"))
        .collect();
    archiver.commit(gathered, Vec::new(), Vec::new()).expect("a commit");
    archiver.finish()
}

/// What a report says of the lines, in no order.
fn said(report: &RunReport) -> (u64, u64, u64, u64, u64, BTreeSet<String>) {
    let rejects = report.rejects.iter().map(|reject| format!("{reject:?}")).collect();
    (
        report.lines,
        report.points,
        report.folded,
        report.conflicts,
        report.rejected,
        rejects,
    )
}

/// Nothing that was spilled stays behind.
fn assert_no_debris(archive: &Path) {
    let left = std::fs::read_dir(archive.join("_diurnal/staging")).expect("a folder");
    assert_eq!(left.count(), 0);
}

/// A line whose values, tags and times disagree with those of others about everything that can be learned.
fn line() -> impl Strategy<Value = String> {
    let head = prop_oneof![Just("m"), Just("m,a=x"), Just("m,a=y,b=x"), Just("m,c=z"), Just("n")];
    let value = prop_oneof![
        6 => (0..4u8).prop_map(|value| format!("{value}i")),
        2 => Just("9007199254740993i".to_owned()),
        1 => Just("-1i".to_owned()),
        2 => Just("7u".to_owned()),
        1 => Just("18446744073709551615u".to_owned()),
        1 => Just("1.5".to_owned()),
        1 => Just("t".to_owned()),
        1 => Just("\"text\"".to_owned()),
    ];
    let fields = prop::collection::btree_map(prop_oneof![Just("v"), Just("w"), Just("V"), Just("time")], value, 1..3);
    let time = prop_oneof![
        (0..30i64).prop_map(|second| 1_592_611_190 + second),
        (0..3i64).prop_map(|day| 1_592_611_190 + day * 86_400),
    ];
    (head, fields, time).prop_map(|(head, fields, second)| {
        let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{key}={value}")).collect();
        format!("{head} {} {second}000000000\n", fields.join(","))
    })
}

fn cases() -> u32 {
    if long() { 5_000 } else { 150 }
}

static READ_BY_DUCKDB: AtomicUsize = AtomicUsize::new(0);

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn what_is_learned_and_rejected_follows_from_the_lines_however_many_are_spilled(
        lines in prop::collection::vec(line(), 1..60),
        threads in 1..4usize,
        budget in budget(),
    ) {
        let folder = in_memory();
        let schemas = folder.path().join("schemas");
        std::fs::create_dir(&schemas).expect("a folder");
        let [expected, found] = [("ample", AMPLE), ("little", budget)].map(|(name, budget)| {
            let path = folder.path().join(name);
            let report = archive(&settings(&path, &schemas, BOTH, "UTC"), budget, 4, threads, &lines);
            assert_no_debris(&path);
            (said(&report), bytes_of(&path))
        });
        prop_assert_eq!(&expected.0, &found.0);
        prop_assert_eq!(expected.1.keys().collect::<Vec<_>>(), found.1.keys().collect::<Vec<_>>());
        for (name, bytes) in &expected.1 {
            prop_assert!(found.1[name] == *bytes, "{} differs", name);
        }
        expect_duckdb_reads_some(&folder.path().join("little"), &READ_BY_DUCKDB);
    }
}

const LITTLE: Budget = Budget {
    held: 100_000,
    block: 10_000,
    memory: 100_000,
};

/// The same lines with ample memory and with little give the same bytes.
fn assert_the_same(leaf_rows: usize, lines: &[String]) {
    let folder = in_memory();
    let schemas = folder.path().join("schemas");
    std::fs::create_dir(&schemas).expect("a folder");
    let [expected, found] = [("ample", AMPLE), ("little", LITTLE)].map(|(name, budget)| {
        let path = folder.path().join(name);
        let report = archive(&settings(&path, &schemas, BOTH, "UTC"), budget, leaf_rows, 2, lines);
        (said(&report), bytes_of(&path))
    });
    assert_eq!(expected.0, found.0);
    assert!(expected.1 == found.1, "the files differ");
    expect_duckdb_reads(&folder.path().join("little"));
}

#[test]
fn more_series_than_a_run_writes_once_are_spilled_with_their_blocks() {
    let line = |number: usize| {
        let second = 1_592_568_000 + number / 700;
        format!(
            "m,host=h{},rack=r{} v={number}i {second}000000000\n",
            number * 7 % 9_000,
            number % 5
        )
    };
    assert_the_same(1_000, &(0..20_000).map(line).collect::<Vec<_>>());
}

#[test]
fn the_same_lines_many_times_over_are_one_leaf_still() {
    let line = |number: usize| format!("m,host=h{} v=1i 1592568{:03}000000000\n", number % 3, number % 40);
    assert_the_same(200, &(0..20_000).map(line).collect::<Vec<_>>());
}

#[test]
fn one_instant_with_more_rows_than_memory_is_cut_into_leaves() {
    let line = |number: usize| format!("m,host=h{number} v=1i 1592568000000000000\n");
    assert_the_same(64, &(0..5_000).map(line).collect::<Vec<_>>());
}

#[test]
fn a_key_of_its_own_in_each_line_is_spilled_like_any_other() {
    let line = |number: usize| format!("m k{number}=1i {}000000000\n", 1_592_568_000 + number * 31 % 500);
    assert_the_same(64, &(0..500).map(line).collect::<Vec<_>>());
}

#[test]
fn rejects_that_fill_the_memory_again_and_again_leave_no_rows_behind() {
    let folder = in_memory();
    let schemas = folder.path().join("schemas");
    std::fs::create_dir(&schemas).expect("a folder");
    std::fs::write(
        schemas.join("m.toml"),
        "measurement = \"m\"\n[[field]]\nname = \"v\"\ntype = \"int\"\n",
    )
    .expect("a schema");
    let line = |number: usize| {
        let value = if number % 50 == 49 { "7i" } else { "\"text\"" };
        format!(
            "m,host=h{number} v={value},w={number} 1592568{:03}000000000\n",
            number % 7
        )
    };
    let lines: Vec<String> = (0..200).map(line).collect();
    let [expected, found] = [("ample", AMPLE), ("little", Budget { held: 2_000, ..LITTLE })].map(|(name, budget)| {
        let path = folder.path().join(name);
        let report = archive(&settings(&path, &schemas, BOTH, "UTC"), budget, 4, 2, &lines);
        (said(&report), bytes_of(&path))
    });
    assert_eq!(expected.0.4, 196);
    assert!(expected == found, "memory decided something");
}
