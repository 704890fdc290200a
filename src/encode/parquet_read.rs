//! A day's Parquet file -> its columns and the rows of each leaf, or what it takes to copy a leaf as it is.

use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{TimestampMicrosecondType, TimestampNanosecondType};
use bytes::{Buf as _, Bytes, buf};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaDataOptions, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;

use super::columns::{NS_PER_US, day_schema, tidy};
use super::parquet::{MEASUREMENT_KEY, created_by};
use super::{DaySchema, ENCODER_VERSION, LeafRows};
use crate::error::{Error, Result};
use crate::format::TimeUnit;
use crate::table::schema::Column;

/// Most rows of a row group that is read, far above those of a leaf: a damaged footer must not ask for all memory.
const MAX_ROWS: usize = 1 << 20;

/// What the end of a day's Parquet file says: its columns, and where the leaves are.
#[derive(Debug)]
pub struct ParquetFooter {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    schema: Arc<DaySchema>,
}

impl ParquetFooter {
    /// Reads page index and footer from `input`: a whole file, or the [`FilePart`] behind its last leaf. `path` is what errors call
    /// the file.
    ///
    /// # Errors
    /// A file that is damaged, or that diurnal did not write.
    pub fn read(input: &impl ChunkReader, path: &Path) -> Result<Self> {
        let metadata = guarded(path, || {
            // As a mask, which is the default, statistics of the pages' encodings can't be written again.
            let options = ParquetMetaDataOptions::new().with_encoding_stats_as_mask(false);
            let metadata = ParquetMetaDataReader::new()
                .with_page_index_policy(PageIndexPolicy::Required)
                .with_metadata_options(Some(options))
                .parse_and_finish(input)
                .map_err(|error| damaged(path, error))?;
            ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new())
                .map_err(|error| damaged(path, error))
        })?;
        let key_values = metadata.metadata().file_metadata().key_value_metadata();
        let measurement = key_values
            .and_then(|pairs| pairs.iter().find(|pair| pair.key == MEASUREMENT_KEY))
            .and_then(|pair| pair.value.as_deref())
            .ok_or_else(|| {
                Error::new(
                    path.display(),
                    "it does not name its measurement, so diurnal did not write it",
                )
                .hint("move it out of the archive")
            })?;
        let schema = day_schema(metadata.schema(), measurement, path)?;
        Ok(Self {
            path: path.to_owned(),
            schema: Arc::new(schema),
            metadata,
        })
    }

    /// The columns as the file says them, with their units and descriptions at the time it was written.
    pub fn schema(&self) -> &Arc<DaySchema> {
        &self.schema
    }

    /// Whether this version of the encoder wrote the file; another one's is rewritten whole when it is touched.
    pub fn is_of_this_encoder(&self) -> bool {
        self.metadata.metadata().file_metadata().created_by() == Some(created_by(ENCODER_VERSION).as_str())
    }

    /// Number of leaves.
    pub fn leaves(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// For each column, `time` included, how many rows have a value in it: from the footer's statistics, no row is read.
    pub fn column_rows(&self) -> BTreeMap<String, u64> {
        let mut rows = BTreeMap::new();
        for chunk in self
            .metadata
            .metadata()
            .row_groups()
            .iter()
            .flat_map(|group| group.columns())
        {
            let nulls = chunk.statistics().and_then(|statistics| statistics.null_count_opt());
            let values = chunk.num_values().max(0).unsigned_abs();
            *rows.entry(chunk.column_descr().name().to_owned()).or_default() += values - nulls.unwrap_or(0).min(values);
        }
        rows
    }

    /// Checks that every column is one of `known` with the same key, kind and type.
    ///
    /// # Errors
    /// Names the first column that is not.
    pub fn check_columns(&self, known: &[Column]) -> Result<()> {
        let fits = |stored: &&Column| {
            known.iter().any(|column| {
                column.name == stored.name
                    && column.key == stored.key
                    && column.kind == stored.kind
                    && column.ty == stored.ty
            })
        };
        match self.schema.columns.iter().find(|stored| !fits(stored)) {
            None => Ok(()),
            Some(stored) => Err(Error::new(
                self.path.display(),
                format_args!(
                    "column '{}' differs from the archive's schema, or is not in it",
                    stored.name
                ),
            )),
        }
    }

    /// The rows of leaf `index`, 0 up to [`ParquetFooter::leaves`]. `input` is the file, or the [`FilePart`] of that leaf.
    ///
    /// # Errors
    /// A file that is damaged.
    pub fn rows(&self, index: usize, input: impl ChunkReader + 'static) -> Result<LeafRows> {
        self.projected(index, input, ProjectionMask::all(), &self.schema)
    }

    /// [`ParquetFooter::rows`] with only the columns that `keep` asks for: the pages of the others are not decoded.
    ///
    /// # Errors
    /// A file that is damaged.
    pub fn rows_of(
        &self,
        index: usize,
        input: impl ChunkReader + 'static,
        keep: impl Fn(&Column) -> bool,
    ) -> Result<LeafRows> {
        let kept = self
            .schema
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| keep(column));
        let (places, columns): (Vec<usize>, Vec<Column>) = kept.map(|(place, column)| (place, column.clone())).unzip();
        let schema = DaySchema {
            columns,
            ..(*self.schema).clone()
        };
        // `time` stands before the others.
        let roots = [0].into_iter().chain(places.into_iter().map(|place| place + 1));
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), roots);
        self.projected(index, input, mask, &Arc::new(schema))
    }

    /// The rows with the columns of `schema`, which are those of `mask`.
    fn projected(
        &self,
        index: usize,
        input: impl ChunkReader + 'static,
        mask: ProjectionMask,
        schema: &Arc<DaySchema>,
    ) -> Result<LeafRows> {
        let rows = usize::try_from(self.group(index)?.num_rows()).ok();
        let rows = rows
            .filter(|&rows| rows <= MAX_ROWS)
            .ok_or_else(|| self.foreign_group(index))?;
        let batch = guarded(&self.path, || self.batch(index, rows, input, mask))?;
        if batch.num_rows() != rows {
            let cause = format_args!(
                "row group {index} has {} rows, its footer says {rows}",
                batch.num_rows()
            );
            return Err(damaged(&self.path, cause));
        }
        self.leaf(&batch, schema)
    }

    /// What the footer of another file has to say of the chunks of leaf `index`, if they are copied there byte by byte: one
    /// a column.
    ///
    /// # Errors
    /// A file without page index.
    pub(super) fn chunks(&self, index: usize) -> Result<Vec<ColumnCloseResult>> {
        let group = self.group(index)?;
        let rows = u64::try_from(group.num_rows()).map_err(|_| self.foreign_group(index))?;
        let pages = self.metadata.metadata().page_index();
        let chunk = |(number, column): (usize, &ColumnChunkMetaData)| {
            let offsets = pages.and_then(|pages| pages.offset_index(index, number));
            let offsets = offsets.ok_or_else(|| self.foreign_group(index))?;
            Ok(ColumnCloseResult {
                bytes_written: u64::try_from(column.compressed_size()).map_err(|_| self.foreign_group(index))?,
                rows_written: rows,
                metadata: as_written(column.clone()).map_err(|error| damaged(&self.path, error))?,
                bloom_filter: None,
                column_index: pages.and_then(|pages| pages.column_index(index, number)).cloned(),
                offset_index: Some(offsets.clone()),
            })
        };
        group.columns().iter().enumerate().map(chunk).collect()
    }

    fn group(&self, index: usize) -> Result<&RowGroupMetaData> {
        let group = self.metadata.metadata().row_groups().get(index);
        group.ok_or_else(|| self.foreign_group(index))
    }

    fn foreign_group(&self, index: usize) -> Error {
        damaged(&self.path, format_args!("row group {index} is not one of diurnal's"))
    }

    /// One batch as long as the row group, so that one leaf is one batch.
    fn batch(
        &self,
        index: usize,
        rows: usize,
        input: impl ChunkReader + 'static,
        mask: ProjectionMask,
    ) -> Result<RecordBatch> {
        ParquetRecordBatchReaderBuilder::new_with_metadata(input, self.metadata.clone())
            .with_projection(mask)
            .with_row_groups(vec![index])
            .with_batch_size(rows)
            .build()
            .map_err(|error| damaged(&self.path, error))?
            .next()
            .ok_or_else(|| damaged(&self.path, format_args!("row group {index} is empty")))?
            .map_err(|error| damaged(&self.path, error))
    }

    fn leaf(&self, batch: &RecordBatch, schema: &Arc<DaySchema>) -> Result<LeafRows> {
        let (time, columns) = batch
            .columns()
            .split_first()
            .ok_or_else(|| damaged(&self.path, "no columns"))?;
        if time.null_count() > 0 {
            return Err(damaged(&self.path, "a row without time"));
        }
        let times = match schema.time_unit {
            TimeUnit::Ns => time.as_primitive::<TimestampNanosecondType>().values().to_vec(),
            TimeUnit::Us => {
                let times = time.as_primitive::<TimestampMicrosecondType>().values();
                let ns = times
                    .iter()
                    .map(|time| time.checked_mul(NS_PER_US))
                    .collect::<Option<_>>();
                ns.ok_or_else(|| damaged(&self.path, "a time outside of the years 1677 to 2262"))?
            }
        };
        let mut leaf = LeafRows {
            schema: Arc::clone(schema),
            times,
            columns: columns.to_vec(),
        };
        leaf.columns = tidy(schema, &leaf).map_err(|error| damaged(&self.path, error))?;
        Ok(leaf)
    }
}

/// The metadata of a chunk as its writer had it. The file keeps no flag for statistics that are written twice, also in the fields of
/// old readers: those of signed integers, times among them.
fn as_written(column: ColumnChunkMetaData) -> Result<ColumnChunkMetaData, ParquetError> {
    let signed = column.column_descr().sort_order().is_signed();
    match column.statistics() {
        Some(Statistics::Int64(statistics)) if signed => {
            let statistics = statistics.clone().with_backwards_compatible_min_max(true);
            column.into_builder().set_statistics(statistics.into()).build()
        }
        _ => Ok(column),
    }
}

/// An open Parquet file of a day.
///
/// Bit rot in a page can go unnoticed here: check the hashes of the ledger before the rows are trusted.
#[derive(Debug)]
pub struct ParquetDay {
    file: File,
    footer: ParquetFooter,
}

impl ParquetDay {
    /// Reads the footer of `file`. `path` is what errors call it.
    ///
    /// # Errors
    /// A file that is damaged, or that diurnal did not write.
    pub fn open(file: File, path: &Path) -> Result<Self> {
        let footer = ParquetFooter::read(&file, path)?;
        Ok(Self { file, footer })
    }

    /// What its end says.
    pub fn footer(&self) -> &ParquetFooter {
        &self.footer
    }

    /// The rows of leaf `index`, 0 up to [`ParquetFooter::leaves`].
    ///
    /// The file's position moves, so that one `ParquetDay` reads one leaf at a time.
    ///
    /// # Errors
    /// A file that is damaged.
    pub fn read(&mut self, index: usize) -> Result<LeafRows> {
        let file = self
            .file
            .try_clone()
            .map_err(|error| Error::io(&self.footer.path, "open", &error))?;
        self.footer.rows(index, file)
    }

    /// All leaves in order.
    pub fn into_leaves(mut self) -> impl Iterator<Item = Result<LeafRows>> {
        (0..self.footer.leaves()).map(move |index| self.read(index))
    }
}

/// Some bytes of a file, read already, at the place where they stand in it.
#[derive(Clone, Debug)]
pub struct FilePart {
    /// Where the first byte stands.
    start: u64,
    bytes: Bytes,
}

impl FilePart {
    /// The bytes of a file from `start` on, to its end or to some place before it.
    pub fn new(start: u64, bytes: Vec<u8>) -> Self {
        Self {
            start,
            bytes: bytes.into(),
        }
    }

    fn from(&self, start: u64) -> Result<Bytes, ParquetError> {
        let at = start.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        match at.filter(|&at| at <= self.bytes.len()) {
            Some(at) => Ok(self.bytes.slice(at..)),
            None => Err(ParquetError::EOF(format!("byte {start} is outside of its leaf"))),
        }
    }
}

/// As far as is known here: to the end of what was read.
impl Length for FilePart {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for FilePart {
    type T = buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.from(start)?;
        match length <= bytes.len() {
            true => Ok(bytes.slice(..length)),
            false => Err(ParquetError::EOF(format!(
                "{length} bytes at {start} reach out of their leaf"
            ))),
        }
    }
}

/// Runs the Parquet reader, which panics on some damaged pages: a test flips every byte of a file. What it leaves behind
/// then is dropped here, nothing of it is seen again.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(damaged(path, "a page holds what it can't hold")))
}

fn damaged(path: &Path, cause: impl std::fmt::Display) -> Error {
    Error::damaged(path.display(), format_args!("it cannot be read: {cause}"))
        .hint("`diurnal verify` says which files are damaged; put them back from a backup")
}
