//! Schema files: round trip, errors, and Telegraf's real lines against the compiled-in ones.

use std::collections::BTreeMap;

use influxdb_line_protocol::{FieldValue, parse_lines};
use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Result<MeasurementSchema> {
    parse(text, Path::new("x.toml"))
}

#[test]
fn every_file_that_is_compiled_in_is_named_after_its_measurement_and_explains_every_column() {
    for (file, text) in BUILTIN_FILES {
        let schema = parse(text, Path::new(file)).unwrap();
        assert_eq!(*file, format!("{}.toml", schema.measurement));
        assert!(schema.description.is_some(), "{file}");
        for column in &schema.columns {
            assert!(column.description.is_some(), "{file}: {}", column.name);
            assert_eq!(column.origin, ColumnOrigin::Declared);
            assert_eq!(column.key, column.name);
        }
        assert_eq!(
            schema.columns[0].name, "host",
            "{file}: rows of one time stand host by host"
        );
    }
    let in_the_folder = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas"))
        .unwrap()
        .count();
    assert_eq!(builtin().len(), in_the_folder);
}

/// Real lines of Telegraf 1.37.2 that were sent through Kafka, one JSON object with a `payload` a message.
const CAPTURES: [&str; 2] = ["my-computer-metric.kcat.jsonl", "wide.kcat.jsonl"];

#[test]
fn telegrafs_real_lines_hold_what_the_compiled_in_files_declare() {
    let mut seen: BTreeMap<String, BTreeMap<String, &str>> = BTreeMap::new();
    for capture in CAPTURES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data/telegraf")
            .join(capture);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for message in text.lines() {
            let message: serde_json::Value = serde_json::from_str(message).unwrap();
            for line in parse_lines(message["payload"].as_str().unwrap()) {
                let line = line.unwrap();
                let columns = seen.entry(line.series.measurement.to_string()).or_default();
                for (tag, _) in line.series.tag_set.iter().flatten() {
                    assert_eq!(*columns.entry(tag.to_string()).or_insert("tag"), "tag");
                }
                for (field, value) in &line.field_set {
                    let ty = match value {
                        FieldValue::F64(_) => "float",
                        FieldValue::I64(_) => "int",
                        FieldValue::U64(_) => "uint",
                        FieldValue::Boolean(_) => "boolean",
                        FieldValue::String(_) => "string",
                    };
                    assert_eq!(*columns.entry(field.to_string()).or_insert(ty), ty, "{field}");
                }
            }
        }
    }
    // A host without utmp has no users to count.
    let missing = [("system", "n_users", "int"), ("system", "n_unique_users", "int")];
    for (measurement, field, ty) in missing {
        seen.entry(measurement.to_owned())
            .or_default()
            .insert(field.to_owned(), ty);
    }
    let declared = builtin().iter().map(|(measurement, schema)| {
        let columns = schema.columns.iter().map(|column| {
            let ty = match (column.kind, column.ty) {
                (ColumnKind::Tag, _) => "tag",
                (ColumnKind::Field, ColumnType::Float) => "float",
                (ColumnKind::Field, ColumnType::Int) => "int",
                (ColumnKind::Field, ColumnType::Uint) => "uint",
                (ColumnKind::Field, ColumnType::Boolean) => "boolean",
                (ColumnKind::Field, ColumnType::String) => "string",
            };
            (column.name.clone(), ty)
        });
        (measurement.clone(), columns.collect::<BTreeMap<_, _>>())
    });
    assert_eq!(declared.collect::<BTreeMap<_, _>>(), seen);
}

#[test]
fn each_mistake_is_named_with_its_line() {
    let head = "measurement = \"cpu\"\n";
    let cases = [
        ("description = \"x\"", "line 1", "missing field `measurement`"),
        ("measurement = \"\"", "line 1", "the measurement has no name"),
        ("measurement = \"cpu\"\nunit = \"s\"", "line 2", "unknown field `unit`"),
        (
            "measurement = \"cpu\"\n[[field]]\nname = \"a\"",
            "line 2",
            "missing field `type`",
        ),
        (
            "measurement = \"cpu\"\n[[field]]\nname = \"a\"\ntype = \"flot\"",
            "line 4",
            "unknown variant `flot`, expected one of `float`",
        ),
        (
            "measurement = \"cpu\"\n[[tag]]\nname = \"a\"\ntype = \"int\"",
            "line 4",
            "unknown field `type`",
        ),
        (
            "measurement = \"cpu\"\n[[tag]]\nname = \"Time\"",
            "line 3",
            "a column can't be called 'Time'",
        ),
        (
            "measurement = \"cpu\"\n[[tag]]\nname = \"\"",
            "line 3",
            "a column without a name",
        ),
        (
            "measurement = \"cpu\"\n[[tag]]\nname = \"a\"\nkey = \"\"",
            "line 3",
            "a column without a name",
        ),
        (
            "measurement = \"cpu\"\n[[tag]]\nname = \"Ä\"\n[[field]]\nname = \"ä\"\ntype = \"int\"",
            "line 5",
            "a second column called 'ä'",
        ),
        (
            "measurement = \"cpu\"\n[[tag]]\nname = \"a\"\nkey = \"k\"\n[[tag]]\nname = \"b\"\nkey = \"k\"",
            "line 6",
            "a second column for the key 'k'",
        ),
        ("measurement = ", "line 1", ""),
    ];
    for (text, line, cause) in cases {
        let error = parsed(text).unwrap_err();
        let said = error.to_string();
        assert!(
            said.starts_with(&format!("x.toml, {line}: ")) && said.contains(cause),
            "{text:?}: {said}"
        );
        assert!(error.advice().is_some());
    }
    // A tag and a field of one key are two columns; only their names must differ.
    let both = format!("{head}[[tag]]\nname = \"a_tag\"\nkey = \"a\"\n[[field]]\nname = \"a\"\ntype = \"int\"");
    assert_eq!(parsed(&both).unwrap().columns.len(), 2);
}

#[test]
fn names_that_duckdb_or_spark_take_for_one_fold_to_one() {
    for (one, other) in [
        ("Foo", "fOO"),
        ("ÄÖ", "äö"),
        ("ΑΣ", "ας"),
        ("ΑΣ", "ασ"),
        ("TIME", "time"),
    ] {
        assert_eq!(folded(one), folded(other));
    }
    assert_ne!(folded("foo"), folded("foo_"));
}

#[test]
fn a_folder_is_read_whole_and_two_files_for_one_measurement_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "b.toml",
        "measurement = \"m\"\n[[tag]]\nname = \"a\"\norigin = \"learned\"",
    );
    write("n.toml", "measurement = \"n\"");
    write("README.md", "not a schema");
    let found = load_dir(folder.path()).unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), ["m", "n"]);
    assert_eq!(found["m"].columns[0].origin, ColumnOrigin::Declared);

    write("c.toml", "measurement = \"m\"");
    let error = load_dir(folder.path()).unwrap_err().to_string();
    assert!(error.contains("c.toml") && error.contains("b.toml"), "{error}");
    assert!(load_dir(&folder.path().join("nowhere")).is_err());
}

fn any_column() -> impl Strategy<Value = Column> {
    let name = || {
        prop_oneof![
            "[a-z]{1,3}",
            "\\PC{1,4}",
            any::<String>().prop_filter("not empty", |name| !name.is_empty())
        ]
    };
    let text = || prop::option::of(any::<String>());
    let ty = prop_oneof![
        Just(ColumnType::Float),
        Just(ColumnType::Int),
        Just(ColumnType::Uint),
        Just(ColumnType::Boolean),
        Just(ColumnType::String),
    ];
    (
        name(),
        prop::option::of(name()),
        any::<bool>(),
        ty,
        any::<bool>(),
        text(),
        text(),
    )
        .prop_map(|(name, key, tag, ty, learned, unit, description)| Column {
            key: key.unwrap_or_else(|| name.clone()),
            name,
            kind: if tag { ColumnKind::Tag } else { ColumnKind::Field },
            ty: if tag { ColumnType::String } else { ty },
            origin: if learned {
                ColumnOrigin::Learned
            } else {
                ColumnOrigin::Declared
            },
            unit,
            description,
        })
}

fn any_schema() -> impl Strategy<Value = MeasurementSchema> {
    let columns = prop::collection::vec(any_column(), 0..8).prop_map(|mut columns| {
        let mut names = HashSet::from([TIME.to_owned()]);
        let mut keys = HashSet::new();
        columns.retain(|column| names.insert(folded(&column.name)) && keys.insert((column.kind, column.key.clone())));
        columns.sort_by_key(|column| column.kind);
        columns
    });
    let measurement = any::<String>().prop_filter("not empty", |name| !name.is_empty());
    (measurement, prop::option::of(any::<String>()), columns).prop_map(|(measurement, description, columns)| {
        MeasurementSchema {
            measurement,
            description,
            columns,
        }
    })
}

proptest! {
    #[test]
    fn any_schema_is_read_back_from_its_text(schema in any_schema()) {
        let text = render(&schema);
        prop_assert_eq!(&text, &render(&schema.clone()));
        prop_assert_eq!(parsed(&text).unwrap(), schema);
    }
}
