//! A leaf of a file that lacks some columns -> the same leaf with these columns, all null: its other columns are copied as they are.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, StringArray, new_null_array};
use arrow::datatypes::Int32Type;
use parquet::arrow::arrow_writer::ArrowColumnChunk;

use super::columns::arrow_type;
use super::{CsvLeaf, DaySchema, FilePart, LeafEncoder, ParquetDayWriter, ParquetFooter};
use crate::error::{Error, Result};
use crate::table::schema::{Column, ColumnKind};

/// Which columns of a day file another one has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widening {
    /// For each column of the wider file whether the other one lacks it.
    lacking: Vec<bool>,
}

impl Widening {
    /// From the columns of one file to those of another; `None` if that is not the same columns and more, in the same order.
    pub fn new(from: &DaySchema, to: &DaySchema) -> Option<Self> {
        if (&from.measurement, from.time_unit) != (&to.measurement, to.time_unit) {
            return None;
        }
        let same = |a: &Column, b: &Column| (&a.name, a.kind, a.ty) == (&b.name, b.kind, b.ty);
        let mut rest = from.columns.iter().peekable();
        let lacks = |column: &Column| rest.next_if(|old| same(old, column)).is_none();
        let lacking = to.columns.iter().map(lacks).collect();
        rest.next().is_none().then_some(Self { lacking })
    }

    /// Whether both have the same columns, so that a leaf of the one is a leaf of the other, byte for byte.
    pub fn is_none(&self) -> bool {
        !self.lacking.contains(&true)
    }

    /// The lines of a leaf with nothing in the columns that it lacks. `None` if that are not `rows` rows.
    fn csv(&self, lines: &[u8], rows: u64) -> Option<CsvLeaf> {
        // How many columns are new behind each of the old ones, `time` first.
        let mut behind = vec![0_usize];
        for &lacks in &self.lacking {
            match (lacks, behind.last_mut()) {
                (true, Some(new)) => *new += 1,
                _ => behind.push(0),
            }
        }
        let new = self.lacking.iter().filter(|lacks| **lacks).count();
        let mut text = Vec::with_capacity(lines.len() + new * usize::try_from(rows).ok()?);
        let (mut copied, mut cell, mut quoted, mut found) = (0, 0, false, 0);
        for at in memchr::memchr3_iter(b',', b'\n', b'"', lines) {
            if lines[at] == b'"' {
                // One inside of quotes is doubled, which is out and in again.
                quoted = !quoted;
                continue;
            }
            if quoted {
                continue;
            }
            if *behind.get(cell)? > 0 {
                text.extend_from_slice(&lines[copied..at]);
                text.resize(text.len() + behind[cell], b',');
                copied = at;
            }
            cell += 1;
            if lines[at] == b'\n' {
                if cell != behind.len() {
                    return None;
                }
                (cell, found) = (0, found + 1);
            }
        }
        text.extend_from_slice(&lines[copied..]);
        (found == rows && cell == 0 && !quoted).then(|| CsvLeaf::new(text))
    }
}

/// A leaf with columns that its file lacks.
#[derive(Debug)]
pub struct WideLeaf<'a> {
    /// Its Parquet file's footer, which leaf of it, its bytes, and the chunks of the columns it lacks.
    parquet: Option<(&'a ParquetFooter, usize, FilePart, Vec<Option<ArrowColumnChunk>>)>,
    /// The lines; `None` where the archive keeps no CSV.
    pub csv: Option<CsvLeaf>,
}

impl<'a> WideLeaf<'a> {
    /// Widens a leaf of `rows` rows that will be row group `index` of its new day, from what is given of it: footer and bytes of its
    /// Parquet file's leaf, lines of the CSV file at `path`. Their bytes are those on record, which the caller has seen to.
    ///
    /// # Errors
    /// Lines that are not as many rows of as many columns.
    pub fn new(
        encoder: &LeafEncoder,
        widening: &Widening,
        index: usize,
        rows: u64,
        parquet: Option<(&'a ParquetFooter, usize, FilePart)>,
        csv: Option<(&Path, &[u8])>,
    ) -> Result<Self> {
        let parquet = match parquet {
            None => None,
            Some((footer, leaf, bytes)) => {
                let nulls = encoder.nulls(widening, index, rows)?;
                Some((footer, leaf, bytes, nulls))
            }
        };
        let csv = match csv {
            None => None,
            Some((path, lines)) => Some(widening.csv(lines, rows).ok_or_else(|| {
                Error::new(path.display(), "its lines do not have the columns of its header")
                    .hint("report this as a bug of diurnal; nothing was changed")
            })?),
        };
        Ok(Self { parquet, csv })
    }

    /// Appends it to a Parquet file, if it has that format.
    ///
    /// # Errors
    /// Writing fails.
    pub fn append_parquet<W: std::io::Write + Send>(&mut self, to: &mut ParquetDayWriter<W>) -> Result<()> {
        match self.parquet.take() {
            Some((footer, leaf, bytes, nulls)) => to.append_wide(footer, leaf, &bytes, nulls),
            None => Ok(()),
        }
    }
}

impl LeafEncoder {
    /// The chunks of the columns that a leaf lacks among all of the file, `time` first.
    fn nulls(&self, widening: &Widening, index: usize, rows: u64) -> Result<Vec<Option<ArrowColumnChunk>>> {
        let rows = usize::try_from(rows).map_err(|error| Error::new(&self.schema.measurement, error))?;
        let columns = self.schema.columns.iter().zip(&widening.lacking);
        let arrays: Vec<Option<ArrayRef>> = std::iter::once(None)
            .chain(columns.map(|(column, lacks)| lacks.then(|| null_array(column, rows))))
            .collect();
        self.parquet.encode_some(index, arrays.iter().map(Option::as_ref))
    }
}

/// A column without values, as the rows of a leaf have it.
fn null_array(column: &Column, rows: usize) -> ArrayRef {
    match column.kind {
        ColumnKind::Tag => {
            let values = StringArray::from(Vec::<&str>::new());
            let tags = DictionaryArray::<Int32Type>::try_new(Int32Array::new_null(rows), Arc::new(values));
            Arc::new(tags.expect("no key is out of an empty dictionary if all are null"))
        }
        ColumnKind::Field => new_null_array(&arrow_type(column), rows),
    }
}
