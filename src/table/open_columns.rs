//! Columns that get their type from a commit, and what of its rows turns out not to fit it.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringArray, UInt64Array};
use arrow::datatypes::Float64Type;

use super::builder::Chunk;
use super::collected::LocalColumn;
use super::reject::RejectedLine;
use super::schema::ColumnType;
use super::values::{int_as_float, shorten, uint_as_float};

/// By key.
pub(super) type LearnedTypes = BTreeMap<String, ColumnType>;

/// Learns the types of the columns that occur.
pub(super) fn learn(types: &mut LearnedTypes, columns: &[LocalColumn], present: BTreeSet<u32>) {
    let present = present.into_iter().map(|number| &columns[number as usize]);
    for column in present.filter(|column| column.settled.is_none()) {
        // `ColumnType` is declared in the order of precedence.
        types
            .entry(column.key.clone())
            .and_modify(|ty| *ty = (*ty).min(column.ty))
            .or_insert(column.ty);
    }
}

/// The columns whose values may not fit the type that was learned for their key.
pub(super) struct OpenColumns<'a> {
    measurement: &'a str,
    columns: Vec<(u32, &'a LocalColumn, ColumnType)>,
}

impl<'a> OpenColumns<'a> {
    pub(super) fn new(measurement: &'a str, columns: &'a [LocalColumn], types: &LearnedTypes) -> Self {
        let mut open: Vec<(u32, &LocalColumn, ColumnType)> = (0..)
            .zip(columns)
            .filter(|(_, column)| column.settled.is_none())
            .filter_map(|(number, column)| Some((number, column, *types.get(&column.key)?)))
            .filter(|(_, column, ty)| column.ty != *ty)
            .collect();
        // Of several misfits of a line the first by key is named, whichever column this collector saw first.
        open.sort_by(|(_, a, _), (_, b, _)| a.key.cmp(&b.key));
        Self {
            measurement,
            columns: open,
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Whether one of them is among these.
    pub(super) fn is_any_of(&self, present: &[u32]) -> bool {
        self.columns
            .iter()
            .any(|(number, ..)| present.binary_search(number).is_ok())
    }

    /// What of a row does not fit.
    pub(super) fn misfit(&self, chunk: &Chunk, row: usize) -> Option<LateMisfit> {
        self.columns.iter().find_map(|(number, column, ty)| {
            let array = chunk.column(*number)?;
            if array.is_null(row) || fits(array, row, *ty) {
                return None;
            }
            let (measurement, key) = (self.measurement, &column.key);
            let text = shorten(&show(array, row));
            Some(LateMisfit {
                detail: format!("{measurement}.{key} is {ty}, the line has the {} {text}", column.ty),
                place: (measurement.to_owned(), key.clone()),
            })
        })
    }
}

/// A value that turned out not to fit.
pub(super) struct LateMisfit {
    detail: String,
    place: (String, String),
}

impl LateMisfit {
    /// The reject that its line becomes.
    pub(super) fn reject(self, line: RejectedLine) -> RejectedLine {
        RejectedLine {
            detail: Some(self.detail),
            place: Some(self.place),
            ..line
        }
    }
}

/// A value as messages show it: an integer with the letter that line protocol has for its type.
pub(super) fn show(array: &ArrayRef, row: usize) -> String {
    if let Some(v) = array.as_any().downcast_ref::<Int64Array>() {
        format!("{}i", v.value(row))
    } else if let Some(v) = array.as_any().downcast_ref::<UInt64Array>() {
        format!("{}u", v.value(row))
    } else if let Some(v) = array.as_any().downcast_ref::<BooleanArray>() {
        v.value(row).to_string()
    } else if let Some(v) = array.as_any().downcast_ref::<StringArray>() {
        format!("{:?}", v.value(row))
    } else {
        array.as_primitive::<Float64Type>().value(row).to_string()
    }
}

fn fits(array: &ArrayRef, row: usize, ty: ColumnType) -> bool {
    if let Some(v) = array.as_any().downcast_ref::<Int64Array>() {
        let value = v.value(row);
        return match ty {
            ColumnType::Float => int_as_float(value).is_some(),
            ColumnType::Uint => u64::try_from(value).is_ok(),
            _ => ty == ColumnType::Int,
        };
    }
    if let Some(v) = array.as_any().downcast_ref::<UInt64Array>() {
        let value = v.value(row);
        return match ty {
            ColumnType::Float => uint_as_float(value).is_some(),
            ColumnType::Int => i64::try_from(value).is_ok(),
            _ => ty == ColumnType::Uint,
        };
    }
    false
}
