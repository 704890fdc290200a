//! What messages may look like: compressed by any codec, with keys and headers, null, empty, of many lines, of ten megabytes. The
//! archive is that of an import of their lines, to the byte.

use super::{archive, partition};
use crate::support::digest::day_files;
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::lines::{Random, telegraf};
use crate::support::produce::Record;
use crate::support::run::diurnal;
use crate::support::whole::{expect_nothing_lost_or_doubled, lines_of};

/// In the order of the numbers by which batches name them.
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

const PARTITIONS: i32 = 3;

/// The most that a topic for large messages takes.
const TEN_MB: usize = 10 << 20;

/// Lines in messages of every shape, and between them messages without any line: null values, empty ones, blanks, comments.
fn records(seed: u64, count: usize) -> Vec<Record> {
    let mut random = Random::new(seed);
    let mut lines = telegraf(seed, count);
    random.shuffle(&mut lines);
    let mut records = Vec::new();
    let mut rest = lines.into_iter().peekable();
    while rest.peek().is_some() {
        let some = random.within(1..=20);
        let text: String = rest.by_ref().take(some).map(|line| line + "\n").collect();
        let empty = match random.below(12) {
            0 => Some(None),
            1 => Some(Some("")),
            2 => Some(Some("\n# a comment\n\n")),
            _ => None,
        };
        let empty = empty.map(|payload| Record {
            payload: payload.map(|text| text.as_bytes().to_vec()),
            ..Record::default()
        });
        for mut record in empty.into_iter().chain([Record::new(0, text)]) {
            record.partition = random.below(PARTITIONS as u64) as i32;
            if random.one_in(2) {
                record.key = Some(random.below(100).to_le_bytes().to_vec());
            }
            if random.one_in(3) {
                record.headers = vec![("host", "web-01"), ("empty", "")];
            }
            records.push(record);
        }
    }
    records
}

#[test]
fn messages_of_every_codec_and_shape_become_the_files_of_an_import() {
    let Some(kafka) = Kafka::shared() else { return };
    let together = Folder::new();
    let (mut topics, mut lines) = (Vec::new(), Vec::new());
    for (number, codec) in CODECS.into_iter().enumerate() {
        let topic = kafka.topic(codec, PARTITIONS, &[]);
        let records = records(number as u64 + 1, 3_000);
        topic.send_with(&[("compression.type", codec)], &records);
        for partition in 0..PARTITIONS {
            assert!(
                topic.codecs(partition)[number] > 0,
                "{codec}: {:?}",
                topic.codecs(partition)
            );
        }
        let nulls = records.iter().filter(|record| record.payload.is_none()).count();
        let empty = records
            .iter()
            .filter(|record| record.payload.as_deref() == Some(b""))
            .count();
        assert!(
            nulls > 0 && empty > 0,
            "{codec}: {nulls} tombstones, {empty} empty values"
        );

        let folder = Folder::new();
        let report = archive(&folder, kafka, &topic).report(0);
        for number in 0..PARTITIONS {
            let sent = records.iter().filter(|record| record.partition == number).count() as i64;
            assert_eq!(partition(&report, topic.name(), number.into()), [0, sent, sent, 0, 0]);
        }
        expect_nothing_lost_or_doubled(&folder, codec, &lines_of(&records));
        lines.extend(lines_of(&records));
        topics.push(topic);
    }
    let named = topics.iter().flat_map(|topic| ["--topic", topic.name()]);
    let run = diurnal(&together, "archive").args(["--brokers", &kafka.brokers(), "--group", "codecs"]);
    run.args(named).run().expect_code(0);
    // Each topic has the hosts and times of the others with other values: conflicts, of which every value is kept.
    expect_nothing_lost_or_doubled(&together, "all codecs", &lines);
}

#[test]
fn messages_of_10_mb_become_the_files_of_an_import() {
    let Some(kafka) = Kafka::shared() else { return };
    let mut random = Random::new(10);
    let mut text = |bytes: usize| -> String { (0..bytes).map(|_| (b'a' + random.below(26) as u8) as char).collect() };
    // As many lines as go into ten megabytes, and a few long ones; DuckDB reads no CSV line of more than 2 MB unless it is told to.
    let mut many = String::new();
    for line in telegraf(10, 120_000) {
        if many.len() + line.len() + 1_000 > TEN_MB {
            break;
        }
        many += &(line + "\n");
    }
    let long: String = (0..5)
        .map(|n| {
            format!(
                "long,host=a v=\"{}\" {}\n",
                text(1_990_000),
                1_600_000_000_000_000_000i64 + n
            )
        })
        .collect();
    let one = format!("one v=\"{}\" 1600000000000000000\n", text(TEN_MB - 2_000));
    let limit = TEN_MB.to_string();
    for (codec, size) in [("none", "plain"), ("lz4", "compressed")] {
        let topic = kafka.topic(&format!("large-{size}"), 2, &[("max.message.bytes", &limit)]);
        let small = |n: i32| {
            Record::new(
                n % 2,
                format!("small n={n}i {}\n", 1_600_000_000_000_000_000i64 + i64::from(n)),
            )
        };
        let mut records: Vec<_> = (0..10).map(small).collect();
        records.push(Record::new(0, &many));
        records.push(Record::new(1, &long));
        records.extend((10..20).map(small));
        for large in [&many, &long, &one] {
            assert!(large.len() > 9_900_000, "{} bytes", large.len());
        }
        let producer = [("compression.type", codec), ("message.max.bytes", "20000000")];
        topic.send_with(&producer, &records);

        let folder = Folder::new();
        let report = archive(&folder, kafka, &topic).report(0);
        assert_eq!(report["bytes_in"], lines_of(&records).len());
        expect_nothing_lost_or_doubled(&folder, &format!("10 MB, {size}"), &lines_of(&records));

        // A single line of 10 MB: in Parquet only, for DuckDB's sake.
        topic.send_with(&producer, &[Record::new(0, &one)]);
        let (from_kafka, imported) = (Folder::new(), Folder::new());
        let parquet = ["--formats", "parquet"];
        archive(&from_kafka, kafka, &topic).args(parquet).run().expect_code(0);
        imported.write("lines.txt", [lines_of(&records), one.clone().into_bytes()].concat());
        diurnal(&imported, "import")
            .args(parquet)
            .arg("lines.txt")
            .run()
            .expect_code(0);
        assert_eq!(day_files(&from_kafka.archive()), day_files(&imported.archive()));
    }
}
