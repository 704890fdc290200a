//! The rows of one measurement as one collector appends them.

use std::sync::Arc;

use super::builder::{Cell, RowsBuilder};
use super::collected::{AtRisk, CollectedTable, LocalColumn, Map};
use super::reject::RejectedLine;
use super::schema::{ColumnKind, ColumnType, MeasurementSchema};
use super::tag_numbers::TagNumbers;
use super::values::{Misfit, as_sent, at_risk, fit, mismatch};
use crate::lineproto::{Field, FieldValue, Head, Reason};

/// A measurement's rows while a collector is open.
#[derive(Debug)]
pub(super) struct OpenTable {
    measurement: String,
    known: Option<Arc<MeasurementSchema>>,
    tags: TagNumbers,
    series: Vec<Vec<(u32, u32)>>,
    series_numbers: Map<Vec<(u32, u32)>, u32>,
    /// Raw bytes of a field key -> what it is.
    fields: Map<Box<[u8]>, FieldSlot>,
    columns: Vec<LocalColumn>,
    rows: RowsBuilder,
    at_risk: Vec<AtRisk>,
}

#[derive(Clone, Copy, Debug)]
enum FieldSlot {
    /// A column whose type is settled: its number here.
    Settled(u32, ColumnType),
    /// A column that this commit will settle: its numbers here by type seen.
    Open([Option<u32>; 5]),
}

impl OpenTable {
    /// A table without rows; `known` is what was settled about the measurement before.
    pub fn new(measurement: String, known: Option<Arc<MeasurementSchema>>) -> Self {
        Self {
            measurement,
            known,
            tags: TagNumbers::default(),
            series: Vec::new(),
            series_numbers: Map::default(),
            fields: Map::default(),
            columns: Vec::new(),
            rows: RowsBuilder::default(),
            at_risk: Vec::new(),
        }
    }

    /// The number of a head's series.
    pub fn number_series(&mut self, head: &Head<'_>) -> u32 {
        let mut tags: Vec<(u32, u32)> = head
            .tags
            .iter()
            .map(|(key, value)| self.tags.number(&key.unescape(), &value.unescape()))
            .collect();
        tags.sort_unstable();
        let next = u32::try_from(self.series.len()).expect("series are bounded by memory long before");
        *self.series_numbers.entry(tags).or_insert_with_key(|tags| {
            self.series.push(tags.clone());
            next
        })
    }

    /// The local column and value of a field, and whether the value might not fit the type yet to be settled.
    pub fn cell<'a>(&mut self, field: &Field<'a>) -> Result<((u32, Cell<'a>), bool), Misfit> {
        let slot = match self.fields.get(field.key.raw()) {
            Some(&slot) => slot,
            None => self.add_field(field),
        };
        match slot {
            FieldSlot::Settled(column, ty) => match fit(field.value, ty) {
                Some(cell) => Ok(((column, cell), false)),
                None => Err(self.misfit(&field.key.unescape(), ty, field.value)),
            },
            FieldSlot::Open(columns) => {
                let (ty, cell) = as_sent(field.value);
                let column = match columns[ty as usize] {
                    Some(column) => column,
                    None => {
                        let mut columns = columns;
                        let column = self.add_column(&field.key.unescape(), ty, None);
                        columns[ty as usize] = Some(column);
                        self.fields.insert(field.key.raw().into(), FieldSlot::Open(columns));
                        column
                    }
                };
                Ok(((column, cell), at_risk(field.value)))
            }
        }
    }

    /// Appends a row of cells that [`OpenTable::cell`] gave.
    pub fn push(&mut self, time: i64, series: u32, cells: &[(u32, Cell<'_>)]) {
        self.rows.push(time, series, cells);
    }

    /// Keeps the next row's line, since one of its values may not fit the type that its column will get.
    pub fn keep_line(&mut self, reject: RejectedLine) {
        self.at_risk.push(AtRisk {
            row: self.rows.next_row(),
            reject,
        });
    }

    #[cold]
    fn add_field(&mut self, field: &Field<'_>) -> FieldSlot {
        let key = field.key.unescape();
        let slot = match self.settled_column(&key) {
            Some((index, ty)) => FieldSlot::Settled(self.add_column(&key, ty, Some(index)), ty),
            None => FieldSlot::Open(self.open_columns(&key)),
        };
        self.fields.insert(field.key.raw().into(), slot);
        slot
    }

    fn settled_column(&self, key: &str) -> Option<(usize, ColumnType)> {
        let known = self.known.as_ref()?;
        let index = known.column_of(key, ColumnKind::Field)?;
        Some((index, known.columns[index].ty))
    }

    /// The numbers of the columns that this key has already, by type: a key can be written in more than one way.
    fn open_columns(&self, key: &str) -> [Option<u32>; 5] {
        let mut numbers = [None; 5];
        for (number, column) in (0..).zip(&self.columns) {
            if column.settled.is_none() && column.key == key {
                numbers[column.ty as usize] = Some(number);
            }
        }
        numbers
    }

    fn add_column(&mut self, key: &str, ty: ColumnType, settled: Option<usize>) -> u32 {
        let same = self
            .columns
            .iter()
            .position(|column| settled.is_some() && column.settled == settled);
        if let Some(number) = same {
            return u32::try_from(number).expect("numbers of columns are 32 bits wide");
        }
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
        CollectedTable {
            measurement: self.measurement,
            known: self.known,
            tag_keys: self.tags.keys,
            tag_values: self.tags.values,
            series: self.series,
            columns: self.columns,
            chunks: self.rows.finish(),
            at_risk: self.at_risk,
        }
    }
}
