//! One day of one measurement: merged with what its files hold, encoded leaf by leaf on all cores, staged.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use crate::calendar::{Day, Zone};
use crate::encode::{
    CsvDay, CsvDayWriter, ENCODER_VERSION, EncodedLeaf, LeafEncoder, LeafRows, ParquetDay, ParquetDayWriter, WrittenDay,
};
use crate::error::{Error, Result};
use crate::format::{Formats, TimeUnit};
use crate::order::{Entry, OldDay, RunCounts, SortedRun};
use crate::store::record::{DayEntry, DayFileEntry, Leaf, Piece};
use crate::store::{StagedFile, Staging, check_day_file, paths};
use crate::table::SettledTable;
use crate::table::schema::MeasurementSchema;

/// Leaves that are encoded at once for each thread: enough to keep all busy, few enough to bound what waits to be written.
const LEAVES_PER_THREAD: usize = 2;

/// What a day is written with.
#[derive(Clone, Copy)]
pub struct DayContext<'a> {
    /// Where the file on record under a path relative to the archive is.
    pub locate: &'a (dyn Fn(&str) -> PathBuf + Sync),
    pub zone: Zone,
    pub time_unit: TimeUnit,
    pub formats: Formats,
    /// Rows of a leaf at most: [`LEAF_ROWS`](crate::order::LEAF_ROWS), but for tests.
    pub leaf_rows: usize,
}

/// What became of a day.
#[derive(Debug)]
pub struct WrittenEntry {
    /// The day's new entry, or `None` where the new lines changed no byte of it.
    pub entry: Option<DayEntry>,
    pub counts: RunCounts,
}

/// Merges new rows into a day and stages its files.
///
/// # Errors
/// Files of the day that are not as the ledger says, or a disk that can't be written.
pub fn write_day(
    context: DayContext<'_>,
    staging: &Staging,
    table: &SettledTable,
    day: Day,
    entries: Vec<Entry>,
    before: Option<&DayEntry>,
) -> Result<WrittenEntry> {
    let old = match before {
        Some(entry) => Some(OldDay::new(&table.schema, &read_day(context, &table.schema, entry)?)?),
        None => None,
    };
    let (first, end) = context.zone.bounds(day);
    let run = SortedRun::merge(table, old.as_ref(), entries, first..end, context.time_unit)?;
    let staged = stage(context, staging, &run, day)?;
    let counts = run.counts();
    if let Some(before) = before
        && same_content(before, &staged.entry)
    {
        // The staged files say what is there already; dropped, they are gone.
        return Ok(WrittenEntry { entry: None, counts });
    }
    Ok(WrittenEntry {
        entry: Some(staged.finish(before)?),
        counts,
    })
}

/// The leaves of a day as its files hold them, after checking every byte against the hashes on record.
///
/// # Errors
/// A file that is missing, damaged, or not the one on record.
pub fn read_day(context: DayContext<'_>, schema: &MeasurementSchema, entry: &DayEntry) -> Result<Vec<LeafRows>> {
    let open = |path: &Path| File::open(path).map_err(|error| Error::io(path, "open it", &error));
    if let Some(file) = &entry.parquet {
        let path = (context.locate)(&file.path);
        check_day_file(&path, file, entry.leaves.iter().map(|leaf| leaf.parquet.as_ref()))?;
        let parquet = ParquetDay::open(open(&path)?, &path)?;
        parquet.footer().check_columns(&schema.columns)?;
        return parquet.into_leaves().collect();
    }
    let Some(file) = &entry.csv else {
        return Err(Error::new(
            format_args!("{} {}", entry.measurement, entry.day),
            "has no file left to merge with",
        ));
    };
    let path = (context.locate)(&file.path);
    check_day_file(&path, file, entry.leaves.iter().map(|leaf| leaf.csv.as_ref()))?;
    let reader = BufReader::new(open(&path)?);
    CsvDay::open(reader, &path, &entry.measurement, &schema.columns, context.time_unit)?
        .with_batch_rows(crate::order::LEAF_ROWS)
        .collect()
}

/// The staged files of a day, not synced yet.
struct StagedDay {
    entry: DayEntry,
    parquet: Option<StagedFile>,
    csv: Option<StagedFile>,
}

impl StagedDay {
    /// Syncs the files; the entry then says which ones they replace.
    fn finish(mut self, before: Option<&DayEntry>) -> Result<DayEntry> {
        let replaced = |file: Option<&DayFileEntry>| file.map(|file| file.bytes);
        if let (Some(file), Some(entry)) = (self.parquet, &mut self.entry.parquet) {
            file.finish()?;
            entry.replaced = replaced(before.and_then(|before| before.parquet.as_ref()));
        }
        if let (Some(file), Some(entry)) = (self.csv, &mut self.entry.csv) {
            file.finish()?;
            entry.replaced = replaced(before.and_then(|before| before.csv.as_ref()));
        }
        Ok(self.entry)
    }
}

fn stage(context: DayContext<'_>, staging: &Staging, run: &SortedRun<'_>, day: Day) -> Result<StagedDay> {
    let schema = run.schema();
    let day = day.to_string();
    let target = |extension: &str| {
        paths::day_file(&schema.measurement, &day, extension).map_err(|error| Error::new(&schema.measurement, error))
    };
    let encoder = LeafEncoder::new(Arc::clone(schema), context.formats)?;
    let (parquet_path, csv_path) = (target("parquet")?, target("csv")?);
    let mut parquet = match context.formats.parquet {
        true => Some(ParquetDayWriter::new(
            staging.file(&parquet_path)?,
            Path::new(&parquet_path),
            schema,
        )?),
        false => None,
    };
    let mut csv = match context.formats.csv {
        true => Some(CsvDayWriter::new(
            staging.file(&csv_path)?,
            Path::new(&csv_path),
            schema,
        )?),
        false => None,
    };

    let mut leaves = Vec::new();
    let ranges: Vec<_> = run.leaves(context.leaf_rows).into_iter().enumerate().collect();
    for group in ranges.chunks(LEAVES_PER_THREAD * rayon::current_num_threads()) {
        let encoded: Vec<EncodedLeaf> = group
            .par_iter()
            .map(|(index, rows)| encoder.encode(*index, &run.leaf(rows.clone())?))
            .collect::<Result<_>>()?;
        for leaf in encoded {
            leaves.push(Leaf {
                rows: leaf.rows,
                first: leaf.first,
                last: leaf.last,
                parquet: None,
                csv: None,
            });
            if let (Some(writer), Some(chunks)) = (&mut parquet, leaf.parquet) {
                writer.append(chunks)?;
            }
            if let (Some(writer), Some(text)) = (&mut csv, leaf.csv) {
                writer.append(&text)?;
            }
        }
    }
    let mut staged = StagedDay {
        entry: DayEntry {
            measurement: schema.measurement.clone(),
            day,
            rows: leaves.iter().map(|leaf| leaf.rows).sum(),
            first: leaves.first().map_or(0, |leaf| leaf.first),
            last: leaves.last().map_or(0, |leaf| leaf.last),
            encoder: ENCODER_VERSION,
            leaves,
            parquet: None,
            csv: None,
        },
        parquet: None,
        csv: None,
    };
    if let Some(writer) = parquet {
        let (file, entry, pieces) = written(writer.finish()?, parquet_path);
        for (leaf, piece) in staged.entry.leaves.iter_mut().zip(pieces) {
            leaf.parquet = Some(piece);
        }
        (staged.parquet, staged.entry.parquet) = (Some(file), Some(entry));
    }
    if let Some(writer) = csv {
        let (file, entry, pieces) = written(writer.finish()?, csv_path);
        for (leaf, piece) in staged.entry.leaves.iter_mut().zip(pieces) {
            leaf.csv = Some(piece);
        }
        (staged.csv, staged.entry.csv) = (Some(file), Some(entry));
    }
    Ok(staged)
}

fn written(day: WrittenDay<StagedFile>, path: String) -> (StagedFile, DayFileEntry, Vec<Piece>) {
    let entry = DayFileEntry {
        path,
        bytes: day.bytes,
        rest: day.rest,
        replaced: None,
    };
    (day.out, entry, day.pieces)
}

/// Whether two entries are of the same bytes: everything but which file replaced which.
fn same_content(a: &DayEntry, b: &DayEntry) -> bool {
    let without_history = |entry: &DayEntry| {
        let mut entry = entry.clone();
        for file in [&mut entry.parquet, &mut entry.csv].into_iter().flatten() {
            file.replaced = None;
        }
        entry
    };
    without_history(a) == without_history(b)
}
