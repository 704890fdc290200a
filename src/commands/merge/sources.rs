//! What two ledgers say of Kafka's partitions. Together they must have read each without a hole, else a run that goes on behind it
//! would lose what is in it; and nothing may show that they mean different topics.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::store::record::SourceRange;
use crate::store::{ReadRanges, SourceKey};

/// What a ledger says: what was read of each partition.
pub type Offsets = BTreeMap<SourceKey, ReadRanges>;

/// The ranges that the archive `name` has read and this one has not, or not all of.
///
/// # Errors
/// A hole between what the two have read of a partition; a topic that was deleted and made again between them, unless it is among
/// those `accepted`; one whose id only one of them knows; another last message at the same offset.
pub fn beyond(here: &Offsets, there: &Offsets, name: &str, accepted: &[String]) -> Result<Vec<SourceRange>> {
    same_topics(here, there, name, accepted)?;
    let mut beyond = Vec::new();
    for (key, ranges) in there {
        let known = here.get(key);
        let known_ranges = || known.into_iter().flat_map(ReadRanges::iter);
        for range in ranges.iter() {
            if known_ranges().any(|known| is_another_message(known, range)) {
                return Err(Error::new(
                    place(key),
                    format_args!(
                        "has another message at the same offset in {name}: the topic was deleted and made again"
                    ),
                )
                .hint("nothing was merged; the cluster gives topics no id, so their offsets can't be told apart"));
            }
        }
        if let Some(hole) = ReadRanges::hole(known_ranges().chain(ranges.iter())) {
            return Err(Error::new(
                place(key),
                format_args!(
                    "the offsets {} to {} are neither here nor in {name}, and the next run would go on behind them",
                    hole.start,
                    hole.end - 1
                ),
            )
            .hint(format_args!(
                "nothing was merged; run `diurnal archive` on the one that ends at {}: it reads them, or records that Kafka lost them",
                hole.start
            )));
        }
        let is_new = |range: &&SourceRange| known.is_none_or(|known| !known.holds(range));
        beyond.extend(ranges.iter().filter(is_new).cloned());
    }
    Ok(beyond)
}

/// Adds ranges to what a ledger says.
pub fn add(here: &mut Offsets, ranges: Vec<SourceRange>) {
    for range in ranges {
        here.entry(SourceKey::from(&range)).or_default().add(range);
    }
}

/// A topic is known by its id. One that was made again is another one, and a ledger knows both only if somebody accepted that.
fn same_topics(here: &Offsets, there: &Offsets, name: &str, accepted: &[String]) -> Result<()> {
    let (ids_here, ids_there) = (ids(here), ids(there));
    for (topic @ (_, topic_name), there) in &ids_there {
        let Some(here) = ids_here.get(topic) else { continue };
        let (known_here, known_there) = (known(here), known(there));
        let object = format_args!("topic {topic_name}").to_string();
        if known_here.is_empty() != known_there.is_empty() {
            let which = if known_here.is_empty() { "this archive" } else { name };
            return Err(Error::new(
                object,
                format_args!("{which} does not know its id, so nothing proves that both have read the same topic"),
            )
            .hint(
                "nothing was merged; run `diurnal archive` on that one first, which learns the id from the cluster",
            ));
        }
        let one_knows_all = known_here.is_subset(&known_there) || known_there.is_subset(&known_here);
        if !one_knows_all && !accepted.iter().any(|accepted| accepted == topic_name) {
            let list = |ids: &BTreeSet<&str>| ids.iter().copied().collect::<Vec<_>>().join(", ");
            return Err(Error::new(
                object,
                format_args!(
                    "has the id {} here and {} in {name}: it was deleted and made again",
                    list(&known_here),
                    list(&known_there)
                ),
            )
            .hint(format_args!(
                "nothing was merged; --accept-recreated {topic_name} keeps them apart as two topics of one name"
            )));
        }
    }
    Ok(())
}

/// The ids of each topic, by cluster and name.
fn ids(offsets: &Offsets) -> BTreeMap<(&str, &str), BTreeSet<Option<&str>>> {
    let mut ids: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for key in offsets.keys() {
        let topic = (key.cluster_id.as_str(), key.topic.as_str());
        ids.entry(topic).or_default().insert(key.topic_id.as_deref());
    }
    ids
}

fn known<'a>(ids: &BTreeSet<Option<&'a str>>) -> BTreeSet<&'a str> {
    ids.iter().copied().flatten().collect()
}

fn is_another_message(a: &SourceRange, b: &SourceRange) -> bool {
    match (&a.last, &b.last) {
        (Some(a), Some(b)) => a.offset == b.offset && a.digest != b.digest,
        _ => false,
    }
}

fn place(key: &SourceKey) -> String {
    format!("{}[{}]", key.topic, key.partition)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::record::LastMessage;

    fn range(topic_id: Option<&str>, first: i64, next: i64) -> SourceRange {
        SourceRange {
            cluster_id: "c".into(),
            topic_id: topic_id.map(str::to_owned),
            topic: "t".into(),
            partition: 0,
            first,
            next,
            messages: (next - first) as u64,
            gaps: 0,
            lost: 0,
            again: 0,
            last: None,
            epoch: None,
        }
    }

    fn offsets(ranges: &[SourceRange]) -> Offsets {
        let mut offsets = Offsets::new();
        add(&mut offsets, ranges.to_vec());
        offsets
    }

    fn ends(here: &[SourceRange], there: &[SourceRange]) -> Result<Vec<(i64, i64)>> {
        let new = beyond(&offsets(here), &offsets(there), "there", &[])?;
        Ok(new.iter().map(|range| (range.first, range.next)).collect())
    }

    fn a(first: i64, next: i64) -> SourceRange {
        range(Some("a"), first, next)
    }

    #[test]
    fn what_goes_beyond_is_taken_as_it_was_read_and_what_is_inside_is_not() {
        assert_eq!(ends(&[a(0, 100)], &[a(100, 250)]), Ok(vec![(100, 250)]));
        assert_eq!(ends(&[a(100, 250)], &[a(0, 100)]), Ok(vec![(0, 100)]));
        assert_eq!(ends(&[a(0, 100)], &[a(50, 80)]), Ok(vec![]));
        assert_eq!(ends(&[a(0, 100)], &[a(50, 250)]), Ok(vec![(50, 250)]));
        assert_eq!(ends(&[a(50, 80)], &[a(0, 100)]), Ok(vec![(0, 100)]));
        assert_eq!(ends(&[], &[a(7, 7)]), Ok(vec![(7, 7)]));
        assert_eq!(ends(&[a(7, 7)], &[a(7, 7)]), Ok(vec![]));
    }

    #[test]
    fn a_hole_is_refused_naming_it_and_what_to_do() {
        let error = ends(&[a(0, 100)], &[a(200, 300)]).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("t[0]: the offsets 100 to 199 are neither"),
            "{error}"
        );
        assert!(error.advice().is_some_and(|advice| advice.contains("ends at 100")));
        assert!(ends(&[a(200, 300)], &[a(0, 100)]).is_err());
        assert!(ends(&[a(100, 100)], &[a(200, 300)]).is_err());
    }

    #[test]
    fn a_topic_that_was_made_again_is_refused_unless_one_of_them_knows_both_or_it_is_accepted() {
        let b = range(Some("b"), 0, 5);
        let error = ends(&[a(0, 9)], std::slice::from_ref(&b)).unwrap_err();
        assert!(error.to_string().contains("the id a here and b in there"), "{error}");
        let both = [a(0, 9), b.clone()];
        assert_eq!(ends(&both, std::slice::from_ref(&b)), Ok(vec![]));
        assert_eq!(ends(&[a(0, 9)], &both), Ok(vec![(0, 5)]));
        let accepted = beyond(&offsets(&[a(0, 9)]), &offsets(&[b]), "there", &["t".to_owned()]);
        assert_eq!(accepted.map(|ranges| ranges.len()), Ok(1));
    }

    #[test]
    fn an_id_that_only_one_of_them_knows_proves_nothing() {
        let without = range(None, 0, 9);
        let error = ends(&[a(0, 9)], std::slice::from_ref(&without)).unwrap_err();
        assert!(error.to_string().contains("there does not know its id"), "{error}");
        // One that learned the id knows both.
        assert_eq!(ends(&[without, a(9, 12)], &[a(12, 20)]), Ok(vec![(12, 20)]));
    }

    #[test]
    fn another_last_message_at_the_same_offset_is_refused() {
        let last = |digest: &str| SourceRange {
            last: Some(LastMessage {
                offset: 8,
                digest: digest.into(),
            }),
            ..range(None, 0, 9)
        };
        assert_eq!(ends(&[last("x")], &[last("x")]), Ok(vec![]));
        let error = ends(&[last("x")], &[last("y")]).unwrap_err();
        assert!(error.to_string().contains("another message"), "{error}");
    }

    #[test]
    fn other_clusters_and_topics_are_other_sources() {
        let elsewhere = SourceRange {
            cluster_id: "d".into(),
            ..range(Some("z"), 500, 600)
        };
        assert_eq!(ends(&[a(0, 9)], &[elsewhere]), Ok(vec![(500, 600)]));
    }
}
