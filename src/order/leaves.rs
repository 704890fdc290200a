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

/// The limits of a leaf: [`LEAF_ROWS`] and [`LEAF_CELLS`] in every archive; tests take less to get many leaves from few rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LeafSize {
    /// Rows at most.
    pub rows: usize,
    /// Rows times columns at most, unless a single row has more.
    pub cells: usize,
}

impl Default for LeafSize {
    fn default() -> Self {
        Self {
            rows: LEAF_ROWS,
            cells: LEAF_CELLS,
        }
    }
}

impl LeafSize {
    /// The rows that a leaf of a day file with this many columns (`time` counted) may have.
    pub fn limit(self, columns: usize) -> usize {
        let fitting = (self.cells / columns.max(1)).max(1);
        let power_of_two = 1 << fitting.ilog2();
        self.rows.min(power_of_two)
    }
}

/// A part of a day that the division makes, or the whole day: a span of time and how deep in the division it is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Slice {
    /// From its first instant to the one after its last, in nanoseconds.
    pub time: Range<i128>,
    /// The first instant of the day that it is of.
    day: i128,
    /// How many times the day was split to get it.
    level: usize,
}

impl Slice {
    /// The whole of a day: `bounds` are its first instant and the one after its last.
    pub fn of_day(bounds: Range<i128>) -> Self {
        Self {
            day: bounds.start,
            time: bounds,
            level: 0,
        }
    }

    /// All times that there are: for rows that go into no file.
    pub fn all() -> Self {
        Self::of_day(i128::from(i64::MIN)..i128::from(i64::MAX) + 1)
    }

    /// The slices that it is split into when it has too many rows; none for a single instant.
    pub fn parts(&self) -> Option<Vec<Self>> {
        let Range { start, end } = self.time;
        let cuts: Vec<i128> = match STEPS.get(self.level) {
            Some(&step) => {
                let first = (start - self.day) / step + 1;
                (first..)
                    .map(|k| self.day + k * step)
                    .take_while(|&cut| cut < end)
                    .collect()
            }
            None if end - start > 1 => vec![start + (end - start) / 2],
            None => return None,
        };
        let ends = cuts.iter().copied().chain([end]);
        let part = |(start, end)| Self {
            time: start..end,
            day: self.day,
            level: self.level + 1,
        };
        Some([start].iter().chain(&cuts).copied().zip(ends).map(part).collect())
    }
}

/// Divides sorted rows into leaves of at most `limit` rows; gives the row ranges, none of them empty.
///
/// `slice` is the whole day, or a slice of it that its division makes whatever rows it has. `rows_before(t)` counts the rows with a
/// time before `t`.
pub fn divide(slice: &Slice, limit: usize, rows_before: impl Fn(i128) -> usize) -> Vec<Range<usize>> {
    let mut division = Division {
        limit,
        rows_before,
        leaves: Vec::new(),
    };
    let rows = (division.rows_before)(slice.time.start)..(division.rows_before)(slice.time.end);
    division.slice(slice, rows);
    division.leaves
}

struct Division<F> {
    limit: usize,
    rows_before: F,
    leaves: Vec<Range<usize>>,
}

impl<F: Fn(i128) -> usize> Division<F> {
    fn slice(&mut self, slice: &Slice, rows: Range<usize>) {
        if rows.is_empty() {
            return;
        }
        if rows.len() <= self.limit {
            self.leaves.push(rows);
            return;
        }
        let Some(parts) = slice.parts() else {
            let starts = rows.clone().step_by(self.limit);
            self.leaves
                .extend(starts.map(|start| start..rows.end.min(start + self.limit)));
            return;
        };
        let mut row = rows.start;
        for part in parts {
            let next = if part.time.end == slice.time.end {
                rows.end
            } else {
                (self.rows_before)(part.time.end)
            };
            self.slice(&part, row..next);
            row = next;
        }
    }
}

/// About how many of `rows` rows, the first and last of which are of these times, are in a span of time, as if they were spread evenly:
/// some part of a row perhaps, and 0 only where there is none.
pub fn share_in(rows: usize, first: i64, last: i64, time: &Range<i128>) -> f64 {
    let (first, end) = (i128::from(first), i128::from(last) + 1);
    let (from, to) = (first.max(time.start), end.min(time.end));
    match from < to {
        true => rows as f64 * ((to - from) as f64 / (end - first) as f64),
        false => 0.0,
    }
}

/// What is known of a leaf without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldLeaf {
    /// Number of its rows.
    pub rows: usize,
    /// First time, in nanoseconds.
    pub first: i64,
    /// Last time.
    pub last: i64,
}

/// A slice of a day that has a file: it holds one leaf of it, or none, or all those of a single instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldSlice {
    /// The slice.
    pub slice: Slice,
    /// Its leaves among those of the day.
    pub leaves: Range<usize>,
}

/// The slices whose rows are leaves, in a day whose file has these leaves of at most `limit` rows. They follow one another and fill
/// the day; `None` where the leaves are not those of this division.
///
/// However many rows come to the day, its division makes all of these slices: rows are never taken away, so that a slice that was
/// split is split again. A slice that gets no new row keeps its leaves; one that does is divided by itself.
pub fn divide_old(day: Slice, limit: usize, leaves: &[OldLeaf]) -> Option<Vec<OldSlice>> {
    let mut found = Vec::new();
    split_old(day, limit, leaves, 0..leaves.len(), &mut found)?;
    Some(found)
}

fn split_old(
    slice: Slice,
    limit: usize,
    all: &[OldLeaf],
    leaves: Range<usize>,
    found: &mut Vec<OldSlice>,
) -> Option<()> {
    let here = &all[leaves.clone()];
    let fits = |leaf: &OldLeaf| {
        let time = i128::from(leaf.first)..=i128::from(leaf.last);
        leaf.rows > 0 && slice.time.contains(time.start()) && slice.time.contains(time.end())
    };
    if !here.iter().all(fits) {
        return None;
    }
    let rows = here
        .iter()
        .try_fold(0_usize, |rows, leaf| rows.checked_add(leaf.rows))?;
    if rows <= limit {
        return (here.len() <= 1).then(|| found.push(OldSlice { slice, leaves }));
    }
    let Some(parts) = slice.parts() else {
        let (last, full) = here.split_last()?;
        let cut_at_the_limit = full.iter().all(|leaf| leaf.rows == limit) && last.rows <= limit;
        return cut_at_the_limit.then(|| found.push(OldSlice { slice, leaves }));
    };
    let mut rest = leaves;
    for part in parts {
        let inside = all[rest.clone()]
            .iter()
            .take_while(|leaf| i128::from(leaf.first) < part.time.end)
            .count();
        let next = rest.start + inside;
        split_old(part, limit, all, rest.start..next, found)?;
        rest.start = next;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(times: &[i64], bounds: Range<i128>, limit: usize) -> Vec<Range<usize>> {
        divide(&Slice::of_day(bounds), limit, |t| {
            times.partition_point(|&time| i128::from(time) < t)
        })
    }

    /// The leaves of these times as a record has them.
    fn recorded(times: &[i64], bounds: Range<i128>, limit: usize) -> Vec<OldLeaf> {
        let leaf = |rows: Range<usize>| OldLeaf {
            rows: rows.len(),
            first: times[rows.start],
            last: times[rows.end - 1],
        };
        leaves(times, bounds, limit).into_iter().map(leaf).collect()
    }

    #[test]
    fn the_limit_is_a_power_of_two_below_the_cells() {
        let limit = |columns| LeafSize::default().limit(columns);
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

    #[test]
    fn leaves_of_another_limit_are_not_taken_for_those_of_the_division() {
        let day = Slice::of_day(0..24 * HOUR);
        let times: Vec<i64> = (0..24).map(|hour| hour * i64::try_from(HOUR).unwrap()).collect();
        let leaves = recorded(&times, 0..24 * HOUR, 4);
        assert!(divide_old(day.clone(), 4, &leaves).is_some());
        for other in [1, 2, 12, 24] {
            assert_eq!(divide_old(day.clone(), other, &leaves), None, "{other}");
        }
        let instant = |rows: &[usize]| {
            let leaf = |&rows: &usize| OldLeaf {
                rows,
                first: 5,
                last: 5,
            };
            divide_old(day.clone(), 4, &rows.iter().map(leaf).collect::<Vec<_>>())
        };
        assert!(instant(&[4, 4, 1]).is_some());
        assert_eq!(instant(&[4, 3, 2]), None);
        assert_eq!(instant(&[4, 4, 5]), None);
        assert_eq!(instant(&[0, 4]), None);
    }

    proptest! {
        #[test]
        fn a_day_with_new_rows_is_divided_slice_by_slice_of_the_old_one(
            mut old in prop::collection::vec(prop_oneof![0i64..86_400_000_000_000, 0i64..50, Just(7)], 0..200),
            new in prop::collection::vec(prop_oneof![0i64..86_400_000_000_000, 0i64..50, Just(7)], 0..50),
            limit in 1usize..20, start in prop_oneof![Just(0i128), Just(-HOUR), Just(-20 * HOUR)],
        ) {
            let bounds = start..24 * HOUR;
            old.sort_unstable();
            let leaves_before = recorded(&old, bounds.clone(), limit);
            let slices = divide_old(Slice::of_day(bounds.clone()), limit, &leaves_before).unwrap();
            let mut all = [old.clone(), new.clone()].concat();
            all.sort_unstable();
            let (mut found, mut next, mut leaf) = (Vec::new(), start, 0);
            for OldSlice { slice, leaves } in slices {
                prop_assert_eq!((slice.time.start, leaves.start), (next, leaf));
                (next, leaf) = (slice.time.end, leaves.end);
                if new.iter().any(|&time| slice.time.contains(&i128::from(time))) {
                    let here: Vec<i64> =
                        all.iter().copied().filter(|&time| slice.time.contains(&i128::from(time))).collect();
                    let count = |t| here.partition_point(|&time| i128::from(time) < t);
                    for rows in divide(&slice, limit, count) {
                        found.push(OldLeaf { rows: rows.len(), first: here[rows.start], last: here[rows.end - 1] });
                    }
                } else {
                    found.extend(&leaves_before[leaves]);
                }
            }
            prop_assert_eq!((next, leaf), (bounds.end, leaves_before.len()));
            prop_assert_eq!(found, recorded(&all, bounds, limit));
        }

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
