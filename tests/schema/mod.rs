//! `diurnal schema`: what the columns of an archive are, schema files that make another archive just like it, and columns that get
//! another type.

mod columns;
mod set;
mod set_law;

use std::fs;

use serde_json::Value;

use crate::support::digest::{all_files, day_files, day_files_and_schemas};
use crate::support::folder::Folder;
use crate::support::run::diurnal;

/// Two days of a measurement that nobody declared, with a field that is there on one of them, a tag that some lines lack and
/// a key that can't be a column's name; and one of Telegraf's.
const LINES: &str = "door,name=front open=true,opened=3u 1592604000000000000\n\
    door open=false 1592604001000000000\n\
    door,name=front open=false,level=2,time=5i 1592654400000000000\n\
    mem,host=a used=5i 1592604000000000000\n";

pub fn imported(lines: &str, flags: &[&str]) -> Folder {
    let folder = Folder::new();
    folder.write("lines.lp", lines);
    diurnal(&folder, "import")
        .args(flags)
        .arg("lines.lp")
        .run()
        .expect_code(0);
    folder
}

pub fn column<'a>(measurement: &'a Value, name: &str) -> &'a Value {
    let columns = measurement["columns"].as_array().expect("columns");
    let found = columns.iter().find(|column| column["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {columns:?}"))
}

#[test]
fn columns_are_shown_with_type_origin_and_where_they_have_values() {
    let folder = imported(LINES, &[]);
    let before = all_files(&folder.archive());
    let report = diurnal(&folder, "schema")
        .args(["show", "--json"])
        .run()
        .expect_code(0)
        .json();
    let measurements = report["measurements"].as_array().expect("measurements");
    assert_eq!(measurements.len(), 2);
    let door = &measurements[0];
    assert_eq!(
        (&door["measurement"], &door["days"], &door["rows"]),
        (&"door".into(), &2.into(), &3.into())
    );
    for (name, kind, ty, days, rows) in [
        ("name", "tag", "string", 2, 2),
        ("open", "field", "boolean", 2, 3),
        ("opened", "field", "uint", 1, 1),
        ("level", "field", "float", 1, 1),
        ("time_field", "field", "int", 1, 1),
    ] {
        let column = column(door, name);
        let expected = (&kind.into(), &ty.into(), &days.into(), &rows.into(), &"learned".into());
        let found = (
            &column["kind"],
            &column["type"],
            &column["days"],
            &column["rows"],
            &column["origin"],
        );
        assert_eq!(found, expected, "{name}");
    }
    assert_eq!(column(door, "time_field")["key"], "time");
    let used = column(&measurements[1], "used");
    assert_eq!(
        (&used["origin"], &used["unit"], &used["days"]),
        (&"declared".into(), &"bytes".into(), &1.into())
    );
    let unseen = column(&measurements[1], "free");
    assert_eq!((&unseen["days"], &unseen["rows"]), (&0.into(), &0.into()));

    let ran = diurnal(&folder, "schema").args(["show", "door"]).run().expect_code(0);
    for word in ["door (2 days, 3 rows)", "time_field (key time)", "boolean", "learned"] {
        assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains("mem"), "{}", ran.stdout);
    assert_eq!(all_files(&folder.archive()), before);
}

#[test]
fn without_parquet_files_the_columns_are_shown_without_counts() {
    let folder = imported(LINES, &["--formats", "csv"]);
    let report = diurnal(&folder, "schema")
        .args(["show", "door", "--json"])
        .run()
        .expect_code(0)
        .json();
    let door = &report["measurements"][0];
    assert_eq!(
        (&door["days"], &column(door, "open")["days"]),
        (&2.into(), &Value::Null)
    );
}

#[test]
fn what_is_exported_and_declared_elsewhere_is_exported_the_same() {
    let first = imported(LINES, &[]);
    diurnal(&first, "schema")
        .args(["export", "-o", "out/schemas"])
        .run()
        .expect_code(0);
    let exported = all_files(&first.join("out/schemas"));
    assert_eq!(exported.keys().collect::<Vec<_>>(), ["door.toml", "mem.toml"]);
    let folder = first.join("out/schemas");
    let second = imported(LINES, &["--schemas", folder.to_str().expect("a plain path")]);
    assert_eq!(all_files(&second.join("archive/_diurnal/schema")), exported);
    diurnal(&second, "schema")
        .args(["export", "--output", "again"])
        .run()
        .expect_code(0);
    assert_eq!(all_files(&second.join("again")), exported);
    // And once more, into an archive that is the same to the last byte.
    let again = second.join("again");
    let third = imported(LINES, &["--schemas", again.to_str().expect("a plain path")]);
    assert_eq!(
        day_files_and_schemas(&third.archive()),
        day_files_and_schemas(&second.archive())
    );
    let mem = |folder: &Folder| day_files(&folder.archive())["mem/2020-06-19.parquet"].clone();
    assert_eq!(mem(&first), mem(&second), "what was declared before stays as it was");
}

#[test]
fn an_edited_export_is_what_the_next_archive_goes_by() {
    let first = imported(LINES, &[]);
    let ran = diurnal(&first, "schema").args(["export", "door"]).run().expect_code(0);
    let edited = ran
        .stdout
        .replace("type = \"uint\"", "type = \"float\"\nunit = \"times\"");
    assert_ne!(edited, ran.stdout);
    fs::create_dir(first.join("schemas")).expect("a folder can be made");
    first.write("schemas/door.toml", edited);
    diurnal(&first, "import")
        .args(["--archive", "other", "--schemas", "schemas", "lines.lp"])
        .run()
        .expect_code(0);
    let report = diurnal(&first, "schema")
        .args(["show", "door", "--json", "--archive", "other"])
        .run()
        .expect_code(0)
        .json();
    let opened = column(&report["measurements"][0], "opened");
    assert_eq!(
        (&opened["type"], &opened["unit"], &opened["rows"]),
        (&"float".into(), &"times".into(), &1.into())
    );
}

#[test]
fn an_export_overwrites_nothing_and_leaves_the_archive_alone() {
    let folder = imported(LINES, &[]);
    let before = all_files(&folder.archive());
    diurnal(&folder, "schema")
        .args(["export", "-o", "out"])
        .run()
        .expect_code(0);
    folder.write("out/mem.toml", "edited");
    fs::remove_file(folder.join("out/door.toml")).expect("it was exported");
    diurnal(&folder, "schema")
        .args(["export", "-o", "out"])
        .run()
        .expect_code(1)
        .expect_said("mem.toml");
    assert_eq!(
        fs::read_to_string(folder.join("out/mem.toml")).expect("it is there"),
        "edited"
    );
    assert!(!folder.join("out/door.toml").exists(), "nothing was written");
    for inside in ["archive", "archive/new", "archive/_diurnal/schema"] {
        diurnal(&folder, "schema")
            .args(["export", "-o", inside])
            .run()
            .expect_code(2)
            .expect_said("inside the archive");
    }
    diurnal(&folder, "schema")
        .arg("export")
        .run()
        .expect_code(2)
        .expect_said("-o");
    diurnal(&folder, "schema")
        .args(["show", "dour"])
        .run()
        .expect_code(2)
        .expect_said("did you mean door?");
    assert_eq!(all_files(&folder.archive()), before);
}

#[test]
fn a_schema_file_that_was_edited_in_the_archive_is_refused() {
    let folder = imported(LINES, &[]);
    folder.leaves_damaged("archive");
    let path = folder.join("archive/_diurnal/schema/door.toml");
    let text = fs::read_to_string(&path).expect("a schema file");
    fs::write(&path, text.replace("uint", "int")).expect("a test can write into its folder");
    for command in ["show", "export"] {
        diurnal(&folder, "schema")
            .args([command, "door"])
            .run()
            .expect_code(1)
            .expect_said("door.toml");
    }
}
