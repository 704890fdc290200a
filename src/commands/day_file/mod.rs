//! One day of one measurement: new rows merged with what its files hold, and staged. Leaves that the new rows leave as they are get
//! copied as bytes; the others are read, merged and encoded on all cores.

mod merge;
mod plan;
mod recorded;
mod writer;

use std::path::PathBuf;

use rayon::slice::ParallelSliceMut as _;

pub use self::plan::leaves_at_once;
pub use self::recorded::RecordedDay;
pub use self::writer::{DayWriter, LeafCounts};

use self::merge::{Job, Merge};
use self::plan::Plan;
use crate::calendar::{Day, Zone};
use crate::encode::{LeafEncoder, LeafRows};
use crate::error::Result;
use crate::format::{Formats, TimeUnit};
use crate::order::{DayColumns, Entry, LeafSize, RunCounts};
use crate::store::Staging;
use crate::store::record::DayEntry;
use crate::table::SettledTable;
use crate::table::schema::MeasurementSchema;

/// What a day is written with.
#[derive(Clone, Copy)]
pub struct DayContext<'a> {
    /// Where the file on record under a path relative to the archive is.
    pub locate: &'a (dyn Fn(&str) -> PathBuf + Sync),
    pub zone: Zone,
    pub time_unit: TimeUnit,
    pub formats: Formats,
    /// The default, but for tests.
    pub leaf_size: LeafSize,
}

/// What became of a day.
#[derive(Debug)]
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
    table: &SettledTable,
    day: Day,
    mut entries: Vec<Entry>,
    before: Option<&DayEntry>,
) -> Result<WrittenEntry> {
    entries.par_sort_unstable();
    let old = match before {
        Some(entry) => Some(RecordedDay::open(context, &table.schema, entry)?),
        None => None,
    };
    let old_columns = old.as_ref().map_or(&[][..], |old| &old.schema().columns);
    let columns = DayColumns::new(table, old_columns, &entries, context.time_unit);
    let plan = Plan::new(context, day, &columns, old.as_ref(), &entries);
    let job = Job {
        context,
        staging,
        table,
        day,
        old: old.as_ref(),
        columns: &columns,
        plan: &plan,
        encoder: &LeafEncoder::new(columns.schema().clone(), context.formats)?,
    };
    let mut merge = Merge::begin(job)?;
    for parts in plan.groups() {
        merge.group(parts, &entries)?;
    }
    merge.finish(before)
}

/// The leaves of a day as its files hold them, after checking every byte that was read against the hashes on record.
///
/// # Errors
/// A file that is missing, damaged, or not the one on record.
pub fn read_day(context: DayContext<'_>, schema: &MeasurementSchema, entry: &DayEntry) -> Result<Vec<LeafRows>> {
    RecordedDay::open(context, schema, entry)?.rows(context, 0..entry.leaves.len())
}
