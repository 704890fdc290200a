//! Several things that ask for an exit code in one run: the gravest is given.

use super::{ASSIGNED, archive, point};
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::produce::Record;
use crate::support::run::diurnal;

/// A line that is a reject.
const BAD: &str = "m,host=a v= 1600000000000000000\n";

/// The payload of a record that the test damages in the broker's log.
const NEEDLE: &str = "m,host=needle v=1i 1600000000000000000\n";

#[test]
fn of_several_exit_codes_the_first_of_2_4_1_5_3_is_given() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("codes", 2, &[]);
    let good = |n: i64| Record::new(0, point(n));
    topic.send(&[good(0), Record::new(1, point(1)), Record::new(0, BAD)]);
    assert_eq!(archive(&folder, kafka, &topic).report(3)["outcome"], "rejects");

    // Lost offsets and a new reject.
    topic.send(&[good(2), good(3), Record::new(0, BAD)]);
    topic.delete_records(0, 3);
    let report = archive(&folder, kafka, &topic).report(5);
    assert_eq!(
        (&report["outcome"], &report["rejected"]),
        (&"lost_offsets".into(), &1.into())
    );

    // The same, and a batch that can't be read.
    topic.send(&[good(4), good(5), Record::new(0, BAD)]);
    topic.delete_records(0, 6);
    topic.send_with(&[("compression.type", "none")], &[Record::new(1, NEEDLE)]);
    topic.flip_bit_at(1, "m,host=needle");
    let report = archive(&folder, kafka, &topic).report(1);
    let lost = |row: &serde_json::Value| row["lost"].as_u64();
    let partitions = report["partitions"].as_array().expect("a report lists partitions");
    assert_eq!(partitions.iter().filter_map(lost).sum::<u64>(), 1);
    assert_eq!(
        (&report["outcome"], &report["rejected"]),
        (&"incomplete".into(), &1.into())
    );

    // An archive that is held, all of it left to do; and a flag that can't be meant beside that.
    let mut holder = archive(&folder, kafka, &topic).pause_at(ASSIGNED).start();
    holder.wait_for_step(ASSIGNED);
    archive(&folder, kafka, &topic).run().expect_code(4);
    archive(&folder, kafka, &topic)
        .args(["--max-rejects", "many"])
        .run()
        .expect_code(2);
    holder.resume();
    holder.wait().expect_code(1);
    diurnal(&folder, "verify").run().expect_code(0);
}
