//! A day's Parquet file -> its columns and the rows of each leaf.

use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{TimestampMicrosecondType, TimestampNanosecondType};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::columns::{NS_PER_US, day_schema, tidy};
use super::parquet::{MEASUREMENT_KEY, created_by};
use super::{DaySchema, ENCODER_VERSION, LeafRows};
use crate::error::{Error, Result};
use crate::format::TimeUnit;
use crate::table::schema::Column;

/// Most rows of a row group that is read, far above those of a leaf: a damaged footer must not ask for all memory.
const MAX_ROWS: usize = 1 << 20;

/// An open Parquet file of a day.
///
/// Bit rot in a page can go unnoticed here: check the hashes of the ledger before the rows are trusted.
#[derive(Debug)]
pub struct ParquetDay {
    path: PathBuf,
    file: File,
    metadata: ArrowReaderMetadata,
    schema: Arc<DaySchema>,
}

impl ParquetDay {
    /// Reads the footer of `file`. `path` is what errors call it.
    ///
    /// # Errors
    /// A file that is damaged, or that diurnal did not write.
    pub fn open(file: File, path: &Path) -> Result<Self> {
        let metadata = guarded(path, || {
            ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|error| damaged(path, error))
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
            file,
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

    /// The rows of leaf `index`, 0 up to [`ParquetDay::leaves`].
    ///
    /// The file's position moves, so that one `ParquetDay` reads one leaf at a time.
    ///
    /// # Errors
    /// A file that is damaged.
    pub fn read(&mut self, index: usize) -> Result<LeafRows> {
        let group = self.metadata.metadata().row_groups().get(index);
        let rows = group.and_then(|group| usize::try_from(group.num_rows()).ok());
        let rows = rows
            .filter(|&rows| rows <= MAX_ROWS)
            .ok_or_else(|| damaged(&self.path, format_args!("row group {index} is not one of diurnal's")))?;
        let batch = guarded(&self.path, || self.batch(index, rows))?;
        if batch.num_rows() != rows {
            let cause = format_args!(
                "row group {index} has {} rows, its footer says {rows}",
                batch.num_rows()
            );
            return Err(damaged(&self.path, cause));
        }
        self.leaf(&batch)
    }

    /// One batch as long as the row group, so that one leaf is one batch.
    fn batch(&self, index: usize, rows: usize) -> Result<RecordBatch> {
        let file = self
            .file
            .try_clone()
            .map_err(|error| Error::io(&self.path, "open", &error))?;
        ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_row_groups(vec![index])
            .with_batch_size(rows)
            .build()
            .map_err(|error| damaged(&self.path, error))?
            .next()
            .ok_or_else(|| damaged(&self.path, format_args!("row group {index} is empty")))?
            .map_err(|error| damaged(&self.path, error))
    }

    /// All leaves in order.
    pub fn into_leaves(mut self) -> impl Iterator<Item = Result<LeafRows>> {
        (0..self.leaves()).map(move |index| self.read(index))
    }

    fn leaf(&self, batch: &RecordBatch) -> Result<LeafRows> {
        let (time, columns) = batch
            .columns()
            .split_first()
            .ok_or_else(|| damaged(&self.path, "no columns"))?;
        if time.null_count() > 0 {
            return Err(damaged(&self.path, "a row without time"));
        }
        let times = match self.schema.time_unit {
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
            schema: Arc::clone(&self.schema),
            times,
            columns: columns.to_vec(),
        };
        leaf.columns = tidy(&self.schema, &leaf).map_err(|error| damaged(&self.path, error))?;
        Ok(leaf)
    }
}

/// Runs the Parquet reader, which panics on some damaged pages: a test flips every byte of a file. What it leaves behind
/// then is dropped here, nothing of it is seen again.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(damaged(path, "a page holds what it can't hold")))
}

fn damaged(path: &Path, cause: impl std::fmt::Display) -> Error {
    Error::new(path.display(), format_args!("it cannot be read: {cause}"))
        .hint("`diurnal verify` says which files are damaged; put them back from a backup")
}
