//! Blocks on their way to other processes: as bytes that say themselves which columns they have.
//!
//! One process parses, another one, which has the heads of all blocks, settles their columns, and yet others get the blocks of a day and
//! the columns that were settled. What a block is made of is the same as on disk.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::settle::{SettledSpill, blocks_to_read, settle_spilled};
use super::{Block, SpilledDay, SpilledTable, write};
use crate::calendar::Zone;
use crate::error::{Error, Result};
use crate::store::{SpillFile, SpillPiece, SpillSpace, SpillWriter};
use crate::table::collected::{Collected, LocalColumn};
use crate::table::reject::RejectedLine;
use crate::table::room::Room;
use crate::table::schema::MeasurementSchema;

/// Bytes of such a block in memory, about: one row of an engine's shuffle, and few enough rows for that not to count.
pub const PORTABLE_BLOCK_BYTES: usize = 1 << 20;

/// Blocks of one measurement that a collector gave away at once, without their rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableHead {
    /// The measurement's name, unescaped.
    pub measurement: String,
    is_known: bool,
    tag_keys: Vec<String>,
    columns: Vec<LocalColumn>,
    /// Its blocks.
    pub blocks: Vec<BlockHead>,
}

/// What is known of a block without its rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BlockHead {
    /// The day of its rows.
    pub day: String,
    /// How many they are.
    pub rows: usize,
    /// Time of the first one.
    pub first: i64,
    /// Time of the last one.
    pub last: i64,
    columns: Vec<u32>,
    tags: Vec<u32>,
    has_series: bool,
    has_kept: bool,
}

/// A block as bytes: a head with one block, then the pieces.
#[derive(Serialize, Deserialize)]
struct Parcel {
    table: TableHead,
    /// Lengths of rows, series and kept lines, as far as they are there.
    pieces: Vec<usize>,
}

/// Turns what a collector holds into blocks; leaves its rejects and counts. Each table comes with the bytes of its blocks.
///
/// # Errors
/// The disk's: the blocks are made in `space`.
pub fn portable(
    collected: &mut Collected,
    space: &SpillSpace,
    zone: Zone,
    block_bytes: usize,
) -> Result<Vec<(TableHead, Vec<Vec<u8>>)>> {
    let tables = std::mem::take(&mut collected.tables);
    let tables = tables.into_iter().filter(|table| !table.chunks.is_empty());
    let tables = tables.map(|table| (table, Vec::new())).collect();
    let spilled = write::spill_tables(tables, space, zone, block_bytes, 0)?;
    spilled.iter().map(SpilledTable::portable).collect()
}

impl SpilledTable {
    fn portable(&self) -> Result<(TableHead, Vec<Vec<u8>>)> {
        let head = TableHead {
            measurement: self.measurement.clone(),
            is_known: self.known.is_some(),
            tag_keys: self.tag_keys.clone(),
            columns: self.columns.clone(),
            blocks: Vec::new(),
        };
        let mut heads = Vec::with_capacity(self.blocks.len());
        let mut all = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            let block_head = BlockHead::of(block);
            let pieces = [Some(block.body), block.series, block.kept];
            let pieces: Vec<Vec<u8>> = pieces
                .into_iter()
                .flatten()
                .map(|piece| self.file.read(piece))
                .collect::<Result<_>>()?;
            let parcel = Parcel {
                table: TableHead {
                    blocks: vec![block_head.clone()],
                    ..head.clone()
                },
                pieces: pieces.iter().map(Vec::len).collect(),
            };
            all.push(parcel.to_bytes(&pieces));
            heads.push(block_head);
        }
        Ok((TableHead { blocks: heads, ..head }, all))
    }
}

impl BlockHead {
    fn of(block: &Block) -> Self {
        Self {
            day: block.day.to_string(),
            rows: block.rows,
            first: block.first,
            last: block.last,
            columns: block.columns.to_vec(),
            tags: block.tags.to_vec(),
            has_series: block.series.is_some(),
            has_kept: block.kept.is_some(),
        }
    }

    /// The block, without its rows.
    fn block(&self, number: usize) -> Result<Block> {
        let elsewhere = |is_there: bool| is_there.then_some(SpillPiece::ELSEWHERE);
        Ok(Block {
            number,
            day: self.day.parse()?,
            rows: self.rows,
            first: self.first,
            last: self.last,
            columns: self.columns.as_slice().into(),
            tags: self.tags.as_slice().into(),
            series: elsewhere(self.has_series),
            body: SpillPiece::ELSEWHERE,
            kept: elsewhere(self.has_kept),
            removed: HashSet::new(),
        })
    }
}

impl Parcel {
    /// `crc32c` of what follows, length of the head, head, pieces.
    fn to_bytes(&self, pieces: &[Vec<u8>]) -> Vec<u8> {
        let head = serde_json::to_vec(self).expect("heads hold strings and numbers only");
        let length = u32::try_from(head.len()).expect("names of a block's columns are bounded far below 4 GiB");
        let all: usize = pieces.iter().map(Vec::len).sum();
        let mut bytes = Vec::with_capacity(8 + head.len() + all);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&head);
        for piece in pieces {
            bytes.extend_from_slice(piece);
        }
        let checksum = crc32c::crc32c(&bytes[4..]);
        bytes[..4].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The head and the bytes of the pieces.
    fn parse(bytes: &[u8]) -> Result<(Self, &[u8])> {
        let damaged = |problem: &str| {
            Error::new(
                "a block of rows",
                format_args!("is not what a task of this run made: {problem}"),
            )
            .hint("every machine must run the same version of diurnal; nothing was committed")
        };
        let number = |at: usize| {
            let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
            four.map(u32::from_le_bytes).ok_or_else(|| damaged("it is too short"))
        };
        let (checksum, length) = (number(0)?, number(4)? as usize);
        if crc32c::crc32c(&bytes[4..]) != checksum {
            return Err(damaged("its checksum is another one"));
        }
        let (head, rest) = bytes[8..]
            .split_at_checked(length)
            .ok_or_else(|| damaged("it is too short"))?;
        let parcel: Self = serde_json::from_slice(head).map_err(|error| damaged(&error.to_string()))?;
        let sum = parcel
            .pieces
            .iter()
            .try_fold(0_usize, |sum, piece| sum.checked_add(*piece));
        let block = parcel.table.blocks.first();
        let pieces = block.map(|block| 1 + usize::from(block.has_series) + usize::from(block.has_kept));
        match sum == Some(rest.len()) && pieces == Some(parcel.pieces.len()) {
            true => Ok((parcel, rest)),
            false => Err(damaged("its pieces are not as its head says")),
        }
    }

    /// Appends the pieces to a file, and gives the block, whose number is `number`.
    fn unpack(&self, mut rest: &[u8], number: usize, to: &mut SpillWriter) -> Result<Block> {
        let mut written = Vec::with_capacity(self.pieces.len());
        for &length in &self.pieces {
            let (piece, more) = rest.split_at(length);
            written.push(to.append(piece)?);
            rest = more;
        }
        let head = &self.table.blocks[0];
        let mut written = written.into_iter();
        let mut block = head.block(number)?;
        for piece in [Some(&mut block.body), block.series.as_mut(), block.kept.as_mut()]
            .into_iter()
            .flatten()
        {
            *piece = written.next().expect("as many pieces as the head has");
        }
        Ok(block)
    }
}

/// The heads of all blocks of a commit, for the one that settles their columns. Blocks are told apart by their number, in the order in which
/// tables were added.
pub struct DistantTables {
    heads: Vec<(TableHead, usize)>,
    blocks: usize,
    known: Arc<BTreeMap<String, Arc<MeasurementSchema>>>,
    examined: HashMap<usize, Block>,
    file: SpillWriter,
}

impl DistantTables {
    /// None yet. `known` are the columns that were settled before, for all who parse; blocks that have to be looked at are kept in `space`.
    ///
    /// # Errors
    /// The disk's.
    pub fn new(known: Arc<BTreeMap<String, Arc<MeasurementSchema>>>, space: &SpillSpace) -> Result<Self> {
        Ok(Self {
            heads: Vec::new(),
            blocks: 0,
            known,
            examined: HashMap::new(),
            file: space.file()?,
        })
    }

    /// Adds a table; its blocks get the next numbers.
    pub fn add(&mut self, head: TableHead) {
        let first = self.blocks;
        self.blocks += head.blocks.len();
        self.heads.push((head, first));
    }

    /// Number of blocks.
    pub fn len(&self) -> usize {
        self.blocks
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.blocks == 0
    }

    /// The numbers of the blocks that have to be at hand to settle the columns: those with lines that may turn out not to fit.
    ///
    /// # Errors
    /// A head that no version of this program writes.
    pub fn to_examine(&self, room: Room) -> Result<Vec<usize>> {
        // Nothing of it is read.
        let file = Arc::new(SpillSpace::temporary().file()?.finish()?);
        Ok(blocks_to_read(tables(&self.heads, &self.known, &file)?, room))
    }

    /// Takes the bytes of a block that has to be at hand.
    ///
    /// # Errors
    /// Bytes that are no block; the disk's.
    pub fn examine(&mut self, number: usize, bytes: &[u8]) -> Result<()> {
        let (parcel, pieces) = Parcel::parse(bytes)?;
        let block = parcel.unpack(pieces, number, &mut self.file)?;
        self.examined.insert(number, block);
        Ok(())
    }

    /// Settles the columns of all tables: [`settle_spilled`].
    ///
    /// # Errors
    /// A block that should be at hand is not; the disk's.
    pub fn settle(self, room: Room) -> Result<(Vec<SettledSpill>, Vec<RejectedLine>)> {
        let mut examined = self.examined;
        let mut tables = tables(&self.heads, &self.known, &Arc::new(self.file.finish()?))?;
        for block in tables.iter_mut().flat_map(|table| &mut table.blocks) {
            if let Some(found) = examined.remove(&block.number) {
                *block = found;
            }
        }
        settle_spilled(tables, room, Vec::new())
    }
}

type Known = BTreeMap<String, Arc<MeasurementSchema>>;

fn tables(heads: &[(TableHead, usize)], known: &Known, file: &Arc<SpillFile>) -> Result<Vec<SpilledTable>> {
    let table = |(head, first): &(TableHead, usize)| {
        let blocks = (*first..).zip(&head.blocks).map(|(number, block)| block.block(number));
        head.table(known, blocks.collect::<Result<_>>()?, file)
    };
    heads.iter().map(table).collect()
}

impl TableHead {
    fn table(&self, known: &Known, blocks: Vec<Block>, file: &Arc<SpillFile>) -> Result<SpilledTable> {
        let known = known.get(&self.measurement).filter(|_| self.is_known).cloned();
        if self.is_known && known.is_none() {
            return Err(Error::new(
                &self.measurement,
                "was known to the task that parsed it, and is not to this run: they are not of one run",
            ));
        }
        Ok(SpilledTable {
            measurement: self.measurement.clone(),
            known,
            tag_keys: self.tag_keys.clone(),
            columns: self.columns.clone(),
            file: Arc::clone(file),
            blocks,
        })
    }
}

/// A block of a day, as far as it is known without its rows.
#[derive(Clone, Copy, Debug)]
pub struct BlockView<'a> {
    /// Its number among all blocks of the commit.
    pub number: usize,
    /// How many rows it has.
    pub rows: usize,
    /// Time of the first one.
    pub first: i64,
    /// Time of the last one.
    pub last: i64,
    /// Rows that are none: rejected when the columns were settled.
    pub removed: &'a HashSet<usize>,
}

impl<'a> SpilledDay<'a> {
    /// Its blocks; those of which no row is left are none of them.
    pub fn blocks(&self) -> impl Iterator<Item = BlockView<'a>> + '_ {
        self.blocks.iter().map(|&(_, block)| BlockView {
            number: block.number,
            rows: block.rows,
            first: block.first,
            last: block.last,
            removed: &block.removed,
        })
    }
}

/// The blocks of one measurement and day, for the one that merges them.
pub struct Receiver {
    file: SpillWriter,
    received: Vec<(TableHead, Block)>,
}

impl Receiver {
    /// Keeps what it receives in `space`.
    ///
    /// # Errors
    /// The disk's.
    pub fn new(space: &SpillSpace) -> Result<Self> {
        Ok(Self {
            file: space.file()?,
            received: Vec::new(),
        })
    }

    /// Takes the bytes of a block; `removed` are the rows that turned out not to fit.
    ///
    /// # Errors
    /// Bytes that are no block; the disk's.
    pub fn push(&mut self, bytes: &[u8], removed: HashSet<usize>) -> Result<()> {
        let (parcel, pieces) = Parcel::parse(bytes)?;
        let block = parcel.unpack(pieces, self.received.len(), &mut self.file)?;
        self.received.push((parcel.table, Block { removed, ..block }));
        Ok(())
    }

    /// All rows, in the columns that were settled for them.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(self, schema: Arc<MeasurementSchema>) -> Result<SettledSpill> {
        let file = Arc::new(self.file.finish()?);
        let table = |(head, block): (TableHead, Block)| SpilledTable {
            measurement: head.measurement,
            // What was settled since says the same and more.
            known: None,
            tag_keys: head.tag_keys,
            columns: head.columns,
            file: Arc::clone(&file),
            blocks: vec![block],
        };
        let tables = self.received.into_iter().map(table).collect();
        Ok(SettledSpill::new(schema, tables))
    }
}
