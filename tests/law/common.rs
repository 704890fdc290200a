//! What the tests of the law have in common: settings, lines of two measurements, memory, and the bytes that are compared.

use std::collections::BTreeMap;
use std::path::Path;

use diurnal::format::Formats;
use diurnal::order::{LEAF_CELLS, LeafSize};
use diurnal::settings::IngestSettings;
use diurnal::store::Requested;
use proptest::prelude::*;

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

pub fn formats() -> impl Strategy<Value = Formats> {
    prop_oneof![
        3 => Just(Formats { parquet: true, csv: true }),
        1 => Just(Formats { parquet: true, csv: false }),
        1 => Just(Formats { parquet: false, csv: true }),
    ]
}

pub fn settings(archive: &Path, schemas: &Path, formats: Formats, timezone: &str) -> IngestSettings {
    IngestSettings {
        requested: Requested {
            timezone: Some(timezone.to_owned()),
            formats: Some(formats),
            ..Requested::default()
        },
        schemas: Some(schemas.to_owned()),
        ..IngestSettings::one_commit(archive)
    }
}

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
