//! The queries that users get, run as their comments say: on real captures, on the demo's archive and on three weeks of a fleet, with the
//! results that the lines ask for.

mod dataframes;
mod fleet;
mod operators;
mod page;
mod records;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::captures;
use crate::support::duckdb::DuckDb;
use crate::support::embedded::Embedded;
use crate::support::folder::Folder;
use crate::support::produce::Record;
use crate::support::root;
use crate::support::run::diurnal;

/// An archive of both captures.
fn archive() -> Folder {
    let folder = Folder::new();
    for name in captures::NAMES {
        folder.write(name, captures::lines(name));
    }
    diurnal(&folder, "import").args(captures::NAMES).run().expect_code(0);
    folder
}

fn query(name: &str) -> String {
    let path = root().join("queries").join(name);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn every_query_runs_from_the_archives_parent_folder_and_says_what_it_is_for() {
    let Some(duckdb) = DuckDb::get() else { return };
    let folder = archive();
    let entries = fs::read_dir(root().join("queries")).expect("the folder of queries");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(files.len() >= 20, "{files:?}");
    for file in files {
        let name = file.file_name().expect("it is a file").to_string_lossy().into_owned();
        let text = query(&name);
        assert!(text.starts_with("-- "), "{name} begins with a comment on its use");
        assert!(
            text.contains(&format!("duckdb -f queries/{name}")),
            "{name} says how to run it"
        );
        let printed = duckdb.run_file(folder.path(), &file);
        assert!(printed.contains('│'), "{name} printed no table: {printed}");
        // The newest engine as well; a script with commands of the command line is for that alone.
        if !text.lines().any(|line| line.starts_with('.')) {
            duckdb.query(folder.path(), &text);
        }
    }
    assert!(!folder.join(".diurnal-views.sql").exists());
}

#[test]
fn the_views_cover_every_measurement() {
    let Some(duckdb) = DuckDb::get() else { return };
    let folder = archive();
    let printed = duckdb.run_file(folder.path(), &root().join("queries/views.sql"));
    for measurement in [
        "cpu",
        "disk",
        "diskio",
        "kernel",
        "mem",
        "net",
        "processes",
        "swap",
        "system",
    ] {
        assert!(printed.contains(measurement), "{measurement}: {printed}");
    }
}

#[test]
fn the_proof_of_order_finds_every_day_in_order() {
    let Some(duckdb) = DuckDb::get() else { return };
    let folder = archive();
    let days = duckdb.query(folder.path(), &query("time-order.sql"));
    assert!(days.len() >= 9, "{days:?}");
    for day in days {
        assert_eq!(
            (&day["out_of_order"], &day["on_the_wrong_day"]),
            (&0.into(), &0.into()),
            "{day}"
        );
    }
}

#[test]
fn the_proof_of_order_finds_a_row_out_of_order() {
    let Some(duckdb) = DuckDb::get() else { return };
    let folder = Folder::new();
    fs::create_dir_all(folder.join("archive/m")).expect("a folder can be made");
    duckdb.query(
        folder.path(),
        "copy (select make_timestamp_ns(t) as time from (values (1), (3), (2), (86400000000000)) v(t))
         to 'archive/m/1970-01-01.parquet' (format parquet); select 1",
    );
    let days = duckdb.query(folder.path(), &query("time-order.sql"));
    let [day] = &days[..] else { panic!("{days:?}") };
    assert_eq!(
        (&day["out_of_order"], &day["on_the_wrong_day"]),
        (&1.into(), &1.into()),
        "{day}"
    );
}

#[test]
fn csv_and_parquet_are_compared_value_by_value() {
    let Some(duckdb) = DuckDb::get() else { return };
    let folder = archive();
    for measurement in ["cpu", "mem", "net", "system"] {
        let sql = query("csv-against-parquet.sql").replace("'cpu'", &format!("'{measurement}'"));
        let found = duckdb.query(folder.path(), &sql);
        assert_eq!(
            (&found[0]["in_parquet_only"], &found[0]["in_csv_only"]),
            (&0.into(), &0.into())
        );
        assert!(found[0]["rows"].as_i64() > Some(100), "{found:?}");
    }

    folder.leaves_damaged("archive");
    let day = fs::read_dir(folder.join("archive/cpu"))
        .expect("the measurement's folder")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.extension().is_some_and(|extension| extension == "csv"))
        .expect("a CSV file");
    let text = fs::read_to_string(&day).expect("a day file");
    fs::write(&day, text.replacen("cpu-total", "cpu-other", 1)).expect("it can be written");
    let found = duckdb.query(folder.path(), &query("csv-against-parquet.sql"));
    assert_eq!(
        (&found[0]["in_parquet_only"], &found[0]["in_csv_only"]),
        (&1.into(), &1.into())
    );
}

#[test]
fn missing_samples_are_found_where_they_are_missing() {
    let Some(duckdb) = DuckDb::get() else { return };
    let folder = Folder::new();
    let second = |n: i64| 1_592_604_000 + n * 10;
    let lines: String = (0..60)
        .filter(|n| ![7, 30, 31, 32].contains(n))
        .map(|n| format!("cpu,cpu=cpu-total,host=web-01 usage_idle=1 {}000000000\n", second(n)))
        .collect();
    diurnal(&folder, "import").arg("-").stdin(lines).run().expect_code(0);
    let gaps = duckdb.query(folder.path(), &query("missing-samples.sql"));
    let missing: Vec<_> = gaps.iter().map(|gap| gap["missing_samples"].clone()).collect();
    assert_eq!(missing, [Value::from(1), Value::from(3)], "{gaps:?}");
}

#[test]
fn the_ledger_is_a_table_whose_counts_balance() {
    let Some(duckdb) = DuckDb::get() else { return };
    let folder = archive();
    // The statement before the last is the one of the commits.
    let text = query("ledger.sql");
    let commits = &text[..text.rfind("\nselect").expect("a last statement")];
    let rows = duckdb.query(folder.path(), commits);
    let [row] = &rows[..] else { panic!("{rows:?}") };
    let number = |name: &str| row[name].as_u64().unwrap_or_else(|| panic!("{name}: {row}"));
    assert_eq!(
        number("lines"),
        number("points") + number("folded") + number("rejected")
    );
    assert_eq!(number("lines"), 7_200);
    assert!(number("bytes_written") > 0);
}

#[test]
fn the_ledgers_table_tells_a_replay_from_what_a_run_covers() {
    let Some(duckdb) = DuckDb::get() else { return };
    let folder = Folder::new();
    let archive_from = |messages: i64, flags: &[&str]| {
        let broker = Embedded::start();
        broker.create_topic("t", 1);
        let records: Vec<_> = (0..messages)
            .map(|n| Record::new(0, format!("m v={n}i {}\n", 1_592_604_000_000_000_000 + n)))
            .collect();
        broker.send("t", &records);
        let run = diurnal(&folder, "archive").args(["--brokers", &broker.brokers(), "--topic", "t"]);
        run.args(flags).run().expect_code(0);
        broker
    };
    // Both at a time, so that they are two clusters.
    let _brokers = [archive_from(5, &[]), archive_from(8, &["--replay", ".."])];
    let rows = duckdb.query(folder.path(), &query("ledger.sql"));
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row["commit"].as_u64(),
                row["replayed"].as_bool(),
                row["messages"].as_u64(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [(Some(1), Some(false), Some(5)), (Some(2), Some(true), Some(8))],
        "{rows:?}"
    );
}
