//! The columns of spilled rows, settled as those of rows in memory are: from what occurs, and read again only where values may not fit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::Array;

use super::{Block, SpilledTable};
use crate::error::Result;
use crate::table::reject::RejectedLine;
use crate::table::schema::MeasurementSchema;
use crate::table::settle::{LearnedTypes, OpenColumns, extend_schema, learn, places};

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

/// Settles what was spilled for a commit, by measurement, ascending; and gives the lines that turned out not to fit.
///
/// # Errors
/// Blocks that can't be read again.
pub fn settle_spilled(spilled: Vec<SpilledTable>) -> Result<(Vec<SettledSpill>, Vec<RejectedLine>)> {
    let mut by_name: BTreeMap<String, Vec<SpilledTable>> = BTreeMap::new();
    for table in spilled {
        by_name.entry(table.measurement.clone()).or_default().push(table);
    }
    let mut rejects = Vec::new();
    let mut settled = Vec::new();
    for (measurement, tables) in by_name {
        settled.extend(settle_table(&measurement, tables, &mut rejects)?);
    }
    Ok((settled, rejects))
}

fn settle_table(
    measurement: &str,
    mut tables: Vec<SpilledTable>,
    rejects: &mut Vec<RejectedLine>,
) -> Result<Option<SettledSpill>> {
    let known = tables.iter().find_map(|table| table.known.clone());
    let mut types = LearnedTypes::new();
    for table in &tables {
        let present = table.blocks.iter().flat_map(|block| block.columns.iter().copied());
        learn(&mut types, &table.columns, present.collect());
    }
    let mut tags = BTreeSet::new();
    for table in &mut tables {
        reject_misfits(measurement, table, &types, rejects)?;
        let present: BTreeSet<u32> = table
            .blocks
            .iter()
            .flat_map(|block| block.tags.iter().copied())
            .collect();
        tags.extend(present.iter().map(|&key| table.tag_keys[key as usize].clone()));
    }
    let schema = Arc::new(extend_schema(measurement, known.as_deref(), &tags, &types));
    let learned = schema.columns.len() > known.map_or(0, |known| known.columns.len());
    if !learned && tables.iter().all(|table| table.blocks.is_empty()) {
        return Ok(None);
    }
    let run = |table: SpilledTable| Run {
        fields: places(&schema, &table.columns),
        tags: table
            .tag_keys
            .iter()
            .map(|key| schema.column_of(key, crate::table::schema::ColumnKind::Tag))
            .collect(),
        table,
    };
    let runs = tables.into_iter().map(run).collect();
    Ok(Some(SettledSpill { schema, runs }))
}

/// Takes out the rows with a value that its column's type can't hold, and blocks of which no row is left.
fn reject_misfits(
    measurement: &str,
    table: &mut SpilledTable,
    types: &LearnedTypes,
    rejects: &mut Vec<RejectedLine>,
) -> Result<()> {
    let mut blocks = std::mem::take(&mut table.blocks);
    let open = OpenColumns::new(measurement, &table.columns, types);
    for block in &mut blocks {
        let Some(kept) = block.kept.filter(|_| open.is_any_of(&block.columns)) else {
            continue;
        };
        let chunk = table.rows(block)?;
        for (row, line) in table.kept(kept)? {
            if let Some(misfit) = open.misfit(&chunk, row) {
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
