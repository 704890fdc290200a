//! What operators ask of the archive itself: when rows came, what they cost, what was strange. Each answer stands in the lines, in the
//! files or in what diurnal says.

use std::fs;

use super::fleet::{answer, archive_three_weeks, number, texts};
use crate::support::duckdb::DuckDb;
use crate::support::folder::Folder;
use crate::support::run::diurnal;

fn three_weeks() -> Option<(&'static DuckDb, Folder)> {
    let duckdb = DuckDb::get()?;
    let folder = Folder::new();
    archive_three_weeks(&folder, "archive");
    Some((duckdb, folder))
}

#[test]
fn rows_of_days_that_had_ended_before_the_last_commit_are_late() {
    let Some((duckdb, folder)) = three_weeks() else { return };
    let rows = answer(duckdb, &folder, "lag-of-arrival.sql");
    let late: Vec<_> = rows.iter().map(|row| number(row, "late_rows")).collect();
    // One host was cut off for four hours: six samples an hour of four measurements.
    assert_eq!(late, [0.0, 96.0, 0.0], "{rows:?}");
    assert_eq!(rows[1]["late_days"], serde_json::json!(["2020-06-07"]));
    // From midnight of 2020-06-08 to 00:35 of 2020-06-15.
    assert_eq!(number(&rows[1], "late_by_hours"), 168.6);
    // The newest samples are those of 23:50, forty-five minutes before the commit, db-01's two seconds younger.
    for row in &rows {
        assert_eq!(number(row, "newest_older_by_minutes"), 45.0, "{row}");
    }
    let added: f64 = rows.iter().map(|row| number(row, "rows_added")).sum();
    let counted = duckdb.value(
        folder.path(),
        "select count(*) from read_parquet('archive/[!_]*/*.parquet', union_by_name = true)",
    );
    assert_eq!(Some(added), counted.as_f64());
}

#[test]
fn a_type_that_was_set_adds_no_rows_and_none_of_them_is_late() {
    let Some((duckdb, folder)) = three_weeks() else { return };
    let before = answer(duckdb, &folder, "lag-of-arrival.sql");
    let set = diurnal(&folder, "schema").args(["set", "mem.used", "string"]);
    set.env("DIURNAL_CLOCK", "1592800000").run().expect_code(0);
    assert_eq!(answer(duckdb, &folder, "lag-of-arrival.sql"), before);
}

#[test]
fn sizes_are_those_of_the_files() {
    let Some((duckdb, folder)) = three_weeks() else { return };
    let rows = answer(duckdb, &folder, "sizes.sql");
    assert_eq!(rows.len(), 4);
    for row in &rows {
        let measurement = row["measurement"].as_str().expect("a name");
        let (mut parquet, mut csv, mut largest, mut lines, mut days) = (0, 0, 0, 0, 0);
        for entry in fs::read_dir(folder.join("archive").join(measurement)).expect("the measurement's folder") {
            let path = entry.expect("an entry").path();
            let bytes = fs::metadata(&path).expect("a day file").len();
            if path.extension().is_some_and(|extension| extension == "csv") {
                csv += bytes;
                days += 1;
                lines += fs::read_to_string(&path).expect("a day file").lines().count() - 1;
            } else {
                parquet += bytes;
                largest = largest.max(bytes);
            }
        }
        let (days_told, rows_told) = (number(row, "days"), number(row, "rows"));
        assert_eq!((days_told, rows_told), (f64::from(days), lines as f64), "{row}");
        let a_row = |bytes: u64| (100.0 * bytes as f64 / lines as f64).round() / 100.0;
        assert_eq!(number(row, "parquet_bytes_a_row"), a_row(parquet), "{row}");
        assert_eq!(number(row, "csv_bytes_a_row"), a_row(csv), "{row}");
        let shown = duckdb.value(folder.path(), &format!("select format_bytes({largest})"));
        assert_eq!(row["largest_day"], shown);
    }
}

#[test]
fn the_bytes_of_a_measurements_columns_are_all_in_its_files() {
    let Some((duckdb, folder)) = three_weeks() else { return };
    let rows = answer(duckdb, &folder, "sizes-of-columns.sql");
    let columns = duckdb.query(
        folder.path(),
        "describe from read_parquet('archive/cpu/*.parquet', union_by_name = true)",
    );
    assert_eq!(rows.len(), columns.len());
    let files = fs::read_dir(folder.join("archive/cpu")).expect("the measurement's folder");
    let parquet = files
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "parquet"));
    let bytes: u64 = parquet.map(|entry| entry.metadata().expect("a file").len()).sum();
    let of_columns: f64 = rows.iter().map(|row| number(row, "bytes")).sum();
    // The rest is each file's description of itself.
    assert!(of_columns > 0.1 * bytes as f64 && of_columns < bytes as f64, "{rows:?}");
    let shares: f64 = rows.iter().map(|row| number(row, "share_percent")).sum();
    assert!((shares - 100.0).abs() < 1.0, "{shares}");
}

#[test]
fn a_conflict_is_listed_with_all_of_its_values_and_nothing_else_is() {
    let Some((duckdb, folder)) = three_weeks() else { return };
    let rows = answer(duckdb, &folder, "conflicts.sql");
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(
        (&row["time"], &row["host"], &row["field"]),
        (&"2020-06-03 10:00:00".into(), &"web-01".into(), &"used_percent".into())
    );
    assert_eq!(row["values"][1], "99.5");
    assert_eq!(row["values"].as_array().map(Vec::len), Some(2));
}

#[test]
fn conflicts_are_found_by_tags_of_any_name() {
    let Some(duckdb) = DuckDb::get() else { return };
    let folder = Folder::new();
    let lines = "m,a'b=1,c\"d=x v=1,w=1 1592568000000000000\nm,a'b=1,c\"d=y v=2,w=1 1592568000000000000\n\
                 m,a'b=1,c\"d=y v=3,w=1 1592568000000000000\n";
    diurnal(&folder, "import").arg("-").stdin(lines).run().expect_code(0);
    let sql = super::query("conflicts.sql").replace("'mem'", "'m'");
    let rows = duckdb.query(folder.path(), &sql);
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((&row["c\"d"], &row["field"]), (&"y".into(), &"v".into()), "{row}");
    assert_eq!(row["values"], serde_json::json!(["2.0", "3.0"]));
}

#[test]
fn rejects_are_counted_as_diurnal_counts_them_before_and_after_a_retry() {
    let Some((duckdb, folder)) = three_weeks() else { return };
    let rows = answer(duckdb, &folder, "rejects.sql");
    assert_eq!(
        texts(&rows, "reason"),
        ["time_out_of_range", "empty_value", "type_mismatch"]
    );
    let counts = |column: &str| {
        let rows = answer(duckdb, &folder, "rejects.sql");
        rows.iter().map(|row| number(row, column)).collect::<Vec<_>>()
    };
    assert_eq!(
        (counts("lines"), counts("archived_since")),
        (vec![2.0, 1.0, 1.0], vec![0.0; 3])
    );
    assert_eq!(
        (&rows[2]["measurement"], &rows[2]["column"]),
        (&"mem".into(), &"used".into())
    );
    let line = rows[2]["newest_line"].as_str().expect("a line");
    assert!(line.contains("used=\"lots\""), "{line}");

    diurnal(&folder, "schema")
        .args(["set", "mem.used", "string"])
        .run()
        .expect_code(0);
    diurnal(&folder, "rejects").arg("--retry").run().expect_code(0);
    assert_eq!(
        (counts("lines"), counts("archived_since")),
        (vec![2.0, 1.0, 0.0], vec![0.0, 0.0, 1.0])
    );
    let said = diurnal(&folder, "rejects").arg("--json").run().expect_code(0).json();
    for kind in said["kinds"].as_array().expect("the kinds") {
        let rows = answer(duckdb, &folder, "rejects.sql");
        let row = rows
            .iter()
            .find(|row| row["reason"] == kind["reason"])
            .expect("the query has it");
        assert_eq!(
            (&row["lines"], &row["archived_since"]),
            (&kind["lines"], &kind["retried"]),
            "{kind}"
        );
    }
    assert_eq!((&said["rejects"], &said["retried"]), (&4.into(), &1.into()), "{said}");
}
