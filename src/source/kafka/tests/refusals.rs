//! What is refused: brokers that aren't there, topics that aren't the archived ones, logs that were cut.

use super::*;

#[test]
fn an_absent_broker_is_an_error_within_the_time_out() {
    let settings = KafkaSettings {
        timeout: Duration::from_secs(2),
        ..KafkaSettings::new("127.0.0.1:1", vec![TOPIC.to_owned()])
    };
    let start = Instant::now();
    let error = KafkaSource::open(&settings, &[], &StopFlag::new()).err().unwrap();
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!(error.kind(), Kind::Failed);
    let text = error.to_string();
    assert!(text.contains("127.0.0.1:1") && text.contains("refused"), "{text}");
}

#[test]
fn the_stop_flag_ends_the_wait_for_a_broker() {
    let settings = KafkaSettings::new("127.0.0.1:1", vec![TOPIC.to_owned()]);
    let stop = StopFlag::new();
    stop.set();
    let start = Instant::now();
    let error = KafkaSource::open(&settings, &[], &stop).err().unwrap();
    assert!(error.to_string().contains("stopped"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_misspelt_topic_is_refused_with_the_nearest_one() {
    let broker = broker();
    let settings = KafkaSettings {
        topics: vec!["metric".to_owned()],
        ..settings(&broker)
    };
    let error = KafkaSource::open(&settings, &[], &StopFlag::new()).err().unwrap();
    assert_eq!(error.advice(), Some("did you mean metrics?"));
    // Asking for it didn't make it.
    let error = KafkaSource::open(&settings, &[], &StopFlag::new()).err().unwrap();
    assert!(error.to_string().contains("no such topic"), "{error}");
}

#[test]
fn a_topic_made_again_is_refused_and_the_others_go_on() {
    let broker = broker();
    broker.create_topic("other", PARTITIONS, 1).unwrap();
    produce(&broker, TOPIC, 0, 100);
    produce(&broker, "other", 100, 100);
    let settings = KafkaSettings {
        topics: vec![TOPIC.to_owned(), "other".to_owned()],
        ..settings(&broker)
    };
    let mut source = open(&settings, &[]);
    let first = round(&mut source, RoundLimit::NONE);
    let mut known = ledger(&source, &first);
    for range in known.iter_mut().filter(|range| range.topic == TOPIC) {
        assert!(range.topic_id.is_some(), "the embedded broker has topic ids");
        range.topic_id = Some("AAAAAAAAAAAAAAAAAAAAAQ".to_owned());
    }
    let mut source = open(&settings, &known);
    let notices = source.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(notices[0].severity, Severity::Incomplete);
    assert!(
        notices[0].error.to_string().contains("made again"),
        "{}",
        notices[0].error
    );
    assert_eq!(source.topics().len(), 1);
    assert_eq!(source.topics()[0].topic, "other");
    assert!(round(&mut source, RoundLimit::NONE).finished);

    let accepting = KafkaSettings {
        accept_recreated: vec![TOPIC.to_owned()],
        ..settings
    };
    let mut source = open(&accepting, &known);
    assert_eq!(source.notices(), []);
    let again = round(&mut source, RoundLimit::NONE);
    assert_eq!(numbers(std::slice::from_ref(&again)), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_log_shorter_than_the_ledger_is_refused() {
    let broker = broker();
    produce(&broker, TOPIC, 0, 100);
    let mut source = open(&settings(&broker), &[]);
    let first = round(&mut source, RoundLimit::NONE);
    let mut known = ledger(&source, &first);
    known[2].next = 1000;
    let mut source = open(&settings(&broker), &known);
    let notices = source.notices();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].severity, Severity::Incomplete);
    assert!(notices[0].error.to_string().contains("was cut"), "{}", notices[0].error);
    let rest = round(&mut source, RoundLimit::NONE);
    assert!(rest.ranges.iter().all(|range| range.partition != 2));
    assert_eq!(rest.ranges.len(), PARTITIONS as usize - 1);
}

#[test]
fn a_topic_that_goes_while_it_is_read_is_seen_before_the_commit() {
    let broker = broker();
    produce(&broker, TOPIC, 0, 100);
    let mut source = open(&settings(&broker), &[]);
    round(&mut source, RoundLimit::NONE);
    assert_eq!(source.recreated().unwrap(), Vec::<usize>::new());
    broker
        .topic_error(TOPIC, RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        .unwrap();
    assert_eq!(source.recreated().unwrap(), [0]);
}

/// A broker that is too old for topic ids.
fn old_broker() -> Broker {
    let broker = broker();
    broker.apiversion(RDKafkaApiKey::Metadata, Some(0), Some(8)).unwrap();
    broker
}

#[test]
fn without_topic_ids_the_last_message_proves_the_topic() {
    let broker = old_broker();
    produce(&broker, TOPIC, 0, 100);
    let mut source = open(&settings(&broker), &[]);
    assert_eq!(source.topics()[0].topic_id, None);
    let first = round(&mut source, RoundLimit::NONE);
    let known = ledger(&source, &first);
    let last = known[0].last.as_ref().unwrap();
    assert_eq!((last.offset, last.digest.len()), (19, 64));
    assert_eq!(source.recreated().unwrap(), Vec::<usize>::new());

    produce(&broker, TOPIC, 100, 50);
    let mut source = open(&settings(&broker), &known);
    assert_eq!(source.notices(), []);
    let second = round(&mut source, RoundLimit::NONE);
    assert!(second.finished);
    assert_eq!(numbers(std::slice::from_ref(&second)), (100..150).collect::<Vec<_>>());
    assert_balanced(&second);

    let mut idle = open(&settings(&broker), &ledger(&source, &second));
    let third = round(&mut idle, RoundLimit::NONE);
    assert_eq!(counts(&third), BTreeMap::new());
    assert_eq!(third.ranges[0].last, second.ranges[0].last, "kept on an idle run");
}

#[test]
fn without_topic_ids_another_last_message_refuses_the_topic() {
    let broker = old_broker();
    produce(&broker, TOPIC, 0, 100);
    let mut source = open(&settings(&broker), &[]);
    let first = round(&mut source, RoundLimit::NONE);
    let mut known = ledger(&source, &first);
    known[3].last.as_mut().unwrap().digest = drain::digest(b"another message");
    produce(&broker, TOPIC, 100, 100);
    let mut source = open(&settings(&broker), &known);
    let notices = source.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(notices[0].severity, Severity::Incomplete);
    let nothing = round(&mut source, RoundLimit::NONE);
    assert!(nothing.finished && nothing.ranges.is_empty());
    assert_eq!(counts(&nothing), BTreeMap::new());
}

#[test]
fn a_passing_error_about_offsets_costs_nothing() {
    let broker = broker();
    produce(&broker, TOPIC, 0, 100);
    broker.request_errors(
        RDKafkaApiKey::ListOffsets,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART; 3],
    );
    let mut source = open(&settings(&broker), &[]);
    assert_eq!(source.notices(), []);
    let all = round(&mut source, RoundLimit::NONE);
    assert_eq!(numbers(std::slice::from_ref(&all)), (0..100).collect::<Vec<_>>());
}

#[test]
fn partitions_without_offsets_are_left_out_and_said() {
    let broker = broker();
    produce(&broker, TOPIC, 0, 100);
    broker.request_errors(
        RDKafkaApiKey::ListOffsets,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 100],
    );
    let mut source = open(&settings(&broker), &[]);
    let notices = source.notices();
    assert_eq!(notices.len(), PARTITIONS as usize, "{notices:?}");
    assert!(notices.iter().all(|notice| notice.severity == Severity::Incomplete));
    let nothing = round(&mut source, RoundLimit::NONE);
    assert!(nothing.finished && nothing.ranges.is_empty());
}

#[test]
fn a_topic_that_is_gone_holds_up_no_other() {
    let broker = broker();
    produce(&broker, TOPIC, 0, 100);
    let mut source = open(&settings(&broker), &[]);
    let first = round(&mut source, RoundLimit::NONE);
    let mut known = ledger(&source, &first);
    let mut gone = known[0].clone();
    gone.topic = "gone".to_owned();
    known.push(gone);
    let settings = KafkaSettings {
        topics: vec!["gone".to_owned(), TOPIC.to_owned()],
        ..settings(&broker)
    };
    let mut source = open(&settings, &known);
    let notices = source.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].error.to_string().contains("is gone from the cluster"));
    assert_eq!(round(&mut source, RoundLimit::NONE).ranges.len(), PARTITIONS as usize);
}

#[test]
fn a_silent_broker_is_an_error_within_the_time_out() {
    // It takes connections and never says a word.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let settings = KafkaSettings {
        timeout: Duration::from_secs(2),
        ..KafkaSettings::new(address.clone(), vec![TOPIC.to_owned()])
    };
    let start = Instant::now();
    let error = KafkaSource::open(&settings, &[], &StopFlag::new()).err().unwrap();
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("{address}: no broker answered within 2 s")),
        "{text}"
    );
}
