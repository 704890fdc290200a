//! Kafka cuts a log: a replica that lacks its end becomes the leader (an unclean election), or a broker comes back without what was
//! not on its disk yet. What was archived stays, what took the place of the lost records is archived too, and what was lost before
//! it was read is said.

use super::midway::{Midway, in_small_batches, shuffled};
use super::{archive, partition};
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::produce::Record;
use crate::support::topic::Topic;
use crate::support::whole::{expect_all_read_some_again, expect_nothing_lost_or_doubled, lines_of, read_so_far, rows};

/// The leader whose log is longer.
const LONGER: i32 = 2;
/// The replica that becomes the leader without the end of the log.
const SHORTER: i32 = 3;

/// Of one partition, on two nodes of the cluster; the third keeps the cluster together.
fn topic<'k>(kafka: &'k Kafka, name: &str) -> Topic<'k> {
    let config = [("unclean.leader.election.enable", "true"), ("min.insync.replicas", "1")];
    kafka.topic_on(name, &[LONGER, SHORTER], &config)
}

/// Lines that differ from those of all other seeds, on partition 0.
fn lines(seed: u64, count: usize) -> Vec<Record> {
    let mut records = shuffled(seed, count, 1);
    for record in &mut records {
        let text = String::from_utf8(record.payload.take().expect("a line")).expect("text");
        record.payload = Some(text.replace("host=", &format!("host=of-{seed}-")).into_bytes());
    }
    records
}

/// A topic, what both replicas have of it, and what the longer one has beyond that.
struct Log<'k> {
    topic: Topic<'k>,
    kept: Vec<Record>,
    lost: Vec<Record>,
}

impl<'k> Log<'k> {
    fn new(kafka: &'k Kafka, name: &str, kept: Vec<Record>, lost: Vec<Record>) -> Self {
        let topic = topic(kafka, name);
        in_small_batches(&topic, &kept);
        Self { topic, kept, lost }
    }

    /// The other replica is down; it was in sync before.
    fn send_to_the_longer_only(&self) {
        self.topic.wait_for_in_sync(0, &[LONGER]);
        in_small_batches(&self.topic, &self.lost);
    }

    fn all(&self) -> Vec<Record> {
        [&self.kept[..], &self.lost].concat()
    }
}

#[test]
fn what_took_the_place_of_the_last_seconds_that_a_broker_lost_is_archived_too() {
    let Some(kafka) = Kafka::breakable() else { return };
    let topic = kafka.topic("restored", 1, &[]);
    let mut all = [lines(1, 600), lines(2, 400)].concat();
    in_small_batches(&topic, &all[..600]);
    in_small_batches(&topic, &all[600..]);
    let folder = Folder::new();
    archive(&folder, &kafka, &topic).run().expect_code(0);
    kafka.kill();
    topic.cut_log(0, 600);
    kafka.start_again();
    let new = lines(3, 900);
    in_small_batches(&topic, &new);
    let ran = archive(&folder, &kafka, &topic).arg("--json").run().expect_code(0);
    assert_eq!(partition(&ran.json(), topic.name(), 0), [600, 1500, 900, 0, 0]);
    ran.expect_said("was cut at offset 600");
    all.extend(new);
    expect_nothing_lost_or_doubled(&folder, "a broker without its last seconds", &lines_of(&all));
}

// One test, since a cut costs half a minute: each topic is another way to meet it.
#[test]
fn a_log_that_kafka_cut_is_read_again_from_there_and_what_was_archived_stays() {
    let Some(kafka) = Kafka::cluster() else { return };
    let between = ["slow", "fast"].map(|name| Log::new(&kafka, name, lines(1, 600), lines(2, 400)));
    let before = Log::new(&kafka, "before", lines(3, 10_000), lines(4, 5_000));
    let behind = Log::new(&kafka, "behind", lines(5, 100), lines(6, 10_000));
    kafka.kill_node(SHORTER);
    for log in between.iter().chain([&before, &behind]) {
        log.send_to_the_longer_only();
    }
    let folders = between.each_ref().map(|log| {
        let folder = Folder::new();
        let report = archive(&folder, &kafka, &log.topic).report(0);
        assert_eq!(partition(&report, log.topic.name(), 0), [0, 1000, 1000, 0, 0]);
        folder
    });
    // One run comes to the cut when it is made, the other one is past it.
    let before = Midway::of_what_is_there(&kafka, before.topic, before.kept, 3, &[]);
    let lost_behind = behind.lost;
    let behind = Midway::of_what_is_there(&kafka, behind.topic, behind.kept, 6, &[]);

    kafka.kill_node(LONGER);
    kafka.start_node_again(SHORTER);
    for topic in between
        .iter()
        .map(|log| &log.topic)
        .chain([&before.topic, &behind.topic])
    {
        assert_eq!(topic.wait_for_leader_other_than(0, LONGER), SHORTER);
    }

    a_log_that_grows_back_slowly(&kafka, &between[0], &folders[0]);
    a_log_that_has_grown_past_the_cut(&kafka, &between[1], &folders[1]);
    a_run_that_comes_to_the_cut(before);
    let topic = a_run_that_is_past_the_cut(behind, &lost_behind);

    // The old leader comes back and has to cut its log too. Nobody else notices.
    kafka.start_node_again(LONGER);
    topic.wait_for_in_sync(0, &[LONGER, SHORTER]);
    let ran = archive(&folders[1], &kafka, &between[1].topic).run().expect_code(0);
    assert!(!ran.stderr.contains("was cut"), "{}", ran.stderr);
}

fn a_log_that_grows_back_slowly(kafka: &Kafka, log: &Log<'_>, folder: &Folder) {
    let (topic, mut all) = (&log.topic, log.all());
    let run = || archive(folder, kafka, topic).arg("--json").run().expect_code(0);
    assert_eq!(topic.ends(0).high, 600);

    // Nothing came since: it is said, and nothing changes.
    run().expect_said("was cut at offset 600").expect_said(topic.name());
    expect_nothing_lost_or_doubled(folder, "cut, then nothing", &lines_of(&all));

    let new = lines(7, 150);
    in_small_batches(topic, &new);
    let ran = run();
    assert_eq!(partition(&ran.json(), topic.name(), 0), [600, 750, 150, 0, 0]);
    ran.expect_said("was cut at offset 600");
    all.extend(new);
    expect_nothing_lost_or_doubled(folder, "cut, and not grown back", &lines_of(&all));

    let more = lines(8, 500);
    in_small_batches(topic, &more);
    let ran = run();
    assert_eq!(ran.stderr, "", "it was said before");
    assert_eq!(partition(&ran.json(), topic.name(), 0), [750, 1250, 500, 0, 0]);
    all.extend(more);
    expect_nothing_lost_or_doubled(folder, "cut, grown back later", &lines_of(&all));
}

/// Every offset that the run would go on at is there.
fn a_log_that_has_grown_past_the_cut(kafka: &Kafka, log: &Log<'_>, folder: &Folder) {
    let new = lines(9, 900);
    in_small_batches(&log.topic, &new);
    let ran = archive(folder, kafka, &log.topic).arg("--json").run().expect_code(0);
    assert_eq!(partition(&ran.json(), log.topic.name(), 0), [600, 1500, 900, 0, 0]);
    ran.expect_said("was cut at offset 600").expect_said("400 offsets");
    let all = [log.all(), new].concat();
    expect_nothing_lost_or_doubled(folder, "cut, and grown past it", &lines_of(&all));
}

/// What was lost it never saw: it says so, and the next run goes on at the cut.
fn a_run_that_comes_to_the_cut(run: Midway<'_>) {
    let mut ended = run.ends_with(1);
    assert_eq!(read_so_far(&ended.folder, ended.topic.name())[&0], 10_000);
    ended.expect_whole("cut before it was read, up to the cut");
    let new = lines(10, 10);
    ended.topic.send(&new);
    let ran = ended.again().run().expect_code(0);
    assert!(!ran.stderr.contains("was cut"), "{}", ran.stderr);
    ended.sent.extend(new);
    ended.expect_whole("cut before it was read, and the next run");
    ended.ran.expect_said("its log ends at offset 10000");
}

/// The log grows past where the run will end: librdkafka reads on in it, behind the records that took the place of what was read.
fn a_run_that_is_past_the_cut<'k>(run: Midway<'k>, lost: &[Record]) -> Topic<'k> {
    let new = lines(11, 15_000);
    in_small_batches(&run.topic, &new);
    let mut ended = run.ends_with(1);
    let ran = ended.again().arg("--json").run().expect_code(0);
    assert_eq!(
        partition(&ran.json(), ended.topic.name(), 0),
        [100, 15_100, 15_000, 0, 0]
    );
    ran.expect_said("was cut at offset 100");
    // Of what Kafka lost the archive has what was read of it.
    let had = rows(&ended.folder.archive())
        .keys()
        .filter(|row| row.contains("of-6-"))
        .count();
    assert!((1..lost.len()).contains(&had), "{had} of {} were read", lost.len());
    ended.sent.extend_from_slice(&lost[..had]);
    ended.sent.extend(new);
    let (all, again) = (lines_of(&ended.sent), lost.len() - had);
    expect_all_read_some_again(
        &ended.folder,
        "cut behind the run, and the next run",
        &all,
        again as u64,
    );
    ended.ran.expect_said("was cut at offset 100");
    ended.topic
}
