//! Partitions: how far the archive is, and what Kafka says of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::report::{Time, time};
use crate::source::kafka::{Look, Seen, Standing};
use crate::store::record::SourceRange;
use crate::store::{RunTimes, SourceKey};

#[derive(Serialize)]
pub struct PartitionStatus {
    pub cluster_id: String,
    pub topic_id: Option<String>,
    pub topic: String,
    pub partition: i32,
    /// Where the next run goes on; none where the archive has not read of it.
    pub next: Option<i64>,
    /// When a run last read it to its end.
    pub last_read: Option<Time>,
    /// Whether the archive goes on with another topic of that name, so that nothing is to be expected of this one.
    pub replaced: bool,
    #[serde(flatten)]
    pub kafka: Option<InKafka>,
}

/// What Kafka said of a partition.
#[derive(Clone, Copy, Serialize)]
pub struct InKafka {
    pub standing: &'static str,
    pub start: Option<i64>,
    pub end: Option<i64>,
    /// What the next run has to read.
    pub lag: Option<u64>,
    /// How much of that is gone from Kafka.
    pub lost: Option<u64>,
}

impl PartitionStatus {
    pub fn name(&self) -> String {
        format!("{}[{}]", self.topic, self.partition)
    }
}

/// Ends before what was read.
pub const CUT: &str = "cut";

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Known => "known",
        Standing::New => "new",
        Standing::Recreated => "recreated",
        Standing::Gone => "gone",
        Standing::Unknown => "unknown",
    }
}

/// Partitions that the archive has read, then those that it has not.
pub fn partitions(known: &[&SourceRange], seen: Option<&Look>, times: &RunTimes, now: i64) -> Vec<PartitionStatus> {
    let in_kafka = |key: &SourceKey, next: Option<i64>| {
        let look = seen?;
        let found = look.seen.iter().find(|seen| seen.key == *key);
        let of_topic = |seen: &&Seen| {
            (&seen.key.cluster_id, &seen.key.topic) == (&key.cluster_id, &key.topic)
                && seen.standing == Standing::Recreated
        };
        let (says, bounds) = match found {
            Some(seen) => (standing(seen.standing), seen.bounds),
            None if key.cluster_id != look.cluster_id => ("elsewhere", None),
            // The offsets that Kafka has are another topic's.
            None if look.seen.iter().any(|seen| of_topic(&seen)) => (standing(Standing::Recreated), None),
            None => ("replaced", None),
        };
        let start = next.or(bounds.map(|bounds| bounds.start));
        let is_cut = bounds.zip(next).is_some_and(|(bounds, next)| bounds.end < next);
        let counts = bounds
            .zip(start)
            .filter(|_| !is_cut && found.is_some_and(|seen| seen.standing != Standing::Recreated));
        Some(InKafka {
            standing: if is_cut { CUT } else { says },
            start: bounds.map(|bounds| bounds.start),
            end: bounds.map(|bounds| bounds.end),
            lag: counts.map(|(bounds, start)| bounds.end.abs_diff(start)),
            lost: counts.map(|(bounds, start)| u64::try_from(bounds.start - start).unwrap_or(0)),
        })
    };
    let old = replaced(known, seen, times);
    let mut rows: Vec<PartitionStatus> = known
        .iter()
        .map(|range| {
            let key = SourceKey::from(*range);
            PartitionStatus {
                last_read: times.read_at(&key).and_then(|at| time(at.to_owned(), now)),
                replaced: old.contains(&key),
                kafka: in_kafka(&key, Some(range.next)),
                cluster_id: key.cluster_id,
                topic_id: key.topic_id,
                topic: key.topic,
                partition: key.partition,
                next: Some(range.next),
            }
        })
        .collect();
    let keys: BTreeSet<SourceKey> = known.iter().map(|range| SourceKey::from(*range)).collect();
    let new = seen.map_or(&[][..], |look| &look.seen);
    let new = new.iter().filter(|seen| !keys.contains(&seen.key));
    rows.extend(new.map(|seen| PartitionStatus {
        last_read: None,
        replaced: false,
        kafka: in_kafka(&seen.key, None),
        cluster_id: seen.key.cluster_id.clone(),
        topic_id: seen.key.topic_id.clone(),
        topic: seen.key.topic.clone(),
        partition: seen.key.partition,
        next: None,
    }));
    rows.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    rows
}

/// Partitions of one topic, by its id.
type OfId<'a> = BTreeMap<Option<&'a str>, Vec<SourceKey>>;

/// Partitions of topics that were deleted and made again, where the archive has gone on with the new one. Kafka knows which that is;
/// where it was not asked, the topic that was read last.
fn replaced(known: &[&SourceRange], seen: Option<&Look>, times: &RunTimes) -> BTreeSet<SourceKey> {
    let mut by_name: BTreeMap<(&str, &str), OfId<'_>> = BTreeMap::new();
    for range in known {
        let ids = by_name.entry((&range.cluster_id, &range.topic)).or_default();
        ids.entry(range.topic_id.as_deref())
            .or_default()
            .push(SourceKey::from(*range));
    }
    let is_current = |keys: &[SourceKey]| {
        let of_look = |look: &Look| {
            look.seen
                .iter()
                .any(|seen| seen.standing == Standing::Known && keys.contains(&seen.key))
        };
        seen.is_some_and(of_look)
    };
    let last_read = |keys: &[SourceKey]| {
        keys.iter()
            .filter_map(|key| times.read_at(key))
            .max()
            .map(str::to_owned)
    };
    let mut old = BTreeSet::new();
    for ids in by_name.into_values().filter(|ids| ids.len() > 1) {
        let newest = ids.values().map(|keys| last_read(keys)).max().flatten();
        let asked = ids.values().any(|keys| is_current(keys));
        for keys in ids.into_values() {
            let current = match asked {
                true => is_current(&keys),
                false => newest.is_none() || last_read(&keys) == newest,
            };
            if !current {
                old.extend(keys);
            }
        }
    }
    old
}
