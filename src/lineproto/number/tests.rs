//! Numbers equal what the standard library says, bit for bit.

use proptest::prelude::*;

use super::*;
use crate::lineproto::FieldValue;
use crate::lineproto::instructions::Instructions;
use crate::lineproto::simd::{Available, Kernel};

/// A value read the thorough way; the quick one, with any instructions, says the same or leaves it.
fn scalar(token: &[u8]) -> Result<FieldValue<'static>, Reason> {
    let thorough = super::scalar(token).map(|value| value.of(b""));
    for quick in each_quick(token, |simd, bytes, len| simd.run(Quick(bytes, len))) {
        assert_eq!(Ok(quick.of(b"")), thorough, "{}", token.escape_ascii());
    }
    thorough
}

/// As [`scalar`], for a time.
fn time(token: &[u8]) -> Result<i64, Reason> {
    let thorough = super::time(token);
    for quick in each_quick(token, |simd, bytes, len| simd.run(QuickTime(bytes, len))) {
        assert_eq!(Ok(quick), thorough, "{}", token.escape_ascii());
    }
    thorough
}

/// Reads the token at the end of bytes that could be taken for more of it.
fn each_quick<T>(token: &[u8], read: impl Fn(Available, &[u8], usize) -> Option<T>) -> Vec<T> {
    let before = b"-1.5,9e9=1234567890.123456789-12345=";
    let bytes = [before.as_slice(), token].concat();
    let sets = Instructions::ALL.iter().filter_map(|&set| Available::detect(set));
    let found: Vec<T> = sets.filter_map(|simd| read(simd, &bytes, token.len())).collect();
    let all = Instructions::available().count();
    assert!(
        found.is_empty() || found.len() == all,
        "instructions differ: {}",
        token.escape_ascii()
    );
    found
}

struct Quick<'a>(&'a [u8], usize);

impl Kernel for Quick<'_> {
    type Output = Option<Value>;

    #[inline(always)]
    fn run(self, simd: impl Simd) -> Self::Output {
        quick(
            simd,
            self.0.last_chunk()?,
            self.1,
            self.0[self.0.len() - self.1..].first().copied()?,
        )
    }
}

struct QuickTime<'a>(&'a [u8], usize);

impl Kernel for QuickTime<'_> {
    type Output = Option<i64>;

    #[inline(always)]
    fn run(self, simd: impl Simd) -> Self::Output {
        quick_time(
            simd,
            self.0.last_chunk()?,
            self.1,
            self.0[self.0.len() - self.1..].first().copied()?,
        )
    }
}

#[test]
fn what_telegraf_sends_is_read_the_quick_way() {
    for text in [
        "0",
        "100",
        "-1.5",
        "99.39879759519037",
        "0.05042864346949094",
        "-1i",
        "35184372087808i",
        "7u",
    ] {
        let found = each_quick(text.as_bytes(), |simd, bytes, len| simd.run(Quick(bytes, len)));
        assert!(!found.is_empty(), "{text}");
    }
    let found = each_quick(b"1795422500000000000", |simd, bytes, len| {
        simd.run(QuickTime(bytes, len))
    });
    assert!(!found.is_empty());
}

fn float(text: &str) -> u64 {
    match scalar(text.as_bytes()) {
        Ok(FieldValue::Float(float)) => float.to_bits(),
        other => panic!("{text}: {other:?}"),
    }
}

fn std_float(text: &str) -> u64 {
    text.parse::<f64>().unwrap().to_bits()
}

#[test]
fn hard_floats_are_as_the_standard_library_reads_them() {
    let hard = [
        "0",
        "-0",
        "0.0",
        "-0.0",
        "1.",
        ".5",
        "-.5",
        "-1.",
        "1.e5",
        ".5E-3",
        "0e999",
        "00000000000000000000000001",
        "9007199254740991",
        "9007199254740992",
        "9007199254740993",
        "9007199254740994",
        "9007199254740995",
        "900719925474099.3",
        "90.07199254740993",
        "0.9007199254740993",
        ".00000000000000000009007199254740992",
        "0.1",
        "0.2",
        "0.3",
        "99.39879759519037",
        "0.10020040080155868",
        "123456789.123456789",
        "1e22",
        "1e23",
        "8.5e22",
        "1e-22",
        "1e-23",
        "123456789012345678901234567890",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "179769313486231580793728971405301e276",
        "2.2250738585072011e-308",
        "2.2250738585072012e-308",
        "2.2250738585072014e-308",
        "2.225073858507201e-308",
        "5e-324",
        "4.9e-324",
        "2.5e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "1e-400",
        "6.631236846766476e-316",
        "3.2378839133029012895883e-316",
        "6.929001713869936e236",
        "9007199254740993.0000000000000000000000000000000000000000000000000000000000000000000001",
        "1.00000005960464477539062499999999",
        "1.000000059604644775390625",
        "1.00000005960464477539062500001",
        "18446744073709551615",
        "18446744073709551616",
        "1844674407370955161.6",
        "0.000000000000000000001",
        "3.1415926535897932384626433832795028841971693993751",
        "1e00000000000000000000005",
        "1e-00000000000000000000005",
    ];
    for text in hard {
        assert_eq!(float(text), std_float(text), "{text}");
    }
}

#[test]
fn a_halfway_value_with_a_thousand_digits_is_rounded_to_even_unless_something_follows() {
    let zeros = "0".repeat(1_000);
    for text in [
        format!("9007199254740993.{zeros}"),
        format!("9007199254740993.{zeros}1"),
        format!("9007199254740995.{zeros}"),
        format!("{zeros}9007199254740993"),
        format!("0.{zeros}9007199254740993e1000"),
    ] {
        assert_eq!(float(&text), std_float(&text), "{text}");
    }
}

#[test]
fn integers_reach_to_their_ends_and_no_further() {
    assert_eq!(scalar(b"9223372036854775807i"), Ok(FieldValue::Int(i64::MAX)));
    assert_eq!(scalar(b"-9223372036854775808i"), Ok(FieldValue::Int(i64::MIN)));
    assert_eq!(scalar(b"9223372036854775808i"), Err(Reason::IntOverflow));
    assert_eq!(scalar(b"-9223372036854775809i"), Err(Reason::IntOverflow));
    assert_eq!(scalar(b"18446744073709551615u"), Ok(FieldValue::Uint(u64::MAX)));
    assert_eq!(scalar(b"18446744073709551616u"), Err(Reason::UintOverflow));
    assert_eq!(
        scalar(b"99999999999999999999999999999999999999999u"),
        Err(Reason::UintOverflow)
    );
    assert_eq!(time(b"-9223372036854775808"), Ok(i64::MIN));
    assert_eq!(time(b"9223372036854775808"), Err(Reason::TimeOverflow));
}

#[test]
fn leading_zeros_do_not_overflow() {
    assert_eq!(
        scalar(b"00000000000000000000000000000000000042i"),
        Ok(FieldValue::Int(42))
    );
    assert_eq!(
        scalar(b"-0000000000000000000000000000000000042i"),
        Ok(FieldValue::Int(-42))
    );
    assert_eq!(
        scalar(b"00000000000000000000000000000000000042u"),
        Ok(FieldValue::Uint(42))
    );
    assert_eq!(time(b"-00000000000000000000000000000000000042"), Ok(-42));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_float_reads_back_from_what_the_standard_library_writes(bits: u64) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        for text in [format!("{value}"), format!("{value:e}"), format!("{value:.17e}"), format!("{value:.3}"), format!("{value:?}")] {
            prop_assert_eq!(float(&text), std_float(&text), "{}", text);
        }
        prop_assert_eq!(float(&format!("{value}")), bits);
    }

    #[test]
    fn any_decimal_is_as_the_standard_library_reads_it(text in "-?([0-9]{1,25}(\\.[0-9]{0,25})?|\\.[0-9]{1,25})([eE][-+]?[0-9]{1,2})?") {
        prop_assert_eq!(float(&text), std_float(&text), "{}", text);
    }

    #[test]
    fn short_decimals_are_as_the_standard_library_reads_them(whole in 0u64..1 << 54, decimals in 0usize..24) {
        let digits = format!("{whole:0>width$}", width = decimals + 1);
        let (before, after) = digits.split_at(digits.len() - decimals);
        let text = format!("{before}.{after}");
        prop_assert_eq!(float(&text), std_float(&text), "{}", text);
    }

    #[test]
    fn any_integer_reads_back(signed: i64, unsigned: u64) {
        prop_assert_eq!(scalar(format!("{signed}i").as_bytes()), Ok(FieldValue::Int(signed)));
        prop_assert_eq!(scalar(format!("{unsigned}u").as_bytes()), Ok(FieldValue::Uint(unsigned)));
        prop_assert_eq!(time(signed.to_string().as_bytes()), Ok(signed));
    }

    #[test]
    fn integers_overflow_where_the_standard_library_says(text in "-?[0-9]{1,22}") {
        let int = text.parse().map(FieldValue::Int).map_err(|_| Reason::IntOverflow);
        prop_assert_eq!(scalar(format!("{text}i").as_bytes()), int);
        prop_assert_eq!(time(text.as_bytes()), text.parse().map_err(|_| Reason::TimeOverflow));
        if !text.starts_with('-') {
            let uint = text.parse().map(FieldValue::Uint).map_err(|_| Reason::UintOverflow);
            prop_assert_eq!(scalar(format!("{text}u").as_bytes()), uint);
        }
    }

    #[test]
    fn any_other_text_is_no_number(text in "[-+0-9.eEiutfTFnaNIxX_ly]{0,8}") {
        let grammar = regex::Regex::new(
            "^(-?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([eE][-+]?[0-9]+)?|-?[0-9]+i|[0-9]+u|t|T|true|True|TRUE|f|F|false|False|FALSE)$",
        ).unwrap();
        let good = grammar.is_match(&text);
        let overflow = matches!(scalar(text.as_bytes()), Err(Reason::FloatOutOfRange));
        prop_assert_eq!(scalar(text.as_bytes()).is_ok() || overflow, good, "{}", text);
    }
}
