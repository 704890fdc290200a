//! The time of a report, divided into buckets of one width that people have a word for.

use std::ops::Range;

/// Buckets at most: about the pixels of a plot on a wide screen.
pub const MOST_BUCKETS: i128 = 800;

const MS: i128 = 1_000_000;
const SECOND: i128 = 1_000 * MS;
const MINUTE: i128 = 60 * SECOND;
const HOUR: i128 = 60 * MINUTE;
const DAY: i128 = 24 * HOUR;

/// Widths up to a day; behind it come twice, four times as many days, and so on.
const WIDTHS: [i128; 25] = [
    MS,
    5 * MS,
    10 * MS,
    50 * MS,
    100 * MS,
    500 * MS,
    SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    20 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    4 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
];

/// Buckets that follow each other. They begin where the clock of the archive's zone showed a multiple of their width when the report
/// begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// First nanosecond of the first bucket, since 1970-01-01 UTC; may lie before those of i64.
    pub start: i128,
    /// Nanoseconds of a bucket.
    pub width: i128,
    /// Number of buckets.
    pub buckets: usize,
    /// How far the zone's clock is ahead of UTC there, in nanoseconds.
    pub offset: i64,
}

impl Grid {
    /// The narrowest buckets that are not too many for this time.
    pub fn new(time: &Range<i64>, offset: i64) -> Self {
        let span = i128::from(time.end) - i128::from(time.start);
        let width = widths().find(|width| span <= width * (MOST_BUCKETS - 1)).unwrap_or(DAY);
        Self::of(time, offset, width)
    }

    fn of(time: &Range<i64>, offset: i64, width: i128) -> Self {
        let local = i128::from(time.start) + i128::from(offset);
        let start = local - local.rem_euclid(width) - i128::from(offset);
        let buckets = (i128::from(time.end) - start + width - 1) / width;
        Self {
            start,
            width,
            buckets: usize::try_from(buckets).unwrap_or_default(),
            offset,
        }
    }

    /// The next wider buckets for the same time that each hold whole ones of these.
    pub fn wider(&self, time: &Range<i64>) -> Self {
        let width = widths()
            .find(|width| *width > self.width && width % self.width == 0)
            .unwrap_or(2 * self.width);
        Self::of(time, self.offset, width)
    }

    /// The bucket that a time within the report's is in.
    pub fn bucket_of(&self, time: i64) -> usize {
        usize::try_from((i128::from(time) - self.start) / self.width).unwrap_or_default()
    }

    /// The bucket that bucket `index` of a narrower grid is in.
    pub fn bucket_of_narrower(&self, narrower: &Self, index: usize) -> usize {
        let first = narrower.start + narrower.width * index as i128;
        usize::try_from((first - self.start) / self.width).unwrap_or_default()
    }
}

fn widths() -> impl Iterator<Item = i128> {
    let days = (1..40).map(|doublings| DAY << doublings);
    WIDTHS.into_iter().chain(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NS: i64 = 1_000_000_000;
    /// 2020-06-01T00:00:00Z.
    const JUNE: i64 = 1_590_969_600 * NS;

    fn grid(seconds: i64) -> Grid {
        Grid::new(&(JUNE..JUNE + seconds * NS), 0)
    }

    #[test]
    fn a_month_has_hours_a_day_two_minutes_and_an_hour_five_seconds() {
        assert_eq!((grid(30 * 86_400).width, grid(30 * 86_400).buckets), (HOUR, 720));
        assert_eq!((grid(86_400).width, grid(86_400).buckets), (2 * MINUTE, 720));
        assert_eq!((grid(3_600).width, grid(3_600).buckets), (5 * SECOND, 720));
        assert_eq!(grid(10 * 365 * 86_400).width, 8 * DAY);
    }

    #[test]
    fn every_time_is_in_a_bucket_whatever_the_range() {
        let ranges = [
            JUNE..JUNE + 1,
            JUNE + 7..JUNE + 12_345_678_901,
            i64::MIN..i64::MAX,
            i64::MAX - 5..i64::MAX,
        ];
        for range in ranges {
            for offset in [0, 5 * 3_600 * NS + 1_800 * NS, -11 * 3_600 * NS] {
                let grid = Grid::new(&range, offset);
                assert!(grid.buckets <= MOST_BUCKETS as usize, "{range:?}: {grid:?}");
                assert_eq!(grid.bucket_of(range.start), 0, "{range:?}: {grid:?}");
                assert_eq!(grid.bucket_of(range.end - 1), grid.buckets - 1, "{range:?}: {grid:?}");
            }
        }
    }

    #[test]
    fn wider_buckets_hold_whole_narrower_ones_and_start_by_the_local_clock() {
        let range = JUNE + 5_000 * NS..JUNE + 400_000 * NS;
        let offset = 5 * 3_600 * NS + 1_800 * NS;
        let mut grid = Grid::new(&range, offset);
        for _ in 0..20 {
            let wider = grid.wider(&range);
            assert_eq!(wider.width % grid.width, 0);
            assert_eq!((wider.start + i128::from(offset)) % wider.width, 0);
            for index in 0..grid.buckets {
                let first = grid.start + grid.width * index as i128;
                let holds = wider.start + wider.width * wider.bucket_of_narrower(&grid, index) as i128;
                assert!(holds <= first && first + grid.width <= holds + wider.width);
            }
            grid = wider;
        }
    }
}
