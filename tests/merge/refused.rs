//! What can't be one archive is refused before anything is made or changed.

use std::fs;

use diurnal::encode::ENCODER_VERSION;

use super::verified;
use crate::support::digest::all_files;
use crate::support::folder::Folder;
use crate::support::ledger::change_last_commit;
use crate::support::run::{Ran, diurnal};

const TIME: &str = "1592604000000000000";

/// Imports lines into an archive of that name, with these flags.
fn import(folder: &Folder, name: &str, lines: &str, flags: &[&str]) {
    folder.write("lines.lp", lines);
    diurnal(folder, "import")
        .args(["--archive", name, "lines.lp"])
        .args(flags)
        .run()
        .expect_code(0);
}

/// Merges `b` into `a`, which is to be refused with nothing changed in either, and neither into a new archive.
fn refused(folder: &Folder, code: i32) -> Ran {
    let before = ["a", "b"].map(|name| all_files(&folder.join(name)));
    diurnal(folder, "merge")
        .args(["--archive", "new", "a", "b"])
        .run()
        .expect_code(code);
    assert!(!folder.join("new").exists());
    let ran = diurnal(folder, "merge")
        .args(["--archive", "a", "b"])
        .run()
        .expect_code(code);
    assert_eq!(["a", "b"].map(|name| all_files(&folder.join(name))), before);
    ran
}

#[test]
fn other_types_and_names_name_the_column() {
    let folder = Folder::new();
    import(&folder, "a", &format!("m,host=x v=1.5,same=1 {TIME}\n"), &[]);
    import(&folder, "b", &format!("m,host=x v=1i,same=1 {TIME}\n"), &[]);
    refused(&folder, 1)
        .expect_said("m.v: is float here and int in b")
        .expect_said("--schemas");

    let folder = Folder::new();
    import(&folder, "a", &format!("m Foo=1 {TIME}\n"), &[]);
    import(&folder, "b", &format!("m foo=1 {TIME}\n"), &[]);
    refused(&folder, 1).expect_said("m.Foo: is the field Foo here, but foo is the field foo in b");

    let folder = Folder::new();
    import(&folder, "a", &format!("m Foo=1,foo=1 {TIME}\n"), &[]);
    import(&folder, "b", &format!("m foo=1 {TIME}\n"), &[]);
    refused(&folder, 1).expect_said("m.foo_field: is called foo in b");
}

#[test]
fn other_settings_are_wrong_usage_and_other_formats_are_not() {
    let line = format!("m v=1 {TIME}\n");
    for (flags, said) in [
        (&["--timezone", "Asia/Seoul"][..], "time zone"),
        (&["--time-unit", "us"], "time unit"),
        (&["--time-range", "1980-01-01..2100-01-01"], "time range"),
    ] {
        let folder = Folder::new();
        import(&folder, "a", &line, &[]);
        import(&folder, "b", &line, flags);
        refused(&folder, 2).expect_said(said);
    }
    let folder = Folder::new();
    import(&folder, "a", &line, &[]);
    import(
        &folder,
        "b",
        &format!("m v=2 {TIME}\n"),
        &["--formats", "csv", "--time-range", "2020-01-01..2021-01-01"],
    );
    diurnal(&folder, "merge")
        .args(["--archive", "a", "b"])
        .run()
        .expect_code(0);
    verified(&folder, "a");
    assert_eq!(
        fs::read_to_string(folder.join("a/m/2020-06-19.csv"))
            .expect("both")
            .lines()
            .count(),
        3
    );
}

#[test]
fn an_archive_is_not_merged_with_itself_or_with_one_inside() {
    let folder = Folder::new();
    let line = format!("m v=1 {TIME}\n");
    import(&folder, "a", &line, &[]);
    import(&folder, "a/inside", &line, &[]);
    std::os::unix::fs::symlink("a", folder.join("link")).expect("a link can be made");
    let before = all_files(&folder.join("a"));
    for (into, other, said) in [
        ("a", "a", "is the archive itself"),
        ("a", "link", "is the archive itself"),
        ("link", "./a/", "is the archive itself"),
        ("a", "a/inside", "is inside of the archive"),
        ("a/inside", "a", "holds the archive"),
        ("a/new", "a", "holds the archive"),
    ] {
        let ran = diurnal(&folder, "merge").args(["--archive", into, other]).run();
        ran.expect_code(2).expect_said(said);
    }
    diurnal(&folder, "merge")
        .args(["--archive", "new", "a", "nowhere"])
        .run()
        .expect_code(2)
        .expect_said("no archive");
    diurnal(&folder, "merge").run().expect_code(2);
    assert!(!folder.join("new").exists());
    assert_eq!(all_files(&folder.join("a")), before);
}

#[test]
fn damage_in_the_other_archive_is_named_and_nothing_is_merged() {
    let folder = Folder::new();
    import(&folder, "a", &format!("m v=1 {TIME}\n"), &[]);
    // Of a day of both, of a day that is copied, and beside the days.
    for file in [
        "m/2020-06-19.parquet",
        "m/2020-06-21.parquet",
        "m/2020-06-21.csv",
        "_diurnal/schema/m.toml",
        "_diurnal/rejects/000001.jsonl",
        "_diurnal/ledger-000001.jsonl",
    ] {
        folder.write("lines.lp", format!("m v=2 {TIME}\nm v=2 1592704000000000000\nm v=\n"));
        let name = file.replace('/', "-");
        diurnal(&folder, "import")
            .args(["--archive", &name, "lines.lp"])
            .run()
            .expect_code(3);
        folder.leaves_damaged(&name);
        let path = folder.join(&name).join(file);
        let mut bytes = fs::read(&path).expect("a file");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).expect("a test can write into its folder");
        let before = all_files(&folder.join("a"));
        diurnal(&folder, "merge")
            .args(["--archive", "a", &name])
            .run()
            .expect_code(1)
            .expect_said(file);
        assert_eq!(all_files(&folder.join("a")), before, "{file}");
    }
}

#[test]
fn days_of_another_encoder_are_encoded_again_and_a_later_format_is_refused() {
    let folder = Folder::new();
    let lines = format!("m v=1 {TIME}\n");
    folder.write("lines.lp", &lines);
    diurnal(&folder, "import").arg("lines.lp").run().expect_code(0);
    folder.write("lines.lp", "m v=2 1592704000000000000\n");
    diurnal(&folder, "import").arg("lines.lp").run().expect_code(0);
    let expected = all_files(&folder.archive());
    change_last_commit(&folder, |commit| {
        let changed = commit.replace(&format!(r#""encoder":{ENCODER_VERSION}"#), r#""encoder":0"#);
        assert_ne!(changed, commit);
        changed
    });
    let ran = diurnal(&folder, "merge")
        .args(["--archive", "new", "-v", "archive"])
        .run()
        .expect_code(0);
    assert!(
        ran.stderr.contains("m 2020-06-19: 0 leaves encoded, 1 copied"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("m 2020-06-21: 1 leaves encoded, 0 copied"),
        "{}",
        ran.stderr
    );
    let merged = all_files(&folder.join("new"));
    for path in ["m/2020-06-19.parquet", "m/2020-06-21.parquet", "m/2020-06-21.csv"] {
        assert_eq!(merged[path], expected[path], "{path}");
    }
    verified(&folder, "new");

    folder.leaves_damaged("archive");
    let settings = folder.join("archive/_diurnal/archive.toml");
    let text = fs::read_to_string(&settings).expect("settings");
    fs::write(&settings, text.replace("format = 1", "format = 2")).expect("a test can write into its folder");
    let ran = diurnal(&folder, "merge").args(["--archive", "new", "archive"]).run();
    ran.expect_code(1).expect_said("format 2");
}
