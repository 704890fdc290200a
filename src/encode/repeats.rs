//! Whether the numbers of a chunk repeat enough for a dictionary.
//!
//! A dictionary of values that hardly repeat costs twice: the values are all in it, and what compresses them finds no neighbours any more.
//! The answer follows from the values alone, as the bytes of a leaf must.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};

/// A dictionary pays where values are used so many times on average. It made most chunks of 6 uses or more smaller, and all of less than 3
/// larger (`docs/FORMAT.md` has the figures).
const USES: usize = 4;

/// Values are told apart by a hash of as many bits as a number of rows has and one more: for a leaf its bitmap fits into a core's first
/// cache. Where a fourth of the rows are distinct, about 6% of them are taken for another one.
const HASH_BITS_BEYOND: u32 = 1;
/// A bitmap has one word at least.
const LEAST_HASH_BITS: u32 = 6;

/// An odd number without a pattern (the golden ratio's fraction, as in Fibonacci hashing; Knuth, volume 3, 6.4).
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Whether a column of numbers has few enough distinct values; `true` for all other columns, which have few or are short.
pub(super) fn repeats(array: &ArrayRef) -> bool {
    match array.data_type() {
        DataType::Float64 => of_numbers(array.as_primitive::<Float64Type>(), f64::to_bits),
        DataType::Int64 => of_numbers(array.as_primitive::<Int64Type>(), i64::cast_unsigned),
        DataType::UInt64 => of_numbers(array.as_primitive::<UInt64Type>(), |value| value),
        _ => true,
    }
}

fn of_numbers<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, bits: impl Fn(T::Native) -> u64) -> bool {
    let most = (array.len() - array.null_count()) / USES;
    let row_bits = array.len().next_power_of_two().ilog2();
    let hash_bits = (row_bits + HASH_BITS_BEYOND).max(LEAST_HASH_BITS);
    let mut seen = vec![0u64; 1 << (hash_bits - LEAST_HASH_BITS)];
    let mut distinct = 0;
    let mut see = |value| {
        let hash = hash(bits(value)) >> (u64::BITS - hash_bits);
        let (word, bit) = ((hash >> 6) as usize, 1 << (hash & 63));
        distinct += usize::from(seen[word] & bit == 0);
        seen[word] |= bit;
    };
    match array.null_count() {
        0 => array.values().iter().for_each(|&value| see(value)),
        _ => array.iter().flatten().for_each(see),
    }
    distinct <= most
}

fn hash(value: u64) -> u64 {
    // Both halves of the product, so that the value's high and low bits both count.
    let product = u128::from(value) * u128::from(MULTIPLIER);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    fn ints(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
        Arc::new(values.into_iter().collect::<Int64Array>())
    }

    /// `distinct` values in a row, as often as it takes for `rows`.
    fn cycle(distinct: i64, rows: i64, step: i64) -> ArrayRef {
        ints((0..rows).map(|row| Some(row % distinct * step)))
    }

    #[test]
    fn a_fourth_of_the_rows_may_be_distinct() {
        for step in [1, 8, 4_096, 1 << 40] {
            assert!(repeats(&cycle(1, 131_072, step)));
            assert!(repeats(&cycle(30_000, 131_072, step)));
            assert!(!repeats(&cycle(40_000, 131_072, step)), "step {step}");
            assert!(!repeats(&cycle(131_072, 131_072, step)), "step {step}");
        }
        let shares = (0..100_000).map(|row| Some(100.0 * f64::from(row % 1_000) / 999.0));
        assert!(repeats(&(Arc::new(shares.collect::<Float64Array>()) as ArrayRef)));
        let shares = (0..100_000).map(|row| Some(100.0 * f64::from(row) / 99_999.0));
        assert!(!repeats(&(Arc::new(shares.collect::<Float64Array>()) as ArrayRef)));
    }

    #[test]
    fn nulls_are_no_values() {
        assert!(repeats(&ints((0..1_000).map(|_| None))));
        let some = |every: i64, of: i64| ints((0..10_000).map(move |row| (row % every == 0).then_some(row % of)));
        assert!(repeats(&some(10, 100)));
        assert!(!repeats(&some(10, 100_000)));
    }

    #[test]
    fn text_repeats() {
        assert!(repeats(&(Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef)));
    }

    proptest! {
        #[test]
        fn the_order_of_the_rows_does_not_matter(mut values in prop::collection::vec(prop::option::of(0i64..2_000), 0..3_000)) {
            let before = repeats(&ints(values.clone()));
            values.sort();
            prop_assert_eq!(repeats(&ints(values)), before);
        }
    }
}
