//! Column builders: the rows of one measurement as one consumer thread collects them.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, UInt64Array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

use super::schema::ColumnType;

/// Rows of a chunk at most, so that a row's place in it fits 16 bits.
pub const CHUNK_ROWS: usize = 1 << 16;

/// A chunk is closed early once it holds this many bytes of text, far below what 32-bit offsets can say.
const CHUNK_TEXT_BYTES: usize = 256 << 20;

/// One row's value for one column, before it is appended.
#[derive(Clone, Copy, Debug)]
pub enum Cell<'a> {
    Float(f64),
    Int(i64),
    Uint(u64),
    Boolean(bool),
    Text(crate::lineproto::Text<'a>),
}

/// Up to [`CHUNK_ROWS`] rows with the columns that occur in them.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Nanoseconds since 1970-01-01 UTC.
    pub times: Vec<i64>,
    /// The collector's number of each row's series.
    pub series: Vec<u32>,
    /// One array a local column, `None` where no row of the chunk has it.
    pub columns: Vec<Option<ArrayRef>>,
}

/// Rows of one measurement, appended one by one and closed in chunks.
#[derive(Debug, Default)]
pub struct RowsBuilder {
    times: Vec<i64>,
    series: Vec<u32>,
    columns: Vec<ColumnBuilder>,
    chunks: Vec<Chunk>,
    text_bytes: usize,
}

impl RowsBuilder {
    /// Adds a column and gives its number.
    pub fn add_column(&mut self, ty: ColumnType) -> u32 {
        self.columns.push(ColumnBuilder::new(ty));
        u32::try_from(self.columns.len() - 1).expect("columns of a table are bounded by the line limits and memory")
    }

    /// The row that [`RowsBuilder::push`] will append next: chunk number and place in it.
    pub fn next_row(&self) -> (usize, usize) {
        (self.chunks.len(), self.times.len())
    }

    /// Appends a row.
    pub fn push(&mut self, time: i64, series: u32, cells: &[(u32, Cell<'_>)]) {
        let row = self.times.len();
        self.times.push(time);
        self.series.push(series);
        for &(column, cell) in cells {
            self.text_bytes += self.columns[column as usize].push(row, cell);
        }
        if self.times.len() == CHUNK_ROWS || self.text_bytes >= CHUNK_TEXT_BYTES {
            self.close_chunk();
        }
    }

    fn close_chunk(&mut self) {
        let rows = self.times.len();
        if rows == 0 {
            return;
        }
        self.text_bytes = 0;
        // The next chunk will most likely be as full as this one.
        let times = std::mem::replace(&mut self.times, Vec::with_capacity(rows));
        let series = std::mem::replace(&mut self.series, Vec::with_capacity(rows));
        let columns = self.columns.iter_mut().map(|column| column.close(rows)).collect();
        self.chunks.push(Chunk { times, series, columns });
    }

    /// All rows, in chunks.
    pub fn finish(mut self) -> Vec<Chunk> {
        self.close_chunk();
        self.chunks
    }
}

/// One column of the open chunk: values with a default where a row has none.
#[derive(Debug)]
struct ColumnBuilder {
    values: Values,
    /// One bit a row once a row without a value was seen; `None` while every row so far has one.
    present: Option<Vec<bool>>,
    /// Rows covered so far; rows that came without this column are filled in when the next value arrives.
    rows: usize,
}

#[derive(Debug)]
enum Values {
    Float(Vec<f64>),
    Int(Vec<i64>),
    Uint(Vec<u64>),
    Boolean(Vec<bool>),
    Text { ends: Vec<i32>, bytes: Vec<u8> },
}

impl Values {
    fn new(ty: ColumnType) -> Self {
        match ty {
            ColumnType::Float => Self::Float(Vec::new()),
            ColumnType::Int => Self::Int(Vec::new()),
            ColumnType::Uint => Self::Uint(Vec::new()),
            ColumnType::Boolean => Self::Boolean(Vec::new()),
            ColumnType::String => Self::Text {
                ends: Vec::new(),
                bytes: Vec::new(),
            },
        }
    }

    fn pad(&mut self, rows: usize) {
        match self {
            Self::Float(v) => v.resize(rows, 0.0),
            Self::Int(v) => v.resize(rows, 0),
            Self::Uint(v) => v.resize(rows, 0),
            Self::Boolean(v) => v.resize(rows, false),
            Self::Text { ends, .. } => ends.resize(rows, ends.last().copied().unwrap_or(0)),
        }
    }

    fn take(&mut self, capacity: usize) -> Self {
        let empty = match self {
            Self::Float(_) => Self::Float(Vec::with_capacity(capacity)),
            Self::Int(_) => Self::Int(Vec::with_capacity(capacity)),
            Self::Uint(_) => Self::Uint(Vec::with_capacity(capacity)),
            Self::Boolean(_) => Self::Boolean(Vec::with_capacity(capacity)),
            Self::Text { .. } => Self::new(ColumnType::String),
        };
        std::mem::replace(self, empty)
    }
}

impl ColumnBuilder {
    fn new(ty: ColumnType) -> Self {
        Self {
            values: Values::new(ty),
            present: None,
            rows: 0,
        }
    }

    /// Appends row `row`'s value; gives the bytes of text that it added.
    fn push(&mut self, row: usize, cell: Cell<'_>) -> usize {
        if self.rows < row {
            self.pad(row);
        }
        self.rows = row + 1;
        if let Some(present) = &mut self.present {
            present.push(true);
        }
        match (&mut self.values, cell) {
            (Values::Float(values), Cell::Float(value)) => values.push(value),
            (Values::Int(values), Cell::Int(value)) => values.push(value),
            (Values::Uint(values), Cell::Uint(value)) => values.push(value),
            (Values::Boolean(values), Cell::Boolean(value)) => values.push(value),
            (Values::Text { ends, bytes }, Cell::Text(text)) => {
                let before = bytes.len();
                if text.is_plain() {
                    bytes.extend_from_slice(text.raw());
                } else {
                    bytes.extend_from_slice(text.unescape().as_bytes());
                }
                ends.push(
                    i32::try_from(bytes.len())
                        .expect("a chunk is closed long before 2 GiB of text, and a line is bounded"),
                );
                return bytes.len() - before;
            }
            (values, cell) => unreachable!("a cell is fitted to its column first: {values:?} {cell:?}"),
        }
        0
    }

    fn pad(&mut self, rows: usize) {
        let present = self.present.get_or_insert_with(|| vec![true; self.rows]);
        present.resize(rows, false);
        self.values.pad(rows);
        self.rows = rows;
    }

    /// The chunk's array, or `None` where no row had a value.
    fn close(&mut self, rows: usize) -> Option<ArrayRef> {
        if self.rows == 0 {
            return None;
        }
        if self.rows < rows {
            self.pad(rows);
        }
        self.rows = 0;
        let nulls = self.present.take().map(NullBuffer::from);
        Some(match self.values.take(rows) {
            Values::Float(v) => Arc::new(Float64Array::new(ScalarBuffer::from(v), nulls)),
            Values::Int(v) => Arc::new(Int64Array::new(ScalarBuffer::from(v), nulls)),
            Values::Uint(v) => Arc::new(UInt64Array::new(ScalarBuffer::from(v), nulls)),
            Values::Boolean(v) => Arc::new(BooleanArray::new(BooleanBuffer::from(v), nulls)),
            Values::Text { mut ends, bytes } => {
                ends.insert(0, 0);
                let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
                Arc::new(
                    StringArray::try_new(offsets, Buffer::from_vec(bytes), nulls)
                        .expect("the parser gives UTF-8 only and the ends ascend"),
                )
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Array;

    #[test]
    fn a_column_that_starts_late_and_ends_early_is_null_elsewhere() {
        let mut rows = RowsBuilder::default();
        let a = rows.add_column(ColumnType::Int);
        let b = rows.add_column(ColumnType::Float);
        rows.push(10, 0, &[(a, Cell::Int(1))]);
        rows.push(11, 0, &[(a, Cell::Int(2)), (b, Cell::Float(0.5))]);
        rows.push(12, 0, &[(a, Cell::Int(3))]);
        let chunks = rows.finish();
        assert_eq!(chunks.len(), 1);
        let a = chunks[0].columns[0].as_ref().unwrap();
        assert!(a.nulls().is_none(), "no null buffer where every row has a value");
        let b = chunks[0].columns[1].as_ref().unwrap();
        assert_eq!((b.is_null(0), b.is_null(1), b.is_null(2)), (true, false, true));
    }

    #[test]
    fn chunks_close_at_their_limit_and_lose_no_row() {
        let mut rows = RowsBuilder::default();
        let a = rows.add_column(ColumnType::Uint);
        for i in 0..CHUNK_ROWS as u64 + 7 {
            rows.push(i as i64, 0, &[(a, Cell::Uint(i))]);
        }
        let chunks = rows.finish();
        assert_eq!(
            chunks.iter().map(|c| c.times.len()).collect::<Vec<_>>(),
            [CHUNK_ROWS, 7]
        );
    }
}
