//! What a measurement's columns are called, hold and mean.

use std::collections::HashMap;

use arrow::datatypes::DataType;

/// The type of a field column. Tags are always strings.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, clap::ValueEnum, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// Float64.
    Float,
    /// Int64.
    Int,
    /// UInt64.
    Uint,
    /// Boolean.
    Boolean,
    /// Utf8.
    String,
}

/// Whether a column is part of the series or holds values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    /// Part of the series.
    Tag,
    /// A value.
    Field,
}

/// Where a column comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnOrigin {
    /// Written down in a schema file.
    Declared,
    /// Seen in the lines of a commit.
    Learned,
}

/// One column of a measurement; `time` is none of these.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Column {
    /// The column's name in the files, unique in its measurement ignoring case.
    pub name: String,
    /// The tag or field key in line protocol; differs from `name` only where two keys would clash.
    pub key: String,
    /// Tag or field.
    pub kind: ColumnKind,
    /// [`ColumnType::String`] for tags.
    pub ty: ColumnType,
    /// Declared or learned.
    pub origin: ColumnOrigin,
    /// Unit of the values, such as `percent` or `bytes`.
    pub unit: Option<String>,
    /// What the values mean, for people.
    pub description: Option<String>,
}

/// The columns of one measurement in an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MeasurementSchema {
    /// The measurement's name, unescaped.
    pub measurement: String,
    /// What it is about, for people.
    pub description: Option<String>,
    /// Tags, then fields; of each the declared ones in the schema's order, then the others bytewise by name.
    pub columns: Vec<Column>,
}

impl std::fmt::Display for ColumnType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Float => "float",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Boolean => "boolean",
            Self::String => "string",
        })
    }
}

impl ColumnType {
    /// The Arrow type of a field column.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Float => DataType::Float64,
            Self::Int => DataType::Int64,
            Self::Uint => DataType::UInt64,
            Self::Boolean => DataType::Boolean,
            Self::String => DataType::Utf8,
        }
    }
}

impl MeasurementSchema {
    /// Puts the columns in file order: tags, then fields; of each the declared ones as they are, then the others bytewise by name.
    pub fn sort_columns(&mut self) {
        self.columns.sort_by(|a, b| {
            let group = |column: &Column| (column.kind, column.origin);
            group(a).cmp(&group(b)).then_with(|| match a.origin {
                ColumnOrigin::Declared => std::cmp::Ordering::Equal,
                ColumnOrigin::Learned => a.name.cmp(&b.name),
            })
        });
    }

    /// The numbers of all columns of a kind, by key.
    pub fn places_of(&self, kind: ColumnKind) -> HashMap<&str, usize> {
        let columns = self.columns.iter().enumerate();
        let columns = columns.filter(|(_, column)| column.kind == kind);
        columns.map(|(place, column)| (column.key.as_str(), place)).collect()
    }

    /// The number of the column that holds this tag or field key.
    pub fn column_of(&self, key: &str, kind: ColumnKind) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.kind == kind && column.key == key)
    }
}
