//! The law: an archive is a function of the set of points it was given. Random points, written as random lines, arrive in
//! random order, split over runs and threads, some of them twice, with more or less memory; the bytes of every day file are the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicUsize;

use diurnal::commands::Archiver;
use diurnal::console::Console;
use diurnal::format::Formats;
use diurnal::lineproto::Precision;
use diurnal::order::{LEAF_CELLS, LeafSize};
use diurnal::settings::{IngestSettings, MaxRejects, Memory};
use diurnal::source::Origin;
use diurnal::store::Requested;
use proptest::prelude::*;

use crate::support::folder::in_memory;
use crate::support::long;
use crate::support::reader::expect_duckdb_reads_some;

/// Leaves in these tests are small, so that a handful of points fills many of them.
pub const LEAF_SIZE: LeafSize = LeafSize {
    rows: 4,
    cells: LEAF_CELLS,
};

/// The columns of the first measurement; the second one's are learned, each in one type only.
pub const SCHEMA: &str = r#"
measurement = "declared one"
[[tag]]
name = "host"
[[field]]
name = "f"
type = "float"
[[field]]
name = "i"
type = "int"
[[field]]
name = "u"
type = "uint"
[[field]]
name = "b"
type = "boolean"
[[field]]
name = "s"
type = "string"
"#;

/// One line of each measurement with all of its columns, on another day: they settle types and names in the same way in every archive,
/// since names that clash are given by what a commit holds.
pub const FIRST: [&str; 2] = [
    "declared\\ one,host=a,zone=x f=1,i=1i,u=1u,b=t,s=\"x\",Extra=1,extra=2 1577880000000000000\n",
    "learned,host=a,rack=1 f=1,i=1i,u=1u,b=t,s=\"x\",Extra=1,extra=2 1577880000000000000\n",
];

/// A line of either measurement, with values from small sets so that points meet, agree and contradict each other.
pub fn line() -> impl Strategy<Value = String> {
    const NOON: i64 = 1_592_568_000_000_000_000;
    const MIDNIGHT: i64 = 1_592_611_200_000_000_000;
    let head = prop_oneof![
        Just("declared\\ one"),
        Just("declared\\ one,host=a"),
        Just("declared\\ one,host=b\\ c,zone=x"),
        Just("declared\\ one,zone=x"),
        Just("learned"),
        Just("learned,host=\\=\\,"),
        Just("learned,host=ä,rack=1"),
        Just("learned,rack=1,host=ä"),
    ];
    let field = prop_oneof![
        prop_oneof![Just("f=0"), Just("f=-0"), Just("f=1.5"), Just("f=-1e300"), Just("f=3")],
        prop_oneof![Just("i=0i"), Just("i=-9223372036854775808i"), Just("i=7i")],
        prop_oneof![Just("u=0u"), Just("u=18446744073709551615u")],
        prop_oneof![Just("b=t"), Just("b=false")],
        prop_oneof![
            Just("s=\"\""),
            Just("s=\"a,\\\"b\\\"\""),
            Just("s=\"x\ny\""),
            Just("s=\"=SUM(A1)\"")
        ],
        prop_oneof![Just("Extra=1"), Just("extra=2")],
    ];
    let fields = prop::collection::btree_map(0..6usize, field, 1..4);
    let time = prop_oneof![
        8 => (0i64..40).prop_map(|second| MIDNIGHT + (second - 20) * 1_000_000_000),
        2 => (0i64..3).prop_map(|nanosecond| NOON + nanosecond),
        1 => Just(NOON),
    ];
    (head, fields, time).prop_map(|(head, fields, time)| {
        // One value a key: the same key twice with two values would be a reject.
        let by_key: BTreeMap<&str, &str> = fields
            .values()
            .map(|field| (field.split('=').next().unwrap_or(field), *field))
            .collect();
        let fields: Vec<&str> = by_key.into_values().collect();
        format!("{head} {} {time}\n", fields.join(","))
    })
}

/// How the lines of a case reach the archive: for each run, for each of its threads, the numbers of the lines.
fn arrival(lines: usize) -> impl Strategy<Value = Vec<Vec<Vec<usize>>>> {
    let again = prop::collection::vec(0..lines, 0..lines.max(1));
    let order = Just((0..lines).collect::<Vec<_>>()).prop_shuffle();
    (order, again, 1..4usize, 1..4usize, any::<u64>()).prop_map(move |(mut order, again, runs, threads, mix)| {
        order.extend(again);
        let mut split = vec![vec![Vec::new(); threads]; runs];
        let mut state = mix | 1;
        for number in order {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let place = (state >> 33) as usize;
            split[place % runs][place / runs % threads].push(number);
        }
        split
    })
}

pub fn formats() -> impl Strategy<Value = Formats> {
    prop_oneof![
        3 => Just(Formats { parquet: true, csv: true }),
        1 => Just(Formats { parquet: true, csv: false }),
        1 => Just(Formats { parquet: false, csv: true }),
    ]
}

pub fn settings(archive: &Path, schemas: &Path, formats: Formats, timezone: &str) -> IngestSettings {
    IngestSettings {
        archive: archive.to_owned(),
        requested: Requested {
            timezone: Some(timezone.to_owned()),
            formats: Some(formats),
            ..Requested::default()
        },
        schemas: Some(schemas.to_owned()),
        memory: Memory::new(u64::MAX),
        threads: 1,
        precision: Precision::Ns,
        max_rejects: MaxRejects::Lines(0),
        commit_every: u64::MAX,
        default_time: None,
        dry_run: false,
    }
}

pub const SILENT: Console = Console {
    json: false,
    quiet: true,
    verbose: false,
    muted: true,
};

/// How much memory a run has.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Bytes that each thread may hold before it spills.
    pub held: usize,
    /// Bytes of a block on disk.
    pub block: usize,
    /// `--memory`: how much may be merged at once.
    pub memory: u64,
}

/// Enough for everything.
pub const AMPLE: Budget = Budget {
    held: usize::MAX,
    block: usize::MAX,
    memory: u64::MAX,
};

/// Mostly too little.
pub fn budget() -> impl Strategy<Value = Budget> {
    let held = prop_oneof![1 => Just(usize::MAX), 3 => 1..2_000usize];
    let block = prop_oneof![1..100usize, 100..1_000usize, Just(usize::MAX)];
    let memory = prop_oneof![1..1_000u64, 1_000..20_000u64, Just(u64::MAX)];
    (held, block, memory).prop_map(|(held, block, memory)| Budget { held, block, memory })
}

/// Archives lines run by run; every run's report must balance and reject nothing.
fn archive(settings: &IngestSettings, budget: Budget, lines: &[String], runs: &[Vec<Vec<usize>>]) {
    let settings = IngestSettings {
        memory: Memory::new(budget.memory),
        ..settings.clone()
    };
    for run in runs {
        let mut archiver = Archiver::open("import", settings.clone(), SILENT)
            .expect("an archive")
            .with_leaf_size(LEAF_SIZE);
        let mut gathered = Vec::new();
        for thread in run {
            let mut gatherer = archiver.gatherer_of(budget.held, budget.block);
            for &number in thread {
                let origin = |at: usize| Origin::File {
                    path: "test".into(),
                    offset: at as u64,
                };
                gatherer.push(lines[number].as_bytes(), None, origin);
            }
            gathered.push(gatherer.finish().expect("what was gathered"));
        }
        archiver.commit(gathered, Vec::new(), Vec::new()).expect("a commit");
        let report = archiver.finish();
        assert_eq!(report.rejected, 0, "{:?}", report.rejects);
        assert_eq!(report.lines, report.points + report.folded);
    }
}

/// Everything outside `_diurnal`, and the schemas.
pub fn bytes_of(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![archive.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path
                .strip_prefix(archive)
                .expect("below the archive")
                .display()
                .to_string();
            if path.is_dir() {
                folders.push(path);
            } else if !name.starts_with("_diurnal") || name.starts_with("_diurnal/schema") {
                found.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    found
}

fn cases() -> u32 {
    if long() { 5_000 } else { 150 }
}

static READ_BY_DUCKDB: AtomicUsize = AtomicUsize::new(0);

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn arrival_order_runs_threads_memory_and_repeats_change_no_byte(
        (lines, arrival) in prop::collection::vec(line(), 1..60).prop_flat_map(|lines| {
            let arrival = arrival(lines.len());
            (Just(lines), arrival)
        }),
        formats in formats(),
        timezone in prop_oneof![4 => Just("UTC"), 1 => Just("Asia/Kathmandu")],
        budget in budget(),
    ) {
        let folder = in_memory();
        let schemas = folder.path().join("schemas");
        std::fs::create_dir(&schemas).expect("a folder");
        std::fs::write(schemas.join("declared.toml"), SCHEMA).expect("a schema");

        let mut lines = lines;
        lines.extend(FIRST.map(str::to_owned));
        let first = vec![vec![vec![lines.len() - 2, lines.len() - 1]]];
        let at_once = vec![vec![(0..lines.len()).collect::<Vec<_>>()]];
        let by_arrival = |name: &str, budget: Budget, arrival: &[Vec<Vec<usize>>]| {
            let path = folder.path().join(name);
            let settings = settings(&path, &schemas, formats, timezone);
            archive(&settings, AMPLE, &lines, &first);
            archive(&settings, budget, &lines, arrival);
            bytes_of(&path)
        };
        let (expected, found) = (by_arrival("one", AMPLE, &at_once), by_arrival("other", budget, &arrival));
        prop_assert_eq!(expected.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
        for (name, bytes) in &expected {
            prop_assert!(found[name] == *bytes, "{} differs", name);
        }
        expect_duckdb_reads_some(&folder.path().join("other"), &READ_BY_DUCKDB);
    }
}
