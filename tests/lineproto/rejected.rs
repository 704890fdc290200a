//! The conformance table: lines that each rule of the line-protocol page rejects, why, and at which byte.

use diurnal::lineproto::{Limits, Precision, Reason};

use super::reference::Outcome;
use super::{one, outcomes};

/// `(rule, line, reason, column)`
type Row = (&'static str, &'static [u8], Reason, usize);

use Reason::*;

#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("no field", b"m", NoFields, 2),
    ("no field", b"m\n", NoFields, 2),
    ("no field: only spaces", b"m  \r\n", NoFields, 4),
    ("no field: tags only", b"m,t=a", NoFields, 6),
    ("no field: an escaped space is no separator", br"m\ f=1", NoFields, 7),
    ("no field: a backslash at the end", b"m\\\n", NoFields, 3),
    ("no field: a backslash at the end", b"m,t=a\\", NoFields, 7),
    ("no field: spaces before", b"  m", NoFields, 4),

    ("empty measurement", b",t=a f=1", EmptyMeasurement, 1),
    ("empty measurement", b"  ,t=a f=1", EmptyMeasurement, 3),

    ("empty key: tag", b"m,=a f=1", EmptyKey, 3),
    ("empty key: two commas in the tags", b"m,,t=a f=1", EmptyKey, 3),
    ("empty key: field", b"m =1", EmptyKey, 3),
    ("empty key: second field", b"m f=1,=1", EmptyKey, 7),
    ("empty key: two commas in the fields", b"m f=1,,g=1", EmptyKey, 7),
    ("empty key: a comma before the fields", b"m ,f=1", EmptyKey, 3),
    ("empty key: with a string", b"m =\"a\nb\"", EmptyKey, 3),
    ("empty value: tag", b"m,t= f=1", EmptyValue, 5),
    ("empty value: tag before a tag", b"m,t=,u=a f=1", EmptyValue, 5),
    ("empty value: tag at the end", b"m,t=", EmptyValue, 5),
    ("empty value: field", b"m f=", EmptyValue, 5),
    ("empty value: field before a field", b"m f=,g=1", EmptyValue, 5),
    ("empty value: field before the time", b"m f= 5", EmptyValue, 5),
    ("no =: tag", b"m,t f=1", MissingEquals, 4),
    ("no =: tag before a tag", b"m,t,u=a f=1", MissingEquals, 4),
    ("no =: field", b"m f", MissingEquals, 4),
    ("no =: field before a field", b"m f,g=1", MissingEquals, 4),
    ("no =: time only", b"m 1592568000000000000", MissingEquals, 22),
    ("no =: escaped", br"m f\=1", MissingEquals, 7),
    ("no =: \\\\ before =", br"m f\\=1", MissingEquals, 8),

    ("space after a comma: tag", b"m, t=a f=1", SpaceAfterComma, 3),
    ("space after a comma: second tag", b"m,t=a, u=b f=1", SpaceAfterComma, 7),
    ("space after a comma: field", b"m f=1, g=2", SpaceAfterComma, 7),
    ("space after a comma: before the time", b"m f=1, 5", SpaceAfterComma, 7),
    ("space after a comma: at the end", b"m f=1, ", SpaceAfterComma, 7),
    ("trailing comma: measurement", b"m,", TrailingComma, 2),
    ("trailing comma: tag", b"m,t=a,\n", TrailingComma, 6),
    ("trailing comma: field", b"m f=1,\r\n", TrailingComma, 6),
    ("trailing comma: string", b"m f=\"a\",", TrailingComma, 8),

    ("k=a=b in a tag", b"m,k=a=b f=1", UnescapedEquals, 6),
    ("k=a=b in a tag: ==", b"m,k==b f=1", UnescapedEquals, 5),
    ("k=a=b in a tag: with a quote", b"m,k=a=\"b\" f=1", UnescapedEquals, 6),
    ("k=a=b in a field", b"m f=1=2", BadNumber, 5),

    ("int: plus sign", b"m f=+1i", BadNumber, 5),
    ("int: with a dot", b"m f=1.0i", BadNumber, 5),
    ("int: with an exponent", b"m f=1e3i", BadNumber, 5),
    ("int: no digits", b"m f=i", BadNumber, 5),
    ("int: no digits", b"m f=-i", BadNumber, 5),
    ("int: two letters", b"m f=1ii", BadNumber, 5),
    ("int: capital", b"m f=1I", BadNumber, 5),
    ("uint: minus sign", b"m f=-5u", BadNumber, 5),
    ("uint: minus zero", b"m f=-0u", BadNumber, 5),
    ("uint: plus sign", b"m f=+5u", BadNumber, 5),
    ("uint: no digits", b"m f=u", BadNumber, 5),
    ("uint: with a dot", b"m f=1.u", BadNumber, 5),
    ("float: plus sign", b"m f=+1", BadNumber, 5),
    ("float: plus sign", b"m f=+1.5", BadNumber, 5),
    ("float: minus alone", b"m f=-", BadNumber, 5),
    ("float: dot alone", b"m f=.", BadNumber, 5),
    ("float: minus and dot", b"m f=-.", BadNumber, 5),
    ("float: two dots", b"m f=1.2.3", BadNumber, 5),
    ("float: two minus signs", b"m f=--1", BadNumber, 5),
    ("float: exponent without digits", b"m f=1e", BadNumber, 5),
    ("float: exponent without digits", b"m f=1e+", BadNumber, 5),
    ("float: exponent with a dot", b"m f=1e1.5", BadNumber, 5),
    ("float: exponent alone", b"m f=e5", BadNumber, 5),
    ("float: dot and exponent", b"m f=.e5", BadNumber, 5),
    ("float: hexadecimal", b"m f=0x1", BadNumber, 5),
    ("float: hexadecimal", b"m f=0x1p-2", BadNumber, 5),
    ("float: underscore", b"m f=1_0", BadNumber, 5),
    ("int: underscore", b"m f=1_0i", BadNumber, 5),
    ("float: C suffix", b"m f=1f", BadNumber, 5),
    ("float: other digits", "m f=١".as_bytes(), BadNumber, 5),
    ("value: a word", b"m f=hello", BadNumber, 5),
    ("value: single quotes", b"m f='a'", BadNumber, 5),
    ("value: a backslash before the comma", b"m f=1\\,g=2", BadNumber, 5),
    ("value: a quote inside", b"m f=1\"a", BadNumber, 5),
    ("bool: other spelling", b"m f=tRUE", BadNumber, 5),
    ("bool: cut short", b"m f=tru", BadNumber, 5),
    ("bool: too long", b"m f=trueish", BadNumber, 5),
    ("bool: yes", b"m f=yes", BadNumber, 5),
    ("NaN", b"m f=NaN", NotFinite, 5),
    ("NaN", b"m f=nan", NotFinite, 5),
    ("NaN", b"m f=-NaN", NotFinite, 5),
    ("Inf", b"m f=Inf", NotFinite, 5),
    ("Inf", b"m f=+Inf", NotFinite, 5),
    ("Inf", b"m f=-inf", NotFinite, 5),
    ("Inf", b"m f=Infinity", NotFinite, 5),
    ("float out of range", b"m f=1e309", FloatOutOfRange, 5),
    ("float out of range", b"m f=-1e999999999999999999999", FloatOutOfRange, 5),
    ("float out of range", b"m f=1.7976931348623159e308", FloatOutOfRange, 5),
    ("int overflow", b"m f=9223372036854775808i", IntOverflow, 5),
    ("int overflow", b"m f=-9223372036854775809i", IntOverflow, 5),
    ("int overflow", b"m g=1,f=99999999999999999999999999999i", IntOverflow, 9),
    ("uint overflow", b"m f=18446744073709551616u", UintOverflow, 5),

    ("time: plus sign", b"m f=1 +1", BadTime, 7),
    ("time: with a dot", b"m f=1 1.5", BadTime, 7),
    ("time: with a letter", b"m f=1 1i", BadTime, 7),
    ("time: exponent", b"m f=1 1e9", BadTime, 7),
    ("time: minus alone", b"m f=1 -", BadTime, 7),
    ("time: a word", b"m f=1  now", BadTime, 8),
    ("time: RFC 3339", b"m f=1 2020-06-19T12:00:00Z", BadTime, 7),
    ("time: a comma", b"m f=1 ,g=1", BadTime, 7),
    ("time: a comment", b"m f=1 # text", BadTime, 7),
    ("time: a quote", b"m f=1 \"5\"", BadTime, 7),
    ("time: underscore", b"m f=1 1_0", BadTime, 7),
    ("time overflow", b"m f=1 9223372036854775808", TimeOverflow, 7),
    ("time overflow", b"m f=1 -9223372036854775809", TimeOverflow, 7),
    ("text after the time", b"m f=1 5 6", TrailingText, 9),
    ("text after the time", b"m f=1 5 # text", TrailingText, 9),
    ("text after the time: a comma", b"m f=1 5,6", TrailingText, 8),
    ("text after a string", b"m f=\"a\"b", TrailingText, 8),
    ("text after a string: a quote", b"m f=\"a\"\"b\"", TrailingText, 8),
    ("text after a string: i", b"m f=\"a\"i 5", TrailingText, 8),

    ("unterminated string", b"m f=\"", UnterminatedString, 5),
    ("unterminated string", b"m f=\"abc 5\n", UnterminatedString, 5),
    ("unterminated string: escaped quote", b"m f=\"abc\\\" 5\r\n", UnterminatedString, 5),
    ("unterminated string: a backslash at the end", b"m f=\"abc\\", UnterminatedString, 5),
    ("unterminated string: three backslashes", b"m f=\"abc\\\\\\\"", UnterminatedString, 5),
    ("unterminated string: the second", b"m f=\"a\",g=\"b", UnterminatedString, 11),

    ("tab as a separator", b"m\tf=1", ControlByte, 2),
    ("tab between head and fields", b"m \tf=1", ControlByte, 3),
    ("tab before the line", b"\tm f=1", ControlByte, 1),
    ("tab alone", b" \t\n", ControlByte, 2),
    ("tab after the fields", b"m f=1\t5", ControlByte, 6),
    ("tab before the time", b"m f=1 \t5", ControlByte, 7),
    ("tab after the time", b"m f=1 5\t", ControlByte, 8),
    ("tab after the time and a space", b"m f=1 5 \t", ControlByte, 9),
    ("tab after a string", b"m f=\"a\"\t5", ControlByte, 8),
    ("tab in a measurement", b"m\tn,t=a f=1", ControlByte, 2),
    ("tab in a measurement after a backslash", b"m\\\tn f=1", ControlByte, 3),
    ("tab in a tag key", b"m,t\tu=a f=1", ControlByte, 4),
    ("tab in a tag value", b"m,t=a\tb f=1", ControlByte, 6),
    ("tab in a tag value after a backslash", b"m,t=a\\\tb f=1", ControlByte, 7),
    ("tab for a tag value", b"m,t=\t f=1", ControlByte, 5),
    ("tab in a field key", b"m f\tg=1", ControlByte, 4),
    ("tab for a field value", b"m f=\t1", ControlByte, 5),
    ("tab after a comma", b"m f=1,\tg=1", ControlByte, 7),
    ("tab after a comma in the tags", b"m,\tt=a f=1", ControlByte, 3),
    ("vertical tab in a name", b"m,t=a\x0bb f=1", ControlByte, 6),
    ("vertical tab as a separator", b"m f=1\x0b5", ControlByte, 6),
    ("form feed in a name", b"m\x0c f=1", ControlByte, 2),
    ("form feed as a separator", b"m f=1 5\x0c\n", ControlByte, 8),

    ("lone CR in a measurement", b"m\rn f=1", LoneCr, 2),
    ("lone CR after a backslash", b"m\\\rn f=1", LoneCr, 3),
    ("lone CR in a tag", b"m,t=a\rb f=1", LoneCr, 6),
    ("lone CR in a field key", b"m f\r=1", LoneCr, 4),
    ("lone CR in a value", b"m f=1\r2", LoneCr, 6),
    ("lone CR for a value", b"m f=\r2", LoneCr, 5),
    ("lone CR after a string", b"m f=\"a\"\r5", LoneCr, 8),
    ("lone CR as a line end", b"m f=1 5\rm f=1 6\n", LoneCr, 8),
    ("lone CR before the time", b"m f=1 \r5", LoneCr, 7),
    ("lone CR before CRLF", b"m f=1 5\r\r\n", LoneCr, 8),
    ("lone CR and spaces", b"m f=1 5 \r \n", LoneCr, 9),
    ("lone CR alone", b"\r\r\n", LoneCr, 1),

    ("a tag twice", b"m,t=a,u=c,t=b f=1", DuplicateKey, 11),
    ("a tag twice: escaped", br"m,a\ b=1,a\ b=2 f=1", DuplicateKey, 10),
    ("a tag twice: three times", b"m,t=a,t=a,t=b f=1", DuplicateKey, 11),
    ("a field twice", b"m f=1,g=2,f=3", DuplicateKey, 11),
    ("a field twice: types", b"m f=1,f=1i", DuplicateKey, 7),
    ("a field twice: types", b"m f=1i,f=1u", DuplicateKey, 8),
    ("a field twice: types", b"m f=t,f=\"t\"", DuplicateKey, 7),
    ("a field twice: minus zero", b"m f=0,f=-0", DuplicateKey, 7),
    ("a field twice: strings", b"m f=\"a\",f=\"A\"", DuplicateKey, 9),
    ("a field twice: escaped", br"m a\=b=1,a\=b=2", DuplicateKey, 10),
    ("a field twice: before another problem", b"m f=1,f=2,g=x", DuplicateKey, 7),
    ("a field twice: after another problem", b"m g=x,f=1,f=2", BadNumber, 5),

    ("UTF-8: measurement", b"m\xff f=1", NotUtf8, 2),
    ("UTF-8: tag key", b"m,\xc3=a f=1", NotUtf8, 3),
    ("UTF-8: tag value, overlong", b"m,t=\xc0\xaf f=1", NotUtf8, 5),
    ("UTF-8: tag value, surrogate", b"m,t=\xed\xa0\x80 f=1", NotUtf8, 5),
    ("UTF-8: field key", b"m f\x80=1", NotUtf8, 4),
    ("UTF-8: field value", b"m f=1\xff", NotUtf8, 6),
    ("UTF-8: string", b"m f=\"ab\xe2\x82\" 5", NotUtf8, 8),
    ("UTF-8: string that never closes", b"m f=\"\xff", NotUtf8, 6),
    ("UTF-8: time", b"m f=1 5\xff", NotUtf8, 8),
    ("UTF-8: before another problem", b"m\xff,t=\t f=1", NotUtf8, 2),
    ("UTF-8: after another problem", b"m\t\xff f=1", ControlByte, 2),
];

#[test]
fn every_bad_line_of_the_table_is_rejected_for_its_reason_at_its_column() {
    for &(rule, line, reason, column) in TABLE {
        let shown = format!("{rule}: {}", line.escape_ascii());
        let Outcome::Reject {
            offset,
            line: got_line,
            reason: got_reason,
            column: got_column,
        } = one(line)
        else {
            panic!("{shown}: {:?}", one(line));
        };
        assert_eq!((got_reason, got_column), (reason.as_str(), column), "{shown}");
        assert_eq!(offset, 0, "{shown}");
        let ends: [&[u8]; 4] = [b"", b"\n", b"\r", b"\r\n"];
        assert!(ends.iter().any(|end| [&got_line, *end].concat() == line), "{shown}");
    }
}

#[test]
fn a_bad_line_harms_neither_neighbour() {
    for &(rule, line, ..) in TABLE {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let input = [b"before f=1 1\n", line, b"\nafter f=1 2\r\n"].concat();
        let shown = format!("{rule}: {}", input.escape_ascii());
        let got = outcomes(&input, Precision::Ns, Limits::default());
        let [
            Outcome::Line { raw: before, .. },
            Outcome::Reject { .. },
            Outcome::Line { raw: after, .. },
        ] = &got[..]
        else {
            // A CR at the end of the line becomes the start of a CRLF.
            assert!(line.ends_with(b"\r"), "{shown}: {got:?}");
            continue;
        };
        assert_eq!(
            (&before[..], &after[..]),
            (&b"before f=1 1"[..], &b"after f=1 2"[..]),
            "{shown}"
        );
    }
}

#[test]
fn every_reason_of_the_parser_is_in_the_table_or_is_a_limit() {
    for &reason in Reason::ALL {
        let elsewhere = [
            LineTooLong,
            TooManyTags,
            TooManyFields,
            TypeMismatch,
            NoTime,
            TimeOutOfRange,
            TimeNotWholeMicrosecond,
            NameTooLong,
            DayPruned,
            TooManyMeasurements,
            TooManyColumns,
        ];
        let covered = TABLE.iter().any(|&(_, _, covered, _)| covered == reason);
        assert_eq!(covered, !elsewhere.contains(&reason), "{}", reason.as_str());
    }
}

#[test]
fn times_overflow_when_they_are_scaled() {
    for (precision, line) in [
        (Precision::Us, &b"m f=1 9223372036854776"[..]),
        (Precision::Ms, b"m f=1 -9223372036855"),
        (Precision::S, b"m f=1 9223372037"),
        (Precision::S, b"m f=1 99999999999999999999999"),
    ] {
        let got = outcomes(line, precision, Limits::default());
        assert!(
            matches!(
                got[..],
                [Outcome::Reject {
                    reason: "time_overflow",
                    column: 7,
                    ..
                }]
            ),
            "{got:?}"
        );
    }
}

#[test]
fn a_line_past_a_limit_is_rejected_at_the_first_byte_too_many() {
    let limits = Limits {
        line_bytes: 20,
        tags: 1,
        fields: 2,
    };
    #[rustfmt::skip]
    let table: &[(&[u8], &str, usize)] = &[
        (b"m,t=a f=1,g=2       5", "line_too_long", 21),
        (b"m f=\"a\nb\"           5", "line_too_long", 21),
        (b"m,t=a,u=b f=1", "too_many_tags", 7),
        (b"m,t=a,t=a f=1", "too_many_tags", 7),
        (b"m,t=a,", "trailing_comma", 6),
        (b"m f=1,g=2,h=3", "too_many_fields", 11),
        (b"m f=1,f=1,f=1", "too_many_fields", 11),
        (b"m f=1,g=x,h=3", "bad_number", 9),
    ];
    for &(line, expected, at) in table {
        let input = [line, b"\nm f=1\n"].concat();
        match &outcomes(&input, Precision::Ns, limits)[..] {
            [
                Outcome::Reject {
                    line: got,
                    reason,
                    column,
                    ..
                },
                Outcome::Line { .. },
            ] => {
                assert_eq!((&got[..], *reason, *column), (line, expected, at));
            }
            other => panic!("{}: {other:?}", line.escape_ascii()),
        }
    }
}
