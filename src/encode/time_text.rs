//! Times as RFC 3339 text of one shape, `2020-06-19T00:00:00.000000000Z`: fast to write, exact to read.

use chrono::{DateTime, Datelike, NaiveDate, Timelike};

/// Bytes of a time: always nine digits and `Z`.
pub(super) const TIME_BYTES: usize = 30;
const NS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// Where the nine digits of the nanoseconds stand.
const FRACTION: std::ops::Range<usize> = 20..29;
/// Everything before them: it is kept from one time to the next as long as the second stays.
const ANY_TIME: [u8; TIME_BYTES] = *b"1970-01-01T00:00:00.000000000Z";

/// Writes times; remembers the last second, because sorted rows share it.
#[derive(Debug)]
pub(super) struct TimeWriter {
    second: i64,
    text: [u8; TIME_BYTES],
}

impl TimeWriter {
    pub(super) fn new() -> Self {
        Self {
            second: 0,
            text: ANY_TIME,
        }
    }

    /// Appends `time`, nanoseconds since 1970-01-01 UTC: all of i64 lies in the years 1677 to 2262.
    pub(super) fn write(&mut self, time: i64, out: &mut Vec<u8>) {
        let second = time.div_euclid(NS_PER_SECOND);
        if second != self.second {
            self.set_second(second);
        }
        let mut fraction = time.rem_euclid(NS_PER_SECOND);
        for digit in self.text[FRACTION].iter_mut().rev() {
            *digit = b'0' + (fraction % 10) as u8;
            fraction /= 10;
        }
        out.extend_from_slice(&self.text);
    }

    fn set_second(&mut self, second: i64) {
        let at = DateTime::from_timestamp(second, 0).expect("every i64 of nanoseconds is in chrono's range");
        let mut put = |start: usize, width: usize, mut number: u32| {
            for digit in self.text[start..start + width].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        };
        put(0, 4, at.year().unsigned_abs());
        put(5, 2, at.month());
        put(8, 2, at.day());
        put(11, 2, at.hour());
        put(14, 2, at.minute());
        put(17, 2, at.second());
        self.second = second;
    }
}

/// Reads times; remembers the last date.
#[derive(Debug, Default)]
pub(super) struct TimeReader {
    date: [u8; 10],
    /// Seconds from 1970-01-01 to the date.
    start: i64,
}

impl TimeReader {
    /// The time that `text` says, if it has exactly the shape that [`TimeWriter`] writes and fits an i64.
    pub(super) fn read(&mut self, text: &[u8]) -> Option<i64> {
        let text: &[u8; TIME_BYTES] = text.try_into().ok()?;
        let separators = [(10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (29, b'Z')];
        if separators.iter().any(|&(at, byte)| text[at] != byte) {
            return None;
        }
        if text[..10] != self.date {
            self.set_date(&text[..10])?;
        }
        let (hour, minute, second) = (number(&text[11..13])?, number(&text[14..16])?, number(&text[17..19])?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = self.start + hour * 3600 + minute * 60 + second;
        let time = i128::from(seconds) * i128::from(NS_PER_SECOND) + i128::from(number(&text[FRACTION])?);
        i64::try_from(time).ok()
    }

    fn set_date(&mut self, text: &[u8]) -> Option<()> {
        if text[4] != b'-' || text[7] != b'-' {
            return None;
        }
        let year = i32::try_from(number(&text[..4])?).ok()?;
        let month = u32::try_from(number(&text[5..7])?).ok()?;
        let day = u32::try_from(number(&text[8..])?).ok()?;
        let date = NaiveDate::from_ymd_opt(year, month, day)?;
        self.start = i64::from(date.to_epoch_days()) * SECONDS_PER_DAY;
        self.date.copy_from_slice(text);
        Some(())
    }
}

/// A number of ASCII digits and nothing else.
fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, &digit| {
        digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(times: &[i64]) -> Vec<String> {
        let mut writer = TimeWriter::new();
        let text = |time: &i64| {
            let mut out = Vec::new();
            writer.write(*time, &mut out);
            String::from_utf8(out).unwrap()
        };
        times.iter().map(text).collect()
    }

    #[test]
    fn the_ends_of_time_and_the_days_around_1970_are_written_as_chrono_says() {
        let times = [0, -1, 1, i64::MIN, i64::MAX, -NS_PER_SECOND, 1_592_524_800_000_000_000];
        assert_eq!(
            written(&times),
            [
                "1970-01-01T00:00:00.000000000Z",
                "1969-12-31T23:59:59.999999999Z",
                "1970-01-01T00:00:00.000000001Z",
                "1677-09-21T00:12:43.145224192Z",
                "2262-04-11T23:47:16.854775807Z",
                "1969-12-31T23:59:59.000000000Z",
                "2020-06-19T00:00:00.000000000Z",
            ]
        );
    }

    #[test]
    fn text_of_another_shape_or_outside_of_i64_is_no_time() {
        let wrong = [
            "",
            "2020-06-19T00:00:00Z",
            "2020-06-19 00:00:00.000000000Z",
            "2020-06-19T00:00:00.00000000 Z",
            "2020-06-31T00:00:00.000000000Z",
            "2020-06-19T24:00:00.000000000Z",
            "2020-06-19T23:59:60.000000000Z",
            "2020/06/19T00:00:00.000000000Z",
            "+020-06-19T00:00:00.000000000Z",
            "1677-09-21T00:12:43.145224191Z",
            "2262-04-11T23:47:16.854775808Z",
        ];
        for text in wrong {
            assert_eq!(TimeReader::default().read(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_times_are_written_as_chrono_does_and_read_back(
            times in prop::collection::vec(prop_oneof![any::<i64>(), 0i64..200_000_000_000], 1..20),
        ) {
            let mut reader = TimeReader::default();
            for (time, text) in times.iter().zip(written(&times)) {
                let expected = DateTime::from_timestamp_nanos(*time).format("%Y-%m-%dT%H:%M:%S%.9fZ").to_string();
                prop_assert_eq!(&text, &expected);
                prop_assert_eq!(reader.read(text.as_bytes()), Some(*time));
            }
        }
    }
}
