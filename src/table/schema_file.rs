//! Schema files: the columns of a measurement as TOML, written by people or by an archive.
//!
//! ```toml
//! measurement = "cpu"
//! description = "Share of time that each CPU spent in each state"
//!
//! [[tag]]
//! name = "host"
//!
//! [[field]]
//! name = "usage_user"
//! type = "float"                  # float, int, uint, boolean or string
//! unit = "percent"
//! description = "In user processes"
//!
//! [[field]]
//! name = "time_field"             # its key would clash with the column `time`
//! key = "time"
//! type = "int"
//! origin = "learned"              # seen in the lines of a commit; declared where this is left out
//! ```

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::schema::{Column, ColumnKind, ColumnOrigin, ColumnType, MeasurementSchema};
use crate::error::{Error, Result};

/// Name of the column that holds the time of a point.
const TIME: &str = "time";
/// How the name of a schema file ends.
const EXTENSION: &str = "toml";

/// The form in which column names are compared: DuckDB and Spark ignore case, each in its own way, so names that either
/// of them could take for one are one. (Spark's lowercase of a capital sigma depends on where it stands.)
pub fn folded(name: &str) -> String {
    let lower = name.chars().flat_map(char::to_lowercase);
    lower.map(|letter| if letter == 'ς' { 'σ' } else { letter }).collect()
}

/// The measurements that Telegraf's common plugins send, by name. Compiled in.
pub fn builtin() -> &'static BTreeMap<String, MeasurementSchema> {
    static BUILTIN: LazyLock<BTreeMap<String, MeasurementSchema>> = LazyLock::new(|| {
        let parsed = |(file, text): &(&str, &str)| {
            let schema = parse(text, Path::new(file)).expect("a test parses every file that is compiled in");
            (schema.measurement.clone(), schema)
        };
        BUILTIN_FILES.iter().map(parsed).collect()
    });
    &BUILTIN
}

macro_rules! builtin_file {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/", $name)),
        )
    };
}

const BUILTIN_FILES: &[(&str, &str)] = &[
    builtin_file!("cpu.toml"),
    builtin_file!("disk.toml"),
    builtin_file!("diskio.toml"),
    builtin_file!("kernel.toml"),
    builtin_file!("mem.toml"),
    builtin_file!("net.toml"),
    builtin_file!("processes.toml"),
    builtin_file!("swap.toml"),
    builtin_file!("system.toml"),
];

/// The schema files (`*.toml`) of a user's folder, by measurement. All of their columns count as declared, so that what an
/// archive learned can be exported and given to another one.
///
/// # Errors
/// A folder or file that can't be read, a file that [`parse`] refuses, two files for one measurement.
pub fn load_dir(folder: &Path) -> Result<BTreeMap<String, MeasurementSchema>> {
    let entries = fs::read_dir(folder).map_err(|error| Error::io(folder, "read", &error))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Error::io(folder, "read", &error))?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            paths.push(path);
        }
    }
    // A folder has no order of its own, and which of two files an error names should not depend on the disk.
    paths.sort();
    let mut found: BTreeMap<String, (PathBuf, MeasurementSchema)> = BTreeMap::new();
    for path in paths {
        let text = fs::read_to_string(&path).map_err(|error| Error::io(&path, "read", &error))?;
        let mut schema = parse(&text, &path)?;
        for column in &mut schema.columns {
            column.origin = ColumnOrigin::Declared;
        }
        if let Some((other, _)) = found.get(&schema.measurement) {
            let cause = format_args!(
                "measurement '{}' is also described by {}",
                schema.measurement,
                other.display()
            );
            return Err(Error::new(path.display(), cause).hint("keep one of the two files"));
        }
        found.insert(schema.measurement.clone(), (path, schema));
    }
    Ok(found
        .into_iter()
        .map(|(measurement, (_, schema))| (measurement, schema))
        .collect())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SchemaFile {
    measurement: Spanned<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, rename = "tag", skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Tag>,
    #[serde(default, rename = "field", skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Field>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tag {
    name: Spanned<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default = "declared", skip_serializing_if = "is_declared")]
    origin: ColumnOrigin,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Field {
    name: Spanned<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(rename = "type")]
    ty: ColumnType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default = "declared", skip_serializing_if = "is_declared")]
    origin: ColumnOrigin,
}

fn declared() -> ColumnOrigin {
    ColumnOrigin::Declared
}

fn is_declared(origin: &ColumnOrigin) -> bool {
    *origin == ColumnOrigin::Declared
}

/// Reads a schema file. `path` is what errors call it.
///
/// # Errors
/// Text that is not TOML, an unknown key or type, a measurement or column without a name, two columns of one name (ignoring
/// case) or of one key, a column called `time`. Each names the line.
pub fn parse(text: &str, path: &Path) -> Result<MeasurementSchema> {
    let fail = |span: Option<Range<usize>>, cause: &str| {
        let line = span.map(|span| {
            1 + text.as_bytes()[..span.start.min(text.len())]
                .iter()
                .filter(|&&byte| byte == b'\n')
                .count()
        });
        match line {
            Some(line) => Error::new(format_args!("{}, line {line}", path.display()), cause),
            None => Error::new(path.display(), cause),
        }
        .hint("a schema file has `measurement`, and a name for each [[tag]], a name and a type for each [[field]]")
    };
    let file: SchemaFile = toml::from_str(text).map_err(|error| fail(error.span(), error.message()))?;
    if file.measurement.get_ref().is_empty() {
        return Err(fail(Some(file.measurement.span()), "the measurement has no name"));
    }
    let spans = file
        .tags
        .iter()
        .map(|tag| &tag.name)
        .chain(file.fields.iter().map(|field| &field.name));
    let spans = spans.map(Spanned::span).collect::<Vec<_>>();
    let columns = file
        .tags
        .into_iter()
        .map(Column::from)
        .chain(file.fields.into_iter().map(Column::from));
    let columns = columns.collect::<Vec<_>>();
    let mut names = HashSet::from([TIME.to_owned()]);
    let mut keys = HashSet::new();
    for (column, span) in columns.iter().zip(spans) {
        let cause = if column.name.is_empty() || column.key.is_empty() {
            "a column without a name or with an empty key".to_owned()
        } else if folded(&column.name) == TIME {
            format!(
                "a column can't be called '{}': `time` holds the time of the point",
                column.name
            )
        } else if !names.insert(folded(&column.name)) {
            format!(
                "a second column called '{}' (upper and lower case are the same)",
                column.name
            )
        } else if !keys.insert((column.kind, &column.key)) {
            format!("a second column for the key '{}'", column.key)
        } else {
            continue;
        };
        return Err(fail(Some(span), &cause));
    }
    Ok(MeasurementSchema {
        measurement: file.measurement.into_inner(),
        description: file.description,
        columns,
    })
}

impl From<Tag> for Column {
    fn from(tag: Tag) -> Self {
        let name = tag.name.into_inner();
        Self {
            key: tag.key.unwrap_or_else(|| name.clone()),
            name,
            kind: ColumnKind::Tag,
            ty: ColumnType::String,
            origin: tag.origin,
            unit: tag.unit,
            description: tag.description,
        }
    }
}

impl From<Field> for Column {
    fn from(field: Field) -> Self {
        let name = field.name.into_inner();
        Self {
            key: field.key.unwrap_or_else(|| name.clone()),
            name,
            kind: ColumnKind::Field,
            ty: field.ty,
            origin: field.origin,
            unit: field.unit,
            description: field.description,
        }
    }
}

/// Writes the schema file of a measurement; equal schemas give equal text, and [`parse`] reads it back.
pub fn render(schema: &MeasurementSchema) -> String {
    let unplaced = |text: &str| Spanned::new(0..0, text.to_owned());
    let key = |column: &Column| (column.key != column.name).then(|| column.key.clone());
    let of_kind = |kind| schema.columns.iter().filter(move |column| column.kind == kind);
    let file = SchemaFile {
        measurement: unplaced(&schema.measurement),
        description: schema.description.clone(),
        tags: of_kind(ColumnKind::Tag)
            .map(|column| Tag {
                name: unplaced(&column.name),
                key: key(column),
                unit: column.unit.clone(),
                description: column.description.clone(),
                origin: column.origin,
            })
            .collect(),
        fields: of_kind(ColumnKind::Field)
            .map(|column| Field {
                name: unplaced(&column.name),
                key: key(column),
                ty: column.ty,
                unit: column.unit.clone(),
                description: column.description.clone(),
                origin: column.origin,
            })
            .collect(),
    };
    toml::to_string(&file).expect("strings and lists of tables are all TOML")
}

#[cfg(test)]
mod tests;
