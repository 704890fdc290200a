//! The bytes of a block: Arrow's IPC streams of one batch each, for rows and series; kept lines as rejects are stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, UInt32Type};
use arrow::error::ArrowError;
use arrow::ipc::CompressionType;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};

use super::{Block, SpilledTable};
use crate::error::{Error, Result};
use crate::store::{SpillPiece, SpillWriter};
use crate::table::builder::Chunk;
use crate::table::{RejectedLine, RejectedText};

/// Columns before those of the fields.
const TIME: &str = "time";
const SERIES: &str = "series";

/// The series that the rows of a block are of.
pub(super) struct SeriesTable {
    /// Local numbers of the tag keys, and for each series its value.
    pub tags: Vec<(u32, DictionaryArray<UInt32Type>)>,
}

/// Appends the one batch that these columns make.
fn append(columns: Vec<(String, ArrayRef)>, to: &mut SpillWriter) -> Result<SpillPiece> {
    let not_encoded = |error: ArrowError| Error::new("sorted rows", format_args!("cannot be encoded: {error}"));
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(name, array.data_type().clone(), true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(not_encoded)?;
    let options = IpcWriteOptions::default()
        .try_with_compression(Some(CompressionType::LZ4_FRAME))
        .map_err(not_encoded)?;
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &schema, options).map_err(not_encoded)?;
    writer.write(&batch).map_err(not_encoded)?;
    let bytes = writer.into_inner().map_err(not_encoded)?;
    to.append(&bytes)
}

pub(super) fn append_rows(chunk: Chunk, to: &mut SpillWriter) -> Result<SpillPiece> {
    let mut columns: Vec<(String, ArrayRef)> = vec![
        (TIME.to_owned(), Arc::new(Int64Array::from(chunk.times))),
        (SERIES.to_owned(), Arc::new(UInt32Array::from(chunk.series))),
    ];
    let fields = chunk.columns.into_iter();
    columns.extend(fields.map(|(number, array)| (number.to_string(), array)));
    append(columns, to)
}

/// Appends some series of a table; `None` where none of them has a tag.
pub(super) fn append_series<'a>(
    tag_values: &[Vec<String>],
    series: impl ExactSizeIterator<Item = &'a [(u32, u32)]>,
    to: &mut SpillWriter,
) -> Result<Option<SpillPiece>> {
    let len = series.len();
    // Those that occur only: a producer may have made any number of keys.
    let mut tags: BTreeMap<u32, TagColumn> = BTreeMap::new();
    for (number, tag_set) in series.enumerate() {
        for &(key, value) in tag_set {
            let tag = tags.entry(key);
            tag.or_insert_with(|| TagColumn::new(&tag_values[key as usize]))
                .push(number, value);
        }
    }
    let columns: Vec<(String, ArrayRef)> = tags
        .into_iter()
        .map(|(key, tag)| (key.to_string(), tag.finish(len)))
        .collect();
    match columns.is_empty() {
        true => Ok(None),
        false => append(columns, to).map(Some),
    }
}

/// The values of one tag for some series, with those values only that occur.
struct TagColumn<'a> {
    all: &'a [String],
    number: Vec<u32>,
    values: Vec<&'a str>,
    keys: Vec<Option<u32>>,
}

/// No number was given to a value yet.
const UNUSED: u32 = u32::MAX;

impl<'a> TagColumn<'a> {
    fn new(all: &'a [String]) -> Self {
        Self {
            all,
            number: Vec::new(),
            values: Vec::new(),
            keys: Vec::new(),
        }
    }

    fn push(&mut self, series: usize, value: u32) {
        if self.number.is_empty() {
            self.number = vec![UNUSED; self.all.len()];
        }
        let number = &mut self.number[value as usize];
        if *number == UNUSED {
            *number = u32::try_from(self.values.len()).expect("no more values than the table numbers");
            self.values.push(&self.all[value as usize]);
        }
        self.keys.resize(series, None);
        self.keys.push(Some(*number));
    }

    fn finish(mut self, series: usize) -> ArrayRef {
        self.keys.resize(series, None);
        let values = Arc::new(StringArray::from(self.values));
        let dictionary = DictionaryArray::<UInt32Type>::try_new(UInt32Array::from(self.keys), values);
        Arc::new(dictionary.expect("every key was made from the values"))
    }
}

/// Level of zstd for kept lines: few, and much alike.
const KEPT_LEVEL: i32 = 1;

/// Appends lines that may yet become rejects, each with its row in the block, in the form that rejects are stored in.
pub(super) fn append_kept(lines: &[(usize, RejectedText)], to: &mut SpillWriter) -> Result<SpillPiece> {
    let text = serde_json::to_vec(lines).expect("rejects hold strings and numbers only");
    let packed = zstd::bulk::compress(&text, KEPT_LEVEL);
    to.append(&packed.map_err(|error| Error::new("kept lines", format_args!("cannot be compressed: {error}")))?)
}

impl SpilledTable {
    fn batch(&self, piece: SpillPiece) -> Result<RecordBatch> {
        let bytes = self.file.read(piece)?;
        let not_read = |error: ArrowError| self.file.damaged(format_args!("cannot be decoded: {error}"));
        let mut batches = StreamReader::try_new(&bytes[..], None).map_err(not_read)?;
        let batch = batches.next().transpose().map_err(not_read)?;
        batch.ok_or_else(|| self.file.damaged("a block is empty"))
    }

    /// The rows of a block.
    pub(super) fn rows(&self, block: &Block) -> Result<Chunk> {
        let batch = self.batch(block.body)?;
        let other = || self.file.damaged("a block does not hold what was written");
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()).skip(2) {
            columns.push((field.name().parse().map_err(|_| other())?, Arc::clone(array)));
        }
        match (batch.columns().first(), batch.columns().get(1)) {
            (Some(times), Some(series))
                if *times.data_type() == DataType::Int64
                    && *series.data_type() == DataType::UInt32
                    && batch.num_rows() == block.rows =>
            {
                Ok(Chunk {
                    times: times.as_primitive::<Int64Type>().values().to_vec(),
                    series: series.as_primitive::<UInt32Type>().values().to_vec(),
                    columns,
                })
            }
            _ => Err(other()),
        }
    }

    /// The series that rows of a block are of.
    pub(super) fn series(&self, piece: SpillPiece) -> Result<SeriesTable> {
        let batch = self.batch(piece)?;
        let tag = |(field, array): (&Arc<Field>, &ArrayRef)| {
            let number = field.name().parse().ok()?;
            Some((number, array.as_dictionary_opt::<UInt32Type>()?.clone()))
        };
        let tags: Option<Vec<_>> = batch
            .schema_ref()
            .fields()
            .iter()
            .zip(batch.columns())
            .map(tag)
            .collect();
        Ok(SeriesTable {
            tags: tags.ok_or_else(|| self.file.damaged("a table of series does not hold what was written"))?,
        })
    }

    /// The kept lines of a block, each with its row.
    pub(super) fn kept(&self, piece: SpillPiece) -> Result<Vec<(usize, RejectedLine)>> {
        let packed = self.file.read(piece)?;
        let not_read = |error: &dyn std::fmt::Display| self.file.damaged(format_args!("kept lines: {error}"));
        let text = zstd::stream::decode_all(&packed[..]).map_err(|error| not_read(&error))?;
        let lines: Vec<(usize, RejectedText)> = serde_json::from_slice(&text).map_err(|error| not_read(&error))?;
        let line = |(row, text): (usize, RejectedText)| Ok((row, text.into_rejected()?));
        lines.into_iter().map(line).collect()
    }
}
