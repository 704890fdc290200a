//! Field values against the types of columns: what fits, what may yet not fit, and how a misfit is told.

use super::builder::Cell;
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

/// A value in the type it was sent with.
pub(super) fn as_sent(value: FieldValue<'_>) -> (ColumnType, Cell<'_>) {
    match value {
        FieldValue::Float(v) => (ColumnType::Float, Cell::Float(v)),
        FieldValue::Int(v) => (ColumnType::Int, Cell::Int(v)),
        FieldValue::Uint(v) => (ColumnType::Uint, Cell::Uint(v)),
        FieldValue::Boolean(v) => (ColumnType::Boolean, Cell::Boolean(v)),
        FieldValue::String(v) => (ColumnType::String, Cell::Text(v)),
    }
}

/// A value in the type of its column, where the column can hold it exactly.
pub(super) fn fit(value: FieldValue<'_>, ty: ColumnType) -> Option<Cell<'_>> {
    match (ty, value) {
        (ColumnType::Float, FieldValue::Int(v)) => int_as_float(v).map(Cell::Float),
        (ColumnType::Float, FieldValue::Uint(v)) => uint_as_float(v).map(Cell::Float),
        (ColumnType::Int, FieldValue::Uint(v)) => i64::try_from(v).ok().map(Cell::Int),
        (ColumnType::Uint, FieldValue::Int(v)) => u64::try_from(v).ok().map(Cell::Uint),
        _ => {
            let (sent, cell) = as_sent(value);
            (sent == ty).then_some(cell)
        }
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
