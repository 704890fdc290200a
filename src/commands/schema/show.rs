//! `diurnal schema show`: the columns, and where they have values.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use super::chosen;
use crate::console::Console;
use crate::encode::ParquetFooter;
use crate::error::{Error, Result};
use crate::report::{counted, escaped, grouped, table_within, terminal_columns};
use crate::store::Archive;
use crate::store::record::DayEntry;
use crate::table::schema::{Column, ColumnKind, ColumnOrigin, MeasurementSchema};

/// What `diurnal schema show --json` prints.
#[derive(Serialize)]
struct ShowReport {
    command: &'static str,
    archive: String,
    measurements: Vec<MeasurementReport>,
}

#[derive(Serialize)]
struct MeasurementReport {
    measurement: String,
    description: Option<String>,
    days: usize,
    rows: u64,
    columns: Vec<ColumnReport>,
}

#[derive(Serialize)]
struct ColumnReport {
    name: String,
    key: String,
    kind: ColumnKind,
    #[serde(rename = "type")]
    ty: String,
    origin: ColumnOrigin,
    unit: Option<String>,
    description: Option<String>,
    /// Days and rows that have a value; `None` where there is no Parquet file to tell.
    days: Option<u64>,
    rows: Option<u64>,
}

pub(super) fn show(console: Console, folder: &Path, wanted: Option<&str>) -> Result<u8> {
    let archive = Archive::read(folder)?;
    let schemas = chosen(&archive, wanted)?;
    let measurements = schemas.values().map(|schema| measurement_report(&archive, schema));
    let report = ShowReport {
        command: "schema show",
        archive: folder.display().to_string(),
        measurements: measurements.collect::<Result<_>>()?,
    };
    if console.json {
        console.print_json(&report);
    } else {
        let width = terminal_columns();
        let texts: Vec<String> = report.measurements.iter().map(|report| text(report, width)).collect();
        console.print(texts.join("\n"));
    }
    Ok(0)
}

/// The columns with what the footers of the Parquet files say about them: not a row is decoded.
fn measurement_report(archive: &Archive, schema: &MeasurementSchema) -> Result<MeasurementReport> {
    let state = archive.state();
    let days: Vec<&DayEntry> = state
        .days
        .values()
        .filter(|day| day.measurement == schema.measurement && day.has_file())
        .collect();
    let of_days: Vec<Option<BTreeMap<String, u64>>> = days
        .par_iter()
        .map(|day| {
            let Some(file) = &day.parquet else {
                return Ok(None);
            };
            let path = archive.locate(&file.path)?;
            let open = File::open(&path).map_err(|error| Error::io(&path, "open it", &error))?;
            let rows = ParquetFooter::read(&open, &path)?.column_rows();
            archive.release(&file.path);
            Ok(Some(rows))
        })
        .collect::<Result<_>>()?;
    // Of a day that only has its CSV nothing is known without reading it.
    let told: Option<Vec<BTreeMap<String, u64>>> = of_days.into_iter().collect();
    let columns = schema.columns.iter().map(|column| {
        let in_days = told.as_ref().map(|days| {
            let rows = days.iter().filter_map(|day| day.get(&column.name).copied());
            rows.filter(|rows| *rows > 0).collect::<Vec<_>>()
        });
        column_report(column, in_days.as_deref())
    });
    Ok(MeasurementReport {
        measurement: schema.measurement.clone(),
        description: schema.description.clone(),
        days: days.len(),
        rows: days.iter().map(|day| day.rows).sum(),
        columns: columns.collect(),
    })
}

fn column_report(column: &Column, in_days: Option<&[u64]>) -> ColumnReport {
    ColumnReport {
        name: column.name.clone(),
        key: column.key.clone(),
        kind: column.kind,
        ty: column.ty.to_string(),
        origin: column.origin,
        unit: column.unit.clone(),
        description: column.description.clone(),
        days: in_days.map(|days| days.len() as u64),
        rows: in_days.map(|days| days.iter().sum()),
    }
}

fn text(report: &MeasurementReport, width: Option<usize>) -> String {
    let about = report
        .description
        .as_deref()
        .map(|about| format!(": {}", escaped(about)));
    let mut text = format!(
        "{}{} ({}, {})\n",
        escaped(&report.measurement),
        about.unwrap_or_default(),
        counted(report.days as u64, "day"),
        counted(report.rows, "row")
    );
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), grouped);
    let rows: Vec<Vec<String>> = report
        .columns
        .iter()
        .map(|column| {
            let name = match column.key == column.name {
                true => escaped(&column.name),
                false => format!("{} (key {})", escaped(&column.name), escaped(&column.key)),
            };
            let kind = match column.kind {
                ColumnKind::Tag => "tag",
                ColumnKind::Field => "field",
            };
            let origin = match column.origin {
                ColumnOrigin::Declared => "declared",
                ColumnOrigin::Learned => "learned",
            };
            vec![
                name,
                kind.to_owned(),
                column.ty.clone(),
                origin.to_owned(),
                column.unit.as_deref().map(escaped).unwrap_or_default(),
                number(column.days),
                number(column.rows),
            ]
        })
        .collect();
    let header = ["column", "kind", "type", "origin", "unit", "days", "rows"];
    let right = [false, false, false, false, false, true, true];
    text += &table_within(width, &header, &right, &rows);
    text
}
