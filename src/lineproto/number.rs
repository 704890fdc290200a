//! Numbers and booleans, exactly as the standard library reads them.

use std::str::FromStr;

use super::fields::FieldValue;
use super::reason::Reason;

/// Integers up to this one are floats without rounding.
const EXACT_FLOAT: u64 = 1 << 53;

/// Powers of ten that are floats without rounding: one division of exact numbers rounds once, as the standard library does.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// As many decimal digits always fit a u64.
const U64_DIGITS: usize = 19;

/// As many decimal digits always fit an i64.
const I64_DIGITS: usize = 18;

/// A field value that is no quoted string.
pub(super) fn scalar(token: &[u8]) -> Result<FieldValue<'static>, Reason> {
    match token.first() {
        Some(b't' | b'T' | b'f' | b'F') => boolean(token).ok_or(Reason::BadNumber),
        _ => number(token),
    }
}

fn boolean(token: &[u8]) -> Option<FieldValue<'static>> {
    match token {
        b"t" | b"T" | b"true" | b"True" | b"TRUE" => Some(FieldValue::Boolean(true)),
        b"f" | b"F" | b"false" | b"False" | b"FALSE" => Some(FieldValue::Boolean(false)),
        _ => None,
    }
}

/// The integer of a time, before scaling.
pub(super) fn time(token: &[u8]) -> Result<i64, Reason> {
    let digits = Digits::read(token, usize::from(token.first() == Some(&b'-')), 0);
    if digits.count == 0 || digits.end < token.len() {
        return Err(Reason::BadTime);
    }
    integer(token, &digits).ok_or(Reason::TimeOverflow)
}

/// A run of decimal digits.
struct Digits {
    count: usize,
    /// The place after them.
    end: usize,
    /// Their value, carried on from the digits before; it wraps around past [`U64_DIGITS`] of them.
    value: u64,
}

impl Digits {
    fn read(token: &[u8], start: usize, before: u64) -> Self {
        let mut value = before;
        let mut end = start;
        while let Some(digit) = token
            .get(end)
            .map(|byte| byte.wrapping_sub(b'0'))
            .filter(|&digit| digit <= 9)
        {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            end += 1;
        }
        Self {
            count: end - start,
            end,
            value,
        }
    }
}

fn number(token: &[u8]) -> Result<FieldValue<'static>, Reason> {
    let negative = token.first() == Some(&b'-');
    let whole = Digits::read(token, usize::from(negative), 0);
    if whole.count > 0 && whole.end + 1 == token.len() {
        match token[whole.end] {
            b'i' => {
                let number = &token[..whole.end];
                return integer(number, &whole).map(FieldValue::Int).ok_or(Reason::IntOverflow);
            }
            b'u' if !negative => {
                let number = unsigned(&token[..whole.end], &whole);
                return number.map(FieldValue::Uint).ok_or(Reason::UintOverflow);
            }
            _ => {}
        }
    }
    let mut digits = Digits { ..whole };
    let mut decimals = 0;
    if token.get(whole.end) == Some(&b'.') {
        let fraction = Digits::read(token, whole.end + 1, whole.value);
        decimals = fraction.count;
        digits = Digits {
            count: whole.count + decimals,
            ..fraction
        };
    }
    if digits.count == 0 {
        return Err(no_number(token));
    }
    if digits.end == token.len() {
        if digits.count <= U64_DIGITS && digits.value <= EXACT_FLOAT {
            let magnitude = digits.value as f64 / POWERS_OF_TEN[decimals];
            return Ok(FieldValue::Float(if negative { -magnitude } else { magnitude }));
        }
    } else if !is_exponent(&token[digits.end..]) {
        return Err(Reason::BadNumber);
    }
    let float: f64 = parse(token).ok_or(Reason::BadNumber)?;
    if !float.is_finite() {
        return Err(Reason::FloatOutOfRange);
    }
    Ok(FieldValue::Float(float))
}

/// `number` is an optional minus sign and `digits`. `None` if an i64 does not hold it.
fn integer(number: &[u8], digits: &Digits) -> Option<i64> {
    if digits.count > I64_DIGITS {
        return parse(number);
    }
    let magnitude = digits.value as i64;
    let negative = digits.count < number.len();
    Some(if negative { -magnitude } else { magnitude })
}

/// `number` is `digits`. `None` if a u64 does not hold it.
fn unsigned(number: &[u8], digits: &Digits) -> Option<u64> {
    if digits.count > U64_DIGITS {
        return parse(number);
    }
    Some(digits.value)
}

/// As the standard library does it: the slow way, for what the fast ones can't say exactly.
fn parse<T: FromStr>(number: &[u8]) -> Option<T> {
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// Whether `text` is e or E, an optional sign, and digits.
fn is_exponent(text: &[u8]) -> bool {
    let digits = match text {
        [b'e' | b'E', b'+' | b'-', digits @ ..] | [b'e' | b'E', digits @ ..] => digits,
        _ => return false,
    };
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

fn no_number(token: &[u8]) -> Reason {
    let unsigned = match token {
        [b'+' | b'-', rest @ ..] => rest,
        _ => token,
    };
    let not_finite = [b"nan".as_slice(), b"inf", b"infinity"];
    if not_finite.iter().any(|name| unsigned.eq_ignore_ascii_case(name)) {
        Reason::NotFinite
    } else {
        Reason::BadNumber
    }
}

#[cfg(test)]
mod tests;
