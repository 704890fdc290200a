//! What fits another type and what does not, at every edge; and that no two different values become one.

use proptest::prelude::*;

use super::*;

const TWO_TO_53: i64 = 1 << 53;

fn floats(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn uints(values: &[u64]) -> ArrayRef {
    Arc::new(UInt64Array::from(values.to_vec()))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn booleans(values: &[bool]) -> ArrayRef {
    Arc::new(BooleanArray::from(values.to_vec()))
}

/// Bits, so that -0.0 is not 0.0.
fn bits(array: &ArrayRef) -> Vec<u64> {
    array
        .as_primitive::<Float64Type>()
        .values()
        .iter()
        .map(|value| value.to_bits())
        .collect()
}

/// Which of these values the type holds.
fn fitting(array: &ArrayRef, ty: ColumnType) -> Vec<bool> {
    (0..array.len())
        .map(|row| convert(&array.slice(row, 1), ty).is_ok())
        .collect()
}

#[test]
fn integers_cross_where_they_are_in_range() {
    let from = ints(&[0, i64::MAX, -1]);
    assert_eq!(fitting(&from, ColumnType::Uint), [true, true, false]);
    let from = uints(&[0, i64::MAX as u64, i64::MAX as u64 + 1]);
    assert_eq!(fitting(&from, ColumnType::Int), [true, true, false]);
    let taken = convert(&uints(&[0, i64::MAX as u64]), ColumnType::Int).unwrap();
    assert_eq!(&taken, &ints(&[0, i64::MAX]));
}

#[test]
fn integers_become_floats_where_a_float_holds_them_exactly() {
    let from = ints(&[0, TWO_TO_53, TWO_TO_53 + 1, TWO_TO_53 + 2, i64::MIN, i64::MAX]);
    assert_eq!(
        fitting(&from, ColumnType::Float),
        [true, true, false, true, true, false]
    );
    let from = uints(&[u64::MAX, 1 << 63]);
    assert_eq!(fitting(&from, ColumnType::Float), [false, true]);
    assert_eq!(
        bits(&convert(&ints(&[-3]), ColumnType::Float).unwrap()),
        [(-3f64).to_bits()]
    );
}

#[test]
fn floats_become_integers_where_they_are_whole_in_range_and_no_negative_zero() {
    let from = floats(&[
        0.0,
        -0.0,
        1.5,
        -3.0,
        9.223_372_036_854_775e18,
        9.223_372_036_854_776e18,
        1e300,
    ]);
    assert_eq!(
        fitting(&from, ColumnType::Int),
        [true, false, false, true, true, false, false]
    );
    let from = floats(&[0.0, -0.0, -1.0, 1e19, 18_446_744_073_709_552_000.0, 5e-324]);
    assert_eq!(
        fitting(&from, ColumnType::Uint),
        [true, false, false, true, false, false]
    );
    let taken = convert(&floats(&[0.0, -3.0, i64::MIN as f64]), ColumnType::Int).unwrap();
    assert_eq!(&taken, &ints(&[0, -3, i64::MIN]));
}

#[test]
fn everything_becomes_the_text_that_a_csv_file_has() {
    let as_texts = |array: &ArrayRef| convert(array, ColumnType::String).unwrap();
    assert_eq!(
        &as_texts(&floats(&[1.0, -0.0, 0.1, 1e300, 5e-324])),
        &texts(&["1.0", "-0.0", "0.1", "1e+300", "5e-324"])
    );
    assert_eq!(&as_texts(&ints(&[i64::MIN, 7])), &texts(&["-9223372036854775808", "7"]));
    assert_eq!(&as_texts(&uints(&[u64::MAX])), &texts(&["18446744073709551615"]));
    assert_eq!(&as_texts(&booleans(&[true, false])), &texts(&["true", "false"]));
}

#[test]
fn texts_become_numbers_where_not_a_digit_is_lost() {
    let good = [
        "1", "1.0", "-1.50", "1e3", "1E+03", ".5", "5.", "-0", "007", "0e9", "0.1", "5e-324",
    ];
    let from = texts(&good);
    assert_eq!(fitting(&from, ColumnType::Float), [true; 12]);
    let expected = [1.0, 1.0, -1.5, 1e3, 1e3, 0.5, 5.0, -0.0, 7.0, 0.0, 0.1, 5e-324];
    assert_eq!(
        bits(&convert(&from, ColumnType::Float).unwrap()),
        expected.map(f64::to_bits)
    );
    for bad in [
        "",
        "-",
        ".",
        "x",
        "1 ",
        " 1",
        "+1",
        "1e",
        "1e+",
        "e5",
        "1.2.3",
        "1i",
        "1u",
        "0x10",
        "1_0",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "1e-999",
        "9007199254740993",
        "0.10000000000000001",
        "1e99999999999",
        "--1",
        "१",
    ] {
        assert_eq!(fitting(&texts(&[bad]), ColumnType::Float), [false], "{bad:?}");
    }
    let from = texts(&[
        "0",
        "-0",
        "-5",
        "007",
        "9223372036854775807",
        "9223372036854775808",
        "1.0",
        "+1",
        "",
        "-",
        "5i",
    ]);
    let as_int = [true, true, true, true, true, false, false, false, false, false, false];
    assert_eq!(fitting(&from, ColumnType::Int), as_int);
    let as_uint = [true, false, false, true, true, true, false, false, false, false, false];
    // "-0" reads as 0, but an unsigned integer has no sign in line protocol either.
    assert_eq!(fitting(&from, ColumnType::Uint), as_uint);
}

#[test]
fn texts_become_booleans_where_line_protocol_has_them_for_one() {
    let from = texts(&["t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE"]);
    let taken = convert(&from, ColumnType::Boolean).unwrap();
    assert_eq!(
        &taken,
        &booleans(&[true, true, true, true, true, false, false, false, false, false])
    );
    assert_eq!(
        fitting(&texts(&["", "tRUE", "1", "0", "yes", "true "]), ColumnType::Boolean),
        [false; 6]
    );
}

#[test]
fn booleans_are_no_numbers_and_numbers_no_booleans() {
    for ty in [ColumnType::Float, ColumnType::Int, ColumnType::Uint] {
        assert_eq!(fitting(&booleans(&[true, false]), ty), [false, false]);
    }
    for from in [floats(&[0.0, 1.0]), ints(&[0, 1]), uints(&[0, 1])] {
        assert_eq!(fitting(&from, ColumnType::Boolean), [false, false]);
    }
}

#[test]
fn nulls_stay_and_the_first_misfit_is_named() {
    let from: ArrayRef = Arc::new(Float64Array::from(vec![None, Some(1.0), Some(2.5), Some(3.5)]));
    let unfit = convert(&from, ColumnType::Int).unwrap_err();
    assert_eq!(
        unfit,
        Unfit {
            row: 2,
            value: "2.5".into()
        }
    );
    let taken = convert(&from.slice(0, 2), ColumnType::Int).unwrap();
    let expected: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(1)]));
    assert_eq!(&taken, &expected);
    let only_nulls: ArrayRef = Arc::new(BooleanArray::new_null(3));
    assert_eq!(convert(&only_nulls, ColumnType::Float).unwrap().null_count(), 3);
}

fn number_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?[0-9]{0,20}\\.?[0-9]{0,20}([eE][+-]?[0-9]{1,3})?",
        any::<f64>()
            .prop_filter("finite", |value| value.is_finite())
            .prop_map(shortest),
        any::<i64>().prop_map(|value| value.to_string()),
        (-20i32..20, 0u8..3).prop_map(|(value, zeros)| format!("{value}.{}", "0".repeat(zeros.into()))),
    ]
}

proptest! {
    #[test]
    fn there_and_back_again_is_the_same(value in any::<i64>(), float in any::<f64>()) {
        let float = if float.is_finite() { float } else { 1.5 };
        for (from, ty) in [(ints(&[value]), ColumnType::Int), (uints(&[value as u64]), ColumnType::Uint), (floats(&[float]), ColumnType::Float)] {
            for over in [ColumnType::Float, ColumnType::Int, ColumnType::Uint, ColumnType::String] {
                if let Ok(other) = convert(&from, over) {
                    let back = convert(&other, ty).unwrap();
                    match ty {
                        ColumnType::Float => prop_assert_eq!(bits(&back), bits(&from)),
                        _ => prop_assert_eq!(&back, &from),
                    }
                }
            }
        }
    }

    #[test]
    fn texts_that_become_one_float_are_texts_of_one_number(a in number_text(), b in number_text()) {
        let float = |text: &str| convert(&texts(&[text]), ColumnType::Float).ok().map(|array| bits(&array));
        if let (Some(first), Some(second)) = (float(&a), float(&b)) {
            prop_assert_eq!(first == second, Decimal::read(&a) == Decimal::read(&b));
        }
    }

    #[test]
    fn what_line_protocol_does_not_take_for_a_float_is_none_here(text in "[-+.0-9eEinfatu_ ]{0,8}") {
        if convert(&texts(&[&text]), ColumnType::Float).is_ok() {
            use crate::lineproto::{FieldValue, Limits, Parser, Precision};
            let line = format!("m v={text} 1\n");
            let mut parser = Parser::new(Precision::Ns, Limits::default());
            let mut lines = parser.lines(line.as_bytes());
            let line = lines.next().unwrap().unwrap();
            let value = line.fields().next().unwrap().value;
            prop_assert_eq!(value, FieldValue::Float(text.parse().unwrap()));
        }
    }
}
