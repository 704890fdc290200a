//! One day of one measurement: new rows merged with what its files hold, and staged. Leaves that the new rows leave as they are get
//! copied as bytes; the others are read, merged and encoded on all cores.

mod copy;
mod large;
mod merge;
mod new_rows;
mod plan;
mod recorded;
mod room;
mod units;
mod writer;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::copy::copy_day;
pub use self::new_rows::{NewRows, OtherDay};
pub use self::plan::{BYTES_PER_CELL, leaves_at_once};
pub use self::recorded::RecordedDay;
pub use self::units::{SplicedUnit, UnitSpan, WrittenUnit, divide_day, occurring, splice_day, write_unit};
pub use self::writer::{DayWriter, LeafCounts};

use self::merge::{Job, Merge};
use self::plan::Plan;
use crate::calendar::{Day, Zone};
use crate::console::Work;
use crate::encode::{LeafEncoder, LeafRows};
use crate::error::Result;
use crate::format::{Formats, TimeUnit};
use crate::order::{LeafSize, RunCounts};
use crate::store::Staging;
use crate::store::record::DayEntry;
use crate::table::schema::MeasurementSchema;

/// What a day is written with.
#[derive(Clone, Copy)]
pub struct DayContext<'a> {
    /// Where the file on record under a path relative to the archive is.
    pub locate: &'a (dyn Fn(&str) -> Result<PathBuf> + Sync),
    pub zone: Zone,
    pub time_unit: TimeUnit,
    pub formats: Formats,
    /// The default, but for tests.
    pub leaf_size: LeafSize,
    /// Bytes that reading, merging and encoding the day may take; a leaf is in memory at least.
    pub memory: usize,
    /// Is told of the rows that are written.
    pub work: Option<&'a Work>,
}

/// What became of a day.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WrittenEntry {
    /// The day's new entry, or `None` where the new lines changed no byte of it.
    pub entry: Option<DayEntry>,
    pub counts: RunCounts,
    pub leaves: LeafCounts,
}

/// Merges new rows into a day and stages its files.
///
/// # Errors
/// Files of the day that are not as the ledger says, or a disk that can't be written.
pub fn write_day(
    context: DayContext<'_>,
    staging: &Staging,
    day: Day,
    new: &NewRows<'_>,
    before: Option<&DayEntry>,
) -> Result<WrittenEntry> {
    let old = open(context, new.schema(), before)?;
    let old_columns = old.as_ref().map_or(&[][..], |old| &old.schema().columns);
    let columns = new.day_columns(old_columns, context.time_unit);
    let plan = Plan::new(context, day, &columns, old.as_ref(), new);
    let job = Job {
        context,
        staging,
        new,
        day,
        old: old.as_ref(),
        columns: &columns,
        plan: &plan,
        encoder: &LeafEncoder::new(columns.schema().clone(), context.formats)?,
    };
    Merge::of_all_parts(job)?.finish(before)
}

/// The files of a day that has some.
fn open<'a>(
    context: DayContext<'_>,
    schema: &MeasurementSchema,
    entry: Option<&'a DayEntry>,
) -> Result<Option<RecordedDay<'a>>> {
    entry.map(|entry| RecordedDay::open(context, schema, entry)).transpose()
}

/// The leaves of a day as its files hold them, after checking every byte that was read against the hashes on record.
///
/// # Errors
/// A file that is missing, damaged, or not the one on record.
pub fn read_day(context: DayContext<'_>, schema: &MeasurementSchema, entry: &DayEntry) -> Result<Vec<LeafRows>> {
    RecordedDay::open(context, schema, entry)?.rows(context, 0..entry.leaves.len())
}
