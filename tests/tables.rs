//! What stands in the two files of a day: types, nulls, conflicts, rejects, told by the CSV text and by DuckDB.

use serde_json::json;

use crate::support::duckdb::DuckDb;
use crate::support::folder::Folder;
use crate::support::run::{Ran, diurnal};

/// 2020-06-19T22:00:00Z in nanoseconds.
const TIME: &str = "1592604000000000000";

fn import(folder: &Folder, text: &str) -> Ran {
    diurnal(folder, "import")
        .args(["--json", "-"])
        .stdin(text.replace("TIME", TIME))
        .run()
}

fn csv(folder: &Folder, measurement: &str) -> String {
    let path = folder.join(&format!("archive/{measurement}/2020-06-19.csv"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn the_rows_of_a_day_are_sorted_by_time_then_tags_with_null_first() {
    let folder = Folder::new();
    let text = "m,a=x v=1i TIME\nm,a=B v=2i TIME\nm,b=y v=3i TIME\nm,a=x v=4i 1592603999999999999\nm v=5i TIME\n";
    import(&folder, text).expect_code(0);
    assert_eq!(
        csv(&folder, "m"),
        "time,a,b,v\n\
         2020-06-19T21:59:59.999999999Z,x,,4\n\
         2020-06-19T22:00:00.000000000Z,,,5\n\
         2020-06-19T22:00:00.000000000Z,,y,3\n\
         2020-06-19T22:00:00.000000000Z,B,,2\n\
         2020-06-19T22:00:00.000000000Z,x,,1\n"
    );
}

#[test]
fn lines_of_one_point_fold_into_one_row_and_conflicts_keep_every_value() {
    let folder = Folder::new();
    let report = import(
        &folder,
        "m v=1i TIME\nm w=2i TIME\nm v=1i TIME\nm v=7i TIME\nm w=-1i TIME\n",
    )
    .expect_code(0)
    .json();
    let counts = ["lines", "points", "folded", "conflicts", "rejected"].map(|name| report[name].clone());
    assert_eq!(counts, [json!(5), json!(1), json!(4), json!(1), json!(0)]);
    let at = "2020-06-19T22:00:00.000000000Z";
    assert_eq!(csv(&folder, "m"), format!("time,v,w\n{at},1,-1\n{at},7,2\n"));
}

#[test]
fn null_and_the_empty_string_differ_in_both_formats() {
    let Some(duckdb) = DuckDb::get() else { return };
    let folder = Folder::new();
    import(
        &folder,
        "m,h=a s=\"\" TIME\nm,h=b v=1i TIME\nm,h=c s=\"x\\\"y, z\nw\" TIME\n",
    )
    .expect_code(0);
    assert_eq!(
        csv(&folder, "m"),
        "time,h,s,v\n\
         2020-06-19T22:00:00.000000000Z,a,\"\",\n\
         2020-06-19T22:00:00.000000000Z,b,,1\n\
         2020-06-19T22:00:00.000000000Z,c,\"x\"\"y, z\nw\",\n"
    );
    let rows = duckdb.query(folder.path(), "select h, s from 'archive/m/*.parquet' order by h");
    assert_eq!(
        rows,
        [
            json!({"h": "a", "s": ""}),
            json!({"h": "b", "s": null}),
            json!({"h": "c", "s": "x\"y, z\nw"})
        ]
    );
    duckdb.check_archive(&folder.archive(), &[]);
}

#[test]
fn every_type_comes_back_as_it_was_sent() {
    let Some(duckdb) = DuckDb::get() else { return };
    let folder = Folder::new();
    let text = "m,t=ü f=0.1,i=-9223372036854775808i,u=18446744073709551615u,b=T,s=\"ß\" TIME\n\
                m,t=v f=-0,i=9223372036854775807i,u=0u,b=false,s=\"\\\\\" TIME\n\
                m,t=w f=1.7976931348623157e308 TIME\nm,t=x f=5e-324 TIME\n";
    import(&folder, text).expect_code(0);
    duckdb.check_archive(&folder.archive(), &[]);
    let types = duckdb.query(
        folder.path(),
        "select column_name as c, column_type as t from (describe select * from 'archive/m/*.parquet')",
    );
    let expected = [
        ("time", "TIMESTAMP_NS"),
        ("t", "VARCHAR"),
        ("b", "BOOLEAN"),
        ("f", "DOUBLE"),
        ("i", "BIGINT"),
        ("s", "VARCHAR"),
        ("u", "UBIGINT"),
    ];
    assert_eq!(types, expected.map(|(c, t)| json!({"c": c, "t": t})));
    let extremes = duckdb.query(
        folder.path(),
        "select max(u)::varchar as u, min(i)::varchar as i, max(f) = 1.7976931348623157e308 as f, list(s order by t) as s
         from 'archive/m/*.parquet'",
    );
    assert_eq!(
        extremes,
        [
            json!({"u": "18446744073709551615", "i": "-9223372036854775808", "f": true,
                "s": ["\\", null, null, "ß"]})
        ]
    );
}

#[test]
fn a_value_of_another_type_is_a_reject_that_names_the_column() {
    let folder = Folder::new();
    let report = import(&folder, "m v=1.5 TIME\n").expect_code(0).json();
    assert_eq!(report["rejected"], 0);
    let ran = import(&folder, "m,h=a v=\"text\" TIME\nm,h=b v=2i TIME\n").expect_code(3);
    let report = ran.json();
    assert_eq!(report["points"], 1, "an integer that a float holds exactly fits");
    assert_eq!(report["rejects"][0]["reason"], "type_mismatch");
    assert!(
        report["rejects"][0]["line"]
            .as_str()
            .is_some_and(|line| line.starts_with("m,h=a "))
    );
    ran.expect_said("v");
}

/// A line can be rejected for one column and be the only one that shows another column's type.
#[test]
fn lines_that_come_again_are_rejected_again() {
    let folder = Folder::new();
    let lines = [
        "m,h=a a=1i TIME\n",
        // Not for its `b`, which makes `b` a float.
        "m,h=b a=\"text\",b=1.5 TIME\n",
        "m,h=c a=2i,b=\"text\" TIME\n",
        // Nothing of this measurement is archived.
        "none a=1.5,b=t TIME\n",
        "none a=\"text\",b=2i TIME\n",
    ];
    let first = import(&folder, &lines.concat()).expect_code(3).json();
    assert_eq!((&first["points"], &first["rejected"]), (&json!(1), &json!(4)));
    let before = csv(&folder, "m");
    let all = lines.concat();
    let again = lines.into_iter().chain([all.as_str()]);
    for text in again {
        let report = import(&folder, text).json();
        assert_eq!(report["points"], 0, "{text}");
    }
    assert_eq!(csv(&folder, "m"), before);
    assert!(!folder.join("archive/none").exists());
}

#[test]
fn column_names_are_unique_ignoring_case() {
    let Some(duckdb) = DuckDb::get() else { return };
    let folder = Folder::new();
    import(&folder, "m,Host=a,host=b host=1i,time=2i,V=3i,v=4i TIME\n").expect_code(0);
    let header = csv(&folder, "m");
    assert!(
        header.starts_with("time,Host,host_tag,host_field,time_field,V,v_field\n")
            || header.starts_with("time,Host,host_tag,V,host_field,time_field,v_field\n"),
        "{header}"
    );
    let count = duckdb.value(folder.path(), "select count(*) from 'archive/m/*.parquet'");
    assert_eq!(count, 1);
}

#[test]
fn max_rejects_forgives_that_many() {
    let folder = Folder::new();
    let text = "m v=1i TIME\nbad\nworse\n";
    let ran = diurnal(&folder, "import")
        .args(["--max-rejects", "2", "-"])
        .stdin(text.replace("TIME", TIME))
        .run();
    ran.expect_code(0);
    let folder = Folder::new();
    let ran = diurnal(&folder, "import")
        .args(["--max-rejects", "1", "-"])
        .stdin(text.replace("TIME", TIME))
        .run();
    ran.expect_code(3);
}

#[test]
fn units_and_descriptions_stand_in_the_parquet_file() {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    let folder = Folder::new();
    import(&folder, "mem,host=a used_percent=12.5,used=1i TIME\n").expect_code(0);
    let file = std::fs::File::open(folder.join("archive/mem/2020-06-19.parquet")).expect("a day file");
    let reader = SerializedFileReader::new(file).expect("it is Parquet");
    let metadata = reader.metadata().file_metadata();
    let key_values = metadata.key_value_metadata();
    let schema = parquet::arrow::parquet_to_arrow_schema(metadata.schema_descr(), key_values).expect("a schema");
    let field = schema.field_with_name("used_percent").expect("it is a column");
    assert_eq!(field.metadata().get("unit").map(String::as_str), Some("percent"));
    assert!(field.metadata().contains_key("description"));
}
