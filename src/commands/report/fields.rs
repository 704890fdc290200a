//! `MEASUREMENT.FIELD` as it was typed, or what one wants to see anyhow -> the fields that are plotted.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::schema::{Found, columns};
use crate::error::{Error, Result};
use crate::report::escaped;
use crate::report::html::Field;
use crate::table::schema::{Column, ColumnKind, ColumnType, MeasurementSchema};

/// What is plotted where nothing was asked for.
const DEFAULT: [&str; 2] = [BUSY, "mem.used_percent"];

/// No column, but what is left of a hundred by the column `usage_idle` of all processors together.
const BUSY: &str = "cpu.busy";

/// Fields that stand in for the default ones in an archive that has neither.
const MOST_OTHERS: usize = 4;

/// Fields that an error lists.
const SHOWN_FIELDS: usize = 20;

type Schemas = BTreeMap<String, Arc<MeasurementSchema>>;

/// The fields of a report.
#[derive(Debug, Default)]
pub struct Chosen {
    /// In the order in which they are shown.
    pub fields: Vec<Field>,
    /// What the reader has to know about the choice.
    pub notes: Vec<String>,
}

/// The fields that were asked for, or the default ones.
///
/// # Errors
/// A name that is no field of the archive, or one that holds no numbers: wrong usage.
pub fn chosen(schemas: &Schemas, asked: &[String]) -> Result<Chosen> {
    if asked.is_empty() {
        return Ok(by_default(schemas));
    }
    let mut fields: Vec<Field> = Vec::new();
    for name in asked {
        for field in named(schemas, name)? {
            if !fields.contains(&field) {
                fields.push(field);
            }
        }
    }
    Ok(Chosen {
        fields,
        notes: Vec::new(),
    })
}

fn named(schemas: &Schemas, name: &str) -> Result<Vec<Field>> {
    if name == BUSY
        && let Some(field) = busy(schemas)
    {
        return Ok(vec![field]);
    }
    columns(schemas, None, name)?.into_iter().map(number).collect()
}

/// A column whose values can be plotted.
fn number((schema, place): Found<'_>) -> Result<Field> {
    let column = &schema.columns[place];
    if is_number(column) {
        return Ok(plain(schema, column));
    }
    let what = match column.kind {
        ColumnKind::Tag => "is a tag, and a plot needs numbers".to_owned(),
        ColumnKind::Field => format!("is {} here, and a plot needs numbers", of_type(column.ty)),
    };
    let object = escaped(&format!("{}.{}", schema.measurement, column.name));
    let numbers: Vec<String> = numbers(schema).map(|column| escaped(&column.name)).collect();
    let hint = match numbers.len() {
        0 => format!("{} has no field with numbers", escaped(&schema.measurement)),
        all => {
            let more = match all.saturating_sub(SHOWN_FIELDS) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let numbers = &numbers[..all.min(SHOWN_FIELDS)];
            format!("{} has {}{more}", escaped(&schema.measurement), numbers.join(", "))
        }
    };
    Err(Error::usage(object, what).hint(hint))
}

fn of_type(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::String => "a string",
        ColumnType::Boolean => "a boolean",
        ColumnType::Float | ColumnType::Int | ColumnType::Uint => "a number",
    }
}

/// Processor and memory; in an archive that has neither, the first number of the first measurements.
fn by_default(schemas: &Schemas) -> Chosen {
    let usual: Vec<Field> = DEFAULT
        .into_iter()
        .filter_map(|name| named(schemas, name).ok())
        .flatten()
        .collect();
    if !usual.is_empty() {
        return Chosen {
            fields: usual,
            notes: Vec::new(),
        };
    }
    let first = |schema: &Arc<MeasurementSchema>| numbers(schema).next().map(|column| plain(schema, column));
    let fields: Vec<Field> = schemas.values().filter_map(first).take(MOST_OTHERS).collect();
    let note = match fields.is_empty() {
        true => "The archive has no field that holds numbers.".to_owned(),
        false => "The archive has neither cpu.usage_idle nor mem.used_percent, so the first number of its first measurements is shown; \
                  choose with --field MEASUREMENT.FIELD."
            .to_owned(),
    };
    Chosen {
        fields,
        notes: vec![note],
    }
}

/// How busy the processors are, where Telegraf's cpu is archived and no column of its own is called so.
fn busy(schemas: &Schemas) -> Option<Field> {
    let schema = schemas.get("cpu")?;
    let column = |name: &str| schema.columns.iter().find(|column| column.name == name);
    let idle = column("usage_idle").filter(|column| is_number(column))?;
    if column("busy").is_some() {
        return None;
    }
    let per_processor = schema
        .columns
        .iter()
        .any(|column| column.kind == ColumnKind::Tag && column.key == "cpu");
    Some(Field {
        name: BUSY.to_owned(),
        only: per_processor.then(|| ("cpu".to_owned(), "cpu-total".to_owned())),
        complement: true,
        about: Some("100 - usage_idle".to_owned()),
        ..plain(schema, idle)
    })
}

fn plain(schema: &MeasurementSchema, column: &Column) -> Field {
    Field {
        name: format!("{}.{}", schema.measurement, column.name),
        measurement: schema.measurement.clone(),
        column: column.name.clone(),
        only: None,
        complement: false,
        unit: column.unit.clone(),
        about: column.description.clone(),
    }
}

fn numbers(schema: &MeasurementSchema) -> impl Iterator<Item = &Column> {
    schema.columns.iter().filter(|column| is_number(column))
}

fn is_number(column: &Column) -> bool {
    column.kind == ColumnKind::Field && matches!(column.ty, ColumnType::Float | ColumnType::Int | ColumnType::Uint)
}
