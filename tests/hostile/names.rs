//! Names and values that mean something elsewhere: to a file system, a terminal, a spreadsheet, a reader of text from right to left.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::embedded::Embedded;
use crate::support::folder::Folder;
use crate::support::produce::Record;
use crate::support::run::{Ran, diurnal};

/// What hostile names are made of.
const NAMES: &[&str] = &[
    "..",
    ".",
    "...",
    "../../outside",
    "/etc/passwd",
    "a/../b",
    "C:\\Windows\\win.ini",
    "\\\\server\\share",
    "~",
    "$HOME",
    "`id`",
    "$(id)",
    "-rf",
    "--help",
    "*",
    "?",
    "a;b|c&d",
    "_diurnal",
    "_diurnal/ledger-000001.jsonl",
    ".git",
    "archive.toml",
    "lock",
    "lost+found",
    "CON",
    "con",
    "NUL",
    "PRN.txt",
    "COM1",
    "LPT9.csv",
    "name.",
    "x.parquet",
    "x.csv.staged",
    "a%2Fb",
    "%",
    "a\u{0}b",
    "a\u{1b}[31mred",
    "a\u{1b}]0;title\u{7}",
    "a\u{8}\u{8}b",
    "a\u{7f}b",
    "a\u{85}b",
    "a\u{9b}2J",
    "a\u{202e}gpj.b",
    "\u{2066}a\u{2069}",
    "\u{200f}a",
    "a\u{200b}b",
    "\u{feff}a",
    "a\u{2028}b",
    "e\u{301}",
    "\u{e9}",
    "\u{1f4a9}",
    "=1+1",
    "+1",
    "@SUM(A1)",
    "=HYPERLINK(\"http://example.org\";\"x\")",
    "a\"b",
    "a'b",
    "<script>alert(1)</script>",
    "'; drop table m; --",
];

/// As line protocol escapes names.
fn escaped(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if matches!(c, ',' | ' ' | '=') {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

fn quoted(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

/// A name that ends with a backslash would escape what follows it.
fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().copied()
}

/// Each name once as a measurement, a tag key, a tag value, a field key and a string, and once in a line that is rejected.
fn lines() -> String {
    let mut text = String::new();
    for (number, name) in names().enumerate() {
        let time = format!("{}000000000", 1_592_604_000 + number);
        let bare = escaped(name);
        text += &format!("{bare} v={number}i {time}\n");
        text += &format!("names,{bare}={bare} {bare}=\"{}\" {time}\n", quoted(name));
        text += &format!("{bare},host={bare} v= {time}\n");
        text += &format!("{bare} v=\"{}\" {time}\n", quoted(name));
    }
    text
}

/// Nothing of the test's folder but what is known is there, and each measurement has one plain folder in the archive.
fn assert_nothing_escaped(folder: &Folder, known: &[&str]) {
    let listed = |path: &Path| -> BTreeSet<String> {
        let entries = fs::read_dir(path).expect("a folder can be listed");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name().into_string();
        entries.map(|entry| name(entry).expect("every name is UTF-8")).collect()
    };
    let ours = |name: &String| !(name.starts_with("steps-") || known.contains(&name.as_str()));
    let foreign: Vec<String> = listed(folder.path()).into_iter().filter(ours).collect();
    assert_eq!(foreign, ["archive"]);
    let folders = listed(&folder.archive());
    for name in &folders {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-%".contains(&byte);
        assert!(name.bytes().all(plain) && !name.starts_with('.'), "{name}");
    }
    // `names`, `_diurnal`, and one for each.
    assert_eq!(folders.len(), NAMES.len() + 2);
}

/// Neither stream holds a character that a terminal acts upon, or that hides.
fn assert_harmless(ran: &Ran) {
    for text in [&ran.stdout, &ran.stderr] {
        let harms = |c: char| {
            (c.is_control() && c != '\n')
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        };
        if let Some(at) = text.find(harms) {
            panic!("{:?}", text[at..].chars().take(20).collect::<String>());
        }
    }
}

/// What a command says with `--json`.
fn told(folder: &Folder, arguments: &[&str]) -> Value {
    let run = diurnal(folder, arguments[0]).args(&arguments[1..]).arg("--json");
    run.run().expect_code(0).json()
}

/// Whether the value or something in it is this text.
fn says(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found.contains(text),
        Value::Array(values) => values.iter().any(|value| says(value, text)),
        Value::Object(values) => values.values().any(|value| says(value, text)),
        _ => false,
    }
}

#[test]
fn names_are_archived_as_they_are_in_folders_of_the_archive_and_shown_escaped_by_every_command() {
    let folder = Folder::new();
    folder.write("lines.lp", lines());
    let ran = diurnal(&folder, "import").args(["-v", "lines.lp"]).run().expect_code(3);
    assert_harmless(&ran);
    assert_nothing_escaped(&folder, &["lines.lp"]);
    for arguments in [
        &["rejects", "--limit", "1000"][..],
        &["rejects", "--limit", "1000", "--json"],
        &["rejects", "--retry"],
        &["rejects", "--retry", "--json"],
        &["status"],
        &["status", "--json"],
        &["schema", "show"],
        &["schema", "show", "--json"],
        &["schema", "export", "--json"],
        &["verify"],
        &["verify", "--json"],
        &["prune", "--csv-older-than", "1d", "--dry-run"],
        &["merge", "--dry-run", "archive", "--archive", "other"],
        &["import", "--dry-run", "lines.lp"],
        &["backup", "copy"],
    ] {
        let ran = diurnal(&folder, arguments[0])
            .args(&arguments[1..])
            .run()
            .expect_code(0);
        assert_harmless(&ran);
    }
    assert_nothing_escaped(&folder, &["lines.lp", "copy"]);
    // An error that names them, too.
    let ran = diurnal(&folder, "schema")
        .args(["show", "no\u{1b}[31m\u{202e}such"])
        .run();
    assert_harmless(&ran.expect_code(2));

    let report = diurnal(&folder, "import").arg("lines.lp").report(0);
    assert_eq!(
        (&report["lines"], &report["points"]),
        (&(4 * NAMES.len()).into(), &0.into())
    );
    let rejects = diurnal(&folder, "rejects").args(["--limit", "1000"]).report(0);
    let status = told(&folder, &["status"]);
    let schemas = told(&folder, &["schema", "show"]);
    for name in names() {
        assert!(says(&status, name), "{name:?} of status");
        assert!(says(&schemas, name), "{name:?} of schema show");
        assert!(says(&rejects, &escaped(name)), "{name:?} of rejects");
    }
    println!("{} names: {} points, 0 lost, 0 doubled", NAMES.len(), 2 * NAMES.len());
}

#[test]
fn the_same_names_come_through_kafka() {
    let broker = Embedded::start();
    broker.create_topic("t", 1);
    let text = lines();
    let records: Vec<Record> = text.lines().map(|line| Record::new(0, line)).collect();
    broker.send("t", &records);
    let folder = Folder::new();
    let archive = diurnal(&folder, "archive").args(["--brokers", &broker.brokers(), "--topic", "t"]);
    assert_harmless(&archive.run().expect_code(3));
    assert_nothing_escaped(&folder, &[]);
    let imported = Folder::new();
    imported.write("lines.lp", text);
    diurnal(&imported, "import").arg("lines.lp").run().expect_code(3);
    let day_files = crate::support::digest::day_files;
    assert_eq!(day_files(&folder.archive()), day_files(&imported.archive()));
    assert_harmless(&diurnal(&folder, "rejects").args(["--limit", "1000"]).run());
}

#[test]
fn reject_files_hold_no_character_that_drives_a_terminal_and_read_back_word_for_word() {
    let folder = Folder::new();
    let line = "m\u{1b}[31m\u{9b}2J\u{202e}\u{feff}\u{e0041},host=\u{85}\u{7f} v= 1592604000000000000";
    folder.write("lines.lp", line);
    diurnal(&folder, "import").arg("lines.lp").run().expect_code(3);
    let stored = fs::read_to_string(folder.join("archive/_diurnal/rejects/000001.jsonl")).expect("a reject file");
    assert!(
        stored.trim_end().bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "{stored:?}"
    );
    let stored: Value = serde_json::from_str(stored.trim_end()).expect("JSON");
    assert_eq!(stored["line"], line);
}

#[test]
fn names_of_10_000_bytes_are_columns_like_others_and_no_measurements() {
    let long = |letter: &str| letter.repeat(10_000);
    let columns = format!(
        "m,{}={} {}=\"{}\" 1592604000000000000\n",
        long("t"),
        long("v"),
        long("f"),
        long("s")
    );
    let measurement = format!("{} v=1i 1592604000000000000\n", long("m"));
    let folder = Folder::new();
    folder.write("lines.lp", columns + &measurement);
    let report = diurnal(&folder, "import").arg("lines.lp").report(3);
    assert_eq!(
        (&report["points"], &report["rejects"][0]["reason"]),
        (&1.into(), &"name_too_long".into())
    );
    let shown = told(&folder, &["schema", "show", "m"]);
    assert!(says(&shown, &long("t")) && says(&shown, &long("f")));
    diurnal(&folder, "verify").run().expect_code(0);
}

#[test]
fn formulas_stand_in_the_csv_file_as_they_were_sent() {
    let folder = Folder::new();
    folder.write(
        "lines.lp",
        "m,host=@SUM(A1) text=\"=cmd|'/C calc'!A0\" 1592604000000000000\n\
         m,host=-1+1 text=\"+1\" 1592604001000000000\n",
    );
    diurnal(&folder, "import").arg("lines.lp").run().expect_code(0);
    let csv = fs::read_to_string(folder.join("archive/m/2020-06-19.csv")).expect("a CSV file");
    assert_eq!(
        csv,
        "time,host,text\n\
         2020-06-19T22:00:00.000000000Z,@SUM(A1),=cmd|'/C calc'!A0\n\
         2020-06-19T22:00:01.000000000Z,-1+1,+1\n"
    );
}
