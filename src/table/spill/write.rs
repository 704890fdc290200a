//! Collected rows -> blocks on disk: sorted by time, cut at days and at a size that is read at once.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::compute::interleave;

use super::block::{append_kept, append_rows, append_series};
use super::{Block, SpilledTable};
use crate::calendar::{Day, Zone};
use crate::error::{Error, Result};
use crate::store::{SpillPiece, SpillSpace, SpillWriter};
use crate::table::builder::{CHUNK_ROWS, Chunk};
use crate::table::collected::CollectedTable;
use crate::table::reject::RejectedText;

/// Writes the rows of all tables into one file, but for those that were taken out: their places, by chunk. The blocks of a table that has
/// no more series than `shared_series` share one piece with all of them.
pub(super) fn spill_tables(
    tables: Vec<(CollectedTable, Vec<HashSet<usize>>)>,
    space: &SpillSpace,
    zone: Zone,
    block_bytes: usize,
    shared_series: usize,
) -> Result<Vec<SpilledTable>> {
    let mut file = space.file()?;
    let mut written = Vec::with_capacity(tables.len());
    for (table, removed) in tables {
        let blocks = Sorted::new(&table, &removed, block_bytes).write(zone, shared_series, &mut file)?;
        written.push((table.measurement, table.known, table.tag_keys, table.columns, blocks));
    }
    let file = Arc::new(file.finish()?);
    let spilled = written
        .into_iter()
        .map(|(measurement, known, tag_keys, columns, blocks)| SpilledTable {
            measurement,
            known,
            tag_keys,
            columns,
            file: Arc::clone(&file),
            blocks,
        });
    Ok(spilled.collect())
}

/// Where a row is, in the order of time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    time: i64,
    chunk: u32,
    row: u32,
}

/// A table with its rows in the order of time.
struct Sorted<'a> {
    table: &'a CollectedTable,
    places: Vec<Place>,
    rows_of_block: usize,
    shared_series: Option<Shared>,
}

/// The series of a table that all of its blocks share.
struct Shared {
    piece: Option<SpillPiece>,
}

impl<'a> Sorted<'a> {
    fn new(table: &'a CollectedTable, removed: &[HashSet<usize>], block_bytes: usize) -> Self {
        let mut places: Vec<Place> = Vec::with_capacity(table.chunks.iter().map(|chunk| chunk.times.len()).sum());
        for (number, chunk) in (0..).zip(&table.chunks) {
            let place = |(row, &time)| Place {
                time,
                chunk: number,
                row,
            };
            let rows = (0..).zip(&chunk.times).map(place);
            match removed.get(number as usize).filter(|removed| !removed.is_empty()) {
                Some(removed) => places.extend(rows.filter(|place| !removed.contains(&(place.row as usize)))),
                None => places.extend(rows),
            }
        }
        places.sort_unstable();
        let arrays = table.chunks.iter().flat_map(|chunk| &chunk.columns);
        let bytes: usize = arrays.map(|(_, array)| array.get_buffer_memory_size()).sum();
        let bytes_of_row = 12 + bytes / places.len().max(1);
        Self {
            table,
            rows_of_block: (block_bytes / bytes_of_row).clamp(1, CHUNK_ROWS),
            places,
            shared_series: None,
        }
    }

    fn write(mut self, zone: Zone, shared_series: usize, file: &mut SpillWriter) -> Result<Vec<Block>> {
        let table = self.table;
        if table.series.len() <= shared_series && !self.places.is_empty() {
            let all = table.series.iter().map(Vec::as_slice);
            let piece = append_series(&table.tag_values, all, file)?;
            self.shared_series = Some(Shared { piece });
        }
        let mut blocks: Vec<Block> = Vec::new();
        let mut rest = self.places.as_slice();
        while let Some(first) = rest.first() {
            let day = zone.day_of(first.time);
            let (_, end) = zone.bounds(day);
            let of_day = rest.partition_point(|place| i128::from(place.time) < end);
            let (day_places, later) = rest.split_at(of_day);
            for places in day_places.chunks(self.rows_of_block) {
                let block = self.block(blocks.len(), day, places, blocks.last(), file)?;
                blocks.push(block);
            }
            rest = later;
        }
        Ok(blocks)
    }

    fn block(
        &self,
        number: usize,
        day: Day,
        places: &[Place],
        before: Option<&Block>,
        file: &mut SpillWriter,
    ) -> Result<Block> {
        let table = self.table;
        let mut series: Vec<u32> = places
            .iter()
            .map(|place| table.chunks[place.chunk as usize].series[place.row as usize])
            .collect();
        let mut used = series.clone();
        used.sort_unstable();
        used.dedup();
        let mut tags: Vec<u32> = used
            .iter()
            .flat_map(|&number| table.series[number as usize].iter().map(|&(key, _)| key))
            .collect();
        tags.sort_unstable();
        tags.dedup();
        let series_piece = match &self.shared_series {
            Some(shared) => shared.piece,
            None => {
                for number in &mut series {
                    let place = used.binary_search(number);
                    let place = place.expect("every row's series is among those in use");
                    *number = u32::try_from(place).expect("a block has fewer series than rows");
                }
                let own = used.iter().map(|&number| table.series[number as usize].as_slice());
                append_series(&table.tag_values, own, file)?
            }
        };
        let columns = gather(&table.chunks, places)?;
        let kept = match table.kept.is_empty() {
            true => None,
            false => self.kept(places, file)?,
        };
        let numbers: Vec<u32> = columns.iter().map(|(number, _)| *number).collect();
        let chunk = Chunk {
            times: places.iter().map(|place| place.time).collect(),
            series,
            columns,
        };
        Ok(Block {
            number,
            day,
            rows: places.len(),
            first: places.first().map_or(0, |place| place.time),
            last: places.last().map_or(0, |place| place.time),
            columns: shared(numbers, before.map(|block| &block.columns)),
            tags: shared(tags, before.map(|block| &block.tags)),
            series: series_piece,
            body: append_rows(chunk, file)?,
            kept,
            removed: Default::default(),
        })
    }

    fn kept(&self, places: &[Place], file: &mut SpillWriter) -> Result<Option<SpillPiece>> {
        let kept: Vec<(usize, RejectedText)> = places
            .iter()
            .enumerate()
            .filter_map(|(row, place)| {
                let line = self.table.kept.find((place.chunk as usize, place.row as usize))?;
                Some((row, line.to_text()))
            })
            .collect();
        match kept.is_empty() {
            true => Ok(None),
            false => append_kept(&kept, file).map(Some),
        }
    }
}

/// The numbers, in the memory of the block before where they are the same.
fn shared(numbers: Vec<u32>, before: Option<&Arc<[u32]>>) -> Arc<[u32]> {
    match before {
        Some(before) if **before == *numbers => Arc::clone(before),
        _ => numbers.into(),
    }
}

/// Number and array of each column that one of these rows has.
fn gather(chunks: &[Chunk], places: &[Place]) -> Result<Vec<(u32, ArrayRef)>> {
    let mut here: Vec<u32> = places.iter().map(|place| place.chunk).collect();
    here.sort_unstable();
    here.dedup();
    let mut local = vec![0; chunks.len()];
    for (number, &chunk) in here.iter().enumerate() {
        local[chunk as usize] = number;
    }
    let all: Vec<(usize, usize)> = places
        .iter()
        .map(|place| (local[place.chunk as usize], place.row as usize))
        .collect();

    present(chunks, &here, places)
        .into_iter()
        .map(|number| {
            let arrays: Vec<Option<&ArrayRef>> = here
                .iter()
                .map(|&chunk| chunks[chunk as usize].column(number))
                .collect();
            let one = arrays.iter().flatten().next();
            let one = one.expect("a column that occurs has an array");
            let null = new_null_array(one.data_type(), 1);
            let gathered = if arrays.iter().all(Option::is_some) {
                let arrays: Vec<&dyn Array> = arrays.iter().flatten().map(|array| array.as_ref()).collect();
                interleave(&arrays, &all)
            } else {
                // One null for all rows of the chunks that lack the column.
                let at = |&(chunk, row): &(usize, usize)| match arrays[chunk] {
                    Some(_) => (chunk, row),
                    None => (chunk, 0),
                };
                let indices: Vec<(usize, usize)> = all.iter().map(at).collect();
                let arrays: Vec<&dyn Array> = arrays.iter().map(|array| array.unwrap_or(&null).as_ref()).collect();
                interleave(&arrays, &indices)
            };
            let array = gathered
                .map_err(|error| Error::new("sorted rows", format_args!("a column cannot be gathered: {error}")))?;
            Ok((number, array))
        })
        .collect()
}

/// The columns that one of these rows has, ascending.
fn present(chunks: &[Chunk], here: &[u32], places: &[Place]) -> Vec<u32> {
    let mut found: Vec<u32> = Vec::new();
    for &chunk in here {
        let of_chunk = places.iter().filter(|place| place.chunk == chunk);
        let rows: Vec<usize> = of_chunk.map(|place| place.row as usize).collect();
        for (number, array) in &chunks[chunk as usize].columns {
            if array.null_count() == 0 || rows.iter().any(|&row| array.is_valid(row)) {
                found.push(*number);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}
