//! Rows -> days: which day each row belongs to, and the small entries that are sorted instead of the rows.

use std::collections::BTreeMap;

use crate::calendar::{Day, Zone};
use crate::error::{Error, Result};
use crate::table::{CHUNK_ROWS, SettledTable};

/// What a row is sorted by, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Nanoseconds since 1970-01-01 UTC.
    pub time: i64,
    /// The rank of the row's series: tags in order, null first, then bytewise.
    pub rank: u32,
    /// Batch (upper 16 bits) and place in it.
    pub row: u32,
}

/// Batches that row numbers can tell apart: 4.3 thousand million rows.
const MOST_BATCHES: usize = 1 << 16;

/// Refuses more batches than row numbers can tell apart.
pub(super) fn check_batches(measurement: &str, batches: usize) -> Result<()> {
    if batches <= MOST_BATCHES {
        return Ok(());
    }
    Err(Error::new(
        measurement,
        format_args!("has more than {} rows in one commit and day", MOST_BATCHES * CHUNK_ROWS),
    )
    .hint("archive in smaller steps: --commit-every"))
}

/// The number of a row: batch in the upper half, place in the lower.
pub(super) fn row_number(batch: usize, place: usize) -> u32 {
    debug_assert!(batch < MOST_BATCHES && place < CHUNK_ROWS);
    ((batch as u32) << 16) | place as u32
}

/// Batch and place of a numbered row.
pub(super) fn row_place(row: u32) -> (usize, usize) {
    ((row >> 16) as usize, (row & 0xffff) as usize)
}

/// The rows of a table by the day of their time, in the order of the batches. Removed rows are left out.
///
/// # Errors
/// More than 65,536 batches.
pub fn split_days(table: &SettledTable, zone: Zone) -> Result<BTreeMap<Day, Vec<Entry>>> {
    check_batches(&table.schema.measurement, table.batches.len())?;
    let mut days: BTreeMap<Day, Vec<Entry>> = BTreeMap::new();
    for (number, batch) in table.batches.iter().enumerate() {
        let mut rows = (0..batch.times.len()).peekable();
        while let Some(&start) = rows.peek() {
            // Neighbours are mostly of one day: look its bounds and its list up once for all of them.
            let day = zone.day_of(batch.times[start]);
            let (first, end) = zone.bounds(day);
            let entries = days.entry(day).or_default();
            while let Some(row) = rows.next_if(|&row| (first..end).contains(&i128::from(batch.times[row]))) {
                if batch.removed.is_empty() || !batch.removed.contains(&row) {
                    entries.push(Entry {
                        time: batch.times[row],
                        rank: batch.ranks[row],
                        row: row_number(number, row),
                    });
                }
            }
        }
    }
    days.retain(|_, entries| !entries.is_empty());
    Ok(days)
}

/// All rows of a table, in the order of the batches. Removed rows are left out.
///
/// # Errors
/// More than 65,536 batches.
pub fn entries_of(table: &SettledTable) -> Result<Vec<Entry>> {
    check_batches(&table.schema.measurement, table.batches.len())?;
    let mut entries = Vec::with_capacity(table.batches.iter().map(|batch| batch.times.len()).sum());
    for (number, batch) in table.batches.iter().enumerate() {
        let rows = (0..batch.times.len()).filter(|row| batch.removed.is_empty() || !batch.removed.contains(row));
        entries.extend(rows.map(|row| Entry {
            time: batch.times[row],
            rank: batch.ranks[row],
            row: row_number(number, row),
        }));
    }
    Ok(entries)
}
