//! Sorted rows -> Parquet and CSV bytes, and back. Deterministic: the bytes follow from the rows and their schema.
//!
//! A [`LeafEncoder`] turns the rows of one leaf into bytes, on any thread and in any order; a [`ParquetDayWriter`] and a
//! [`CsvDayWriter`] take the encoded leaves in the order of the day and lay them into files, among copies of leaves that a file
//! has already. [`ParquetDay`] and [`CsvDay`] read the files back.

mod columns;
mod csv;
mod csv_read;
mod parquet;
mod parquet_read;
mod repeats;
mod time_text;
mod widen;

use std::ops::Range;
use std::sync::Arc;

use ::parquet::arrow::arrow_writer::ArrowColumnChunk;
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};

pub(crate) use self::columns::{TIME, arrow_type, column_of, kind_of};
pub use self::csv::{CsvDayWriter, CsvLeaf, csv_header};
pub use self::csv_read::CsvDay;
pub use self::parquet::ParquetDayWriter;
pub use self::parquet_read::{FilePart, ParquetDay, ParquetFooter};
pub use self::widen::{WideLeaf, Widening};
use crate::error::{Error, Result};
use crate::format::{Formats, TimeUnit};
use crate::store::record::Piece;
use crate::table::schema::Column;

/// Version of everything that decides the bytes of a day file: layout, encodings, the libraries that write them.
pub const ENCODER_VERSION: u32 = 2;

/// The columns of one day file, in file order. `time` comes before them and is not listed.
#[derive(Clone, Debug, PartialEq)]
pub struct DaySchema {
    /// The measurement's name, not encoded.
    pub measurement: String,
    /// Tags, then fields.
    pub columns: Vec<Column>,
    /// Resolution of `time`.
    pub time_unit: TimeUnit,
}

impl DaySchema {
    /// The columns as Arrow knows them, `time` first: units and descriptions in their metadata, the measurement's name in that of the whole,
    /// as a reader of the Parquet file finds them.
    pub fn arrow(&self) -> SchemaRef {
        let metadata = [(parquet::MEASUREMENT_KEY.to_owned(), self.measurement.clone())];
        let schema = columns::arrow_schema(self);
        Arc::new(Schema::clone(&schema).with_metadata(metadata))
    }
}

/// The rows of one leaf (row group), sorted and folded.
#[derive(Clone, Debug)]
pub struct LeafRows {
    /// What the columns are.
    pub schema: Arc<DaySchema>,
    /// Nanoseconds since 1970-01-01 UTC, ascending.
    pub times: Vec<i64>,
    /// One array a column of the schema: tags `Dictionary(Int32, Utf8)`, fields Float64, Int64, UInt64, Boolean or
    /// Utf8. A null buffer only where there are nulls.
    pub columns: Vec<ArrayRef>,
}

impl LeafRows {
    /// Those from the first to before the last of these times.
    #[must_use]
    pub fn within(&self, time: &Range<i128>) -> Self {
        let before = |bound: i128| self.times.partition_point(|&time| i128::from(time) < bound);
        let (start, end) = (before(time.start), before(time.end));
        Self {
            schema: Arc::clone(&self.schema),
            times: self.times[start..end].to_vec(),
            columns: self
                .columns
                .iter()
                .map(|column| column.slice(start, end - start))
                .collect(),
        }
    }

    /// The same rows with only the columns that `keep` asks for.
    #[must_use]
    pub fn with(&self, keep: impl Fn(&Column) -> bool) -> Self {
        let columns = self.schema.columns.iter().zip(&self.columns);
        let (described, columns) = columns
            .filter(|(column, _)| keep(column))
            .map(|(column, values)| (column.clone(), Arc::clone(values)))
            .unzip();
        Self {
            schema: Arc::new(DaySchema {
                columns: described,
                ..(*self.schema).clone()
            }),
            times: self.times.clone(),
            columns,
        }
    }

    /// The rows as Arrow's own table, `time` first: what a reader of the Parquet file gets, with the metadata of [`DaySchema::arrow`].
    ///
    /// # Errors
    /// Columns that aren't those of the schema.
    pub fn record_batch(&self) -> Result<RecordBatch> {
        let mut columns = columns::tidy(&self.schema, self)?;
        columns.insert(0, columns::time_array(self.schema.time_unit, &self.times));
        RecordBatch::try_new(self.schema.arrow(), columns)
            .map_err(|error| Error::new(format_args!("rows of {}", self.schema.measurement), error))
    }
}

/// One leaf in the bytes of each format, ready to be appended to the files of its day.
#[derive(Debug)]
pub struct EncodedLeaf {
    /// Number of rows, 1 at least.
    pub rows: u64,
    /// The first time, nanoseconds since 1970-01-01 UTC.
    pub first: i64,
    /// The last time.
    pub last: i64,
    /// One chunk a column, `time` first; `None` where the archive keeps no Parquet.
    pub parquet: Option<Vec<ArrowColumnChunk>>,
    /// The same rows as text; `None` where the archive keeps no CSV.
    pub csv: Option<CsvLeaf>,
}

/// A finished file.
#[derive(Debug)]
pub struct WrittenDay<W> {
    /// What was written to.
    pub out: W,
    /// Where each leaf stands and the BLAKE3 of its bytes, in order and without a gap between them.
    pub pieces: Vec<Piece>,
    /// BLAKE3 of all bytes before the first leaf and after the last one, joined; hexadecimal.
    pub rest: String,
    /// Length of the file in bytes.
    pub bytes: u64,
}

/// Encodes the leaves of one day file. Shared by threads: what it makes of a leaf depends on nothing but the leaf.
#[derive(Debug)]
pub struct LeafEncoder {
    schema: Arc<DaySchema>,
    formats: Formats,
    parquet: parquet::ChunkEncoder,
}

impl LeafEncoder {
    /// An encoder for day files with these columns in these formats.
    ///
    /// # Errors
    /// Columns that no Parquet file can hold.
    pub fn new(schema: Arc<DaySchema>, formats: Formats) -> Result<Self> {
        let parquet = parquet::ChunkEncoder::new(&schema)?;
        Ok(Self {
            schema,
            formats,
            parquet,
        })
    }

    /// Encodes the leaf that will be row group `index` (0, 1, ...) of its day.
    ///
    /// # Errors
    /// Rows that break what [`LeafRows`] promises: none at all, times that fall, columns that aren't those of the
    /// schema; a float that is not finite; a time between two microseconds in an archive of microseconds.
    pub fn encode(&self, index: usize, rows: &LeafRows) -> Result<EncodedLeaf> {
        let (first, last) = self.check(rows)?;
        let columns = columns::tidy(&self.schema, rows)?;
        let parquet = match self.formats.parquet {
            true => Some(self.parquet.encode(index, &rows.times, &columns)?),
            false => None,
        };
        let csv = match self.formats.csv {
            true => Some(CsvLeaf::encode(&rows.times, &columns)),
            false => None,
        };
        Ok(EncodedLeaf {
            rows: rows.times.len() as u64,
            first,
            last,
            parquet,
            csv,
        })
    }

    /// First and last time of rows that are fit to be encoded.
    fn check(&self, rows: &LeafRows) -> Result<(i64, i64)> {
        let fail = |cause: &str| Err(Error::new(format_args!("a leaf of {}", self.schema.measurement), cause));
        let (Some(&first), Some(&last)) = (rows.times.first(), rows.times.last()) else {
            return fail("it has no rows");
        };
        if rows.schema != self.schema && *rows.schema != *self.schema {
            return fail("its columns are not those of its day file");
        }
        if !rows.times.is_sorted() {
            return fail("its rows are not in the order of time");
        }
        if self.schema.time_unit == TimeUnit::Us && rows.times.iter().any(|time| time % columns::NS_PER_US != 0) {
            return fail("it has a time that is no whole microsecond");
        }
        Ok((first, last))
    }
}

#[cfg(test)]
mod tests;
