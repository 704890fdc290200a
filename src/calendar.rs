//! Days and zones: which day a time belongs to, and the times that people type.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

use crate::error::{Error, Result};

const NS_PER_SECOND: i64 = 1_000_000_000;
const NS_PER_DAY: i128 = 86_400 * NS_PER_SECOND as i128;
/// More than any local clock was ever away from UTC (Manila, before 1845: 16 h).
const MAX_OFFSET_SECONDS: i64 = 26 * 3600;

/// A calendar day, shown and read as `2020-06-19`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(NaiveDate);

impl Day {
    /// The day after this one in the calendar.
    pub(crate) fn next(self) -> Self {
        Self(self.0.checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX))
    }

    fn previous(self) -> Self {
        Self(self.0.checked_sub_days(Days::new(1)).unwrap_or(NaiveDate::MIN))
    }
}

impl From<NaiveDate> for Day {
    fn from(date: NaiveDate) -> Self {
        Self(date)
    }
}

impl From<Day> for NaiveDate {
    fn from(day: Day) -> Self {
        day.0
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%d"))
    }
}

impl FromStr for Day {
    type Err = Error;

    /// Reads the form that [`Day`] is shown in and no other, so that one day has one file name.
    fn from_str(text: &str) -> Result<Self> {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Self);
        date.filter(|day| day.to_string() == text)
            .ok_or_else(|| Error::new(format_args!("'{text}'"), "not a day of the form 2020-06-19"))
    }
}

/// The zone whose clock says which day it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zone {
    /// Every day has 24 h.
    #[default]
    Utc,
    /// A zone of the IANA database as it is compiled in: days of 23 and 25 h, skipped days.
    Iana(Tz),
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utc => f.write_str("UTC"),
            Self::Iana(zone) => f.write_str(zone.name()),
        }
    }
}

impl FromStr for Zone {
    type Err = Error;

    /// Reads `UTC` or a name of the IANA database such as `Europe/Berlin`.
    fn from_str(text: &str) -> Result<Self> {
        match Tz::from_str(text) {
            Ok(Tz::UTC) => Ok(Self::Utc),
            Ok(zone) => Ok(Self::Iana(zone)),
            Err(_) => Err(
                Error::usage(format_args!("time zone '{text}'"), "there is none of this name")
                    .hint("give UTC or a name like Europe/Berlin, in this spelling"),
            ),
        }
    }
}

impl Zone {
    /// The day that `time`, nanoseconds since 1970-01-01 UTC, belongs to: the one whose [`Zone::bounds`] hold it.
    pub fn day_of(self, time: i64) -> Day {
        let utc = DateTime::from_timestamp_nanos(time).naive_utc();
        let zone = match self {
            Self::Utc => return Day(utc.date()),
            Self::Iana(zone) => zone,
        };
        let offset = zone.offset_from_utc_datetime(&utc).fix();
        let mut day = Day(utc.checked_add_offset(offset).unwrap_or(utc).date());
        // The clock can be put back over midnight: then a day that began stays the day.
        while i128::from(time) >= self.start(day.next()) {
            day = day.next();
        }
        while i128::from(time) < self.start(day) {
            day = day.previous();
        }
        day
    }

    /// First nanosecond of a day and first one after it, since 1970-01-01 UTC. Days follow each other without gap or
    /// overlap; one that the zone skipped is empty. The days at the ends of i64 reach beyond it.
    pub fn bounds(self, day: Day) -> (i128, i128) {
        (self.start(day), self.start(day.next()))
    }

    /// How far the clock of the zone is ahead of UTC at `time`, nanoseconds since 1970-01-01 UTC: in nanoseconds.
    pub fn offset_at(self, time: i64) -> i64 {
        let utc = DateTime::from_timestamp_nanos(time).naive_utc();
        match self {
            Self::Utc => 0,
            Self::Iana(zone) => i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()) * NS_PER_SECOND,
        }
    }

    /// The first instant at which the clock of the zone shows this day or a later one.
    fn start(self, day: Day) -> i128 {
        let midnight = day.0.and_time(NaiveTime::MIN);
        let zone = match self {
            Self::Utc => return nanoseconds(midnight),
            Self::Iana(zone) => zone,
        };
        match zone.offset_from_local_datetime(&midnight) {
            // Where midnight comes twice, the day begins with the first one.
            LocalResult::Single(offset) | LocalResult::Ambiguous(offset, _) => {
                nanoseconds(midnight) - i128::from(offset.fix().local_minus_utc()) * i128::from(NS_PER_SECOND)
            }
            LocalResult::None => after_gap(zone, midnight),
        }
    }
}

/// The instant at which the clock of a zone jumps over `midnight`, to the second, as the IANA database has it.
fn after_gap(zone: Tz, midnight: NaiveDateTime) -> i128 {
    let local = |second: i64| {
        let utc = DateTime::from_timestamp(second, 0).unwrap_or_default().naive_utc();
        utc.checked_add_offset(zone.offset_from_utc_datetime(&utc).fix())
            .unwrap_or(utc)
    };
    let middle = midnight.and_utc().timestamp();
    let (mut before, mut behind) = (middle - MAX_OFFSET_SECONDS, middle + MAX_OFFSET_SECONDS);
    while behind - before > 1 {
        let half = before + (behind - before) / 2;
        match local(half) < midnight {
            true => before = half,
            false => behind = half,
        }
    }
    i128::from(behind) * i128::from(NS_PER_SECOND)
}

fn nanoseconds(time: NaiveDateTime) -> i128 {
    i128::from(time.and_utc().timestamp()) * i128::from(NS_PER_SECOND)
}

/// Finds the days of many times: those of the last day cost two comparisons.
#[derive(Clone, Debug)]
pub struct DayFinder {
    zone: Zone,
    day: Day,
    /// First and last nanosecond of `day` that an i64 holds.
    first: i64,
    last: i64,
}

impl DayFinder {
    /// A finder for the days of a zone.
    pub fn new(zone: Zone) -> Self {
        let mut finder = Self {
            zone,
            day: Day(NaiveDate::default()),
            first: 0,
            last: 0,
        };
        finder.turn_to(0);
        finder
    }

    /// As [`Zone::day_of`].
    pub fn day_of(&mut self, time: i64) -> Day {
        if time < self.first || time > self.last {
            self.turn_to(time);
        }
        self.day
    }

    #[cold]
    fn turn_to(&mut self, time: i64) {
        self.day = self.zone.day_of(time);
        let (first, end) = self.zone.bounds(self.day);
        self.first = i64::try_from(first).unwrap_or(i64::MIN);
        self.last = i64::try_from(end - 1).unwrap_or(i64::MAX);
    }
}

/// Reads a time as people type it: `2020-06-19` (its first instant in UTC), RFC 3339 (`2020-06-19T12:00:00Z`,
/// `2020-06-19T14:00:00.5+02:00`), `now`, or back from now: `-24h`, `24h ago`, `-1d12h` (w, d, h, m, s).
///
/// The result and `now` are nanoseconds since 1970-01-01 UTC.
///
/// # Errors
/// Wrong usage: text of another form, or a time outside of the years 1677 to 2262.
pub fn parse_instant(text: &str, now: i64) -> Result<i64> {
    let wrong = |cause: &str| {
        Error::usage(format_args!("time '{text}'"), cause)
            .hint("give 2020-06-19, 2020-06-19T12:00:00Z, now, or a time ago such as -24h")
    };
    let too_far = || wrong("it is outside of the years 1677 to 2262");
    let trimmed = text.trim();
    if trimmed == "now" {
        return Ok(now);
    }
    let ago = trimmed
        .strip_prefix('-')
        .or_else(|| trimmed.strip_suffix("ago").map(str::trim_end));
    if let Some(ago) = ago {
        let span = span_ns(ago).ok_or_else(|| wrong("not a number of w, d, h, m or s"))?;
        return i64::try_from(i128::from(now) - span).map_err(|_| too_far());
    }
    if let Ok(day) = trimmed.parse::<Day>() {
        return i64::try_from(Zone::Utc.bounds(day).0).map_err(|_| too_far());
    }
    let Ok(time) = DateTime::parse_from_rfc3339(trimmed) else {
        return Err(wrong(if NaiveDateTime::from_str(trimmed).is_ok() {
            "it has no zone: end it with Z for UTC or with an offset such as +02:00"
        } else {
            "not a time"
        }));
    };
    time.with_timezone(&Utc).timestamp_nanos_opt().ok_or_else(too_far)
}

/// Nanoseconds of a span such as `24h` or `1d12h`.
fn span_ns(text: &str) -> Option<i128> {
    let mut rest = text;
    let mut total = 0;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let count = rest[..digits].parse::<u32>().ok()?;
        let second = i128::from(NS_PER_SECOND);
        let unit = match rest.as_bytes()[digits] {
            b'w' => 7 * NS_PER_DAY,
            b'd' => NS_PER_DAY,
            b'h' => 3600 * second,
            b'm' => 60 * second,
            b's' => second,
            _ => return None,
        };
        total += i128::from(count) * unit;
        rest = &rest[digits + 1..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests;
