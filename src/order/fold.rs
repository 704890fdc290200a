//! Sorted lines -> points: the lines of one series and time become one row, or as many as its most contradicted field has values.

use std::ops::Range;

use super::columns::{FieldColumn, Taken};
use super::days::Entry;

/// The points of a day, over its sorted entries.
#[derive(Debug)]
pub(super) enum Points {
    /// Every entry is a point of its own, with one row: the common case costs no memory.
    EachAlone,
    /// Some points have several lines or rows.
    Folded(Vec<Point>),
}

/// One point: a run of sorted entries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    /// The first of its entries.
    start: usize,
    /// The number of the first of its rows.
    row: usize,
}

/// The entries of one point, and the next one's.
fn runs(entries: &[Entry]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    entries
        .chunk_by(|a, b| (a.time, a.rank) == (b.time, b.rank))
        .map(move |run| {
            let range = start..start + run.len();
            start = range.end;
            range
        })
}

impl Points {
    /// Folds sorted entries; `seen` is told each point's entries and number of rows.
    pub fn fold(entries: &[Entry], fields: &[Option<FieldColumn<'_>>], mut seen: impl FnMut(&[Entry], usize)) -> Self {
        let several = runs(entries).any(|run| run.len() > 1);
        if !several {
            for entry in entries {
                seen(std::slice::from_ref(entry), 1);
            }
            return Self::EachAlone;
        }
        let mut points = Vec::new();
        let mut row = 0;
        for run in runs(entries) {
            points.push(Point { start: run.start, row });
            let lines = &entries[run];
            let rows = match lines.len() {
                1 => 1,
                _ => fields
                    .iter()
                    .flatten()
                    .map(|field| field.distinct(lines))
                    .max()
                    .unwrap_or(1)
                    .max(1),
            };
            seen(lines, rows);
            row += rows;
        }
        // One more, where the next point would start.
        points.push(Point {
            start: entries.len(),
            row,
        });
        Self::Folded(points)
    }

    /// Rows of all points before the first entry that is not before `time`.
    pub fn rows_before(&self, entries: &[Entry], time: i128) -> usize {
        let before = |entry: &Entry| i128::from(entry.time) < time;
        match self {
            Self::EachAlone => entries.partition_point(before),
            Self::Folded(points) => {
                let point = points.partition_point(|point| entries.get(point.start).is_some_and(before));
                points[point].row
            }
        }
    }

    /// All rows.
    pub fn rows(&self, entries: &[Entry]) -> usize {
        match self {
            Self::EachAlone => entries.len(),
            Self::Folded(points) => points.last().map_or(0, |end| end.row),
        }
    }

    /// The lines of a point.
    pub fn lines<'e>(&self, entries: &'e [Entry], point: usize) -> &'e [Entry] {
        match self {
            Self::EachAlone => std::slice::from_ref(&entries[point]),
            Self::Folded(points) => &entries[points[point].start..points[point + 1].start],
        }
    }

    /// For each row of a range of rows: one of its point's lines, and where its values come from.
    pub fn taken<'e>(&self, entries: &'e [Entry], rows: Range<usize>) -> (Vec<&'e Entry>, Vec<Taken>) {
        let Self::Folded(points) = self else {
            let entries = &entries[rows];
            let taken = entries.iter().map(|entry| Taken::Row(entry.row)).collect();
            return (entries.iter().collect(), taken);
        };
        let (mut firsts, mut taken) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        let first_point = points.partition_point(|point| point.row <= rows.start) - 1;
        for point in first_point..points.len() - 1 {
            let (this, next) = (points[point], points[point + 1]);
            if this.row >= rows.end {
                break;
            }
            for row in this.row.max(rows.start)..next.row.min(rows.end) {
                firsts.push(&entries[this.start]);
                taken.push(if next.start - this.start == 1 {
                    Taken::Row(entries[this.start].row)
                } else {
                    let k = u32::try_from(row - this.row).expect("a point has no more rows than a commit has lines");
                    Taken::Nth { point, k }
                });
            }
        }
        (firsts, taken)
    }
}
