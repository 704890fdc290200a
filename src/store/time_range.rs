//! `--time-range`: the times that an archive takes, as text and as nanoseconds.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};

use crate::format::TimeRange;

/// Times that an archive made without `--time-range` takes: what is outside is a wrong precision rather than a time.
pub const DEFAULT_TIME_RANGE: TimeRange = TimeRange {
    first: 631_152_000_000_000_000,
    last: 4_102_444_800_000_000_000 - 1,
};

/// `FROM..UNTIL` -> the times from `FROM` to just before `UNTIL`. Each is a date (its beginning in UTC), an RFC 3339
/// time, or left out: the first or last time that 64 bits of nanoseconds hold.
///
/// # Errors
/// The cause, for a person.
pub fn parse_time_range(text: &str) -> Result<TimeRange, String> {
    let (from, until) = text
        .split_once("..")
        .ok_or_else(|| format!("`{text}` is no range: write FROM..UNTIL, such as 1990-01-01..2100-01-01"))?;
    let first = match from {
        "" => i64::MIN,
        from => parse_time(from)?,
    };
    let last = match until {
        "" => i64::MAX,
        until => parse_time(until)?
            .checked_sub(1)
            .ok_or_else(|| format!("`{text}` ends where it begins"))?,
    };
    if first > last {
        return Err(format!("`{text}` is empty: its end is not behind its beginning"));
    }
    Ok(TimeRange { first, last })
}

/// The text that [`parse_time_range`] reads back as `range`.
pub fn show_time_range(range: TimeRange) -> String {
    let from = match range.first {
        i64::MIN => String::new(),
        first => show_time(first),
    };
    let until = match range.last.checked_add(1) {
        None => String::new(),
        Some(until) => show_time(until),
    };
    format!("{from}..{until}")
}

/// A date or an RFC 3339 time -> nanoseconds since 1970-01-01 UTC.
fn parse_time(text: &str) -> Result<i64, String> {
    let time = match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(date) => date.and_time(chrono::NaiveTime::MIN).and_utc(),
        Err(_) => DateTime::parse_from_rfc3339(text)
            .map_err(|_| {
                format!("`{text}` is neither a date (2020-06-19) nor an RFC 3339 time (2020-06-19T12:00:00Z)")
            })?
            .to_utc(),
    };
    time.timestamp_nanos_opt()
        .ok_or_else(|| format!("`{text}` is outside what nanoseconds in 64 bits can say (1677-09-21 to 2262-04-11)"))
}

fn show_time(nanoseconds: i64) -> String {
    let time: DateTime<Utc> = DateTime::from_timestamp_nanos(nanoseconds);
    if time.time() == chrono::NaiveTime::MIN {
        time.format("%Y-%m-%d").to_string()
    } else {
        time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn time_ranges_end_before_their_until() {
        assert_eq!(parse_time_range("1990-01-01..2100-01-01"), Ok(DEFAULT_TIME_RANGE));
        assert_eq!(
            parse_time_range(".."),
            Ok(TimeRange {
                first: i64::MIN,
                last: i64::MAX
            })
        );
        assert_eq!(
            parse_time_range("..1970-01-01"),
            Ok(TimeRange {
                first: i64::MIN,
                last: -1
            })
        );
        assert_eq!(
            parse_time_range("1970-01-01T01:00:00.5+01:00.."),
            Ok(TimeRange {
                first: 500_000_000,
                last: i64::MAX
            })
        );
        for bad in [
            "",
            "1990-01-01",
            "2020-01-02..2020-01-02",
            "2020-01-02..2020-01-01",
            "yesterday..",
            "..9999-01-01",
        ] {
            assert!(parse_time_range(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_time_range_is_read_back(a: i64, b: i64, whole_days: bool) {
            const DAY: i64 = 86_400_000_000_000;
            let (a, b) = if whole_days { (a / DAY * DAY, b / DAY * DAY - 1) } else { (a, b) };
            let range = TimeRange { first: a.min(b), last: a.max(b) };
            prop_assert_eq!(parse_time_range(&show_time_range(range)), Ok(range));
        }
    }
}
