//! One day of one measurement: new rows merged with what its files hold, and staged. Leaves that the new rows leave as they are get
//! copied as bytes; the others are read, merged and encoded on all cores.

mod recorded;
mod writer;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;

pub use self::writer::LeafCounts;

use self::recorded::RecordedDay;
use self::writer::DayWriter;
use crate::calendar::{Day, Zone};
use crate::encode::{EncodedLeaf, LeafEncoder, LeafRows};
use crate::error::Result;
use crate::format::{Formats, TimeUnit};
use crate::order::{DayColumns, Entry, OldDay, OldSlice, RunCounts, Slice, SortedRun, divide_old, leaf_limit};
use crate::store::Staging;
use crate::store::record::DayEntry;
use crate::table::SettledTable;
use crate::table::schema::MeasurementSchema;

/// Leaves that are read or encoded at once for each thread: enough to keep all busy, few enough to bound what waits to be written.
const LEAVES_PER_THREAD: usize = 2;

/// What a day is written with.
#[derive(Clone, Copy)]
pub struct DayContext<'a> {
    /// Where the file on record under a path relative to the archive is.
    pub locate: &'a (dyn Fn(&str) -> PathBuf + Sync),
    pub zone: Zone,
    pub time_unit: TimeUnit,
    pub formats: Formats,
    /// Rows of a leaf at most: [`LEAF_ROWS`](crate::order::LEAF_ROWS), but for tests.
    pub leaf_rows: usize,
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
    let mut merge = Merge {
        context,
        staging,
        table,
        day,
        old: old.as_ref(),
        columns: &columns,
        limit: plan.limit,
        encoder: LeafEncoder::new(Arc::clone(columns.schema()), context.formats)?,
        writer: None,
        waiting: Vec::new(),
        counts: RunCounts::default(),
    };
    if !plan.may_copy {
        merge.writer()?;
    }
    for group in plan.groups() {
        merge.group(&plan, group, &entries)?;
    }
    let Merge { writer, counts, .. } = merge;
    let (entry, leaves) = match writer {
        // Nothing differs from what is there.
        None => (None, LeafCounts::default()),
        Some(writer) => {
            let leaves = writer.counts();
            (writer.finish(before)?, leaves)
        }
    };
    Ok(WrittenEntry { entry, counts, leaves })
}

/// The leaves of a day as its files hold them, after checking every byte that was read against the hashes on record.
///
/// # Errors
/// A file that is missing, damaged, or not the one on record.
pub fn read_day(context: DayContext<'_>, schema: &MeasurementSchema, entry: &DayEntry) -> Result<Vec<LeafRows>> {
    RecordedDay::open(context, schema, entry)?.rows(context, 0..entry.leaves.len())
}

/// A slice of a day with what the day's file has of it and what is new.
#[derive(Debug)]
struct Part {
    slice: Slice,
    /// Its leaves among those of the file.
    leaves: Range<usize>,
    /// Rows of these leaves.
    old_rows: usize,
    /// Its rows among the new ones.
    new: Range<usize>,
}

/// What is to be done for a day.
#[derive(Debug)]
struct Plan {
    parts: Vec<Part>,
    /// Rows of a leaf at most.
    limit: usize,
    /// Whether leaves of the file may be copied: it has the columns that the day has now, and this encoder wrote it.
    may_copy: bool,
}

impl Plan {
    fn new(
        context: DayContext<'_>,
        day: Day,
        columns: &DayColumns,
        old: Option<&RecordedDay<'_>>,
        entries: &[Entry],
    ) -> Self {
        let limit_of = |columns: usize| leaf_limit(1 + columns, context.leaf_rows);
        let limit = limit_of(columns.schema().columns.len());
        let (first, end) = context.zone.bounds(day);
        let day = Slice::of_day(first..end);
        let leaves = old.map_or_else(Vec::new, RecordedDay::old_leaves);
        // With more columns leaves get smaller: the slices of the old division are some of those of the new one. Otherwise nothing is
        // known of what the other encoder did.
        let slices = old.and_then(|old| {
            let old_limit = limit_of(old.schema().columns.len());
            (old.is_of_this_encoder() && limit <= old_limit)
                .then(|| divide_old(day.clone(), old_limit, &leaves))
                .flatten()
        });
        let may_copy =
            slices.is_some() && old.is_some_and(|old| old.schema() == columns.schema() && old.has(context.formats));
        let whole = || {
            let leaves = 0..leaves.len();
            vec![OldSlice { slice: day, leaves }]
        };
        let mut next = 0;
        let part = |OldSlice { slice, leaves: here }: OldSlice| {
            let start = next;
            next += entries[start..].partition_point(|entry| i128::from(entry.time) < slice.time.end);
            Part {
                slice,
                old_rows: leaves[here.clone()].iter().map(|leaf| leaf.rows).sum(),
                leaves: here,
                new: start..next,
            }
        };
        let parts = slices.unwrap_or_else(whole).into_iter().map(part);
        Self {
            parts: parts
                .filter(|part| !part.leaves.is_empty() || !part.new.is_empty())
                .collect(),
            limit,
            may_copy,
        }
    }

    /// Whether the part's leaves stay as they are.
    fn is_kept(&self, part: &Part) -> bool {
        self.may_copy && part.new.is_empty()
    }

    /// The parts in groups that are merged at once: as many rows as keep all threads busy, or a single part.
    fn groups(&self) -> Vec<&[Part]> {
        let enough = self
            .limit
            .saturating_mul(LEAVES_PER_THREAD * rayon::current_num_threads());
        let (mut groups, mut start, mut rows) = (Vec::new(), 0, 0_usize);
        for (number, part) in self.parts.iter().enumerate() {
            if self.is_kept(part) {
                continue;
            }
            let more = part.old_rows.saturating_add(part.new.len());
            if rows > 0 && rows.saturating_add(more) > enough {
                groups.push(&self.parts[start..number]);
                (start, rows) = (number, 0);
            }
            rows = rows.saturating_add(more);
        }
        groups.push(&self.parts[start..]);
        groups
    }
}

/// One leaf of the new files.
enum NewLeaf<'r, 'a> {
    /// A leaf of the old files.
    Copied(usize),
    /// Rows of a run.
    Encoded(&'r SortedRun<'a>, Range<usize>),
}

/// A day that is being written.
struct Merge<'a> {
    context: DayContext<'a>,
    staging: &'a Staging,
    table: &'a SettledTable,
    day: Day,
    old: Option<&'a RecordedDay<'a>>,
    columns: &'a DayColumns,
    limit: usize,
    encoder: LeafEncoder,
    /// The files, begun with the first leaf that is not as before.
    writer: Option<DayWriter>,
    /// Leaves to be copied if there is such a leaf.
    waiting: Vec<usize>,
    counts: RunCounts,
}

impl Merge<'_> {
    fn group(&mut self, plan: &Plan, parts: &[Part], entries: &[Entry]) -> Result<()> {
        let (old, table, columns) = (self.old, self.table, self.columns);
        let read = |part: &Part| match old {
            Some(old) if !plan.is_kept(part) && !part.leaves.is_empty() => {
                let leaves = old.rows(self.context, part.leaves.clone())?;
                OldDay::new(&table.schema, &leaves).map(Some)
            }
            _ => Ok(None),
        };
        let old_rows: Vec<Option<OldDay>> = parts.par_iter().map(read).collect::<Result<_>>()?;
        let runs: Vec<Option<SortedRun<'_>>> = parts
            .par_iter()
            .zip(&old_rows)
            .map(|(part, old)| sorted(plan, part, table, old.as_ref(), columns, entries))
            .collect::<Result<_>>()?;

        let mut leaves = Vec::new();
        for (part, run) in parts.iter().zip(&runs) {
            if let Some(run) = run {
                self.counts += run.counts();
            }
            match run {
                Some(run) if !plan.may_copy || run.adds_something() => {
                    let rows = run.leaves(self.limit).into_iter();
                    leaves.extend(rows.map(|rows| NewLeaf::Encoded(run, rows)));
                }
                _ => leaves.extend(part.leaves.clone().map(NewLeaf::Copied)),
            }
        }
        self.write(&leaves)
    }

    /// Writes leaves in order, as many at once as keep all threads busy.
    fn write(&mut self, leaves: &[NewLeaf<'_, '_>]) -> Result<()> {
        let at_once = LEAVES_PER_THREAD * rayon::current_num_threads();
        let is_encoded = |leaf: &NewLeaf<'_, '_>| matches!(leaf, NewLeaf::Encoded(..));
        let mut rest = leaves;
        while !rest.is_empty() {
            let mut encoded = 0;
            let end = rest.iter().position(|leaf| {
                encoded += usize::from(is_encoded(leaf));
                encoded > at_once
            });
            let (now, later) = rest.split_at(end.unwrap_or(rest.len()));
            let begun = self.writer.as_ref().map_or(self.waiting.len(), DayWriter::leaves);
            let encode = |(place, leaf): (usize, &NewLeaf<'_, '_>)| match leaf {
                NewLeaf::Copied(_) => Ok(None),
                NewLeaf::Encoded(run, rows) => self.encoder.encode(begun + place, &run.leaf(rows.clone())?).map(Some),
            };
            let encoded: Vec<Option<EncodedLeaf>> = now.par_iter().enumerate().map(encode).collect::<Result<_>>()?;
            for (leaf, encoded) in now.iter().zip(encoded) {
                match (leaf, encoded) {
                    (_, Some(encoded)) => self.writer()?.append(encoded)?,
                    (NewLeaf::Copied(leaf), None) => self.copy(*leaf)?,
                    (NewLeaf::Encoded(..), None) => unreachable!("each of these was encoded"),
                }
            }
            rest = later;
        }
        Ok(())
    }

    /// The files, begun if they are not yet.
    fn writer(&mut self) -> Result<&mut DayWriter> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => {
                let mut writer = DayWriter::new(self.context, self.staging, self.columns.schema(), self.day)?;
                for leaf in self.waiting.drain(..) {
                    copy(&mut writer, self.old, leaf)?;
                }
                writer
            }
        };
        Ok(self.writer.insert(writer))
    }

    fn copy(&mut self, leaf: usize) -> Result<()> {
        match &mut self.writer {
            Some(writer) => copy(writer, self.old, leaf),
            None => {
                self.waiting.push(leaf);
                Ok(())
            }
        }
    }
}

fn copy(writer: &mut DayWriter, old: Option<&RecordedDay<'_>>, leaf: usize) -> Result<()> {
    writer.copy(old.expect("leaves are copied from the files that have them"), leaf)
}

/// A part's rows, old and new, sorted; `None` where its leaves stay as they are.
fn sorted<'a>(
    plan: &Plan,
    part: &Part,
    table: &'a SettledTable,
    old: Option<&'a OldDay>,
    columns: &'a DayColumns,
    entries: &'a [Entry],
) -> Result<Option<SortedRun<'a>>> {
    if plan.is_kept(part) {
        return Ok(None);
    }
    let new = &entries[part.new.clone()];
    SortedRun::merge(table, old, new, columns, part.slice.clone()).map(Some)
}
