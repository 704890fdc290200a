//! The stages, put together as an engine does it: tasks in any number and order, some of them twice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use proptest::prelude::*;

use super::*;
use crate::commands::Archiver;
use crate::console::Console;
use crate::order::{LEAF_CELLS, LeafSize};
use crate::settings::{IngestSettings, Memory};
use crate::source::{Origin, TopicIdentity};
use crate::store::record::SourceRange;
use crate::store::{Archive, Requested};

const LEAF_SIZE: LeafSize = LeafSize {
    rows: 4,
    cells: LEAF_CELLS,
};

/// 2020-06-19T00:00:00Z.
const DAY: i64 = 1_592_524_800_000_000_000;

fn topic() -> TopicIdentity {
    TopicIdentity {
        cluster_id: "cluster".into(),
        topic_id: Some("topic id".into()),
        topic: "metrics".into(),
    }
}

fn archiver(archive: &Path) -> Archiver {
    let settings = IngestSettings {
        requested: Requested::default(),
        ..IngestSettings::one_commit(archive)
    };
    Archiver::open("archive", settings, Console::SILENT)
        .unwrap()
        .with_leaf_size(LEAF_SIZE)
}

/// What one machine makes of a round of messages, which begins at an offset.
fn alone(archive: &Path, first: i64, messages: &[String]) {
    let mut archiver = archiver(archive);
    let mut gatherer = archiver.gatherer_of(usize::MAX, usize::MAX);
    for (offset, message) in (first..).zip(messages) {
        gatherer.push(message.as_bytes(), Some(DAY), |_| Origin::Kafka {
            topic: Arc::new(topic()),
            partition: 0,
            offset,
            timestamp_ms: Some(DAY / 1_000_000),
        });
    }
    let gathered = gatherer.finish().unwrap();
    archiver
        .commit(vec![gathered], vec![range(first, messages.len())], Vec::new())
        .unwrap();
    archiver.finish();
}

fn range(first: i64, messages: usize) -> SourceRange {
    SourceRange {
        cluster_id: topic().cluster_id,
        topic_id: topic().topic_id,
        topic: topic().topic,
        partition: 0,
        first,
        next: first + messages as i64,
        messages: messages as u64,
        gaps: 0,
        lost: 0,
        again: 0,
        last: None,
        epoch: None,
    }
}

/// How the work of a round is spread.
#[derive(Clone, Debug)]
struct Spread {
    /// Messages of a task that parses.
    messages: usize,
    /// Messages of a batch.
    batch: usize,
    unit_rows: usize,
    memory: u64,
    backwards: bool,
}

fn kafka_rows(first: i64, messages: &[String]) -> RecordBatch {
    let schema = Schema::new(vec![
        Field::new("topic", DataType::Utf8, true),
        Field::new("partition", DataType::Int32, true),
        Field::new("offset", DataType::Int64, true),
        Field::new("timestamp", DataType::Int64, true),
        Field::new("value", DataType::Binary, true),
    ]);
    let count = messages.len();
    RecordBatch::try_new(
        Arc::new(schema),
        vec![
            Arc::new(StringArray::from(vec!["metrics"; count])),
            Arc::new(Int32Array::from(vec![0; count])),
            Arc::new((first..).take(count).map(Some).collect::<Int64Array>()),
            Arc::new(Int64Array::from(vec![DAY / 1_000_000; count])),
            Arc::new(
                messages
                    .iter()
                    .map(|message| Some(message.as_bytes()))
                    .collect::<BinaryArray>(),
            ),
        ],
    )
    .unwrap()
}

fn payloads(batch: &RecordBatch) -> Vec<Vec<u8>> {
    let payloads = batch.column_by_name("payload").unwrap().as_binary::<i32>();
    payloads.iter().flatten().map(<[u8]>::to_vec).collect()
}

/// What an engine makes of the same.
fn spread(archive: &Path, first: i64, messages: &[String], how: &Spread) {
    let mut archiver = archiver(archive);
    archiver.set_memory(Memory::new(how.memory));
    let next = first + messages.len() as i64;
    let partitions = vec![("metrics".to_owned(), 0, first..next)];
    let mut run = Run::of(archiver, true, vec![topic()], partitions)
        .unwrap()
        .with_leaf_size(LEAF_SIZE);
    let intent = run.intent().to_bytes();

    let parse = |task: usize, messages: &[String]| {
        let mut parse = ParseTask::new(&intent, task as u32).unwrap();
        let mut given = Vec::new();
        let first = first + (task * how.messages) as i64;
        for (number, batch) in messages.chunks(how.batch).enumerate() {
            given.extend(
                parse
                    .push(&kafka_rows(first + (number * how.batch) as i64, batch))
                    .unwrap(),
            );
        }
        given.push(parse.finish().unwrap());
        concat_batches(&parsed_schema(), &given).unwrap()
    };
    let mut tasks: Vec<(usize, &[String])> = messages.chunks(how.messages).enumerate().collect();
    if how.backwards {
        tasks.reverse();
    }
    let parsed: Vec<RecordBatch> = tasks.iter().map(|(task, messages)| parse(*task, messages)).collect();
    // A task that is repeated makes the same.
    let (task, of_task) = tasks[0];
    assert_eq!(parse(task, of_task), parsed[0]);
    let parsed = concat_batches(&parsed_schema(), &parsed).unwrap();

    let is_summary = |row: &usize| parsed.column(0).is_null(*row);
    let payload = parsed.column_by_name("payload").unwrap().as_binary::<i32>();
    let summaries = (0..parsed.num_rows()).filter(is_summary).map(|row| payload.value(row));
    let doubtful = run.summarize(summaries).unwrap();
    let names = parsed.column(0).as_string::<i32>();
    for row in (0..parsed.num_rows()).filter(|row| !is_summary(row)) {
        if doubtful.iter().any(|name| name == names.value(row)) {
            run.examine(&parsed.slice(row, 1)).unwrap();
        }
    }
    let plan = run.plan(Some(how.unit_rows)).unwrap();
    let (count, plan) = (plan.tasks(), plan.to_bytes());

    let routed = RouteTask::new(&plan).unwrap().push(&parsed).unwrap();
    let of = |name: &str, row: usize| {
        routed
            .column_by_name(name)
            .unwrap()
            .as_primitive::<Int32Type>()
            .value(row)
    };
    let mut made = Vec::new();
    for task in 0..count {
        let mut rows: Vec<usize> = (0..routed.num_rows())
            .filter(|row| of("task", *row) == task as i32)
            .collect();
        rows.sort_by_key(|row| of("unit", *row));
        let numbers = Int32Array::from_iter_values(rows.iter().map(|row| *row as i32));
        let rows = take_record_batch(&routed, &numbers).unwrap();
        for attempt in ["first", "second"] {
            let mut encode = EncodeTask::new(&plan, &format!("{attempt}-{task}")).unwrap();
            let mut given = Vec::new();
            for start in (0..rows.num_rows()).step_by(how.batch) {
                let batch = rows.slice(start, how.batch.min(rows.num_rows() - start));
                given.extend(encode.push(&batch).unwrap());
            }
            given.extend(encode.finish().unwrap());
            // The second one is what the engine believes.
            if attempt == "second" {
                made.extend(given.iter().flat_map(payloads));
            }
        }
    }
    let jobs = run.encoded(&made).unwrap();
    let splice = SpliceTask::new(&plan, "only").unwrap();
    let spliced = splice.push(&super::batch::results(&jobs)).unwrap();
    let report = run.commit(payloads(&spliced)).unwrap();
    assert_eq!(report.errors, Vec::<String>::new());
}

/// The files that matter, by path.
fn files(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = Archive::read(archive).unwrap();
    let state = read.state();
    let days = state
        .days
        .values()
        .flat_map(|day| [&day.parquet, &day.csv])
        .flatten()
        .map(|file| &file.path);
    let all = days.chain(state.files.keys());
    let mut files: BTreeMap<String, Vec<u8>> = all
        .map(|path| (path.clone(), std::fs::read(read.locate(path).unwrap()).unwrap()))
        .collect();
    // Rejects are kept in the order in which tasks told of them.
    for (path, content) in &mut files {
        if path.contains("/rejects/") {
            let mut lines: Vec<Vec<u8>> = content
                .split_inclusive(|byte| *byte == b'\n')
                .map(<[u8]>::to_vec)
                .collect();
            lines.sort();
            *content = lines.concat();
        }
    }
    files
}

fn line() -> impl Strategy<Value = String> {
    let measurement = prop_oneof![Just("cpu"), Just("m"), Just("m"), Just("n")];
    let tags = prop_oneof![
        Just(""),
        Just(",host=a"),
        Just(",host=b"),
        Just(",host=a,rack=1"),
        Just(",cpu=cpu0")
    ];
    let fields = prop_oneof![
        Just("usage_idle=1.5"),
        Just("usage_idle=2"),
        Just("v=1i"),
        Just("v=2i"),
        Just("v=2.5"),
        Just("v=1i,w=2u"),
        Just("w=\"text\""),
        Just("ok=t"),
        Just("v="),
        Just("other=7i"),
    ];
    // Most within two minutes, so that units are deep in the division, some on other days.
    let time = prop_oneof![
        4 => (0_i64..24).prop_map(|k| DAY + k * 5_000_000_000),
        2 => (0_i64..24).prop_map(|k| DAY + k * 3_600_000_000_000),
        1 => (0_i64..6).prop_map(|k| DAY + k * 43_200_000_000_000),
        1 => Just(DAY + 1),
    ];
    (measurement, tags, fields, time).prop_map(|(m, tags, fields, time)| format!("{m}{tags} {fields} {time}"))
}

fn messages() -> impl Strategy<Value = Vec<String>> {
    let message = prop::collection::vec(line(), 0..3).prop_map(|lines| lines.join("\n"));
    prop::collection::vec(message, 1..60)
}

fn how() -> impl Strategy<Value = Spread> {
    let memory = prop_oneof![Just(1_000), Just(64 << 20), Just(u64::MAX)];
    (1_usize..30, 1_usize..20, 1_usize..40, memory, any::<bool>()).prop_map(
        |(messages, batch, unit_rows, memory, backwards)| Spread {
            messages,
            batch,
            unit_rows,
            memory,
            backwards,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::engine::tests::cases(), ..ProptestConfig::default() })]

    /// The law, for tasks of an engine: what one machine makes, byte for byte, and either goes on with what the other made; in a folder or
    /// in a bucket.
    #[test]
    fn tasks_make_what_one_machine_makes(
        rounds in prop::collection::vec((messages(), how(), any::<bool>()), 1..4),
        in_bucket in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let one = folder.path().join("one");
        let (many, objects) = place(folder.path(), in_bucket);
        let mut first = 0;
        for (messages, how, by_engine) in rounds {
            alone(&one, first, &messages);
            match by_engine {
                true => spread(&many, first, &messages, &how),
                false => alone(&many, first, &messages),
            }
            let (expected, found) = (files(&one), files(&many));
            prop_assert_eq!(expected.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
            for (path, content) in &expected {
                prop_assert!(found[path] == *content, "{} differs", path);
            }
            let counts = |archive: &Path| Archive::read(archive).unwrap().state().totals;
            prop_assert_eq!(counts(&one), counts(&many));
            first += messages.len() as i64;
        }
        prop_assert_eq!(staged(&many, objects), 0);
    }
}

/// What holds the objects of a bucket in memory.
#[cfg(feature = "object-store")]
type Objects = Arc<crate::store::testing::Faulty>;
#[cfg(not(feature = "object-store"))]
type Objects = ();

/// A place for an archive: a bucket, where this build knows them, or a folder.
fn place(folder: &Path, in_bucket: bool) -> (PathBuf, Option<Objects>) {
    #[cfg(feature = "object-store")]
    if in_bucket {
        let name = crate::store::testing::fresh();
        return (
            format!("memory://{name}/archive").into(),
            Some(crate::store::testing::store(&name)),
        );
    }
    let _ = in_bucket;
    (folder.join("many"), None)
}

/// Files or objects that are staged.
fn staged(archive: &Path, objects: Option<Objects>) -> usize {
    #[cfg(feature = "object-store")]
    if let Some(objects) = objects {
        return objects
            .content()
            .into_keys()
            .filter(|key| key.contains("/staging/"))
            .count();
    }
    let _ = objects;
    std::fs::read_dir(archive.join("_diurnal/staging")).unwrap().count()
}

fn cases() -> u32 {
    match std::env::var_os("DIURNAL_TEST_LONG").is_some() {
        true => 5_000,
        false => 40,
    }
}
