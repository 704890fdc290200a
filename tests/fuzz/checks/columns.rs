//! Lines to tables: what collectors and settling make of messages, against the model, over several commits.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use diurnal::format::{TimeRange, TimeUnit};
use diurnal::lineproto::{Instructions, Limits};
use diurnal::source::Origin;
use diurnal::table::schema::MeasurementSchema;
use diurnal::table::settle::{Settled as Found, settle};
use diurnal::table::{CollectSettings, Collector, Room, SettledTable, schema_file};

use super::input::{Choices, Message, commits, shown};
use super::model::{Model, Reject, Settings, Settled, Table};
use super::rows::{series, table_rows};

/// The most commits of an input.
const MOST_COMMITS: usize = 3;

/// A time for lines that have none.
const NOON: i64 = 1_592_568_000_000_000_000;

/// A range that an input is likely to meet both sides of.
const NARROW: TimeRange = TimeRange { first: 0, last: 99_999 };

/// Columns of every type, two of them with keys that are no names.
const DECLARED: &str = r#"
measurement = "m"
[[tag]]
name = "t"
[[tag]]
name = "time_tag"
key = "time"
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
[[field]]
name = "other"
key = "a"
type = "int"
"#;

type Schemas = BTreeMap<String, Arc<MeasurementSchema>>;

static SCHEMAS: LazyLock<[Arc<Schemas>; 3]> = LazyLock::new(|| {
    let declared = schema_file::parse(DECLARED, Path::new("declared.toml")).expect("a schema");
    let builtin = schema_file::builtin().clone();
    [vec![], vec![declared], builtin.into_values().collect()].map(|schemas| {
        let by_name = schemas
            .into_iter()
            .map(|schema| (schema.measurement.clone(), Arc::new(schema)));
        Arc::new(by_name.collect())
    })
});

/// Checks one input: 6 choices (precision, time for lines without one, time range, time unit, declared columns, collectors),
/// then the messages of up to three commits.
///
/// # Panics
/// If the tables are not those of the model.
pub fn check(input: &[u8]) {
    let mut choices = Choices::new(input);
    let settings = Settings {
        precision: choices.precision(),
        default_time: choices.one_of(&[None, Some(NOON)]),
        time_range: choices.one_of(&[TimeRange::ALL, NARROW]),
        time_unit: choices.one_of(&[TimeUnit::Ns, TimeUnit::Us]),
        limits: Limits::default(),
        measurement_fits: |name| name.len() < 20,
    };
    let schemas = &SCHEMAS[choices.below(SCHEMAS.len())];
    let collectors = 1 + choices.below(3);
    let text = choices.rest();
    // For each commit and collector its messages.
    let commits: Vec<Vec<Vec<Message<'_>>>> = commits(text, MOST_COMMITS)
        .into_iter()
        .map(|messages| dealt(messages, collectors))
        .collect();

    let declared = schemas.iter().map(|(name, schema)| (name.clone(), (**schema).clone()));
    let mut model = Model::new(settings, declared.collect());
    let expected: Vec<Settled> = commits
        .iter()
        .map(|commit| model.settle(commit.iter().flatten()))
        .collect();
    for instructions in Instructions::available() {
        let mut known = Arc::clone(schemas);
        for (number, (commit, expected)) in commits.iter().zip(&expected).enumerate() {
            let collect = CollectSettings {
                pruned: Arc::default(),
                room: Room::default(),
                precision: settings.precision,
                limits: settings.limits,
                instructions,
                time_range: settings.time_range,
                time_unit: settings.time_unit,
                measurement_fits: settings.measurement_fits,
                schemas: Arc::clone(&known),
            };
            let collected = commit.iter().map(|messages| {
                let mut collector = Collector::new(collect.clone());
                for message in messages {
                    collector.push(message.bytes, settings.default_time, origin(message));
                }
                collector.finish()
            });
            let found = settle(collected.collect());
            for table in &found.tables {
                check_series(table);
                let name = table.schema.measurement.clone();
                Arc::make_mut(&mut known).insert(name, Arc::clone(&table.schema));
            }
            let text = shown(text);
            let set = instructions.as_str();
            assert_eq!(
                in_words(&found),
                *expected,
                "{set}, commit {number}, {settings:?} of {text}"
            );
        }
    }
}

/// The messages of each collector: dealt like cards.
fn dealt(messages: Vec<Message<'_>>, collectors: usize) -> Vec<Vec<Message<'_>>> {
    let mut dealt = vec![Vec::new(); collectors];
    for (number, message) in messages.into_iter().enumerate() {
        dealt[number % collectors].push(message);
    }
    dealt
}

/// Where a line of a message is found: its place in the text says it.
pub fn origin(message: &Message<'_>) -> impl Fn(usize) -> Origin {
    let start = message.start;
    move |at| Origin::File {
        path: "".into(),
        offset: (start + at) as u64,
    }
}

/// What was settled, in the words of the model.
fn in_words(found: &Found) -> Settled {
    let mut rejects: Vec<Reject> = found.rejects.iter().map(Reject::from).collect();
    rejects.sort();
    let names: Vec<&str> = found
        .tables
        .iter()
        .map(|table| table.schema.measurement.as_str())
        .collect();
    assert!(names.is_sorted_by(|a, b| a < b), "tables out of order: {names:?}");
    let tables = found.tables.iter().map(|table| {
        let schema = (*table.schema).clone();
        let rows = table_rows(table);
        (schema.measurement.clone(), Table { schema, rows })
    });
    Settled {
        tables: tables.collect(),
        rejects,
        lines: found.lines,
    }
}

/// The ranks of a table's series are those of the law: null first, then bytewise, each series once.
fn check_series(table: &SettledTable) {
    let count = u32::try_from(table.series.len()).expect("few series");
    let all: Vec<_> = (0..count).map(|rank| series(table, rank)).collect();
    assert!(all.is_sorted_by(|a, b| a < b), "series out of order: {all:?}");
}
