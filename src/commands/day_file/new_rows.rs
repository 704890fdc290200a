//! The rows that come to a day: all of them in memory, or on disk or in another archive and loaded span by span.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::Array as _;
use rayon::prelude::*;

use super::DayContext;
use super::recorded::{RecordedDay, share_of};
use crate::encode::LeafRows;
use crate::error::{Error, Result};
use crate::format::TimeUnit;
use crate::order::{DayColumns, Entry, OldDay, entries_of};
use crate::store::record::DayEntry;
use crate::table::SettledTable;
use crate::table::schema::{Column, ColumnOrigin, MeasurementSchema};
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
    /// In the day's files of another archive.
    Recorded(Box<OtherDay<'a>>),
    /// Merged by others already: here it is only known when they are.
    Elsewhere {
        /// The measurement's columns.
        schema: &'a Arc<MeasurementSchema>,
        /// Times in which there are some.
        spans: Vec<Range<i128>>,
    },
}

/// A day of another archive.
pub struct OtherDay<'a> {
    /// The columns of its measurement here.
    schema: &'a Arc<MeasurementSchema>,
    context: DayContext<'a>,
    day: RecordedDay<'a>,
    /// The numbers in `schema` of the columns that have a value.
    occurring: BTreeSet<usize>,
}

/// New rows of a span of time.
pub struct LoadedRows<'a> {
    /// Rows, some of other spans perhaps.
    pub table: Cow<'a, SettledTable>,
    /// Those of the span, sorted.
    pub entries: Cow<'a, [Entry]>,
}

impl<'a> OtherDay<'a> {
    /// Opens a day that stands in another archive as `entry`, where its measurement has the columns `own`; here it has those of `schema`.
    ///
    /// # Errors
    /// Files that are not as the other ledger says; columns that are not those of the measurement.
    pub fn open(
        context: DayContext<'a>,
        own: &MeasurementSchema,
        schema: &'a Arc<MeasurementSchema>,
        entry: &'a DayEntry,
    ) -> Result<Self> {
        let day = RecordedDay::open(context, own, entry)?;
        let number = |column: &Column| schema.columns.iter().position(|here| here.name == column.name);
        let (declared, learned): (Vec<_>, Vec<_>) = day
            .schema()
            .columns
            .iter()
            .enumerate()
            .partition(|(_, column)| column.origin == ColumnOrigin::Declared);
        let mut occurring: BTreeSet<usize> = learned.iter().filter_map(|(_, column)| number(column)).collect();
        // A column that was declared there is in each of its days, and may be learned here.
        let doubtful = declared
            .into_iter()
            .filter_map(|(place, column)| Some((place, number(column)?)));
        let doubtful: Vec<(usize, usize)> = doubtful
            .filter(|&(_, number)| schema.columns[number].origin != ColumnOrigin::Declared)
            .collect();
        if !doubtful.is_empty() {
            for leaf in 0..day.leaves().len() {
                for rows in day.rows(context, leaf..leaf + 1)? {
                    let has = |place: usize| rows.columns[place].null_count() < rows.times.len();
                    occurring.extend(
                        doubtful
                            .iter()
                            .filter(|(place, _)| has(*place))
                            .map(|&(_, number)| number),
                    );
                }
            }
        }
        Ok(Self {
            schema,
            context,
            day,
            occurring,
        })
    }

    fn rows_in(&self, time: &Range<i128>) -> f64 {
        self.day.leaves().iter().map(|leaf| share_of(leaf, time)).sum()
    }

    fn load(&self, time: &Range<i128>) -> Result<SettledTable> {
        let touched = (0..)
            .zip(self.day.leaves())
            .filter(|(_, leaf)| share_of(leaf, time) > 0.0);
        let touched: Vec<usize> = touched.map(|(number, _)| number).collect();
        let read = |&leaf: &usize| -> Result<Vec<LeafRows>> {
            let rows = self.day.rows(self.context, leaf..leaf + 1)?;
            Ok(rows.iter().map(|rows| rows.within(time)).collect())
        };
        let rows: Vec<Vec<LeafRows>> = touched.par_iter().map(read).collect::<Result<_>>()?;
        let OldDay { series, batches } = OldDay::new(self.schema, &rows.concat())?;
        Ok(SettledTable {
            schema: Arc::clone(self.schema),
            series,
            batches,
        })
    }
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
            Self::Recorded(day) => day.schema,
            Self::Elsewhere { schema, .. } => schema,
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
            Self::Recorded(day) => {
                DayColumns::occurring(day.schema, before, |place| day.occurring.contains(&place), time_unit)
            }
            // Whoever merged them knows more.
            Self::Elsewhere { schema, .. } => DayColumns::occurring(schema, before, |_| false, time_unit),
        }
    }

    /// How many there are from the first to before the last of these times: exactly, or about if they are on disk; 0 only where there
    /// is none.
    pub fn rows_in(&self, time: &Range<i128>) -> usize {
        match self {
            Self::Held { entries, .. } => span(entries, time).len(),
            Self::Spilled(day) => day.rows_in(time).ceil() as usize,
            Self::Recorded(day) => day.rows_in(time).ceil() as usize,
            Self::Elsewhere { spans, .. } => spans
                .iter()
                .filter(|span| span.start < time.end && time.start < span.end)
                .count(),
        }
    }

    /// About how many of them must be read for a span of time.
    pub fn rows_to_read(&self, time: &Range<i128>) -> f64 {
        match self {
            Self::Held { .. } => 0.0,
            Self::Spilled(day) => day.rows_in(time),
            Self::Recorded(day) => day.rows_in(time),
            Self::Elsewhere { .. } => 0.0,
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
            Self::Spilled(day) => LoadedRows::all(day.load(time)?),
            Self::Recorded(day) => LoadedRows::all(day.load(time)?),
            Self::Elsewhere { schema, .. } => Err(Error::new(
                &schema.measurement,
                "has rows that others merged: report this as a bug of diurnal",
            )),
        }
    }
}

impl LoadedRows<'_> {
    fn all(table: SettledTable) -> Result<Self> {
        let mut entries = entries_of(&table)?;
        entries.par_sort_unstable();
        Ok(LoadedRows {
            table: Cow::Owned(table),
            entries: Cow::Owned(entries),
        })
    }

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
