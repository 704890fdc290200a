//! Typed columns -> one day's rows in the order of the law: sorted by time and tags, folded to points, divided into leaves.

mod check;
mod columns;
mod days;
mod fold;
mod leaves;
mod old;
mod run;

pub use check::{PointCounter, row_order};
pub use days::{Entry, entries_of, split_days};
pub use leaves::{LEAF_CELLS, LEAF_ROWS, LeafSize, OldLeaf, OldSlice, Slice, divide, divide_old, share_in};
pub use old::OldDay;
pub use run::{DayColumns, RunCounts, SortedRun};
