//! The law, worked out the slow way: rows of any order -> points, and the rows of each day file.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use diurnal::table::schema::{Column, ColumnKind, ColumnOrigin, MeasurementSchema};

use super::model::Row;
use super::reference::Value;
use super::rows::FileRow;

const NS_PER_HOUR: i128 = 3_600_000_000_000;
const NS_PER_DAY: i128 = 24 * NS_PER_HOUR;

/// A time and the tags by key.
type PointKey = (i64, BTreeMap<String, String>);

/// The different values of each field, by key.
type Fields = BTreeMap<String, Vec<Value>>;

/// All points that an archive was given.
#[derive(Default)]
pub struct Points {
    by_measurement: BTreeMap<String, BTreeMap<PointKey, Fields>>,
}

/// How rows ended up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Points that are new.
    pub points: u64,
    /// Rows that joined a point that was there.
    pub folded: u64,
    /// Points of these rows that have more than one value for a field.
    pub conflicts: u64,
}

/// What a day file must hold.
#[derive(Debug, PartialEq)]
pub struct DayFile {
    pub columns: Vec<Column>,
    pub rows: Vec<FileRow>,
}

impl Points {
    /// Adds the rows of a commit.
    pub fn add(&mut self, measurement: &str, rows: &[Row]) -> Counts {
        let points = self.by_measurement.entry(measurement.to_owned()).or_default();
        let mut counts = Counts::default();
        for row in rows {
            let point = points.entry((row.time, row.tags.clone())).or_insert_with(|| {
                counts.points += 1;
                Fields::new()
            });
            for (key, value) in &row.fields {
                let values = point.entry(key.clone()).or_default();
                if !values.contains(value) {
                    values.push(value.clone());
                }
            }
        }
        counts.folded = rows.len() as u64 - counts.points;
        let mut touched: Vec<_> = rows.iter().map(|row| (row.time, &row.tags)).collect();
        touched.sort();
        touched.dedup();
        let contradictory = touched.into_iter().filter(|(time, tags)| {
            let fields = &points[&(*time, (*tags).clone())];
            fields.values().any(|values| values.len() > 1)
        });
        counts.conflicts = contradictory.count() as u64;
        counts
    }

    /// The day files by measurement and day, where the clock is `hours` ahead of UTC.
    pub fn day_files(
        &self,
        schemas: &BTreeMap<String, MeasurementSchema>,
        hours: i128,
    ) -> BTreeMap<(String, String), DayFile> {
        let mut files = BTreeMap::new();
        for (measurement, points) in &self.by_measurement {
            let mut days: BTreeMap<i128, Vec<(&PointKey, &Fields)>> = BTreeMap::new();
            for (key, fields) in points {
                let day = (i128::from(key.0) + hours * NS_PER_HOUR).div_euclid(NS_PER_DAY);
                days.entry(day).or_default().push((key, fields));
            }
            for (day, points) in days {
                files.insert(
                    (measurement.clone(), date(day)),
                    day_file(&schemas[measurement], points),
                );
            }
        }
        files
    }
}

fn day_file(schema: &MeasurementSchema, mut points: Vec<(&PointKey, &Fields)>) -> DayFile {
    let occurs = |column: &&Column| {
        column.origin == ColumnOrigin::Declared
            || points.iter().any(|((_, tags), fields)| match column.kind {
                ColumnKind::Tag => tags.contains_key(&column.key),
                ColumnKind::Field => fields.contains_key(&column.key),
            })
    };
    let columns: Vec<Column> = schema.columns.iter().filter(occurs).cloned().collect();
    let tags: Vec<&Column> = columns.iter().filter(|column| column.kind == ColumnKind::Tag).collect();
    points.sort_by_key(|((time, point), _)| {
        let values: Vec<Option<&String>> = tags.iter().map(|tag| point.get(&tag.key)).collect();
        (*time, values)
    });
    let mut rows = Vec::new();
    for ((time, tags), fields) in points {
        let most = fields.values().map(Vec::len).max().unwrap_or_default();
        for k in 0..most {
            let cells = columns.iter().map(|column| match column.kind {
                ColumnKind::Tag => tags.get(&column.key).cloned().map(Value::String),
                ColumnKind::Field => {
                    let mut values = fields.get(&column.key)?.clone();
                    values.sort_by(order);
                    values.get(k).cloned()
                }
            });
            rows.push((*time, cells.collect()));
        }
    }
    DayFile { columns, rows }
}

/// The order of the values of one column.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => f64::from_bits(*a).total_cmp(&f64::from_bits(*b)),
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Uint(a), Value::Uint(b)) => a.cmp(b),
        (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => a.as_bytes().cmp(b.as_bytes()),
        _ => panic!("{a:?} and {b:?} in one column"),
    }
}

/// `2020-06-19` of a number of days since 1970-01-01, by counting years and months.
fn date(days: i128) -> String {
    let is_leap = |year: i128| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days_of = |year| if is_leap(year) { 366 } else { 365 };
    let (mut year, mut left) = (1970, days);
    while left < 0 {
        year -= 1;
        left += days_of(year);
    }
    while left >= days_of(year) {
        left -= days_of(year);
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < days {
            break;
        }
        left -= days;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", left + 1)
}
