//! How often a series has a sample, learned from its times, and how many are missing by that.
//!
//! The interval is the median of the time from one sample to the next. Where that is more than one and a half intervals, samples are
//! missing: as many as would have fitted in between. Nothing is said about the time before the first sample and after the last one.

use std::collections::BTreeMap;

use crate::calendar::{Day, Zone};

/// Spans that are alike to so many bits (3 per cent) are told by their mean alone: an agent's jitter must not cost memory. So a span
/// within 3 per cent of one and a half intervals may be taken for either.
const ALIKE_BITS: u32 = 5;

/// The times of a series, in the order of time.
#[derive(Clone, Debug, Default)]
pub struct Rhythm {
    last: Option<(i64, Day)>,
    /// From one sample to the next of the same day: by day and likeness.
    within: BTreeMap<(Day, u16), Spans>,
    /// From the last sample before to the first one behind a midnight.
    over_midnight: Vec<((i64, Day), (i64, Day))>,
    samples: BTreeMap<Day, u64>,
}

/// Spans of time that are alike, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Spans {
    count: u64,
    sum: u128,
}

/// What the times of a series come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completeness {
    /// Nanoseconds from one sample to the next; `None` where there are fewer than two.
    pub interval: Option<u64>,
    /// Samples by day.
    pub samples: BTreeMap<Day, u64>,
    /// Those that are missing by day.
    pub missing: BTreeMap<Day, u64>,
    /// The longest time from one sample to the next, in nanoseconds.
    pub longest: u64,
}

impl Completeness {
    /// All samples, and all that are missing.
    pub fn totals(&self) -> (u64, u64) {
        let sum = |days: &BTreeMap<Day, u64>| days.values().fold(0, |sum: u64, count| sum.saturating_add(*count));
        (sum(&self.samples), sum(&self.missing))
    }
}

impl Rhythm {
    /// Adds a time, which is not before the last one, and says whether it is another one.
    pub fn push(&mut self, time: i64, day: Day) -> bool {
        let before = self.last.replace((time, day));
        match before {
            Some((last, _)) if last == time => return false,
            Some((last, last_day)) if last_day == day => {
                let span = time.abs_diff(last);
                let spans = self.within.entry((day, likeness(span))).or_default();
                spans.count += 1;
                spans.sum += u128::from(span);
            }
            Some(last) => self.over_midnight.push((last, (time, day))),
            None => {}
        }
        *self.samples.entry(day).or_default() += 1;
        true
    }

    /// What they come to, in the days of a zone.
    pub fn completeness(self, zone: Zone) -> Completeness {
        let interval = self.interval();
        let mut missing: BTreeMap<Day, u64> = BTreeMap::new();
        let mut longest = 0;
        for (&(day, _), spans) in &self.within {
            let mean = spans.mean();
            longest = longest.max(mean);
            let lost = missing_in(mean, interval).saturating_mul(spans.count);
            if lost > 0 {
                *missing.entry(day).or_default() += lost;
            }
        }
        for &((from, first_day), (until, last_day)) in &self.over_midnight {
            longest = longest.max(until.abs_diff(from));
            let lost = missing_in(until.abs_diff(from), interval);
            if lost > 0 {
                spread(
                    &mut missing,
                    zone,
                    (from, first_day),
                    last_day,
                    interval.unwrap_or(1),
                    lost,
                );
            }
        }
        Completeness {
            interval,
            samples: self.samples,
            missing,
            longest,
        }
    }

    /// The median of the spans: the mean of those that are like it.
    fn interval(&self) -> Option<u64> {
        let mut all: BTreeMap<u16, Spans> = BTreeMap::new();
        let over_midnight = self.over_midnight.iter().map(|((from, _), (until, _))| {
            let span = until.abs_diff(*from);
            (
                likeness(span),
                Spans {
                    count: 1,
                    sum: u128::from(span),
                },
            )
        });
        let within = self.within.iter().map(|((_, alike), spans)| (*alike, *spans));
        for (alike, spans) in within.chain(over_midnight) {
            let all = all.entry(alike).or_default();
            all.count += spans.count;
            all.sum += spans.sum;
        }
        let half = all.values().map(|spans| spans.count).sum::<u64>().div_ceil(2);
        let mut seen = 0;
        let middle = all.into_values().find(|spans| {
            seen += spans.count;
            seen >= half && spans.count > 0
        });
        middle.map(|spans| spans.mean())
    }
}

impl Spans {
    fn mean(&self) -> u64 {
        u64::try_from(self.sum / u128::from(self.count.max(1))).unwrap_or(u64::MAX)
    }
}

/// A number that spans which differ by a few per cent share, and which grows with them.
fn likeness(span: u64) -> u16 {
    let bits = u64::BITS - span.leading_zeros();
    let shift = bits.saturating_sub(ALIKE_BITS + 1);
    let high = (span >> shift) as u16;
    (shift as u16) << (ALIKE_BITS + 1) | high
}

/// Samples that are missing where the next one comes after `span`.
fn missing_in(span: u64, interval: Option<u64>) -> u64 {
    match interval.map(u128::from) {
        Some(interval) if interval > 0 && 2 * u128::from(span) > 3 * interval => {
            let fit = (u128::from(span) + interval / 2) / interval - 1;
            u64::try_from(fit).unwrap_or(u64::MAX)
        }
        _ => 0,
    }
}

/// Counts samples that are missing behind `from` in the days in which they should have come.
fn spread(
    missing: &mut BTreeMap<Day, u64>,
    zone: Zone,
    (from, first_day): (i64, Day),
    last_day: Day,
    interval: u64,
    lost: u64,
) {
    let mut told = 0;
    let mut day = first_day;
    while told < lost {
        let (_, end) = zone.bounds(day);
        let by_then = match day < last_day {
            // Those that should have come before the day's end.
            true => (end - 1 - i128::from(from)).max(0) / i128::from(interval),
            false => i128::from(lost),
        };
        let by_then = u64::try_from(by_then).unwrap_or(u64::MAX).min(lost);
        if by_then > told {
            *missing.entry(day).or_default() += by_then - told;
            told = by_then;
        }
        day = day.next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;
    /// 2020-06-19T00:00:00Z.
    const MIDNIGHT: i64 = 1_592_524_800 * S;

    fn completeness(times: impl IntoIterator<Item = i64>) -> Completeness {
        let mut rhythm = Rhythm::default();
        for time in times {
            rhythm.push(time, Zone::Utc.day_of(time));
        }
        rhythm.completeness(Zone::Utc)
    }

    fn missing(found: &Completeness) -> Vec<(String, u64)> {
        found
            .missing
            .iter()
            .map(|(day, count)| (day.to_string(), *count))
            .collect()
    }

    #[test]
    fn a_series_without_a_gap_has_its_interval_and_nothing_missing() {
        let found = completeness((0..1_000).map(|at| MIDNIGHT + at * 10 * S));
        assert_eq!(found.interval, Some(10_000_000_000));
        assert_eq!(found.totals(), (1_000, 0));
        assert_eq!(found.longest, 10_000_000_000);
    }

    #[test]
    fn what_would_have_fitted_into_a_gap_is_missing() {
        let taken = [100, 101, 500, 700, 701, 702];
        let times = (0..1_000)
            .filter(|at| !taken.contains(at))
            .map(|at| MIDNIGHT + at * 10 * S);
        let found = completeness(times);
        assert_eq!(found.totals(), (994, 6));
        assert_eq!(found.longest, 40_000_000_000);
    }

    #[test]
    fn jitter_is_no_gap_and_a_gap_within_it_is_found() {
        // Up to a fifth of a second later than it should be, and two samples missing.
        let jitter = |at: i64| (at * 7_919 % 200) * 1_000_000;
        let times = (0..5_000)
            .filter(|at| ![70, 71].contains(at))
            .map(|at| MIDNIGHT + at * 10 * S + jitter(at));
        let found = completeness(times);
        let interval = found.interval.expect("there are many");
        assert!(interval.abs_diff(10_000_000_000) < 300_000_000, "{interval}");
        assert_eq!(found.totals(), (4_998, 2));
    }

    #[test]
    fn a_gap_over_midnights_is_told_by_the_day_in_which_samples_should_have_come() {
        // Every hour; silent from 22:00 to 03:00 two days later.
        let hour = 3_600 * S;
        let before = (0..=22).map(|at| MIDNIGHT + at * hour);
        let behind = (51..60).map(|at| MIDNIGHT + at * hour);
        let found = completeness(before.chain(behind));
        assert_eq!(found.interval, Some(3_600_000_000_000));
        let expected = [("2020-06-19", 1), ("2020-06-20", 24), ("2020-06-21", 3)];
        assert_eq!(missing(&found), expected.map(|(day, count)| (day.to_owned(), count)));
    }

    #[test]
    fn one_and_a_half_intervals_are_no_gap_and_a_bit_more_is() {
        let (mut times, mut at) = (Vec::new(), MIDNIGHT);
        for span in [10, 10, 10, 15, 10, 10].map(|s| s * S) {
            times.push(at);
            at += span;
        }
        times.push(at);
        assert_eq!(completeness(times.iter().copied()).totals(), (7, 0));
        let last = times.len() - 1;
        times[last] += 6 * S;
        assert_eq!(completeness(times).totals(), (7, 1));
    }

    #[test]
    fn a_time_that_comes_again_is_no_sample_and_a_single_one_has_no_interval() {
        let mut rhythm = Rhythm::default();
        let day = Zone::Utc.day_of(MIDNIGHT);
        assert!(rhythm.push(MIDNIGHT, day));
        assert!(!rhythm.push(MIDNIGHT, day));
        let found = rhythm.completeness(Zone::Utc);
        assert_eq!((found.interval, found.totals()), (None, (1, 0)));
    }

    #[test]
    fn the_ends_of_time_are_one_gap() {
        let found = completeness([i64::MIN, i64::MIN + 1, i64::MIN + 2, i64::MAX]);
        assert_eq!(found.interval, Some(1));
        assert_eq!(found.totals().0, 4);
        assert!(found.totals().1 > u64::MAX / 2);
    }
}
