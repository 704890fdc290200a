//! What is read: exactly once, in order, to the frozen end, over rounds and runs.

use super::*;

#[test]
fn a_topic_is_read_once_and_then_idle() {
    let broker = broker();
    produce(&broker, TOPIC, 0, 10_000);
    let settings = KafkaSettings {
        threads: 2,
        ..settings(&broker)
    };
    let mut source = open(&settings, &[]);
    assert_eq!(source.notices(), []);
    assert_eq!(source.remaining(), 10_000);
    let first = round(&mut source, RoundLimit::NONE);
    assert!(first.finished, "{:?}", first.notices);
    assert_eq!(first.notices, []);
    assert_balanced(&first);
    assert_eq!(first.ranges.len(), PARTITIONS as usize);
    assert!(first.ranges.iter().all(|range| (range.first, range.next) == (0, 2000)));
    assert!(first.sinks.iter().all(|sink| !sink.messages.is_empty()));
    assert_eq!(numbers(std::slice::from_ref(&first)), (0..10_000).collect::<Vec<_>>());
    assert_eq!(source.recreated().unwrap(), Vec::<usize>::new());
    assert_eq!(source.commit_group_offsets(&first.ranges), None);

    let known = ledger(&source, &first);
    drop(source);
    let start = Instant::now();
    let mut source = open(&settings, &known);
    assert_eq!(source.remaining(), 0);
    let idle = round(&mut source, RoundLimit::NONE);
    assert!(idle.finished);
    assert_eq!(counts(&idle), BTreeMap::new());
    assert!(
        idle.ranges
            .iter()
            .all(|range| (range.first, range.next) == (2000, 2000))
    );
    assert_eq!(source.commit_group_offsets(&idle.ranges), None);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn messages_keep_their_order_within_a_partition() {
    let broker = broker();
    produce(&broker, TOPIC, 0, 3000);
    let mut source = open(&settings(&broker), &[]);
    let all = round(&mut source, RoundLimit::NONE);
    for partition in 0..PARTITIONS {
        let offsets: Vec<i64> = all.sinks[0]
            .messages
            .iter()
            .filter(|message| message.1 == partition)
            .map(|message| message.2)
            .collect();
        assert_eq!(offsets, (0..600).collect::<Vec<_>>());
    }
}

#[test]
fn a_full_sink_ends_the_round_and_the_next_one_goes_on() {
    let broker = broker();
    produce(&broker, TOPIC, 0, 20_000);
    let settings = KafkaSettings {
        threads: 3,
        ..settings(&broker)
    };
    let mut source = open(&settings, &[]);
    let limit = RoundLimit {
        lines: 4000,
        bytes: usize::MAX,
    };
    let mut rounds = Vec::new();
    loop {
        let one = round(&mut source, limit);
        assert_balanced(&one);
        assert_eq!(one.notices, []);
        let finished = one.finished;
        rounds.push(one);
        if finished {
            break;
        }
        assert!(rounds.len() < 20, "no end");
    }
    assert!(rounds.len() > 2, "{} rounds", rounds.len());
    assert_eq!(numbers(&rounds), (0..20_000).collect::<Vec<_>>());
    for pair in rounds.windows(2) {
        for (before, after) in pair[0].ranges.iter().zip(&pair[1].ranges) {
            assert_eq!(before.next, after.first);
        }
    }
}

#[test]
fn what_is_sent_after_the_start_is_left_for_the_next_run() {
    let broker = broker();
    produce(&broker, TOPIC, 0, 1000);
    let mut source = open(&settings(&broker), &[]);
    produce(&broker, TOPIC, 1000, 500);
    let first = round(&mut source, RoundLimit::NONE);
    assert_eq!(numbers(std::slice::from_ref(&first)), (0..1000).collect::<Vec<_>>());
    let known = ledger(&source, &first);
    let mut source = open(&settings(&broker), &known);
    let second = round(&mut source, RoundLimit::NONE);
    assert_eq!(numbers(std::slice::from_ref(&second)), (1000..1500).collect::<Vec<_>>());
    assert_balanced(&second);
}

#[test]
fn a_stopped_round_keeps_what_was_read() {
    let broker = broker();
    produce(&broker, TOPIC, 0, 1000);
    let mut source = open(&settings(&broker), &[]);
    let stop = StopFlag::new();
    stop.set();
    let stopped = source.round(vec![Memory::default()], RoundLimit::NONE, &stop).unwrap();
    assert_balanced(&stopped);
    let rest = round(&mut source, RoundLimit::NONE);
    assert!(rest.finished);
    assert_eq!(numbers(&[stopped, rest]), (0..1000).collect::<Vec<_>>());
}

#[test]
fn an_expression_reads_every_topic_that_it_matches() {
    let broker = broker();
    broker.create_topic("metrics.disk", PARTITIONS, 1).unwrap();
    broker.create_topic("other", PARTITIONS, 1).unwrap();
    produce(&broker, TOPIC, 0, 100);
    produce(&broker, "metrics.disk", 100, 100);
    produce(&broker, "other", 200, 100);
    let settings = KafkaSettings {
        topics: vec!["^metrics".to_owned()],
        threads: 2,
        ..settings(&broker)
    };
    let mut source = open(&settings, &[]);
    let names: Vec<&str> = source.topics().iter().map(|topic| topic.topic.as_str()).collect();
    assert_eq!(names, [TOPIC, "metrics.disk"]);
    let all = round(&mut source, RoundLimit::NONE);
    assert_balanced(&all);
    assert_eq!(numbers(std::slice::from_ref(&all)), (0..200).collect::<Vec<_>>());
}

#[test]
fn latest_leaves_what_is_there_and_says_so_in_its_ranges() {
    let broker = broker();
    produce(&broker, TOPIC, 0, 100);
    let settings = KafkaSettings {
        from: StartAt::Latest,
        ..settings(&broker)
    };
    let mut source = open(&settings, &[]);
    let none = round(&mut source, RoundLimit::NONE);
    assert!(none.finished);
    assert!(none.ranges.iter().all(|range| (range.first, range.next) == (20, 20)));
}

#[test]
fn null_messages_and_times_reach_the_sink() {
    struct One(Vec<(Option<i64>, usize)>);
    impl Sink for One {
        fn message(&mut self, message: &Message<'_>) {
            self.0.push((message.timestamp_ms, message.payload.len()));
        }
        fn lines_held(&self) -> u64 {
            0
        }
        fn bytes_held(&self) -> usize {
            0
        }
    }
    let broker = broker();
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .create()
        .unwrap();
    let record = BaseRecord::<[u8], [u8]>::to(TOPIC).partition(0).timestamp(1234);
    producer.send(record).unwrap_or_else(|(error, _)| panic!("{error}"));
    producer.flush(PATIENCE).unwrap();
    let mut source = open(&settings(&broker), &[]);
    let read = source
        .round(vec![One(Vec::new())], RoundLimit::NONE, &StopFlag::new())
        .unwrap();
    assert_eq!(read.sinks[0].0, [(Some(1234), 0)]);
}
