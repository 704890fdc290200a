//! Spilled rows of a span of time -> a table in memory, as if it had never been elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use rayon::prelude::*;

use super::Block;
use super::block::SeriesTable;
use super::settle::{Run, SettledSpill};
use crate::calendar::Day;
use crate::error::Result;
use crate::order::share_in;
use crate::store::SpillPiece;
use crate::table::builder::Chunk;
use crate::table::schema::ColumnKind;
use crate::table::series::{SeriesPart, SeriesSet};
use crate::table::settle::{SettledTable, TableBatch, settled_columns};

/// The spilled rows of one measurement and day.
#[derive(Debug)]
pub struct SpilledDay<'a> {
    spill: &'a SettledSpill,
    /// Number of the run, and a block of it.
    pub(super) blocks: Vec<(usize, &'a Block)>,
}

/// A block as it was read, with the rows of the span only.
struct Loaded<'a> {
    run: &'a Run,
    number: usize,
    block: &'a Block,
    chunk: Chunk,
    /// The first of its rows in the block.
    start: usize,
}

/// The series of some loaded blocks, which share a table of them.
struct UsedSeries {
    /// Number of the run.
    run: usize,
    piece: Option<SpillPiece>,
    /// Numbers in the table, ascending once all blocks are seen.
    used: Vec<u32>,
}

impl SettledSpill {
    /// Its days.
    pub fn days(&self) -> BTreeMap<Day, SpilledDay<'_>> {
        let mut days: BTreeMap<Day, SpilledDay<'_>> = BTreeMap::new();
        for (number, run) in self.runs.iter().enumerate() {
            for block in &run.table.blocks {
                let day = days.entry(block.day).or_insert_with(|| SpilledDay {
                    spill: self,
                    blocks: Vec::new(),
                });
                day.blocks.push((number, block));
            }
        }
        days
    }
}

impl<'a> SpilledDay<'a> {
    /// The measurement's rows.
    pub fn spill(&self) -> &'a SettledSpill {
        self.spill
    }

    /// The places in the schema of the columns, tags and fields, that one of its rows has.
    pub fn occurring(&self) -> BTreeSet<usize> {
        let mut places = BTreeSet::new();
        let mut last: Option<(usize, &Block)> = None;
        for &(number, block) in &self.blocks {
            let same = last.is_some_and(|(run, last)| {
                run == number && Arc::ptr_eq(&last.columns, &block.columns) && Arc::ptr_eq(&last.tags, &block.tags)
            });
            if !same {
                let run = &self.spill.runs[number];
                places.extend(block.columns.iter().filter_map(|&column| run.fields[column as usize]));
                places.extend(block.tags.iter().filter_map(|&key| run.tags[key as usize]));
            }
            last = Some((number, block));
        }
        places
    }

    /// About how many rows it has from the first to before the last of these times; 0 only where there is none.
    pub fn rows_in(&self, time: &Range<i128>) -> f64 {
        self.blocks.iter().map(|(_, block)| block.share_in(time)).sum()
    }

    /// Its rows from the first to before the last of these times.
    ///
    /// # Errors
    /// Blocks that can't be read again.
    pub fn load(&self, time: &Range<i128>) -> Result<SettledTable> {
        let touched: Vec<&(usize, &Block)> = self
            .blocks
            .iter()
            .filter(|(_, block)| block.share_in(time) > 0.0)
            .collect();
        let loaded: Vec<Loaded<'_>> = touched
            .par_iter()
            .map(|&&(number, block)| Loaded::read(&self.spill.runs[number], number, block, time))
            .collect::<Result<_>>()?;
        let (series, mut ranks) = self.rank(&loaded)?;
        let schema = &self.spill.schema;
        let batches = loaded
            .into_par_iter()
            .zip(ranks.par_iter_mut())
            .filter(|(loaded, _)| !loaded.chunk.times.is_empty())
            .map(|(loaded, ranks)| {
                let Loaded {
                    run,
                    block,
                    chunk,
                    start,
                    ..
                } = loaded;
                let rows = chunk.times.len();
                let removed = block.removed.iter().filter_map(|row| row.checked_sub(start));
                TableBatch {
                    times: chunk.times,
                    ranks: std::mem::take(ranks),
                    columns: settled_columns(schema, &run.fields, chunk.columns),
                    removed: removed.filter(|&row| row < rows).collect::<HashSet<usize>>(),
                }
            })
            .collect();
        Ok(SettledTable {
            schema: Arc::clone(schema),
            series,
            batches,
        })
    }

    /// The series of all rows, and the rank of each row's.
    fn rank(&self, loaded: &[Loaded<'_>]) -> Result<(SeriesSet, Vec<Vec<u32>>)> {
        let mut tables: Vec<UsedSeries> = Vec::new();
        let mut table_of: Vec<usize> = Vec::with_capacity(loaded.len());
        for block in loaded {
            let (run, piece) = (block.number, block.block.series);
            if tables.last().is_none_or(|last| (last.run, last.piece) != (run, piece)) {
                let used = Vec::new();
                tables.push(UsedSeries { run, piece, used });
            }
            table_of.push(tables.len() - 1);
            if let Some(table) = tables.last_mut() {
                table.used.extend_from_slice(&block.chunk.series);
            }
        }
        let read: Vec<Option<SeriesTable>> = tables
            .par_iter_mut()
            .map(|UsedSeries { run, piece, used }| {
                used.sort_unstable();
                used.dedup();
                let table = &self.spill.runs[*run].table;
                piece.map(|piece| table.series(piece)).transpose()
            })
            .collect::<Result<_>>()?;
        let tags = self.spill.schema.columns.iter();
        let tags = tags.filter(|column| column.kind == ColumnKind::Tag).count();
        let parts: Vec<SeriesPart<'_>> = tables
            .par_iter()
            .zip(&read)
            .map(|(UsedSeries { run, used, .. }, table)| part(&self.spill.runs[*run], tags, used, table.as_ref()))
            .collect();
        let (set, ranks) = SeriesSet::union(tags, &parts);
        let of_rows = loaded.par_iter().zip(&table_of).map(|(block, &table)| {
            let used = &tables[table].used;
            let rank = |series| ranks[table][used.binary_search(series).expect("every row's series is in use")];
            block.chunk.series.iter().map(rank).collect()
        });
        Ok((set, of_rows.collect()))
    }
}

/// Those series of a run's table that are in use.
fn part<'a>(run: &Run, tags: usize, used: &[u32], table: Option<&'a SeriesTable>) -> SeriesPart<'a> {
    let mut part = SeriesPart {
        values: vec![Vec::new(); tags],
        cells: vec![0; used.len() * tags],
        len: used.len(),
    };
    for (key, values) in table.iter().flat_map(|table| &table.tags) {
        // A tag that only rejected rows had is no column.
        let Some(place) = run.tags[*key as usize] else { continue };
        let keys = values.keys();
        let texts = values.values().as_string::<i32>();
        part.values[place] = (0..texts.len()).map(|number| texts.value(number)).collect();
        for (number, &series) in used.iter().enumerate() {
            if keys.is_valid(series as usize) {
                part.cells[number * tags + place] = keys.value(series as usize) + 1;
            }
        }
    }
    part
}

impl<'a> Loaded<'a> {
    fn read(run: &'a Run, number: usize, block: &'a Block, time: &Range<i128>) -> Result<Self> {
        let chunk = run.table.rows(block)?;
        let before = |bound: i128| chunk.times.partition_point(|&time| i128::from(time) < bound);
        let (start, end) = (before(time.start), before(time.end));
        let chunk = match start == 0 && end == chunk.times.len() {
            true => chunk,
            false => Chunk {
                times: chunk.times[start..end].to_vec(),
                series: chunk.series[start..end].to_vec(),
                columns: chunk
                    .columns
                    .into_iter()
                    .map(|(number, array)| (number, array.slice(start, end - start)))
                    .collect(),
            },
        };
        Ok(Self {
            run,
            number,
            block,
            chunk,
            start,
        })
    }
}

impl Block {
    /// About how many rows it has in a span of time; 0 only where there is none.
    fn share_in(&self, time: &Range<i128>) -> f64 {
        share_in(self.rows, self.first, self.last, time)
    }
}
