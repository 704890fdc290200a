//! The main promise on real input: what Telegraf sent comes out, all of it, in order, in both formats.

use serde_json::json;

use super::{archive, partition};
use crate::support::captures::{self, PARTITIONS};
use crate::support::digest::{all_files, assert_no_debris};
use crate::support::duckdb::DuckDb;
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;

#[test]
fn the_first_capture_comes_out_as_an_independent_reader_reads_it() {
    capture_comes_out("my-computer-metric");
}

#[test]
fn the_wide_capture_comes_out_as_an_independent_reader_reads_it() {
    capture_comes_out("wide");
}

fn capture_comes_out(name: &str) {
    let (Some(kafka), Some(duckdb)) = (Kafka::shared(), DuckDb::get()) else {
        return;
    };
    let folder = Folder::new();
    let topic = kafka.topic(name, PARTITIONS, &[]);
    let records = captures::records(name);
    topic.send(&records);

    let report = archive(&folder, kafka, &topic).report(0);
    assert_eq!(report["rejected"], 0);
    for number in 0..PARTITIONS {
        let sent = records.iter().filter(|record| record.partition == number).count() as i64;
        assert_eq!(partition(&report, topic.name(), number.into()), [0, sent, sent, 0, 0]);
    }
    let counts = duckdb.check_archive(&folder.archive(), &[&captures::path(name)]);
    for day in report["days"].as_array().expect("a report lists days") {
        let measurement = day["measurement"].as_str().expect("it is named");
        let date = day["day"].as_str().expect("it is dated");
        assert_eq!(day["rows"], counts[measurement][date], "{measurement} {date}");
    }

    let before = all_files(&folder.archive());
    let report = archive(&folder, kafka, &topic).report(0);
    assert_eq!((&report["lines"], &report["days"]), (&json!(0), &json!([])));
    assert_eq!(all_files(&folder.archive()), before, "an idle run changes no byte");
    assert_no_debris(&folder.archive());

    for (group_topic, number, current, lag) in kafka.describe_group(topic.name()) {
        let sent = records.iter().filter(|record| record.partition == number).count() as i64;
        assert_eq!((group_topic.as_str(), current, lag), (topic.name(), sent, 0));
    }
}

#[test]
fn hours_truncate_and_times_are_exact_in_duckdb() {
    let (Some(kafka), Some(duckdb)) = (Kafka::shared(), DuckDb::get()) else {
        return;
    };
    let folder = Folder::new();
    let topic = kafka.topic("hours", PARTITIONS, &[]);
    topic.send(&captures::records("my-computer-metric"));
    archive(&folder, kafka, &topic).run().expect_code(0);
    let hours = duckdb.query(
        folder.path(),
        "select date_trunc('hour', time)::varchar as hour, typeof(any_value(time)) as type, count(*) as rows
         from 'archive/cpu/*.parquet' group by 1 order by 1",
    );
    assert!(!hours.is_empty());
    for hour in hours {
        assert_eq!(hour["type"], "TIMESTAMP_NS");
        let text = hour["hour"].as_str().expect("it was cast to text");
        assert!(text.contains(":00:00"), "{text}");
    }
}
