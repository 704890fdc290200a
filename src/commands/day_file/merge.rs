//! Parts of a day -> its new files: what has to be is read, merged and encoded, a few leaves at a time, and the rest is copied.

use std::ops::Range;

use rayon::prelude::*;

use super::new_rows::NewRows;
use super::plan::{Part, Plan};
use super::recorded::{RecordedDay, share_of};
use super::writer::{DayWriter, LeafCounts};
use super::{DayContext, WrittenEntry};
use crate::calendar::Day;
use crate::encode::{EncodedLeaf, LeafEncoder, LeafRows, WideLeaf, Widening};
use crate::error::Result;
use crate::order::{DayColumns, OldDay, RunCounts, SortedRun};
use crate::store::Staging;
use crate::store::record::{DayEntry, Leaf};
use crate::table::SettledTable;

/// What a day is made of.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    pub context: DayContext<'a>,
    pub staging: &'a Staging,
    pub new: &'a NewRows<'a>,
    pub day: Day,
    pub old: Option<&'a RecordedDay<'a>>,
    pub columns: &'a DayColumns,
    pub plan: &'a Plan,
    pub encoder: &'a LeafEncoder,
}

/// One leaf of the new files.
pub(super) enum NewLeaf<'r, 'a> {
    /// A leaf of the old files.
    Kept(usize),
    /// Rows of a run.
    Encoded(&'r SortedRun<'a>, Range<usize>),
    /// Rows that were merged already.
    Rows(LeafRows),
    /// A leaf of other files, which have the day's columns.
    Made(&'r RecordedDay<'r>, usize),
}

/// A leaf that is ready to be appended.
enum ReadyLeaf<'a, 'r> {
    Encoded(EncodedLeaf),
    /// A leaf of the old files, with more columns.
    Wide(usize, WideLeaf<'a>),
    /// A leaf of the old files, still there.
    Copied(usize),
    /// A leaf of other files, still there.
    Made(&'r RecordedDay<'r>, usize),
}

/// A day that is being written.
pub struct Merge<'a> {
    job: Job<'a>,
    /// The files, begun with the first leaf that is not as before.
    writer: Option<DayWriter>,
    /// Leaves to be copied if there is such a leaf.
    waiting: Vec<usize>,
    counts: RunCounts,
    adds_something: bool,
}

impl<'a> Merge<'a> {
    /// Merges all parts of the plan.
    ///
    /// # Errors
    /// As [`Merge::group`].
    pub fn of_all_parts(job: Job<'a>) -> Result<Self> {
        let mut merge = Self::begin(job)?;
        for parts in job.plan.groups() {
            merge.group(parts)?;
        }
        Ok(merge)
    }

    /// Begins a day's files, unless nothing may have to be written at all.
    ///
    /// # Errors
    /// The disk's.
    pub fn begin(job: Job<'a>) -> Result<Self> {
        let mut merge = Self {
            job,
            writer: None,
            waiting: Vec::new(),
            counts: RunCounts::default(),
            adds_something: false,
        };
        if !job.plan.same_columns {
            merge.writer()?;
        }
        Ok(merge)
    }

    /// Ends the files; `before` is the day's entry as it was.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(self, before: Option<&DayEntry>) -> Result<WrittenEntry> {
        let Self { writer, counts, .. } = self;
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

    /// Writes the next parts of the day, reading and merging at once what is to be merged of them.
    ///
    /// # Errors
    /// Leaves that are not what was committed; rows that can't be read from disk again; the disk's.
    pub fn group(&mut self, parts: &[Part]) -> Result<()> {
        let job = self.job;
        if let [kept @ .., part] = parts
            && kept.iter().all(|part| job.plan.is_kept(part))
            && job.rows_to_read(part, &part.slice.time) > job.plan.rows_at_once
        {
            let kept = kept.iter().flat_map(|part| part.leaves.clone());
            self.write(&kept.map(NewLeaf::Kept).collect::<Vec<_>>())?;
            return self.large(part);
        }
        let new = job.new.load(&span(parts))?;
        let table: &SettledTable = &new.table;
        let parts: Vec<(&Part, Range<usize>)> = parts.iter().map(|part| (part, new.span(&part.slice.time))).collect();
        let old_rows: Vec<Option<OldDay>> = parts
            .par_iter()
            .map(|(part, entries)| match job.stays(part, entries) {
                true => Ok(None),
                false => job.read_span(part, &part.slice.time),
            })
            .collect::<Result<_>>()?;
        let runs: Vec<Option<SortedRun<'_>>> = parts
            .par_iter()
            .zip(&old_rows)
            .map(|((part, entries), old)| {
                if job.stays(part, entries) {
                    return Ok(None);
                }
                let entries = &new.entries[entries.clone()];
                SortedRun::merge(table, old.as_ref(), entries, job.columns, part.slice.clone()).map(Some)
            })
            .collect::<Result<_>>()?;

        let mut leaves = Vec::new();
        for ((part, _), run) in parts.iter().zip(&runs) {
            if let Some(run) = run {
                self.note(run);
            }
            match run {
                Some(run) if !job.plan.may_keep(part) || run.adds_something() => {
                    let rows = run.leaves(job.plan.limit).into_iter();
                    leaves.extend(rows.map(|rows| NewLeaf::Encoded(run, rows)));
                }
                _ => leaves.extend(part.leaves.clone().map(NewLeaf::Kept)),
            }
        }
        self.write(&leaves)
    }

    pub(super) fn job(&self) -> Job<'a> {
        self.job
    }

    pub(super) fn may_keep(&self, part: &Part) -> bool {
        self.job.plan.may_keep(part)
    }

    /// Counts what became of the new lines of a run.
    pub(super) fn note(&mut self, run: &SortedRun<'_>) {
        self.counts += run.counts();
        self.adds_something |= run.adds_something();
    }

    /// Whether the new rows so far say anything that the day's files do not.
    pub(super) fn adds_something(&self) -> bool {
        self.adds_something
    }

    /// Writes leaves in order, as many at once as keep all threads busy.
    pub(super) fn write(&mut self, leaves: &[NewLeaf<'_, '_>]) -> Result<()> {
        let job = self.job;
        let mut rest = leaves;
        while !rest.is_empty() {
            // Leaves that are copied as bytes are no work for the threads, and don't wait in memory.
            let mut busy = 0;
            let end = rest.iter().position(|leaf| {
                busy += usize::from(job.is_work(leaf));
                busy > job.plan.leaves_at_once
            });
            let (now, later) = rest.split_at(end.unwrap_or(rest.len()));
            let begun = self.writer.as_ref().map_or(self.waiting.len(), DayWriter::leaves);
            let ready = |(place, leaf)| job.make_ready(begun + place, leaf);
            let ready: Vec<ReadyLeaf<'_, '_>> = now.par_iter().enumerate().map(ready).collect::<Result<_>>()?;
            for leaf in ready {
                let rows = match leaf {
                    ReadyLeaf::Encoded(leaf) => {
                        let rows = leaf.rows;
                        self.writer()?.append(leaf)?;
                        rows
                    }
                    ReadyLeaf::Wide(number, leaf) => {
                        let old = &job.kept().leaves()[number];
                        self.writer()?.append_wide(old, leaf)?;
                        old.rows
                    }
                    ReadyLeaf::Copied(leaf) => {
                        self.copy(leaf)?;
                        job.kept().leaves()[leaf].rows
                    }
                    ReadyLeaf::Made(file, leaf) => {
                        self.writer()?.copy(file, leaf)?;
                        file.leaves()[leaf].rows
                    }
                };
                if let Some(work) = job.context.work {
                    work.add(rows);
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
                let Job { context, staging, .. } = self.job;
                super::room::ensure_room(self.job)?;
                let mut writer = DayWriter::new(context, staging, self.job.columns.schema(), self.job.day)?;
                for leaf in self.waiting.drain(..) {
                    writer.copy(self.job.kept(), leaf)?;
                }
                writer
            }
        };
        Ok(self.writer.insert(writer))
    }

    fn copy(&mut self, leaf: usize) -> Result<()> {
        match &mut self.writer {
            Some(writer) => writer.copy(self.job.kept(), leaf),
            None => {
                self.waiting.push(leaf);
                Ok(())
            }
        }
    }
}

impl<'a> Job<'a> {
    /// Whether the leaves of a part stay as they are, now that its new rows are known.
    fn stays(self, part: &Part, entries: &Range<usize>) -> bool {
        self.plan.may_keep(part) && entries.is_empty()
    }

    /// How many rows have to be read, about, to merge a span of a part; 0 only where there is none.
    ///
    /// Parts of rows are added up before they are rounded: the shares of two halves are no more than that of the whole, and so splitting
    /// comes to an end.
    pub(super) fn rows_to_read(self, part: &Part, time: &Range<i128>) -> usize {
        let leaves = self.leaves_in(part, time);
        let old: f64 = leaves.iter().map(|(leaf, _)| share_of(leaf, time)).sum();
        (old + self.new.rows_to_read(time)).ceil() as usize
    }

    /// The leaves of a part that may have rows of a span of time, and their numbers.
    fn leaves_in(self, part: &Part, time: &Range<i128>) -> Vec<(&'a Leaf, usize)> {
        let Some(old) = self.old else { return Vec::new() };
        let leaves = part.leaves.clone().map(|number| (&old.leaves()[number], number));
        leaves.filter(|(leaf, _)| share_of(leaf, time) > 0.0).collect()
    }

    /// What the day's files have of a span of a part.
    pub(super) fn read_span(self, part: &Part, time: &Range<i128>) -> Result<Option<OldDay>> {
        let rows = self.rows_there(part, time)?;
        match rows.is_empty() {
            true => Ok(None),
            false => OldDay::new(self.new.schema(), &rows).map(Some),
        }
    }

    /// The same as rows, some of which may be of no row.
    pub(super) fn rows_there(self, part: &Part, time: &Range<i128>) -> Result<Vec<LeafRows>> {
        let mut rows = Vec::new();
        for (leaf, number) in self.leaves_in(part, time) {
            let read = self.kept().rows(self.context, number..number + 1)?;
            let inside = time.contains(&i128::from(leaf.first)) && time.contains(&i128::from(leaf.last));
            rows.extend(
                read.into_iter()
                    .map(|rows| if inside { rows } else { rows.within(time) }),
            );
        }
        Ok(rows)
    }

    /// The files that leaves are kept from.
    fn kept(self) -> &'a RecordedDay<'a> {
        self.old.expect("only a day that has files has leaves that stay")
    }

    /// How the leaves that stay get columns that they lack, if they lack any.
    fn widening(self) -> Option<&'a Widening> {
        self.plan.widening.as_ref().filter(|widening| !widening.is_none())
    }

    fn is_work(self, leaf: &NewLeaf<'_, '_>) -> bool {
        match leaf {
            NewLeaf::Kept(_) => self.widening().is_some(),
            NewLeaf::Made(..) => false,
            NewLeaf::Encoded(..) | NewLeaf::Rows(_) => true,
        }
    }

    /// What becomes row group `index`, as far as it is work for many threads.
    fn make_ready<'r>(self, index: usize, leaf: &NewLeaf<'r, '_>) -> Result<ReadyLeaf<'a, 'r>> {
        match (leaf, self.widening()) {
            (NewLeaf::Encoded(run, rows), _) => {
                let leaf = self.encoder.encode(index, &run.leaf(rows.clone())?)?;
                Ok(ReadyLeaf::Encoded(leaf))
            }
            (NewLeaf::Rows(rows), _) => Ok(ReadyLeaf::Encoded(self.encoder.encode(index, rows)?)),
            (NewLeaf::Kept(leaf), Some(widening)) => {
                let wide = self
                    .kept()
                    .widen(*leaf, self.encoder, self.context.formats, widening, index)?;
                Ok(ReadyLeaf::Wide(*leaf, wide))
            }
            (NewLeaf::Kept(leaf), None) => Ok(ReadyLeaf::Copied(*leaf)),
            (NewLeaf::Made(file, leaf), _) => Ok(ReadyLeaf::Made(file, *leaf)),
        }
    }
}

/// From the beginning of the first part to the end of the last one.
fn span(parts: &[Part]) -> Range<i128> {
    match parts {
        [first, .., last] => first.slice.time.start..last.slice.time.end,
        [one] => one.slice.time.clone(),
        [] => 0..0,
    }
}
