//! `MEASUREMENT.COLUMN` as it was typed -> the column that is meant, or an error that names the nearest ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::nearest::nearest;
use crate::report::escaped;
use crate::table::schema::{ColumnKind, MeasurementSchema};

/// The schemas of an archive, by measurement.
type Schemas = BTreeMap<String, Arc<MeasurementSchema>>;

/// A column that was found: its measurement's schema, and its number among the columns.
pub type Found<'a> = (&'a Arc<MeasurementSchema>, usize);

/// The field called `name`: a column of `measurement`, or without one `MEASUREMENT.COLUMN`, in either of which there may be dots.
///
/// # Errors
/// There is none, or several; it is a tag, or `time`: wrong usage.
pub fn field<'a>(schemas: &'a Schemas, measurement: Option<&str>, name: &str) -> Result<Found<'a>> {
    match &columns(schemas, measurement, name)?[..] {
        [found] => settable(*found),
        several => {
            let of = |(schema, _): &Found<'_>| escaped(&schema.measurement);
            let measurements: Vec<String> = several.iter().map(of).collect();
            let cause = format!("is a column of {}", measurements.join(" and of "));
            Err(Error::usage(escaped(name), cause).hint("say which: --measurement NAME, and the column's name alone"))
        }
    }
}

/// The columns that `name` may mean, one at least: more only where dots leave the measurement open.
///
/// # Errors
/// There is none: wrong usage.
pub fn columns<'a>(schemas: &'a Schemas, measurement: Option<&str>, name: &str) -> Result<Vec<Found<'a>>> {
    let place = |schema: &MeasurementSchema, column: &str| schema.columns.iter().position(|c| c.name == column);
    let readings: Vec<(&str, &str)> = match measurement {
        Some(measurement) => vec![(measurement, name)],
        None => name
            .match_indices('.')
            .map(|(dot, _)| (&name[..dot], &name[dot + 1..]))
            .collect(),
    };
    if readings.is_empty() {
        return Err(Error::usage(escaped(name), "is no MEASUREMENT.COLUMN").hint("such as cpu.usage_idle"));
    }
    let known: Vec<(&Arc<MeasurementSchema>, &str)> = readings
        .iter()
        .filter_map(|(measurement, column)| Some((schemas.get(*measurement)?, *column)))
        .collect();
    let found: Vec<Found<'_>> = known
        .iter()
        .filter_map(|&(schema, column)| Some((schema, place(schema, column)?)))
        .collect();
    match (found.is_empty(), known.last()) {
        (false, _) => Ok(found),
        (true, None) => {
            let typed = readings.last().map_or(name, |(measurement, _)| measurement);
            Err(no_measurement(typed, schemas.keys()))
        }
        (true, Some((schema, column))) => Err(no_column(schema, column)),
    }
}

/// Tags are strings, and nothing else.
fn settable(found: Found<'_>) -> Result<Found<'_>> {
    let (schema, number) = found;
    let column = &schema.columns[number];
    match column.kind {
        ColumnKind::Field => Ok(found),
        ColumnKind::Tag => Err(Error::usage(
            escaped(&format!("{}.{}", schema.measurement, column.name)),
            "is a tag, and tags are strings: only a field has a type",
        )
        .hint(format_args!("the fields are {}", field_names(schema)))),
    }
}

/// Measurements that the error lists.
const SHOWN_NAMES: usize = 20;

/// The error for a measurement that the archive does not have.
pub fn no_measurement<'a>(typed: &str, names: impl ExactSizeIterator<Item = &'a String> + Clone) -> Error {
    let hint = match (names.len(), nearest(typed, names.clone().map(String::as_str))) {
        (0, _) => "it has none yet".to_owned(),
        (_, Some(name)) => format!("did you mean {}?", escaped(name)),
        _ => {
            let more = match names.len().saturating_sub(SHOWN_NAMES) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let names: Vec<String> = names.take(SHOWN_NAMES).map(|name| escaped(name)).collect();
            format!("it has {}{more}", names.join(", "))
        }
    };
    Error::usage(escaped(typed), "is no measurement of this archive").hint(hint)
}

fn no_column(schema: &MeasurementSchema, typed: &str) -> Error {
    let object = escaped(&format!("{}.{typed}", schema.measurement));
    let cause = match typed {
        "time" => "is the time of the points, and no field",
        _ => "is no column of this archive",
    };
    let fields = schema.columns.iter().filter(|column| column.kind == ColumnKind::Field);
    let by_key = fields.clone().find(|column| column.key == typed);
    let error = Error::usage(object, cause);
    if let Some(column) = by_key {
        let (key, name) = (escaped(typed), escaped(&column.name));
        return error.hint(format_args!("the column of the field {key} is called {name}"));
    }
    match nearest(typed, fields.clone().map(|column| column.name.as_str())) {
        Some(name) if typed != "time" => error.hint(format_args!("did you mean {}?", escaped(name))),
        _ => error.hint(format_args!("the fields are {}", field_names(schema))),
    }
}

fn field_names(schema: &MeasurementSchema) -> String {
    let fields = schema.columns.iter().filter(|column| column.kind == ColumnKind::Field);
    let names: Vec<String> = fields.map(|column| escaped(&column.name)).collect();
    names.join(", ")
}
