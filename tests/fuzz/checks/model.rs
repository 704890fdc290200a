//! What the table layer must make of lines: worked out the slow way, from the reference parser's outcomes and from the rules
//! as they are written down, without chunks, dictionaries or numbers for series.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use diurnal::format::{TimeRange, TimeUnit};
use diurnal::lineproto::{Limits, Precision};
use diurnal::source::Origin;
use diurnal::table::RejectedLine;
use diurnal::table::schema::{Column, ColumnKind, ColumnOrigin, ColumnType, MeasurementSchema};

use super::input::Message;
use super::reference::{self, Outcome, Value};

/// The types that a column can learn: it takes the first of them that its values have.
const TYPES: [ColumnType; 5] = [
    ColumnType::Float,
    ColumnType::Int,
    ColumnType::Uint,
    ColumnType::Boolean,
    ColumnType::String,
];

/// What decides beside the lines.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub precision: Precision,
    pub limits: Limits,
    pub time_range: TimeRange,
    pub time_unit: TimeUnit,
    /// What a line without time gets.
    pub default_time: Option<i64>,
    pub measurement_fits: fn(&str) -> bool,
}

/// A line that became a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub time: i64,
    /// By key.
    pub tags: BTreeMap<String, String>,
    /// By key, in the types of their columns.
    pub fields: BTreeMap<String, Value>,
}

/// A line that became none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reject {
    /// Where the line starts in the input's text.
    pub offset: u64,
    pub line: Vec<u8>,
    pub reason: &'static str,
    /// The byte of the line that is the problem.
    pub byte: Option<usize>,
    /// The measurement and column that are.
    pub place: Option<(String, String)>,
}

impl From<&RejectedLine> for Reject {
    fn from(reject: &RejectedLine) -> Self {
        let Origin::File { offset, .. } = reject.origin else {
            panic!("from no file: {reject:?}");
        };
        Self {
            offset,
            line: reject.line.clone(),
            reason: reject.reason.as_str(),
            byte: reject.byte,
            place: reject.place.clone(),
        }
    }
}

/// A measurement of a commit.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub schema: MeasurementSchema,
    /// In the order of the lines.
    pub rows: Vec<Row>,
}

/// What a commit archives and rejects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settled {
    pub tables: BTreeMap<String, Table>,
    /// Sorted.
    pub rejects: Vec<Reject>,
    pub lines: u64,
}

/// The columns that are settled, from commit to commit.
pub struct Model {
    settings: Settings,
    schemas: BTreeMap<String, MeasurementSchema>,
}

/// A line that fits the columns settled before it.
struct Candidate {
    offset: u64,
    line: Vec<u8>,
    row: Row,
}

impl Candidate {
    fn rejected(self, reason: &'static str, place: Option<(String, String)>) -> Reject {
        Reject {
            offset: self.offset,
            line: self.line,
            reason,
            byte: None,
            place,
        }
    }
}

impl Model {
    /// `schemas` are the declared columns of measurements.
    pub fn new(settings: Settings, schemas: BTreeMap<String, MeasurementSchema>) -> Self {
        Self { settings, schemas }
    }

    /// The next commit.
    pub fn settle<'a>(&mut self, messages: impl IntoIterator<Item = &'a Message<'a>>) -> Settled {
        let Settings { precision, limits, .. } = self.settings;
        let mut settled = Settled::default();
        let mut candidates: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
        for message in messages {
            for outcome in reference::parse(message.bytes, precision.nanoseconds(), limits) {
                settled.lines += 1;
                match self.candidate(message.start, outcome) {
                    Ok((measurement, candidate)) => candidates.entry(measurement).or_default().push(candidate),
                    Err(reject) => settled.rejects.push(reject),
                }
            }
        }
        for (measurement, candidates) in candidates {
            self.settle_table(measurement, candidates, &mut settled);
        }
        settled.rejects.sort();
        settled
    }

    /// A line's measurement, and the line if it fits what is settled.
    fn candidate(&self, start: usize, outcome: Outcome) -> Result<(String, Candidate), Reject> {
        let (offset, raw, measurement, tags, fields, time) = match outcome {
            Outcome::Line {
                offset,
                raw,
                measurement,
                tags,
                fields,
                time,
                ..
            } => (offset, raw, measurement, tags, fields, time),
            Outcome::Reject {
                offset,
                line,
                reason,
                column,
            } => {
                return Err(Reject {
                    offset: (start + offset) as u64,
                    line,
                    reason,
                    byte: Some(column),
                    place: None,
                });
            }
        };
        let mut candidate = Candidate {
            offset: (start + offset) as u64,
            line: raw,
            row: Row {
                time: 0,
                tags: tags.into_iter().collect(),
                fields: BTreeMap::new(),
            },
        };
        match self.row_time(time) {
            Ok(time) => candidate.row.time = time,
            Err(reason) => return Err(candidate.rejected(reason, None)),
        }
        if !(self.settings.measurement_fits)(&measurement) {
            return Err(candidate.rejected("name_too_long", None));
        }
        for (key, value) in fields {
            let fitting = match self.settled(&measurement, &key) {
                None => Some(value),
                Some(column) => fit(&value, column.ty),
            };
            match (fitting, self.settled(&measurement, &key)) {
                (None, Some(column)) => {
                    let place = (measurement, column.name.clone());
                    return Err(candidate.rejected("type_mismatch", Some(place)));
                }
                (fitting, _) => candidate.row.fields.extend(fitting.map(|value| (key, value))),
            }
        }
        Ok((measurement, candidate))
    }

    fn row_time(&self, time: Option<i64>) -> Result<i64, &'static str> {
        let TimeRange { first, last } = self.settings.time_range;
        match time.or(self.settings.default_time) {
            None => Err("no_time"),
            Some(time) if !(first..=last).contains(&time) => Err("time_out_of_range"),
            Some(time) if self.settings.time_unit == TimeUnit::Us && time % 1_000 != 0 => {
                Err("time_not_whole_microsecond")
            }
            Some(time) => Ok(time),
        }
    }

    /// The column of a field that was settled before this commit.
    fn settled(&self, measurement: &str, key: &str) -> Option<&Column> {
        let columns = &self.schemas.get(measurement)?.columns;
        columns
            .iter()
            .find(|column| column.kind == ColumnKind::Field && column.key == key)
    }

    /// Gives new columns their types and names, and takes out the lines that don't fit them.
    fn settle_table(&mut self, measurement: String, candidates: Vec<Candidate>, settled: &mut Settled) {
        let mut types: BTreeMap<String, ColumnType> = BTreeMap::new();
        for (key, value) in candidates.iter().flat_map(|candidate| &candidate.row.fields) {
            if self.settled(&measurement, key).is_none() {
                let ty = types.entry(key.clone()).or_insert(ColumnType::String);
                *ty = first_of(*ty, type_of(value));
            }
        }
        let mut rows: Vec<Row> = Vec::new();
        for mut candidate in candidates {
            // By key, so that of several misfits the first by key is named.
            let misfit = candidate.row.fields.iter_mut().find_map(|(key, value)| {
                match types.get(key).map(|ty| fit(value, *ty)) {
                    None => None,
                    Some(None) => Some(key.clone()),
                    Some(Some(fitting)) => {
                        *value = fitting;
                        None
                    }
                }
            });
            match misfit {
                None => rows.push(candidate.row),
                Some(key) => {
                    let place = (measurement.clone(), key);
                    settled.rejects.push(candidate.rejected("type_mismatch", Some(place)));
                }
            }
        }
        let before = match self.schemas.get(&measurement) {
            Some(schema) => schema.clone(),
            None => MeasurementSchema {
                measurement: measurement.clone(),
                ..MeasurementSchema::default()
            },
        };
        let tags = rows.iter().flat_map(|row| row.tags.keys()).cloned().collect();
        let schema = extended(&before, &tags, &types);
        // What was learned holds from now on, even if no line fitted all of it.
        if !rows.is_empty() || schema.columns.len() > before.columns.len() {
            self.schemas.insert(measurement.clone(), schema.clone());
            settled.tables.insert(measurement, Table { schema, rows });
        }
    }
}

/// The schema with the new columns: tags first, then fields, each bytewise; the first keeps its name.
fn extended(
    before: &MeasurementSchema,
    tags: &BTreeSet<String>,
    fields: &BTreeMap<String, ColumnType>,
) -> MeasurementSchema {
    let mut schema = before.clone();
    let tags = tags.iter().map(|key| (key, ColumnKind::Tag, ColumnType::String));
    let fields = fields.iter().map(|(key, ty)| (key, ColumnKind::Field, *ty));
    for (key, kind, ty) in tags.chain(fields) {
        if schema
            .columns
            .iter()
            .any(|column| column.kind == kind && column.key == *key)
        {
            continue;
        }
        schema.columns.push(Column {
            name: free_name(&schema.columns, key, kind),
            key: key.clone(),
            kind,
            ty,
            origin: ColumnOrigin::Learned,
            unit: None,
            description: None,
        });
    }
    // The declared ones stay as they were among themselves.
    schema.columns.sort_by_key(|column| {
        let learned = column.origin == ColumnOrigin::Learned;
        let name = if learned { column.name.clone() } else { String::new() };
        (column.kind == ColumnKind::Field, learned, name)
    });
    schema
}

/// The key, or with a clash `key_tag` or `key_field`, then with a number behind it.
fn free_name(columns: &[Column], key: &str, kind: ColumnKind) -> String {
    let taken: HashSet<String> = columns.iter().map(|column| ignoring_case(&column.name)).collect();
    let free = |name: &String| ignoring_case(name) != "time" && !taken.contains(&ignoring_case(name));
    let longer = match kind {
        ColumnKind::Tag => format!("{key}_tag"),
        ColumnKind::Field => format!("{key}_field"),
    };
    let numbered = (2..).map(|number| format!("{longer}{number}"));
    let mut names = [key.to_owned(), longer.clone()].into_iter().chain(numbered);
    names.find(free).expect("there is always a number that is free")
}

fn ignoring_case(name: &str) -> String {
    name.to_lowercase().replace('ς', "σ")
}

fn type_of(value: &Value) -> ColumnType {
    match value {
        Value::Float(_) => ColumnType::Float,
        Value::Int(_) => ColumnType::Int,
        Value::Uint(_) => ColumnType::Uint,
        Value::Boolean(_) => ColumnType::Boolean,
        Value::String(_) => ColumnType::String,
    }
}

fn first_of(a: ColumnType, b: ColumnType) -> ColumnType {
    let first = TYPES.into_iter().find(|ty| *ty == a || *ty == b);
    first.expect("every type is one of them")
}

/// The value in a column's type, where that holds it exactly.
fn fit(value: &Value, ty: ColumnType) -> Option<Value> {
    match (value, ty) {
        (Value::Int(int), ColumnType::Float) if is_exact(int.unsigned_abs()) => {
            Some(Value::Float((*int as f64).to_bits()))
        }
        (Value::Uint(uint), ColumnType::Float) if is_exact(*uint) => Some(Value::Float((*uint as f64).to_bits())),
        (Value::Int(int), ColumnType::Uint) => u64::try_from(*int).ok().map(Value::Uint),
        (Value::Uint(uint), ColumnType::Int) => i64::try_from(*uint).ok().map(Value::Int),
        _ => (type_of(value) == ty).then(|| value.clone()),
    }
}

/// Whether a float's mantissa of 53 bits holds this number.
fn is_exact(number: u64) -> bool {
    number == 0 || 64 - number.leading_zeros() - number.trailing_zeros() <= 53
}
