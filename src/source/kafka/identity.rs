//! Topic ids: what tells a topic from one of the same name that was made after it was deleted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::client::{Client, Cluster, Deadline};
use super::raw::admin::TopicDescription;
use crate::error::Result;
use crate::source::TopicIdentity;
use crate::store::record::SourceRange;

/// How long topic ids may take where the ledger doesn't know any: a cluster may have none.
const TOPIC_ID_PATIENCE: Duration = Duration::from_secs(3);

/// What the cluster says about each topic's id; nothing where it doesn't answer.
pub fn topic_ids(
    client: &Client,
    cluster: &Cluster,
    names: &[&str],
    known: &[SourceRange],
    deadline: Deadline,
) -> BTreeMap<String, TopicDescription> {
    if names.is_empty() {
        return BTreeMap::new();
    }
    let needed = known
        .iter()
        .any(|range| range.topic_id.is_some() && range.cluster_id == cluster.id);
    let deadline = if needed {
        deadline
    } else {
        Deadline::after(deadline.at_most(TOPIC_ID_PATIENCE))
    };
    match client.describe(names, &cluster.brokers, deadline) {
        Ok(topics) => topics.into_iter().map(|topic| (topic.name.clone(), topic)).collect(),
        Err(text) => {
            log::debug!("no topic ids: {text}");
            BTreeMap::new()
        }
    }
}

/// Topics, by index, whose id is another one now, or that are gone. Empty at once where no topic has an id.
///
/// # Errors
/// No answer in time, with librdkafka's text.
pub fn changed_topics(
    client: &Client,
    brokers: &[i32],
    topics: &[Arc<TopicIdentity>],
    patience: Duration,
) -> Result<Vec<usize>, String> {
    let with_id: Vec<(usize, &TopicIdentity)> = topics
        .iter()
        .enumerate()
        .filter(|(_, topic)| topic.topic_id.is_some())
        .map(|(index, topic)| (index, topic.as_ref()))
        .collect();
    if with_id.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = with_id.iter().map(|(_, topic)| topic.topic.as_str()).collect();
    let now = client.describe(&names, brokers, Deadline::after(patience))?;
    let mut changed = Vec::new();
    for (index, topic) in with_id {
        let found = now.iter().find(|described| described.name == topic.topic);
        let gone = match found {
            None => true,
            Some(described) => match described.error.as_deref() {
                None => described.id != topic.topic_id,
                Some("UNKNOWN_TOPIC_OR_PART" | "UNKNOWN_TOPIC_ID") => true,
                Some(error) => return Err(format!("topic {}: {error}", topic.topic)),
            },
        };
        if gone {
            changed.push(index);
        }
    }
    Ok(changed)
}
