//! Which offsets of a partition an archive has: read by its own runs, or by those of archives that were merged into it.
//!
//! Runs of one archive read range after range. Archives that were made apart may have read the same offsets, so what they read is kept
//! range by range, each with the counts of whoever read it: counts of ranges that overlap can't be added.

use std::ops::Range;

use super::record::SourceRange;

/// What was read of one partition: ranges that overlap or touch, without a hole, as long as the ledger is not damaged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadRanges(Vec<SourceRange>);

impl ReadRanges {
    /// Takes a range back as it was [told](Self::iter).
    pub(super) fn restore(&mut self, range: SourceRange) {
        self.0.push(range);
    }

    /// Adds a range of the same partition. It is joined with the one that ends where it begins, and those that lie inside of it say
    /// nothing more.
    pub fn add(&mut self, mut range: SourceRange) {
        // Where it goes back to is a matter of the commits before it.
        range.again = 0;
        if self.0.iter().any(|seen| is_inside(&range, seen)) {
            return;
        }
        self.0.retain(|seen| !is_inside(seen, &range));
        match self.0.iter_mut().find(|seen| seen.next == range.first) {
            Some(seen) => {
                seen.next = range.next;
                seen.messages = seen.messages.saturating_add(range.messages);
                seen.gaps = seen.gaps.saturating_add(range.gaps);
                seen.lost = seen.lost.saturating_add(range.lost);
                seen.last = range.last;
                seen.epoch = range.epoch;
            }
            None => self.0.push(range),
        }
    }

    /// The ranges, each as it was read.
    pub fn iter(&self) -> impl Iterator<Item = &SourceRange> {
        self.0.iter()
    }

    /// Whether all offsets of a range are in what was read; of an empty range, its place.
    pub fn holds(&self, range: &SourceRange) -> bool {
        let first = self.0.iter().map(|seen| seen.first).min();
        let next = self.0.iter().map(|seen| seen.next).max();
        first
            .zip(next)
            .is_some_and(|(first, next)| first <= range.first && range.next <= next)
    }

    /// The first offsets that ranges of one partition leave out between them.
    pub fn hole<'a>(ranges: impl Iterator<Item = &'a SourceRange>) -> Option<Range<i64>> {
        let mut sorted: Vec<&SourceRange> = ranges.collect();
        sorted.sort_by_key(|range| (range.first, range.next));
        let mut end: Option<i64> = None;
        for range in sorted {
            if let Some(end) = end.filter(|end| *end < range.first) {
                return Some(end..range.first);
            }
            end = end.max(Some(range.next));
        }
        None
    }
}

fn is_inside(range: &SourceRange, other: &SourceRange) -> bool {
    other.first <= range.first && range.next <= other.next
}

/// How the counts of a range differ from its offsets: `next - first = messages + gaps + lost`.
pub(super) fn imbalance(range: &SourceRange) -> Option<String> {
    // Wide sums: a damaged or hostile record must not overflow.
    let covered = [range.messages, range.gaps, range.lost]
        .map(i128::from)
        .iter()
        .sum::<i128>();
    (i128::from(range.next) - i128::from(range.first) != covered).then(|| {
        format!(
            "offsets {} to {} are not {} messages + {} gaps + {} lost",
            range.first, range.next, range.messages, range.gaps, range.lost
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: i64, next: i64) -> SourceRange {
        SourceRange {
            cluster_id: "c".into(),
            topic_id: None,
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

    fn of(ranges: &[(i64, i64)]) -> Vec<(i64, i64)> {
        let mut read = ReadRanges::default();
        for &(first, next) in ranges {
            read.add(range(first, next));
        }
        for range in read.iter() {
            assert_eq!(imbalance(range), None);
        }
        read.iter().map(|range| (range.first, range.next)).collect()
    }

    #[test]
    fn runs_make_one_range_and_what_others_read_stays_as_it_was_read() {
        assert_eq!(of(&[(0, 0), (0, 10), (10, 10), (10, 12)]), [(0, 12)]);
        assert_eq!(of(&[(0, 100), (50, 80)]), [(0, 100)]);
        assert_eq!(of(&[(0, 100), (50, 150), (150, 200)]), [(0, 100), (50, 200)]);
        assert_eq!(of(&[(0, 100), (100, 250)]), [(0, 250)]);
        assert_eq!(of(&[(0, 10), (0, 20), (0, 30)]), [(0, 30)]);
        assert_eq!(of(&[(100, 250), (0, 100)]), [(100, 250), (0, 100)]);
    }

    #[test]
    fn a_hole_is_named_wherever_it_comes_in() {
        let hole = |ranges: &[(i64, i64)]| {
            let ranges: Vec<SourceRange> = ranges.iter().map(|&(first, next)| range(first, next)).collect();
            ReadRanges::hole(ranges.iter())
        };
        assert_eq!(hole(&[]), None);
        assert_eq!(hole(&[(200, 300), (0, 100)]), Some(100..200));
        assert_eq!(hole(&[(200, 300), (0, 100), (50, 200)]), None);
        assert_eq!(hole(&[(0, 100), (10, 20), (100, 110)]), None);
        assert_eq!(hole(&[(0, 50), (100, 100)]), Some(50..100));
    }

    #[test]
    fn what_is_between_the_first_and_the_last_offset_is_held() {
        let mut read = ReadRanges::default();
        assert!(!read.holds(&range(0, 0)));
        read.add(range(50, 100));
        read.add(range(20, 60));
        assert!(read.holds(&range(20, 100)) && read.holds(&range(100, 100)));
        assert!(!read.holds(&range(19, 21)) && !read.holds(&range(99, 101)));
    }
}
