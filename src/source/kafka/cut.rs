//! Logs that were cut at their end since the last run: Kafka lost records, and gave their offsets to others.
//!
//! An unclean leader election does that, or a broker that comes back without its last seconds. Once the log has grown again, its
//! offsets show nothing of it: a run that went on at `next` would leave out what took the place of records that were read before.
//! So the ledger keeps the leader's epoch with `next`, and where another leader came since, Kafka is asked where the records of
//! that epoch end in the log of today (KIP-101, KIP-320). From there on everything is read again. What was archived of the old log
//! stays: Kafka lost it, the archive has it.
//!
//! librdkafka asks this when it seeks, and answers by going to the end of the old records. So a second client seeks, and the first
//! thing that it gets tells where it went. (When a leader changes while it fetches, librdkafka should ask as well. It was seen to
//! read on in a log that had been cut and had grown again, without a word.)

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::{Client, Deadline};
use super::drain::Slot;
use super::facts::Candidate;
use super::plan::Facts;
use super::raw::{self, Queue, admin};
use super::recover::{Fault, fault};
use super::settings::KafkaSettings;
use super::{Notice, PartitionRange};
use crate::error::{Error, Result};
use crate::source::{StopFlag, TopicIdentity};

/// How long a question may take before a commit, which needs no answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a batch call waits.
const BATCH_WAIT: Duration = Duration::from_millis(10);
/// How often forwarding and seeking is renewed while nothing comes.
const RHYTHM: Duration = Duration::from_millis(500);

/// A partition, how far it was read, and under which leader.
#[derive(Clone, Copy, Debug)]
struct Claim<'a> {
    topic: &'a str,
    partition: i32,
    next: i64,
    epoch: i32,
}

/// Notes in `facts` where logs were cut below what was read, with a warning. Partitions of which Kafka does not say it are dropped.
///
/// # Errors
/// The second client can't be made.
pub fn find_cuts(
    topics: &[Arc<TopicIdentity>],
    candidates: &[Candidate<'_>],
    facts: &mut [Option<Facts>],
    settings: &KafkaSettings,
    stop: &StopFlag,
    notices: &mut Vec<Notice>,
) -> Result<()> {
    // A replay reads up to `next` and moves nothing: it needs no proof of what was read.
    if settings.replay.is_some() {
        return Ok(());
    }
    let claimed: Vec<(usize, Claim<'_>)> = (0..candidates.len())
        .filter_map(|index| {
            let candidate = &candidates[index];
            let (known, facts) = (candidate.known?, facts[index]?);
            let claim = Claim {
                topic: &topics[candidate.topic].topic,
                partition: candidate.partition,
                next: known.next,
                epoch: known.epoch?,
            };
            // The same leader has cut nothing.
            (known.next > 0 && facts.epoch != known.epoch).then_some((index, claim))
        })
        .collect();
    if claimed.is_empty() {
        return Ok(());
    }
    let claims: Vec<Claim<'_>> = claimed.iter().map(|(_, claim)| *claim).collect();
    let client = Client::that_follows_cuts(settings)?;
    let ends = ends(&client, &claims, Deadline::after(settings.timeout), stop).unwrap_or_else(|error| {
        log::debug!("whether logs were cut is not to be had: {error}");
        vec![None; claims.len()]
    });
    for ((index, claim), end) in claimed.iter().zip(ends) {
        let object = format_args!("topic {}, partition {}", claim.topic, claim.partition).to_string();
        match end {
            Some(end) if end >= claim.next => {}
            Some(end) => {
                if let Some(facts) = &mut facts[*index] {
                    facts.cut = Some(end);
                }
                notices.push(Notice::warning(
                    Error::new(
                        object,
                        format_args!(
                            "its log was cut at offset {end}, but had reached {} when it was archived: Kafka lost {} offsets",
                            claim.next,
                            claim.next - end
                        ),
                    )
                    .hint(
                        "what was archived of them stays, and what took their place is archived too; an unclean leader \
                         election or a broker that lost its last seconds does that",
                    ),
                ));
            }
            // A run that is told to stop reads nothing, and has nobody to blame for it.
            None if stop.is_set() => facts[*index] = None,
            None => {
                facts[*index] = None;
                notices.push(Notice::incomplete(
                    Error::new(
                        object,
                        "its leader changed, and nobody said in time whether its log was cut",
                    )
                    .hint("run again when the brokers are well"),
                ));
            }
        }
    }
    Ok(())
}

/// The same for what was read meanwhile, of partitions whose leader is another one now than when their end was frozen.
pub fn meanwhile(
    client: &Client,
    settings: &KafkaSettings,
    topics: &[Arc<TopicIdentity>],
    slots: &mut [Slot],
    read: &[PartitionRange],
    stop: &StopFlag,
) -> Vec<Notice> {
    if settings.replay.is_some() {
        return Vec::new();
    }
    let was_read = |slot: &Slot| {
        let is_slot = |range: &&PartitionRange| (range.topic, range.partition) == (slot.topic, slot.partition);
        read.iter().find(is_slot).is_some_and(|range| range.next > range.first)
    };
    let with_epoch: Vec<(&mut Slot, i32)> = slots
        .iter_mut()
        .filter(|slot| !slot.is_cut && was_read(slot))
        .filter_map(|slot| slot.epoch.map(|epoch| (slot, epoch)))
        .collect();
    let partitions: Vec<(&str, i32)> = with_epoch
        .iter()
        .map(|(slot, _)| (topics[slot.topic].topic.as_str(), slot.partition))
        .collect();
    if partitions.is_empty() {
        return Vec::new();
    }
    let now =
        admin::high_watermarks(client.consumer(), &partitions, PATIENCE.min(settings.timeout)).unwrap_or_default();
    let changed = with_epoch
        .into_iter()
        .zip(partitions)
        .filter(|((_, epoch), (topic, partition))| {
            let now = now.get(&((*topic).to_owned(), *partition));
            now.is_some_and(|now| now.epoch.is_some_and(|now| now != *epoch))
        });
    let (mut slots, claims): (Vec<&mut Slot>, Vec<Claim<'_>>) = changed
        .map(|((slot, epoch), (topic, partition))| {
            let claim = Claim {
                topic,
                partition,
                next: slot.track.next(),
                epoch,
            };
            (slot, claim)
        })
        .unzip();
    if claims.is_empty() {
        return Vec::new();
    }
    let deadline = Deadline::after(PATIENCE.min(settings.timeout));
    let found = Client::that_follows_cuts(settings)
        .map_err(|error| error.to_string())
        .and_then(|client| ends(&client, &claims, deadline, stop).map_err(|error| error.to_string()));
    let found = found.unwrap_or_else(|text| {
        log::debug!("whether logs were cut is not to be had: {text}");
        Vec::new()
    });
    let mut notices = Vec::new();
    for ((slot, claim), end) in slots.iter_mut().zip(claims).zip(found) {
        let Some(end) = end.filter(|end| *end < claim.next) else {
            continue;
        };
        slot.is_cut = true;
        notices.push(Notice::incomplete(
            Error::new(
                format_args!("topic {}, partition {}", claim.topic, claim.partition),
                format_args!(
                    "its log was cut at offset {end} while it was read up to {}: Kafka lost records, and others took their place",
                    claim.next
                ),
            )
            .hint("what was read is archived; run again: the next run goes back to the cut"),
        ));
    }
    notices
}

/// How many of the offsets before `next` are read again.
pub fn again(next: Option<i64>, cut: Option<i64>) -> u64 {
    let back = next.zip(cut).map(|(next, cut)| next - cut);
    back.and_then(|back| u64::try_from(back).ok()).unwrap_or(0)
}

/// Where reading on would begin: at `next` or behind it, or at the end of the old records where the log was cut. `None` where
/// nothing was heard.
fn ends(client: &Client, claims: &[Claim<'_>], deadline: Deadline, stop: &StopFlag) -> KafkaResult<Vec<Option<i64>>> {
    let index: HashMap<(&str, i32), usize> = claims
        .iter()
        .enumerate()
        .map(|(index, claim)| ((claim.topic, claim.partition), index))
        .collect();
    let mut queue = Queue::new(client.consumer());
    let mut list = TopicPartitionList::with_capacity(claims.len());
    for claim in claims {
        queue.collect(claim.topic, claim.partition);
        list.add_partition_offset(claim.topic, claim.partition, Offset::Offset(claim.next))?;
    }
    client.consumer().incremental_assign(&list)?;

    let mut ends = vec![None; claims.len()];
    let mut sought = vec![false; claims.len()];
    let mut renewed: Option<Instant> = None;
    while ends.contains(&None) && !deadline.is_over() && !stop.is_set() {
        if renewed.is_none_or(|renewed| renewed.elapsed() >= RHYTHM) {
            for (claim, _) in claims.iter().zip(&ends).filter(|(_, end)| end.is_none()) {
                queue.collect(claim.topic, claim.partition);
            }
            seek(client, claims, &mut sought, deadline)?;
            renewed = Some(Instant::now());
        }
        let batch = queue.next_batch(BATCH_WAIT);
        for entry in batch.entries() {
            let Some(&at) = index.get(&(entry.topic(), entry.partition())) else {
                continue;
            };
            // What was fetched before the seek is outdated by it, and librdkafka drops it.
            let tells = sought[at] && matches!(entry.error().map(fault), None | Some(Fault::EndOfLog));
            if tells && ends[at].is_none() {
                ends[at] = Some(entry.offset());
            }
        }
        drop(batch);
        // Logins and log lines; messages come to the queue only.
        client.serve_events().ok();
    }
    Ok(ends)
}

/// Seeks where that has not been done: a partition that is not fetched yet can't be sought in.
fn seek(client: &Client, claims: &[Claim<'_>], sought: &mut [bool], deadline: Deadline) -> KafkaResult<()> {
    let mut list = TopicPartitionList::new();
    for (claim, _) in claims.iter().zip(&*sought).filter(|(_, sought)| !**sought) {
        list.add_partition_offset(claim.topic, claim.partition, Offset::Offset(claim.next))?;
        raw::set_leader_epoch(&mut list, claim.topic, claim.partition, claim.epoch);
    }
    if list.count() == 0 {
        return Ok(());
    }
    let answer = client.consumer().seek_partitions(list, deadline.remaining())?;
    for (claim, sought) in claims.iter().zip(sought).filter(|(_, sought)| !**sought) {
        let element = answer.find_partition(claim.topic, claim.partition);
        *sought = element.is_some_and(|element| element.error().is_ok());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_a_cut_and_next_is_read_again() {
        assert_eq!(again(Some(10), Some(7)), 3);
        assert_eq!(again(Some(10), None), 0);
        assert_eq!(again(Some(10), Some(12)), 0);
        assert_eq!(again(None, Some(7)), 0);
    }
}
