//! The stop rule: how far a partition was read, and when it is done.
//!
//! librdkafka's `position()` is not asked: it is invalid on an empty partition, stays behind an aborted transaction and
//! overshoots behind errors. What counts is what came out of the queue: messages, the end of the log, errors. The
//! balance holds at every moment:
//!
//! `next - first = messages + gaps + lost`
//!
//! Gaps are added up from jumps of the offset, never by subtraction at the end; otherwise the balance couldn't fail.

use std::ops::Range;

/// Where a partition's batch ends: the offset after the last one that belongs to it.
///
/// It is the last stable offset, or the offset that `--until` stands for, when the run starts. Later messages are left
/// for the next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FrozenEnd(pub i64);

/// How a partition's reading stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There is more to read.
    Open,
    /// Read up to its frozen end.
    Done,
    /// Ended before its frozen end, for a reason that was reported.
    Abandoned,
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It belongs to the batch and was counted: hand it on.
    Deliver,
    /// It lies outside the batch, or the partition was closed before: drop it.
    Ignore,
}

/// What the end of the log means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogEnd {
    /// The partition is closed, now or before.
    Closed,
    /// The log ends below the frozen end: it was cut, or the leader changed.
    Below,
}

/// A partition's progress through its batch.
#[derive(Clone, Debug)]
pub struct Track {
    first: i64,
    next: i64,
    end: FrozenEnd,
    gaps: u64,
    lost: Vec<Range<i64>>,
    state: State,
}

/// What was read of a partition since the last call of [`Track::take`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first offset.
    pub first: i64,
    /// The offset after the last one.
    pub next: i64,
    /// Offsets without a message: aborted, control or compacted.
    pub gaps: u64,
    /// Offsets that Kafka no longer had.
    pub lost: Vec<Range<i64>>,
}

impl Track {
    /// A partition to be read from `first` to `end`; done at once when nothing is left.
    pub fn new(first: i64, end: FrozenEnd) -> Self {
        let state = if first >= end.0 { State::Done } else { State::Open };
        Self {
            first,
            next: first,
            end,
            gaps: 0,
            lost: Vec::new(),
            state,
        }
    }

    /// The next offset to be read.
    pub fn next(&self) -> i64 {
        self.next
    }

    /// Where the batch ends.
    pub fn end(&self) -> FrozenEnd {
        self.end
    }

    /// Whether there is more to read.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether it was read up to its frozen end.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// A message came out of the queue.
    pub fn message(&mut self, offset: i64) -> Step {
        if !self.is_open() || offset < self.next {
            return Step::Ignore;
        }
        if offset >= self.end.0 {
            self.finish();
            return Step::Ignore;
        }
        self.skip_to(offset);
        self.next = offset + 1;
        self.close_at_end();
        Step::Deliver
    }

    /// librdkafka reported the end of the log at `offset`: there is nothing between here and there.
    pub fn end_of_log(&mut self, offset: i64) -> LogEnd {
        if self.is_open() {
            if offset < self.end.0 {
                return LogEnd::Below;
            }
            self.finish();
        }
        LogEnd::Closed
    }

    /// A fetch at `failed` found that the log now starts at `log_start`: what lies between is lost.
    pub fn overtaken(&mut self, failed: i64, log_start: i64) {
        if !self.is_open() {
            return;
        }
        // librdkafka went past markers and aborted messages up to the offset that it asked for.
        self.skip_to(failed.min(self.end.0));
        let low = log_start.min(self.end.0);
        if low > self.next {
            self.lost.push(self.next..low);
            self.next = low;
        }
        self.close_at_end();
    }

    /// Somebody else read all that is left, and met so many messages. `false` where there is no room for them.
    pub fn read_by_others(&mut self, messages: u64) -> bool {
        let left = self.end.0.abs_diff(self.next);
        if messages > left {
            return false;
        }
        self.gaps += left - messages;
        self.next = self.end.0;
        self.close_at_end();
        true
    }

    /// Ends the partition where it is.
    pub fn abandon(&mut self) {
        if self.is_open() {
            self.state = State::Abandoned;
        }
    }

    /// What was read since the last call; the next span starts where this one ends.
    pub fn take(&mut self) -> Span {
        let span = Span {
            first: self.first,
            next: self.next,
            gaps: self.gaps,
            lost: std::mem::take(&mut self.lost),
        };
        self.first = self.next;
        self.gaps = 0;
        span
    }

    fn finish(&mut self) {
        self.skip_to(self.end.0);
        self.state = State::Done;
    }

    fn close_at_end(&mut self) {
        if self.next >= self.end.0 {
            self.state = State::Done;
        }
    }

    /// Counts the offsets up to `offset` as gaps. Going back is no gap.
    fn skip_to(&mut self, offset: i64) {
        if let Ok(skipped) = u64::try_from(offset - self.next) {
            self.gaps += skipped;
            self.next = offset;
        }
    }
}

impl Span {
    /// Number of lost offsets.
    pub fn lost_count(&self) -> u64 {
        self.lost.iter().map(|range| range.end.abs_diff(range.start)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a log holds at an offset.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Slot {
        Message,
        /// A marker, an aborted message or one that compaction removed.
        Nothing,
    }

    fn log() -> impl Strategy<Value = Vec<Slot>> {
        prop::collection::vec(prop_oneof![3 => Just(Slot::Message), 1 => Just(Slot::Nothing)], 0..200)
    }

    /// Plays a log to a track as librdkafka does: messages, then the end of the log. `cuts` are indices at which
    /// retention moves the log start on by so many offsets.
    fn play(track: &mut Track, log: &[Slot], cuts: &[(usize, usize)]) -> Vec<i64> {
        let mut delivered = Vec::new();
        let mut at = track.next() as usize;
        while at < log.len() {
            if let Some(&(_, by)) = cuts.iter().find(|&&(cut, _)| cut == at)
                && by > 0
            {
                let low = (at + by).min(log.len());
                track.overtaken(at as i64, low as i64);
                at = low;
                continue;
            }
            if log[at] == Slot::Message && track.message(at as i64) == Step::Deliver {
                delivered.push(at as i64);
            }
            at += 1;
        }
        track.end_of_log(log.len() as i64);
        delivered
    }

    proptest! {
        #[test]
        fn every_log_is_read_to_its_frozen_end_and_balances(
            log in log(), first in 0usize..100, end in 0usize..200,
            cuts in prop::collection::vec((0usize..200, 1usize..30), 0..4),
        ) {
            let end = end.min(log.len());
            let first = first.min(end);
            let mut track = Track::new(first as i64, FrozenEnd(end as i64));
            let delivered = play(&mut track, &log, &cuts);
            prop_assert!(!track.is_open());
            let span = track.take();
            prop_assert_eq!((span.first, span.next), (first as i64, end as i64));
            prop_assert_eq!((end - first) as u64, delivered.len() as u64 + span.gaps + span.lost_count());
            // Exactly the messages of the range that retention left are delivered, in order.
            let lost = |offset: i64| span.lost.iter().any(|range| range.contains(&offset));
            let expected: Vec<i64> = (first..end)
                .filter(|&offset| log[offset] == Slot::Message && !lost(offset as i64))
                .map(|offset| offset as i64)
                .collect();
            prop_assert_eq!(delivered, expected);
        }

        #[test]
        fn rounds_join_without_hole_or_overlap(log in log(), stops in prop::collection::vec(0usize..200, 0..5)) {
            let end = log.len() as i64;
            let mut track = Track::new(0, FrozenEnd(end));
            let mut spans = Vec::new();
            let mut delivered = 0;
            for (at, slot) in log.iter().enumerate() {
                if stops.contains(&at) {
                    spans.push(track.take());
                }
                if *slot == Slot::Message && track.message(at as i64) == Step::Deliver {
                    delivered += 1;
                }
            }
            track.end_of_log(end);
            spans.push(track.take());
            prop_assert_eq!(spans[0].first, 0);
            for pair in spans.windows(2) {
                prop_assert_eq!(pair[0].next, pair[1].first);
            }
            prop_assert_eq!(spans.last().map(|span| span.next), Some(end));
            let gaps: u64 = spans.iter().map(|span| span.gaps).sum();
            prop_assert_eq!(end as u64, delivered + gaps);
        }
    }

    #[test]
    fn nothing_left_is_done_at_once() {
        assert!(!Track::new(7, FrozenEnd(7)).is_open());
        assert!(!Track::new(9, FrozenEnd(7)).is_open());
    }

    #[test]
    fn a_message_behind_the_end_closes_and_is_dropped() {
        let mut track = Track::new(0, FrozenEnd(5));
        assert_eq!(track.message(2), Step::Deliver);
        assert_eq!(track.message(8), Step::Ignore);
        assert!(!track.is_open());
        let span = track.take();
        assert_eq!((span.next, span.gaps), (5, 4));
    }

    #[test]
    fn the_end_of_the_log_below_the_end_closes_nothing() {
        let mut track = Track::new(0, FrozenEnd(5));
        assert_eq!(track.end_of_log(4), LogEnd::Below);
        assert!(track.is_open());
        assert_eq!(track.take().gaps, 0);
    }

    #[test]
    fn no_message_is_delivered_twice() {
        let mut track = Track::new(0, FrozenEnd(5));
        assert_eq!(track.message(1), Step::Deliver);
        assert_eq!(track.message(1), Step::Ignore);
        assert_eq!(track.message(0), Step::Ignore);
    }

    #[test]
    fn retention_past_the_end_loses_the_rest() {
        let mut track = Track::new(3, FrozenEnd(10));
        assert_eq!(track.message(3), Step::Deliver);
        track.overtaken(5, 40);
        assert!(!track.is_open());
        let span = track.take();
        assert_eq!((span.next, span.gaps, span.lost_count()), (10, 1, 5));
        assert_eq!(span.lost.first(), Some(&(5..10)));
    }

    #[test]
    fn nothing_comes_after_an_abandoned_offset() {
        let mut track = Track::new(0, FrozenEnd(10));
        assert_eq!(track.message(0), Step::Deliver);
        track.abandon();
        assert_eq!(track.message(1), Step::Ignore);
        assert_eq!(track.end_of_log(10), LogEnd::Closed);
        assert_eq!(track.take().next, 1);
    }
}
