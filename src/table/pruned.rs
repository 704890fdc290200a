//! Days that the archive no longer has: a line that comes late for one has nothing left to be merged with.

use std::collections::HashMap;
use std::ops::Range;

/// The times of pruned days, by measurement.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct PrunedDays {
    days: HashMap<String, Vec<Range<i128>>>,
    /// The end of the last one: what is not before it, as nearly all lines are not, needs no look-up.
    end: Option<i64>,
}

impl PrunedDays {
    /// Of each measurement's days, from their first instant to just before their end, nanoseconds since 1970-01-01 UTC.
    pub fn new(days: impl IntoIterator<Item = (String, Range<i128>)>) -> Self {
        let mut pruned = Self::default();
        for (measurement, day) in days {
            let end = i64::try_from(day.end).unwrap_or(i64::MAX);
            pruned.end = pruned.end.max(Some(end));
            pruned.days.entry(measurement).or_default().push(day);
        }
        for days in pruned.days.values_mut() {
            days.sort_by_key(|day| day.start);
        }
        pruned
    }

    /// Whether a time may be in a pruned day of some measurement.
    #[inline]
    pub(super) fn may_hold(&self, time: i64) -> bool {
        self.end.is_some_and(|end| time <= end)
    }

    /// Whether a time is in a pruned day of this measurement.
    pub fn holds(&self, measurement: &str, time: i64) -> bool {
        let time = i128::from(time);
        self.days.get(measurement).is_some_and(|days| {
            let later = days.partition_point(|day| day.start <= time);
            later.checked_sub(1).is_some_and(|last| time < days[last].end)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pruned_day_is_from_its_first_instant_to_just_before_its_end() {
        let day = |measurement: &str, range: Range<i128>| (measurement.to_owned(), range);
        let pruned = PrunedDays::new([day("m", 30..40), day("m", 10..20), day("n", 20..30)]);
        let of = |measurement| {
            (0..45)
                .filter(|time| pruned.holds(measurement, *time))
                .collect::<Vec<_>>()
        };
        assert_eq!(of("m"), (10..20).chain(30..40).collect::<Vec<_>>());
        assert_eq!(of("n"), (20..30).collect::<Vec<_>>());
        assert_eq!(of("o"), Vec::<i64>::new());
        assert!(pruned.may_hold(39) && !pruned.may_hold(41));
        assert!(!PrunedDays::default().may_hold(i64::MIN));
    }

    #[test]
    fn the_last_day_that_there_is_can_be_pruned() {
        let pruned = PrunedDays::new([("m".to_owned(), i128::from(i64::MAX) - 5..i128::from(i64::MAX) + 5)]);
        assert!(pruned.may_hold(i64::MAX) && pruned.holds("m", i64::MAX));
    }
}
