//! What operators do to a topic while a run reads it: deleted, made again, given more partitions, its records deleted. What was
//! committed stays, nothing is invented, and what is lost is counted.

use super::midway::{COMMIT_EACH_BATCH, Midway, in_small_batches, shuffled};
use super::{archive, partition, point};
use crate::support::digest::all_files;
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::produce::Record;
use crate::support::whole::{expect_nothing_lost_or_doubled, lines_of, lines_read};

const MESSAGES: usize = 10_000;

/// Lines that the topic did not have before.
fn others(partition: i32, count: i64) -> Vec<Record> {
    (0..count).map(|n| Record::new(partition, point(n))).collect()
}

#[test]
fn what_was_committed_of_a_topic_stays_when_it_is_deleted_while_it_is_read() {
    let Some(kafka) = Kafka::shared() else { return };
    let topic = kafka.topic("deleted-midway", 2, &[]);
    let midway = Midway::start(kafka, topic, shuffled(1, MESSAGES, 2), 4, &COMMIT_EACH_BATCH);
    midway.topic.delete();
    let ended = midway.ends_with(1);
    ended.expect_part();
    let read = lines_read(&ended.folder, ended.topic.name(), &ended.sent);
    expect_nothing_lost_or_doubled(&ended.folder, "topic deleted midway, of what was committed", &read);
    let before = all_files(&ended.folder.archive());
    let ended_again = ended.again().run().expect_code(1);
    ended_again.expect_said(ended.topic.name()).expect_said("gone");
    assert_eq!(all_files(&ended.folder.archive()), before);
    ended.ran.expect_said(ended.topic.name()).expect_said("deleted");
}

#[test]
fn nothing_of_a_topic_that_was_made_again_while_it_was_read_is_archived_until_that_is_accepted() {
    let Some(kafka) = Kafka::shared() else { return };
    let topic = kafka.topic("remade-midway", 1, &[]);
    let midway = Midway::start(kafka, topic, shuffled(2, MESSAGES, 1), 4, &COMMIT_EACH_BATCH);
    midway.topic.recreate(1);
    // More records than before: every offset that the run asks for is there.
    let new = others(0, 2 * MESSAGES as i64);
    in_small_batches(&midway.topic, &new);
    let ended = midway.ends_with(1);
    ended.expect_part();
    let read = lines_read(&ended.folder, ended.topic.name(), &ended.sent);
    expect_nothing_lost_or_doubled(&ended.folder, "topic made again midway, of what was committed", &read);

    ended
        .again()
        .args(["--accept-recreated", ended.topic.name()])
        .run()
        .expect_code(0);
    let both = [read, lines_of(&new)].concat();
    expect_nothing_lost_or_doubled(&ended.folder, "topic made again midway, then accepted", &both);
    ended.ran.expect_said(ended.topic.name()).expect_said("made again");
}

#[test]
fn partitions_that_are_added_between_runs_and_during_one_are_read_from_their_beginning() {
    let Some(kafka) = Kafka::shared() else { return };
    let topic = kafka.topic("grows", 1, &[]);
    let folder = Folder::new();
    let first = shuffled(3, MESSAGES, 1);
    in_small_batches(&topic, &first);
    archive(&folder, kafka, &topic).run().expect_code(0);
    topic.add_partitions(3);
    let all = [first, others(2, 500), others(0, 700).split_off(500)].concat();
    topic.send(&all[MESSAGES..]);
    archive(&folder, kafka, &topic).run().expect_code(0);
    expect_nothing_lost_or_doubled(&folder, "partitions added between runs", &lines_of(&all));

    let topic = kafka.topic("grows-midway", 2, &[]);
    let midway = Midway::start(kafka, topic, shuffled(4, MESSAGES, 2), 3, &[]);
    midway.topic.add_partitions(5);
    let mut late = [
        others(3, 500),
        others(4, 900).split_off(500),
        others(0, 1000).split_off(900),
    ]
    .concat();
    midway.topic.send(&late);
    let mut ended = midway.ends_with(0);
    let report = ended.ran.json();
    assert_eq!(report["partitions"].as_array().map(Vec::len), Some(2), "{report:#}");
    ended.expect_whole("partitions added during a run, what was there before");
    let report = ended.again().report(0);
    assert_eq!(partition(&report, ended.topic.name(), 3), [0, 500, 500, 0, 0]);
    assert_eq!(partition(&report, ended.topic.name(), 4), [0, 400, 400, 0, 0]);
    ended.sent.append(&mut late);
    ended.expect_whole("partitions added during a run, and the next run");
}

#[test]
fn records_that_retention_takes_in_the_middle_of_a_run_are_counted_and_the_others_are_archived() {
    let Some(kafka) = Kafka::shared() else { return };
    let topic = kafka.topic("overtaken-midway", 1, &[]);
    let midway = Midway::start(kafka, topic, shuffled(5, MESSAGES, 1), 2, &[]);
    let start = MESSAGES as i64 * 9 / 10;
    midway.topic.delete_records(0, start);
    let ended = midway.ends_with(5);
    let report = ended.ran.json();
    let [first, next, messages, gaps, lost] = partition(&report, ended.topic.name(), 0);
    assert_eq!((first, next, gaps), (0, MESSAGES as i64, 0));
    assert!(lost > 0 && lost < start, "{lost} lost of {start}");
    assert_eq!(messages, next - lost);
    // What was lost lies before the new log start, and the run had come to where it begins.
    let from = start - lost;
    let kept = ended
        .sent
        .iter()
        .enumerate()
        .filter(|(offset, _)| !(from..start).contains(&(*offset as i64)));
    let kept = lines_of(kept.map(|(_, record)| record));
    expect_nothing_lost_or_doubled(&ended.folder, &format!("all but the {lost} that retention took"), &kept);
    ended.ran.expect_said(&format!("[{from}, {start})"));
}

#[test]
fn what_compaction_left_becomes_the_files_of_an_import() {
    let Some(kafka) = Kafka::shared() else { return };
    let topic = kafka.compacted_topic("compacted-whole");
    // Every third record is a tombstone.
    let records: Vec<_> = (0..3_000)
        .map(|n| Record {
            payload: (n % 3 != 0).then(|| point(n).into_bytes()),
            ..Record::new(0, "").key((n % 1_000).to_le_bytes()).at(1 + n)
        })
        .collect();
    topic.send(&records);
    topic.compact(0);
    let readable = topic.readable_offsets(0);
    assert!(readable.len() < records.len(), "nothing was compacted");
    let left = readable.iter().filter_map(|&offset| records.get(offset as usize));
    let folder = Folder::new();
    archive(&folder, kafka, &topic).run().expect_code(0);
    expect_nothing_lost_or_doubled(&folder, "a compacted topic", &lines_of(left));
}
