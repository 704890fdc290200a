//! Rows of any shape for the tests.

use arrow::array::{AsArray, BooleanArray, Float64Array, Int64Array, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, UInt64Type};
use proptest::collection::vec;

use super::*;
use crate::table::schema::ColumnOrigin;

pub(super) fn column(name: &str, kind: ColumnKind, ty: ColumnType) -> Column {
    Column {
        name: name.to_owned(),
        key: name.to_owned(),
        kind,
        ty,
        origin: ColumnOrigin::Declared,
        unit: None,
        description: None,
    }
}

pub(super) fn day_schema(columns: Vec<Column>, time_unit: TimeUnit) -> DaySchema {
    DaySchema {
        measurement: "m".to_owned(),
        columns,
        time_unit,
    }
}

pub(super) fn tags(values: impl IntoIterator<Item = Option<String>>) -> ArrayRef {
    let values = values.into_iter().collect::<Vec<_>>();
    Arc::new(
        values
            .iter()
            .map(Option::as_deref)
            .collect::<DictionaryArray<Int32Type>>(),
    )
}

/// Every row as the text of its values, exact to the bit; null unlike anything else.
pub(super) fn cells(rows: &LeafRows) -> Vec<Vec<String>> {
    let value = |array: &ArrayRef, row: usize| {
        if array.is_null(row) {
            return "null".to_owned();
        }
        match array.data_type() {
            DataType::Float64 => format!("{:x}", array.as_primitive::<Float64Type>().value(row).to_bits()),
            DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
            DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).to_string(),
            DataType::Boolean => array.as_boolean().value(row).to_string(),
            DataType::Utf8 => format!("{:?}", array.as_string::<i32>().value(row)),
            DataType::Dictionary(..) => {
                let dictionary = array.as_dictionary::<Int32Type>();
                let key = dictionary.key(row).unwrap();
                format!("{:?}", dictionary.values().as_string::<i32>().value(key))
            }
            other => panic!("no column has the type {other}"),
        }
    };
    let row = |row: usize| {
        let time = rows.times[row].to_string();
        std::iter::once(time)
            .chain(rows.columns.iter().map(|array| value(array, row)))
            .collect()
    };
    (0..rows.times.len()).map(row).collect()
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{1,2}", "[\"\n\r, a]{0,5}", any::<String>()]
}

fn any_float() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("line protocol has no others", |float| float.is_finite()),
        (-1000i32..1000).prop_map(f64::from),
        Just(-0.0),
        Just(f64::MIN_POSITIVE / 3.0),
    ]
}

fn any_array(column: &Column, rows: usize) -> BoxedStrategy<ArrayRef> {
    use prop::option::of;
    fn boxed<T: Strategy<Value = A> + 'static, A: Array + 'static>(arrays: T) -> BoxedStrategy<ArrayRef> {
        arrays.prop_map(|array| Arc::new(array) as ArrayRef).boxed()
    }
    match (column.kind, column.ty) {
        (ColumnKind::Tag, _) => vec(of(any_text()), rows).prop_map(tags).boxed(),
        (_, ColumnType::Float) => boxed(vec(of(any_float()), rows).prop_map(Float64Array::from)),
        (_, ColumnType::Int) => boxed(vec(of(any::<i64>()), rows).prop_map(Int64Array::from)),
        (_, ColumnType::Uint) => boxed(vec(of(any::<u64>()), rows).prop_map(UInt64Array::from)),
        (_, ColumnType::Boolean) => boxed(vec(of(any::<bool>()), rows).prop_map(BooleanArray::from)),
        (_, ColumnType::String) => boxed(vec(of(any_text()), rows).prop_map(StringArray::from)),
    }
}

fn any_columns() -> impl Strategy<Value = Vec<Column>> {
    let ty = prop::sample::select(vec![
        ColumnType::Float,
        ColumnType::Int,
        ColumnType::Uint,
        ColumnType::Boolean,
        ColumnType::String,
    ]);
    let name = prop_oneof![
        "[a-z.]{1,3}",
        any_text().prop_filter("not empty", |name| !name.is_empty())
    ];
    let text = || prop::option::of(any_text());
    let any_column = (name, any::<bool>(), ty, any::<bool>(), text(), text()).prop_map(
        |(name, tag, ty, learned, unit, description)| Column {
            key: if learned { name.to_uppercase() } else { name.clone() },
            kind: if tag { ColumnKind::Tag } else { ColumnKind::Field },
            ty: if tag { ColumnType::String } else { ty },
            origin: if learned {
                ColumnOrigin::Learned
            } else {
                ColumnOrigin::Declared
            },
            name,
            unit,
            description,
        },
    );
    vec(any_column, 0..6).prop_map(|mut columns| {
        columns.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        let mut names = std::collections::HashSet::from(["time".to_owned()]);
        columns.retain(|column| names.insert(column.name.to_lowercase()));
        columns
    })
}

/// One to three leaves of one day, sorted by time.
pub(super) fn any_day() -> impl Strategy<Value = Vec<LeafRows>> {
    let shape = (any_columns(), any::<bool>(), any_text(), vec(1usize..40, 1..4));
    shape.prop_flat_map(|(columns, us, measurement, leaves)| {
        let rows = leaves.iter().sum::<usize>();
        let arrays = leaves
            .iter()
            .map(|&rows| columns.iter().map(|column| any_array(column, rows)).collect::<Vec<_>>())
            .collect::<Vec<_>>();
        let schema = Arc::new(DaySchema {
            measurement,
            time_unit: if us { TimeUnit::Us } else { TimeUnit::Ns },
            columns,
        });
        let times = vec(prop_oneof![any::<i64>(), 0i64..5_000_000_000], rows);
        (arrays, times).prop_map(move |(arrays, mut times)| {
            if us {
                times.iter_mut().for_each(|time| *time = *time / 1000 * 1000);
            }
            times.sort_unstable();
            let mut times = times.into_iter();
            let leaf = |(columns, &rows): (Vec<ArrayRef>, &usize)| LeafRows {
                schema: Arc::clone(&schema),
                times: times.by_ref().take(rows).collect(),
                columns,
            };
            arrays.into_iter().zip(&leaves).map(leaf).collect()
        })
    })
}
