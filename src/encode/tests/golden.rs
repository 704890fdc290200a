//! The bytes of one small day, pinned. When one of these hashes changes, the bytes that every archive holds have changed:
//! raise `ENCODER_VERSION` with it, so that a merge never mixes leaves of two encoders in one file.

use arrow::array::{BooleanArray, StringArray};

use super::*;
use crate::table::schema::ColumnOrigin;

const CSV_TEXT: &str = r#"time,host,"path, quoted",usage,count,total,up,note
1677-09-21T00:12:43.145224192Z,,,-0.0,-9223372036854775808,0,false,
1969-12-31T23:59:59.999999999Z,db-01,"",5e-324,-1,1,true,""
2020-06-19T00:00:00.000000000Z,web-01,"a,b",100.0,0,18446744073709551615,,"say ""hi"""
2020-06-19T00:00:00.000000000Z,web-01,/srv,,,,,"two
lines"
2020-06-19T00:00:10.000000000Z,web-01,/srv,0.1,42,7,true,NULL
2020-06-19T00:00:10.000000001Z,żółw,/srv,1e+16,9223372036854775807,8,false,"cr
"
2262-04-11T23:47:16.854775807Z,żółw,🐢,1.7976931348623157e+308,1,9,true, space 
"#;
const CSV_HASH: &str = "9b8b5b13a30c63b8a5e5f16e7c7ec292e1dbce254efa620a93a51acb74c8b0da";
const PARQUET_HASH: &str = "d25992d4cf6388dc2f2d01a1a8f6d7b43fb830ccc045d38893534939ca8bb813";
const LONG_PARQUET_HASH: &str = "685a621532be6702b99cc633a9f8219a8615c7eac37755d8bc8dd563815498b7";
const PARQUET_US_HASH: &str = "7dc21a03114917d03cf1a06812c5307d5f292d1947a2dd634471f081e66ae389";

fn golden_schema(time_unit: TimeUnit) -> Arc<DaySchema> {
    let mut columns = vec![
        column("host", ColumnKind::Tag, ColumnType::String),
        column("path, quoted", ColumnKind::Tag, ColumnType::String),
        column("usage", ColumnKind::Field, ColumnType::Float),
        column("count", ColumnKind::Field, ColumnType::Int),
        column("total", ColumnKind::Field, ColumnType::Uint),
        column("up", ColumnKind::Field, ColumnType::Boolean),
        column("note", ColumnKind::Field, ColumnType::String),
    ];
    columns[1].key = "Path".to_owned();
    columns[1].origin = ColumnOrigin::Learned;
    columns[2].unit = Some("percent".to_owned());
    columns[2].description = Some("With nothing to do".to_owned());
    Arc::new(DaySchema {
        measurement: "golden".to_owned(),
        columns,
        time_unit,
    })
}

/// All types, nulls, strings that need quotes, extreme numbers, in two leaves.
fn golden_leaves(time_unit: TimeUnit) -> Vec<LeafRows> {
    let schema = golden_schema(time_unit);
    let tag = |values: &[Option<&str>]| tags(values.iter().map(|value| value.map(str::to_owned)));
    let night = 1_592_524_800_000_000_000;
    vec![
        LeafRows {
            schema: Arc::clone(&schema),
            times: vec![i64::MIN, -1, night, night],
            columns: vec![
                tag(&[None, Some("db-01"), Some("web-01"), Some("web-01")]),
                tag(&[None, Some(""), Some("a,b"), Some("/srv")]),
                Arc::new(Float64Array::from(vec![Some(-0.0), Some(5e-324), Some(100.0), None])),
                Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(-1), Some(0), None])),
                Arc::new(UInt64Array::from(vec![Some(0), Some(1), Some(u64::MAX), None])),
                Arc::new(BooleanArray::from(vec![Some(false), Some(true), None, None])),
                Arc::new(StringArray::from(vec![
                    None,
                    Some(""),
                    Some("say \"hi\""),
                    Some("two\nlines"),
                ])),
            ],
        },
        LeafRows {
            schema,
            times: vec![night + 10_000_000_000, night + 10_000_000_001, i64::MAX],
            columns: vec![
                tag(&[Some("web-01"), Some("żółw"), Some("żółw")]),
                tag(&[Some("/srv"), Some("/srv"), Some("🐢")]),
                Arc::new(Float64Array::from(vec![0.1, 1e16, f64::MAX])),
                Arc::new(Int64Array::from(vec![42, i64::MAX, 1])),
                Arc::new(UInt64Array::from(vec![7, 8, 9])),
                Arc::new(BooleanArray::from(vec![true, false, true])),
                Arc::new(StringArray::from(vec!["NULL", "cr\r", " space "])),
            ],
        },
    ]
}

#[test]
fn the_bytes_of_the_golden_day_have_not_changed() {
    let (parquet, csv) = encode(&golden_leaves(TimeUnit::Ns));
    let text = String::from_utf8(csv.out).unwrap();
    // The literal can't hold the CR.
    assert_eq!(text, CSV_TEXT.replace("\"cr\n\"", "\"cr\r\""));
    assert_eq!(blake3::hash(text.as_bytes()).to_hex().as_str(), CSV_HASH);
    assert_eq!(blake3::hash(&parquet.out).to_hex().as_str(), PARQUET_HASH);

    let mut leaves = golden_leaves(TimeUnit::Us);
    for leaf in &mut leaves {
        leaf.times.iter_mut().for_each(|time| *time -= *time % 1000);
    }
    assert_eq!(blake3::hash(&encode(&leaves).0.out).to_hex().as_str(), PARQUET_US_HASH);

    // Several pages, and a dictionary that outgrows its limit.
    let (parquet, _) = encode(&[long_leaf(1 << 16)]);
    assert_eq!(blake3::hash(&parquet.out).to_hex().as_str(), LONG_PARQUET_HASH);
}

#[test]
fn floats_have_a_dot_or_an_exponent_and_the_shortest_text_that_reads_back() {
    let floats = [
        0.0,
        -0.0,
        1.0,
        -100.0,
        0.1,
        1e-5,
        1e-7,
        123_456_789.0,
        1e15,
        1e16,
        1e17,
        1e300,
        f64::MIN_POSITIVE,
        5e-324,
        f64::MAX,
    ];
    let encoder = encoder(vec![column("f", ColumnKind::Field, ColumnType::Float)]);
    let rows = LeafRows {
        schema: Arc::clone(&encoder.schema),
        times: vec![0; floats.len()],
        columns: vec![Arc::new(Float64Array::from(floats.to_vec()))],
    };
    let text = String::from_utf8(encoder.encode(0, &rows).unwrap().csv.unwrap().text).unwrap();
    let written = text
        .lines()
        .map(|line| line.rsplit(',').next().unwrap())
        .collect::<Vec<_>>();
    assert_eq!(
        written,
        [
            "0.0",
            "-0.0",
            "1.0",
            "-100.0",
            "0.1",
            "0.00001",
            "1e-7",
            "123456789.0",
            "1000000000000000.0",
            "1e+16",
            "1e+17",
            "1e+300",
            "2.2250738585072014e-308",
            "5e-324",
            "1.7976931348623157e+308",
        ]
    );
}
