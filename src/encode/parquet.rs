//! Leaves -> one Parquet file: a row group a leaf, then page index and footer.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{Schema, SchemaRef};
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::ColumnPath;

use super::columns::{TIME, arrow_schema, time_array};
use super::parquet_read::{FilePart, ParquetFooter};
use super::repeats::repeats;
use super::{DaySchema, ENCODER_VERSION, WrittenDay};
use crate::error::{Error, Result};
use crate::format::TimeUnit;
use crate::store::digest::PieceDigest;
use crate::store::record::Piece;
use crate::table::schema::ColumnKind;

/// Level of zstd in the pages.
const ZSTD_LEVEL: i32 = 3;
/// Most bytes of a page before compression.
const PAGE_BYTES: usize = 1 << 20;
/// Most rows of a page: the grain of the page index.
const PAGE_ROWS: usize = 20_000;
/// The same of numbers without a dictionary: zstd finds more in more of them. A leaf of cpu is a tenth smaller than with the above.
const PLAIN_PAGE_ROWS: usize = 1 << 16;
/// Most bytes of a dictionary; past it a column goes on without one. That of numbers, which have one only where they repeat, is never as
/// large.
const DICTIONARY_BYTES: usize = 1 << 20;
/// Key of the file's metadata that names the measurement, which the folder only has encoded.
pub(super) const MEASUREMENT_KEY: &str = "diurnal.measurement";

/// What `created_by` of the file says: program, its file version, and the encoder in the form that Parquet readers parse.
pub(super) fn created_by(encoder: u32) -> String {
    format!("diurnal version {encoder} (build encoder-{encoder})")
}

/// Everything beside the rows that decides the bytes.
struct Layout {
    arrow: SchemaRef,
    properties: Arc<WriterProperties>,
}

impl Layout {
    /// `dictionaries`: for all columns but `time`, or for none.
    fn new(schema: &DaySchema, dictionaries: bool) -> Result<Self> {
        let arrow = arrow_schema(schema);
        let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(|error| Error::new(&schema.measurement, error))?;
        let time = ColumnPath::new(vec![TIME.to_owned()]);
        let page_rows = if dictionaries { PAGE_ROWS } else { PLAIN_PAGE_ROWS };
        let mut properties = WriterProperties::builder()
            .set_created_by(created_by(ENCODER_VERSION))
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_compression(Compression::ZSTD(level))
            .set_data_page_size_limit(PAGE_BYTES)
            .set_dictionary_page_size_limit(DICTIONARY_BYTES)
            .set_data_page_row_count_limit(page_rows)
            .set_max_row_group_row_count(None)
            .set_dictionary_enabled(dictionaries)
            .set_column_dictionary_enabled(time.clone(), false)
            .set_column_encoding(time, Encoding::DELTA_BINARY_PACKED)
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_sorting_columns(Some(sorting_columns(schema)))
            .set_key_value_metadata(Some(vec![KeyValue::new(
                MEASUREMENT_KEY.to_owned(),
                schema.measurement.clone(),
            )]))
            .build();
        add_encoded_arrow_schema_to_metadata(&arrow, &mut properties);
        Ok(Self {
            arrow,
            properties: Arc::new(properties),
        })
    }

    fn file_writer<W: Write + Send>(&self, out: W) -> Result<SerializedFileWriter<W>, ParquetError> {
        let parquet = ArrowSchemaConverter::new().convert(&self.arrow)?;
        SerializedFileWriter::new(out, parquet.root_schema_ptr(), Arc::clone(&self.properties))
    }
}

/// By time, then by the tags in order, null first.
fn sorting_columns(schema: &DaySchema) -> Vec<SortingColumn> {
    let tags = schema
        .columns
        .iter()
        .take_while(|column| column.kind == ColumnKind::Tag)
        .count();
    (0..)
        .take(1 + tags)
        .map(|column_idx| SortingColumn {
            column_idx,
            descending: false,
            nulls_first: true,
        })
        .collect()
}

/// Encodes the columns of a leaf.
#[derive(Debug)]
pub(super) struct ChunkEncoder {
    measurement: String,
    time_unit: TimeUnit,
    arrow: Arc<Schema>,
    /// Makes the writers of columns with a dictionary, and of `time`.
    repeating: ArrowRowGroupWriterFactory,
    /// Makes those of numbers that do not repeat.
    plain: ArrowRowGroupWriterFactory,
}

impl ChunkEncoder {
    pub(super) fn new(schema: &DaySchema) -> Result<Self> {
        let factory = |layout: &Layout| {
            // It only takes schema and properties from a file writer, so one that writes nowhere serves for all files.
            let nowhere = layout
                .file_writer(io::sink())
                .map_err(|error| Error::new(format_args!("the columns of {}", schema.measurement), error))?;
            Ok::<_, Error>(ArrowRowGroupWriterFactory::new(&nowhere, Arc::clone(&layout.arrow)))
        };
        let layout = Layout::new(schema, true)?;
        Ok(Self {
            measurement: schema.measurement.clone(),
            time_unit: schema.time_unit,
            repeating: factory(&layout)?,
            plain: factory(&Layout::new(schema, false)?)?,
            arrow: layout.arrow,
        })
    }

    /// The chunks of row group `index`. Every column is written by one call: where a leaf is cut into several, pages end
    /// at other rows.
    pub(super) fn encode(&self, index: usize, times: &[i64], columns: &[ArrayRef]) -> Result<Vec<ArrowColumnChunk>> {
        let time = time_array(self.time_unit, times);
        let arrays = std::iter::once(&time).chain(columns).map(Some);
        let chunks = self.encode_some(index, arrays)?;
        Ok(chunks.into_iter().flatten().collect())
    }

    /// The chunks of those columns, `time` first, that are given.
    pub(super) fn encode_some<'a>(
        &self,
        index: usize,
        arrays: impl Iterator<Item = Option<&'a ArrayRef>>,
    ) -> Result<Vec<Option<ArrowColumnChunk>>> {
        let chunks = || {
            let writers = self.repeating.create_column_writers(index)?;
            let plain = self.plain.create_column_writers(index)?;
            let mut chunks = Vec::with_capacity(writers.len());
            for (((writer, plain), array), field) in writers.into_iter().zip(plain).zip(arrays).zip(self.arrow.fields())
            {
                let mut writer = match array {
                    Some(array) if !repeats(array) => plain,
                    _ => writer,
                };
                let Some(array) = array else {
                    chunks.push(None);
                    continue;
                };
                for leaf in compute_leaves(field, array)? {
                    writer.write(&leaf)?;
                }
                chunks.push(Some(writer.close()?));
            }
            Ok::<_, ParquetError>(chunks)
        };
        chunks().map_err(|error| Error::new(format_args!("a leaf of {}", self.measurement), error))
    }
}

/// Writes the Parquet file of a day, leaf by leaf in the order of the day.
pub struct ParquetDayWriter<W: Write + Send> {
    path: PathBuf,
    file: SerializedFileWriter<Hashed<W>>,
}

impl<W: Write + Send> ParquetDayWriter<W> {
    /// Starts a file in `out`, which should be at its beginning. `path` is what errors call it.
    ///
    /// # Errors
    /// Writing fails.
    pub fn new(out: W, path: &Path, schema: &DaySchema) -> Result<Self> {
        let file = Layout::new(schema, true)?.file_writer(Hashed::new(out));
        Ok(Self {
            file: file.map_err(|error| write_error(path, error))?,
            path: path.to_owned(),
        })
    }

    /// Appends the next leaf: what [`super::LeafEncoder::encode`] made for the same columns.
    ///
    /// # Errors
    /// Writing fails.
    pub fn append(&mut self, leaf: Vec<ArrowColumnChunk>) -> Result<()> {
        self.append_chunks(leaf).map_err(|error| write_error(&self.path, error))
    }

    /// Appends a leaf of another file of the same columns as it is there; `bytes` are all those of leaf `index` of the file that
    /// `footer` was read from, and are on record there as `recorded`. Gives what was written as [`PieceDigest::of_copy`] does: the
    /// caller compares it with the record, so that no damage is copied unseen. Without a piece nothing more can be appended.
    ///
    /// # Errors
    /// Writing fails; a footer that does not fit these bytes.
    pub fn append_copy(
        &mut self,
        footer: &ParquetFooter,
        index: usize,
        bytes: &FilePart,
        recorded: &Piece,
    ) -> Result<Option<Piece>> {
        let chunks = footer.chunks(index)?;
        let copied = self.append_group(PieceDigest::of_copy(recorded), |group| {
            for chunk in chunks {
                group.append_column(bytes, chunk)?;
            }
            Ok(())
        });
        copied.map_err(|error| write_error(&self.path, error))
    }

    /// Appends a leaf of another file that lacks some of this one's columns: `nulls` are their chunks among all columns of this file,
    /// `time` first.
    ///
    /// # Errors
    /// Writing fails; a footer that does not fit these bytes.
    pub(super) fn append_wide(
        &mut self,
        footer: &ParquetFooter,
        index: usize,
        bytes: &FilePart,
        nulls: Vec<Option<ArrowColumnChunk>>,
    ) -> Result<()> {
        let mut copied = footer.chunks(index)?.into_iter();
        let written = self.append_group(PieceDigest::default(), |group| {
            for chunk in nulls {
                match chunk {
                    Some(chunk) => chunk.append_to_row_group(group)?,
                    None => {
                        let chunk = copied.next();
                        let chunk =
                            chunk.ok_or_else(|| ParquetError::General("a leaf with too few columns".to_owned()))?;
                        group.append_column(bytes, chunk)?;
                    }
                }
            }
            Ok(())
        });
        written.map_err(|error| write_error(&self.path, error))?;
        Ok(())
    }

    fn append_chunks(&mut self, leaf: Vec<ArrowColumnChunk>) -> Result<(), ParquetError> {
        self.append_group(PieceDigest::default(), |group| {
            for chunk in leaf {
                chunk.append_to_row_group(group)?;
            }
            Ok(())
        })?;
        Ok(())
    }

    fn append_group(
        &mut self,
        digest: PieceDigest,
        append: impl FnOnce(&mut SerializedRowGroupWriter<'_, Hashed<W>>) -> Result<(), ParquetError>,
    ) -> Result<Option<Piece>, ParquetError> {
        // The file writer has a buffer of its own: it is emptied where one piece ends and the next begins.
        self.file.flush()?;
        self.file.inner_mut().begin_piece(digest);
        let mut group = self.file.next_row_group()?;
        append(&mut group)?;
        group.close()?;
        self.file.flush()?;
        Ok(self.file.inner_mut().end_piece())
    }

    /// Writes page index and footer. Syncing the file is left to the caller.
    ///
    /// # Errors
    /// Writing fails.
    pub fn finish(self) -> Result<WrittenDay<W>> {
        let hashed = self.file.into_inner().map_err(|error| write_error(&self.path, error))?;
        Ok(hashed.finish())
    }
}

fn write_error(path: &Path, error: ParquetError) -> Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => Error::io(path, "write", &error),
            Err(other) => Error::new(path.display(), format_args!("cannot write: {other}")),
        },
        other => Error::new(path.display(), format_args!("cannot write: {other}")),
    }
}

/// Hashes what passes through, the pieces apart from the rest.
struct Hashed<W> {
    out: W,
    bytes: u64,
    rest: blake3::Hasher,
    /// Where the piece that is being written began, and its digest.
    piece: Option<(u64, PieceDigest)>,
    pieces: Vec<Piece>,
}

impl<W> Hashed<W> {
    fn new(out: W) -> Self {
        Self {
            out,
            bytes: 0,
            rest: blake3::Hasher::new(),
            piece: None,
            pieces: Vec::new(),
        }
    }

    fn begin_piece(&mut self, digest: PieceDigest) {
        self.piece = Some((self.bytes, digest));
    }

    /// Ends the piece that was begun, and gives it unless it is no copy of what it should be.
    fn end_piece(&mut self) -> Option<Piece> {
        let (offset, digest) = self.piece.take()?;
        let piece = digest.finish(offset);
        self.pieces.extend(piece.clone());
        piece
    }

    fn finish(self) -> WrittenDay<W> {
        WrittenDay {
            out: self.out,
            pieces: self.pieces,
            rest: self.rest.finalize().to_hex().to_string(),
            bytes: self.bytes,
        }
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.out.write(buffer)?;
        self.bytes += written as u64;
        let buffer = &buffer[..written];
        match &mut self.piece {
            Some((_, digest)) => digest.update(buffer),
            None => _ = self.rest.update(buffer),
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
