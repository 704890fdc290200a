//! One column over all batches of a day, and the gathering of its values in sorted, folded order.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayAccessor, ArrayRef, BooleanArray, Float64Array, Int64Array, NullBufferBuilder, PrimitiveArray,
    StringArray, UInt64Array,
};
use arrow::buffer::{BooleanBuffer, Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::ArrowPrimitiveType;

use super::days::{Entry, row_place};
use crate::error::{Error, Result};
use crate::table::schema::ColumnType;

/// Where a row of a leaf takes its values from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Taken {
    /// The only line of its point.
    Row(u32),
    /// The k-th distinct value among the lines of a point.
    Nth { point: usize, k: u32 },
}

/// A field column over all batches; a batch in which no row has it has no array.
pub(super) enum FieldColumn<'a> {
    Float(View<'a, Float64Array>),
    Int(View<'a, Int64Array>),
    Uint(View<'a, UInt64Array>),
    Boolean(View<'a, BooleanArray>),
    Text(View<'a, StringArray>),
}

/// Runs the same code on the view inside of a column, whatever its type.
macro_rules! each_type {
    ($column:expr, $view:ident => $body:expr) => {
        match $column {
            FieldColumn::Float($view) => $body,
            FieldColumn::Int($view) => $body,
            FieldColumn::Uint($view) => $body,
            FieldColumn::Boolean($view) => $body,
            FieldColumn::Text($view) => $body,
        }
    };
}

impl<'a> FieldColumn<'a> {
    /// The column of this type over the batches' arrays.
    pub fn new(ty: ColumnType, arrays: impl Iterator<Item = Option<&'a ArrayRef>>) -> Self {
        match ty {
            ColumnType::Float => Self::Float(View::new(arrays)),
            ColumnType::Int => Self::Int(View::new(arrays)),
            ColumnType::Uint => Self::Uint(View::new(arrays)),
            ColumnType::Boolean => Self::Boolean(View::new(arrays)),
            ColumnType::String => Self::Text(View::new(arrays)),
        }
    }

    /// Whether any of these rows has a value.
    pub fn occurs(&self, entries: &[Entry]) -> bool {
        each_type!(self, view => view.arrays.iter().any(Option::is_some)
            && entries.iter().any(|entry| view.get(entry.row).is_some()))
    }

    /// How many different values these rows have.
    pub fn distinct(&self, entries: &[Entry]) -> usize {
        each_type!(self, view => view.count_distinct(entries))
    }

    /// The values of a leaf's rows; `lines` gives the lines of a point.
    pub fn gather<'e>(&self, taken: &[Taken], lines: impl Fn(usize) -> &'e [Entry]) -> Result<ArrayRef> {
        Ok(match self {
            Self::Float(view) => Arc::new(primitive(view, taken, lines)),
            Self::Int(view) => Arc::new(primitive(view, taken, lines)),
            Self::Uint(view) => Arc::new(primitive(view, taken, lines)),
            Self::Boolean(view) => Arc::new(boolean(view, taken, lines)),
            Self::Text(view) => Arc::new(text(view, taken, lines)?),
        })
    }
}

/// The arrays of one column by batch.
pub(super) struct View<'a, A> {
    arrays: Vec<Option<&'a A>>,
}

impl<'a, A> View<'a, A>
where
    A: Array + 'static,
    &'a A: ArrayAccessor<Item: TotalOrder>,
{
    fn new(arrays: impl Iterator<Item = Option<&'a ArrayRef>>) -> Self {
        let arrays = arrays
            .map(|array| {
                array.map(|array| {
                    array
                        .as_any()
                        .downcast_ref::<A>()
                        .expect("settling and reading give each column its schema's type")
                })
            })
            .collect();
        Self { arrays }
    }

    fn get(&self, row: u32) -> Option<<&'a A as ArrayAccessor>::Item> {
        let (batch, place) = row_place(row);
        let array = self.arrays[batch]?;
        array.is_valid(place).then(|| array.value(place))
    }

    /// How many different values these rows have. Mostly they agree, and nothing has to be sorted.
    fn count_distinct(&self, entries: &[Entry]) -> usize {
        let mut values = entries.iter().filter_map(|entry| self.get(entry.row));
        match values.next() {
            None => 0,
            Some(first) if values.all(|value| value.total_order(&first).is_eq()) => 1,
            Some(_) => self.distinct(entries).len(),
        }
    }

    /// The different values of these rows, ascending.
    fn distinct(&self, entries: &[Entry]) -> Vec<<&'a A as ArrayAccessor>::Item> {
        let mut values: Vec<_> = entries.iter().filter_map(|entry| self.get(entry.row)).collect();
        values.sort_unstable_by(TotalOrder::total_order);
        values.dedup_by(|a, b| a.total_order(b).is_eq());
        values
    }

    fn each<'e>(
        &self,
        taken: &[Taken],
        lines: impl Fn(usize) -> &'e [Entry],
        mut give: impl FnMut(Option<<&'a A as ArrayAccessor>::Item>),
    ) {
        let mut point_values = (usize::MAX, Vec::new());
        for &taken in taken {
            match taken {
                Taken::Row(row) => give(self.get(row)),
                Taken::Nth { point, k } => {
                    if point_values.0 != point {
                        point_values = (point, self.distinct(lines(point)));
                    }
                    give(point_values.1.get(k as usize).copied());
                }
            }
        }
    }
}

/// The order of a field's values in the rows of a conflict: total, so that no arrival order can decide.
pub(super) trait TotalOrder: Copy {
    fn total_order(&self, other: &Self) -> Ordering;
}

impl TotalOrder for f64 {
    fn total_order(&self, other: &Self) -> Ordering {
        self.total_cmp(other)
    }
}

macro_rules! as_is {
    ($($ty:ty),*) => {$(
        impl TotalOrder for $ty {
            fn total_order(&self, other: &Self) -> Ordering {
                self.cmp(other)
            }
        }
    )*};
}
as_is!(i64, u64, bool, &str);

fn primitive<'a, 'e, T>(
    view: &View<'a, PrimitiveArray<T>>,
    taken: &[Taken],
    lines: impl Fn(usize) -> &'e [Entry],
) -> PrimitiveArray<T>
where
    T: ArrowPrimitiveType,
    T::Native: TotalOrder,
{
    let mut values = Vec::with_capacity(taken.len());
    let mut nulls = NullBufferBuilder::new(taken.len());
    view.each(taken, lines, |value| {
        nulls.append(value.is_some());
        values.push(value.unwrap_or_default());
    });
    PrimitiveArray::new(ScalarBuffer::from(values), nulls.finish())
}

fn boolean<'e>(view: &View<'_, BooleanArray>, taken: &[Taken], lines: impl Fn(usize) -> &'e [Entry]) -> BooleanArray {
    let mut values = Vec::with_capacity(taken.len());
    let mut nulls = NullBufferBuilder::new(taken.len());
    view.each(taken, lines, |value| {
        nulls.append(value.is_some());
        values.push(value.unwrap_or_default());
    });
    BooleanArray::new(BooleanBuffer::from(values), nulls.finish())
}

fn text<'e>(
    view: &View<'_, StringArray>,
    taken: &[Taken],
    lines: impl Fn(usize) -> &'e [Entry],
) -> Result<StringArray> {
    let mut ends: Vec<i32> = Vec::with_capacity(taken.len() + 1);
    ends.push(0);
    let mut bytes = Vec::new();
    let mut nulls = NullBufferBuilder::new(taken.len());
    let mut fits = true;
    view.each(taken, lines, |value| {
        nulls.append(value.is_some());
        if fits {
            bytes.extend_from_slice(value.unwrap_or_default().as_bytes());
        }
        match i32::try_from(bytes.len()) {
            Ok(end) => ends.push(end),
            Err(_) => fits = false,
        }
    });
    if !fits {
        return Err(Error::new(
            "a string column",
            "holds more than 2 GiB in one leaf, more than a Utf8 array can",
        )
        .hint("declare no such column, or drop it in Telegraf (fielddrop)"));
    }
    let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
    let array = StringArray::try_new(offsets, Buffer::from_vec(bytes), nulls.finish());
    Ok(array.expect("whole values of UTF-8 arrays, one after the other, with ascending ends"))
}
