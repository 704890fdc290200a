//! `diurnal schema export`: schema files that can be edited and given to another archive.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::chosen;
use crate::console::Console;
use crate::error::{Error, Result};
use crate::report::counted;
use crate::store::{Archive, paths};
use crate::table::schema::{ColumnOrigin, MeasurementSchema};
use crate::table::schema_file;

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

pub(super) fn export(console: Console, folder: &Path, wanted: Option<&str>, output: Option<&Path>) -> Result<u8> {
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
            "{0} written to {1}; after changes, --schemas {1} gives them to a new archive",
            counted(exported.len() as u64, "schema file"),
            output.display()
        ));
    } else if !console.json {
        exported
            .iter()
            .for_each(|schema| console.print_file(schema.toml.as_bytes()));
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
    if super::super::is_inside(archive, output) {
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
