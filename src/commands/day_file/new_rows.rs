//! The rows that come to a day: all of them in memory, or on disk and loaded span by span.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use rayon::slice::ParallelSliceMut as _;

use crate::error::Result;
use crate::format::TimeUnit;
use crate::order::{DayColumns, Entry, entries_of};
use crate::table::SettledTable;
use crate::table::schema::{Column, MeasurementSchema};
use crate::table::spill::SpilledDay;

/// New rows of one measurement and day.
pub enum NewRows<'a> {
    /// In memory, with the rows of other days.
    Held {
        /// All rows.
        table: &'a SettledTable,
        /// Those of the day, sorted.
        entries: Vec<Entry>,
    },
    /// On disk.
    Spilled(SpilledDay<'a>),
}

/// New rows of a span of time.
pub struct LoadedRows<'a> {
    /// Rows, some of other spans perhaps.
    pub table: Cow<'a, SettledTable>,
    /// Those of the span, sorted.
    pub entries: Cow<'a, [Entry]>,
}

impl<'a> NewRows<'a> {
    /// Rows in memory, which need not be sorted.
    pub fn held(table: &'a SettledTable, mut entries: Vec<Entry>) -> Self {
        entries.par_sort_unstable();
        Self::Held { table, entries }
    }

    /// The measurement's columns.
    pub fn schema(&self) -> &'a Arc<MeasurementSchema> {
        match self {
            Self::Held { table, .. } => &table.schema,
            Self::Spilled(day) => &day.spill().schema,
        }
    }

    /// The columns that the day has with these rows; `before` are those of its file.
    pub fn day_columns(&self, before: &[Column], time_unit: TimeUnit) -> DayColumns {
        match self {
            Self::Held { table, entries } => DayColumns::new(table, before, entries, time_unit),
            Self::Spilled(day) => {
                let occurring = day.occurring();
                DayColumns::occurring(self.schema(), before, |place| occurring.contains(&place), time_unit)
            }
        }
    }

    /// How many there are from the first to before the last of these times: exactly, or about if they are on disk; 0 only where there
    /// is none.
    pub fn rows_in(&self, time: &Range<i128>) -> usize {
        match self {
            Self::Held { entries, .. } => span(entries, time).len(),
            Self::Spilled(day) => day.rows_in(time).ceil() as usize,
        }
    }

    /// About how many of them must be read for a span of time.
    pub fn rows_to_read(&self, time: &Range<i128>) -> f64 {
        match self {
            Self::Held { .. } => 0.0,
            Self::Spilled(day) => day.rows_in(time),
        }
    }

    /// Those from the first to before the last of these times.
    ///
    /// # Errors
    /// Rows that can't be read from disk.
    pub fn load(&self, time: &Range<i128>) -> Result<LoadedRows<'_>> {
        match self {
            Self::Held { table, entries } => Ok(LoadedRows {
                table: Cow::Borrowed(*table),
                entries: Cow::Borrowed(&entries[span(entries, time)]),
            }),
            Self::Spilled(day) => {
                let table = day.load(time)?;
                let mut entries = entries_of(&table)?;
                entries.par_sort_unstable();
                Ok(LoadedRows {
                    table: Cow::Owned(table),
                    entries: Cow::Owned(entries),
                })
            }
        }
    }
}

impl LoadedRows<'_> {
    /// Which of the entries are in a span of time.
    pub fn span(&self, time: &Range<i128>) -> Range<usize> {
        span(&self.entries, time)
    }
}

/// Which of sorted entries are in a span of time.
fn span(entries: &[Entry], time: &Range<i128>) -> Range<usize> {
    let before = |bound: i128| entries.partition_point(|entry| i128::from(entry.time) < bound);
    before(time.start)..before(time.end)
}
