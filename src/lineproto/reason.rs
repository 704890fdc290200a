//! Why a line was rejected, and where in it.

use std::fmt;
use std::str::{FromStr, Utf8Error};

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// One list for the variants, their names in files and JSON, and what they say to people.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $name:literal $sentence:literal;)*) => {
        /// Why a line can't be archived. The names are stable: reject files and `--json` show them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
        }

        impl Reason {
            /// Every reason, the parser's first.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name: `bad_number`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$variant => $sentence,)*
                }
            }
        }
    };
}

reasons! {
    /// The line ends after the measurement and tags.
    NoFields "no_fields" "the line has no field";
    /// The line starts with a comma.
    EmptyMeasurement "empty_measurement" "the measurement is empty";
    /// A tag or field without a key, also two commas in a row.
    EmptyKey "empty_key" "a tag or field key is empty";
    /// Nothing follows the `=` of a tag or field.
    EmptyValue "empty_value" "a tag or field value is empty";
    /// A tag or field key is not followed by `=`.
    MissingEquals "missing_equals" "a tag or field has no `=`";
    /// A space where a tag or field should start.
    SpaceAfterComma "space_after_comma" "a comma is followed by a space";
    /// The line ends where a tag or field should start.
    TrailingComma "trailing_comma" "the line ends with a comma";
    /// `k=a=b` in the tags.
    UnescapedEquals "unescaped_equals" "a tag value holds `=` without a backslash";
    /// A field value that is none of the five types; `+1i`, `1.0i`, `0x1` and `1_0` are such.
    BadNumber "bad_number" "a field value is no number, boolean or quoted string";
    /// NaN and the infinities, however written.
    NotFinite "not_finite" "a float is not finite";
    /// A float beyond what 64 bits hold.
    FloatOutOfRange "float_out_of_range" "a float is out of the range of 64 bits";
    /// An integer beyond i64.
    IntOverflow "int_overflow" "an integer is out of the range of a signed 64-bit one";
    /// An unsigned integer beyond u64.
    UintOverflow "uint_overflow" "an unsigned integer is out of the range of 64 bits";
    /// What stands in the time's place is no integer.
    BadTime "bad_time" "the time is no integer";
    /// The time in nanoseconds is beyond i64.
    TimeOverflow "time_overflow" "the time in nanoseconds is out of the range of a signed 64-bit integer";
    /// A quoted string without its closing quote.
    UnterminatedString "unterminated_string" "a quoted string is not closed";
    /// Something follows a quoted string or the time.
    TrailingText "trailing_text" "there is text after a string's closing quote or after the time";
    /// A tab, vertical tab or form feed in a name or between the parts of a line.
    ControlByte "control_byte" "a tab, vertical tab or form feed stands outside a quoted string";
    /// A carriage return that is no part of a line end.
    LoneCr "lone_cr" "a carriage return stands inside the line";
    /// A tag or field key twice, with different values.
    DuplicateKey "duplicate_key" "a tag or field is given twice with different values";
    /// Bytes that are not UTF-8.
    NotUtf8 "not_utf8" "the line is not UTF-8";
    /// More bytes than a line may have.
    LineTooLong "line_too_long" "the line is too long";
    /// More tags than a line may have.
    TooManyTags "too_many_tags" "the line has too many tags";
    /// More fields than a line may have.
    TooManyFields "too_many_fields" "the line has too many fields";
    /// The value does not fit its column.
    TypeMismatch "type_mismatch" "a field value does not fit the type of its column";
    /// No time in the line and none to take its place.
    NoTime "no_time" "the line has no time";
    /// The time is outside the archive's range.
    TimeOutOfRange "time_out_of_range" "the time is outside the range of the archive";
    /// The archive keeps microseconds and the time has nanoseconds.
    TimeNotWholeMicrosecond "time_not_whole_microsecond" "the time is no whole microsecond, and the archive keeps microseconds";
    /// No file of the day is left to merge with.
    DayPruned "day_pruned" "the day was pruned: no file of it is left to merge with";
    /// A new measurement, and the archive has as many as it may have.
    TooManyMeasurements "too_many_measurements" "the archive has no place for another measurement";
    /// A new column, and its measurement has as many as it may have.
    TooManyColumns "too_many_columns" "the measurement has no place for another column";
    /// The measurement's folder name would be too long.
    NameTooLong "name_too_long" "the measurement's name is too long for a folder";
}

/// A short sentence for people.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

/// Reads the stable name back.
impl FromStr for Reason {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.as_str() == name)
            .ok_or_else(|| Error::new(name, "no reason for a reject has this name"))
    }
}

/// A line that can't be archived, word for word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject<'a> {
    /// The rejected bytes without the line end.
    pub line: &'a [u8],
    /// Where the first of them stands in the input.
    pub offset: usize,
    /// Why.
    pub reason: Reason,
    /// The byte of `line` that is the problem, counted from 1; `line.len() + 1` where the line ends too early.
    pub column: usize,
}

/// A problem found in a line, by positions in it that count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) reason: Reason,
    pub(super) at: usize,
    /// Everything before this was looked at, so a byte there that is not UTF-8 comes first.
    pub(super) seen: usize,
}

impl Problem {
    pub(super) fn at(reason: Reason, at: usize) -> Self {
        Self { reason, at, seen: at }
    }
}

/// What was parsed of `bytes`, which are UTF-8 then; or the reason and column of the first problem: the parser's, or a byte
/// before it that is not UTF-8.
pub(super) fn as_text<T>(parsed: Result<T, Problem>, bytes: &[u8]) -> Result<T, (Reason, usize)> {
    let not_utf8 = |error: Utf8Error| (Reason::NotUtf8, error.valid_up_to() + 1);
    match (parsed, std::str::from_utf8(bytes)) {
        (Ok(parsed), Ok(_)) => Ok(parsed),
        (Ok(_), Err(error)) => Err(not_utf8(error)),
        (Err(problem), Err(error)) if error.valid_up_to() < problem.seen => Err(not_utf8(error)),
        (Err(problem), _) => Err((problem.reason, problem.at + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back_from_its_name_and_json_shows_the_same_name() {
        for &reason in Reason::ALL {
            assert_eq!(reason.as_str().parse::<Reason>(), Ok(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }

    #[test]
    fn an_unknown_name_is_an_error_that_says_it() {
        let error = "worn_out".parse::<Reason>().unwrap_err();
        assert_eq!(error.to_string(), "worn_out: no reason for a reject has this name");
    }

    #[test]
    fn sentences_and_names_are_distinct() {
        for (index, a) in Reason::ALL.iter().enumerate() {
            for b in &Reason::ALL[..index] {
                assert_ne!(a.as_str(), b.as_str());
                assert_ne!(a.to_string(), b.to_string());
            }
        }
    }
}
