//! Which parts of a day are read and merged, and which leaves of its files stay as they are.

use std::ops::Range;

use super::DayContext;
use super::new_rows::NewRows;
use super::recorded::RecordedDay;
use crate::calendar::Day;
use crate::encode::{DaySchema, Widening};
use crate::order::{DayColumns, OldSlice, Slice, divide_old};

/// Leaves that are encoded at once for each thread: enough to keep all busy, few enough to bound what waits to be written.
const LEAVES_PER_THREAD: usize = 2;

/// Leaves that are encoded at once, where memory does not say less.
pub fn leaves_at_once() -> usize {
    LEAVES_PER_THREAD * rayon::current_num_threads()
}

/// Memory that a value takes while its row is merged and encoded: read, gathered in order, as text, and in Parquet's buffers.
pub const BYTES_PER_CELL: usize = 48;

/// A slice of a day with what the day's file has of it and what is new.
#[derive(Debug)]
pub struct Part {
    pub slice: Slice,
    /// Its leaves among those of the file.
    pub leaves: Range<usize>,
    /// Rows of these leaves.
    pub old_rows: usize,
    /// Whether these are its leaves as long as nothing new comes: with more columns they may have to be smaller.
    pub fits: bool,
    /// New rows: exactly, or about if they are on disk; 0 only where there is none.
    pub new: usize,
}

/// What is to be done for a day.
#[derive(Debug)]
pub struct Plan {
    pub parts: Vec<Part>,
    /// Rows of a leaf at most.
    pub limit: usize,
    /// Rows that may be read and merged at once, unless a single instant has more.
    pub rows_at_once: usize,
    /// Leaves that may be encoded at once.
    pub leaves_at_once: usize,
    /// How leaves of the file get the columns that the day has now; `None` where they may not be copied at all: another encoder wrote
    /// them, or there is no file of some format.
    pub widening: Option<Widening>,
    /// Whether the files are what they were if all of their leaves are.
    pub same_columns: bool,
}

impl Plan {
    /// What is to be done when new rows come to a day that has these files and will have these columns.
    pub fn new(
        context: DayContext<'_>,
        day: Day,
        columns: &DayColumns,
        old: Option<&RecordedDay<'_>>,
        new: &NewRows<'_>,
    ) -> Self {
        let limit_of = |schema: &DaySchema| context.leaf_size.limit(1 + schema.columns.len());
        let limit = limit_of(columns.schema());
        let old_limit = old.map_or(limit, |old| limit_of(old.schema()));
        let (first, end) = context.zone.bounds(day);
        let day = Slice::of_day(first..end);
        let leaves = old.map_or_else(Vec::new, RecordedDay::old_leaves);
        // With more columns leaves get smaller: the slices of the old division are some of those of the new one. Otherwise nothing is
        // known of what the other encoder did.
        let known = old.filter(|old| old.is_of_this_encoder() && limit <= old_limit);
        let bytes_of_row = BYTES_PER_CELL * (1 + columns.schema().columns.len());
        let slices = known.and_then(|_| divide_old(day.clone(), old_limit, &leaves));
        let widening = known
            .filter(|old| slices.is_some() && old.has(context.formats))
            .and_then(|old| Widening::new(old.schema(), columns.schema()));
        let whole = || {
            let leaves = 0..leaves.len();
            vec![OldSlice { slice: day, leaves }]
        };
        let part = |OldSlice { slice, leaves: here }: OldSlice| {
            let new = new.rows_in(&slice.time);
            let old_rows = leaves[here.clone()].iter().map(|leaf| leaf.rows).sum();
            Part {
                slice,
                old_rows,
                fits: limit == old_limit || old_rows <= limit,
                leaves: here,
                new,
            }
        };
        let parts = slices.unwrap_or_else(whole).into_iter().map(part);
        Self {
            parts: parts.filter(|part| !part.leaves.is_empty() || part.new > 0).collect(),
            limit,
            rows_at_once: (context.memory / bytes_of_row).max(limit),
            leaves_at_once: (context.memory / bytes_of_row / limit).clamp(1, leaves_at_once()),
            same_columns: widening.is_some() && old.is_some_and(|old| old.schema() == columns.schema()),
            widening,
        }
    }

    /// Whether the part's leaves stay as they are unless something new comes.
    pub fn may_keep(&self, part: &Part) -> bool {
        self.widening.is_some() && part.fits
    }

    /// Whether the part's leaves stay as they are.
    pub fn is_kept(&self, part: &Part) -> bool {
        self.may_keep(part) && part.new == 0
    }

    /// The parts in groups that are merged at once: as many rows as keep all threads busy, or a single part.
    pub fn groups(&self) -> Vec<&[Part]> {
        let busy = self.limit.saturating_mul(leaves_at_once());
        let enough = busy.min(self.rows_at_once);
        let (mut groups, mut start, mut rows) = (Vec::new(), 0, 0_usize);
        for (number, part) in self.parts.iter().enumerate() {
            if self.is_kept(part) {
                continue;
            }
            let more = part.old_rows.saturating_add(part.new);
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
