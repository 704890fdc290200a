//! A column's values in another type: each of them exactly, or none at all.
//!
//! | from | to | where |
//! |---|---|---|
//! | int, uint | uint, int | it is in range |
//! | int, uint | float | a Float64 holds it exactly |
//! | float | int, uint | it is whole, in range and not -0.0 |
//! | any | string | always: the text that a CSV file has |
//! | string | int, uint | it is the digits of one in range |
//! | string | float | it is a decimal number, and the float nearest to it prints as the same number |
//! | string | boolean | line protocol has that text for one |
//!
//! So different values stay different, but for texts of one number (`1`, `1.0`, `1e0`) or boolean (`t`, `true`).

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, PrimitiveArray, StringArray, UInt64Array,
};
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};

use super::open_columns::show;
use super::schema::ColumnType;
use super::values::{int_as_float, shorten, uint_as_float};

/// A value that a column of another type can't hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// The first row that has one.
    pub row: usize,
    /// The value as messages show it.
    pub value: String,
}

/// The values of a field column in another type; nulls stay.
///
/// # Errors
/// The first value that has no equal in that type.
pub fn convert(array: &ArrayRef, ty: ColumnType) -> Result<ArrayRef, Unfit> {
    let values = Values::of(array);
    let converted: Result<ArrayRef, usize> = match ty {
        ColumnType::Float => values
            .each(Value::as_float)
            .collect::<Result<Float64Array, _>>()
            .map(|array| Arc::new(array) as ArrayRef),
        ColumnType::Int => values
            .each(Value::as_int)
            .collect::<Result<Int64Array, _>>()
            .map(|array| Arc::new(array) as ArrayRef),
        ColumnType::Uint => values
            .each(Value::as_uint)
            .collect::<Result<UInt64Array, _>>()
            .map(|array| Arc::new(array) as ArrayRef),
        ColumnType::Boolean => values
            .each(Value::as_boolean)
            .collect::<Result<BooleanArray, _>>()
            .map(|array| Arc::new(array) as ArrayRef),
        ColumnType::String => values
            .each(|value| Some(value.text()))
            .collect::<Result<StringArray, _>>()
            .map(|array| Arc::new(array) as ArrayRef),
    };
    converted.map_err(|row| Unfit {
        row,
        value: shorten(&show(array, row)),
    })
}

/// Whether different values of one type can be the same in the other: then points may have fewer rows.
pub fn may_join(from: ColumnType, to: ColumnType) -> bool {
    from == ColumnType::String && to != ColumnType::String
}

/// A field column with its type known.
enum Values<'a> {
    Float(&'a PrimitiveArray<Float64Type>),
    Int(&'a PrimitiveArray<Int64Type>),
    Uint(&'a PrimitiveArray<UInt64Type>),
    Boolean(&'a BooleanArray),
    Text(&'a StringArray),
}

/// A value in it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Value<'a> {
    Float(f64),
    Int(i64),
    Uint(u64),
    Boolean(bool),
    Text(&'a str),
}

impl<'a> Values<'a> {
    fn of(array: &'a ArrayRef) -> Self {
        match array.data_type() {
            DataType::Float64 => Self::Float(array.as_primitive()),
            DataType::Int64 => Self::Int(array.as_primitive()),
            DataType::UInt64 => Self::Uint(array.as_primitive()),
            DataType::Boolean => Self::Boolean(array.as_boolean()),
            _ => Self::Text(array.as_string()),
        }
    }

    fn get(&self, row: usize) -> Option<Value<'a>> {
        match self {
            Self::Float(array) => array.is_valid(row).then(|| Value::Float(array.value(row))),
            Self::Int(array) => array.is_valid(row).then(|| Value::Int(array.value(row))),
            Self::Uint(array) => array.is_valid(row).then(|| Value::Uint(array.value(row))),
            Self::Boolean(array) => array.is_valid(row).then(|| Value::Boolean(array.value(row))),
            Self::Text(array) => array.is_valid(row).then(|| Value::Text(array.value(row))),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Float(array) => array.len(),
            Self::Int(array) => array.len(),
            Self::Uint(array) => array.len(),
            Self::Boolean(array) => array.len(),
            Self::Text(array) => array.len(),
        }
    }

    /// The rows by `convert`; the number of the first that it refuses is the error.
    fn each<T>(&self, convert: impl Fn(Value<'a>) -> Option<T>) -> impl Iterator<Item = Result<Option<T>, usize>> {
        (0..self.len()).map(move |row| match self.get(row) {
            None => Ok(None),
            Some(value) => convert(value).map(Some).ok_or(row),
        })
    }
}

impl Value<'_> {
    fn as_float(self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(value),
            Self::Int(value) => int_as_float(value),
            Self::Uint(value) => uint_as_float(value),
            Self::Boolean(_) => None,
            Self::Text(text) => {
                let number = Decimal::read(text)?;
                let float: f64 = text.parse().ok().filter(|float: &f64| float.is_finite())?;
                (Decimal::read(&shortest(float)) == Some(number)).then_some(float)
            }
        }
    }

    fn as_int(self) -> Option<i64> {
        match self {
            Self::Float(value) => whole(value).and_then(|value| i64::try_from(value).ok()),
            Self::Int(value) => Some(value),
            Self::Uint(value) => i64::try_from(value).ok(),
            Self::Boolean(_) => None,
            Self::Text(text) => is_integer(text).then(|| text.parse().ok()).flatten(),
        }
    }

    fn as_uint(self) -> Option<u64> {
        match self {
            Self::Float(value) => whole(value).and_then(|value| u64::try_from(value).ok()),
            Self::Int(value) => u64::try_from(value).ok(),
            Self::Uint(value) => Some(value),
            Self::Boolean(_) => None,
            Self::Text(text) => is_integer(text).then(|| text.parse().ok()).flatten(),
        }
    }

    fn as_boolean(self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(value),
            Self::Text("t" | "T" | "true" | "True" | "TRUE") => Some(true),
            Self::Text("f" | "F" | "false" | "False" | "FALSE") => Some(false),
            _ => None,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Float(value) => shortest(value),
            Self::Int(value) => value.to_string(),
            Self::Uint(value) => value.to_string(),
            Self::Boolean(value) => value.to_string(),
            Self::Text(text) => text.to_owned(),
        }
    }
}

/// The text that a CSV file has for a float.
fn shortest(value: f64) -> String {
    zmij::Buffer::new().format_finite(value).to_owned()
}

/// The integer that a float is. No integer is -0.0, which is not the same as 0.0.
fn whole(value: f64) -> Option<i128> {
    // Past this there are whole floats, but no integer column holds them.
    const END: f64 = (1u128 << 64) as f64;
    let is_whole = value.trunc() == value && value.abs() < END;
    (is_whole && (value != 0.0 || value.is_sign_positive())).then_some(value as i128)
}

/// An optional minus sign and digits.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A decimal number as it is written down, whatever its size: equal for all texts of one number.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    /// Without zeros at either end; empty for 0.
    digits: String,
    /// The power of ten of the last digit.
    exponent: i64,
}

impl Decimal {
    /// What line protocol takes for a float: digits, with a dot somewhere or without, and an exponent or none.
    fn read(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (rest, 0),
        };
        let (before, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [before, behind].concat();
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let without_end = all.trim_end_matches('0');
        let zeros = all.len() - without_end.len();
        let digits = without_end.trim_start_matches('0');
        let power = |digits: usize| i64::try_from(digits).ok();
        Some(Self {
            negative,
            digits: digits.to_owned(),
            exponent: match digits {
                "" => 0,
                _ => i64::from(exponent) - power(behind.len())? + power(zeros)?,
            },
        })
    }
}

#[cfg(test)]
mod tests;
