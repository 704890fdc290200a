//! The rows of one measurement as one collector appends them.

use std::collections::HashSet;
use std::sync::Arc;

use super::builder::RowsBuilder;
use super::collected::{CollectedTable, LocalColumn, Map};
use super::field_keys::FieldKeys;
use super::kept::KeptLines;
use super::schema::{ColumnKind, ColumnType, MeasurementSchema};
use super::tag_numbers::{SeriesNumbers, TagNumbers};
use super::values::{Misfit, as_sent, at_risk, fit, mismatch};
use crate::lineproto::{Field, FieldValue, Head, Kind, Line, Precision, Reason, Slot};
use crate::source::Origin;

/// A measurement's rows while a collector is open.
#[derive(Debug)]
pub(super) struct OpenTable {
    measurement: String,
    known: Option<Arc<MeasurementSchema>>,
    /// The places of the known field columns by key.
    known_fields: Map<String, usize>,
    tags: TagNumbers,
    series: SeriesNumbers,
    /// The tags of the series that is being numbered.
    tags_of_series: Vec<(u32, u32)>,
    keys: FieldKeys,
    /// By the number of the field's key.
    fields: Vec<FieldSlot>,
    /// By the number of the field's key.
    field_columns: Vec<FieldColumn>,
    columns: Vec<LocalColumn>,
    /// Whether lines with new names are kept, because there may be no place for these.
    keeps_new: bool,
    /// Series with a tag that is no column yet, where the measurement has some.
    new_series: HashSet<u32>,
    /// Bytes taken by what is new since the last row: columns, tags.
    grown: usize,
    rows: RowsBuilder,
    /// Rows that were begun: the number of the last one, which marks the fields that it has.
    begun: u64,
    kept: KeptLines,
}

/// What is looked at for every value: most go straight into their column.
#[derive(Clone, Copy, Debug)]
struct FieldSlot {
    /// The last row begun that has the field.
    row: u64,
    /// Numbers of this kind and no larger size, if any, go into that column as they are, and are not at risk.
    straight: Option<Straight>,
}

#[derive(Clone, Copy, Debug)]
struct Straight {
    kind: Kind,
    column: u32,
    /// As if the bits were those of an i64, which tells the size of integers; all floats are below `u64::MAX`.
    most: u64,
}

/// Where the values of a field go.
#[derive(Clone, Copy, Debug)]
enum FieldColumn {
    /// A column whose type is settled: its number here.
    Settled(u32, ColumnType),
    /// A column that this commit will settle: its numbers here by type seen.
    Open([Option<u32>; 5]),
}

/// Why a line did not become a row.
pub(super) enum NoRow {
    /// One of its keys stands in it twice.
    Repeats,
    /// A value does not fit its column.
    Misfit(Misfit),
}

/// Bytes of a table before its first row, with what is in it to look names up and to keep lines in: measured with a million of them.
pub(super) const TABLE_BYTES: usize = size_of::<OpenTable>() + 2_560;

/// Bytes of a column beside its values and its key: its numbers, its places in the look-up, its builder.
const COLUMN_BYTES: usize = 512;

/// Bytes that a series takes for each tag key of its table once tables are put together.
const CELL_BYTES: usize = 8;

/// Integers up to this size are floats without rounding, so they fit whichever type of number their column will get.
const MOST_SURE_INT: u64 = 1 << f64::MANTISSA_DIGITS;

impl Straight {
    /// All numbers of a kind.
    fn all(kind: Kind, column: u32) -> Self {
        let most = u64::MAX;
        Self { kind, column, most }
    }

    #[inline(always)]
    fn takes(self, slot: &Slot) -> bool {
        self.kind == slot.kind() && slot.bits().cast_signed().unsigned_abs() <= self.most
    }
}

impl OpenTable {
    /// The measurement's name.
    pub fn measurement(&self) -> &str {
        &self.measurement
    }

    /// A table without rows; `known` is what was settled about the measurement before. With `keeps_new`, each line with a name that is not
    /// settled is to be kept.
    pub fn new(measurement: String, known: Option<Arc<MeasurementSchema>>, keeps_new: bool) -> Self {
        let columns = known.iter().flat_map(|known| known.columns.iter().enumerate());
        let fields = columns.filter(|(_, column)| column.kind == ColumnKind::Field);
        Self {
            measurement,
            known_fields: fields.map(|(index, column)| (column.key.clone(), index)).collect(),
            known,
            tags: TagNumbers::default(),
            series: SeriesNumbers::default(),
            tags_of_series: Vec::new(),
            keys: FieldKeys::default(),
            fields: Vec::new(),
            field_columns: Vec::new(),
            columns: Vec::new(),
            keeps_new,
            new_series: HashSet::new(),
            grown: 0,
            rows: RowsBuilder::default(),
            begun: 0,
            kept: KeptLines::default(),
        }
    }

    /// The number of a head's series.
    pub fn number_series(&mut self, head: &Head<'_>) -> u32 {
        let Self {
            tags, tags_of_series, ..
        } = self;
        let keys = tags.keys();
        tags_of_series.clear();
        tags_of_series.extend(
            head.tags
                .iter()
                .map(|(key, value)| tags.number(&key.unescape(), &value.unescape())),
        );
        tags_of_series.sort_unstable();
        let (keys, new_keys) = (tags.keys(), tags.keys() - keys);
        let number = self.series.number(tags_of_series);
        self.grown += CELL_BYTES * (keys + new_keys * self.series.len());
        if self.keeps_new
            && let Some(known) = &self.known
            && head
                .tags
                .iter()
                .any(|(key, _)| known.column_of(&key.unescape(), ColumnKind::Tag).is_none())
        {
            self.new_series.insert(number);
        }
        number
    }

    /// Whether lines of a series are kept, because it has a tag that is no column yet.
    #[inline]
    pub fn keeps_series(&self, series: u32) -> bool {
        !self.new_series.is_empty() && self.new_series.contains(&series)
    }

    /// Gives a new row the values of a line's fields, for [`OpenTable::finish_row`] to append. Gives whether the line is to be kept:
    /// one of them might not fit the type that its column is yet to get, or there might be no place for it.
    ///
    /// # Errors
    /// Why the line can't be a row; then it left nothing behind.
    #[inline]
    pub fn begin_row(&mut self, line: &Line<'_, '_>) -> Result<bool, NoRow> {
        let begun = self.give_values(line);
        if begun.is_err() {
            self.rows.drop_row();
        }
        begun
    }

    #[inline(always)]
    fn give_values(&mut self, line: &Line<'_, '_>) -> Result<bool, NoRow> {
        self.begun += 1;
        let mut risky = self.keeps_new && self.known.is_none();
        for slot in line.slots() {
            let number = match self.keys.find(slot.key(line.raw()), slot.key_words()) {
                Some(number) => number as usize,
                None => self.add_field(&slot.of(line.raw())),
            };
            let field = &mut self.fields[number];
            if field.row == self.begun {
                return Err(NoRow::Repeats);
            }
            field.row = self.begun;
            match field.straight {
                Some(straight) if straight.takes(slot) => self.rows.push_number(straight.column, slot.bits()),
                _ => risky |= self.give_value(number, &slot.of(line.raw()))?,
            }
        }
        Ok(risky)
    }

    /// Gives the new row a value that is no number or not of its column's type.
    fn give_value(&mut self, number: usize, field: &Field<'_>) -> Result<bool, NoRow> {
        match self.field_columns[number] {
            FieldColumn::Settled(column, ty) => {
                let Some(bits) = fit(field.value, ty) else {
                    return Err(NoRow::Misfit(self.misfit(&field.key.unescape(), ty, field.value)));
                };
                self.rows.push_value(column, bits, field.value);
                Ok(false)
            }
            FieldColumn::Open(columns) => {
                let (ty, bits) = as_sent(field.value);
                let column = match columns[ty as usize] {
                    Some(column) => column,
                    None => self.open_column(number, field, ty),
                };
                self.rows.push_value(column, bits, field.value);
                Ok(self.keeps_new || at_risk(field.value))
            }
        }
    }

    /// Appends the row that was begun. Gives the bytes it takes.
    #[inline]
    pub fn finish_row(&mut self, time: i64, series: u32, fields: usize) -> usize {
        12 + 8 * fields + self.rows.finish_row(time, series, fields) + std::mem::take(&mut self.grown)
    }

    /// Keeps the line of the row that was begun, since one of its values may not fit the type that its column will get. Gives the
    /// bytes it takes.
    pub fn keep_line(&mut self, line: &[u8], origin: Origin, default_time: Option<i64>, precision: Precision) -> usize {
        let row = self.rows.next_row();
        self.kept.keep(row, line, origin, default_time, precision);
        KeptLines::cost(line)
    }

    /// The number of the column for values of this type of a field that is not settled, and has none yet.
    #[cold]
    fn open_column(&mut self, number: usize, field: &Field<'_>, ty: ColumnType) -> u32 {
        let column = self.add_column(&field.key.unescape(), ty, None);
        if let FieldColumn::Open(columns) = &mut self.field_columns[number] {
            columns[ty as usize] = Some(column);
        }
        if self.keeps_new && self.known.is_some() {
            // Each of its lines is kept, so none may pass by.
            return column;
        }
        self.fields[number].straight = self.fields[number].straight.or(match ty {
            ColumnType::Float => Some(Straight::all(Kind::Float, column)),
            ColumnType::Int => Some(Straight {
                most: MOST_SURE_INT,
                ..Straight::all(Kind::Int, column)
            }),
            _ => None,
        });
        column
    }

    #[cold]
    fn add_field(&mut self, field: &Field<'_>) -> usize {
        let key = field.key.unescape();
        let (mut straight, mut to) = (None, FieldColumn::Open([None; 5]));
        if let Some((index, ty)) = self.settled_column(&key) {
            let column = self.add_column(&key, ty, Some(index));
            to = FieldColumn::Settled(column, ty);
            straight = match ty {
                ColumnType::Float => Some(Straight::all(Kind::Float, column)),
                ColumnType::Int => Some(Straight::all(Kind::Int, column)),
                ColumnType::Uint => Some(Straight::all(Kind::Uint, column)),
                ColumnType::Boolean | ColumnType::String => None,
            };
        }
        self.field_columns.push(to);
        self.fields.push(FieldSlot { row: 0, straight });
        self.keys.add(field.key.raw(), field.key_words()) as usize
    }

    fn settled_column(&self, key: &str) -> Option<(usize, ColumnType)> {
        let index = *self.known_fields.get(key)?;
        Some((index, self.known.as_ref()?.columns[index].ty))
    }

    fn add_column(&mut self, key: &str, ty: ColumnType, settled: Option<usize>) -> u32 {
        self.grown += COLUMN_BYTES + 2 * key.len();
        self.columns.push(LocalColumn {
            key: key.to_owned(),
            ty,
            settled,
        });
        self.rows.add_column(ty)
    }

    fn misfit(&self, key: &str, ty: ColumnType, value: FieldValue<'_>) -> Misfit {
        let column = self
            .settled_column(key)
            .and_then(|(index, _)| self.known.as_ref().map(|known| known.columns[index].name.clone()))
            .unwrap_or_else(|| key.to_owned());
        Misfit {
            reason: Reason::TypeMismatch,
            detail: Some(mismatch(&self.measurement, &column, ty, value)),
            place: Some((self.measurement.clone(), column)),
        }
    }

    /// All rows, and what their columns are.
    pub fn finish(self) -> CollectedTable {
        let (tag_keys, tag_values) = self.tags.finish();
        CollectedTable {
            measurement: self.measurement,
            known: self.known,
            tag_keys,
            tag_values,
            series: self.series.finish(),
            columns: self.columns,
            chunks: self.rows.finish(),
            kept: self.kept,
        }
    }
}
