//! The law with `schema set`: an archive whose column got another type is, byte for byte, the archive that had that type from the
//! start and was given the same values.

use std::collections::BTreeMap;
use std::path::Path;

use diurnal::commands::{Archiver, TypeChange};
use diurnal::console::Console;
use diurnal::format::Formats;
use diurnal::order::{LEAF_CELLS, LeafSize};
use diurnal::source::Origin;
use diurnal::table::schema::ColumnType;
use proptest::prelude::*;

use crate::law::{bytes_of, formats, settings};
use crate::support::folder::in_memory;
use crate::support::long;

/// Small, so that a handful of points fills many leaves, and a point that loses a row can make two of them one.
const LEAF_SIZE: LeafSize = LeafSize {
    rows: 3,
    cells: LEAF_CELLS,
};

/// A type, another one, and values as lines of the one and of the other have them. Different values stand in different orders, and
/// texts of one number become one value.
#[derive(Clone, Copy, Debug)]
struct Pair {
    from: ColumnType,
    to: ColumnType,
    values: &'static [(&'static str, &'static str)],
}

const PAIRS: &[Pair] = &[
    Pair {
        from: ColumnType::Int,
        to: ColumnType::Float,
        values: &[
            ("0i", "0"),
            ("-3i", "-3"),
            ("9007199254740992i", "9007199254740992"),
            ("12i", "1.2e1"),
        ],
    },
    Pair {
        from: ColumnType::Float,
        to: ColumnType::Int,
        values: &[
            ("0", "0i"),
            ("-3", "-3i"),
            ("1e3", "1000i"),
            ("4503599627370496", "4503599627370496i"),
        ],
    },
    Pair {
        from: ColumnType::Uint,
        to: ColumnType::Int,
        values: &[
            ("0u", "0i"),
            ("9u", "9i"),
            ("9223372036854775807u", "9223372036854775807i"),
        ],
    },
    Pair {
        from: ColumnType::Int,
        to: ColumnType::Uint,
        values: &[
            ("0i", "0u"),
            ("9i", "9u"),
            ("9223372036854775807i", "9223372036854775807u"),
        ],
    },
    Pair {
        from: ColumnType::Float,
        to: ColumnType::Uint,
        values: &[
            ("0", "0u"),
            ("3", "3u"),
            ("9223372036854775808", "9223372036854775808u"),
        ],
    },
    Pair {
        from: ColumnType::Int,
        to: ColumnType::String,
        values: &[
            ("9i", "\"9\""),
            ("10i", "\"10\""),
            ("-1i", "\"-1\""),
            ("-10i", "\"-10\""),
        ],
    },
    Pair {
        from: ColumnType::Float,
        to: ColumnType::String,
        values: &[
            ("-0", "\"-0.0\""),
            ("0", "\"0.0\""),
            ("9", "\"9.0\""),
            ("10", "\"10.0\""),
            ("1e300", "\"1e+300\""),
        ],
    },
    Pair {
        from: ColumnType::Boolean,
        to: ColumnType::String,
        values: &[("t", "\"true\""), ("F", "\"false\"")],
    },
    Pair {
        from: ColumnType::String,
        to: ColumnType::Boolean,
        values: &[
            ("\"t\"", "t"),
            ("\"TRUE\"", "t"),
            ("\"true\"", "t"),
            ("\"false\"", "f"),
            ("\"F\"", "f"),
        ],
    },
    Pair {
        from: ColumnType::String,
        to: ColumnType::Float,
        values: &[
            ("\"1\"", "1"),
            ("\"1.0\"", "1"),
            ("\"1e0\"", "1"),
            ("\"10\"", "10"),
            ("\"9\"", "9"),
            ("\"-0\"", "-0"),
            ("\"0\"", "0"),
        ],
    },
    Pair {
        from: ColumnType::String,
        to: ColumnType::Int,
        values: &[
            ("\"7\"", "7i"),
            ("\"007\"", "7i"),
            ("\"10\"", "10i"),
            ("\"-9\"", "-9i"),
            ("\"-10\"", "-10i"),
        ],
    },
];

/// A line: its head, the number of its value of `v` if it has one, that of `w`, its time.
type Drawn = (&'static str, Option<usize>, Option<u8>, i64);

fn drawn() -> impl Strategy<Value = Drawn> {
    const MIDNIGHT: i64 = 1_592_611_200_000_000_000;
    let head = prop_oneof![
        Just("declared"),
        Just("declared,host=a"),
        Just("declared,host=b"),
        Just("learned,host=a"),
        Just("learned,zone=x"),
    ];
    let time = prop_oneof![
        4 => (0i64..12).prop_map(|second| MIDNIGHT + (second - 6) * 1_000_000_000),
        2 => Just(MIDNIGHT + 1),
        1 => (0i64..30).prop_map(|minute| MIDNIGHT + minute * 60_000_000_000),
        1 => Just(MIDNIGHT + 3 * 86_400_000_000_000),
    ];
    (
        head,
        prop::option::weighted(0.8, 0usize..16),
        prop::option::of(0u8..3),
        time,
    )
}

/// The line with its value of `v` as one of the types has it.
fn line((head, v, w, time): Drawn, pair: Pair, to: bool) -> String {
    let v = v.map(|number| {
        let (from, other) = pair.values[number % pair.values.len()];
        format!("v={}", if to { other } else { from })
    });
    // A line without either has a field that only days with such a line have.
    let w = w.map(|w| format!("w={w}i"));
    let fields: Vec<String> = v.into_iter().chain(w).collect();
    let fields = if fields.is_empty() {
        "rare=1".to_owned()
    } else {
        fields.join(",")
    };
    format!("{head} {fields} {time}\n")
}

fn import(archive: &Path, schemas: &Path, formats: Formats, lines: &[String]) {
    let settings = settings(archive, schemas, formats, "UTC");
    let mut archiver = Archiver::open("import", settings, Console::SILENT)
        .expect("an archive")
        .with_leaf_size(LEAF_SIZE);
    let mut collector = archiver.collector();
    for line in lines {
        collector.push(line.as_bytes(), None, |at| Origin::File {
            path: "test".into(),
            offset: at as u64,
        });
    }
    let collected = vec![collector.finish()];
    archiver.commit(collected, Vec::new(), Vec::new()).expect("a commit");
    let report = archiver.finish();
    assert_eq!(report.rejected, 0, "{:?}", report.rejects);
}

fn set(archive: &Path, column: &str, ty: ColumnType) {
    let change = TypeChange {
        column,
        measurement: None,
        ty,
        dry_run: false,
        leaf_size: LEAF_SIZE,
    };
    change.make(Console::SILENT, archive).expect("every value fits");
}

/// A folder of schema files in which `declared.v` has this type.
fn schemas(folder: &Path, name: &str, ty: ColumnType) -> std::path::PathBuf {
    let schemas = folder.join(name);
    std::fs::create_dir(&schemas).expect("a folder");
    let text = format!(
        "measurement = \"declared\"\n[[tag]]\nname = \"host\"\n[[field]]\nname = \"v\"\ntype = \"{ty}\"\nunit = \"m\"\n\
         [[field]]\nname = \"w\"\ntype = \"int\"\n"
    );
    std::fs::write(schemas.join("declared.toml"), text).expect("a schema");
    schemas
}

fn cases() -> u32 {
    if long() { 5_000 } else { 200 }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn a_type_that_was_set_makes_the_bytes_of_one_that_was_there_from_the_start(
        pair in prop::sample::select(PAIRS),
        before in prop::collection::vec(drawn(), 0..40),
        after in prop::collection::vec(drawn(), 0..10),
        formats in formats(),
    ) {
        let folder = in_memory();
        // What settles the columns that nobody declared: the type of the first commit.
        let first = |to: bool| {
            let v = if to { pair.values[0].1 } else { pair.values[0].0 };
            format!("learned,host=a,zone=x v={v},w=1i,rare=1 1577880000000000000\n")
        };
        let lines = |drawn: &[Drawn], to: bool| drawn.iter().map(|drawn| line(*drawn, pair, to)).collect::<Vec<_>>();

        let changed = folder.path().join("changed");
        let old_types = schemas(folder.path(), "old", pair.from);
        import(&changed, &old_types, formats, &[first(false)]);
        // So that the archive knows the measurement even where no line has it.
        import(&changed, &old_types, formats, &["declared w=0i 1577880000000000000\n".to_owned()]);
        import(&changed, &old_types, formats, &lines(&before, false));
        set(&changed, "declared.v", pair.to);
        set(&changed, "learned.v", pair.to);
        import(&changed, &old_types, formats, &lines(&after, true));

        let fresh = folder.path().join("fresh");
        let new_types = schemas(folder.path(), "new", pair.to);
        import(&fresh, &new_types, formats, &[first(true)]);
        let all = [vec!["declared w=0i 1577880000000000000\n".to_owned()], lines(&before, true), lines(&after, true)];
        import(&fresh, &new_types, formats, &all.concat());

        let (expected, found): (BTreeMap<_, _>, BTreeMap<_, _>) = (bytes_of(&fresh), bytes_of(&changed));
        prop_assert_eq!(expected.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
        for (name, bytes) in &expected {
            prop_assert!(found[name] == *bytes, "{} differs, {} -> {}", name, pair.from, pair.to);
        }
    }
}
