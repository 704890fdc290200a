//! The bounds of all partitions at the start of a run: log start, last stable offset, times, open transactions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::topic_partition_list::Offset;

use super::client::{Client, Deadline};
use super::plan::Facts;
use super::raw::admin;
use super::round::Notice;
use super::settings::{KafkaSettings, StartAt};
use crate::error::Error;
use crate::source::TopicIdentity;
use crate::store::record::SourceRange;

/// How long the high watermarks may take. Only a warning needs them; their epoch goes to the ledger, where the next run that doesn't
/// find it can't tell a log that was cut.
const HIGH_WATERMARK_PATIENCE: Duration = Duration::from_secs(5);

/// A partition on the way into the plan.
pub struct Candidate<'a> {
    /// Index of its topic.
    pub topic: usize,
    /// Partition number.
    pub partition: i32,
    /// How far the ledger says that it was read.
    pub known: Option<&'a SourceRange>,
    /// Whether the ledger knows nothing of its topic.
    pub topic_is_new: bool,
}

/// Log starts, last stable offsets and times of all candidates; `None` where Kafka gave none.
pub fn facts(
    client: &Client,
    topics: &[Arc<TopicIdentity>],
    candidates: &[Candidate<'_>],
    settings: &KafkaSettings,
    notices: &mut Vec<Notice>,
) -> Vec<Option<Facts>> {
    let partitions: Vec<(&str, i32)> = candidates
        .iter()
        .map(|candidate| (topics[candidate.topic].topic.as_str(), candidate.partition))
        .collect();
    // One time-out for all questions: a broker that falls silent now is not waited for four times.
    let deadline = Deadline::after(settings.timeout);
    let ask = |which| client.offsets(&partitions, which, deadline);
    // The high watermark first: what was written after it was asked for can't look like a transaction's.
    let high = admin::high_watermarks(
        client.consumer(),
        &partitions,
        settings.timeout.min(HIGH_WATERMARK_PATIENCE),
    )
    .unwrap_or_default();
    let low = ask(Offset::Beginning);
    let stable = ask(Offset::End);
    let times = |time: Option<i64>| match time {
        Some(time) => ask(Offset::Offset(time)),
        None => vec![Ok(None); partitions.len()],
    };
    let (from, until) = match (settings.replay, settings.from) {
        (Some(replay), _) => (replay.from, replay.until),
        (None, StartAt::Timestamp(time)) if candidates.iter().any(|candidate| candidate.topic_is_new) => {
            (Some(time), settings.until)
        }
        (None, _) => (None, settings.until),
    };
    let (until, from) = (times(until), times(from));

    let mut held_back: BTreeMap<usize, (u64, Vec<i32>)> = BTreeMap::new();
    let facts = (0..candidates.len())
        .map(|index| {
            let candidate = &candidates[index];
            let (topic, partition) = partitions[index];
            let high = high.get(&(topic.to_owned(), partition)).copied();
            let fact = (|| {
                Ok::<_, String>(Facts {
                    low: low[index].clone()?.ok_or("no log start")?,
                    stable_end: stable[index].clone()?.ok_or("no end")?,
                    epoch: high.and_then(|high| high.epoch),
                    cut: None,
                    from: from[index].clone()?,
                    until: until[index].clone()?,
                })
            })();
            match fact {
                Ok(facts) => {
                    if let Some(high) = high.filter(|high| high.offset > facts.stable_end) {
                        let held = held_back.entry(candidate.topic).or_default();
                        held.0 += high.offset.abs_diff(facts.stable_end);
                        held.1.push(partition);
                    }
                    Some(facts)
                }
                Err(text) => {
                    notices.push(Notice::incomplete(
                        Error::new(
                            format_args!("topic {topic}, partition {partition}"),
                            format_args!("its offsets are not to be had: {text}"),
                        )
                        .hint("the others were read; run again later"),
                    ));
                    None
                }
            }
        })
        .collect();
    for (topic, (offsets, partitions)) in held_back {
        notices.push(Notice::warning(
            Error::new(
                format_args!("topic {}", topics[topic].topic),
                format_args!(
                    "an open transaction holds back {offsets} offsets in {}",
                    list_partitions(&partitions)
                ),
            )
            .hint("they are read once it ends; if this stays, look for a hanging transaction (kafka-transactions.sh find-hanging)"),
        ));
    }
    facts
}

/// `partition 3`, `partitions 1, 2, 5`.
pub fn list_partitions(partitions: &[i32]) -> String {
    let numbers: Vec<String> = partitions.iter().map(i32::to_string).collect();
    let word = if partitions.len() == 1 {
        "partition"
    } else {
        "partitions"
    };
    format!("{word} {}", numbers.join(", "))
}
