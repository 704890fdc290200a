//! The start of a run: connects, finds the topics, freezes the ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::client::{Client, Cluster, Deadline, PartitionMeta};
use super::drain::Slot;
use super::facts::{self, Candidate, list_partitions};
use super::partitions;
use super::plan::{self, Decision, Facts, Past};
use super::raw::admin::TopicDescription;
use super::recover::cut_error;
use super::select::{self, Pattern};
use super::settings::KafkaSettings;
use super::verify::{self, Claim, Proof};
use super::{KafkaSource, Notice, cut, identity, replay};
use crate::error::{Error, Result};
use crate::source::{StopFlag, TopicIdentity};
use crate::store::record::{LastMessage, SourceRange};

/// How long logs that end below the ledger are asked for again, all together: a new leader can be behind for a moment.
const CUT_PATIENCE: Duration = Duration::from_secs(3);
/// How long one answer may take.
const CUT_ANSWER: Duration = Duration::from_secs(2);
/// How often they are asked for.
const CUT_RHYTHM: Duration = Duration::from_millis(300);

/// See [`KafkaSource::open`].
pub fn open(settings: &KafkaSettings, known: &[SourceRange], stop: &StopFlag) -> Result<KafkaSource> {
    let patterns = select::parse_patterns(&settings.topics)?;
    let deadline = Deadline::after(settings.timeout);
    let (client, cluster) = Client::connect(settings, stop, deadline)?;
    let mut notices = Vec::new();
    let names = topic_names(&patterns, &cluster, known, &mut notices)?;
    notices.extend(partitions::check(
        settings.partitions.as_ref(),
        &patterns,
        &names,
        &cluster,
    )?);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let cluster = client.wait_for_leaders(cluster, &names, settings, stop)?;

    let described = identity::topic_ids(&client, &cluster, &names, known, deadline);
    let mut topics = Vec::new();
    let mut left_out = Vec::new();
    let mut candidates = Vec::new();
    for name in names {
        let description = described.get(name);
        let Some((identity, past)) = identify(name, description, &cluster.id, known, settings, &mut notices) else {
            continue;
        };
        let of_topic = cluster.topics.get(name).map_or(&[][..], Vec::as_slice);
        let (mine, others) = partitions::split(settings.partitions.as_ref(), of_topic);
        candidates.extend(candidates_of(topics.len(), name, &past, &mine, &mut notices));
        left_out.push(others);
        topics.push(Arc::new(identity));
    }

    let mut facts = facts::facts(&client, &topics, &candidates, settings, &mut notices);
    cut::find_cuts(&topics, &candidates, &mut facts, settings, stop, &mut notices)?;
    let mut slots = decide(&client, &topics, candidates, &facts, settings, &mut notices);
    prove_topics(&client, &topics, &mut slots, settings.timeout, stop, &mut notices)?;
    let slots = slots.into_iter().map(|(slot, _)| slot).collect();
    Ok(KafkaSource::new(
        client,
        cluster.brokers,
        settings,
        (topics, left_out),
        slots,
        notices,
    ))
}

/// The topics that the patterns select.
pub(super) fn topic_names(
    patterns: &[Pattern],
    cluster: &Cluster,
    known: &[SourceRange],
    notices: &mut Vec<Notice>,
) -> Result<BTreeSet<String>> {
    let existing = || cluster.topics.keys().map(String::as_str);
    let selection = select::select(patterns, existing());
    for name in &selection.missing {
        let archived = known
            .iter()
            .any(|range| range.topic == *name && range.cluster_id == cluster.id);
        if !archived {
            return Err(select::unknown_topic(name, existing()));
        }
        notices.push(Notice::incomplete(
            Error::new(format_args!("topic {name}"), "is gone from the cluster")
                .hint("what was archived of it stays; leave the topic out if it was deleted for good"),
        ));
    }
    for pattern in &selection.unmatched {
        let error = Error::new(format_args!("--topic {pattern}"), "matches no topic");
        if selection.found.is_empty() && selection.missing.is_empty() {
            return Err(error.hint("topics that start with __ need an expression that starts with ^__"));
        }
        notices.push(Notice::warning(error));
    }
    Ok(selection.found)
}

/// Whether the topic is one to be read, and what the ledger knows of it.
fn identify<'a>(
    name: &str,
    description: Option<&TopicDescription>,
    cluster_id: &str,
    known: &'a [SourceRange],
    settings: &KafkaSettings,
    notices: &mut Vec<Notice>,
) -> Option<(TopicIdentity, Past<'a>)> {
    if let Some(error) = description.and_then(|topic| topic.error.as_deref()) {
        notices.push(Notice::incomplete(
            Error::new(
                format_args!("topic {name}"),
                format_args!("can't be described: {error}"),
            )
            .hint("run again if it was just made; else check that this user may DESCRIBE and READ it"),
        ));
        return None;
    }
    let topic_id = description.and_then(|topic| topic.id.clone());
    let accepted = settings.accept_recreated.iter().any(|topic| topic == name);
    let past = plan::past(known, cluster_id, name, topic_id.as_deref(), accepted);
    match past {
        Past::Recreated => {
            notices.push(Notice::incomplete(plan::recreated_error(name)));
            None
        }
        Past::Unproven => {
            notices.push(Notice::incomplete(
                Error::new(
                    format_args!("topic {name}"),
                    "the cluster doesn't say its id now, so nothing proves that it is the archived one",
                )
                .hint("run again; the broker may be starting"),
            ));
            None
        }
        Past::New | Past::Known(_) => Some((
            TopicIdentity {
                cluster_id: cluster_id.to_owned(),
                topic_id,
                topic: name.to_owned(),
            },
            past,
        )),
    }
}

/// Of these partitions of a topic those that have a leader.
fn candidates_of<'a>(
    topic: usize,
    name: &str,
    past: &Past<'a>,
    partitions: &[PartitionMeta],
    notices: &mut Vec<Notice>,
) -> Vec<Candidate<'a>> {
    let leaderless: Vec<i32> = partitions
        .iter()
        .filter(|partition| !partition.has_leader)
        .map(|partition| partition.partition)
        .collect();
    if !leaderless.is_empty() {
        notices.push(Notice::incomplete(
            Error::new(
                format_args!("topic {name}"),
                format_args!("no leader for {}", list_partitions(&leaderless)),
            )
            .hint("the others were read; run again when their brokers are back"),
        ));
    }
    partitions
        .iter()
        .filter(|partition| partition.has_leader)
        .map(|partition| Candidate {
            topic,
            partition: partition.partition,
            known: match past {
                Past::Known(ranges) => plan::range_of(ranges, partition.partition),
                _ => None,
            },
            topic_is_new: !matches!(past, Past::Known(_)),
        })
        .collect()
}

/// Turns facts into tracks; with each slot comes the last message that the ledger knows, where it has to be proven.
fn decide(
    client: &Client,
    topics: &[Arc<TopicIdentity>],
    candidates: Vec<Candidate<'_>>,
    facts: &[Option<Facts>],
    settings: &KafkaSettings,
    notices: &mut Vec<Notice>,
) -> Vec<(Slot, Option<LastMessage>)> {
    let mut slots = Vec::new();
    let mut cut_short = BTreeMap::new();
    let mut patience: Option<Deadline> = None;
    for (candidate, facts) in candidates.into_iter().zip(facts) {
        let Some(mut facts) = *facts else { continue };
        let topic = &topics[candidate.topic];
        let next = candidate.known.map(|range| range.next);
        let track = loop {
            let decision = match settings.replay {
                Some(replay) => replay.decide(next, candidate.topic_is_new, facts),
                None => plan::decide(next, candidate.topic_is_new, settings.from, facts),
            };
            match decision {
                Decision::Read(track) => break Some(track),
                Decision::Cut => {}
            }
            let patience = patience.get_or_insert_with(|| Deadline::after(CUT_PATIENCE));
            if patience.is_over() {
                break None;
            }
            std::thread::sleep(patience.at_most(CUT_RHYTHM));
            if let Ok((low, stable_end)) = client.watermarks(&topic.topic, candidate.partition, CUT_ANSWER) {
                facts = Facts {
                    low,
                    stable_end,
                    ..facts
                };
            }
        };
        let Some(track) = track else {
            notices.push(Notice::incomplete(cut_error(
                &topic.topic,
                candidate.partition,
                facts.stable_end,
                next.unwrap_or_default(),
            )));
            continue;
        };
        let was_read = next.is_some() || candidate.topic_is_new;
        if was_read && settings.replay.is_some_and(|replay| replay.is_cut_short(facts)) {
            cut_short.insert((candidate.topic, candidate.partition), facts.low);
        }
        let last = candidate.known.and_then(|range| range.last.clone());
        // A range with an id needs no proof: the id is the same.
        let claim = candidate
            .known
            .filter(|range| range.topic_id.is_none())
            .and_then(|range| range.last.clone());
        let keep_last = topic.topic_id.is_none() && settings.replay.is_none();
        let mut slot = Slot::new(
            candidate.topic,
            candidate.partition,
            track,
            facts.stable_end.max(facts.low),
            last.filter(|_| keep_last),
            keep_last,
        );
        slot.epoch = facts.epoch;
        slot.again = cut::again(next, facts.cut);
        slots.push((slot, claim));
    }
    notices.extend(replay::cut_short_notices(topics, &cut_short));
    slots
}

/// Drops the partitions of topics that turn out to be others than those in the ledger.
fn prove_topics(
    client: &Client,
    topics: &[Arc<TopicIdentity>],
    slots: &mut Vec<(Slot, Option<LastMessage>)>,
    timeout: Duration,
    stop: &StopFlag,
    notices: &mut Vec<Notice>,
) -> Result<()> {
    let mut refused = BTreeSet::new();
    let mut unproven: BTreeMap<usize, Vec<i32>> = BTreeMap::new();
    {
        let claimed: Vec<(&Slot, Claim<'_>)> = slots
            .iter()
            .filter_map(|(slot, claim)| {
                let claim = Claim {
                    topic: &topics[slot.topic].topic,
                    partition: slot.partition,
                    last: claim.as_ref()?,
                };
                Some((slot, claim))
            })
            .collect();
        let claims: Vec<Claim<'_>> = claimed.iter().map(|(_, claim)| *claim).collect();
        let proofs = verify::prove(client, &claims, Deadline::after(timeout), stop)
            .map_err(|error| Error::new(client.brokers(), error))?;
        for ((slot, claim), proof) in claimed.iter().zip(proofs) {
            match proof {
                Proof::Same => {}
                Proof::Absent => unproven.entry(slot.topic).or_default().push(slot.partition),
                Proof::Other if refused.insert(slot.topic) => {
                    notices.push(Notice::incomplete(plan::recreated_without_id(claim.topic)));
                }
                Proof::Silent if refused.insert(slot.topic) => {
                    notices.push(Notice::incomplete(
                        Error::new(
                            format_args!("topic {}", claim.topic),
                            "its last archived message didn't come in time, so nothing proves that it is the same topic",
                        )
                        .hint("run again later"),
                    ));
                }
                Proof::Other | Proof::Silent => {}
            }
        }
    }
    for (topic, partitions) in unproven {
        if refused.contains(&topic) {
            continue;
        }
        notices.push(Notice::warning(
            Error::new(
                format_args!("topic {}", topics[topic].topic),
                format_args!(
                    "the last archived message of {} is gone, so nothing proves that it is the same topic",
                    list_partitions(&partitions)
                ),
            )
            .hint("retention took it; brokers since Kafka 2.8 give topics an id, which proves it"),
        ));
    }
    slots.retain(|(slot, _)| !refused.contains(&slot.topic));
    Ok(())
}
