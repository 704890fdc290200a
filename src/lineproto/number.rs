//! Numbers and booleans, exactly as the standard library reads them.

use std::str::FromStr;

use super::decimal;
use super::fields::Value;
use super::reason::Reason;
use super::simd::{MOST_DIGITS, Simd, WINDOW};

/// As many decimal digits always fit an i64.
const I64_DIGITS: usize = 18;

/// Bytes that [`quick`] looks at: those of a number and the letter behind it.
pub(super) const QUICK_WINDOW: usize = WINDOW + 1;

/// The number in the last `len` bytes of `before`, the first of which is `first`, in a few steps without a branch for each
/// digit. `None` for what takes more than that to tell: long numbers, exponents, booleans, and what is no number.
#[inline(always)]
pub(super) fn quick(simd: impl Simd, before: &[u8; QUICK_WINDOW], len: usize, first: u8) -> Option<Value> {
    let negative = first == b'-';
    let last = before[WINDOW];
    let int = last == b'i';
    let uint = last == b'u';
    let letter = usize::from(int | uint);
    let window: &[u8; WINDOW] = before[1 - letter..].first_chunk()?;
    let digits = simd.digits(window, len.wrapping_sub(letter + usize::from(negative)))?;
    if int {
        // One more than i64::MAX with a minus sign is left to the thorough way.
        let magnitude = i64::try_from(digits.value).ok()?;
        return (!digits.dot).then_some(Value::int(if negative { -magnitude } else { magnitude }));
    }
    if uint {
        return (!digits.dot && !negative).then_some(Value::uint(digits.value));
    }
    let magnitude = decimal::float(digits.value, digits.decimals);
    let sign = u64::from(negative) << 63;
    Some(Value::float(f64::from_bits(magnitude.to_bits() | sign)))
}

/// The time in the last `len` bytes of `window`, the first of which is `first`, before scaling; `None` as for [`quick`].
#[inline(always)]
pub(super) fn quick_time(simd: impl Simd, window: &[u8; WINDOW], len: usize, first: u8) -> Option<i64> {
    let negative = first == b'-';
    let digits = simd.digits(window, len.wrapping_sub(usize::from(negative)))?;
    let magnitude = i64::try_from(digits.value).ok()?;
    (!digits.dot).then_some(if negative { -magnitude } else { magnitude })
}

/// A field value that is no quoted string.
pub(super) fn scalar(token: &[u8]) -> Result<Value, Reason> {
    match token.first() {
        Some(b't' | b'T' | b'f' | b'F') => boolean(token).ok_or(Reason::BadNumber),
        _ => number(token),
    }
}

fn boolean(token: &[u8]) -> Option<Value> {
    match token {
        b"t" | b"T" | b"true" | b"True" | b"TRUE" => Some(Value::boolean(true)),
        b"f" | b"F" | b"false" | b"False" | b"FALSE" => Some(Value::boolean(false)),
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
    /// Their value, carried on from the digits before; it wraps around past [`MOST_DIGITS`] of them.
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

fn number(token: &[u8]) -> Result<Value, Reason> {
    let negative = token.first() == Some(&b'-');
    let whole = Digits::read(token, usize::from(negative), 0);
    if whole.count > 0 && whole.end + 1 == token.len() {
        match token[whole.end] {
            b'i' => {
                let number = &token[..whole.end];
                return integer(number, &whole).map(Value::int).ok_or(Reason::IntOverflow);
            }
            b'u' if !negative => {
                let number = unsigned(&token[..whole.end], &whole);
                return number.map(Value::uint).ok_or(Reason::UintOverflow);
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
        if digits.count <= MOST_DIGITS {
            let magnitude = decimal::float(digits.value, decimals);
            return Ok(Value::float(if negative { -magnitude } else { magnitude }));
        }
    } else if !is_exponent(&token[digits.end..]) {
        return Err(Reason::BadNumber);
    }
    let float: f64 = parse(token).ok_or(Reason::BadNumber)?;
    if !float.is_finite() {
        return Err(Reason::FloatOutOfRange);
    }
    Ok(Value::float(float))
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
    if digits.count > MOST_DIGITS {
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
