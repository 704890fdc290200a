//! What goes wrong meanwhile: retention, silent brokers, passing errors, a live member in the group.

use super::*;

/// Sends so much to a partition that the embedded broker, which keeps 5 MiB of it, drops what was there before.
fn overflow(broker: &Broker, partition: i32) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .create()
        .unwrap();
    let payload = "x".repeat(500_000);
    for _ in 0..15 {
        let record = BaseRecord::<(), _>::to(TOPIC).partition(partition).payload(&payload);
        producer.send(record).unwrap_or_else(|(error, _)| panic!("{error}"));
        producer.flush(PATIENCE).unwrap();
    }
}

#[test]
fn retention_during_a_run_is_counted_as_lost() {
    let broker = broker();
    produce(&broker, TOPIC, 0, 100);
    let mut source = open(&settings(&broker), &[]);
    overflow(&broker, 0);
    let all = round(&mut source, RoundLimit::NONE);
    assert!(all.finished, "{:?}", all.notices);
    assert_balanced(&all);
    assert_eq!(all.ranges[0].lost_ranges, vec![0..20]);
    assert_eq!(all.ranges[0].next, 20);
    assert_eq!(counts(&all).get(&(0, 0)), None);
    assert_eq!(counts(&all).get(&(0, 1)), Some(&20));
}

#[test]
fn retention_between_runs_is_counted_as_lost() {
    let broker = broker();
    produce(&broker, TOPIC, 0, 100);
    let mut source = open(&settings(&broker), &[]);
    let first = round(&mut source, RoundLimit::NONE);
    let known = ledger(&source, &first);
    overflow(&broker, 1);
    let mut source = open(&settings(&broker), &known);
    assert_eq!(source.notices(), []);
    let second = round(&mut source, RoundLimit::NONE);
    assert_balanced(&second);
    let range = &second.ranges[1];
    assert_eq!((range.first, range.next), (20, 35));
    assert!(range.lost > 0 && range.lost < 15, "{range:?}");
    assert_eq!(range.lost_ranges, vec![20..20 + range.lost as i64]);
    assert!(
        second
            .ranges
            .iter()
            .all(|range| range.partition == 1 || range.lost == 0)
    );
}

#[test]
fn a_broker_that_falls_silent_ends_the_round_with_what_was_read() {
    let broker = broker();
    produce(&broker, TOPIC, 0, 1000);
    let settings = KafkaSettings {
        timeout: Duration::from_secs(3),
        ..settings(&broker)
    };
    let mut source = open(&settings, &[]);
    broker.broker_down(-1).unwrap();
    let start = Instant::now();
    let silent = round(&mut source, RoundLimit::NONE);
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    assert!(silent.finished);
    assert_balanced(&silent);
    assert_eq!(silent.notices.len(), 1, "{:?}", silent.notices);
    assert_eq!(silent.notices[0].severity, Severity::Incomplete);
    let text = silent.notices[0].error.to_string();
    assert!(text.contains("nothing came for 3 s"), "{text}");
}

#[test]
fn passing_errors_of_a_broker_cost_nothing() {
    let broker = broker();
    produce(&broker, TOPIC, 0, 5000);
    let mut source = open(&settings(&broker), &[]);
    broker.request_errors(
        RDKafkaApiKey::Fetch,
        &[
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT,
        ],
    );
    let all = round(&mut source, RoundLimit::NONE);
    assert_eq!(all.notices, []);
    assert_balanced(&all);
    assert_eq!(numbers(std::slice::from_ref(&all)), (0..5000).collect::<Vec<_>>());
}

#[test]
fn a_refused_group_commit_is_a_warning() {
    let broker = broker();
    produce(&broker, TOPIC, 0, 100);
    let mut source = open(&settings(&broker), &[]);
    let all = round(&mut source, RoundLimit::NONE);
    broker.request_errors(
        RDKafkaApiKey::OffsetCommit,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID; 10],
    );
    let start = Instant::now();
    let notice = source.commit_group_offsets(&all.ranges).unwrap();
    assert_eq!(notice.severity, Severity::Warning);
    assert!(start.elapsed() < Duration::from_secs(7));
    broker.clear_request_errors(RDKafkaApiKey::OffsetCommit);
    assert_eq!(source.commit_group_offsets(&all.ranges), None);
}

#[cfg(debug_assertions)]
#[test]
fn a_message_lost_on_the_way_to_the_sink_breaks_the_balance() {
    let broker = broker();
    produce(&broker, TOPIC, 0, 100);
    let mut source = open(&settings(&broker), &[]);
    source.drop_message = true;
    let all = round(&mut source, RoundLimit::NONE);
    let messages: u64 = counts([&all]).values().sum();
    let offsets: u64 = all.ranges.iter().map(|range| range.next.abs_diff(range.first)).sum();
    let gaps: u64 = all.ranges.iter().map(|range| range.gaps).sum();
    assert_eq!((offsets, messages, gaps), (100, 99, 0));
}

#[test]
fn a_sink_that_panics_ends_the_round() {
    /// Takes so many messages.
    struct Picky(usize);
    impl Sink for Picky {
        fn message(&mut self, _: &Message<'_>) {
            self.0 = self.0.checked_sub(1).expect("one too many");
        }
        fn lines_held(&self) -> u64 {
            0
        }
        fn bytes_held(&self) -> usize {
            0
        }
    }
    let broker = broker();
    produce(&broker, TOPIC, 0, 1000);
    let settings = KafkaSettings {
        threads: 2,
        ..settings(&broker)
    };
    let mut source = open(&settings, &[]);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        source.round(vec![Picky(10), Picky(1000)], RoundLimit::NONE, &StopFlag::new())
    }));
    assert!(result.is_err());
}
