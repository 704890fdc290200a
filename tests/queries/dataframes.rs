//! What pandas, Polars and Spark keep of the values that get lost most easily: nanoseconds, the empty string beside null, the ends of the
//! integers, columns that only one day has. As `docs/QUERIES.md` says it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::duckdb::DuckDb;
use crate::support::folder::Folder;
use crate::support::run::diurnal;
use crate::support::{install, long, root, runs, skip};

/// Two days; the second one has a column of its own.
const LINES: &str = "\
m,host=a s=\"\",f=1.5,i=1i,u=18446744073709551615u,b=true 1592568000000000001
m,host=a s=\"x\",f=0.1 1592568000000000002
m,host=b i=-9223372036854775808i 1592568000123456789
m,host=a extra=\"next day\" 1592611200000000000
";

const TIMES: [i64; 3] = [
    1_592_568_000_000_000_001,
    1_592_568_000_000_000_002,
    1_592_568_000_123_456_789,
];

/// The time of the last line.
const MIDNIGHT: i64 = 1_592_611_200_000_000_000;

/// A Python that has pandas, pyarrow and Polars; `None`, with a message, where it can't be had.
pub fn interpreter() -> Option<PathBuf> {
    static SHARED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    installed_once(&SHARED, "install-dataframes.sh", "dataframes")
}

fn installed_once(shared: &'static OnceLock<Result<PathBuf, String>>, script: &str, into: &str) -> Option<PathBuf> {
    let python = || {
        if !runs("python3", "--version") {
            return Err("data frames need python3 (on Debian: apt-get install python3-venv)".to_owned());
        }
        Ok(install(script, into)?.join("bin/python"))
    };
    match shared.get_or_init(python) {
        Ok(python) => Some(python.clone()),
        Err(missing) => {
            skip(missing);
            None
        }
    }
}

/// What a script of `tests/support` reads of an archive.
#[track_caller]
fn facts(python: &Path, script: &str, arguments: &[&str], folder: &Folder) -> Value {
    let output = Command::new(python)
        .arg(root().join("tests/support").join(script))
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .expect("the environment's python can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{script}: {e}: {said}"))
}

/// What pandas and Polars read of an archive of [`LINES`].
fn read_by_frames() -> Option<Value> {
    let python = interpreter()?;
    let folder = Folder::new();
    diurnal(&folder, "import").arg("-").stdin(LINES).run().expect_code(0);
    Some(facts(
        &python,
        "read_dataframes.py",
        &["archive", "m", "2020-06-19"],
        &folder,
    ))
}

#[test]
fn duckdb_reads_the_same_of_both_formats_with_the_calls_of_the_page() {
    let Some(duckdb) = DuckDb::get() else { return };
    let folder = Folder::new();
    diurnal(&folder, "import").arg("-").stdin(LINES).run().expect_code(0);
    let parquet = "read_parquet('archive/m/*.parquet', union_by_name = true)";
    let csv =
        "read_csv('archive/m/*.csv', union_by_name = true, header = true, delim = ',', quote = '\"', escape = '\"',
               allow_quoted_nulls = false, types = {'time': 'TIMESTAMP_NS', 'i': 'BIGINT', 'u': 'UBIGINT'})";
    for source in [parquet, csv] {
        let sql = format!("select epoch_ns(time) as time, i, s, u, extra from {source} order by time");
        let rows = duckdb.query(folder.path(), &sql);
        let column = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
        let [first, second, third] = TIMES.map(Value::from);
        assert_eq!(column("time"), [first, second, third, MIDNIGHT.into()], "{source}");
        assert_eq!(json!(column("s")), json!(["", "x", null, null]), "{source}");
        assert_eq!(json!(column("i")), json!([1, null, i64::MIN, null]), "{source}");
        assert_eq!(json!(column("u")), json!([u64::MAX, null, null, null]), "{source}");
        assert_eq!(
            json!(column("extra")),
            json!([null, null, null, "next day"]),
            "{source}"
        );
    }
}

#[test]
fn pandas_and_polars_read_the_values_of_parquet_as_they_were_sent() {
    let Some(read) = read_by_frames() else { return };
    for reader in ["pandas, pyarrow types", "polars"] {
        let expected = json!({
            "time": TIMES,
            "host": ["a", "a", "b"],
            "b": [true, null, null],
            "f": [1.5, 0.1, null],
            "i": [1, null, i64::MIN],
            "s": ["", "x", null],
            "u": [u64::MAX, null, null],
        });
        assert_eq!(read[reader], expected, "{reader}");
    }
    assert_eq!(read["pyarrow, time"], json!(TIMES));
    assert_eq!(read["pyarrow, types"]["time"], "timestamp[ns]");
    assert_eq!(read["pyarrow, metadata"]["host"]["kind"], "tag");
}

#[test]
fn pandas_own_types_keep_nanoseconds_and_empty_strings_but_make_floats_of_integers_with_gaps() {
    let Some(read) = read_by_frames() else { return };
    let pandas = &read["pandas"];
    assert_eq!(
        (&pandas["time"], &pandas["s"]),
        (&json!(TIMES), &json!(["", "x", null]))
    );
    assert!(pandas["u"][0].is_f64() && pandas["i"][2].is_f64(), "{pandas}");
}

#[test]
fn csv_keeps_nanoseconds_in_both_and_null_beside_the_empty_string_in_polars_alone() {
    let Some(read) = read_by_frames() else { return };
    assert_eq!(read["polars, CSV"]["time"], json!(TIMES));
    assert_eq!(read["polars, CSV"]["s"], json!(["", "x", null]));
    assert_eq!(read["polars, CSV"]["u"][0], json!(u64::MAX));
    assert_eq!(
        read["polars, CSV, dates tried"]["time"][0],
        json!(TIMES[0] - 1),
        "microseconds"
    );

    assert_eq!(read["pandas, CSV"]["time"], json!(TIMES));
    assert_eq!(read["pandas, CSV"]["s"], json!([null, "x", null]));
    assert_eq!(read["pandas, CSV"]["i"], json!([1, null, i64::MIN]));
    assert_eq!(read["pandas, CSV, nothing is null"]["s"], json!(["", "x", ""]));
    // Past the range of 64 bits with a sign: text.
    assert_eq!(read["pandas, CSV"]["u"][0], json!(u64::MAX.to_string()));
}

#[test]
fn days_that_differ_in_columns_are_whole_when_they_are_read_one_by_one() {
    let Some(read) = read_by_frames() else { return };
    for reader in [
        "pandas, days one by one",
        "pandas, CSV, days one by one",
        "polars, days one by one",
        "polars, CSV, days one by one",
    ] {
        assert_eq!(read[reader]["extra"], json!([null, null, null, "next day"]), "{reader}");
        assert_eq!(read[reader]["i"], json!([1, null, i64::MIN, null]), "{reader}");
    }
    // What else one might write: an error, or a column that is gone without a word.
    let is_error = |reader: &str, words: &str| read[reader].as_str().is_some_and(|said| said.contains(words));
    assert!(is_error("pandas, folder", ".csv"), "{}", read["pandas, folder"]);
    assert!(is_error("polars, glob", "extra column"), "{}", read["polars, glob"]);
    let list = &read["pandas, list of days"];
    assert_eq!(
        (list["time"].as_array().map(Vec::len), list.get("extra")),
        (Some(4), None)
    );
}

#[test]
fn spark_reads_nanoseconds_as_long_and_microseconds_as_times() {
    // It is 400 MB.
    if !long() {
        return;
    }
    static SHARED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let Some(python) = installed_once(&SHARED, "install-spark.sh", "spark") else {
        return;
    };
    if !runs("java", "-version") {
        return skip("Spark needs Java 17 (on Debian: apt-get install default-jre-headless)");
    }
    let folder = Folder::new();
    let import = |archive: &str, unit: &str, lines: String| {
        let import = diurnal(&folder, "import").args(["--archive", archive, "--time-unit", unit, "-"]);
        import.stdin(lines).run().expect_code(0);
    };
    import("ns", "ns", LINES.to_owned());
    let whole = LINES
        .replace("000000001\n", "000001000\n")
        .replace("000000002\n", "000002000\n");
    import("us", "us", whole.replace("123456789\n", "123456000\n"));
    let read = facts(&python, "read_spark.py", &["ns", "us", "m", "2020-06-19"], &folder);

    assert!(
        read["ns as it is"]
            .as_str()
            .is_some_and(|said| said.contains("PARQUET_TYPE_ILLEGAL")),
        "{read}"
    );
    let rows = |time: [Value; 4]| {
        json!({
            "time": time,
            "host": ["a", "a", "b", "a"],
            "b": [true, null, null, null],
            "f": [1.5, 0.1, null, null],
            "i": [1, null, i64::MIN, null],
            "s": ["", "x", null, null],
            "u": [u64::MAX.to_string(), null, null, null],
            "extra": [null, null, null, "next day"],
        })
    };
    let [first, second, third] = TIMES.map(Value::from);
    assert_eq!(read["ns as long"], rows([first, second, third, MIDNIGHT.into()]));
    let times = [
        "2020-06-19 12:00:00.000001",
        "2020-06-19 12:00:00.000002",
        "2020-06-19 12:00:00.123456",
        "2020-06-20 00:00:00",
    ];
    assert_eq!(read["us"], rows(times.map(Value::from)));
    assert_eq!(read["us, type of time"], "timestamp_ntz");
    assert_eq!(read["CSV, empty strings kept"], json!(["", "x", null]));
    assert_eq!(read["CSV as it is"], json!([null, "x", null]));
}
