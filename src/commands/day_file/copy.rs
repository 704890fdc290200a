//! A day of another archive that this one does not have: its leaves are copied as they are where its rows would get the same bytes here.

use rayon::prelude::*;

use super::recorded::RecordedDay;
use super::writer::DayWriter;
use super::{DayContext, WrittenEntry};
use crate::error::Result;
use crate::order::{PointCounter, RunCounts};
use crate::store::Staging;
use crate::store::record::DayEntry;
use crate::table::schema::{Column, ColumnOrigin, MeasurementSchema};

/// Copies a day that stands in another archive as `entry` with the columns `own`; here its measurement has those of `schema`. `None`
/// where the files would differ: other columns, another encoder, a format that is not there.
///
/// # Errors
/// Files of the day that are not as the other ledger says, or a disk that can't be written.
pub fn copy_day(
    context: DayContext<'_>,
    there: DayContext<'_>,
    staging: &Staging,
    own: &MeasurementSchema,
    schema: &MeasurementSchema,
    entry: &DayEntry,
) -> Result<Option<WrittenEntry>> {
    let day = RecordedDay::open(there, own, entry)?;
    let columns = &day.schema().columns;
    let here = schema.columns.iter().filter(|column| occurs(column, columns));
    if !day.is_of_this_encoder() || !day.has(context.formats) || !here.eq(columns) {
        return Ok(None);
    }
    let counts = count(there, &day)?;
    let mut writer = DayWriter::new(context, staging, day.schema(), entry.day.parse()?)?;
    for leaf in 0..entry.leaves.len() {
        writer.copy(&day, leaf)?;
    }
    let leaves = writer.counts();
    Ok(Some(WrittenEntry {
        entry: writer.finish(None)?,
        counts,
        leaves,
    }))
}

/// Whether a day with these columns has this one here.
fn occurs(column: &Column, columns: &[Column]) -> bool {
    column.origin == ColumnOrigin::Declared || columns.iter().any(|other| other.name == column.name)
}

/// How the rows count as lines that are new: decoding them costs far less than encoding them.
fn count(there: DayContext<'_>, day: &RecordedDay<'_>) -> Result<RunCounts> {
    let mut points = PointCounter::default();
    let all: Vec<usize> = (0..day.leaves().len()).collect();
    for leaves in all.chunks(rayon::current_num_threads()) {
        let rows = leaves.par_iter().map(|&leaf| day.rows(there, leaf..leaf + 1));
        for leaf in rows.collect::<Result<Vec<_>>>()?.into_iter().flatten() {
            points.add(leaf);
        }
    }
    Ok(points.counts())
}
