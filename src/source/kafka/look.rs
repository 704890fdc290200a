//! A look at Kafka without reading a message that is new: where partitions end, and how far behind an archive is. For `diurnal status`.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::topic_partition_list::Offset;

use super::client::{Client, Deadline};
use super::identity;
use super::open::topic_names;
use super::partitions::{self, PartitionSet};
use super::plan::{self, Past};
use super::select::{self, Pattern};
use super::settings::KafkaSettings;
use super::verify::{self, Claim, Proof};
use crate::error::{Error, Result};
use crate::source::StopFlag;
use crate::store::SourceKey;
use crate::store::record::SourceRange;

/// What is looked at: the topics that `--topic` names, the partitions that `--partitions` does; without them, all.
#[derive(Debug)]
pub struct SourceFilter {
    topics: Option<Vec<Pattern>>,
    partitions: Option<PartitionSet>,
}

impl SourceFilter {
    /// Reads the arguments.
    ///
    /// # Errors
    /// A regular expression that is none, wrong usage.
    pub fn new(topics: &[String], partitions: Option<PartitionSet>) -> Result<Self> {
        let patterns = (!topics.is_empty()).then(|| select::parse_patterns(topics));
        Ok(Self {
            topics: patterns.transpose()?,
            partitions,
        })
    }

    /// Whether a partition of a topic is meant.
    pub fn takes(&self, topic: &str, partition: i32) -> bool {
        self.takes_partition(partition) && self.takes_topic(topic)
    }

    fn takes_topic(&self, topic: &str) -> bool {
        match &self.topics {
            Some(patterns) => !select::select(patterns, std::iter::once(topic)).found.is_empty(),
            None => true,
        }
    }

    fn takes_partition(&self, partition: i32) -> bool {
        self.partitions
            .as_ref()
            .is_none_or(|partitions| partitions.holds(partition))
    }

    /// The error of an archive that has read nothing of what is meant.
    pub fn takes_nothing(&self) -> Error {
        match &self.partitions {
            Some(partitions) => Error::new(
                format_args!("--partitions {partitions}"),
                "names no partition that the archive has read",
            ),
            None => Error::new("--topic", "names no topic that the archive has read"),
        }
    }
}

/// What Kafka holds of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The first offset that is still there.
    pub start: i64,
    /// The last stable offset: where a run would end that begins now.
    pub end: i64,
}

/// What the partition that Kafka has is to the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The one that it has read.
    Known,
    /// One that it has not read from yet.
    New,
    /// One of a topic that was deleted and made again: its offsets mean other messages.
    Recreated,
    /// One of a topic that the cluster has no longer.
    Gone,
    /// Kafka did not say.
    Unknown,
}

/// A partition as Kafka has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The partition, by the name under which the ledger knows it, or would.
    pub key: SourceKey,
    /// What it is to the archive.
    pub standing: Standing,
    /// What Kafka holds of it; not of one that is gone, or that it said nothing of.
    pub bounds: Option<Bounds>,
}

/// What Kafka said.
#[derive(Debug, Default)]
pub struct Look {
    /// The cluster's id; empty where the broker gives none.
    pub cluster_id: String,
    /// Partitions, by topic and number.
    pub seen: Vec<Seen>,
    /// What keeps a run from being complete, or the answer.
    pub problems: Vec<Error>,
}

/// Asks Kafka about what `filter` takes; where it names no topic, of all that `known` has of this cluster. `known` is the ledger's last
/// range of each partition.
///
/// # Errors
/// Wrong usage; no broker answers within the time-out; a topic that neither the cluster nor the ledger knows; a partition that no topic has;
/// the stop flag.
pub fn look(settings: &KafkaSettings, filter: &SourceFilter, known: &[SourceRange], stop: &StopFlag) -> Result<Look> {
    let deadline = Deadline::after(settings.timeout);
    let (client, cluster) = Client::connect(settings, stop, deadline)?;
    let of_cluster = |range: &&SourceRange| range.cluster_id == cluster.id;
    let mut notices = Vec::new();
    let names: BTreeSet<String> = match &filter.topics {
        Some(patterns) => topic_names(patterns, &cluster, known, &mut notices)?,
        None => {
            let named = known.iter().filter(of_cluster).map(|range| range.topic.clone());
            named.filter(|topic| cluster.topics.contains_key(topic)).collect()
        }
    };
    let patterns = filter.topics.as_deref().unwrap_or_default();
    // That there is none of them yet is no news to who looks: the table shows none.
    partitions::check(filter.partitions.as_ref(), patterns, &names, &cluster)?;
    let mut look = Look {
        cluster_id: cluster.id.clone(),
        ..Look::default()
    };
    // A topic that is gone is told below, whichever way it was named.
    let gone = known
        .iter()
        .filter(of_cluster)
        .filter(|range| filter.takes(&range.topic, range.partition));
    for range in gone.filter(|range| !cluster.topics.contains_key(&range.topic)) {
        look.seen.push(Seen {
            key: range.into(),
            standing: Standing::Gone,
            bounds: None,
        });
    }
    let gone: BTreeSet<&str> = look.seen.iter().map(|seen| seen.key.topic.as_str()).collect();
    look.problems.extend(gone.into_iter().map(gone_error));

    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let described = identity::topic_ids(&client, &cluster, &names, known, deadline);
    let mut claims = Vec::new();
    for name in names {
        let description = described.get(name);
        let topic_id = description.and_then(|topic| topic.id.clone());
        let past = plan::past(known, &cluster.id, name, topic_id.as_deref(), false);
        let standing = match (&past, description.and_then(|topic| topic.error.as_deref())) {
            (_, Some(error)) => {
                let error = Error::new(
                    format_args!("topic {name}"),
                    format_args!("can't be described: {error}"),
                );
                look.problems
                    .push(error.hint("check that this user may DESCRIBE and READ it"));
                Standing::Unknown
            }
            (Past::New, None) => Standing::New,
            (Past::Known(_), None) => Standing::Known,
            (Past::Recreated, None) => {
                look.problems.push(plan::recreated_error(name));
                Standing::Recreated
            }
            (Past::Unproven, None) => {
                let cause = "the cluster doesn't say its id now, so nothing proves that it is the archived one";
                look.problems
                    .push(Error::new(format_args!("topic {name}"), cause).hint("the broker may be starting"));
                Standing::Unknown
            }
        };
        let ranges = match &past {
            Past::Known(ranges) => &ranges[..],
            _ => &[],
        };
        let of_topic = cluster.topics.get(name).into_iter().flatten();
        for partition in of_topic.filter(|partition| filter.takes_partition(partition.partition)) {
            let range = plan::range_of(ranges, partition.partition);
            claims.extend(range.filter(|range| range.topic_id.is_none() && topic_id.is_none()));
            let key = match range {
                Some(range) => range.into(),
                None => SourceKey {
                    cluster_id: cluster.id.clone(),
                    topic_id: topic_id.clone(),
                    topic: name.to_owned(),
                    partition: partition.partition,
                },
            };
            let standing = match (standing, range) {
                (Standing::Known, None) => Standing::New,
                (standing, _) => standing,
            };
            look.seen.push(Seen {
                key,
                standing,
                bounds: None,
            });
        }
    }
    ask_bounds(&client, &mut look, deadline);
    prove(&client, &claims, &mut look, deadline, stop)?;
    look.seen
        .sort_by(|a, b| (&a.key.topic, a.key.partition).cmp(&(&b.key.topic, b.key.partition)));
    Ok(look)
}

/// Asks where the partitions begin and end.
fn ask_bounds(client: &Client, look: &mut Look, deadline: Deadline) {
    let here = |seen: &&mut Seen| seen.standing != Standing::Gone;
    let partitions: Vec<(String, i32)> = look
        .seen
        .iter_mut()
        .filter(here)
        .map(|seen| (seen.key.topic.clone(), seen.key.partition))
        .collect();
    let asked: Vec<(&str, i32)> = partitions
        .iter()
        .map(|(topic, number)| (topic.as_str(), *number))
        .collect();
    let starts = client.offsets(&asked, Offset::Beginning, deadline);
    let ends = client.offsets(&asked, Offset::End, deadline);
    for ((seen, start), end) in look.seen.iter_mut().filter(here).zip(starts).zip(ends) {
        let found = start.and_then(|start| Ok((start.ok_or("no log start")?, end?.ok_or("no end")?)));
        match found {
            Ok((start, end)) => {
                seen.bounds = Some(Bounds {
                    start,
                    // As a run does: the log start may have passed a stable end.
                    end: end.max(start),
                });
            }
            Err(text) => {
                let object = format_args!("{}[{}]", seen.key.topic, seen.key.partition);
                let error = Error::new(object, format_args!("its offsets are not to be had: {text}"));
                look.problems
                    .push(error.hint("its broker may be down or starting; try again, or with a longer --timeout"));
                if seen.standing != Standing::Recreated {
                    seen.standing = Standing::Unknown;
                }
            }
        }
    }
}

/// Topics without an id are the ones that the ledger knows if they still hold the message that was read last.
fn prove(client: &Client, known: &[&SourceRange], look: &mut Look, deadline: Deadline, stop: &StopFlag) -> Result<()> {
    let claims: Vec<Claim<'_>> = known
        .iter()
        .filter_map(|range| {
            Some(Claim {
                topic: &range.topic,
                partition: range.partition,
                last: range.last.as_ref()?,
            })
        })
        .collect();
    let proofs = verify::prove(client, &claims, deadline, stop).map_err(|error| Error::new(client.brokers(), error))?;
    let mut refused = BTreeMap::new();
    for (claim, proof) in claims.iter().zip(proofs) {
        match proof {
            Proof::Other => drop(refused.insert(claim.topic, Standing::Recreated)),
            Proof::Silent => drop(refused.entry(claim.topic).or_insert(Standing::Unknown)),
            Proof::Same | Proof::Absent => {}
        }
    }
    for (topic, standing) in refused {
        look.problems.push(match standing {
            Standing::Recreated => plan::recreated_without_id(topic),
            _ => Error::new(
                format_args!("topic {topic}"),
                "its last archived message didn't come in time, so nothing proves that it is the same topic",
            )
            .hint("try again, or with a longer --timeout"),
        });
        for seen in look.seen.iter_mut().filter(|seen| seen.key.topic == topic) {
            seen.standing = standing;
        }
    }
    Ok(())
}

fn gone_error(topic: &str) -> Error {
    Error::new(format_args!("topic {topic}"), "is gone from the cluster")
        .hint("what was archived of it stays; if it was deleted for good, --topic names those that are to be looked at")
}
