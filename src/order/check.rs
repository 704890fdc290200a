//! Whether rows that were read back are in the order of the law.

use std::cmp::Ordering;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::Int32Type;

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
