//! Leaves -> one CSV file: header, then a row a line (RFC 4180, LF). Null is empty, the empty string is `""`.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, StringArray, UInt64Array,
};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, UInt64Type};

use super::columns::TIME;
use super::time_text::{TIME_BYTES, TimeWriter};
use super::{DaySchema, WrittenDay};
use crate::error::{Error, Result};
use crate::store::digest::{Digest, PieceDigest};
use crate::store::record::Piece;

/// A first guess at the bytes of a value, so that the text of a leaf grows few times.
const LIKELY_VALUE_BYTES: usize = 12;

/// Bytes that are digested and written at once: a part of a core's own cache.
const COPY_BYTES: usize = 128 * 1024;

/// The text of one leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvLeaf {
    /// Whole lines, the last one's LF included.
    pub text: Vec<u8>,
    /// Of `text`.
    pub digest: Digest,
}

impl CsvLeaf {
    /// `columns` are tidy: each as long as `times`, floats finite.
    pub(super) fn encode(times: &[i64], columns: &[ArrayRef]) -> Self {
        let cells = columns.iter().map(Cells::of).collect::<Vec<_>>();
        let row_bytes = TIME_BYTES + 1 + cells.len() * LIKELY_VALUE_BYTES;
        let mut text = Vec::with_capacity(times.len() * row_bytes);
        let mut writer = ValueWriter::new();
        let mut clock = TimeWriter::new();
        for (row, &time) in times.iter().enumerate() {
            clock.write(time, &mut text);
            for cells in &cells {
                text.push(b',');
                writer.write(cells, row, &mut text);
            }
            text.push(b'\n');
        }
        Self::new(text)
    }

    pub(super) fn new(text: Vec<u8>) -> Self {
        let digest = Digest::of(&text);
        Self { text, digest }
    }
}

/// The first line of a file with these columns.
pub fn csv_header(schema: &DaySchema) -> Vec<u8> {
    let mut line = TIME.as_bytes().to_vec();
    for column in &schema.columns {
        line.push(b',');
        write_text(&column.name, &mut line);
    }
    line.push(b'\n');
    line
}

/// A column with its type known, so that a row costs one jump a value.
enum Cells<'a> {
    Tag(&'a Int32Array, &'a StringArray),
    Text(&'a StringArray),
    Float(&'a Float64Array),
    Int(&'a Int64Array),
    Uint(&'a UInt64Array),
    Boolean(&'a BooleanArray),
}

impl<'a> Cells<'a> {
    fn of(array: &'a ArrayRef) -> Self {
        match array.data_type() {
            DataType::Float64 => Self::Float(array.as_primitive::<Float64Type>()),
            DataType::Int64 => Self::Int(array.as_primitive::<Int64Type>()),
            DataType::UInt64 => Self::Uint(array.as_primitive::<UInt64Type>()),
            DataType::Boolean => Self::Boolean(array.as_boolean()),
            DataType::Utf8 => Self::Text(array.as_string()),
            _ => {
                let dictionary = array.as_dictionary::<Int32Type>();
                Self::Tag(dictionary.keys(), dictionary.values().as_string())
            }
        }
    }
}

struct ValueWriter {
    float: zmij::Buffer,
    integer: itoa::Buffer,
}

impl ValueWriter {
    fn new() -> Self {
        Self {
            float: zmij::Buffer::new(),
            integer: itoa::Buffer::new(),
        }
    }

    /// Appends the value of a row; nothing for null.
    fn write(&mut self, cells: &Cells<'_>, row: usize, out: &mut Vec<u8>) {
        match cells {
            Cells::Tag(keys, values) if keys.is_valid(row) => {
                // Arrow's dictionaries are checked when they are made: no key is negative or past their end.
                write_text(values.value(keys.value(row) as usize), out);
            }
            Cells::Text(values) if values.is_valid(row) => write_text(values.value(row), out),
            Cells::Float(values) if values.is_valid(row) => {
                out.extend_from_slice(self.float.format_finite(values.value(row)).as_bytes());
            }
            Cells::Int(values) if values.is_valid(row) => {
                out.extend_from_slice(self.integer.format(values.value(row)).as_bytes());
            }
            Cells::Uint(values) if values.is_valid(row) => {
                out.extend_from_slice(self.integer.format(values.value(row)).as_bytes());
            }
            Cells::Boolean(values) if values.is_valid(row) => {
                out.extend_from_slice(if values.value(row) { b"true" } else { b"false" });
            }
            _ => {}
        }
    }
}

/// Appends text, in quotes where it must be: it would break the line, or be taken for null.
fn write_text(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let breaks_the_line = |byte: &u8| matches!(byte, b',' | b'"' | b'\r' | b'\n');
    if !bytes.is_empty() && !bytes.iter().any(breaks_the_line) {
        out.extend_from_slice(bytes);
        return;
    }
    out.push(b'"');
    let mut rest = bytes;
    while let Some(quote) = memchr::memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=quote]);
        out.push(b'"');
        rest = &rest[quote + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Writes the CSV file of a day, leaf by leaf in the order of the day.
#[derive(Debug)]
pub struct CsvDayWriter<W: Write> {
    out: W,
    path: PathBuf,
    header: Vec<u8>,
    bytes: u64,
    pieces: Vec<Piece>,
}

impl<W: Write> CsvDayWriter<W> {
    /// Starts a file in `out` with the header line. `path` is what errors call it.
    ///
    /// # Errors
    /// Writing fails.
    pub fn new(mut out: W, path: &Path, schema: &DaySchema) -> Result<Self> {
        let header = csv_header(schema);
        out.write_all(&header)
            .map_err(|error| Error::io(path, "write", &error))?;
        Ok(Self {
            out,
            path: path.to_owned(),
            bytes: header.len() as u64,
            header,
            pieces: Vec::new(),
        })
    }

    /// Appends the next leaf.
    ///
    /// # Errors
    /// Writing fails.
    pub fn append(&mut self, leaf: &CsvLeaf) -> Result<()> {
        self.out
            .write_all(&leaf.text)
            .map_err(|error| Error::io(&self.path, "write", &error))?;
        let bytes = leaf.text.len() as u64;
        self.pieces.push(leaf.digest.piece(self.bytes, bytes));
        self.bytes += bytes;
        Ok(())
    }

    /// Appends the lines of a leaf as another file of the same columns has them, where it is on record as `recorded`: the next bytes
    /// of `lines`, a file that errors call `from`. Gives what was written as [`PieceDigest::of_copy`] does: the caller compares it with
    /// the record, so that no damage is copied unseen. Without a piece nothing more can be appended.
    ///
    /// # Errors
    /// Reading or writing fails.
    pub fn append_copy(&mut self, lines: impl BufRead, recorded: &Piece, from: &Path) -> Result<Option<Piece>> {
        let mut lines = lines.take(recorded.bytes);
        let mut digest = PieceDigest::of_copy(recorded);
        loop {
            let read = match lines.fill_buf() {
                Ok([]) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::io(from, "read it", &error)),
            };
            // What is digested is written while it is in the cache.
            let part = &read[..read.len().min(COPY_BYTES)];
            digest.update(part);
            self.out
                .write_all(part)
                .map_err(|error| Error::io(&self.path, "write", &error))?;
            let part = part.len();
            lines.consume(part);
        }
        let offset = self.bytes;
        self.bytes += digest.bytes();
        let piece = digest.finish(offset);
        self.pieces.extend(piece.clone());
        Ok(piece)
    }

    /// Flushes what is left. Syncing the file is left to the caller.
    ///
    /// # Errors
    /// Writing fails.
    pub fn finish(mut self) -> Result<WrittenDay<W>> {
        self.out
            .flush()
            .map_err(|error| Error::io(&self.path, "write", &error))?;
        Ok(WrittenDay {
            out: self.out,
            pieces: self.pieces,
            rest: blake3::hash(&self.header).to_hex().to_string(),
            bytes: self.bytes,
        })
    }
}
