//! Settings of `diurnal archive` that only Kafka and time are about.

use std::time::Duration;

use super::{IngestSettings, instant, parse_duration};
use crate::cli::{ArchiveArgs, ConnectionArgs, StatusArgs};
use crate::error::{Error, Result};
use crate::source::kafka::properties::{exposed_secrets, from_environment, parse_property, read_properties};
use crate::source::kafka::settings::{DEFAULT_LOOK_TIMEOUT, DEFAULT_QUEUE_BYTES, DEFAULT_TIMEOUT};
use crate::source::kafka::{KafkaSettings, PartitionSet, Replay, StartAt};

/// `--every` at least: what a run costs by itself, without a line to archive, is well below.
const LEAST_EVERY: Duration = Duration::from_secs(1);

/// What `diurnal archive` asks of Kafka, and what the user should be warned about.
///
/// # Errors
/// A flag whose value makes no sense.
pub fn kafka_settings(
    args: &ArchiveArgs,
    ingest: &IngestSettings,
    verbose: bool,
    now: i64,
) -> Result<(KafkaSettings, Vec<Error>)> {
    let from = match args.from.as_str() {
        "earliest" => StartAt::Earliest,
        "latest" => StartAt::Latest,
        text => StartAt::Timestamp(milliseconds_up(instant("--from", text, now)?)),
    };
    let until = match &args.until {
        Some(text) => Some(milliseconds_up(instant("--until", text, now)?)),
        None => None,
    };
    let replay = match &args.replay {
        Some(text) => Some(parse_replay(text, now)?),
        None => None,
    };
    let Connection {
        properties,
        timeout,
        warnings,
    } = Connection::new(&args.connection, DEFAULT_TIMEOUT)?;
    let settings = KafkaSettings {
        properties,
        group: args.group.clone(),
        threads: ingest.threads,
        timeout,
        from,
        until,
        replay,
        partitions: partition_set(args.partitions.as_deref())?,
        log: verbose,
        accept_recreated: args.accept_recreated.clone(),
        queue_bytes: DEFAULT_QUEUE_BYTES.min(ingest.memory.queues()),
        ..KafkaSettings::new(&args.brokers, args.topics.clone())
    };
    settings.check()?;
    Ok((settings, warnings))
}

/// How to talk to Kafka.
struct Connection {
    properties: Vec<(String, String)>,
    timeout: Duration,
    /// What the user should be warned about.
    warnings: Vec<Error>,
}

impl Connection {
    fn new(args: &ConnectionArgs, default_timeout: Duration) -> Result<Self> {
        let mut properties = match &args.properties_file {
            Some(path) => read_properties(path)?,
            None => Vec::new(),
        };
        properties.extend(from_environment(std::env::vars_os())?);
        let typed = args
            .properties
            .iter()
            .map(|text| parse_property(text))
            .collect::<Result<Vec<_>>>()?;
        let warnings = exposed_secrets(&typed);
        properties.extend(typed);
        Ok(Self {
            properties,
            timeout: match &args.timeout {
                Some(text) => parse_duration("--timeout", text)?,
                None => default_timeout,
            },
            warnings,
        })
    }
}

/// What `diurnal status` is asked for.
#[derive(Debug, Default)]
pub struct StatusSettings {
    /// How to ask Kafka, if it is to be asked. Without `--topic` no topic is in it.
    pub kafka: Option<KafkaSettings>,
    /// The partitions that are looked at; without it, all.
    pub partitions: Option<PartitionSet>,
    /// How long ago the last good run may be.
    pub max_age: Option<Duration>,
    /// What the user should be warned about.
    pub warnings: Vec<Error>,
}

impl StatusSettings {
    /// Settings of `diurnal status`.
    ///
    /// # Errors
    /// A flag whose value makes no sense.
    pub fn new(args: &StatusArgs) -> Result<Self> {
        let max_age = args.max_age.as_deref().map(|text| parse_duration("--max-age", text));
        let settings = Self {
            max_age: max_age.transpose()?,
            partitions: partition_set(args.partitions.as_deref())?,
            ..Self::default()
        };
        let Some(brokers) = &args.brokers else {
            return Ok(settings);
        };
        let Connection {
            properties,
            timeout,
            warnings,
        } = Connection::new(&args.connection, DEFAULT_LOOK_TIMEOUT)?;
        Ok(Self {
            kafka: Some(KafkaSettings {
                properties,
                timeout,
                ..KafkaSettings::new(brokers, args.topics.clone())
            }),
            warnings,
            ..settings
        })
    }
}

fn partition_set(text: Option<&str>) -> Result<Option<PartitionSet>> {
    text.map(PartitionSet::parse).transpose()
}

/// `--every`, where `--follow` is given.
///
/// # Errors
/// A text that is no duration, or one of less than a second.
pub fn follow_every(args: &ArchiveArgs) -> Result<Option<Duration>> {
    if !args.follow {
        return Ok(None);
    }
    match parse_duration("--every", &args.every)? {
        every if every < LEAST_EVERY => Err(Error::usage(
            "--every",
            format_args!("{} is too often: {} s is the least", args.every, LEAST_EVERY.as_secs()),
        )
        .hint("write it as 30s, 15m, 1h or 1d")),
        every => Ok(Some(every)),
    }
}

/// Reads `FROM..UNTIL`, either of which may be left out.
fn parse_replay(text: &str, now: i64) -> Result<Replay> {
    let Some((from, until)) = text.split_once("..") else {
        return Err(Error::usage("--replay", format_args!("{text} is no range of times"))
            .hint("write it as 2020-06-19..2020-06-20, -2d..-1d, 2020-06-19.. or .. for everything"));
    };
    let time = |text: &str| match text.trim() {
        "" => Ok(None),
        text => instant("--replay", text, now).map(|time| Some(milliseconds_up(time))),
    };
    let replay = Replay {
        from: time(from)?,
        until: time(until)?,
    };
    match (replay.from, replay.until) {
        (Some(from), Some(until)) if from >= until => {
            Err(Error::usage("--replay", format_args!("{text} ends before it begins"))
                .hint("the earlier time stands first, such as -2d..-1d"))
        }
        _ => Ok(replay),
    }
}

/// The first Kafka timestamp (milliseconds) that is not before this time.
fn milliseconds_up(nanoseconds: i64) -> i64 {
    nanoseconds.div_euclid(1_000_000) + i64::from(nanoseconds.rem_euclid(1_000_000) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn a_kafka_time_is_rounded_up_to_its_millisecond() {
        assert_eq!(milliseconds_up(1_000_000), 1);
        assert_eq!(milliseconds_up(1_000_001), 2);
        assert_eq!(milliseconds_up(-1), 0);
    }

    #[test]
    fn a_look_waits_less_for_brokers_than_a_run_unless_it_is_told_how_long() {
        let timeouts = |flags: &str| {
            let status = format!("diurnal status --brokers b:9092 {flags}");
            let archive = format!("diurnal archive --brokers b:9092 --topic t {flags}");
            let (Command::Status(status), Command::Archive(archive)) = (parsed(&status), parsed(&archive)) else {
                panic!("other commands");
            };
            let ingest = IngestSettings::for_archive(std::path::Path::new("a"), &archive).unwrap();
            let (run, _) = kafka_settings(&archive, &ingest, false, 0).unwrap();
            let look = StatusSettings::new(&status).unwrap().kafka.unwrap();
            (look.timeout.as_secs(), run.timeout.as_secs())
        };
        assert_eq!(timeouts(""), (10, 60));
        assert_eq!(timeouts("--timeout 5m"), (300, 300));
    }

    fn parsed(typed: &str) -> Command {
        Cli::understand(typed.split_whitespace().map(Into::into))
            .unwrap()
            .command
    }

    #[test]
    fn a_replay_is_two_times_or_ages_of_which_either_may_be_left_out() {
        const HOUR_MS: i64 = 3_600_000;
        let now = 100 * HOUR_MS * 1_000_000;
        let replay = |text| {
            let replay = parse_replay(text, now).unwrap();
            (replay.from, replay.until)
        };
        assert_eq!(replay(".."), (None, None));
        assert_eq!(
            replay("1970-01-01T01:00:00.5Z..1970-01-02"),
            (Some(HOUR_MS + 500), Some(24 * HOUR_MS))
        );
        assert_eq!(replay("-2h..-1h"), (Some(98 * HOUR_MS), Some(99 * HOUR_MS)));
        assert_eq!(replay("-2h.."), (Some(98 * HOUR_MS), None));
        assert_eq!(replay("..now"), (None, Some(100 * HOUR_MS)));
        for wrong in ["", "-2h", "2020-06-19", "earliest..", "-1h..-2h", "now..now", "..1..2"] {
            let error = parse_replay(wrong, now).unwrap_err();
            assert_eq!(error.kind(), crate::error::Kind::Usage, "{wrong}");
            assert!(error.to_string().starts_with("--replay: "), "{error}");
        }
    }
}
