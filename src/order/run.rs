//! One day of one measurement, or a slice of it, sorted and folded: what an encoder may take.

use std::borrow::{Borrow, Cow};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, StringArray};
use arrow::datatypes::Int32Type;
use rayon::prelude::*;

use super::columns::{FieldColumn, Taken};
use super::days::{Entry, check_batches, row_number, row_place};
use super::fold::Points;
use super::leaves::{Slice, divide};
use super::old::OldDay;
use crate::encode::{DaySchema, LeafRows};
use crate::error::Result;
use crate::format::TimeUnit;
use crate::table::schema::{Column, ColumnKind, ColumnOrigin, MeasurementSchema};
use crate::table::series::SeriesSet;
use crate::table::{SettledTable, TableBatch};

/// How the new lines of a day ended up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RunCounts {
    /// Points that the archive did not have.
    pub points: u64,
    /// Lines that joined a point that was there already.
    pub folded: u64,
    /// Points touched by this commit that hold more than one value for a field.
    pub conflicts: u64,
}

impl std::ops::AddAssign for RunCounts {
    fn add_assign(&mut self, other: Self) {
        self.points += other.points;
        self.folded += other.folded;
        self.conflicts += other.conflicts;
    }
}

/// The columns of a day file, and which they are among those of its measurement.
#[derive(Clone, Debug)]
pub struct DayColumns {
    schema: Arc<DaySchema>,
    /// For each column of `schema` its number among the measurement's columns.
    numbers: Vec<usize>,
}

impl DayColumns {
    /// The columns that a day has when these rows of a table come to it: the declared ones, those of its file before, and those that
    /// the rows have.
    pub fn new(table: &SettledTable, before: &[Column], entries: &[Entry], time_unit: TimeUnit) -> Self {
        let batches: Vec<&TableBatch> = table.batches.iter().collect();
        let fields = field_columns(&table.schema, &batches);
        let mut used = vec![false; table.series.len()];
        for entry in entries {
            used[entry.rank as usize] = true;
        }
        let tag_occurs = |tag: usize| {
            (0..)
                .zip(&used)
                .any(|(rank, used)| *used && table.series.value(rank, tag).is_some())
        };
        let occurs = |number: usize| match table.schema.columns[number].kind {
            ColumnKind::Tag => tag_occurs(number),
            ColumnKind::Field => fields[number].as_ref().is_some_and(|field| field.occurs(entries)),
        };
        Self::occurring(&table.schema, before, occurs, time_unit)
    }

    /// The columns that a day has when rows come to it that have these of its measurement's columns, told by number.
    pub fn occurring(
        measurement: &MeasurementSchema,
        before: &[Column],
        occurs: impl Fn(usize) -> bool,
        time_unit: TimeUnit,
    ) -> Self {
        let all = measurement.columns.iter().enumerate();
        let here = all.filter(|(number, column)| {
            column.origin == ColumnOrigin::Declared
                || before.iter().any(|before| before.name == column.name)
                || occurs(*number)
        });
        let numbers: Vec<usize> = here.map(|(number, _)| number).collect();
        let columns = numbers.iter().map(|&number| measurement.columns[number].clone());
        let schema = DaySchema {
            measurement: measurement.measurement.clone(),
            columns: columns.collect(),
            time_unit,
        };
        Self {
            schema: Arc::new(schema),
            numbers,
        }
    }

    /// The columns.
    pub fn schema(&self) -> &Arc<DaySchema> {
        &self.schema
    }
}

/// All rows of one measurement and a slice of a day, old and new, sorted by (time, tags) and folded to points.
pub struct SortedRun<'a> {
    columns: &'a DayColumns,
    /// Those of the measurement's columns that are fields and have a value in some batch.
    fields: Vec<Option<FieldColumn<'a>>>,
    series: Cow<'a, SeriesSet>,
    entries: Cow<'a, [Entry]>,
    points: Points,
    slice: Slice,
    counts: RunCounts,
    adds_something: bool,
}

impl<'a> SortedRun<'a> {
    /// Sorts new rows of a day together with those that its file holds already.
    ///
    /// `slice` is the day or the slice of it that is merged, `entries` are its rows among the table's, and `old` the leaves that the
    /// day's file has of it.
    ///
    /// # Errors
    /// More than 65,536 batches of old and new rows together.
    pub fn merge(
        table: &'a SettledTable,
        old: Option<&'a OldDay>,
        entries: impl Into<Cow<'a, [Entry]>>,
        columns: &'a DayColumns,
        slice: Slice,
    ) -> Result<Self> {
        let mut entries = entries.into();
        let new_batches = table.batches.len();
        let series = match old {
            None => Cow::Borrowed(&table.series),
            Some(old) => Cow::Owned(add_old(table, old, entries.to_mut())?),
        };
        if !entries.is_sorted() {
            entries.to_mut().par_sort_unstable();
        }

        let batches: Vec<&TableBatch> = table
            .batches
            .iter()
            .chain(old.iter().flat_map(|old| &old.batches))
            .collect();
        let fields = field_columns(&table.schema, &batches);
        let mut counts = RunCounts::default();
        let mut adds_something = false;
        let points = Points::fold(&entries, &fields, |lines, rows| {
            // Equal in time and series, lines are sorted by row numbers: the new ones come first.
            let new = lines.partition_point(|line| row_place(line.row).0 < new_batches);
            let (new, old) = lines.split_at(new);
            let number = new.len() as u64;
            if old.is_empty() {
                counts.points += 1;
                counts.folded += number - 1;
            } else {
                counts.folded += number;
            }
            counts.conflicts += u64::from(number > 0 && rows > 1);
            // What is there already stays, so that there are more different values wherever there are others.
            adds_something = adds_something
                || old.is_empty()
                || (number > 0
                    && fields
                        .iter()
                        .flatten()
                        .any(|field| field.distinct(lines) > field.distinct(old)));
        });
        Ok(Self {
            columns,
            fields,
            series,
            entries,
            points,
            slice,
            counts,
            adds_something,
        })
    }

    /// The day file's columns.
    pub fn schema(&self) -> &Arc<DaySchema> {
        &self.columns.schema
    }

    /// Whether the new rows say anything that the old ones do not. If not, the leaves of the slice are what they were.
    pub fn adds_something(&self) -> bool {
        self.adds_something
    }

    /// How the new lines ended up.
    pub fn counts(&self) -> RunCounts {
        self.counts
    }

    /// How many rows there are: one for each point, more where a point holds more than one value for a field.
    pub fn rows(&self) -> usize {
        self.points.rows(&self.entries)
    }

    /// The row ranges of the leaves, of at most `limit` rows: [`LeafSize::limit`](super::LeafSize::limit) for the day's columns.
    pub fn leaves(&self, limit: usize) -> Vec<Range<usize>> {
        let leaves = divide(&self.slice, limit, |time| self.points.rows_before(&self.entries, time));
        debug_assert_eq!(leaves.last().map_or(0, |leaf| leaf.end), self.rows());
        leaves
    }

    /// The rows of a leaf as typed columns. The dictionary of a tag holds the values that occur in the leaf.
    ///
    /// # Errors
    /// A string column with more than 2 GiB in this leaf.
    pub fn leaf(&self, rows: Range<usize>) -> Result<LeafRows> {
        let (firsts, taken) = self.points.taken(&self.entries, rows);
        self.gather(&firsts, &taken, |tag| {
            Values::of(&self.series, tag, firsts.iter().copied())
        })
    }

    /// Ranges of rows as typed columns, gathered side by side. The dictionary of a tag is the same for all of them, and holds the values
    /// that occur in any row of the run.
    ///
    /// # Errors
    /// A string column with more than 2 GiB in one of the ranges.
    pub fn parts(&self, ranges: &[Range<usize>]) -> Result<Vec<LeafRows>> {
        let tags: Vec<Values> = (0..self.series.tags())
            .into_par_iter()
            .map(|tag| Values::of(&self.series, tag, self.entries.iter()))
            .collect();
        let part = |rows: &Range<usize>| {
            let (firsts, taken) = self.points.taken(&self.entries, rows.clone());
            self.gather(&firsts, &taken, |tag| &tags[tag])
        };
        ranges.par_iter().map(part).collect()
    }

    fn gather<V: Borrow<Values>>(
        &self,
        firsts: &[&Entry],
        taken: &[Taken],
        values: impl Fn(usize) -> V,
    ) -> Result<LeafRows> {
        let DayColumns { schema, numbers } = self.columns;
        let mut columns = Vec::with_capacity(numbers.len());
        // Tags come first in the measurement's columns too, so a tag's number is its place among the series' cells.
        for (&number, column) in numbers.iter().zip(&schema.columns) {
            columns.push(match column.kind {
                ColumnKind::Tag => values(number).borrow().column(&self.series, number, firsts),
                ColumnKind::Field => match &self.fields[number] {
                    Some(field) => field.gather(taken, |point| self.points.lines(&self.entries, point))?,
                    None => arrow::array::new_null_array(&column.ty.arrow(), firsts.len()),
                },
            });
        }
        Ok(LeafRows {
            schema: Arc::clone(schema),
            times: firsts.iter().map(|entry| entry.time).collect(),
            columns,
        })
    }
}

/// Adds the rows of the day's file to the entries, and ranks all series together.
fn add_old(table: &SettledTable, old: &OldDay, entries: &mut Vec<Entry>) -> Result<SeriesSet> {
    let new_batches = table.batches.len();
    check_batches(&table.schema.measurement, new_batches + old.batches.len())?;
    let tags = table
        .schema
        .columns
        .iter()
        .filter(|column| column.kind == ColumnKind::Tag)
        .count();
    // A slice can have few of the table's series.
    let mut used: Vec<u32> = entries.iter().map(|entry| entry.rank).collect();
    used.sort_unstable();
    used.dedup();
    let (series, ranks) = SeriesSet::union(tags, &[table.series.some_as_part(&used), old.series.as_part()]);
    for entry in entries.iter_mut() {
        let place = used.binary_search(&entry.rank);
        entry.rank = ranks[0][place.expect("every entry's rank is among those in use")];
    }
    for (number, batch) in (new_batches..).zip(&old.batches) {
        let rows = batch.times.iter().zip(&batch.ranks).enumerate();
        entries.extend(rows.map(|(place, (&time, &rank))| Entry {
            time,
            rank: ranks[1][rank as usize],
            row: row_number(number, place),
        }));
    }
    Ok(series)
}

/// For each column of the measurement that is a field and occurs in some batch, its values over all batches.
fn field_columns<'a>(schema: &MeasurementSchema, batches: &[&'a TableBatch]) -> Vec<Option<FieldColumn<'a>>> {
    schema
        .columns
        .iter()
        .enumerate()
        .map(|(number, column)| {
            let arrays = || batches.iter().map(move |batch| batch.columns[number].as_ref());
            let occurs = column.kind == ColumnKind::Field && arrays().any(|array| array.is_some());
            occurs.then(|| FieldColumn::new(column.ty, arrays()))
        })
        .collect()
}

/// The values of a tag that occur in some rows, ascending: the dictionary of a column.
struct Values {
    /// For each value of the series its key in the dictionary; -1 for those that do not occur.
    keys: Vec<i32>,
    dictionary: ArrayRef,
}

impl Values {
    fn of<'e>(series: &SeriesSet, tag: usize, rows: impl Iterator<Item = &'e Entry>) -> Self {
        let mut keys: Vec<i32> = vec![-1; series.values(tag).len()];
        for entry in rows {
            if let Some(value) = series.value(entry.rank, tag) {
                keys[value as usize] = 0;
            }
        }
        let mut values = Vec::new();
        for (key, value) in keys.iter_mut().zip(series.values(tag)) {
            if *key == 0 {
                *key = i32::try_from(values.len()).expect("tag values are bounded by memory long before");
                values.push(value.as_str());
            }
        }
        Self {
            keys,
            dictionary: Arc::new(StringArray::from(values)),
        }
    }

    /// The tag's column of some of these rows.
    fn column(&self, series: &SeriesSet, tag: usize, firsts: &[&Entry]) -> ArrayRef {
        let keys: Int32Array = firsts
            .iter()
            .map(|entry| series.value(entry.rank, tag).map(|value| self.keys[value as usize]))
            .collect();
        let (_, keys, nulls) = keys.into_parts();
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        let keys = Int32Array::new(keys, nulls);
        let dictionary = DictionaryArray::<Int32Type>::try_new(keys, Arc::clone(&self.dictionary));
        Arc::new(dictionary.expect("every key was made from the values"))
    }
}
