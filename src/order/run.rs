//! One day of one measurement, sorted and folded: what an encoder may take.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, StringArray};
use arrow::datatypes::Int32Type;
use rayon::slice::ParallelSliceMut;

use super::columns::FieldColumn;
use super::days::{Entry, check_batches, row_number, row_place};
use super::fold::Points;
use super::leaves::{divide, leaf_limit};
use super::old::OldDay;
use crate::encode::{DaySchema, LeafRows};
use crate::error::Result;
use crate::format::TimeUnit;
use crate::table::schema::{ColumnKind, ColumnOrigin, MeasurementSchema};
use crate::table::series::SeriesSet;
use crate::table::{SettledTable, TableBatch};

/// How the new lines of a day ended up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunCounts {
    /// Points that the archive did not have.
    pub points: u64,
    /// Lines that joined a point that was there already.
    pub folded: u64,
    /// Points touched by this commit that hold more than one value for a field.
    pub conflicts: u64,
}

/// All rows of one measurement and day, old and new, sorted by (time, tags) and folded to points.
pub struct SortedRun<'a> {
    schema: Arc<DaySchema>,
    /// For each column of `schema` its number among the measurement's columns.
    numbers: Vec<usize>,
    fields: Vec<Option<FieldColumn<'a>>>,
    series: SeriesSet,
    entries: Vec<Entry>,
    points: Points,
    bounds: Range<i128>,
    counts: RunCounts,
}

impl<'a> SortedRun<'a> {
    /// Sorts the new rows of a day together with those that its file holds already.
    ///
    /// `entries` are the day's rows among the table's; `bounds` the day's first instant and the one after its last.
    ///
    /// # Errors
    /// More than 65,536 batches of old and new rows together.
    pub fn merge(
        table: &'a SettledTable,
        old: Option<&'a OldDay>,
        mut entries: Vec<Entry>,
        bounds: Range<i128>,
        time_unit: TimeUnit,
    ) -> Result<Self> {
        let new_batches = table.batches.len();
        let series = match old {
            None => table.series.clone(),
            Some(old) => add_old(table, old, &mut entries)?,
        };
        entries.par_sort_unstable();

        let batches: Vec<&TableBatch> = table
            .batches
            .iter()
            .chain(old.iter().flat_map(|old| &old.batches))
            .collect();
        let fields = field_columns(&table.schema, &batches);
        let mut counts = RunCounts::default();
        let points = Points::fold(&entries, &fields, |lines, rows| {
            let new = lines.iter().filter(|line| row_place(line.row).0 < new_batches).count() as u64;
            if new == lines.len() as u64 {
                counts.points += 1;
                counts.folded += new - 1;
            } else {
                counts.folded += new;
            }
            counts.conflicts += u64::from(new > 0 && rows > 1);
        });
        let numbers = occurring_columns(&table.schema, &fields, &series, &entries);
        let schema = Arc::new(DaySchema {
            measurement: table.schema.measurement.clone(),
            columns: numbers
                .iter()
                .map(|&number| table.schema.columns[number].clone())
                .collect(),
            time_unit,
        });
        Ok(Self {
            schema,
            numbers,
            fields,
            series,
            entries,
            points,
            bounds,
            counts,
        })
    }

    /// The day file's columns: the declared ones and those that occur on this day.
    pub fn schema(&self) -> &Arc<DaySchema> {
        &self.schema
    }

    /// How the new lines ended up.
    pub fn counts(&self) -> RunCounts {
        self.counts
    }

    /// How many rows there are: one for each point, more where a point holds more than one value for a field.
    pub fn rows(&self) -> usize {
        self.points.rows(&self.entries)
    }

    /// The row ranges of the leaves, of at most `most_rows` rows: [`LEAF_ROWS`](super::LEAF_ROWS) in every archive.
    pub fn leaves(&self, most_rows: usize) -> Vec<Range<usize>> {
        let limit = leaf_limit(1 + self.schema.columns.len(), most_rows);
        let leaves = divide(self.bounds.clone(), limit, |time| {
            self.points.rows_before(&self.entries, time)
        });
        debug_assert_eq!(leaves.last().map_or(0, |leaf| leaf.end), self.rows());
        leaves
    }

    /// The rows of a leaf as typed columns.
    ///
    /// # Errors
    /// A string column with more than 2 GiB in this leaf.
    pub fn leaf(&self, rows: Range<usize>) -> Result<LeafRows> {
        let (firsts, taken) = self.points.taken(&self.entries, rows);
        let mut columns = Vec::with_capacity(self.numbers.len());
        // Tags come first in the measurement's columns too, so a tag's number is its place among the series' cells.
        for (&number, column) in self.numbers.iter().zip(&self.schema.columns) {
            columns.push(match column.kind {
                ColumnKind::Tag => tag_column(&self.series, number, &firsts),
                ColumnKind::Field => match &self.fields[number] {
                    Some(field) => field.gather(&taken, |point| self.points.lines(&self.entries, point))?,
                    None => arrow::array::new_null_array(&column.ty.arrow(), firsts.len()),
                },
            });
        }
        Ok(LeafRows {
            schema: Arc::clone(&self.schema),
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
    let (series, ranks) = SeriesSet::union(tags, &[table.series.as_part(), old.series.as_part()]);
    for entry in entries.iter_mut() {
        entry.rank = ranks[0][entry.rank as usize];
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

/// The numbers of the columns that the day file has: declared ones, and those with a value on this day.
fn occurring_columns(
    schema: &MeasurementSchema,
    fields: &[Option<FieldColumn<'_>>],
    series: &SeriesSet,
    entries: &[Entry],
) -> Vec<usize> {
    let mut used = vec![false; series.len()];
    for entry in entries {
        used[entry.rank as usize] = true;
    }
    let tag_occurs = |tag: usize| {
        (0..)
            .zip(&used)
            .any(|(rank, used)| *used && series.value(rank, tag).is_some())
    };
    schema
        .columns
        .iter()
        .enumerate()
        .filter(|(number, column)| {
            column.origin == ColumnOrigin::Declared
                || match column.kind {
                    ColumnKind::Tag => tag_occurs(*number),
                    ColumnKind::Field => fields[*number].as_ref().is_some_and(|field| field.occurs(entries)),
                }
        })
        .map(|(number, _)| number)
        .collect()
}

/// A tag column of a leaf: a dictionary of the values that occur in it, ascending.
fn tag_column(series: &SeriesSet, tag: usize, firsts: &[&Entry]) -> ArrayRef {
    let mut key_of_value: Vec<i32> = vec![-1; series.values(tag).len()];
    for entry in firsts {
        if let Some(value) = series.value(entry.rank, tag) {
            key_of_value[value as usize] = 0;
        }
    }
    let mut values = Vec::new();
    for (key, value) in key_of_value.iter_mut().zip(series.values(tag)) {
        if *key == 0 {
            *key = i32::try_from(values.len()).expect("a leaf has fewer rows than i32 can count");
            values.push(value.as_str());
        }
    }
    let keys: Int32Array = firsts
        .iter()
        .map(|entry| series.value(entry.rank, tag).map(|value| key_of_value[value as usize]))
        .collect();
    let (_, keys, nulls) = keys.into_parts();
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
    let keys = Int32Array::new(keys, nulls);
    let dictionary = DictionaryArray::<Int32Type>::try_new(keys, Arc::new(StringArray::from(values)));
    Arc::new(dictionary.expect("every key was made from the values"))
}
