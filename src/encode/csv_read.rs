//! A day's CSV file -> its columns and rows, for archives without Parquet and to check the one against the other.
//!
//! It reads what [`super::CsvDayWriter`] writes and tells null from the empty string.

use std::borrow::Cow;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, StringDictionaryBuilder, UInt64Builder,
};
use arrow::datatypes::Int32Type;

use super::columns::TIME;
use super::time_text::TimeReader;
use super::{DaySchema, LeafRows};
use crate::error::{Error, Result};
use crate::format::TimeUnit;
use crate::table::schema::{Column, ColumnKind, ColumnType};

/// Most bytes of one row: a quote that is never closed makes the rest of a damaged file one row.
const MAX_ROW_BYTES: u64 = 1 << 28;

/// An open CSV file of a day.
#[derive(Debug)]
pub struct CsvDay<R> {
    records: Records<R>,
    schema: Arc<DaySchema>,
    times: TimeReader,
    batch_rows: usize,
}

impl<R: BufRead> CsvDay<R> {
    /// Reads the header. The file itself only has the names of its columns; `known` says what they are: the columns of the
    /// measurement's schema or of the day. `path` is what errors call the file.
    ///
    /// # Errors
    /// A header that can't be read, or a column that is not known.
    pub fn open(reader: R, path: &Path, measurement: &str, known: &[Column], time_unit: TimeUnit) -> Result<Self> {
        let mut records = Records::new(reader, path);
        if !records.next()? {
            return Err(records.damaged("it has no header"));
        }
        let mut cells = records.cells();
        if cells.next().transpose().ok().flatten().and_then(Cell::text).as_deref() != Some(TIME) {
            return Err(records.damaged("its first column is not `time`"));
        }
        let mut columns = Vec::new();
        for cell in cells {
            let name = cell
                .ok()
                .and_then(Cell::text)
                .ok_or_else(|| records.damaged("a column without a name"))?;
            let column = known.iter().find(|column| column.name == name).ok_or_else(|| {
                records.damaged(format_args!("column '{name}' is not in the schema of {measurement}"))
            })?;
            columns.push(column.clone());
        }
        let schema = DaySchema {
            measurement: measurement.to_owned(),
            columns,
            time_unit,
        };
        Ok(Self {
            records,
            schema: Arc::new(schema),
            times: TimeReader::default(),
            batch_rows: usize::MAX,
        })
    }
}

impl<R> CsvDay<R> {
    /// The columns that the header names.
    pub fn schema(&self) -> &Arc<DaySchema> {
        &self.schema
    }

    /// Most rows of one batch, 1 at least; all of them if not set. A CSV file does not show its leaves.
    #[must_use]
    pub fn with_batch_rows(mut self, rows: usize) -> Self {
        self.batch_rows = rows.max(1);
        self
    }
}

/// The rows in batches.
impl<R: BufRead> Iterator for CsvDay<R> {
    type Item = Result<LeafRows>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

impl<R: BufRead> CsvDay<R> {
    fn batch(&mut self) -> Result<Option<LeafRows>> {
        let mut times = Vec::new();
        let mut builders = self.schema.columns.iter().map(Builder::new).collect::<Vec<_>>();
        while times.len() < self.batch_rows && self.records.next()? {
            let mut cells = self.records.cells();
            let time = match cells.next() {
                Some(Ok(Cell::Plain(text))) => self.times.read(text),
                _ => None,
            };
            times.push(time.ok_or_else(|| self.records.damaged("no time, or not of the form that diurnal writes"))?);
            for (column, builder) in self.schema.columns.iter().zip(&mut builders) {
                let cell = match cells.next() {
                    Some(cell) => cell.map_err(|cause| self.records.damaged(cause))?,
                    None => {
                        return Err(self.records.damaged("it has fewer values than the header"));
                    }
                };
                builder.append(cell).ok_or_else(|| {
                    self.records
                        .damaged(format_args!("column '{}' has another type", column.name))
                })?;
            }
            if cells.next().is_some() {
                return Err(self.records.damaged("it has more values than the header"));
            }
        }
        if times.is_empty() {
            return Ok(None);
        }
        Ok(Some(LeafRows {
            schema: Arc::clone(&self.schema),
            times,
            columns: builders.into_iter().map(Builder::finish).collect(),
        }))
    }
}

/// Cuts a file into records: a line, or several where an LF stands in quotes.
#[derive(Debug)]
struct Records<R> {
    reader: R,
    path: PathBuf,
    /// The current record without its LF.
    record: Vec<u8>,
    /// Number of the current record, the header being 1.
    number: u64,
}

impl<R> Records<R> {
    fn cells(&self) -> Cells<'_> {
        Cells {
            rest: Some(&self.record),
        }
    }

    fn damaged(&self, cause: impl std::fmt::Display) -> Error {
        Error::damaged(
            format_args!("{}, record {}", self.path.display(), self.number),
            format_args!("it cannot be read: {cause}"),
        )
        .hint("`diurnal verify` says which files are damaged; put them back from a backup")
    }
}

impl<R: BufRead> Records<R> {
    fn new(reader: R, path: &Path) -> Self {
        Self {
            reader,
            path: path.to_owned(),
            record: Vec::new(),
            number: 0,
        }
    }

    /// Goes to the next record; false at the end of the file.
    fn next(&mut self) -> Result<bool> {
        self.record.clear();
        self.number += 1;
        let mut quotes = 0;
        loop {
            let from = self.record.len();
            let room = MAX_ROW_BYTES - from as u64;
            let read = self.reader.by_ref().take(room).read_until(b'\n', &mut self.record);
            let read = read.map_err(|error| Error::io(&self.path, "read", &error))?;
            if read == 0 && from == 0 {
                return Ok(false);
            }
            if self.record.len() as u64 == MAX_ROW_BYTES {
                return Err(self.damaged(format_args!("a row of more than {MAX_ROW_BYTES} bytes")));
            }
            // A quote inside of quotes is doubled: an LF ends the record where the quotes before it are even.
            quotes += memchr::memchr_iter(b'"', &self.record[from..]).count();
            if read == 0 || !self.record.ends_with(b"\n") {
                return Err(self.damaged("the file ends in the middle of a row"));
            }
            if quotes % 2 == 0 {
                self.record.pop();
                return Ok(true);
            }
        }
    }
}

/// One value of a record.
enum Cell<'a> {
    Null,
    /// Without quotes, not empty.
    Plain(&'a [u8]),
    /// The text between quotes.
    Quoted(Cow<'a, [u8]>),
}

impl<'a> Cell<'a> {
    /// The text of a value, if it is UTF-8 and not null.
    fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Cell::Null => None,
            Cell::Plain(text) | Cell::Quoted(Cow::Borrowed(text)) => std::str::from_utf8(text).ok().map(Cow::Borrowed),
            Cell::Quoted(Cow::Owned(text)) => String::from_utf8(text).ok().map(Cow::Owned),
        }
    }

    /// A value that is never in quotes.
    fn parse<T: FromStr>(&self) -> Option<T> {
        match self {
            Cell::Plain(text) => std::str::from_utf8(text).ok()?.parse().ok(),
            _ => None,
        }
    }
}

/// The values of one record. An error says what is wrong with the quotes; nothing comes after it.
struct Cells<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Cells<'a> {
    type Item = Result<Cell<'a>, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        if let Some(inside) = rest.strip_prefix(b"\"") {
            return Some(self.quoted(inside));
        }
        let end = memchr::memchr3(b',', b'"', b'\r', rest).unwrap_or(rest.len());
        let (cell, rest) = rest.split_at(end);
        self.rest = match rest.first() {
            Some(b',') => Some(&rest[1..]),
            Some(_) => return Some(Err("a quote or CR outside of quotes")),
            None => None,
        };
        Some(Ok(match cell {
            [] => Cell::Null,
            text => Cell::Plain(text),
        }))
    }
}

impl<'a> Cells<'a> {
    /// The value that begins behind a quote.
    fn quoted(&mut self, inside: &'a [u8]) -> Result<Cell<'a>, &'static str> {
        let mut joined = Vec::new();
        let mut rest = inside;
        loop {
            let (text, behind) = memchr::memchr(b'"', rest)
                .map(|quote| (&rest[..quote], &rest[quote + 1..]))
                .ok_or("a quote that is not closed")?;
            match behind.first() {
                Some(b'"') => {
                    joined.extend_from_slice(text);
                    joined.push(b'"');
                    rest = &behind[1..];
                    continue;
                }
                Some(b',') => self.rest = Some(&behind[1..]),
                Some(_) => return Err("text behind a closing quote"),
                None => {}
            }
            if joined.is_empty() {
                return Ok(Cell::Quoted(Cow::Borrowed(text)));
            }
            joined.extend_from_slice(text);
            return Ok(Cell::Quoted(Cow::Owned(joined)));
        }
    }
}

/// Collects the values of one column.
enum Builder {
    Tag(StringDictionaryBuilder<Int32Type>),
    Text(StringBuilder),
    Float(Float64Builder),
    Int(Int64Builder),
    Uint(UInt64Builder),
    Boolean(BooleanBuilder),
}

impl Builder {
    fn new(column: &Column) -> Self {
        match (column.kind, column.ty) {
            (ColumnKind::Tag, _) => Self::Tag(StringDictionaryBuilder::new()),
            (ColumnKind::Field, ColumnType::String) => Self::Text(StringBuilder::new()),
            (ColumnKind::Field, ColumnType::Float) => Self::Float(Float64Builder::new()),
            (ColumnKind::Field, ColumnType::Int) => Self::Int(Int64Builder::new()),
            (ColumnKind::Field, ColumnType::Uint) => Self::Uint(UInt64Builder::new()),
            (ColumnKind::Field, ColumnType::Boolean) => Self::Boolean(BooleanBuilder::new()),
        }
    }

    fn append_null(&mut self) {
        match self {
            Self::Tag(builder) => builder.append_null(),
            Self::Text(builder) => builder.append_null(),
            Self::Float(builder) => builder.append_null(),
            Self::Int(builder) => builder.append_null(),
            Self::Uint(builder) => builder.append_null(),
            Self::Boolean(builder) => builder.append_null(),
        }
    }

    /// `None` if the value is not of the column's type.
    fn append(&mut self, cell: Cell<'_>) -> Option<()> {
        match self {
            _ if matches!(cell, Cell::Null) => self.append_null(),
            Self::Tag(builder) => {
                builder.append(cell.text()?).ok()?;
            }
            Self::Text(builder) => builder.append_value(cell.text()?),
            Self::Float(builder) => {
                builder.append_value(cell.parse().filter(|value: &f64| value.is_finite())?);
            }
            Self::Int(builder) => builder.append_value(cell.parse()?),
            Self::Uint(builder) => builder.append_value(cell.parse()?),
            Self::Boolean(builder) => builder.append_value(cell.parse()?),
        }
        Some(())
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Tag(mut builder) => Arc::new(builder.finish()),
            Self::Text(mut builder) => Arc::new(builder.finish()),
            Self::Float(mut builder) => Arc::new(builder.finish()),
            Self::Int(mut builder) => Arc::new(builder.finish()),
            Self::Uint(mut builder) => Arc::new(builder.finish()),
            Self::Boolean(mut builder) => Arc::new(builder.finish()),
        }
    }
}
