//! Columns that come, go, change their kind, or are called as they should not be: each day has its own, and DuckDB reads them all.

use std::fs;

use serde_json::json;

use super::{column, imported};
use crate::support::digest::day_files;
use crate::support::duckdb::DuckDb;
use crate::support::folder::Folder;
use crate::support::run::diurnal;

/// Noon of three days.
const DAYS: [&str; 3] = ["1592568000000000000", "1592654400000000000", "1592740800000000000"];

/// Imports each text, a commit each; DAY0, DAY1 and DAY2 are noon of three days.
fn imported_one_by_one(texts: &[&str]) -> Folder {
    let folder = Folder::new();
    for text in texts {
        import(&folder, text);
    }
    folder
}

fn import(folder: &Folder, text: &str) {
    let mut text = text.to_owned();
    for (number, time) in DAYS.iter().enumerate() {
        text = text.replace(&format!("DAY{number}"), time);
    }
    diurnal(folder, "import").arg("-").stdin(text).run().expect_code(0);
}

/// The first line of a day's CSV file.
fn header(folder: &Folder, path: &str) -> String {
    let text = fs::read_to_string(folder.archive().join(path)).expect("a day file");
    text.lines().next().expect("a header").to_owned()
}

fn verified(folder: &Folder) {
    diurnal(folder, "verify").run().expect_code(0);
}

#[test]
fn columns_come_and_go_by_the_day_and_keep_their_types() {
    let folder = imported_one_by_one(&[
        "m,host=a a=1i DAY0\n",
        "m,host=a b=1.5 DAY1\n",
        // `a` comes again as what is no integer in every archive, but it is one in this; `host` is gone.
        "m a=2u,c=t DAY2\n",
    ]);
    let headers = ["m/2020-06-19.csv", "m/2020-06-20.csv", "m/2020-06-21.csv"].map(|path| header(&folder, path));
    assert_eq!(headers, ["time,host,a", "time,host,b", "time,a,c"]);
    verified(&folder);
    // A column that a day did not have, and one that its other rows do not have.
    import(&folder, "m,host=a c=f DAY0\nm,zone=x b=2 DAY0\n");
    assert_eq!(header(&folder, "m/2020-06-19.csv"), "time,host,zone,a,b,c");
    let at = "2020-06-19T12:00:00.000000000Z";
    let text = fs::read_to_string(folder.archive().join("m/2020-06-19.csv")).expect("a day file");
    let rows: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(rows, [format!("{at},,x,,2.0,"), format!("{at},a,,1,,false")]);
    verified(&folder);
    let Some(duckdb) = DuckDb::get() else { return };
    duckdb.check_archive(&folder.archive(), &[]);
    let all = duckdb.query(
        folder.path(),
        "select count(*) as n, sum(a) as a, sum(b) as b, count(c) as c, typeof(any_value(a)) as ty
         from read_parquet('archive/m/*.parquet', union_by_name = true)",
    );
    assert_eq!(all, [json!({"n": 4, "a": 3, "b": 3.5, "c": 2, "ty": "BIGINT"})]);
}

#[test]
fn a_field_that_becomes_a_tag_is_another_column_and_so_is_the_other_way_round() {
    for (texts, names) in [
        (
            ["m host=\"a\",v=1i DAY0\n", "m,host=a v=2i DAY0\nm,host=b v=3i DAY1\n"],
            ["host_tag", "host"],
        ),
        (
            ["m,host=a v=2i DAY0\n", "m host=\"a\",v=1i DAY0\nm,host=b v=3i DAY1\n"],
            ["host", "host_field"],
        ),
    ] {
        let folder = imported_one_by_one(&texts);
        let [tag, field] = names;
        assert_eq!(header(&folder, "m/2020-06-19.csv"), format!("time,{tag},{field},v"));
        assert_eq!(header(&folder, "m/2020-06-20.csv"), format!("time,{tag},v"));
        let report = diurnal(&folder, "schema")
            .args(["show", "m", "--json"])
            .run()
            .expect_code(0)
            .json();
        for (name, kind) in [(tag, "tag"), (field, "field")] {
            let found = column(&report["measurements"][0], name);
            assert_eq!(
                (&found["kind"], &found["key"]),
                (&json!(kind), &json!("host")),
                "{name}"
            );
        }
        verified(&folder);
        // The same lines once more are the same points.
        let before = day_files(&folder.archive());
        texts.iter().for_each(|text| import(&folder, text));
        assert_eq!(day_files(&folder.archive()), before);
        let Some(duckdb) = DuckDb::get() else { return };
        let sql = format!(
            "select {tag} as tag, {field} as field, v from read_parquet('archive/m/*.parquet', union_by_name = true) order by v"
        );
        assert_eq!(
            duckdb.query(folder.path(), &sql),
            [
                json!({"tag": null, "field": "a", "v": 1}),
                json!({"tag": "a", "field": null, "v": 2}),
                json!({"tag": "b", "field": null, "v": 3})
            ]
        );
    }
}

#[test]
fn keywords_of_sql_are_names_like_others() {
    let folder = imported_one_by_one(&[
        "group,from=a,table=t select=1i,order=2.5,group=\"x\",where=t,null=3u,values=4i DAY0\n",
        "group,from=b,table=t select=2i,order=3.5,group=\"y\",where=f,null=4u,union=5i DAY1\n",
    ]);
    diurnal(&folder, "schema")
        .args(["set", "group.select", "float"])
        .run()
        .expect_code(0);
    verified(&folder);
    let Some(duckdb) = DuckDb::get() else { return };
    duckdb.check_archive(&folder.archive(), &[]);
    for files in [
        "read_parquet('archive/group/*.parquet', union_by_name = true)",
        "read_csv('archive/group/*.csv', union_by_name = true)",
    ] {
        let rows = duckdb.query(
            folder.path(),
            &format!(
                "select \"from\", \"group\", sum(\"select\") as total, max(\"order\") as \"order\", any_value(\"union\") as \"union\"
                 from {files} where \"null\" > 0 and \"table\" = 't' group by \"from\", \"group\" order by \"order\""
            ),
        );
        assert_eq!(
            rows,
            [
                json!({"from": "a", "group": "x", "total": 1.0, "order": 2.5, "union": null}),
                json!({"from": "b", "group": "y", "total": 2.0, "order": 3.5, "union": 5})
            ],
            "{files}"
        );
    }
}

#[test]
fn names_that_clash_ignoring_case_stay_apart_over_commits_and_days() {
    let folder = imported_one_by_one(&[
        "m Load=1i DAY0\n",
        "m LOAD=2i,load=3i DAY0\nm,lOAD=x load=4i DAY1\n",
        "m Straße=1i,STRASSE=2i,ΣΑΣ=3i,σας=4i DAY2\n",
    ]);
    assert_eq!(header(&folder, "m/2020-06-19.csv"), "time,LOAD_field,Load,load_field2");
    assert_eq!(header(&folder, "m/2020-06-20.csv"), "time,lOAD_tag,load_field2");
    verified(&folder);
    let Some(duckdb) = DuckDb::get() else { return };
    duckdb.check_archive(&folder.archive(), &[]);
    let columns = duckdb.value(
        folder.path(),
        "select count(distinct lower(column_name)) = count(*) from
         (describe from read_parquet('archive/m/*.parquet', union_by_name = true))",
    );
    assert_eq!(columns, true);
}

#[test]
fn unit_and_description_stand_in_the_parquet_file_and_stay_when_the_type_is_set() {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    let folder = Folder::new();
    fs::create_dir(folder.join("mine")).expect("a folder");
    folder.write(
        "mine/door.toml",
        "measurement = \"door\"\n[[tag]]\nname = \"name\"\nunit = \"label\"\ndescription = \"Which door\"\n[[field]]\n\
         name = \"level\"\ntype = \"int\"\nunit = \"floors\"\ndescription = \"Über dem Erdgeschoss\"\n",
    );
    folder.write("lines.lp", "door,name=front level=3i,open=t 1592568000000000000\n");
    diurnal(&folder, "import")
        .args(["--schemas", "mine", "lines.lp"])
        .run()
        .expect_code(0);
    let metadata = |name: &str| {
        let file = fs::File::open(folder.archive().join("door/2020-06-19.parquet")).expect("a day file");
        let reader = SerializedFileReader::new(file).expect("it is Parquet");
        let metadata = reader.metadata().file_metadata();
        let schema = parquet::arrow::parquet_to_arrow_schema(metadata.schema_descr(), metadata.key_value_metadata());
        let schema = schema.expect("a schema");
        let field = schema.field_with_name(name).expect("it is a column");
        let get = |key: &str| field.metadata().get(key).cloned();
        (
            get("kind"),
            get("unit"),
            get("description"),
            get("origin"),
            field.data_type().to_string(),
        )
    };
    let some = |text: &str| Some(text.to_owned());
    let level = |ty: &str| {
        (
            some("field"),
            some("floors"),
            some("Über dem Erdgeschoss"),
            None,
            ty.to_owned(),
        )
    };
    assert_eq!(metadata("level"), level("Int64"));
    let name = metadata("name");
    assert_eq!(
        (name.0, name.1, name.2, name.3),
        (some("tag"), some("label"), some("Which door"), None)
    );
    assert_eq!(
        metadata("open"),
        (some("field"), None, None, some("learned"), "Boolean".to_owned())
    );
    diurnal(&folder, "schema")
        .args(["set", "door.level", "string"])
        .run()
        .expect_code(0);
    assert_eq!(metadata("level"), level("Utf8"));
    verified(&folder);
}

#[test]
fn what_one_commit_holds_names_its_columns_in_one_order_whatever_the_lines() {
    let lines = ["m B=1i DAY0\n", "m b=2i DAY0\n", "m,b=x v=3i DAY0\n"].map(|line| line.replace("DAY0", DAYS[0]));
    let expected = day_files(&imported(&lines.concat(), &[]).archive());
    for order in [[0, 2, 1], [1, 0, 2], [2, 1, 0]] {
        let text: String = order.iter().map(|number| lines[*number].as_str()).collect();
        assert_eq!(day_files(&imported(&text, &[]).archive()), expected);
    }
}
