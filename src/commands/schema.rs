//! `diurnal schema`: the columns of an archive, and schema files that can be edited and given to another one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use serde::Serialize;

use super::small_files::load_schemas;
use crate::cli::{SchemaArgs, SchemaCommand};
use crate::console::Console;
use crate::encode::ParquetFooter;
use crate::error::{Error, Result};
use crate::report::{counted, escaped, grouped, table};
use crate::store::record::DayEntry;
use crate::store::{Archive, paths};
use crate::table::schema::{Column, ColumnKind, ColumnOrigin, MeasurementSchema};
use crate::table::schema_file;

pub(super) fn run(console: Console, archive: &Path, args: &SchemaArgs) -> Result<u8> {
    match &args.command {
        SchemaCommand::Show { measurement } => show(console, archive, measurement.as_deref()),
        SchemaCommand::Export { measurement, output } => {
            export(console, archive, measurement.as_deref(), output.as_deref())
        }
    }
}

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

fn show(console: Console, folder: &Path, wanted: Option<&str>) -> Result<u8> {
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
        console.print(report.measurements.iter().map(text).collect::<Vec<_>>().join("\n"));
    }
    Ok(0)
}

/// The archive's columns of all measurements, or of the one that was named.
fn chosen(archive: &Archive, wanted: Option<&str>) -> Result<BTreeMap<String, Arc<MeasurementSchema>>> {
    let mut schemas = load_schemas(archive.state(), &|target| archive.locate(target))?;
    let Some(wanted) = wanted else {
        return Ok(schemas);
    };
    match schemas.remove_entry(wanted) {
        Some(entry) => Ok(BTreeMap::from([entry])),
        None => Err(
            Error::usage(escaped(wanted), "is no measurement of this archive").hint(match schemas.len() {
                0 => "it has none yet".to_owned(),
                _ => format!(
                    "it has {}",
                    schemas.keys().map(|name| escaped(name)).collect::<Vec<_>>().join(", ")
                ),
            }),
        ),
    }
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
            let path = archive.locate(&file.path);
            let open = File::open(&path).map_err(|error| Error::io(&path, "open it", &error))?;
            Ok(Some(ParquetFooter::read(&open, &path)?.column_rows()))
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

fn text(report: &MeasurementReport) -> String {
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
    text += &table(&header, &[false, false, false, false, false, true, true], &rows);
    text
}

/// What `diurnal schema export --json` prints.
#[derive(Serialize)]
struct ExportReport {
    command: &'static str,
    schemas: Vec<ExportedSchema>,
}

#[derive(Serialize)]
struct ExportedSchema {
    measurement: String,
    /// The file that was written; `None` without `-o`.
    file: Option<String>,
    toml: String,
}

fn export(console: Console, folder: &Path, wanted: Option<&str>, output: Option<&Path>) -> Result<u8> {
    let archive = Archive::read(folder)?;
    let schemas = chosen(&archive, wanted)?;
    if output.is_none() && schemas.len() > 1 && !console.json {
        return Err(Error::usage(
            "schema export",
            format_args!(
                "{} do not fit into one schema file",
                counted(schemas.len() as u64, "measurement")
            ),
        )
        .hint("name one, or a folder with -o"));
    }
    let mut exported = Vec::with_capacity(schemas.len());
    for schema in schemas.values() {
        exported.push(ExportedSchema {
            measurement: schema.measurement.clone(),
            file: None,
            toml: schema_file::render(&declared(schema)),
        });
    }
    if let Some(output) = output {
        write_files(folder, output, &mut exported)?;
        console.note(format_args!(
            "{} written to {}; after changes, --schemas {0} gives them to a new archive",
            counted(exported.len() as u64, "schema file"),
            output.display()
        ));
    } else if !console.json {
        exported.iter().for_each(|schema| console.print(&schema.toml));
    }
    if console.json {
        console.print_json(&ExportReport {
            command: "schema export",
            schemas: exported,
        });
    }
    Ok(0)
}

/// With every column declared: that is what `--schemas` makes of it anyhow, so export, import and export again are one text.
fn declared(schema: &MeasurementSchema) -> MeasurementSchema {
    let mut schema = schema.clone();
    for column in &mut schema.columns {
        column.origin = ColumnOrigin::Declared;
    }
    schema
}

/// Writes one file a measurement; none that is there already is touched, for it may have been edited.
fn write_files(archive: &Path, output: &Path, exported: &mut [ExportedSchema]) -> Result<()> {
    if super::is_inside(archive, output) {
        return Err(Error::usage(
            output.display(),
            "is inside the archive, where everything is diurnal's own",
        )
        .hint("name a folder outside"));
    }
    fs::create_dir_all(output).map_err(|error| Error::io(output, "make the folder", &error))?;
    let mut files: Vec<PathBuf> = Vec::with_capacity(exported.len());
    for schema in exported.iter() {
        let name = paths::folder_name(&schema.measurement).map_err(|error| Error::new(&schema.measurement, error))?;
        files.push(output.join(format!("{name}.toml")));
    }
    if let Some(there) = files.iter().find(|file| fs::symlink_metadata(file).is_ok()) {
        return Err(
            Error::new(there.display(), "is there already, and may have been edited")
                .hint("move it away, or export to another folder; nothing was written"),
        );
    }
    for (schema, file) in exported.iter_mut().zip(files) {
        File::create_new(&file)
            .and_then(|mut open| open.write_all(schema.toml.as_bytes()))
            .map_err(|error| Error::io(&file, "write it", &error))?;
        schema.file = Some(file.display().to_string());
    }
    Ok(())
}
