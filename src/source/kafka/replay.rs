//! Reading once more: from where to where a replay reads each partition.
//!
//! A replay reads what the ledger says was read already, between two record times; it never goes past `next`, which is the next
//! run's to read. A source that the ledger does not know, as the mirror of a cluster that lost records, is read to its frozen end.
//! Nothing of it moves `next` either, so that a later run on that cluster does not believe it had been there.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Notice;
use super::plan::{Decision, Facts};
use super::track::{FrozenEnd, Track};
use crate::error::Error;
use crate::source::TopicIdentity;

/// The record times between which a replay reads, in milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Each partition from its first record stamped at or after this; else from the first one that Kafka still has.
    pub from: Option<i64>,
    /// Each partition to just before its first record stamped at or after this.
    pub until: Option<i64>,
}

impl Replay {
    /// Decides where a partition starts and ends. `next` and `topic_is_new` are as those of [`decide`](super::plan::decide).
    pub(super) fn decide(self, next: Option<i64>, topic_is_new: bool, facts: Facts) -> Decision {
        // As for a run that goes on: the log start may have passed a stable end that was asked for earlier.
        let stable_end = facts.stable_end.max(facts.low);
        let read = match next {
            Some(next) if stable_end < next => return Decision::Cut,
            Some(next) => next,
            None if topic_is_new => stable_end,
            // A partition that was added to a known topic: no run has come to it yet.
            None => facts.low,
        };
        let end = facts.until.map_or(read, |until| until.min(read));
        Decision::Read(Track::new(self.first(facts).min(end), FrozenEnd(end)))
    }

    fn first(self, facts: Facts) -> i64 {
        let stable_end = facts.stable_end.max(facts.low);
        match self.from {
            None => facts.low,
            Some(_) => facts.from.unwrap_or(stable_end).clamp(facts.low, stable_end),
        }
    }

    /// Whether Kafka may have deleted records that the range is about: it begins at the log start, and something was before it.
    pub(super) fn is_cut_short(self, facts: Facts) -> bool {
        facts.low > 0 && self.first(facts) == facts.low
    }
}

/// Says of which partitions only a part could be read: (topic, partition) -> log start. For the ledger nothing is lost by that.
pub(super) fn cut_short_notices(topics: &[Arc<TopicIdentity>], starts: &BTreeMap<(usize, i32), i64>) -> Vec<Notice> {
    let mut by_topic: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (&(topic, partition), low) in starts {
        let begins = by_topic.entry(topic).or_default();
        begins.push(format!("at offset {low} in partition {partition}"));
    }
    by_topic
        .into_iter()
        .map(|(topic, begins)| {
            let cause = format_args!(
                "Kafka's records begin {}; what lay before can't be replayed",
                begins.join(", ")
            );
            Notice::warning(
                Error::new(format_args!("topic {}", topics[topic].topic), cause).hint(
                    "what the archive holds of it stays; a mirror's topic or a file may still have what it lacks",
                ),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: Replay = Replay {
        from: None,
        until: None,
    };

    fn facts(low: i64, stable_end: i64, from: Option<i64>, until: Option<i64>) -> Facts {
        Facts {
            low,
            stable_end,
            epoch: None,
            cut: None,
            from,
            until,
        }
    }

    fn range(decision: Decision) -> (i64, i64) {
        match decision {
            Decision::Read(track) => (track.next(), track.end().0),
            Decision::Cut => panic!("refused"),
        }
    }

    #[test]
    fn a_known_partition_is_read_from_its_log_start_to_next() {
        assert_eq!(range(ALL.decide(Some(7), false, facts(2, 9, None, None))), (2, 7));
    }

    #[test]
    fn a_partition_of_an_unknown_topic_is_read_to_its_frozen_end() {
        assert_eq!(range(ALL.decide(None, true, facts(2, 9, None, None))), (2, 9));
    }

    #[test]
    fn a_partition_that_no_run_has_come_to_is_left_to_the_next_one() {
        assert_eq!(range(ALL.decide(None, false, facts(2, 9, None, None))), (2, 2));
    }

    #[test]
    fn times_bound_it_on_both_sides() {
        let replay = Replay {
            from: Some(1),
            until: Some(2),
        };
        assert_eq!(
            range(replay.decide(Some(7), false, facts(0, 9, Some(3), Some(5)))),
            (3, 5)
        );
        // No record is as late as the beginning: nothing to read, and nothing beyond next.
        assert_eq!(range(replay.decide(Some(7), false, facts(0, 9, None, None))), (7, 7));
        assert_eq!(range(replay.decide(Some(7), false, facts(0, 9, Some(8), None))), (7, 7));
        assert_eq!(range(replay.decide(None, true, facts(0, 9, Some(5), Some(3)))), (3, 3));
    }

    #[test]
    fn a_log_that_ends_before_next_is_refused() {
        assert!(matches!(
            ALL.decide(Some(10), false, facts(0, 9, None, None)),
            Decision::Cut
        ));
    }

    #[test]
    fn a_range_that_begins_at_a_moved_log_start_may_have_lost_something() {
        let from = |from| Replay {
            from: Some(from),
            until: None,
        };
        assert!(ALL.is_cut_short(facts(2, 9, None, None)));
        assert!(!ALL.is_cut_short(facts(0, 9, None, None)));
        assert!(from(1).is_cut_short(facts(2, 9, Some(2), None)));
        assert!(!from(1).is_cut_short(facts(2, 9, Some(3), None)));
        assert!(!from(1).is_cut_short(facts(2, 9, None, None)), "no record is as late");
        assert!(from(1).is_cut_short(facts(9, 9, None, None)), "all were deleted");
    }

    proptest! {
        #[test]
        fn a_replay_reads_only_what_is_there_and_was_read(
            next in prop::option::of(0i64..50), new in any::<bool>(), low in 0i64..50, more in 0i64..50,
            from in prop::option::of(0i64..120), until in prop::option::of(0i64..120), bounded in any::<bool>(),
        ) {
            let end = low + more;
            let replay = Replay { from: bounded.then_some(0), until: until.map(|_| 0) };
            match replay.decide(next, new, facts(low, end, from, until)) {
                Decision::Cut => prop_assert!(next.is_some_and(|next| next > end)),
                Decision::Read(mut track) => {
                    let (first, last) = (track.next(), track.end().0);
                    prop_assert!(first <= last && last <= next.unwrap_or(end));
                    if track.is_open() {
                        prop_assert!(low <= first && last <= end);
                        prop_assert!(next.is_some() || new);
                    }
                    let span = track.take();
                    prop_assert_eq!(span.lost_count() + span.gaps, 0);
                    prop_assert_eq!(span.first, span.next);
                }
            }
        }
    }
}
