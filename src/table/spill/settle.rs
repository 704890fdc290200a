//! The columns of spilled rows, settled as those of rows in memory are: from what occurs, and read again only where values may not fit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::Array;

use super::{Block, SpilledTable};
use crate::error::Result;
use crate::table::builder::Chunk;
use crate::table::open_columns::{LearnedTypes, OpenColumns, learn};
use crate::table::reject::RejectedLine;
use crate::table::room::{Excess, NewColumns, Room, SeenColumns, SeenNames, without_column, without_measurement};
use crate::table::schema::{ColumnKind, MeasurementSchema};
use crate::table::settle::{extend_schema, places};

/// All spilled rows of one measurement in a commit.
#[derive(Debug)]
pub struct SettledSpill {
    /// Its columns, those that are new in this commit included.
    pub schema: Arc<MeasurementSchema>,
    pub(super) runs: Vec<Run>,
}

/// A spilled table whose columns have their places.
#[derive(Debug)]
pub(super) struct Run {
    pub table: SpilledTable,
    /// The place of each local column in the schema.
    pub fields: Vec<Option<usize>>,
    /// The place of each tag key in the schema.
    pub tags: Vec<Option<usize>>,
}

impl SettledSpill {
    /// Gives each local column its place.
    pub(super) fn new(schema: Arc<MeasurementSchema>, tables: Vec<SpilledTable>) -> Self {
        let of_tags = schema.places_of(ColumnKind::Tag);
        let run = |table: SpilledTable| Run {
            fields: places(&schema, &table.columns),
            tags: table
                .tag_keys
                .iter()
                .map(|key| of_tags.get(key.as_str()).copied())
                .collect(),
            table,
        };
        let runs = tables.into_iter().map(run).collect();
        Self { runs, schema }
    }
}

/// Settles what was spilled for a commit, by measurement, ascending; and gives the lines that turned out not to fit. `seen` is what each
/// collector noted of the names that it spilled.
///
/// # Errors
/// Blocks that can't be read again.
pub fn settle_spilled(
    spilled: Vec<SpilledTable>,
    room: Room,
    mut seen: Vec<SeenNames>,
) -> Result<(Vec<SettledSpill>, Vec<RejectedLine>)> {
    let by_name = by_measurement(spilled);
    let mut rejects = Vec::new();
    let mut settled = Vec::new();
    let excess = without_place(&by_name, room, &seen);
    for (measurement, tables) in by_name {
        let seen: Vec<SeenColumns> = seen.iter_mut().filter_map(|seen| seen.take(&measurement)).collect();
        if excess.contains(&measurement) {
            let of_seen = seen.into_iter().flat_map(|seen| seen.rejects);
            rejects.extend(of_seen.map(without_measurement));
            for table in &tables {
                for kept in table.blocks.iter().filter_map(|block| block.kept) {
                    rejects.extend(table.kept(kept)?.into_iter().map(|(_, line)| without_measurement(line)));
                }
            }
            continue;
        }
        let seen = seen.into_iter().map(|seen| (seen.columns, seen.rejects));
        let (columns, of_seen): (Vec<NewColumns>, Vec<Vec<RejectedLine>>) = seen.unzip();
        settled.extend(settle_table(&measurement, tables, room, columns, &mut rejects)?);
        rejects.extend(of_seen.into_iter().flatten());
    }
    Ok((settled, rejects))
}

/// What the names of some tables of one measurement settle, before any row is looked at.
struct Names {
    known: Option<Arc<MeasurementSchema>>,
    /// The new columns that get a place, if not all of them do.
    admitted: Option<NewColumns>,
    types: LearnedTypes,
    tags: BTreeSet<String>,
}

impl Names {
    fn new(tables: &[SpilledTable], room: Room, seen: Vec<NewColumns>) -> Self {
        let known = tables.iter().find_map(|table| table.known.clone());
        // Of what was seen too many are known to be there.
        let on_disk = tables.iter().map(|table| table.columns.len() + table.tag_keys.len());
        let most = seen.is_empty().then(|| on_disk.sum());
        let on_disk = tables.iter().map(|table| table.new_columns(known.as_deref()));
        let admitted = room.admitted(known.as_deref(), most, seen.into_iter().chain(on_disk));
        let mut types = LearnedTypes::new();
        let mut tags = BTreeSet::new();
        match &admitted {
            Some(admitted) => (types, tags) = (admitted.fields(), admitted.tags()),
            None => {
                for table in tables {
                    let present = table.blocks.iter().flat_map(|block| block.columns.iter().copied());
                    learn(&mut types, &table.columns, present.collect());
                }
            }
        }
        Self {
            known,
            admitted,
            types,
            tags,
        }
    }

    /// The columns of a table that get no place.
    fn excess(&self, table: &SpilledTable) -> Excess {
        let excess = self
            .admitted
            .as_ref()
            .map(|admitted| Excess::new(&table.columns, &table.tag_keys, self.known.as_deref(), admitted));
        excess.unwrap_or_default()
    }
}

/// Whether a block has lines that may turn out not to fit, so that it has to be read again.
fn is_doubtful(block: &Block, open: &OpenColumns<'_>, excess: &Excess) -> bool {
    let may_be = || open.is_any_of(&block.columns) || excess.is_any_of(&block.columns, &block.tags);
    block.kept.is_some() && may_be()
}

/// The measurements that get no place.
fn without_place(by_name: &BTreeMap<String, Vec<SpilledTable>>, room: Room, seen: &[SeenNames]) -> BTreeSet<String> {
    // A line that was rejected for a column counts too, though it is on disk no more.
    let is_new = |measurement: &str, tables: &[SpilledTable]| {
        let has_rows = tables.iter().any(|table| !table.blocks.is_empty());
        let had_rows = seen.iter().any(|seen| seen.has(measurement));
        tables.iter().all(|table| table.known.is_none()) && (has_rows || had_rows)
    };
    let new = by_name
        .iter()
        .filter(|(measurement, tables)| is_new(measurement, tables));
    let mut new = new.map(|(measurement, _)| measurement.clone()).collect();
    room.without_place(&mut new)
}

/// The numbers of the blocks that [`settle_spilled`] reads again.
pub(super) fn blocks_to_read(spilled: Vec<SpilledTable>, room: Room) -> Vec<usize> {
    let by_name = by_measurement(spilled);
    let excess = without_place(&by_name, room, &[]);
    let mut numbers = Vec::new();
    for (measurement, tables) in &by_name {
        let names = Names::new(tables, room, Vec::new());
        for table in tables {
            let (open, without) = (
                OpenColumns::new(measurement, &table.columns, &names.types),
                names.excess(table),
            );
            let is_read = |block: &&Block| match excess.contains(measurement) {
                true => block.kept.is_some(),
                false => is_doubtful(block, &open, &without),
            };
            numbers.extend(table.blocks.iter().filter(is_read).map(|block| block.number));
        }
    }
    numbers
}

fn by_measurement(spilled: Vec<SpilledTable>) -> BTreeMap<String, Vec<SpilledTable>> {
    let mut by_name: BTreeMap<String, Vec<SpilledTable>> = BTreeMap::new();
    for table in spilled {
        by_name.entry(table.measurement.clone()).or_default().push(table);
    }
    by_name
}

fn settle_table(
    measurement: &str,
    mut tables: Vec<SpilledTable>,
    room: Room,
    seen: Vec<NewColumns>,
    rejects: &mut Vec<RejectedLine>,
) -> Result<Option<SettledSpill>> {
    let mut names = Names::new(&tables, room, seen);
    let mut tags = std::mem::take(&mut names.tags);
    for table in &mut tables {
        let excess = names.excess(table);
        reject_rows(measurement, table, &excess, &names.types, rejects)?;
        let present: BTreeSet<u32> = table
            .blocks
            .iter()
            .flat_map(|block| block.tags.iter().copied())
            .collect();
        tags.extend(present.iter().map(|&key| table.tag_keys[key as usize].clone()));
    }
    let Names { known, types, .. } = names;
    let schema = Arc::new(extend_schema(measurement, known.as_deref(), &tags, &types));
    let learned = schema.columns.len() > known.map_or(0, |known| known.columns.len());
    if !learned && tables.iter().all(|table| table.blocks.is_empty()) {
        return Ok(None);
    }
    Ok(Some(SettledSpill::new(schema, tables)))
}

impl SpilledTable {
    /// The new columns that its rows have.
    fn new_columns(&self, known: Option<&MeasurementSchema>) -> NewColumns {
        let columns = self.blocks.iter().flat_map(|block| block.columns.iter().copied());
        let tags = self.blocks.iter().flat_map(|block| block.tags.iter().copied());
        let mut new = NewColumns::default();
        new.add_fields(&self.columns, columns.collect::<BTreeSet<u32>>());
        new.add_tags(&self.tag_keys, tags.collect::<BTreeSet<u32>>(), known);
        new
    }
}

/// Takes out the rows with a column that gets no place, those with a value that its column's type can't hold, and blocks of which no row is
/// left.
fn reject_rows(
    measurement: &str,
    table: &mut SpilledTable,
    excess: &Excess,
    types: &LearnedTypes,
    rejects: &mut Vec<RejectedLine>,
) -> Result<()> {
    let mut blocks = std::mem::take(&mut table.blocks);
    let open = OpenColumns::new(measurement, &table.columns, types);
    for block in &mut blocks {
        let doubtful = is_doubtful(block, &open, excess);
        let Some(kept) = block.kept.filter(|_| doubtful) else {
            continue;
        };
        let chunk = table.rows(block)?;
        let mut without_place = excess.rows_of(&chunk);
        without_place.extend(rows_with_tag(table, block, &chunk, excess)?);
        for (row, line) in table.kept(kept)? {
            if without_place.contains(&row) {
                rejects.push(without_column(line));
                block.removed.insert(row);
            } else if let Some(misfit) = open.misfit(&chunk, row) {
                rejects.push(misfit.reject(line));
                block.removed.insert(row);
            }
        }
        if !block.removed.is_empty() {
            let stay = |row: &usize| !block.removed.contains(row);
            let has = |(_, array): &&(u32, arrow::array::ArrayRef)| {
                (0..block.rows).filter(stay).any(|row| array.is_valid(row))
            };
            let columns = chunk.columns.iter().filter(has).map(|(number, _)| *number);
            let columns: Vec<u32> = columns.collect();
            let series: BTreeSet<u32> = (0..block.rows).filter(stay).map(|row| chunk.series[row]).collect();
            block.tags = tags_of(table, block, &series)?.into();
            block.columns = columns.into();
        }
    }
    blocks.retain(|block| block.removed.len() < block.rows);
    table.blocks = blocks;
    Ok(())
}

/// The rows of a block whose series has a tag that gets no place.
fn rows_with_tag(table: &SpilledTable, block: &Block, chunk: &Chunk, excess: &Excess) -> Result<Vec<usize>> {
    let Some(piece) = block.series.filter(|_| excess.has_tag(block.tags.iter().copied())) else {
        return Ok(Vec::new());
    };
    let all = table.series(piece)?;
    let tags: Vec<_> = all
        .tags
        .iter()
        .filter(|(key, _)| excess.has_tag(std::iter::once(*key)))
        .map(|(_, values)| values)
        .collect();
    let has = |series: u32| tags.iter().any(|values| values.is_valid(series as usize));
    let rows = chunk.series.iter().enumerate();
    Ok(rows.filter(|(_, series)| has(**series)).map(|(row, _)| row).collect())
}

/// The tag keys that some series of a block have.
fn tags_of(table: &SpilledTable, block: &Block, series: &BTreeSet<u32>) -> Result<Vec<u32>> {
    let Some(piece) = block.series else {
        return Ok(Vec::new());
    };
    let all = table.series(piece)?;
    let has = |(_, values): &&(u32, arrow::array::DictionaryArray<arrow::datatypes::UInt32Type>)| {
        series.iter().any(|&series| values.is_valid(series as usize))
    };
    Ok(all.tags.iter().filter(has).map(|(key, _)| *key).collect())
}
