//! What a reading of the data comes to. All contenders must come to the same, so that none is fast by leaving something out.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type, UInt64Type};
use diurnal::lineproto::{FieldValue, Line};
use diurnal::table::schema::ColumnType;
use diurnal::table::{Chunk, Collected, CollectedTable};
use influxdb_line_protocol::{FieldValue as ReferenceValue, ParsedLine};

/// Counts and sums over all good lines. Additions only, so cheap enough to be made while the clock runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Good lines.
    pub lines: u64,
    /// Fields of good lines.
    pub fields: u64,
    /// Bytes of their keys, unescaped.
    key_bytes: u64,
    /// Bits of floats, and of integers as floats, since a column may hold integers that way; added with wrap-around.
    numbers: u64,
    /// Booleans that are true.
    trues: u64,
    /// Bytes of strings, unescaped.
    text_bytes: u64,
    /// Nanoseconds, added with wrap-around.
    times: i64,
    /// Bytes of measurements, tag keys and tag values, unescaped. `None` where they are not read one by one.
    series_bytes: Option<u64>,
}

impl Tally {
    /// Whether both read the same, as far as both read it.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let known = self.series_bytes.is_some() && other.series_bytes.is_some();
        let comparable = |tally: &Self| Self {
            series_bytes: tally.series_bytes.filter(|_| known),
            ..tally.clone()
        };
        comparable(self) == comparable(other)
    }

    fn add_number(&mut self, value: f64) {
        self.numbers = self.numbers.wrapping_add(value.to_bits());
    }

    /// Adds a line of diurnal's parser.
    #[inline]
    pub fn add_line(&mut self, line: &Line<'_, '_>) {
        self.lines += 1;
        self.times = self.times.wrapping_add(line.time().unwrap_or_default());
        for field in line.fields() {
            self.fields += 1;
            self.key_bytes += field.key.unescape().len() as u64;
            match field.value {
                FieldValue::Float(value) => self.add_number(value),
                FieldValue::Int(value) => self.add_number(value as f64),
                FieldValue::Uint(value) => self.add_number(value as f64),
                FieldValue::Boolean(value) => self.trues += u64::from(value),
                FieldValue::String(value) => self.text_bytes += value.unescape().len() as u64,
            }
        }
    }

    /// Adds a line of influxdb-line-protocol.
    #[inline]
    pub fn add_reference_line(&mut self, line: &ParsedLine<'_>) {
        self.lines += 1;
        self.times = self.times.wrapping_add(line.timestamp.unwrap_or_default());
        let mut series_bytes = line.series.measurement.len();
        for (key, value) in line.series.tag_set.iter().flatten() {
            series_bytes += key.len() + value.len();
        }
        *self.series_bytes.get_or_insert_default() += series_bytes as u64;
        for (key, value) in &line.field_set {
            self.fields += 1;
            self.key_bytes += key.len() as u64;
            match value {
                ReferenceValue::F64(value) => self.add_number(*value),
                ReferenceValue::I64(value) => self.add_number(*value as f64),
                ReferenceValue::U64(value) => self.add_number(*value as f64),
                ReferenceValue::Boolean(value) => self.trues += u64::from(*value),
                ReferenceValue::String(value) => self.text_bytes += value.len() as u64,
            }
        }
    }

    /// What the typed columns hold.
    pub fn of_columns(collected: &Collected) -> Self {
        let mut tally = Self {
            series_bytes: Some(0),
            ..Self::default()
        };
        for table in &collected.tables {
            let series_bytes: Vec<u64> = series_bytes(table).collect();
            for chunk in &table.chunks {
                tally.add_rows(chunk, &series_bytes);
                for (number, values) in &chunk.columns {
                    let column = &table.columns[*number as usize];
                    tally.add_column(column.ty, column.key.len() as u64, values);
                }
            }
        }
        tally
    }

    fn add_rows(&mut self, chunk: &Chunk, series_bytes: &[u64]) {
        self.lines += chunk.times.len() as u64;
        self.times = chunk.times.iter().fold(self.times, |sum, time| sum.wrapping_add(*time));
        let rows = chunk.series.iter().map(|&series| series_bytes[series as usize]);
        *self.series_bytes.get_or_insert_default() += rows.sum::<u64>();
    }

    fn add_column(&mut self, ty: ColumnType, key_bytes: u64, values: &dyn Array) {
        let present = (values.len() - values.null_count()) as u64;
        self.fields += present;
        self.key_bytes += key_bytes * present;
        match ty {
            ColumnType::Float => {
                let values = values.as_primitive::<Float64Type>().iter().flatten();
                values.for_each(|value| self.add_number(value));
            }
            ColumnType::Int => {
                let values = values.as_primitive::<Int64Type>().iter().flatten();
                values.for_each(|value| self.add_number(value as f64));
            }
            ColumnType::Uint => {
                let values = values.as_primitive::<UInt64Type>().iter().flatten();
                values.for_each(|value| self.add_number(value as f64));
            }
            ColumnType::Boolean => {
                let values = values.as_boolean().iter().flatten();
                self.trues += values.map(u64::from).sum::<u64>();
            }
            ColumnType::String => {
                let values = values.as_string::<i32>().iter().flatten();
                self.text_bytes += values.map(|value| value.len() as u64).sum::<u64>();
            }
        }
    }
}

/// For each series of a table the bytes of its names.
fn series_bytes(table: &CollectedTable) -> impl Iterator<Item = u64> {
    table.series.iter().map(|tags| {
        let tag = |&(key, value): &(u32, u32)| {
            table.tag_keys[key as usize].len() + table.tag_values[key as usize][value as usize].len()
        };
        (table.measurement.len() + tags.iter().map(tag).sum::<usize>()) as u64
    })
}
