//! A part of a day with more rows than may be in memory at once: merged slice by slice, in the division that its rows will have.
//!
//! Which slices are leaves depends on how many rows they have once they are merged, which is known only then. So slices that may yet
//! turn out to be parts of one leaf wait, never more rows of them than a leaf has.

use super::merge::{Merge, NewLeaf};
use super::plan::Part;
use crate::encode::LeafRows;
use crate::error::Result;
use crate::order::{OldDay, Slice, SortedRun};
use crate::table::SettledTable;

/// Merged rows of a slice that are no more than one leaf's.
pub(super) struct Unit {
    pub slice: Slice,
    /// In order, of disjoint times.
    pub pieces: Vec<LeafRows>,
}

/// A slice that is being merged in parts.
#[derive(Default)]
struct Frame {
    /// Merged rows so far.
    rows: usize,
    /// Those of its parts that are done, unless it is known that it has more rows than a leaf.
    units: Vec<Unit>,
}

/// What is known while a part is merged.
struct Progress<'p> {
    part: &'p Part,
    frames: Vec<Frame>,
    /// All of the part, if it is no more than one leaf.
    whole: Option<Unit>,
    adds_something: bool,
    /// Leaves that wait to be encoded together.
    ready: Vec<NewLeaf<'p, 'p>>,
}

impl Merge<'_> {
    /// Merges a part slice by slice.
    ///
    /// # Errors
    /// As [`Merge::group`].
    pub(super) fn large(&mut self, part: &Part) -> Result<()> {
        let mut progress = Progress {
            part,
            frames: Vec::new(),
            whole: None,
            adds_something: false,
            ready: Vec::new(),
        };
        self.slice(&mut progress, part.slice.clone())?;
        if let Some(unit) = progress.whole.take() {
            if self.may_keep(part) && !progress.adds_something && !part.leaves.is_empty() {
                progress.ready.extend(part.leaves.clone().map(NewLeaf::Kept));
            } else {
                let leaf = self.join(unit)?;
                progress.ready.push(NewLeaf::Rows(leaf));
            }
        }
        self.write(&progress.ready)
    }

    fn slice(&mut self, progress: &mut Progress<'_>, slice: Slice) -> Result<()> {
        let job = self.job();
        let rows = job.rows_to_read(progress.part, &slice.time);
        if rows == 0 && job.new.rows_in(&slice.time) == 0 {
            return Ok(());
        }
        let parts = match rows > job.plan.rows_at_once {
            true => slice.parts(),
            false => None,
        };
        let Some(parts) = parts else {
            return self.merge_slice(progress, slice);
        };
        progress.frames.push(Frame::default());
        for part in parts {
            self.slice(progress, part)?;
        }
        let frame = progress.frames.pop().unwrap_or_default();
        if frame.rows == 0 || frame.rows > job.plan.limit {
            return Ok(());
        }
        let unit = Unit {
            slice,
            pieces: frame.units.into_iter().flat_map(|unit| unit.pieces).collect(),
        };
        self.done(progress, unit)
    }

    /// Merges a slice that is read at once.
    fn merge_slice(&mut self, progress: &mut Progress<'_>, slice: Slice) -> Result<()> {
        let job = self.job();
        let old = job.read_span(progress.part, &slice.time)?;
        let new = job.new.load(&slice.time)?;
        let table: &SettledTable = &new.table;
        let run = SortedRun::merge(table, old.as_ref(), &*new.entries, job.columns, slice.clone())?;
        progress.adds_something |= run.adds_something();
        self.note(&run);
        let rows = run.rows();
        if rows == 0 {
            return Ok(());
        }
        for frame in &mut progress.frames {
            frame.rows += rows;
        }
        if rows <= job.plan.limit {
            let pieces = vec![run.leaf(0..rows)?];
            return self.done(progress, Unit { slice, pieces });
        }
        if progress.frames.is_empty() && self.may_keep(progress.part) && !run.adds_something() {
            // All rows of one instant.
            progress.ready.extend(progress.part.leaves.clone().map(NewLeaf::Kept));
            return Ok(());
        }
        self.release(progress)?;
        self.write(&std::mem::take(&mut progress.ready))?;
        let leaves = run.leaves(job.plan.limit).into_iter();
        let leaves: Vec<NewLeaf<'_, '_>> = leaves.map(|rows| NewLeaf::Encoded(&run, rows)).collect();
        self.write(&leaves)
    }

    /// Puts a slice that is merged where it waits, and releases what need not wait any longer. Its rows are counted already.
    fn done(&mut self, progress: &mut Progress<'_>, unit: Unit) -> Result<()> {
        match progress.frames.last_mut() {
            Some(frame) => frame.units.push(unit),
            None => progress.whole = Some(unit),
        }
        self.release(progress)
    }

    /// Gives up the slices around that have more rows than a leaf: their parts that are done are leaves.
    fn release(&mut self, progress: &mut Progress<'_>) -> Result<()> {
        let limit = self.job().plan.limit;
        for number in 0..progress.frames.len() {
            let frame = &mut progress.frames[number];
            if frame.rows <= limit {
                // Those inside have fewer.
                break;
            }
            for unit in std::mem::take(&mut frame.units) {
                let leaf = self.join(unit)?;
                progress.ready.push(NewLeaf::Rows(leaf));
                if progress.ready.len() >= self.job().plan.leaves_at_once {
                    self.write(&std::mem::take(&mut progress.ready))?;
                }
            }
        }
        Ok(())
    }

    /// The rows of a unit as one leaf.
    pub(super) fn join(&self, unit: Unit) -> Result<LeafRows> {
        let job = self.job();
        let Unit { slice, mut pieces } = unit;
        // What the day's files had before may lack columns.
        let is_it = |piece: &LeafRows| piece.schema == *job.columns.schema();
        if pieces.len() == 1
            && let Some(piece) = pieces.pop_if(|piece| is_it(piece))
        {
            return Ok(piece);
        }
        let schema = job.new.schema();
        let nothing_new = SettledTable::without_rows(schema.clone());
        let rows = OldDay::new(schema, &pieces)?;
        let run = SortedRun::merge(&nothing_new, Some(&rows), Vec::new(), job.columns, slice)?;
        run.leaf(0..run.rows())
    }
}
