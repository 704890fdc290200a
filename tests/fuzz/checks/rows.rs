//! Arrow arrays -> the values that a person would read out of them.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, UInt64Type};
use diurnal::encode::LeafRows;
use diurnal::table::SettledTable;
use diurnal::table::schema::ColumnKind;

use super::model::Row;
use super::reference::Value;

/// A row of a day file: its time, then its columns.
pub type FileRow = (i64, Vec<Option<Value>>);

/// A value of a tag or field column; `None` where it is null.
fn value(array: &ArrayRef, row: usize) -> Option<Value> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Float64 => Value::Float(array.as_primitive::<Float64Type>().value(row).to_bits()),
        DataType::Int64 => Value::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt64 => Value::Uint(array.as_primitive::<UInt64Type>().value(row)),
        DataType::Boolean => Value::Boolean(array.as_boolean().value(row)),
        DataType::Utf8 => Value::String(array.as_string::<i32>().value(row).to_owned()),
        DataType::Dictionary(..) => {
            let tags = array.as_dictionary::<Int32Type>();
            let key = tags.key(row).expect("it is not null");
            Value::String(tags.values().as_string::<i32>().value(key).to_owned())
        }
        other => panic!("no column has the type {other}"),
    })
}

/// The rows of a settled table, in its order.
pub fn table_rows(table: &SettledTable) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in &table.batches {
        assert_eq!(batch.columns.len(), table.schema.columns.len());
        for (row, (&time, &rank)) in batch.times.iter().zip(&batch.ranks).enumerate() {
            if batch.removed.contains(&row) {
                continue;
            }
            let mut fields = BTreeMap::new();
            for (column, array) in table.schema.columns.iter().zip(&batch.columns) {
                let found = array.as_ref().and_then(|array| value(array, row));
                fields.extend(found.map(|value| (column.key.clone(), value)));
            }
            let tags = series(table, rank);
            let tags = tags
                .into_iter()
                .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())));
            rows.push(Row {
                time,
                tags: tags.collect(),
                fields,
            });
        }
    }
    rows
}

/// The tags of a series by key, in the order of the columns.
pub fn series(table: &SettledTable, rank: u32) -> Vec<(&str, Option<&str>)> {
    let tags = table
        .schema
        .columns
        .iter()
        .filter(|column| column.kind == ColumnKind::Tag);
    tags.enumerate()
        .map(|(number, column)| {
            let value = table.series.value(rank, number);
            let value = value.map(|value| table.series.values(number)[value as usize].as_str());
            (column.key.as_str(), value)
        })
        .collect()
}

/// The rows of a leaf of a day file.
pub fn leaf_rows(leaf: &LeafRows) -> impl Iterator<Item = FileRow> {
    leaf.times.iter().enumerate().map(|(row, &time)| {
        let columns = leaf.columns.iter().map(|array| value(array, row));
        (time, columns.collect())
    })
}
