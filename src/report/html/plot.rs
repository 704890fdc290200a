//! One field over the time of a report: the series that have it, collected row by row in little memory.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use super::buckets::Buckets;
use super::grid::Grid;
use super::rhythm::{Completeness, Rhythm};
use crate::calendar::{Day, Zone};

/// Series of a field that are kept: the first by name. More than anybody tells apart in a plot.
pub const MOST_SERIES: usize = 100;

/// Series beyond those that are told apart to count them, each by 16 bytes.
const MOST_COUNTED: usize = 1_000_000;

/// What a plot shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// What the user calls it: `cpu.busy`, `mem.used_percent`.
    pub name: String,
    /// Measurement and column that it is read from.
    pub measurement: String,
    /// The column's name.
    pub column: String,
    /// Only series with this tag and value.
    pub only: Option<(String, String)>,
    /// Shown is what is left to 100.
    pub complement: bool,
    /// Unit of the values.
    pub unit: Option<String>,
    /// What they mean, for people.
    pub about: Option<String>,
}

/// The tags of a series, the host first: series are in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesTags(pub Vec<(String, String)>);

/// A value and its time in nanoseconds.
pub type At = (f64, i64);

/// A series of one field.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its values by time.
    pub buckets: Buckets,
    rhythm: Rhythm,
    /// Points that have more than one value.
    pub conflicts: u64,
    conflicting: bool,
    /// First and last time.
    pub time: (i64, i64),
    /// The least value, the first time it was there.
    pub least: At,
    /// The greatest value, the first time it was there.
    pub greatest: At,
    /// Values, and their mean.
    pub values: u64,
    /// Their mean.
    pub mean: f64,
}

/// A series whose end was reached.
#[derive(Clone, Debug)]
pub struct FinishedSeries {
    /// Its tags.
    pub tags: SeriesTags,
    /// Its values.
    pub series: Series,
    /// Its samples, and those that are missing.
    pub completeness: Completeness,
}

/// A field and its series.
#[derive(Debug)]
pub struct Plot {
    /// What it shows.
    pub field: Field,
    grid: Grid,
    names: BTreeMap<SeriesTags, usize>,
    /// `None` for those that gave their place to one that comes first by name.
    series: Vec<Option<Series>>,
    beyond: HashSet<u128>,
    most: usize,
}

/// All values of a field.
#[derive(Debug)]
pub struct FinishedPlot {
    /// What it shows.
    pub field: Field,
    /// In the order of their tags.
    pub series: Vec<FinishedSeries>,
    /// Series that are not among them.
    pub left_out: u64,
    /// Whether there may be more of those.
    pub left_out_more: bool,
    /// The buckets of its series.
    pub grid: Grid,
}

impl Plot {
    /// No series yet.
    pub fn new(field: Field, grid: Grid) -> Self {
        Self {
            field,
            grid,
            names: BTreeMap::new(),
            series: Vec::new(),
            beyond: HashSet::new(),
            most: MOST_SERIES,
        }
    }

    /// The place of a series that has a value; `None` where it is not one of the first by name.
    pub fn place_of(&mut self, tags: SeriesTags) -> Option<usize> {
        if let Some(place) = self.names.get(&tags) {
            return Some(*place);
        }
        if self.names.len() >= self.most {
            match self.names.last_key_value() {
                Some((last, _)) if *last > tags => {
                    // It came before this one, and is never among the first again: the first only come closer.
                    if let Some((tags, place)) = self.names.pop_last() {
                        self.series[place] = None;
                        self.leave_out(&tags);
                    }
                }
                _ => {
                    self.leave_out(&tags);
                    return None;
                }
            }
        }
        let place = self.series.len();
        self.series.push(Some(Series::new(&self.grid)));
        self.names.insert(tags, place);
        Some(place)
    }

    fn leave_out(&mut self, tags: &SeriesTags) {
        if self.beyond.len() < MOST_COUNTED {
            let mut hash = blake3::Hasher::new();
            for part in tags.0.iter().flat_map(|(name, value)| [name, value]) {
                hash.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
            }
            let mut first = [0; 16];
            first.copy_from_slice(&hash.finalize().as_bytes()[..16]);
            self.beyond.insert(u128::from_le_bytes(first));
        }
    }

    /// Adds a value of the series at `place`. The times of a series come in order.
    pub fn push(&mut self, place: usize, time: i64, day: Day, value: f64) {
        let value = match self.field.complement {
            true => 100.0 - value,
            false => value,
        };
        if let Some(Some(series)) = self.series.get_mut(place) {
            series.push(self.grid.bucket_of(time), time, day, value);
        }
    }

    /// What all values come to.
    pub fn finish(mut self, zone: Zone) -> FinishedPlot {
        let series = self.names.into_iter().filter_map(|(tags, place)| {
            let mut series = self.series[place].take()?;
            let completeness = std::mem::take(&mut series.rhythm).completeness(zone);
            Some(FinishedSeries {
                tags,
                series,
                completeness,
            })
        });
        FinishedPlot {
            field: self.field,
            series: series.collect(),
            left_out: self.beyond.len() as u64,
            left_out_more: self.beyond.len() >= MOST_COUNTED,
            grid: self.grid,
        }
    }
}

impl Series {
    fn new(grid: &Grid) -> Self {
        Self {
            buckets: Buckets::new(grid),
            rhythm: Rhythm::default(),
            conflicts: 0,
            conflicting: false,
            time: (0, 0),
            least: (f64::INFINITY, 0),
            greatest: (f64::NEG_INFINITY, 0),
            values: 0,
            mean: 0.0,
        }
    }

    fn push(&mut self, bucket: usize, time: i64, day: Day, value: f64) {
        let is_new = self.rhythm.push(time, day);
        if !is_new && !self.conflicting {
            self.conflicts += 1;
        }
        self.conflicting = !is_new;
        if self.values == 0 {
            self.time.0 = time;
        }
        self.time.1 = time;
        if value < self.least.0 {
            self.least = (value, time);
        }
        if value > self.greatest.0 {
            self.greatest = (value, time);
        }
        self.values += 1;
        let share = 1.0 / self.values as f64;
        self.mean = self.mean * (1.0 - share) + value * share;
        self.buckets.push(bucket, value);
    }
}

impl FinishedPlot {
    /// The same in the next wider buckets.
    pub fn widen(&mut self, time: &Range<i64>) {
        let wide = self.grid.wider(time);
        for series in &mut self.series {
            series.series.buckets = series.series.buckets.widened(&self.grid, &wide);
        }
        self.grid = wide;
    }

    /// Leaves the last series out as well, so that at most so many stay.
    pub fn keep_first(&mut self, most: usize) {
        self.left_out += self.series.len().saturating_sub(most) as u64;
        self.series.truncate(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(host: &str) -> SeriesTags {
        SeriesTags(vec![("host".to_owned(), host.to_owned())])
    }

    fn plot(most: usize) -> Plot {
        let field = Field {
            name: "m.v".to_owned(),
            measurement: "m".to_owned(),
            column: "v".to_owned(),
            only: None,
            complement: false,
            unit: None,
            about: None,
        };
        Plot {
            most,
            ..Plot::new(field, Grid::new(&(0..1_000), 0))
        }
    }

    fn push(plot: &mut Plot, host: &str, time: i64, value: f64) {
        if let Some(place) = plot.place_of(tags(host)) {
            plot.push(place, time, Zone::Utc.day_of(time), value);
        }
    }

    #[test]
    fn the_first_by_name_stay_with_all_of_their_values_whatever_came_first() {
        let mut plot = plot(3);
        for time in 0..10 {
            // `a` comes late, when all places are taken.
            let hosts = ["f", "c", "e", "b", "d", "a"];
            for host in hosts.iter().filter(|host| **host != "a" || time > 4) {
                push(&mut plot, host, time, time as f64);
            }
        }
        let finished = plot.finish(Zone::Utc);
        let kept: Vec<(&str, u64)> = finished
            .series
            .iter()
            .map(|kept| (kept.tags.0[0].1.as_str(), kept.series.values))
            .collect();
        assert_eq!(kept, [("a", 5), ("b", 10), ("c", 10)]);
        assert_eq!((finished.left_out, finished.left_out_more), (3, false));
    }

    #[test]
    fn a_point_with_several_values_is_one_conflict_and_one_sample() {
        let mut plot = plot(3);
        for (time, value) in [(1, 1.0), (1, 2.0), (1, 3.0), (2, 1.0), (3, 5.0), (3, -6.0)] {
            push(&mut plot, "a", time, value);
        }
        let finished = plot.finish(Zone::Utc);
        let FinishedSeries {
            series, completeness, ..
        } = &finished.series[0];
        assert_eq!((series.conflicts, series.values, completeness.totals()), (2, 6, (3, 0)));
        assert_eq!(
            (series.least, series.greatest, series.time),
            ((-6.0, 3), (5.0, 3), (1, 3))
        );
    }

    #[test]
    fn what_is_left_to_a_hundred_has_its_extremes_the_other_way_round() {
        let mut plot = plot(3);
        plot.field.complement = true;
        push(&mut plot, "a", 1, 97.5);
        push(&mut plot, "a", 2, 10.0);
        let finished = plot.finish(Zone::Utc);
        let series = &finished.series[0].series;
        assert_eq!((series.least, series.greatest), ((2.5, 1), (90.0, 2)));
    }
}
