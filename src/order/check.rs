//! Whether rows that were read back are in the order of the law, and how many points they are.

use std::cmp::Ordering;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::Int32Type;

use super::run::RunCounts;
use crate::encode::LeafRows;
use crate::table::schema::ColumnKind;

/// How many rows of a day come before the row they should follow: by time, then by tags, null first, then bytewise.
pub fn row_order(leaves: &[LeafRows]) -> usize {
    let mut last: Option<(&LeafRows, usize)> = None;
    let mut disorder = 0;
    for leaf in leaves {
        for row in 0..leaf.times.len() {
            if let Some((before, place)) = last {
                let order = before.times[place]
                    .cmp(&leaf.times[row])
                    .then_with(|| compare_tags(before, place, leaf, row));
                disorder += usize::from(order == Ordering::Greater);
            }
            last = Some((leaf, row));
        }
    }
    disorder
}

/// Counts the points of a day's leaves, which come in order: rows of one time and series are one point.
#[derive(Debug, Default)]
pub struct PointCounter {
    counts: RunCounts,
    /// The leaf before, and whether its last row is a further one of its point.
    last: Option<(LeafRows, bool)>,
}

impl PointCounter {
    /// Adds the next leaf.
    pub fn add(&mut self, leaf: LeafRows) {
        let last = self.last.take();
        let mut before = last.as_ref().map(|(leaf, _)| (leaf, leaf.times.len() - 1));
        let mut again = last.as_ref().is_some_and(|(_, again)| *again);
        for row in 0..leaf.times.len() {
            let joins = before.is_some_and(|(before, place)| {
                before.times[place] == leaf.times[row] && compare_tags(before, place, &leaf, row).is_eq()
            });
            match joins {
                true => self.counts.folded += 1,
                false => self.counts.points += 1,
            }
            self.counts.conflicts += u64::from(joins && !again);
            again = joins;
            before = Some((&leaf, row));
        }
        self.last = Some((leaf, again));
    }

    /// The points as a run counts them whose lines the rows were: a point with several rows has different values for a field.
    pub fn counts(&self) -> RunCounts {
        self.counts
    }
}

fn compare_tags(a: &LeafRows, a_row: usize, b: &LeafRows, b_row: usize) -> Ordering {
    let tags = |leaf: &LeafRows| {
        leaf.schema
            .columns
            .iter()
            .take_while(|column| column.kind == ColumnKind::Tag)
            .count()
    };
    let pairs = a.columns.iter().take(tags(a)).zip(b.columns.iter().take(tags(b)));
    pairs
        .map(|(a, b)| tag(a, a_row).cmp(&tag(b, b_row)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn tag(array: &ArrayRef, row: usize) -> Option<&str> {
    let tags = array.as_dictionary::<Int32Type>();
    tags.key(row).map(|key| tags.values().as_string::<i32>().value(key))
}
