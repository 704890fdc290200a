//! Field values against the types of columns: what fits, what may yet not fit, and how a misfit is told.

use super::schema::ColumnType;
use crate::lineproto::{FieldValue, Reason};

/// Why a line can't be a row.
pub(super) struct Misfit {
    pub reason: Reason,
    pub detail: Option<String>,
    pub place: Option<(String, String)>,
}

impl From<Reason> for Misfit {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            detail: None,
            place: None,
        }
    }
}

/// The type that a value was sent with, and its [`bits`].
pub(super) fn as_sent(value: FieldValue<'_>) -> (ColumnType, u64) {
    let ty = match value {
        FieldValue::Float(_) => ColumnType::Float,
        FieldValue::Int(_) => ColumnType::Int,
        FieldValue::Uint(_) => ColumnType::Uint,
        FieldValue::Boolean(_) => ColumnType::Boolean,
        FieldValue::String(_) => ColumnType::String,
    };
    (ty, bits(value))
}

/// A value as a column of its own type keeps it; 0 for a string, whose text is kept elsewhere.
fn bits(value: FieldValue<'_>) -> u64 {
    match value {
        FieldValue::Float(v) => v.to_bits(),
        FieldValue::Int(v) => v as u64,
        FieldValue::Uint(v) => v,
        FieldValue::Boolean(v) => u64::from(v),
        FieldValue::String(_) => 0,
    }
}

/// The bits of a value in the type of its column, where the column can hold it exactly.
#[inline]
pub(super) fn fit(value: FieldValue<'_>, ty: ColumnType) -> Option<u64> {
    match (ty, value) {
        (ColumnType::Float, FieldValue::Float(_))
        | (ColumnType::Int, FieldValue::Int(_))
        | (ColumnType::Uint, FieldValue::Uint(_))
        | (ColumnType::Boolean, FieldValue::Boolean(_))
        | (ColumnType::String, FieldValue::String(_)) => Some(bits(value)),
        (ColumnType::Float, FieldValue::Int(v)) => int_as_float(v).map(f64::to_bits),
        (ColumnType::Float, FieldValue::Uint(v)) => uint_as_float(v).map(f64::to_bits),
        (ColumnType::Int, FieldValue::Uint(v)) => i64::try_from(v).ok().map(|v| v as u64),
        (ColumnType::Uint, FieldValue::Int(v)) => u64::try_from(v).ok(),
        _ => None,
    }
}

/// The float that is exactly this integer, if there is one.
pub(super) fn int_as_float(value: i64) -> Option<f64> {
    let float = value as f64;
    (float as i128 == i128::from(value)).then_some(float)
}

/// The float that is exactly this integer, if there is one.
pub(super) fn uint_as_float(value: u64) -> Option<f64> {
    let float = value as f64;
    (float as i128 == i128::from(value)).then_some(float)
}

/// Whether a value could fail to fit the type that its column gets from the set of values of the whole commit: the first present
/// of float, int, uint, boolean, string.
pub(super) fn at_risk(value: FieldValue<'_>) -> bool {
    match value {
        FieldValue::Float(_) => false,
        FieldValue::Int(v) => int_as_float(v).is_none(),
        FieldValue::Uint(v) => uint_as_float(v).is_none() || i64::try_from(v).is_err(),
        FieldValue::Boolean(_) | FieldValue::String(_) => true,
    }
}

/// Says which column can't hold which value.
pub(super) fn mismatch(measurement: &str, column: &str, ty: ColumnType, value: FieldValue<'_>) -> String {
    let (sent, text) = match value {
        FieldValue::Float(v) => ("float", format!("{v}")),
        FieldValue::Int(v) => ("int", format!("{v}i")),
        FieldValue::Uint(v) => ("uint", format!("{v}u")),
        FieldValue::Boolean(v) => ("boolean", format!("{v}")),
        FieldValue::String(v) => ("string", format!("{:?}", v.unescape())),
    };
    format!(
        "{measurement}.{column} is {ty}, the line has the {sent} {}",
        shorten(&text)
    )
}

/// The start of a long text, for messages.
pub(super) fn shorten(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
