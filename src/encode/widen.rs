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
        if let [(cell, new)] = behind
            .iter()
            .enumerate()
            .filter(|(_, new)| **new > 0)
            .collect::<Vec<_>>()[..]
            && memchr::memchr(b'"', lines).is_none()
        {
            let found = widen_plain(lines, cell, behind.len() - 1 - cell, *new, &mut text)?;
            // Counting them costs next to nothing.
            let commas = memchr::memchr_iter(b',', lines).count() as u64;
            let whole = found == rows && commas == rows * (behind.len() as u64 - 1);
            return whole.then(|| CsvLeaf::new(text));
        }
        let found = widen_any(lines, &behind, &mut text)?;
        (found == rows).then(|| CsvLeaf::new(text))
    }
}

/// Widens lines behind each cell by as many columns as `behind` says. Gives the number of lines; `None` if one has not as many cells or
/// no end.
fn widen_any(lines: &[u8], behind: &[usize], text: &mut Vec<u8>) -> Option<u64> {
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
    (cell == 0 && !quoted).then_some(found)
}

/// Widens lines without quotes at one place: behind cell number `before`, which `after` others follow, `new` columns. Only as much of a
/// line is looked at as leads to that place from its nearer end. Gives the number of lines; `None` if one has too few cells or no end.
fn widen_plain(lines: &[u8], before: usize, after: usize, new: usize, text: &mut Vec<u8>) -> Option<u64> {
    let (mut start, mut copied, mut found) = (0, 0, 0);
    for end in memchr::memchr_iter(b'\n', lines) {
        let line = &lines[start..end];
        let place = match after {
            0 => line.len(),
            _ if after < before => memchr::memrchr_iter(b',', line).nth(after - 1)?,
            _ => memchr::memchr_iter(b',', line).nth(before)?,
        };
        text.extend_from_slice(&lines[copied..start + place]);
        text.resize(text.len() + new, b',');
        copied = start + place;
        start = end + 1;
        found += 1;
    }
    text.extend_from_slice(&lines[copied..]);
    (start == lines.len()).then_some(found)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_without_quotes_are_widened_as_all_others_are() {
        let lines = b"1,a,,2.5\n2,,b,\n\xc3\xa4,,,\n";
        for cell in 0..4 {
            for new in 1..3 {
                let mut behind = [0; 4];
                behind[cell] = new;
                let (mut plain, mut any) = (Vec::new(), Vec::new());
                assert_eq!(widen_plain(lines, cell, 3 - cell, new, &mut plain), Some(3));
                assert_eq!(widen_any(lines, &behind, &mut any), Some(3));
                assert_eq!(plain, any, "{new} behind cell {cell}");
            }
        }
        assert_eq!(widen_plain(b"1,2\n3,4", 0, 1, 1, &mut Vec::new()), None, "no end");
        assert_eq!(widen_plain(b"1\n", 0, 1, 1, &mut Vec::new()), None, "too few cells");
    }
}
