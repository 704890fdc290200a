//! Column builders: the rows of one measurement as one consumer thread collects them.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, UInt64Array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

use super::schema::ColumnType;
use crate::lineproto::{FieldValue, Text};

/// Rows of a chunk at most, so that a row's place in it fits 16 bits.
pub const CHUNK_ROWS: usize = 1 << 16;

/// A chunk is closed early once it holds this many bytes of text, far below what 32-bit offsets can say.
const CHUNK_TEXT_BYTES: usize = 256 << 20;

/// Cells without a value that a chunk may hold whatever is in it: 8 MiB of them.
const FEW_CELLS: usize = 1 << 20;

/// Cells that a chunk may hold for each value in it. One that has more, of columns that few rows have, is closed early: else a
/// producer who gives each line a key of its own would make cells as the square of its lines.
const CELLS_A_VALUE: usize = 8;

/// A column with more rows gets room for a whole chunk at once: memory that is not touched costs nothing, moving does.
const FEW_ROWS: usize = 4_096;

/// Up to [`CHUNK_ROWS`] rows with the columns that occur in them.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Nanoseconds since 1970-01-01 UTC.
    pub times: Vec<i64>,
    /// The collector's number of each row's series.
    pub series: Vec<u32>,
    /// Number and array of each local column that a row of the chunk has, ascending.
    pub columns: Vec<(u32, ArrayRef)>,
}

impl Chunk {
    /// The array of a local column, `None` where no row of the chunk has it.
    pub fn column(&self, number: u32) -> Option<&ArrayRef> {
        let at = self.columns.binary_search_by_key(&number, |(number, _)| *number);
        at.ok().map(|at| &self.columns[at].1)
    }
}

/// Rows of one measurement, made value by value and closed in chunks.
#[derive(Debug, Default)]
pub struct RowsBuilder {
    times: Vec<i64>,
    series: Vec<u32>,
    columns: Vec<ColumnBuilder>,
    /// The columns that a row of the open chunk has, and perhaps some that only a dropped row had.
    present: Vec<u32>,
    chunks: Vec<Chunk>,
    /// Values in the open chunk.
    values: usize,
    text_bytes: usize,
    row_text_bytes: usize,
    /// Bytes of the open chunk's cells without a value that were told.
    empty_bytes: usize,
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

    /// Gives the row that is being made a value in a column that holds numbers: a float's bits or an integer.
    #[inline(always)]
    pub fn push_number(&mut self, column: u32, bits: u64) {
        let row = self.times.len();
        let builder = &mut self.columns[column as usize];
        match &mut builder.values {
            Values::Numbers(numbers)
                if numbers.len() == row && numbers.len() < numbers.capacity() && builder.present.is_none() =>
            {
                numbers.push(bits);
                if row == 0 {
                    self.present.push(column);
                }
            }
            _ => self.push_value(column, bits, FieldValue::Uint(bits)),
        }
    }

    /// Gives the row that is being made a value in any column: a number or boolean as its bits, a text as it is.
    pub fn push_value(&mut self, column: u32, bits: u64, value: FieldValue<'_>) {
        let row = self.times.len();
        let builder = &mut self.columns[column as usize];
        if builder.values.len() == 0 {
            self.present.push(column);
        }
        match value {
            FieldValue::String(text) => self.row_text_bytes += builder.push_text(row, text),
            _ => builder.push_word(row, bits),
        }
    }

    /// Makes the values given since the last row, as many as said, a row. Gives the bytes that it takes beside its values: of text in it,
    /// and of cells without one.
    #[inline]
    pub fn finish_row(&mut self, time: i64, series: u32, values: usize) -> usize {
        self.times.push(time);
        self.series.push(series);
        let text_bytes = std::mem::take(&mut self.row_text_bytes);
        self.text_bytes += text_bytes;
        self.values += values;
        let rows = self.times.len();
        if rows == FEW_ROWS {
            self.times.reserve_exact(CHUNK_ROWS - rows);
            self.series.reserve_exact(CHUNK_ROWS - rows);
        }
        let cells = rows * self.present.len();
        let too_sparse = cells > FEW_CELLS.max(self.values * CELLS_A_VALUE);
        let empty_bytes = 8 * cells.saturating_sub(self.values);
        let grown = empty_bytes.saturating_sub(self.empty_bytes);
        self.empty_bytes += grown;
        if rows == CHUNK_ROWS || self.text_bytes >= CHUNK_TEXT_BYTES || too_sparse {
            self.close_chunk(true);
        }
        text_bytes + grown
    }

    /// Takes back the values given since the last row.
    #[cold]
    pub fn drop_row(&mut self) {
        let row = self.times.len();
        self.row_text_bytes = 0;
        for &column in &self.present {
            self.columns[column as usize].truncate(row);
        }
        let columns = &self.columns;
        self.present.retain(|&column| columns[column as usize].values.len() > 0);
    }

    /// `another`: more rows are going to come.
    fn close_chunk(&mut self, another: bool) {
        let rows = self.times.len();
        if rows == 0 {
            return;
        }
        (self.text_bytes, self.empty_bytes) = (0, 0);
        let capacity = if another { rows } else { 0 };
        let times = std::mem::replace(&mut self.times, Vec::with_capacity(capacity));
        let series = std::mem::replace(&mut self.series, Vec::with_capacity(capacity));
        self.present.sort_unstable();
        let present = self.present.drain(..);
        let columns = present
            .filter_map(|number| Some((number, self.columns[number as usize].close(rows, another)?)))
            .collect();
        self.values = 0;
        self.chunks.push(Chunk { times, series, columns });
    }

    /// All rows, in chunks.
    pub fn finish(mut self) -> Vec<Chunk> {
        self.close_chunk(false);
        self.chunks
    }
}

/// One column of the open chunk: values with a default where a row has none, up to the last row that has one; rows behind it
/// are filled in when the next value comes.
#[derive(Debug)]
struct ColumnBuilder {
    ty: ColumnType,
    values: Values,
    /// One flag a row once a row without a value was seen; `None` while every row so far has one.
    present: Option<Vec<bool>>,
}

#[derive(Debug)]
enum Values {
    /// Floats as their bits, and integers.
    Numbers(Vec<u64>),
    Booleans(Vec<bool>),
    /// Each text ends where the next one begins; the first one begins at 0.
    Texts {
        ends: Vec<i32>,
        bytes: Vec<u8>,
    },
}

impl Values {
    /// Room for `rows` rows, with `text_bytes` of text.
    fn new(ty: ColumnType, rows: usize, text_bytes: usize) -> Self {
        match ty {
            ColumnType::Float | ColumnType::Int | ColumnType::Uint => Self::Numbers(Vec::with_capacity(rows)),
            ColumnType::Boolean => Self::Booleans(Vec::with_capacity(rows)),
            ColumnType::String => {
                let mut ends = Vec::with_capacity(rows + 1);
                ends.push(0);
                let bytes = Vec::with_capacity(text_bytes);
                Self::Texts { ends, bytes }
            }
        }
    }

    fn text_bytes(&self) -> usize {
        match self {
            Self::Texts { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }

    /// Rows covered.
    fn len(&self) -> usize {
        match self {
            Self::Numbers(v) => v.len(),
            Self::Booleans(v) => v.len(),
            Self::Texts { ends, .. } => ends.len() - 1,
        }
    }

    fn resize(&mut self, rows: usize) {
        match self {
            Self::Numbers(v) => v.resize(rows, 0),
            Self::Booleans(v) => v.resize(rows, false),
            Self::Texts { ends, bytes } => {
                ends.resize(rows + 1, ends.last().copied().unwrap_or(0));
                bytes.truncate(ends.last().map_or(0, |&end| end as usize));
            }
        }
    }
}

impl ColumnBuilder {
    fn new(ty: ColumnType) -> Self {
        Self {
            ty,
            values: Values::new(ty, 0, 0),
            present: None,
        }
    }

    /// Covers all rows before `row`, and marks that one as having a value.
    fn prepare(&mut self, row: usize) {
        self.cover(row);
        if let Some(present) = &mut self.present {
            present.push(true);
        }
    }

    /// Covers `rows` rows at least; those that are new have no value.
    fn cover(&mut self, rows: usize) {
        let covered = self.values.len();
        if covered < rows {
            let present = self.present.get_or_insert_with(|| vec![true; covered]);
            present.resize(rows, false);
            self.values.resize(rows);
        }
    }

    /// Appends row `row`'s number or boolean.
    fn push_word(&mut self, row: usize, bits: u64) {
        self.prepare(row);
        match &mut self.values {
            Values::Numbers(values) => {
                if values.len() == values.capacity() && values.len() >= FEW_ROWS {
                    values.reserve_exact(CHUNK_ROWS - values.len());
                }
                values.push(bits);
            }
            Values::Booleans(values) => values.push(bits != 0),
            Values::Texts { .. } => unreachable!("a value is fitted to its column first"),
        }
    }

    /// Appends row `row`'s text; gives its bytes.
    fn push_text(&mut self, row: usize, text: Text<'_>) -> usize {
        self.prepare(row);
        let Values::Texts { ends, bytes } = &mut self.values else {
            unreachable!("a value is fitted to its column first")
        };
        let before = bytes.len();
        text.unescape_into(bytes);
        let end = i32::try_from(bytes.len());
        ends.push(end.expect("a chunk is closed long before 2 GiB of text, and a line is bounded"));
        bytes.len() - before
    }

    /// Forgets what is behind the first `rows` rows. A column without a value left is as it was before its first one.
    fn truncate(&mut self, rows: usize) {
        if self.values.len() <= rows {
            return;
        }
        self.values.resize(rows);
        if let Some(present) = &mut self.present {
            present.truncate(rows);
            if !present.contains(&true) {
                self.present = None;
                self.values.resize(0);
            }
        }
    }

    /// The chunk's array, or `None` where no row had a value. `another`: the next chunk will most likely be as full, if this one is.
    fn close(&mut self, rows: usize, another: bool) -> Option<ArrayRef> {
        if self.values.len() == 0 {
            return None;
        }
        self.cover(rows);
        let nulls = self.present.take().map(NullBuffer::from);
        let (next_rows, text_bytes) = if another && nulls.is_none() {
            (rows, self.values.text_bytes())
        } else {
            (0, 0)
        };
        let next = Values::new(self.ty, next_rows, text_bytes);
        Some(match std::mem::replace(&mut self.values, next) {
            Values::Numbers(v) => numbers(self.ty, v, nulls),
            Values::Booleans(v) => Arc::new(BooleanArray::new(BooleanBuffer::from(v), nulls)),
            Values::Texts { ends, bytes } => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
                Arc::new(
                    StringArray::try_new(offsets, Buffer::from_vec(bytes), nulls)
                        .expect("the parser gives UTF-8 only and the ends ascend"),
                )
            }
        })
    }
}

/// The array of a type of 64 bits, over the memory of its values.
fn numbers(ty: ColumnType, values: Vec<u64>, nulls: Option<NullBuffer>) -> ArrayRef {
    let rows = values.len();
    let values = Buffer::from_vec(values);
    match ty {
        ColumnType::Float => Arc::new(Float64Array::new(ScalarBuffer::new(values, 0, rows), nulls)),
        ColumnType::Int => Arc::new(Int64Array::new(ScalarBuffer::new(values, 0, rows), nulls)),
        _ => Arc::new(UInt64Array::new(ScalarBuffer::new(values, 0, rows), nulls)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Array;

    fn push(rows: &mut RowsBuilder, time: i64, numbers: &[(u32, u64)]) {
        for &(column, bits) in numbers {
            rows.push_number(column, bits);
        }
        rows.finish_row(time, 0, numbers.len());
    }

    #[test]
    fn a_column_that_starts_late_and_ends_early_is_null_elsewhere() {
        let mut rows = RowsBuilder::default();
        let a = rows.add_column(ColumnType::Int);
        let b = rows.add_column(ColumnType::Float);
        push(&mut rows, 10, &[(a, 1)]);
        push(&mut rows, 11, &[(a, 2), (b, 0.5f64.to_bits())]);
        push(&mut rows, 12, &[(a, 3)]);
        push(&mut rows, 13, &[(b, 1.5f64.to_bits())]);
        let chunks = rows.finish();
        assert_eq!(chunks.len(), 1);
        let nulls = |column: u32| {
            let array = chunks[0].column(column).unwrap();
            (0..4).map(|row| array.is_null(row)).collect::<Vec<_>>()
        };
        assert_eq!(nulls(a), [false, false, false, true]);
        assert_eq!(nulls(b), [true, false, true, false]);
    }

    #[test]
    fn a_column_that_every_row_has_gets_no_null_buffer() {
        let mut rows = RowsBuilder::default();
        let a = rows.add_column(ColumnType::Int);
        push(&mut rows, 10, &[(a, 1)]);
        push(&mut rows, 11, &[(a, 2)]);
        let chunks = rows.finish();
        assert!(chunks[0].column(a).unwrap().nulls().is_none());
    }

    #[test]
    fn a_dropped_row_leaves_nothing_behind() {
        let mut rows = RowsBuilder::default();
        let columns = [
            ColumnType::Int,
            ColumnType::Float,
            ColumnType::Boolean,
            ColumnType::String,
            ColumnType::Uint,
        ]
        .map(|ty| rows.add_column(ty));
        let [int, float, boolean, string, late] = columns;
        let text = |text: &'static str| FieldValue::String(crate::lineproto::Text::plain(text));
        for (time, said) in [(1, "first"), (2, "dropped"), (3, "last")] {
            rows.push_number(int, time as u64);
            rows.push_number(float, (time as f64).to_bits());
            rows.push_value(boolean, 1, FieldValue::Boolean(true));
            rows.push_value(string, 0, text(said));
            if said == "dropped" {
                rows.push_number(late, 7);
                rows.drop_row();
            } else {
                assert_eq!(rows.finish_row(time, 0, 4), said.len());
            }
        }
        let chunk = rows.finish().remove(0);
        assert_eq!(chunk.times, [1, 3]);
        assert!(chunk.column(late).is_none(), "it never had a value");
        for column in [int, float, boolean, string] {
            let array = chunk.column(column).unwrap();
            assert_eq!((array.len(), array.null_count()), (2, 0));
        }
        let texts = chunk.column(string).unwrap();
        let texts = texts.as_any().downcast_ref::<StringArray>().unwrap();
        assert_eq!((texts.value(0), texts.value(1)), ("first", "last"));
    }

    #[test]
    fn chunks_close_at_their_limit_and_lose_no_row() {
        let mut rows = RowsBuilder::default();
        let a = rows.add_column(ColumnType::Uint);
        for i in 0..CHUNK_ROWS as u64 + 7 {
            push(&mut rows, i as i64, &[(a, i)]);
        }
        let chunks = rows.finish();
        assert_eq!(
            chunks.iter().map(|c| c.times.len()).collect::<Vec<_>>(),
            [CHUNK_ROWS, 7]
        );
    }

    #[test]
    fn keys_that_few_rows_have_make_shorter_chunks_and_no_more_cells() {
        let mut rows = RowsBuilder::default();
        let lines = 20_000;
        for line in 0..lines {
            let column = rows.add_column(ColumnType::Int);
            push(&mut rows, line, &[(column, line as u64)]);
        }
        let chunks = rows.finish();
        let cells: usize = chunks.iter().map(|chunk| chunk.times.len() * chunk.columns.len()).sum();
        assert!(cells <= 2 * FEW_CELLS * chunks.len(), "{cells} cells");
        assert_eq!(
            chunks.iter().map(|chunk| chunk.times.len()).sum::<usize>(),
            lines as usize
        );
        for (number, chunk) in chunks
            .iter()
            .flat_map(|chunk| chunk.columns.iter().map(move |(n, _)| (*n, chunk)))
        {
            let array = chunk.column(number).unwrap();
            assert_eq!(array.len() - array.null_count(), 1);
        }
    }
}
