//! Topics without an id: proves by the last message read that a topic is still the same.
//!
//! Old brokers know no topic ids, and a topic that was deleted and made again reads on without any event. So the ledger
//! keeps offset and digest of each partition's last message; before anything of a topic is handed on, these messages
//! are fetched again and compared.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::{Client, Deadline};
use super::drain::digest;
use super::raw::Queue;
use super::recover::{Fault, fault};
use crate::source::StopFlag;
use crate::store::record::LastMessage;

/// How long a batch call waits.
const BATCH_WAIT: Duration = Duration::from_millis(10);
/// How often forwarding is renewed while nothing comes.
const FORWARD_RHYTHM: Duration = Duration::from_millis(100);

/// A partition and the message that it should hold.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// Partition number.
    pub partition: i32,
    /// The message that was archived last.
    pub last: &'a LastMessage,
}

/// What was found at the offset of the last message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The same message.
    Same,
    /// Another message: the topic was made again.
    Other,
    /// None: retention or compaction took it. Nothing is proven.
    Absent,
    /// No answer in time.
    Silent,
}

/// Fetches the claimed messages and compares them. The answer has the order of the question.
///
/// # Errors
/// The assignment failed.
pub fn prove(client: &Client, claims: &[Claim<'_>], deadline: Deadline, stop: &StopFlag) -> KafkaResult<Vec<Proof>> {
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    let mut proofs = vec![Proof::Silent; claims.len()];
    let index: HashMap<(&str, i32), usize> = claims
        .iter()
        .enumerate()
        .map(|(index, claim)| ((claim.topic, claim.partition), index))
        .collect();
    let mut queue = Queue::new(client.consumer());
    let mut list = TopicPartitionList::with_capacity(claims.len());
    for claim in claims {
        list.add_partition_offset(claim.topic, claim.partition, Offset::Offset(claim.last.offset))?;
        queue.collect(claim.topic, claim.partition);
    }
    client.consumer().incremental_assign(&list)?;
    let mut missing = claims.len();
    let mut forwarded = Instant::now();
    while missing > 0 && !deadline.is_over() && !stop.is_set() {
        let batch = queue.next_batch(BATCH_WAIT);
        for entry in batch.entries() {
            let Some(&at) = index.get(&(entry.topic(), entry.partition())) else {
                continue;
            };
            if proofs[at] != Proof::Silent {
                continue;
            }
            let last = claims[at].last;
            let proof = match entry.error().map(fault) {
                None if entry.offset() < last.offset => continue,
                None if entry.offset() > last.offset => Proof::Absent,
                None if digest(entry.payload()) == last.digest => Proof::Same,
                None => Proof::Other,
                Some(Fault::EndOfLog | Fault::OutOfRange | Fault::Unreadable) => Proof::Absent,
                Some(_) => continue,
            };
            proofs[at] = proof;
            missing -= 1;
        }
        drop(batch);
        if forwarded.elapsed() >= FORWARD_RHYTHM {
            for (claim, _) in claims.iter().zip(&proofs).filter(|(_, proof)| **proof == Proof::Silent) {
                queue.collect(claim.topic, claim.partition);
            }
            forwarded = Instant::now();
        }
    }
    client.consumer().incremental_unassign(&list)?;
    Ok(proofs)
}
