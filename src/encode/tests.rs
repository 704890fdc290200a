//! The laws of encoding: bytes follow from rows and schema alone, and nothing is lost on the way there and back.

mod damage;
mod golden;
mod rows;
mod splice;

use std::fs::File;
use std::io::{Cursor, Seek, Write};
use std::path::Path;

use ::parquet::file::reader::{FileReader, SerializedFileReader};
use arrow::array::{
    Array, DictionaryArray, Float64Array, Int64Array, StringArray, UInt32Array, UInt64Array, make_array, new_null_array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Int32Type;
use proptest::prelude::*;
use rayon::prelude::*;

use self::rows::{any_day, cells, column, day_schema, tags};
use super::*;
use crate::store::digest::Digest;
use crate::store::record::Piece;
use crate::table::schema::{ColumnKind, ColumnType};

const PARQUET: &str = "m/2020-06-19.parquet";
const CSV: &str = "m/2020-06-19.csv";

/// Both files of a day.
fn encode(leaves: &[LeafRows]) -> (WrittenDay<Vec<u8>>, WrittenDay<Vec<u8>>) {
    let schema = &leaves[0].schema;
    let encoder = LeafEncoder::new(Arc::clone(schema), Formats::default()).unwrap();
    let mut parquet = ParquetDayWriter::new(Vec::new(), Path::new(PARQUET), schema).unwrap();
    let mut csv = CsvDayWriter::new(Vec::new(), Path::new(CSV), schema).unwrap();
    for (index, rows) in leaves.iter().enumerate() {
        let leaf = encoder.encode(index, rows).unwrap();
        assert_eq!(leaf.rows, rows.times.len() as u64);
        assert_eq!(
            (Some(&leaf.first), Some(&leaf.last)),
            (rows.times.first(), rows.times.last())
        );
        parquet.append(leaf.parquet.unwrap()).unwrap();
        csv.append(&leaf.csv.unwrap()).unwrap();
    }
    (parquet.finish().unwrap(), csv.finish().unwrap())
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

fn read_parquet(bytes: &[u8]) -> Result<Vec<LeafRows>> {
    ParquetDay::open(file(bytes), Path::new(PARQUET))?
        .into_leaves()
        .collect()
}

fn read_csv(text: &[u8], schema: &DaySchema, batch_rows: usize) -> Result<Vec<LeafRows>> {
    let day = CsvDay::open(
        Cursor::new(text),
        Path::new(CSV),
        &schema.measurement,
        &schema.columns,
        schema.time_unit,
    )?;
    day.with_batch_rows(batch_rows).collect()
}

fn encoder(columns: Vec<Column>) -> LeafEncoder {
    LeafEncoder::new(Arc::new(day_schema(columns, TimeUnit::Ns)), Formats::default()).unwrap()
}

/// A leaf as long as the law allows, so that columns have many pages and dictionaries overflow.
fn long_leaf(rows: i64) -> LeafRows {
    let columns = vec![
        column("host", ColumnKind::Tag, ColumnType::String),
        column("path", ColumnKind::Tag, ColumnType::String),
        column("random", ColumnKind::Field, ColumnType::Float),
        column("rare", ColumnKind::Field, ColumnType::Int),
        column("counter", ColumnKind::Field, ColumnType::Uint),
        column("state", ColumnKind::Field, ColumnType::Int),
    ];
    let scattered = |row: i64| (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let host = |row: i64| Some(format!("web-{:02}", row % 50));
    // Far more distinct text than a dictionary page holds.
    let path = |row: i64| (row % 3 != 0).then(|| format!("/srv/{:032x}", scattered(row)));
    LeafRows {
        schema: Arc::new(day_schema(columns, TimeUnit::Ns)),
        times: (0..rows).map(|row| row / 50 * 10_000_000_000).collect(),
        columns: vec![
            tags((0..rows).map(host)),
            tags((0..rows).map(path)),
            Arc::new(Float64Array::from_iter_values(
                (0..rows).map(|row| scattered(row) as f64),
            )),
            Arc::new(Int64Array::from_iter(
                (0..rows).map(|row| (row % 1000 == 0).then_some(row)),
            )),
            Arc::new(UInt64Array::from_iter_values(
                (0..rows).map(|row| u64::MAX - row as u64),
            )),
            Arc::new(Int64Array::from_iter_values(
                (0..rows).map(|row| scattered(row) as i64 % 7),
            )),
        ],
    }
}

#[test]
fn numbers_have_a_dictionary_only_where_they_repeat() {
    let (parquet, _) = encode(&[long_leaf(1 << 16)]);
    let reader = SerializedFileReader::new(file(&parquet.out)).unwrap();
    let chunks = reader.metadata().row_group(0).columns();
    let found: Vec<(&str, bool)> = chunks
        .iter()
        .map(|chunk| (chunk.column_descr().name(), chunk.dictionary_page_offset().is_some()))
        .collect();
    assert_eq!(
        found,
        [
            ("time", false),
            ("host", true),
            ("path", true),
            ("random", false),
            ("rare", false),
            ("counter", false),
            ("state", true)
        ]
    );
}

#[test]
fn a_leaf_of_many_pages_comes_back_whole_and_has_the_same_bytes_on_every_thread() {
    let leaf = long_leaf(1 << 17);
    let (parquet, csv) = encode(&[leaf.clone(), leaf.clone()]);
    let read = read_parquet(&parquet.out).unwrap();
    assert_eq!(read.len(), 2);
    for rows in &read {
        assert!(cells(rows) == cells(&leaf));
    }
    assert!(encode(&read).0.out == parquet.out);
    assert!(cells(&read_csv(&csv.out, &leaf.schema, 1 << 17).unwrap()[1]) == cells(&leaf));

    let encoder = LeafEncoder::new(Arc::clone(&leaf.schema), Formats::default()).unwrap();
    let parallel = (0..2usize)
        .into_par_iter()
        .map(|index| encoder.encode(index, &leaf).unwrap());
    let mut writer = ParquetDayWriter::new(Vec::new(), Path::new(PARQUET), &leaf.schema).unwrap();
    for leaf in parallel.collect::<Vec<_>>() {
        writer.append(leaf.parquet.unwrap()).unwrap();
    }
    assert!(writer.finish().unwrap().out == parquet.out);
}

#[test]
fn how_arrays_lie_in_memory_decides_no_byte() {
    // More rows than a page, where a null buffer without nulls makes other pages.
    let leaf = long_leaf(50_000);
    let expected = encode(std::slice::from_ref(&leaf));
    let changed = |change: &dyn Fn(&ArrayRef) -> ArrayRef| LeafRows {
        columns: leaf.columns.iter().map(change).collect(),
        ..leaf.clone()
    };
    let sliced = changed(&|array| {
        let blank = new_null_array(array.data_type(), 7);
        let longer = arrow::compute::concat(&[blank.as_ref(), array.as_ref(), blank.as_ref()]).unwrap();
        longer.slice(7, array.len())
    });
    let null_buffer = changed(&|array| match array.nulls() {
        Some(_) => Arc::clone(array),
        None => {
            let nulls = NullBuffer::new_valid(array.len());
            make_array(array.to_data().into_builder().nulls(Some(nulls)).build().unwrap())
        }
    });
    let other_dictionary = changed(&|array| match array.data_type() {
        arrow::datatypes::DataType::Dictionary(..) => {
            let text = arrow::compute::cast(array, &arrow::datatypes::DataType::Utf8).unwrap();
            let text: &StringArray = text.as_any().downcast_ref().unwrap();
            let seen_backwards = text.iter().rev().collect::<DictionaryArray<Int32Type>>();
            let backwards = (0..text.len() as u32).rev().collect::<Vec<_>>();
            arrow::compute::take(&seen_backwards, &UInt32Array::from(backwards), None).unwrap()
        }
        _ => Arc::clone(array),
    });
    for (what, other) in [
        ("sliced", sliced),
        ("null buffer", null_buffer),
        ("dictionary", other_dictionary),
    ] {
        let (parquet, csv) = encode(&[other]);
        assert!(parquet.out == expected.0.out, "{what}: Parquet");
        assert!(csv.out == expected.1.out, "{what}: CSV");
    }
}

#[test]
fn units_kinds_and_descriptions_are_in_the_metadata_of_the_fields() {
    let mut columns = vec![
        column("host", ColumnKind::Tag, ColumnType::String),
        column("used", ColumnKind::Field, ColumnType::Int),
    ];
    columns[1].unit = Some("bytes".to_owned());
    columns[1].description = Some("In use".to_owned());
    columns[1].key = "Used".to_owned();
    let leaf = LeafRows {
        schema: Arc::new(day_schema(columns, TimeUnit::Ns)),
        times: vec![0],
        columns: vec![tags([Some("a".to_owned())]), Arc::new(Int64Array::from(vec![1]))],
    };
    let (parquet, _) = encode(&[leaf]);
    let reader = SerializedFileReader::new(file(&parquet.out)).unwrap();
    let metadata = reader.metadata().file_metadata();
    assert_eq!(metadata.created_by(), Some("diurnal version 2 (build encoder-2)"));
    let sorting = reader.metadata().row_group(0).sorting_columns().unwrap();
    assert_eq!(
        sorting.iter().map(|column| column.column_idx).collect::<Vec<_>>(),
        [0, 1]
    );
    let schema =
        ::parquet::arrow::parquet_to_arrow_schema(metadata.schema_descr(), metadata.key_value_metadata()).unwrap();
    let said = |field: usize| {
        let metadata = schema.field(field).metadata();
        metadata
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(schema.field(0).to_string(), "Field { \"time\": Timestamp(ns) }");
    assert_eq!(said(1), ["kind=tag"]);
    assert_eq!(said(2), ["description=In use", "key=Used", "kind=field", "unit=bytes"]);
}

#[test]
fn rows_that_break_their_promise_are_refused() {
    let float = || vec![column("f", ColumnKind::Field, ColumnType::Float)];
    let encoder = encoder(float());
    let rows = |times: &[i64], values: &[f64]| LeafRows {
        schema: Arc::clone(&encoder.schema),
        times: times.to_vec(),
        columns: vec![Arc::new(Float64Array::from(values.to_vec()))],
    };
    let refused = |rows: &LeafRows| encoder.encode(0, rows).map(|_| ()).unwrap_err().to_string();
    assert!(encoder.encode(0, &rows(&[1, 1, 2], &[0.0, 1.0, 2.0])).is_ok());
    assert!(refused(&rows(&[], &[])).contains("no rows"));
    assert!(refused(&rows(&[2, 1], &[0.0, 0.0])).contains("order of time"));
    assert!(refused(&rows(&[1], &[0.0, 0.0])).contains("2 values for 1 rows"));
    assert!(refused(&rows(&[1], &[f64::NAN])).contains("m.f: NaN is not finite"));
    let mut other = rows(&[1], &[0.0]);
    other.columns = vec![Arc::new(Int64Array::from(vec![1]))];
    assert!(refused(&other).contains("Int64 where Float64 was declared"));
    other.columns.clear();
    assert!(refused(&other).contains("0 columns"));
    let mut other = rows(&[1], &[0.0]);
    other.schema = Arc::new(day_schema(Vec::new(), TimeUnit::Ns));
    assert!(refused(&other).contains("not those of its day file"));

    let schema = Arc::new(day_schema(float(), TimeUnit::Us));
    let encoder = LeafEncoder::new(Arc::clone(&schema), Formats::default()).unwrap();
    let rows = |time| LeafRows {
        schema: Arc::clone(&schema),
        times: vec![time],
        columns: vec![Arc::new(Float64Array::from(vec![0.0]))],
    };
    assert!(encoder.encode(0, &rows(-2000)).is_ok());
    assert!(
        encoder
            .encode(0, &rows(-2001))
            .unwrap_err()
            .to_string()
            .contains("no whole microsecond")
    );
}

#[test]
fn a_format_that_is_not_kept_costs_nothing() {
    let schema = Arc::new(day_schema(Vec::new(), TimeUnit::Ns));
    let rows = LeafRows {
        schema: Arc::clone(&schema),
        times: vec![1],
        columns: Vec::new(),
    };
    for (parquet, csv) in [(true, false), (false, true)] {
        let leaf = LeafEncoder::new(Arc::clone(&schema), Formats { parquet, csv })
            .unwrap()
            .encode(0, &rows)
            .unwrap();
        assert_eq!((leaf.parquet.is_some(), leaf.csv.is_some()), (parquet, csv));
    }
}

fn piece_is_hashed(bytes: &[u8], piece: &Piece) -> bool {
    let range = piece.offset as usize..(piece.offset + piece.bytes) as usize;
    Digest::of(&bytes[range]).piece(piece.offset, piece.bytes) == *piece
}

proptest! {
    #[test]
    fn any_rows_come_back_from_both_files_and_give_the_same_bytes_again(leaves in any_day(), batch_rows in 1usize..50) {
        let (parquet, csv) = encode(&leaves);
        let read = read_parquet(&parquet.out).unwrap();
        prop_assert_eq!(read.len(), leaves.len());
        for (read, leaf) in read.iter().zip(&leaves) {
            prop_assert_eq!(&read.schema, &leaf.schema);
            prop_assert_eq!(cells(read), cells(leaf));
        }
        let again = encode(&read);
        prop_assert!(again.0.out == parquet.out && again.1.out == csv.out);

        let all = leaves.iter().flat_map(cells).collect::<Vec<_>>();
        let read = read_csv(&csv.out, &leaves[0].schema, batch_rows).unwrap();
        prop_assert!(read.iter().all(|batch| batch.times.len() <= batch_rows));
        prop_assert_eq!(read.iter().flat_map(cells).collect::<Vec<_>>(), all);
        prop_assert!(encode(&read).1.out == csv.out);
    }

    #[test]
    fn every_byte_is_in_one_piece_or_in_the_rest(leaves in any_day()) {
        let (parquet, csv) = encode(&leaves);
        for day in [&parquet, &csv] {
            prop_assert_eq!(day.bytes, day.out.len() as u64);
            prop_assert_eq!(day.pieces.len(), leaves.len());
            let mut end = day.pieces[0].offset;
            let mut rest = day.out[..end as usize].to_vec();
            for piece in &day.pieces {
                prop_assert_eq!(piece.offset, end);
                prop_assert!(piece_is_hashed(&day.out, piece));
                end += piece.bytes;
            }
            rest.extend_from_slice(&day.out[end as usize..]);
            prop_assert_eq!(blake3::hash(&rest).to_hex().to_string(), day.rest.clone());
        }
        // The same leaf has the same hash wherever it stands: a splice copies it.
        let alone = encode(&leaves[leaves.len() - 1..]);
        prop_assert_eq!(&alone.0.pieces[0].hash, &parquet.pieces[leaves.len() - 1].hash);
        prop_assert_eq!(&alone.1.pieces[0].hash, &csv.pieces[leaves.len() - 1].hash);
    }
}
