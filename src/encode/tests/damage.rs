//! Files that are damaged, foreign, or of another schema are refused by name, and nothing panics.

use super::*;

/// Small, so that every byte of its file can be tried.
fn small_leaf() -> LeafRows {
    let columns = vec![
        column("host", ColumnKind::Tag, ColumnType::String),
        column("count", ColumnKind::Field, ColumnType::Int),
    ];
    LeafRows {
        schema: Arc::new(day_schema(columns, TimeUnit::Ns)),
        times: vec![1, 2, 3],
        columns: vec![
            tags([Some("a".to_owned()), None, Some("b".to_owned())]),
            Arc::new(Int64Array::from(vec![Some(1), Some(2), None])),
        ],
    }
}

#[test]
fn a_column_whose_type_changed_in_the_archive_is_named() {
    let leaf = long_leaf(10);
    let (parquet, csv) = encode(std::slice::from_ref(&leaf));
    let day = ParquetDay::open(file(&parquet.out), Path::new(PARQUET)).unwrap();
    assert!(day.footer().is_of_this_encoder());
    let mut known = leaf.schema.columns.clone();
    assert_eq!(day.footer().check_columns(&known), Ok(()));
    known[3].ty = ColumnType::Float;
    assert!(
        day.footer()
            .check_columns(&known)
            .unwrap_err()
            .to_string()
            .contains("column 'rare'")
    );
    known.remove(1);
    let open = CsvDay::open(Cursor::new(&csv.out), Path::new(CSV), "m", &known, TimeUnit::Ns);
    assert!(
        open.err()
            .unwrap()
            .to_string()
            .contains("column 'path' is not in the schema of m")
    );
}

#[test]
fn a_parquet_file_with_any_byte_flipped_is_read_or_refused_but_nothing_panics() {
    let (parquet, _) = encode(&[small_leaf()]);
    for at in 0..parquet.out.len() {
        let mut damaged = parquet.out.clone();
        damaged[at] ^= 0x55;
        if let Err(error) = read_parquet(&damaged) {
            assert!(error.to_string().starts_with(PARQUET), "{error}");
        }
    }
    for cut in [0, 4, 8, 100, parquet.out.len() - 1] {
        assert!(read_parquet(&parquet.out[..cut]).is_err());
    }
}

#[test]
fn a_csv_file_that_diurnal_did_not_write_is_refused_with_the_record() {
    let schema = day_schema(
        vec![
            column("t", ColumnKind::Tag, ColumnType::String),
            column("i", ColumnKind::Field, ColumnType::Int),
        ],
        TimeUnit::Ns,
    );
    const T: &str = "2020-06-19T00:00:00.000000000Z";
    let read = |text: &str| {
        read_csv(text.as_bytes(), &schema, 10).map(|batches| batches.iter().map(cells).collect::<Vec<_>>())
    };
    assert_eq!(read("time,t,i\n").unwrap().len(), 0);
    assert!(read(&format!("time,t,i\n{T},\"a\"\"b\n\",-1\n")).is_ok());
    let cases = [
        (String::new(), "record 1", "no header"),
        ("t,i\n".to_owned(), "record 1", "first column is not `time`"),
        ("time,t,\n".to_owned(), "record 1", "without a name"),
        ("time,t,u\n".to_owned(), "record 1", "column 'u' is not in the schema"),
        ("time,t,i".to_owned(), "record 1", "in the middle of a row"),
        (
            format!("time,t,i\n{T},a,1\n{T},a,1"),
            "record 3",
            "in the middle of a row",
        ),
        (format!("time,t,i\n{T},a\n"), "record 2", "fewer values"),
        (format!("time,t,i\n{T},a,1,2\n"), "record 2", "more values"),
        (format!("time,t,i\n{T},a,1\r\n"), "record 2", "CR outside of quotes"),
        (format!("time,t,i\n{T},a\"b\",1\n"), "record 2", "a quote"),
        (
            format!("time,t,i\n{T},\"a\"b,1\n"),
            "record 2",
            "behind a closing quote",
        ),
        (format!("time,t,i\n{T},\"a,1\n"), "record 2", "in the middle of a row"),
        (
            format!("time,t,i\n{T},a,1.5\n"),
            "record 2",
            "column 'i' has another type",
        ),
        (
            format!("time,t,i\n{T},a,\"1\"\n"),
            "record 2",
            "column 'i' has another type",
        ),
        ("time,t,i\n,a,1\n".to_owned(), "record 2", "no time"),
        ("time,t,i\n2020-06-19,a,1\n".to_owned(), "record 2", "no time"),
        ("time,t,i\n\n".to_owned(), "record 2", "no time"),
    ];
    for (text, record, cause) in cases {
        let error = read(&text).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("{CSV}, {record}: ")) && error.contains(cause),
            "{text:?}: {error}"
        );
    }
}
