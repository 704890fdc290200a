//! Rows that a run has no memory for: sorted by time, cut into blocks, and kept on disk until the commit.
//!
//! What a collector holds is spilled as it is: in the columns that it was seen with, whose types and places are settled for the
//! commit as a whole ([`settle`](settle::settle_spilled)), so that memory decides nothing. A block is some rows of one day in
//! Arrow's IPC streams, compressed with lz4; what is needed to know which blocks to read stays in memory, nothing for each row.

mod block;
mod gather;
mod load;
mod portable;
mod settle;
mod write;

use std::collections::HashSet;
use std::sync::Arc;

pub use self::gather::{Gathered, Gatherer, SpillSettings};
pub use self::load::SpilledDay;
pub use self::portable::{BlockHead, BlockView, DistantTables, PORTABLE_BLOCK_BYTES, Receiver, TableHead, portable};
pub use self::settle::{SettledSpill, settle_spilled};

use super::collected::{Collected, CollectedTable, LocalColumn};
use super::room::SeenNames;
use super::schema::MeasurementSchema;
use crate::calendar::{Day, Zone};
use crate::error::Result;
use crate::store::{SpillFile, SpillPiece, SpillSpace};

/// Bytes of a block in memory, about. A merge reads those that its slice of the day cuts twice, so they are small; each has a header
/// of some kilobytes, so they are not smaller.
pub const BLOCK_BYTES: usize = 256 * 1024;

/// The rows of one measurement that a collector spilled at once.
#[derive(Debug)]
pub struct SpilledTable {
    /// The measurement's name, unescaped.
    pub measurement: String,
    known: Option<Arc<MeasurementSchema>>,
    tag_keys: Vec<String>,
    columns: Vec<LocalColumn>,
    file: Arc<SpillFile>,
    blocks: Vec<Block>,
}

/// Some rows of one day, ascending by time.
#[derive(Debug)]
struct Block {
    /// Its number among those that were spilled at once, which it keeps when others go.
    number: usize,
    day: Day,
    rows: usize,
    first: i64,
    last: i64,
    /// Local columns that a row has, ascending.
    columns: Arc<[u32]>,
    /// Tag keys that a row's series has, ascending.
    tags: Arc<[u32]>,
    /// The table's series or those of this block; `None` where the measurement has no tags here.
    series: Option<SpillPiece>,
    body: SpillPiece,
    /// Lines that may yet turn out not to fit.
    kept: Option<SpillPiece>,
    /// Rows that are none: rejected when the commit was settled.
    removed: HashSet<usize>,
}

impl SpilledTable {
    /// Bytes of memory that it takes while its rows are on disk.
    fn bytes(&self) -> usize {
        let keys = self.columns.iter().map(|column| &column.key).chain(&self.tag_keys);
        let keys: usize = keys.map(|key| size_of::<LocalColumn>() + key.capacity()).sum();
        let mut last: Option<&Block> = None;
        let mut numbers = 0;
        for block in &self.blocks {
            // Neighbours mostly share theirs.
            if last.is_none_or(|last| !Arc::ptr_eq(&last.columns, &block.columns)) {
                numbers += block.columns.len();
            }
            if last.is_none_or(|last| !Arc::ptr_eq(&last.tags, &block.tags)) {
                numbers += block.tags.len();
            }
            last = Some(block);
        }
        size_of::<Self>() + keys + self.blocks.len() * size_of::<Block>() + numbers * size_of::<u32>()
    }
}

/// Writes what a collector holds to disk, and leaves its rejects and counts. `seen` is what was noted of the names that it spilled before.
///
/// # Errors
/// The disk's.
pub fn spill(
    collected: &mut Collected,
    seen: &mut SeenNames,
    space: &SpillSpace,
    zone: Zone,
    block_bytes: usize,
) -> Result<Vec<SpilledTable>> {
    let tables: Vec<CollectedTable> = std::mem::take(&mut collected.tables);
    if tables.iter().all(|table| table.chunks.is_empty()) {
        // Of lines that were rejected: what they were seen with settles nothing.
        return Ok(Vec::new());
    }
    let tables = match collected.room.is_bounded() {
        true => seen.reject(tables, collected.room, &mut collected.rejects),
        false => tables.into_iter().map(|table| (table, Vec::new())).collect(),
    };
    write::spill_tables(tables, space, zone, block_bytes, SHARED_SERIES)
}

/// Series up to which a table is written once for all blocks of a run; else each block has those of its rows.
const SHARED_SERIES: usize = 4_096;
