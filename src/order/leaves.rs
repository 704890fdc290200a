//! The division of a day into leaves (row groups). It follows from the rows' times alone, so that a late line moves
//! no boundary but the ones of the leaf it falls into.

use std::ops::Range;

/// Rows of a leaf at most, however few columns there are.
pub const LEAF_ROWS: usize = 131_072;

/// Cells (rows times columns) of a leaf at most, to bound its memory.
pub const LEAF_CELLS: usize = 1 << 23;

const MINUTE: i128 = 60_000_000_000;
const HOUR: i128 = 60 * MINUTE;

/// Steps of elapsed time since the day's first instant at which a slice with too many rows is split, one after the other.
const STEPS: [i128; 8] = [
    12 * HOUR,
    6 * HOUR,
    3 * HOUR,
    HOUR,
    30 * MINUTE,
    15 * MINUTE,
    5 * MINUTE,
    MINUTE,
];

/// The rows that a leaf of a day file with this many columns (`time` counted) may have, where `most` is the limit for few columns:
/// [`LEAF_ROWS`] in every archive; tests take less to get many leaves from few rows.
pub fn leaf_limit(columns: usize, most: usize) -> usize {
    let fitting = (LEAF_CELLS / columns.max(1)).max(1);
    let power_of_two = 1 << fitting.ilog2();
    most.min(power_of_two)
}

/// Divides a day's sorted rows into leaves of at most `limit` rows; gives the row ranges, none of them empty.
///
/// `bounds` are the day's first instant and the one after its last, in nanoseconds; `rows_before(t)` counts the rows with a time
/// before `t`.
pub fn divide(bounds: Range<i128>, limit: usize, rows_before: impl Fn(i128) -> usize) -> Vec<Range<usize>> {
    let mut division = Division {
        day: bounds.start,
        limit,
        rows_before,
        leaves: Vec::new(),
    };
    let rows = (division.rows_before)(bounds.start)..(division.rows_before)(bounds.end);
    division.slice(bounds, rows, 0);
    division.leaves
}

struct Division<F> {
    day: i128,
    limit: usize,
    rows_before: F,
    leaves: Vec<Range<usize>>,
}

impl<F: Fn(i128) -> usize> Division<F> {
    fn slice(&mut self, time: Range<i128>, rows: Range<usize>, level: usize) {
        if rows.is_empty() {
            return;
        }
        if rows.len() <= self.limit {
            self.leaves.push(rows);
            return;
        }
        let cuts: Vec<i128> = match STEPS.get(level) {
            Some(&step) => {
                let first = (time.start - self.day) / step + 1;
                (first..)
                    .map(|k| self.day + k * step)
                    .take_while(|&cut| cut < time.end)
                    .collect()
            }
            None if time.end - time.start > 1 => vec![time.start + (time.end - time.start) / 2],
            None => {
                let starts = rows.clone().step_by(self.limit);
                self.leaves
                    .extend(starts.map(|start| start..rows.end.min(start + self.limit)));
                return;
            }
        };
        let (mut from, mut row) = (time.start, rows.start);
        for cut in cuts.into_iter().chain([time.end]) {
            let next = if cut == time.end {
                rows.end
            } else {
                (self.rows_before)(cut)
            };
            self.slice(from..cut, row..next, level + 1);
            (from, row) = (cut, next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(times: &[i64], bounds: Range<i128>, limit: usize) -> Vec<Range<usize>> {
        divide(bounds, limit, |t| times.partition_point(|&time| i128::from(time) < t))
    }

    #[test]
    fn the_limit_is_a_power_of_two_below_the_cells() {
        let limit = |columns| leaf_limit(columns, LEAF_ROWS);
        assert_eq!(limit(13), LEAF_ROWS);
        assert_eq!(limit(64), LEAF_ROWS);
        assert_eq!(limit(65), 65_536);
        assert_eq!(limit(500), 16_384);
        assert_eq!(limit(LEAF_CELLS * 4), 1);
    }

    #[test]
    fn a_full_slice_is_split_at_calendar_steps_then_halved_then_cut() {
        let hour = i64::try_from(HOUR).unwrap();
        let day = 0..24 * HOUR;
        assert_eq!(leaves(&[0, hour, 13 * hour], day.clone(), 2), [0..2, 2..3]);
        assert_eq!(leaves(&[0, 7 * hour, 13 * hour], day.clone(), 1), [0..1, 1..2, 2..3]);
        assert_eq!(leaves(&[5; 7], day.clone(), 3), [0..3, 3..6, 6..7]);
        assert!(leaves(&[], day, 3).is_empty());
    }

    #[test]
    fn a_day_at_the_end_of_i64_does_not_overflow() {
        let end = i128::from(i64::MAX) + 1;
        let times = [i64::MAX - 1, i64::MAX, i64::MAX];
        assert_eq!(leaves(&times, end - HOUR..end + 23 * HOUR, 1), [0..1, 1..2, 2..3]);
    }

    proptest! {
        #[test]
        fn leaves_cover_all_rows_in_order_within_the_limit(
            mut times in prop::collection::vec(prop_oneof![0i64..86_400_000_000_000, 0i64..50], 0..200), limit in 1usize..20
        ) {
            times.sort_unstable();
            let found = leaves(&times, 0..24 * HOUR, limit);
            let mut next = 0;
            for leaf in &found {
                prop_assert_eq!(leaf.start, next);
                prop_assert!(!leaf.is_empty() && leaf.len() <= limit);
                next = leaf.end;
            }
            prop_assert_eq!(next, times.len());
        }

        #[test]
        fn a_late_row_changes_only_the_leaf_it_falls_into(
            mut times in prop::collection::vec(0i64..86_400_000_000_000, 1..200), late in 0i64..86_400_000_000_000, limit in 4usize..20
        ) {
            times.sort_unstable();
            let as_times = |times: &[i64]| leaves(times, 0..24 * HOUR, limit).into_iter().map(|r| times[r].to_vec()).collect::<Vec<_>>();
            let before = as_times(&times);
            times.push(late);
            times.sort_unstable();
            let after = as_times(&times);
            let lost = before.iter().filter(|leaf| !after.contains(leaf)).count();
            prop_assert!(lost <= 1, "{} leaves changed", lost);
        }
    }
}
