//! Parts of a day -> its new files: what has to be is read, merged and encoded, a few leaves at a time, and the rest is copied.

use std::ops::Range;

use rayon::prelude::*;

use super::plan::{Part, Plan, leaves_at_once};
use super::recorded::RecordedDay;
use super::writer::{DayWriter, LeafCounts};
use super::{DayContext, WrittenEntry};
use crate::calendar::Day;
use crate::encode::{EncodedLeaf, LeafEncoder, WideLeaf, Widening};
use crate::error::Result;
use crate::order::{DayColumns, Entry, OldDay, RunCounts, SortedRun};
use crate::store::Staging;
use crate::store::record::DayEntry;
use crate::table::SettledTable;

/// What a day is made of.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    pub context: DayContext<'a>,
    pub staging: &'a Staging,
    /// Whose rows are new.
    pub table: &'a SettledTable,
    pub day: Day,
    pub old: Option<&'a RecordedDay<'a>>,
    pub columns: &'a DayColumns,
    pub plan: &'a Plan,
    pub encoder: &'a LeafEncoder,
}

/// One leaf of the new files.
enum NewLeaf<'r, 'a> {
    /// A leaf of the old files.
    Kept(usize),
    /// Rows of a run.
    Encoded(&'r SortedRun<'a>, Range<usize>),
}

/// A leaf that is ready to be appended.
enum ReadyLeaf<'a> {
    Encoded(EncodedLeaf),
    /// A leaf of the old files, with more columns.
    Wide(usize, WideLeaf<'a>),
    /// A leaf of the old files, still there.
    Copied(usize),
}

/// A day that is being written.
pub struct Merge<'a> {
    job: Job<'a>,
    /// The files, begun with the first leaf that is not as before.
    writer: Option<DayWriter>,
    /// Leaves to be copied if there is such a leaf.
    waiting: Vec<usize>,
    counts: RunCounts,
}

impl<'a> Merge<'a> {
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
    /// Leaves that are not what was committed; the disk's.
    pub fn group(&mut self, parts: &[Part], entries: &[Entry]) -> Result<()> {
        let job = self.job;
        let old_rows: Vec<Option<OldDay>> = parts.par_iter().map(|part| job.read(part)).collect::<Result<_>>()?;
        let runs: Vec<Option<SortedRun<'_>>> = parts
            .par_iter()
            .zip(&old_rows)
            .map(|(part, old)| job.sort(part, old.as_ref(), entries))
            .collect::<Result<_>>()?;

        let mut leaves = Vec::new();
        for (part, run) in parts.iter().zip(&runs) {
            if let Some(run) = run {
                self.counts += run.counts();
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

    /// Writes leaves in order, as many at once as keep all threads busy.
    fn write(&mut self, leaves: &[NewLeaf<'_, '_>]) -> Result<()> {
        let job = self.job;
        let mut rest = leaves;
        while !rest.is_empty() {
            // Leaves that are copied as bytes are no work for the threads, and don't wait in memory.
            let mut busy = 0;
            let end = rest.iter().position(|leaf| {
                busy += usize::from(job.is_work(leaf));
                busy > leaves_at_once()
            });
            let (now, later) = rest.split_at(end.unwrap_or(rest.len()));
            let begun = self.writer.as_ref().map_or(self.waiting.len(), DayWriter::leaves);
            let ready = |(place, leaf)| job.make_ready(begun + place, leaf);
            let ready: Vec<ReadyLeaf<'_>> = now.par_iter().enumerate().map(ready).collect::<Result<_>>()?;
            for leaf in ready {
                match leaf {
                    ReadyLeaf::Encoded(leaf) => self.writer()?.append(leaf)?,
                    ReadyLeaf::Wide(number, leaf) => self.writer()?.append_wide(&job.kept().leaves()[number], leaf)?,
                    ReadyLeaf::Copied(leaf) => self.copy(leaf)?,
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
    /// What the day's files have of a part, where that has to be known.
    fn read(self, part: &Part) -> Result<Option<OldDay>> {
        match self.old {
            Some(old) if !self.plan.is_kept(part) && !part.leaves.is_empty() => {
                let leaves = old.rows(self.context, part.leaves.clone())?;
                OldDay::new(&self.table.schema, &leaves).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// A part's rows, old and new, sorted; `None` where its leaves stay as they are.
    fn sort<'r>(self, part: &Part, old: Option<&'r OldDay>, entries: &'r [Entry]) -> Result<Option<SortedRun<'r>>>
    where
        'a: 'r,
    {
        if self.plan.is_kept(part) {
            return Ok(None);
        }
        let new = &entries[part.new.clone()];
        SortedRun::merge(self.table, old, new, self.columns, part.slice.clone()).map(Some)
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
        matches!(leaf, NewLeaf::Encoded(..)) || self.widening().is_some()
    }

    /// What becomes row group `index`, as far as it is work for many threads.
    fn make_ready(self, index: usize, leaf: &NewLeaf<'_, '_>) -> Result<ReadyLeaf<'a>> {
        match (leaf, self.widening()) {
            (NewLeaf::Encoded(run, rows), _) => {
                let leaf = self.encoder.encode(index, &run.leaf(rows.clone())?)?;
                Ok(ReadyLeaf::Encoded(leaf))
            }
            (NewLeaf::Kept(leaf), Some(widening)) => {
                let wide = self
                    .kept()
                    .widen(*leaf, self.encoder, self.context.formats, widening, index)?;
                Ok(ReadyLeaf::Wide(*leaf, wide))
            }
            (NewLeaf::Kept(leaf), None) => Ok(ReadyLeaf::Copied(*leaf)),
        }
    }
}
