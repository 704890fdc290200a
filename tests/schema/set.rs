//! `schema set` as a user sees it: all day files or none, refused with the first value that does not fit, and rejects that fit now.

use std::fs;

use serde_json::json;

use super::{column, imported};
use crate::support::digest::{all_files, assert_no_debris, day_files};
use crate::support::duckdb::DuckDb;
use crate::support::folder::Folder;
use crate::support::run::{Diurnal, diurnal};

/// Three days; `level` is on two of them, and is never anything but whole.
const LINES: &str = "door,name=front level=3i,note=\"a\" 1592604000000000000\n\
    door,name=back level=10i,note=\"b\" 1592604000000000000\n\
    door,name=front note=\"c\" 1592654400000000000\n\
    door,name=front level=-9i 1592740800000000000\n\
    mem,host=a used=5i 1592604000000000000\n";

fn set(folder: &Folder, column: &str, ty: &str) -> Diurnal {
    diurnal(folder, "schema").args(["set", column, ty])
}

fn csv(folder: &Folder, path: &str) -> String {
    fs::read_to_string(folder.archive().join(path)).expect("a day file")
}

fn verified(folder: &Folder) {
    diurnal(folder, "verify").run().expect_code(0);
    assert_no_debris(&folder.archive());
}

#[test]
fn every_day_that_has_the_column_is_written_anew_and_no_other() {
    let folder = imported(LINES, &[]);
    let before = all_files(&folder.archive());
    let report = set(&folder, "door.level", "float").report(0);
    let told = |name: &str| report[name].clone();
    assert_eq!(
        ["command", "measurement", "column", "from", "to"].map(told),
        ["schema set", "door", "level", "int", "float"].map(|text| json!(text))
    );
    let days = report["days"].as_array().expect("days");
    let named: Vec<_> = days
        .iter()
        .map(|day| (&day["day"], &day["rows"], &day["csv"]))
        .collect();
    assert_eq!(
        named,
        [
            (&json!("2020-06-19"), &json!(2), &json!("door/2020-06-19.csv")),
            (&json!("2020-06-21"), &json!(1), &json!("door/2020-06-21.csv")),
        ]
    );
    assert_eq!(
        csv(&folder, "door/2020-06-19.csv"),
        "time,name,level,note\n2020-06-19T22:00:00.000000000Z,back,10.0,b\n2020-06-19T22:00:00.000000000Z,front,3.0,a\n"
    );
    let changed: Vec<String> = all_files(&folder.archive())
        .into_iter()
        .filter(|(path, hash)| before.get(path) != Some(hash))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(
        changed,
        [
            "_diurnal/ledger-000001.jsonl",
            "_diurnal/schema/door.toml",
            "door/2020-06-19.csv",
            "door/2020-06-19.parquet",
            "door/2020-06-21.csv",
            "door/2020-06-21.parquet"
        ]
    );
    verified(&folder);
    let shown = diurnal(&folder, "schema")
        .args(["show", "door", "--json"])
        .run()
        .expect_code(0)
        .json();
    let level = column(&shown["measurements"][0], "level");
    assert_eq!(
        (&level["type"], &level["origin"], &level["rows"]),
        (&json!("float"), &json!("learned"), &json!(3))
    );
    if let Some(duckdb) = DuckDb::get() {
        duckdb.check_archive(&folder.archive(), &[]);
        let ty = duckdb.value(
            folder.path(),
            "select column_type from (describe from read_parquet('archive/door/*.parquet', union_by_name = true))
             where column_name = 'level'",
        );
        assert_eq!(ty, "DOUBLE");
    }
    // And on with the run of things.
    folder.write("late.lp", "door,name=front level=2.5 1592604000000000000\n");
    diurnal(&folder, "import").arg("late.lp").run().expect_code(0);
    verified(&folder);
}

#[test]
fn the_first_value_that_does_not_fit_is_named_and_nothing_is_changed() {
    let folder = imported(
        "door level=1 1592604000000000000\ndoor level=2.5 1592604001000000000\ndoor level=3.5 1592604002000000000\n\
         door level=0.5 1592740800000000000\n",
        &[],
    );
    let before = all_files(&folder.archive());
    for (ty, word) in [("int", "int"), ("uint", "uint")] {
        let ran = set(&folder, "door.level", ty).run().expect_code(1);
        let said = format!(
            "door.level: holds the float 2.5 on 2020-06-19, at 2020-06-19T22:00:01.000000000Z, which is no {word}"
        );
        ran.expect_said(&said).expect_said("nothing was changed");
        assert_eq!(all_files(&folder.archive()), before);
    }
    let report = set(&folder, "door.level", "boolean").report(1);
    assert!(
        report["errors"][0]
            .as_str()
            .is_some_and(|error| error.contains("the float 1 ")),
        "{report}"
    );
    assert_eq!(all_files(&folder.archive()), before);
    // The day before it was written anew by then; of that nothing is left either.
    let folder = imported(
        "door level=1 1592604000000000000\ndoor level=-0 1592740800000000000\n",
        &[],
    );
    let before = all_files(&folder.archive());
    set(&folder, "door.level", "int")
        .run()
        .expect_code(1)
        .expect_said("2020-06-21");
    assert_eq!(all_files(&folder.archive()), before);
}

#[test]
fn the_rows_of_a_conflict_stand_in_the_order_of_the_new_type() {
    let folder = imported(
        "m v=\"10\",w=1i 1592604000000000000\nm v=\"9\",w=2i 1592604000000000000\nm v=\"9.0\" 1592604000000000000\n\
         m v=\"1e0\" 1592604001000000000\nm v=\"1\" 1592604001000000000\n",
        &[],
    );
    let (at, then) = ("2020-06-19T22:00:00.000000000Z", "2020-06-19T22:00:01.000000000Z");
    assert_eq!(
        csv(&folder, "m/2020-06-19.csv"),
        format!("time,v,w\n{at},10,1\n{at},9,2\n{at},9.0,\n{then},1,\n{then},1e0,\n")
    );
    set(&folder, "m.v", "float").run().expect_code(0);
    assert_eq!(
        csv(&folder, "m/2020-06-19.csv"),
        format!("time,v,w\n{at},9.0,1\n{at},10.0,2\n{then},1.0,\n")
    );
    verified(&folder);
    set(&folder, "m.v", "string").run().expect_code(0);
    assert_eq!(
        csv(&folder, "m/2020-06-19.csv"),
        format!("time,v,w\n{at},10.0,1\n{at},9.0,2\n{then},1.0,\n")
    );
    verified(&folder);
}

#[test]
fn a_dry_run_says_the_same_and_writes_nothing() {
    let folder = imported(LINES, &[]);
    let before = all_files(&folder.archive());
    let dry = set(&folder, "door.level", "string").arg("--dry-run").report(0);
    assert_eq!(all_files(&folder.archive()), before);
    let report = set(&folder, "door.level", "string").report(0);
    assert_eq!((&dry["dry_run"], report.get("dry_run")), (&json!(true), None));
    assert_eq!(dry["days"], report["days"]);
    set(&folder, "door.note", "int")
        .arg("--dry-run")
        .run()
        .expect_code(1)
        .expect_said("door.note: holds the string \"b\" on 2020-06-19");
}

#[test]
fn only_fields_that_are_there_can_be_set() {
    let lines = LINES.to_owned() + "door time=5i,Level=1i 1592604000000000000\n";
    let folder = imported(&lines, &[]);
    let before = all_files(&folder.archive());
    for (typed, said) in [
        ("door.name", "door.name: is a tag"),
        ("door.time", "door.time: is the time of the points"),
        ("door.time", "the column of the field time is called time_field"),
        ("mem.time", "the fields are"),
        ("door.levle", "did you mean Level?"),
        ("door.LEVEL", "did you mean Level?"),
        ("doors.level", "did you mean door?"),
        ("xyz.level", "it has door, mem"),
        ("cpu.usage_idle", "cpu: is no measurement of this archive"),
        ("level", "level: is no MEASUREMENT.COLUMN"),
    ] {
        set(&folder, typed, "float").run().expect_code(2).expect_said(said);
    }
    set(&folder, "door.level", "double")
        .run()
        .expect_code(2)
        .expect_said("float");
    // What it is already is no commit.
    set(&folder, "door.level_field", "int")
        .run()
        .expect_code(0)
        .expect_said("nothing to do");
    let report = set(&folder, "door.level_field", "int").report(0);
    assert_eq!(report["days"], json!([]));
    assert_eq!(all_files(&folder.archive()), before);
    let nowhere = Folder::new();
    set(&nowhere, "m.v", "int")
        .run()
        .expect_code(1)
        .expect_said("there is no archive here");
    assert!(!nowhere.archive().exists());
}

#[test]
fn dots_in_names_are_told_apart_by_what_is_there() {
    let folder = imported(
        "a.b c=1i 1592604000000000000\na b.c=1i,b.d=1i 1592604000000000000\n",
        &[],
    );
    set(&folder, "a.b.c", "float")
        .run()
        .expect_code(2)
        .expect_said("a.b.c: is a column of a and of a.b")
        .expect_said("--measurement");
    let report = set(&folder, "a.b.d", "float").report(0);
    assert_eq!(
        (&report["measurement"], &report["column"]),
        (&json!("a"), &json!("b.d"))
    );
    let report = set(&folder, "c", "float").args(["--measurement", "a.b"]).report(0);
    assert_eq!(
        (&report["measurement"], &report["column"]),
        (&json!("a.b"), &json!("c"))
    );
    set(&folder, "a.b.c", "float")
        .args(["--measurement", "a"])
        .run()
        .expect_code(2);
    verified(&folder);
}

#[test]
fn rejects_that_fit_the_new_type_go_in_when_they_are_driven_again() {
    let folder = Folder::new();
    let (first, second) = (
        "m,host=a v=1i 1592604000000000000\n",
        "m,host=a v=1.5 1592604001000000000\n",
    );
    diurnal(&folder, "import").arg("-").stdin(first).run().expect_code(0);
    let report = diurnal(&folder, "import").arg("-").stdin(second).report(3);
    assert_eq!(report["rejects"][0]["reason"], "type_mismatch");
    let before = diurnal(&folder, "rejects").arg("--retry").report(0);
    assert_eq!((&before["points"], &before["rejected"]), (&json!(0), &json!(1)));
    set(&folder, "m.v", "float").run().expect_code(0);
    let retried = diurnal(&folder, "rejects").arg("--retry").report(0);
    assert_eq!((&retried["points"], &retried["rejected"]), (&json!(1), &json!(0)));
    let listed = diurnal(&folder, "rejects").report(0);
    assert_eq!((&listed["retried"], &listed["lines"]), (&json!(1), &json!([])));
    verified(&folder);
    // Now it is the archive of both lines.
    let fresh = Folder::new();
    diurnal(&fresh, "import")
        .arg("-")
        .stdin(format!("{first}{second}"))
        .run()
        .expect_code(0);
    assert_eq!(day_files(&folder.archive()), day_files(&fresh.archive()));
}

#[test]
fn what_was_pruned_stays_so() {
    let folder = imported(LINES, &[]);
    let prune = |format: &str| diurnal(&folder, "prune").args([format, "1d"]).run().expect_code(0);
    prune("--csv-older-than");
    let report = set(&folder, "door.level", "float").report(0);
    assert_eq!(
        (report["days"].as_array().map(Vec::len), &report["days"][0]["csv"]),
        (Some(2), &json!(null))
    );
    assert!(!folder.archive().join("door/2020-06-19.csv").exists());
    verified(&folder);
    prune("--parquet-older-than");
    let report = set(&folder, "door.level", "string").report(0);
    assert_eq!(
        report["days"],
        json!([]),
        "of days without files nothing is left to convert"
    );
    verified(&folder);
}

#[test]
fn a_csv_file_that_says_the_same_in_both_types_stays() {
    let folder = imported("m v=1i 1592604000000000000\n", &["--formats", "csv"]);
    let before = day_files(&folder.archive());
    let report = set(&folder, "m.v", "uint").report(0);
    assert_eq!(report["days"], json!([]));
    assert_eq!(day_files(&folder.archive()), before);
    verified(&folder);
    let report = set(&folder, "m.v", "float").report(0);
    assert_eq!(report["days"][0]["csv"], "m/2020-06-19.csv");
    assert_eq!(
        csv(&folder, "m/2020-06-19.csv"),
        "time,v\n2020-06-19T22:00:00.000000000Z,1.0\n"
    );
    verified(&folder);
}

#[test]
fn a_kill_at_any_step_leaves_all_days_or_none() {
    let whole = imported(LINES, &[]);
    let before = day_files(&whole.archive());
    set(&whole, "door.level", "float").run().expect_code(0);
    let after = day_files(&whole.archive());
    for (step, happened) in [
        ("stage-file-synced:3", false),
        ("commit-manifest-synced", false),
        ("commit-record-half-written", false),
        ("commit-record-synced", true),
        ("commit-renamed:2", true),
        ("commit-folder-synced", true),
    ] {
        let folder = imported(LINES, &[]);
        let ran = set(&folder, "door.level", "float").fail_at(step).run();
        assert!(ran.was_killed(), "{step}");
        // Any run puts it right; this one says what is there already.
        let line = "door,name=front level=3i 1592604000000000000\n";
        let report = diurnal(&folder, "import")
            .args(["--json", "-"])
            .stdin(line)
            .run()
            .expect_code(0)
            .json();
        assert_eq!(report["folded"], 1, "{step}");
        assert!(
            day_files(&folder.archive()) == if happened { after.clone() } else { before.clone() },
            "{step}"
        );
        verified(&folder);
    }
}

#[test]
fn damage_is_refused_and_not_written_anew() {
    let folder = imported(LINES, &[]);
    folder.leaves_damaged("archive");
    let path = folder.archive().join("door/2020-06-21.parquet");
    let mut bytes = fs::read(&path).expect("a day file");
    bytes[20] ^= 1;
    fs::write(&path, bytes).expect("a test can write into its folder");
    let before = all_files(&folder.archive());
    set(&folder, "door.level", "float")
        .run()
        .expect_code(1)
        .expect_said("door/2020-06-21.parquet");
    assert_eq!(all_files(&folder.archive()), before);
}

#[test]
fn another_run_that_holds_the_archive_is_left_alone() {
    let folder = imported(LINES, &[]);
    let mut held = diurnal(&folder, "import")
        .arg("-")
        .stdin(LINES)
        .pause_at("before-commit")
        .start();
    held.wait_for_step("before-commit");
    set(&folder, "door.level", "float").run().expect_code(4);
    set(&folder, "door.level", "float")
        .arg("--dry-run")
        .run()
        .expect_code(0);
    held.resume();
    held.wait().expect_code(0);
}
