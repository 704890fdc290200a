//! What to read: which topics are the ones that the ledger knows, and from where to where each partition is read.
//!
//! Nothing here talks to Kafka; the facts come from [`open`](super::open).

use crate::error::Error;
use crate::store::record::SourceRange;

use super::settings::StartAt;
use super::track::{FrozenEnd, Track};

/// What the ledger knows of a topic.
#[derive(Debug, PartialEq, Eq)]
pub enum Past<'a> {
    /// Nothing: it is read from `--from`.
    New,
    /// These ranges. Those without a topic id have to be proven by their last message.
    Known(Vec<&'a SourceRange>),
    /// A topic of this name with another id: it was deleted and made again.
    Recreated,
    /// The ledger knows its id, but the cluster didn't say it this time.
    Unproven,
}

/// Finds out whether a topic is the one that the ledger knows.
///
/// `accepted`: the user knows that it was made again and wants the new one.
pub fn past<'a>(
    known: &'a [SourceRange],
    cluster_id: &str,
    topic: &str,
    topic_id: Option<&str>,
    accepted: bool,
) -> Past<'a> {
    let of_topic: Vec<&SourceRange> = known
        .iter()
        .filter(|range| range.cluster_id == cluster_id && range.topic == topic)
        .collect();
    if of_topic.is_empty() {
        return Past::New;
    }
    let same_id = |range: &SourceRange| range.topic_id.as_deref() == topic_id;
    let without_id = |range: &SourceRange| range.topic_id.is_none();
    let matching = if of_topic.iter().any(|range| same_id(range)) {
        // The cluster may have learned topic ids while the partition was idle.
        of_topic
            .iter()
            .copied()
            .filter(|range| same_id(range) || without_id(range))
            .collect()
    } else if of_topic.iter().all(|range| without_id(range)) {
        of_topic
    } else if accepted {
        return Past::New;
    } else if topic_id.is_none() {
        return Past::Unproven;
    } else {
        return Past::Recreated;
    };
    Past::Known(matching)
}

/// The range that says how far a partition was read: the one with a topic id before the one without.
pub fn range_of<'a>(ranges: &[&'a SourceRange], partition: i32) -> Option<&'a SourceRange> {
    ranges
        .iter()
        .copied()
        .filter(|range| range.partition == partition)
        .max_by_key(|range| (range.topic_id.is_some(), range.next))
}

/// What Kafka says about a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The first offset that is still there.
    pub low: i64,
    /// The last stable offset.
    pub stable_end: i64,
    /// The leader's epoch, where Kafka says it.
    pub epoch: Option<i32>,
    /// Where the log was cut, below what was read before.
    pub cut: Option<i64>,
    /// The first record at or after the time of `--from`, or where `--replay` begins; none when there is no such record, or no such time.
    pub from: Option<i64>,
    /// The first record at or after the time of `--until`, or where `--replay` ends; none when there is no such record, or no such time.
    pub until: Option<i64>,
}

/// How a partition is read.
#[derive(Debug)]
pub enum Decision {
    /// As this track says, which may be done already.
    Read(Track),
    /// Not at all: the log ends before what was read already.
    Cut,
}

/// Decides where a partition starts and ends. `next` is what the ledger knows; `topic_is_new` whether it knows nothing
/// of the topic either.
pub fn decide(next: Option<i64>, topic_is_new: bool, from: StartAt, facts: Facts) -> Decision {
    // Records deleted up to the high watermark can put the log start behind a stable end that was asked for earlier.
    let stable_end = facts.stable_end.max(facts.low);
    let end = FrozenEnd(facts.until.map_or(stable_end, |until| until.min(stable_end)));
    let Some(next) = next else {
        let first = match from {
            // A partition that was added later holds what was written since: reading it from its beginning loses
            // nothing, whatever `--from` says.
            _ if !topic_is_new => facts.low,
            StartAt::Earliest => facts.low,
            StartAt::Latest => stable_end,
            StartAt::Timestamp(_) => facts.from.unwrap_or(stable_end).clamp(facts.low, stable_end),
        };
        return Decision::Read(Track::new(first, end));
    };
    // Behind a cut are other records than those that were read there.
    let first = facts.cut.map_or(next, |cut| cut.min(next));
    if stable_end < first {
        return Decision::Cut;
    }
    let mut track = Track::new(first, end);
    track.overtaken(first, facts.low);
    Decision::Read(track)
}

/// The refusal of a topic that was deleted and made again.
pub fn recreated_error(topic: &str) -> Error {
    Error::new(
        format_args!("topic {topic}"),
        "was deleted and made again since it was archived; its offsets mean other messages now",
    )
    .hint(format_args!(
        "what the old topic held beyond the archive is gone; --accept-recreated {topic} archives the new one from its \
         beginning"
    ))
}

/// The same for a topic without an id. The ledger couldn't tell the new one's offsets from the old one's.
pub fn recreated_without_id(topic: &str) -> Error {
    Error::new(
        format_args!("topic {topic}"),
        "holds another message at the offset that was archived last: it was deleted and made again",
    )
    .hint("archive the new topic under another name or into another archive")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(topic_id: Option<&str>, partition: i32, next: i64) -> SourceRange {
        SourceRange {
            cluster_id: "c".to_owned(),
            topic_id: topic_id.map(str::to_owned),
            topic: "t".to_owned(),
            partition,
            first: 0,
            next,
            messages: 0,
            gaps: 0,
            lost: 0,
            again: 0,
            last: None,
            epoch: None,
        }
    }

    fn facts(low: i64, stable_end: i64) -> Facts {
        Facts {
            low,
            stable_end,
            epoch: None,
            cut: None,
            from: None,
            until: None,
        }
    }

    fn read(decision: Decision) -> Track {
        match decision {
            Decision::Read(track) => track,
            Decision::Cut => panic!("refused"),
        }
    }

    #[test]
    fn a_topic_is_known_by_cluster_name_and_id() {
        let known = [range(Some("a"), 0, 5)];
        assert_eq!(past(&known, "c", "t", Some("a"), false), Past::Known(vec![&known[0]]));
        assert_eq!(past(&known, "c", "t", Some("b"), false), Past::Recreated);
        assert_eq!(past(&known, "c", "t", Some("b"), true), Past::New);
        assert_eq!(past(&known, "c", "t", None, false), Past::Unproven);
        assert_eq!(past(&known, "c", "u", Some("a"), false), Past::New);
        assert_eq!(past(&known, "d", "t", Some("b"), false), Past::New);
    }

    #[test]
    fn a_topic_accepted_once_stays_known_by_its_new_id() {
        let known = [range(Some("a"), 0, 5), range(Some("b"), 0, 2)];
        assert_eq!(past(&known, "c", "t", Some("b"), false), Past::Known(vec![&known[1]]));
        assert_eq!(past(&known, "c", "t", Some("a"), false), Past::Known(vec![&known[0]]));
    }

    #[test]
    fn a_cluster_that_learns_topic_ids_goes_on_where_it_was() {
        let known = [range(None, 0, 5), range(None, 1, 6)];
        let Past::Known(ranges) = past(&known, "c", "t", Some("a"), false) else {
            panic!("not known");
        };
        assert_eq!(range_of(&ranges, 1).map(|range| range.next), Some(6));
        let known = [range(None, 0, 5), range(None, 1, 6), range(Some("a"), 0, 9)];
        let Past::Known(ranges) = past(&known, "c", "t", Some("a"), false) else {
            panic!("not known");
        };
        assert_eq!(range_of(&ranges, 0).map(|range| range.next), Some(9));
        assert_eq!(range_of(&ranges, 1).map(|range| range.next), Some(6));
        assert_eq!(range_of(&ranges, 2), None);
    }

    #[test]
    fn a_new_topic_starts_where_the_user_says() {
        let start = |from, facts| read(decide(None, true, from, facts)).next();
        assert_eq!(start(StartAt::Earliest, facts(3, 9)), 3);
        assert_eq!(start(StartAt::Latest, facts(3, 9)), 9);
        let at = |from| Facts { from, ..facts(3, 9) };
        assert_eq!(start(StartAt::Timestamp(0), at(Some(5))), 5);
        assert_eq!(start(StartAt::Timestamp(0), at(None)), 9);
    }

    #[test]
    fn a_partition_added_to_a_known_topic_is_read_from_its_beginning() {
        let track = read(decide(None, false, StartAt::Latest, facts(0, 9)));
        assert_eq!((track.next(), track.is_open()), (0, true));
    }

    #[test]
    fn what_retention_took_since_the_last_run_is_lost() {
        let mut track = read(decide(Some(4), false, StartAt::Earliest, facts(7, 9)));
        assert_eq!(track.next(), 7);
        assert_eq!(track.take().lost, vec![4..7]);
    }

    #[test]
    fn a_log_that_ends_before_the_ledger_is_refused() {
        assert!(matches!(
            decide(Some(10), false, StartAt::Earliest, facts(0, 9)),
            Decision::Cut
        ));
    }

    #[test]
    fn a_log_that_was_cut_is_read_from_there_however_far_it_has_grown() {
        for (end, next) in [(7, 7), (9, 9), (20, 20)] {
            let cut = Facts {
                cut: Some(7),
                ..facts(0, end)
            };
            let mut track = read(decide(Some(10), false, StartAt::Earliest, cut));
            assert_eq!((track.next(), track.end().0, track.is_open()), (7, next, next > 7));
            assert_eq!(track.take().first, 7);
        }
        let overtaken = Facts {
            cut: Some(7),
            ..facts(8, 20)
        };
        let mut track = read(decide(Some(10), false, StartAt::Earliest, overtaken));
        assert_eq!(track.take().lost, vec![7..8]);
    }

    #[test]
    fn a_time_before_what_was_read_leaves_the_rest_unread() {
        let facts = Facts {
            until: Some(2),
            ..facts(0, 9)
        };
        let mut track = read(decide(Some(5), false, StartAt::Earliest, facts));
        assert!(!track.is_open());
        let span = track.take();
        assert_eq!((span.first, span.next), (5, 5));
    }

    proptest! {
        #[test]
        fn a_plan_never_goes_back_or_past_the_stable_end(
            next in prop::option::of(0i64..50), new in any::<bool>(), low in 0i64..50, more in 0i64..50,
            from in prop::option::of(0i64..120), until in prop::option::of(0i64..120), start in 0..3,
        ) {
            let start = [StartAt::Earliest, StartAt::Latest, StartAt::Timestamp(0)][start as usize];
            let end = low + more;
            let facts = Facts { from, until, ..facts(low, end) };
            match decide(next, new, start, facts) {
                Decision::Cut => prop_assert!(next.is_some_and(|next| next > end)),
                Decision::Read(mut track) => {
                    prop_assert!(track.end().0 <= end);
                    let open = track.is_open();
                    let span = track.take();
                    prop_assert!(span.first >= next.unwrap_or(low));
                    prop_assert!(span.next <= end);
                    prop_assert_eq!((span.next - span.first) as u64, span.lost_count());
                    if open {
                        prop_assert!(span.next >= low);
                    }
                }
            }
        }
    }
}
