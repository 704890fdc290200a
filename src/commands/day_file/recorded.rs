//! The files of a day as they are, to be merged with: leaves are read only where they are touched, and copied elsewhere.

use std::io::{BufRead, Cursor, Read as _};
use std::ops::Range;
use std::sync::Arc;

use super::DayContext;
use crate::encode::{
    CsvDay, CsvDayWriter, DaySchema, ENCODER_VERSION, FilePart, LeafEncoder, LeafRows, ParquetDayWriter, ParquetFooter,
    WideLeaf, Widening,
};
use crate::error::{Error, Result};
use crate::format::Formats;
use crate::order::{OldLeaf, share_in};
use crate::store::record::{DayEntry, Leaf};
use crate::store::{RecordedFile, StagedFile};
use crate::table::schema::{Column, MeasurementSchema};

/// The files of a day that the ledger knows.
pub struct RecordedDay<'a> {
    entry: &'a DayEntry,
    schema: Arc<DaySchema>,
    parquet: Option<(RecordedFile<'a>, ParquetFooter)>,
    csv: Option<RecordedCsv<'a>>,
    of_this_encoder: bool,
}

struct RecordedCsv<'a> {
    file: RecordedFile<'a>,
    header: Vec<u8>,
}

impl<'a> RecordedDay<'a> {
    /// Opens a day's files and checks what stands in them beside the leaves.
    ///
    /// # Errors
    /// A file that is missing or not the one on record; columns that are not those of the measurement.
    pub fn open(context: DayContext<'_>, measurement: &MeasurementSchema, entry: &'a DayEntry) -> Result<Self> {
        let mut schema = None;
        let mut of_this_encoder = entry.encoder == ENCODER_VERSION;
        let parquet = match &entry.parquet {
            None => None,
            Some(file) => {
                let path = (context.locate)(&file.path)?;
                let file = RecordedFile::open(&path, file, entry.leaves.iter().map(|leaf| leaf.parquet.as_ref()))?;
                let (_, tail) = file.rest()?;
                let footer = ParquetFooter::read(&FilePart::new(file.end_of_leaves(), tail), &path)?;
                footer.check_columns(&measurement.columns)?;
                if footer.leaves() != file.leaves() {
                    let (found, recorded) = (footer.leaves(), file.leaves());
                    let problem = format_args!("it has {found} row groups, on record are {recorded}");
                    return Err(Error::new(path.display(), problem).hint("report this as a bug of diurnal"));
                }
                of_this_encoder &= footer.is_of_this_encoder();
                schema = Some(Arc::clone(footer.schema()));
                Some((file, footer))
            }
        };
        let csv = match &entry.csv {
            None => None,
            Some(file) => {
                let path = (context.locate)(&file.path)?;
                let file = RecordedFile::open(&path, file, entry.leaves.iter().map(|leaf| leaf.csv.as_ref()))?;
                // Nothing stands behind the last line.
                let (header, _) = file.rest()?;
                Some(RecordedCsv { file, header })
            }
        };
        let schema = match (schema, &csv) {
            (Some(schema), _) => schema,
            (None, Some(csv)) => Arc::clone(csv.open(&[], &measurement.columns, context, entry)?.schema()),
            (None, None) => {
                return Err(Error::new(
                    format_args!("{} {}", entry.measurement, entry.day),
                    "has no file left to merge with",
                ));
            }
        };
        Ok(Self {
            entry,
            schema,
            parquet,
            csv,
            of_this_encoder,
        })
    }

    /// Its columns.
    pub fn schema(&self) -> &Arc<DaySchema> {
        &self.schema
    }

    /// Whether this version of the encoder wrote it.
    pub fn is_of_this_encoder(&self) -> bool {
        self.of_this_encoder
    }

    /// Whether it has a file of each of these formats.
    pub fn has(&self, formats: Formats) -> bool {
        (!formats.parquet || self.parquet.is_some()) && (!formats.csv || self.csv.is_some())
    }

    /// Its leaves as the ledger says.
    pub fn leaves(&self) -> &'a [Leaf] {
        &self.entry.leaves
    }

    /// Its leaves as the division of a day takes them.
    pub fn old_leaves(&self) -> Vec<OldLeaf> {
        let leaf = |leaf: &Leaf| OldLeaf {
            rows: usize::try_from(leaf.rows).unwrap_or(usize::MAX),
            first: leaf.first,
            last: leaf.last,
        };
        self.leaves().iter().map(leaf).collect()
    }

    /// The rows of some leaves, one after the other, from the Parquet file if there is one.
    ///
    /// # Errors
    /// A leaf that is not what was committed, or can't be read.
    pub fn rows(&self, context: DayContext<'_>, leaves: Range<usize>) -> Result<Vec<LeafRows>> {
        leaves.map(|leaf| self.rows_of(context, leaf)).collect()
    }

    fn rows_of(&self, context: DayContext<'_>, leaf: usize) -> Result<LeafRows> {
        match (&self.parquet, &self.csv) {
            (Some((file, footer)), _) => footer.rows(leaf, FilePart::new(file.piece(leaf).offset, file.leaf(leaf)?)),
            (None, Some(csv)) => csv.rows(leaf, &self.schema.columns, context, self.entry),
            (None, None) => unreachable!("a day without files was refused when it was opened"),
        }
    }

    /// The rows of a leaf with only the columns that `keep` asks for.
    ///
    /// # Errors
    /// The leaf is not what was committed, or can't be read.
    pub fn rows_with(&self, context: DayContext<'_>, leaf: usize, keep: impl Fn(&Column) -> bool) -> Result<LeafRows> {
        match (&self.parquet, &self.csv) {
            (Some((file, footer)), _) => {
                footer.rows_of(leaf, FilePart::new(file.piece(leaf).offset, file.leaf(leaf)?), keep)
            }
            // Text has to be read as a whole anyhow.
            (None, Some(csv)) => Ok(csv.rows(leaf, &self.schema.columns, context, self.entry)?.with(keep)),
            (None, None) => unreachable!("a day without files was refused when it was opened"),
        }
    }

    /// Copies a leaf as it is into another Parquet file of the same columns.
    ///
    /// # Errors
    /// The leaf is not what was committed; the disk's.
    pub fn copy_parquet(&self, leaf: usize, to: &mut ParquetDayWriter<StagedFile>) -> Result<()> {
        let Some((file, footer)) = &self.parquet else {
            return Err(self.lacks("Parquet"));
        };
        let piece = file.piece(leaf);
        let bytes = FilePart::new(piece.offset, file.leaf_to_copy(leaf)?);
        file.check_copy(leaf, to.append_copy(footer, leaf, &bytes, piece)?.as_ref())
    }

    /// Copies a leaf as it is into another CSV file of the same columns.
    ///
    /// # Errors
    /// The leaf is not what was committed; the disk's.
    pub fn copy_csv(&self, leaf: usize, to: &mut CsvDayWriter<StagedFile>) -> Result<()> {
        let Some(RecordedCsv { file, .. }) = &self.csv else {
            return Err(self.lacks("CSV"));
        };
        let lines = file.read_to_copy(leaf)?;
        let copy = to.append_copy(lines, file.piece(leaf), file.path())?;
        file.check_copy(leaf, copy.as_ref())
    }

    /// A leaf with columns that this day lacks, to be row group `index` of a file that `encoder` encodes for.
    ///
    /// # Errors
    /// The leaf is not what was committed; the disk's.
    pub fn widen(
        &self,
        leaf: usize,
        encoder: &LeafEncoder,
        formats: Formats,
        widening: &Widening,
        index: usize,
    ) -> Result<WideLeaf<'_>> {
        let parquet = match &self.parquet {
            Some((file, footer)) if formats.parquet => {
                let bytes = FilePart::new(file.piece(leaf).offset, file.leaf(leaf)?);
                Some((footer, leaf, bytes))
            }
            _ => None,
        };
        let lines = match &self.csv {
            Some(RecordedCsv { file, .. }) if formats.csv => Some((file.path(), file.leaf(leaf)?)),
            _ => None,
        };
        let csv = lines.as_ref().map(|(path, lines)| (*path, &lines[..]));
        WideLeaf::new(encoder, widening, index, self.leaves()[leaf].rows, parquet, csv)
    }

    fn lacks(&self, format: &str) -> Error {
        let DayEntry { measurement, day, .. } = self.entry;
        Error::new(
            format_args!("{measurement} {day}"),
            format_args!("has no {format} file to copy from"),
        )
    }
}

impl RecordedCsv<'_> {
    fn rows(&self, leaf: usize, known: &[Column], context: DayContext<'_>, entry: &DayEntry) -> Result<LeafRows> {
        let text = self.file.leaf(leaf)?;
        let rows = self.open(&text, known, context, entry)?.next();
        rows.unwrap_or_else(|| {
            Err(Error::new(
                self.file.path().display(),
                format_args!("leaf {leaf} is empty"),
            ))
        })
    }

    /// The lines of a leaf behind the header of the file.
    fn open<'b>(
        &'b self,
        lines: &'b [u8],
        known: &[Column],
        context: DayContext<'_>,
        entry: &DayEntry,
    ) -> Result<CsvDay<impl BufRead + 'b>> {
        let text = Cursor::new(&self.header[..]).chain(Cursor::new(lines));
        CsvDay::open(text, self.file.path(), &entry.measurement, known, context.time_unit)
    }
}

/// About how many rows a leaf has in a span of time; 0 only where there is none.
pub fn share_of(leaf: &Leaf, time: &Range<i128>) -> f64 {
    let rows = usize::try_from(leaf.rows).unwrap_or(usize::MAX);
    share_in(rows, leaf.first, leaf.last, time)
}
