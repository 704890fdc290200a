//! The test support tested: what the other tests take for granted of Kafka and DuckDB is really there.

use std::fs;

use crate::support::duckdb::DuckDb;
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::lines;
use crate::support::produce::Record;
use crate::support::reader::{expect_duckdb_reads, what_duckdb_finds_wrong};
use crate::support::run::diurnal;

#[test]
fn an_open_transaction_holds_the_stable_end_and_an_ended_one_leaves_a_marker() {
    let Some(kafka) = Kafka::shared() else { return };
    let topic = kafka.topic("harness-transactions", 1, &[]);
    topic.send(&[Record::new(0, "a"), Record::new(0, "b")]);
    topic.transaction("1", &[Record::new(0, "c")]).commit();
    let ends = topic.settle(0);
    assert_eq!((ends.start, ends.stable, ends.high), (0, 4, 4));
    topic.transaction("2", &[Record::new(0, "d")]).abort();
    assert_eq!(topic.settle(0).high, 6);
    let _open = topic.transaction("3", &[Record::new(0, "e")]);
    let ends = topic.ends(0);
    assert_eq!((ends.stable, ends.high), (6, 7));
    assert_eq!(topic.readable_offsets(0), [0, 1, 2]);
}

#[test]
fn a_compacted_topic_loses_the_older_records_of_a_key() {
    let Some(kafka) = Kafka::shared() else { return };
    let topic = kafka.compacted_topic("harness-compacted");
    let records: Vec<_> = (0..100)
        .map(|n: u8| Record::new(0, [n]).key([n % 5]).at(1 + i64::from(n)))
        .collect();
    topic.send(&records);
    topic.compact(0);
    let readable = topic.readable_offsets(0);
    assert_eq!(readable, [95, 96, 97, 98, 99, 100]);
    assert_eq!(topic.ends(0).start, 0);
}

#[test]
fn a_topic_can_be_cut_grown_and_made_again() {
    let Some(kafka) = Kafka::shared() else { return };
    let topic = kafka.topic("harness-changes", 1, &[]);
    topic.send(&[Record::new(0, "a"), Record::new(0, "b"), Record::new(0, "c")]);
    topic.delete_records(0, 2);
    assert_eq!(topic.readable_offsets(0), [2]);
    topic.add_partitions(3);
    assert_eq!(topic.ends(2).high, 0);
    topic.recreate(1);
    assert_eq!(topic.ends(0).high, 0);
}

#[test]
fn kafkas_own_tool_shows_the_offsets_of_a_group() {
    use rdkafka::consumer::{CommitMode, Consumer as _};
    let Some(kafka) = Kafka::shared() else { return };
    let topic = kafka.topic("harness-group", 1, &[]);
    topic.send(&[Record::new(0, "a"), Record::new(0, "b")]);
    let member = kafka.member("harness", topic.name());
    let mut offsets = member.position().expect("a member has a position");
    offsets
        .set_partition_offset(topic.name(), 0, rdkafka::Offset::Offset(1))
        .expect("it is assigned");
    member.commit(&offsets, CommitMode::Sync).expect("a member can commit");
    let rows = kafka.describe_group("harness");
    assert_eq!(rows, [(topic.name().to_owned(), 0, 1, 1)]);
}

#[test]
fn a_flipped_bit_in_the_brokers_log_is_an_error_to_a_consumer_that_checks() {
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    use rdkafka::error::RDKafkaErrorCode;
    let Some(kafka) = Kafka::shared() else { return };
    let topic = kafka.topic("harness-flip", 1, &[]);
    topic.send_with(&[("compression.type", "none")], &[Record::new(0, "needle")]);
    topic.flip_bit_at(0, "needle");
    let consumer: BaseConsumer = kafka
        .client()
        .set("group.id", "harness-flip")
        .set("check.crcs", "true")
        .create()
        .expect("a consumer can be made");
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition_offset(topic.name(), 0, rdkafka::Offset::Beginning)
        .expect("an offset can be listed");
    consumer.assign(&list).expect("a partition can be assigned");
    let polled = consumer
        .poll(std::time::Duration::from_secs(20))
        .expect("something comes");
    let error = polled.expect_err("it is no message");
    assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::BadMessage));
}

#[test]
fn duckdb_runs_a_query_and_a_file() {
    let Some(duckdb) = DuckDb::get() else { return };
    let folder = Folder::new();
    let sum = duckdb.value(folder.path(), "create table t as select 40 as a; select a + 2 from t");
    assert_eq!(sum, 42);
    let file = folder.write("q.sql", "select 'as ' || 'printed' as c;");
    assert!(duckdb.run_file(folder.path(), &file).contains("as printed"));
}

#[test]
fn made_up_lines_follow_from_their_seed_and_cross_midnight() {
    let lines = lines::telegraf(7, 5_000);
    assert_eq!(lines, lines::telegraf(7, 5_000));
    assert_ne!(lines, lines::telegraf(8, 5_000));
    let midnight = "1592611200000000000";
    assert_eq!(lines.iter().filter(|line| line.ends_with(midnight)).count(), 12);
}

/// Two days of one measurement, of which the second one has a column more.
const TWO_DAYS: &str = "m,h=a f=-0,i=1i 1592568000000000000\n\
                        m,h=b f=1.5,i=2i,s=\"\" 1592654400000000000\n\
                        m,h=c i=3i 1592654400000000001\n";

#[test]
fn what_duckdb_would_not_read_as_documented_is_found_in_every_archive() {
    let Some(duckdb) = DuckDb::get() else { return };
    let folder = Folder::new();
    diurnal(&folder, "import").arg("-").stdin(TWO_DAYS).run().expect_code(0);
    expect_duckdb_reads(&folder.archive());
    let first = folder.join("archive/m/2020-06-19.csv");
    let second = folder.join("archive/m/2020-06-20.csv");
    for (file, from, to, found) in [
        (&second, "time,h,f,i,s", "time,h,i,f,s", "columns"),
        (&second, "time,h,f,i,s", "time,h,f,i,t", "columns"),
        (
            &second,
            "b,1.5,2,\"\"",
            "b,1.5,two,\"\"",
            "Error when converting column \"i\"",
        ),
        (&second, "b,1.5,2,\"\"", "b,1.5,2,", "rows in Parquet only"),
        (
            &second,
            "b,1.5,2,\"\"",
            "b,1.5000000000000002,2,\"\"",
            "rows in Parquet only",
        ),
        (&second, "00.000000001Z", "00.000000002Z", "rows in Parquet only"),
        (&first, "a,-0.0,1\n", "a,0.0,1\n", "rows in Parquet only"),
        (&first, "a,-0.0,1\n", "a,-0.0,1\n2020-06-19T13:00:00Z,,,\n", "rows"),
    ] {
        let good = fs::read_to_string(file).expect("a day file");
        let changed = good.replacen(from, to, 1);
        assert_ne!(good, changed, "{from}");
        fs::write(file, changed).expect("a test can write into its folder");
        let wrong = what_duckdb_finds_wrong(&folder.archive()).unwrap_or_default();
        assert!(wrong.contains(found), "{from} -> {to}: {wrong:?}");
        fs::write(file, good).expect("a test can write into its folder");
    }
    // The same rows, but a column has another type on one of the days.
    let parquet = folder.join("archive/m/2020-06-19.parquet");
    let good = fs::read(&parquet).expect("a day file");
    duckdb.query(
        folder.path(),
        "create table day as select * replace (i::integer as i) from 'archive/m/2020-06-19.parquet';
         copy day to 'archive/m/2020-06-19.parquet' (format parquet); select 1",
    );
    let wrong = what_duckdb_finds_wrong(&folder.archive()).unwrap_or_default();
    assert!(wrong.contains("2020-06-19.parquet: types"), "{wrong:?}");
    fs::write(&parquet, good).expect("a test can write into its folder");
    // What a test forgot to tell of its folder fails that test.
    fs::write(folder.join("archive/m/2020-06-21.csv"), "time,h,f,i\n").expect("a test can write into its folder");
    let wrong = what_duckdb_finds_wrong(&folder.archive()).unwrap_or_default();
    assert!(wrong.contains("days in csv"), "{wrong:?}");
    folder.leaves_damaged("archive");
}

#[test]
fn names_with_glob_characters_are_read_with_a_glob_of_their_folder() {
    let folder = Folder::new();
    let names = [
        "a[b]", "*", "?", "**", "%2A", "[!x]", "{a\\,b}", "ü/ö", ".x", "_x", "k\\=v",
    ];
    let lines: String = names
        .iter()
        .zip(1..)
        .map(|(name, value)| format!("{name},h\\ [*]=\\,%20* v?={value}i,\"q\"=\"'\" 1592568000000000000\n"))
        .collect();
    diurnal(&folder, "import").arg("-").stdin(lines).run().expect_code(0);
    assert_eq!(
        fs::read_dir(folder.archive()).expect("an archive").count(),
        names.len() + 1
    );
    expect_duckdb_reads(&folder.archive());
}
