//! The record batches that cross between an engine and this crate.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef};

use crate::error::{Error, Result};

/// What [`ParseTask`](super::ParseTask) gives. A row is a block, or, where `block` is null, the summary of a task.
pub fn parsed_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        schema([
            ("block", DataType::Utf8),
            ("measurement", DataType::Utf8),
            ("day", DataType::Utf8),
            ("first", DataType::Int64),
            ("last", DataType::Int64),
            ("rows", DataType::Int64),
            ("payload", DataType::Binary),
        ])
    });
    Arc::clone(&SCHEMA)
}

/// What [`RouteTask`](super::RouteTask) gives: a row for each unit that needs a block.
pub fn routed_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        schema([
            ("task", DataType::Int32),
            ("unit", DataType::Int32),
            ("first", DataType::Int64),
            ("block", DataType::Utf8),
            ("payload", DataType::Binary),
        ])
    });
    Arc::clone(&SCHEMA)
}

/// What [`EncodeTask`](super::EncodeTask) and [`SpliceTask`](super::SpliceTask) give.
pub fn result_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema([("payload", DataType::Binary)]));
    Arc::clone(&SCHEMA)
}

fn schema<const N: usize>(columns: [(&str, DataType); N]) -> SchemaRef {
    let fields: Vec<Field> = columns
        .into_iter()
        .map(|(name, ty)| Field::new(name, ty, true))
        .collect();
    Arc::new(Schema::new(fields))
}

/// A batch of rows that were collected.
pub(super) fn batch(schema: SchemaRef, columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(schema, columns).expect("columns of the schema's types, equally long")
}

/// A batch of results.
pub(super) fn results(payloads: &[Vec<u8>]) -> RecordBatch {
    let payloads: BinaryArray = payloads.iter().map(Some).collect();
    batch(result_schema(), vec![Arc::new(payloads)])
}

/// The columns of a batch by name, whatever width of offsets the engine gives them.
pub(super) struct Columns<'a>(pub &'a RecordBatch);

impl Columns<'_> {
    pub fn texts(&self, name: &str) -> Result<StringArray> {
        Ok(self.column(name, &DataType::Utf8)?.as_string::<i32>().clone())
    }

    pub fn bytes(&self, name: &str) -> Result<BinaryArray> {
        Ok(self.column(name, &DataType::Binary)?.as_binary::<i32>().clone())
    }

    pub fn ints(&self, name: &str) -> Result<Int32Array> {
        Ok(self.column(name, &DataType::Int32)?.as_primitive::<Int32Type>().clone())
    }

    pub fn longs(&self, name: &str) -> Result<Int64Array> {
        Ok(self.column(name, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
    }

    fn column(&self, name: &str, ty: &DataType) -> Result<ArrayRef> {
        let column = self.0.column_by_name(name).ok_or_else(|| {
            let names: Vec<&str> = self
                .0
                .schema_ref()
                .fields()
                .iter()
                .map(|field| field.name().as_str())
                .collect();
            Error::usage(
                format_args!("column {name}"),
                format_args!("is not in what the task was given, which is {}", names.join(", ")),
            )
        })?;
        match column.data_type() == ty {
            true => Ok(Arc::clone(column)),
            false => cast(column, ty).map_err(|error| Error::usage(format_args!("column {name}"), error)),
        }
    }
}

/// A value of a column that may not be null.
pub(super) fn present<T>(array: &dyn Array, row: usize, name: &str, value: impl FnOnce() -> T) -> Result<T> {
    match array.is_valid(row) {
        true => Ok(value()),
        false => Err(Error::usage(
            format_args!("column {name}"),
            "is null, and no row of it may be",
        )),
    }
}
