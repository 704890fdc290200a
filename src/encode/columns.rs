//! The columns of a day file as Arrow knows them: types, the metadata that explains them, and arrays in one normal form.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, TimestampMicrosecondArray, TimestampNanosecondArray, make_array};
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type, Schema, TimeUnit as ArrowTimeUnit};

use super::{DaySchema, LeafRows};
use crate::error::{Error, Result};
use crate::format::TimeUnit;
use crate::table::schema::{Column, ColumnKind, ColumnOrigin, ColumnType};

/// Name of the first column of every day file.
pub(crate) const TIME: &str = "time";
pub(super) const NS_PER_US: i64 = 1_000;

// Keys of the metadata of a field.
const KIND: &str = "kind";
const KEY: &str = "key";
const ORIGIN: &str = "origin";
const UNIT: &str = "unit";
const DESCRIPTION: &str = "description";
// Their values, where those are fixed.
const TAG: &str = "tag";
const FIELD: &str = "field";
const LEARNED: &str = "learned";

/// `time`, then the columns, each with its metadata.
pub(super) fn arrow_schema(schema: &DaySchema) -> Arc<Schema> {
    let time = Field::new(TIME, time_type(schema.time_unit), false);
    let columns = schema.columns.iter().map(arrow_field);
    Arc::new(Schema::new(std::iter::once(time).chain(columns).collect::<Vec<_>>()))
}

/// Without a zone: DuckDB calculates with TIMESTAMP_NS, but not with TIMESTAMPTZ_NS.
fn time_type(unit: TimeUnit) -> DataType {
    match unit {
        TimeUnit::Ns => DataType::Timestamp(ArrowTimeUnit::Nanosecond, None),
        TimeUnit::Us => DataType::Timestamp(ArrowTimeUnit::Microsecond, None),
    }
}

/// The `time` column of rows with these times, nanoseconds since 1970-01-01 UTC.
pub(super) fn time_array(unit: TimeUnit, times: &[i64]) -> ArrayRef {
    match unit {
        TimeUnit::Ns => Arc::new(TimestampNanosecondArray::from(times.to_vec())),
        TimeUnit::Us => Arc::new(TimestampMicrosecondArray::from_iter_values(
            times.iter().map(|time| time.div_euclid(NS_PER_US)),
        )),
    }
}

/// The Arrow type of a tag or field column.
pub(crate) fn arrow_type(column: &Column) -> DataType {
    match (column.kind, column.ty) {
        (ColumnKind::Tag, _) => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        (ColumnKind::Field, ColumnType::Float) => DataType::Float64,
        (ColumnKind::Field, ColumnType::Int) => DataType::Int64,
        (ColumnKind::Field, ColumnType::Uint) => DataType::UInt64,
        (ColumnKind::Field, ColumnType::Boolean) => DataType::Boolean,
        (ColumnKind::Field, ColumnType::String) => DataType::Utf8,
    }
}

fn arrow_field(column: &Column) -> Field {
    let kind = match column.kind {
        ColumnKind::Tag => TAG,
        ColumnKind::Field => FIELD,
    };
    let key = (column.key != column.name).then_some(column.key.as_str());
    let origin = (column.origin == ColumnOrigin::Learned).then_some(LEARNED);
    let optional = [
        (KEY, key),
        (ORIGIN, origin),
        (UNIT, column.unit.as_deref()),
        (DESCRIPTION, column.description.as_deref()),
    ];
    let mut metadata = BTreeMap::from([(KIND.to_owned(), kind.to_owned())]);
    for (name, value) in optional {
        if let Some(value) = value {
            metadata.insert(name.to_owned(), value.to_owned());
        }
    }
    Field::new(&column.name, arrow_type(column), true).with_metadata(metadata)
}

/// The inverse of [`arrow_schema`].
///
/// # Errors
/// A schema that no encoder of ours wrote.
pub(super) fn day_schema(schema: &Schema, measurement: &str, path: &Path) -> Result<DaySchema> {
    let foreign = |cause: String| {
        Error::new(path.display(), cause).hint("only day files that diurnal wrote belong into an archive")
    };
    let Some((time, fields)) = schema.fields().split_first() else {
        return Err(foreign("it has no columns".to_owned()));
    };
    let time_unit = [TimeUnit::Ns, TimeUnit::Us]
        .into_iter()
        .find(|unit| time.name() == TIME && *time.data_type() == time_type(*unit) && !time.is_nullable())
        .ok_or_else(|| {
            foreign(format!(
                "its first column is '{}' {}, not `time`",
                time.name(),
                time.data_type()
            ))
        })?;
    let columns = fields
        .iter()
        .map(|field| day_column(field).map_err(|cause| foreign(format!("column '{}' {cause}", field.name()))))
        .collect::<Result<Vec<_>>>()?;
    Ok(DaySchema {
        measurement: measurement.to_owned(),
        columns,
        time_unit,
    })
}

fn day_column(field: &Field) -> Result<Column, String> {
    let kind = kind_of(field).ok_or("does not say whether it is a tag or a field")?;
    let ty = match field.data_type() {
        DataType::Float64 => ColumnType::Float,
        DataType::Int64 => ColumnType::Int,
        DataType::UInt64 => ColumnType::Uint,
        DataType::Boolean => ColumnType::Boolean,
        _ => ColumnType::String,
    };
    let column = column_of(field, kind, ty);
    match arrow_type(&column) == *field.data_type() {
        true => Ok(column),
        false => Err(format!("has the type {}", field.data_type())),
    }
}

/// Whether a field's metadata calls it a tag or a field, if it says so.
pub(crate) fn kind_of(field: &Field) -> Option<ColumnKind> {
    match field.metadata().get(KIND).map(String::as_str) {
        Some(TAG) => Some(ColumnKind::Tag),
        Some(FIELD) => Some(ColumnKind::Field),
        _ => None,
    }
}

/// The column that a field's metadata tells of; what says nothing of its kind was declared by nobody.
pub(crate) fn column_of(field: &Field, kind: ColumnKind, ty: ColumnType) -> Column {
    let text = |name: &str| field.metadata().get(name).map(ToString::to_string);
    Column {
        name: field.name().clone(),
        key: text(KEY).unwrap_or_else(|| field.name().clone()),
        kind,
        ty,
        origin: match text(ORIGIN).as_deref() {
            None if kind_of(field).is_some() => ColumnOrigin::Declared,
            Some(LEARNED) | None => ColumnOrigin::Learned,
            Some(_) => ColumnOrigin::Declared,
        },
        unit: text(UNIT),
        description: text(DESCRIPTION),
    }
}

/// The columns of a leaf, checked against the schema and in the form that decides the bytes: a null buffer exactly where
/// there are nulls (pages of 20,480 and 20,000 rows come of it).
///
/// # Errors
/// Columns that aren't those of the schema, nulls hidden in a dictionary, or a float that is not finite: line protocol has
/// none.
pub(super) fn tidy(schema: &DaySchema, rows: &LeafRows) -> Result<Vec<ArrayRef>> {
    if rows.columns.len() != schema.columns.len() {
        let cause = format!(
            "it has {} columns, its schema {}",
            rows.columns.len(),
            schema.columns.len()
        );
        return Err(Error::new(format_args!("a leaf of {}", schema.measurement), cause));
    }
    let tidy_one = |(column, array): (&Column, &ArrayRef)| {
        let fail = |cause: String| Error::new(format_args!("{}.{}", schema.measurement, column.name), cause);
        if array.len() != rows.times.len() {
            return Err(fail(format!("{} values for {} rows", array.len(), rows.times.len())));
        }
        if *array.data_type() != arrow_type(column) {
            return Err(fail(format!(
                "{} where {} was declared",
                array.data_type(),
                arrow_type(column)
            )));
        }
        let dictionary = array.as_dictionary_opt::<Int32Type>();
        if dictionary.is_some_and(|dictionary| dictionary.values().null_count() > 0) {
            return Err(fail("a null among the values of the dictionary".to_owned()));
        }
        let floats = array.as_primitive_opt::<Float64Type>();
        let no_number = |float: &f64| !float.is_finite();
        if let Some(float) = floats.and_then(|floats| floats.iter().flatten().find(no_number)) {
            return Err(fail(format!("{float} is not finite")));
        }
        match array.nulls() {
            Some(nulls) if nulls.null_count() == 0 => {
                let data = array.to_data().into_builder().nulls(None).build();
                Ok(make_array(data.map_err(|error| fail(error.to_string()))?))
            }
            _ => Ok(Arc::clone(array)),
        }
    };
    schema.columns.iter().zip(&rows.columns).map(tidy_one).collect()
}
