//! A day whose column gets another type: its leaves are read, converted, folded and sorted anew, and encoded, a few at a time.
//!
//! Points are folded anew, because the values of a conflict stand in the order of their type, and texts of one number become one
//! value. Where that takes rows away, a slice of the day that was split may be whole again: the day is divided by the new rows,
//! so that its files are what they would be if the column had had this type from the start.

use std::collections::BTreeSet;
use std::iter;
use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat};
use rayon::prelude::*;

use super::super::day_file::{DayContext, DayWriter, RecordedDay, leaves_at_once};
use crate::calendar::Day;
use crate::encode::{DaySchema, EncodedLeaf, LeafEncoder, LeafRows};
use crate::error::{Error, Result};
use crate::order::{DayColumns, OldDay, OldSlice, Slice, SortedRun, divide, divide_old};
use crate::report::escaped;
use crate::store::Staging;
use crate::store::record::DayEntry;
use crate::table::schema::{Column, ColumnKind, ColumnType, MeasurementSchema};
use crate::table::series::SeriesSet;
use crate::table::{SettledTable, convert, may_join};

/// A column that gets another type.
pub struct Change {
    /// The columns as they were.
    pub before: Arc<MeasurementSchema>,
    /// The columns as they will be.
    pub after: Arc<MeasurementSchema>,
    /// The column's number in both.
    number: usize,
}

impl Change {
    pub fn new(before: &Arc<MeasurementSchema>, number: usize, ty: ColumnType) -> Self {
        let mut after = MeasurementSchema::clone(before);
        after.columns[number].ty = ty;
        Self {
            before: Arc::clone(before),
            after: Arc::new(after),
            number,
        }
    }

    /// The column as it was.
    pub fn column(&self) -> &Column {
        &self.before.columns[self.number]
    }

    /// The type that it gets.
    pub fn ty(&self) -> ColumnType {
        self.after.columns[self.number].ty
    }
}

/// Stages the files of a day with the column in its new type. `None` where it does not have the column, or where its files say the
/// same in both types, as those of a day without Parquet can.
///
/// # Errors
/// The first value that does not fit; files that are not as the ledger says; a disk that can't be written.
pub fn rewrite_day(
    context: DayContext<'_>,
    staging: &Staging,
    change: &Change,
    entry: &DayEntry,
) -> Result<Option<DayEntry>> {
    let old = RecordedDay::open(context, &change.before, entry)?;
    let columns = &old.schema().columns;
    let Some(place) = columns.iter().position(|column| column.name == change.column().name) else {
        return Ok(None);
    };
    let tags = change
        .after
        .columns
        .iter()
        .filter(|column| column.kind == ColumnKind::Tag);
    let table = SettledTable {
        schema: Arc::clone(&change.after),
        series: SeriesSet::union(tags.count(), &[]).0,
        batches: Vec::new(),
    };
    let columns = DayColumns::new(&table, columns, &[], context.time_unit);
    let (first, end) = context.zone.bounds(entry.day.parse()?);
    let mut schema = DaySchema::clone(old.schema());
    schema.columns[place].ty = change.ty();
    let rewriting = Rewriting {
        context,
        change,
        entry,
        old: &old,
        place,
        schema: Arc::new(schema),
        table: &table,
        columns: &columns,
        day: Slice::of_day(first..end),
        limit: context.leaf_size.limit(1 + columns.schema().columns.len()),
    };
    rewriting.write(staging)
}

struct Rewriting<'a> {
    context: DayContext<'a>,
    change: &'a Change,
    entry: &'a DayEntry,
    old: &'a RecordedDay<'a>,
    /// The column's number among the day's.
    place: usize,
    /// The day's columns, with the new type.
    schema: Arc<DaySchema>,
    /// No rows: all of them come from the day's files.
    table: &'a SettledTable,
    columns: &'a DayColumns,
    day: Slice,
    /// Rows of a leaf at most.
    limit: usize,
}

impl Rewriting<'_> {
    fn write(&self, staging: &Staging) -> Result<Option<DayEntry>> {
        let day: Day = self.entry.day.parse()?;
        let encoder = LeafEncoder::new(self.columns.schema().clone(), self.context.formats)?;
        let mut writer = DayWriter::new(self.context, staging, self.columns.schema(), day)?;
        for parts in self.parts()?.chunks(leaves_at_once()) {
            let rows = in_order(parts.par_iter().map(|leaves| self.read(leaves.clone())))?;
            let runs = in_order(rows.par_iter().map(|rows| self.sort(rows)))?;
            let leaves: Vec<(&SortedRun<'_>, Range<usize>)> = runs
                .iter()
                .flat_map(|run| run.leaves(self.limit).into_iter().map(move |rows| (run, rows)))
                .collect();
            for leaves in leaves.chunks(leaves_at_once()) {
                let begun = writer.leaves();
                let encode = |(at, (run, rows)): (usize, &(&SortedRun<'_>, Range<usize>))| {
                    encoder.encode(begun + at, &run.leaf(rows.clone())?)
                };
                let encoded: Vec<EncodedLeaf> = leaves.par_iter().enumerate().map(encode).collect::<Result<_>>()?;
                for leaf in encoded {
                    writer.append(leaf)?;
                }
            }
        }
        writer.finish(Some(self.entry))
    }

    /// The leaves of the old files that are read together: those whose rows make one leaf of the new ones, or several of a single
    /// instant.
    fn parts(&self) -> Result<Vec<Range<usize>>> {
        let leaves = self.old.old_leaves();
        let slices = match self.old.is_of_this_encoder() {
            true => divide_old(self.day.clone(), self.limit, &leaves),
            false => None,
        };
        // Nothing is known of what another encoder did.
        let Some(mut slices) = slices else {
            return Ok(iter::once(0..leaves.len()).collect());
        };
        slices.retain(|slice| !slice.leaves.is_empty());
        let rows = match may_join(self.change.column().ty, self.change.ty()) {
            true => self.count(&slices)?,
            false => {
                let rows = |slice: &OldSlice| leaves[slice.leaves.clone()].iter().map(|leaf| leaf.rows).sum();
                slices.iter().map(rows).collect()
            }
        };
        Ok(join(&self.day, self.limit, &slices, &rows))
    }

    /// How many rows each slice will have.
    fn count(&self, slices: &[OldSlice]) -> Result<Vec<usize>> {
        let mut counts = Vec::with_capacity(slices.len());
        for slices in slices.chunks(leaves_at_once()) {
            let count = |slice: &OldSlice| {
                let rows = self.read(slice.leaves.clone())?;
                Ok(self.sort(&rows)?.rows())
            };
            counts.extend(in_order(slices.par_iter().map(count))?);
        }
        Ok(counts)
    }

    /// Rows of the old files in the new type.
    fn read(&self, leaves: Range<usize>) -> Result<OldDay> {
        let mut rows = self.old.rows(self.context, leaves)?;
        for leaf in &mut rows {
            self.convert(leaf)?;
        }
        OldDay::new(&self.change.after, &rows)
    }

    fn convert(&self, leaf: &mut LeafRows) -> Result<()> {
        let array = convert(&leaf.columns[self.place], self.change.ty()).map_err(|unfit| {
            let column = self.change.column();
            let time = DateTime::from_timestamp_nanos(leaf.times[unfit.row]);
            let cause = format!(
                "holds the {} {} on {}, at {}, which is no {}",
                column.ty,
                escaped(&unfit.value),
                self.entry.day,
                time.to_rfc3339_opts(SecondsFormat::Nanos, true),
                self.change.ty()
            );
            Error::new(
                escaped(&format!("{}.{}", self.change.before.measurement, column.name)),
                cause,
            )
            .hint("every value has to be the same in the new type, and any fits string; nothing was changed")
        })?;
        leaf.columns[self.place] = array;
        leaf.schema = Arc::clone(&self.schema);
        Ok(())
    }

    fn sort<'r>(&'r self, rows: &'r OldDay) -> Result<SortedRun<'r>> {
        SortedRun::merge(self.table, Some(rows), Vec::new(), self.columns, self.day.clone())
    }
}

/// Puts together the slices of a day that are no longer split once they have these rows; gives the leaves of each. A slice that has
/// no more rows than before is not split where it was not.
fn join(day: &Slice, limit: usize, slices: &[OldSlice], rows: &[usize]) -> Vec<Range<usize>> {
    // Wherever the division cuts now it cut before: between two slices, or inside of a single instant.
    let rows_before = |time: i128| {
        let before = slices
            .iter()
            .zip(rows)
            .take_while(|(slice, _)| slice.slice.time.end <= time);
        before.map(|(_, rows)| rows).sum::<usize>()
    };
    let ends: BTreeSet<usize> = divide(day, limit, rows_before)
        .into_iter()
        .map(|leaf| leaf.end)
        .collect();
    let mut parts = Vec::new();
    let (mut row, mut start) = (0, 0);
    for (slice, rows) in slices.iter().zip(rows) {
        row += rows;
        if ends.contains(&row) {
            parts.push(start..slice.leaves.end);
            start = slice.leaves.end;
        }
    }
    parts
}

/// All results, or the first error in their order, whichever thread was there first.
fn in_order<R: Send>(results: impl IndexedParallelIterator<Item = Result<R>>) -> Result<Vec<R>> {
    let results: Vec<Result<R>> = results.collect();
    results.into_iter().collect()
}
