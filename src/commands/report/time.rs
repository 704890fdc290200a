//! The time that a report shows.

use std::ops::Range;

use chrono::{DateTime, Days, NaiveDate, SecondsFormat};

use crate::calendar::{Day, Zone};
use crate::error::{Error, Result};
use crate::store::State;
use crate::store::record::DayEntry;

/// Days that a report shows unless told otherwise, the last one included.
const DEFAULT_DAYS: u64 = 30;

/// Where the archive's last day ends: what ages count from. 0 where it has no day.
pub fn end_of(state: &State, zone: Zone) -> Result<i64> {
    let days = state
        .days
        .values()
        .filter(|day| day.has_file())
        .map(|entry| entry.day.parse());
    let days = days.collect::<Result<Vec<Day>>>()?;
    let end = days.into_iter().max().map_or(0, |day| zone.bounds(day).1);
    Ok(within_i64(end))
}

/// From the first to behind the last row of the time that was asked for; empty where there is none.
///
/// # Errors
/// A time that ends before it begins.
pub fn shown(state: &State, zone: Zone, asked: (Option<i64>, Option<i64>)) -> Result<Range<i64>> {
    let until = match asked.1 {
        Some(until) => until,
        None => end_of(state, zone)?,
    };
    let from = asked.0.unwrap_or_else(|| days_before(zone, until));
    if from >= until {
        let cause = format_args!("{} is not before the end, {}", rfc3339(from), rfc3339(until));
        return match asked {
            (None, None) => Ok(0..0),
            _ => {
                Err(Error::usage("--from", cause).hint("ages such as -7d count from the end of the archive's last day"))
            }
        };
    }
    let within = || rows_of(state).filter(|day| day.first < until && day.last >= from);
    let first = within().map(|day| day.first.max(from)).min();
    let last = within().map(|day| day.last.min(until - 1)).max();
    Ok(match (first, last) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1),
        _ => 0..0,
    })
}

fn rows_of(state: &State) -> impl Iterator<Item = &DayEntry> {
    state.days.values().filter(|day| day.has_file())
}

/// The beginning of the day that has so many days to the end, itself included.
fn days_before(zone: Zone, until: i64) -> i64 {
    let last = NaiveDate::from(zone.day_of(until.saturating_sub(1)));
    let first = last
        .checked_sub_days(Days::new(DEFAULT_DAYS - 1))
        .unwrap_or(NaiveDate::MIN);
    within_i64(zone.bounds(Day::from(first)).0)
}

fn within_i64(time: i128) -> i64 {
    i64::try_from(time).unwrap_or(if time < 0 { i64::MIN } else { i64::MAX })
}

/// A time as JSON has it.
pub fn rfc3339(time: i64) -> String {
    DateTime::from_timestamp_nanos(time).to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;
    /// 2020-06-19T00:00:00Z.
    const JUNE_19: i64 = 1_592_524_800 * S;
    const DAY: i64 = 86_400 * S;

    fn state(days: &[(&str, i64, i64)]) -> State {
        let mut state = State::default();
        for (day, first, last) in days {
            let entry = DayEntry {
                measurement: "m".to_owned(),
                day: (*day).to_owned(),
                rows: 1,
                first: *first,
                last: *last,
                encoder: 1,
                leaves: Vec::new(),
                parquet: Some(crate::store::record::DayFileEntry {
                    path: String::new(),
                    bytes: 1,
                    rest: String::new(),
                    replaced: None,
                }),
                csv: None,
            };
            state.days.insert(("m".to_owned(), (*day).to_owned()), entry);
        }
        state
    }

    #[test]
    fn without_flags_it_is_the_last_thirty_days_of_the_archive() {
        let first = JUNE_19 - 400 * DAY;
        let state = state(&[
            ("2019-05-16", first, first + S),
            ("2020-05-21", JUNE_19 - 29 * DAY + 5, JUNE_19 - 29 * DAY + 7),
            ("2020-06-19", JUNE_19, JUNE_19 + 20 * S),
        ]);
        assert_eq!(end_of(&state, Zone::Utc), Ok(JUNE_19 + DAY));
        let time = shown(&state, Zone::Utc, (None, None)).unwrap();
        assert_eq!(time, JUNE_19 - 29 * DAY + 5..JUNE_19 + 20 * S + 1);
        let time = shown(&state, Zone::Utc, (None, Some(first + 10 * S))).unwrap();
        assert_eq!(time, first..first + S + 1);
    }

    #[test]
    fn rows_alone_are_shown_and_where_there_are_none_it_is_empty() {
        let state = state(&[("2020-06-19", JUNE_19 + 100, JUNE_19 + 900)]);
        let of = |from, until| shown(&state, Zone::Utc, (Some(from), Some(until))).unwrap();
        assert_eq!(of(JUNE_19 + 200, JUNE_19 + 300), JUNE_19 + 200..JUNE_19 + 300);
        assert_eq!(of(i64::MIN, i64::MAX), JUNE_19 + 100..JUNE_19 + 901);
        assert!(of(JUNE_19 + 2_000, JUNE_19 + 3_000).is_empty());
        assert!(of(0, 5).is_empty());
        assert!(shown(&State::default(), Zone::Utc, (None, None)).unwrap().is_empty());
    }

    #[test]
    fn a_time_that_ends_before_it_begins_is_refused() {
        let state = state(&[("2020-06-19", JUNE_19, JUNE_19)]);
        let refused = shown(&state, Zone::Utc, (Some(5), Some(5))).unwrap_err();
        assert_eq!(refused.kind(), crate::error::Kind::Usage);
    }
}
