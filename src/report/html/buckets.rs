//! The values of a series, as many as there are, in the room of some hundred: each bucket keeps the least, the greatest and the mean.

use super::grid::Grid;

/// What the values of one bucket come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bucket {
    /// Number of values; 0 in an empty bucket, which has no other figures.
    pub count: u64,
    /// The least.
    pub least: f64,
    /// The greatest.
    pub greatest: f64,
    /// Their mean.
    pub mean: f64,
}

impl Bucket {
    /// Adds a value.
    pub fn push(&mut self, value: f64) {
        self.merge(&Self {
            count: 1,
            least: value,
            greatest: value,
            mean: value,
        });
    }

    /// Adds the values of another bucket.
    pub fn merge(&mut self, other: &Self) {
        if self.count == 0 {
            *self = *other;
            return;
        }
        if other.count == 0 {
            return;
        }
        let count = self.count + other.count;
        let share = other.count as f64 / count as f64;
        // In this form no sum of large values leaves the range of a float.
        self.mean = self.mean * (1.0 - share) + other.mean * share;
        self.mean = self
            .mean
            .clamp(self.least.min(other.least), self.greatest.max(other.greatest));
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
        self.count = count;
    }
}

/// The buckets of a series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets(Vec<Bucket>);

impl Buckets {
    /// Empty ones.
    pub fn new(grid: &Grid) -> Self {
        Self(vec![Bucket::default(); grid.buckets])
    }

    /// Adds a value to one of them.
    pub fn push(&mut self, bucket: usize, value: f64) {
        if let Some(bucket) = self.0.get_mut(bucket) {
            bucket.push(value);
        }
    }

    /// The same values in wider buckets.
    #[must_use]
    pub fn widened(&self, from: &Grid, to: &Grid) -> Self {
        let mut wide = Self::new(to);
        for (index, bucket) in self.0.iter().enumerate() {
            if let Some(wide) = wide.0.get_mut(to.bucket_of_narrower(from, index)) {
                wide.merge(bucket);
            }
        }
        wide
    }

    /// All of them in order, from the first that holds something to the last; and which one the first is.
    pub fn filled(&self) -> (usize, &[Bucket]) {
        let holds = |bucket: &Bucket| bucket.count > 0;
        match (self.0.iter().position(holds), self.0.iter().rposition(holds)) {
            (Some(first), Some(last)) => (first, &self.0[first..=last]),
            _ => (0, &[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_keeps_least_greatest_and_mean_whatever_is_merged_with_what() {
        let values = [3.0, -1.5, 8.0, 8.0, 0.0, 2.5];
        let mut all = Bucket::default();
        values.iter().for_each(|value| all.push(*value));
        let mut halves = [Bucket::default(); 2];
        values
            .iter()
            .enumerate()
            .for_each(|(at, value)| halves[at % 2].push(*value));
        let mut merged = Bucket::default();
        halves.iter().for_each(|half| merged.merge(half));
        for bucket in [all, merged] {
            assert_eq!((bucket.count, bucket.least, bucket.greatest), (6, -1.5, 8.0));
            assert!((bucket.mean - 20.0 / 6.0).abs() < 1e-12, "{}", bucket.mean);
        }
    }

    #[test]
    fn the_largest_floats_have_a_mean() {
        let mut bucket = Bucket::default();
        [f64::MAX, f64::MAX, -f64::MAX, f64::MAX]
            .into_iter()
            .for_each(|value| bucket.push(value));
        assert!(bucket.mean.is_finite());
        assert!((bucket.mean / f64::MAX - 0.5).abs() < 1e-9);
    }

    #[test]
    fn widened_buckets_keep_the_extremes() {
        let second = 1_000_000_000;
        let range = 0..3_600 * second;
        let narrow = Grid::new(&range, 0);
        let mut buckets = Buckets::new(&narrow);
        for at in 0..3_600 {
            buckets.push(narrow.bucket_of(at * second), (at * 7_919 % 3_600) as f64);
        }
        let wide = narrow.wider(&range);
        let widened = buckets.widened(&narrow, &wide);
        let (first, filled) = widened.filled();
        assert_eq!((first, filled.len()), (0, wide.buckets));
        let count: u64 = filled.iter().map(|bucket| bucket.count).sum();
        let least = filled.iter().map(|bucket| bucket.least).fold(f64::MAX, f64::min);
        let greatest = filled.iter().map(|bucket| bucket.greatest).fold(0.0, f64::max);
        assert_eq!((count, least, greatest), (3_600, 0.0, 3_599.0));
    }
}
