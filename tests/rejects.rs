//! `diurnal rejects`: what could not be archived is listed, kept once, and goes in as soon as it fits.

use std::fs;

use crate::support::digest::{all_files, day_files};
use crate::support::embedded::Embedded;
use crate::support::folder::Folder;
use crate::support::ledger::change_last_commit;
use crate::support::produce::Record;
use crate::support::run::diurnal;

const GOOD: &str = "m,host=a v=1.5 1592604000000000000\n";

/// Two that are no line protocol, one of them hostile to a terminal, and one that does not fit its column.
const BAD: &str = "m,host=b v= 1592604001000000000\nm,host=\u{1b}[31mc v= 1592604002000000000\nm,host=d v=\"high\" 1592604003000000000\n";

fn imported() -> Folder {
    let folder = Folder::new();
    folder.write("lines.lp", GOOD.to_owned() + BAD);
    diurnal(&folder, "import").arg("lines.lp").run().expect_code(3);
    folder
}

#[test]
fn rejects_are_counted_by_kind_and_listed_newest_first() {
    let folder = imported();
    let report = diurnal(&folder, "rejects").report(0);
    assert_eq!(
        (&report["rejects"], &report["retried"], &report["files"]),
        (&3.into(), &0.into(), &1.into())
    );
    let kinds = report["kinds"].as_array().expect("kinds");
    let told: Vec<_> = kinds
        .iter()
        .map(|kind| {
            (
                kind["reason"].as_str(),
                kind["measurement"].as_str(),
                kind["column"].as_str(),
                kind["lines"].as_u64(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (Some("empty_value"), None, None, Some(2)),
            (Some("type_mismatch"), Some("m"), Some("v"), Some(1))
        ]
    );
    assert_eq!(kinds[1]["newest"]["source"], "lines.lp");
    let offset = (GOOD.to_owned() + BAD).find("m,host=d").expect("it is there");
    let newest = report["lines"].as_array().expect("lines");
    let of_type = newest
        .iter()
        .find(|line| line["reason"] == "type_mismatch")
        .expect("it is listed");
    assert_eq!(
        (of_type["offset"].as_u64(), &of_type["line"]),
        (Some(offset as u64), &BAD.lines().nth(2).expect("three").into())
    );
    assert_eq!(newest.len(), 3);
    let limited = diurnal(&folder, "rejects").args(["--limit", "1"]).report(0);
    assert_eq!(
        (limited["lines"].as_array().map(Vec::len), &limited["rejects"]),
        (Some(1), &3.into())
    );
}

#[test]
fn a_hostile_line_is_shown_escaped() {
    let folder = imported();
    let ran = diurnal(&folder, "rejects").run().expect_code(0);
    assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.stdout);
    for word in [
        "3 rejected lines in 1 file",
        "type_mismatch",
        "\\u{1b}[31mc",
        "lines.lp offset",
    ] {
        assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
    }
}

#[test]
fn no_rejects_and_no_archive_are_told_apart() {
    let folder = Folder::new();
    diurnal(&folder, "rejects")
        .run()
        .expect_code(1)
        .expect_said("no archive");
    diurnal(&folder, "rejects")
        .arg("--retry")
        .run()
        .expect_code(1)
        .expect_said("no archive");
    assert!(!folder.archive().exists(), "neither makes one");
    folder.write("good.lp", GOOD);
    diurnal(&folder, "import").arg("good.lp").run().expect_code(0);
    let ran = diurnal(&folder, "rejects").run().expect_code(0);
    assert!(ran.stdout.contains("no rejects"), "{}", ran.stdout);
    diurnal(&folder, "rejects").arg("--dry-run").run().expect_code(2);
}

#[test]
fn a_file_that_is_imported_again_has_its_rejects_recorded_once() {
    let folder = imported();
    let before = all_files(&folder.archive());
    let report = diurnal(&folder, "import").arg("lines.lp").report(0);
    assert_eq!(
        (
            &report["lines"],
            &report["points"],
            &report["folded"],
            &report["rejected"],
            &report["rejected_again"]
        ),
        (&4.into(), &0.into(), &1.into(), &3.into(), &3.into())
    );
    assert_eq!(all_files(&folder.archive()), before, "it changes no byte");
    let quiet = diurnal(&folder, "import").args(["-q", "lines.lp"]).run().expect_code(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));

    // Twice in one run, and with one that is new.
    folder.write("more.lp", BAD.to_owned() + "m,host=e v= 1592604004000000000\n");
    let report = diurnal(&folder, "import")
        .args([
            "--commit-every",
            "1",
            "--threads",
            "1",
            "more.lp",
            "more.lp",
            "lines.lp",
        ])
        .report(3);
    assert_eq!(
        (&report["rejected"], &report["rejected_again"]),
        (&11.into(), &7.into())
    );
    assert_eq!(diurnal(&folder, "rejects").report(0)["rejects"], 7);
    diurnal(&folder, "verify").run().expect_code(0);
    // Another unit would make another point of it, were it to fit one day.
    let report = diurnal(&folder, "import")
        .args(["--precision", "us", "lines.lp"])
        .report(3);
    assert_eq!(report["rejected_again"], serde_json::Value::Null);
}

#[test]
fn equal_lines_of_a_message_are_both_kept() {
    let broker = Embedded::start();
    broker.create_topic("t", 1);
    let folder = Folder::new();
    let run = || diurnal(&folder, "archive").args(["--brokers", &broker.brokers(), "--topic", "t"]);
    for messages in 1..=2 {
        broker.send("t", &[Record::new(0, "m v= 1\nm v= 1\nm v=1 1592604000000000000\n")]);
        let report = run().report(3);
        assert_eq!((&report["rejected"], report.get("rejected_again")), (&2.into(), None));
        assert_eq!(diurnal(&folder, "rejects").report(0)["rejects"], 2 * messages);
    }
    run().run().expect_code(0);
}

#[test]
fn a_retry_of_what_still_does_not_fit_changes_no_byte() {
    let folder = imported();
    let before = all_files(&folder.archive());
    for _ in 0..2 {
        let report = diurnal(&folder, "rejects").arg("--retry").report(0);
        assert_eq!(
            (
                &report["command"],
                &report["lines"],
                &report["points"],
                &report["rejected"],
                &report["rejected_again"]
            ),
            (&"rejects".into(), &3.into(), &0.into(), &3.into(), &3.into())
        );
        let shown = report["rejects"].as_array().expect("rejects");
        assert!(
            shown.iter().all(|reject| reject["source"] == "lines.lp"),
            "each with its own origin: {shown:?}"
        );
        assert_eq!(all_files(&folder.archive()), before);
    }
}

/// An archive whose rejects a newer diurnal takes: two of its three stored lines are good ones by now. One has no time, and gets
/// the one that it would have got then; one counts in seconds.
pub fn outdated() -> Folder {
    let folder = Folder::new();
    folder.write("good.lp", GOOD);
    folder.write(
        "bad.lp",
        "m,host=b v=\nm,host=c v= 1592604002\nm,host=d v= 1592604003\n",
    );
    diurnal(&folder, "import").arg("good.lp").run().expect_code(0);
    diurnal(&folder, "import")
        .args(["--precision", "s", "--default-time", "2020-06-20T00:00:01Z", "bad.lp"])
        .run()
        .expect_code(3);
    let path = folder.join("archive/_diurnal/rejects/000002.jsonl");
    let old = fs::read(&path).expect("a reject file");
    let text = String::from_utf8(old.clone()).expect("text");
    let new = text
        .replace("m,host=b v=\"", "m,host=b v=2.5\"")
        .replace("m,host=d v= ", "m,host=d v=4.5 ");
    assert_eq!(new.len(), text.len() + 6, "{text}");
    fs::write(&path, &new).expect("a test can write into its folder");
    let hash = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
    change_last_commit(&folder, |commit| {
        let changed = commit.replace(&hash(&old), &hash(new.as_bytes())).replace(
            &format!(r#""bytes":{},"#, old.len()),
            &format!(r#""bytes":{},"#, new.len()),
        );
        assert_ne!(changed, commit);
        changed
    });
    diurnal(&folder, "verify").run().expect_code(0);
    folder
}

/// What the archive holds once they went in.
pub fn whole() -> Folder {
    let folder = Folder::new();
    folder.write(
        "all.lp",
        GOOD.to_owned() + "m,host=b v=2.5 1592611201000000000\nm,host=d v=4.5 1592604003000000000\n",
    );
    diurnal(&folder, "import").arg("all.lp").run().expect_code(0);
    folder
}

#[test]
fn what_fits_by_now_goes_in_with_its_time_and_unit_and_the_ledger_says_so() {
    let folder = outdated();
    let before = all_files(&folder.archive());
    let dry = diurnal(&folder, "rejects").args(["--retry", "--dry-run"]).report(0);
    assert_eq!((&dry["points"], &dry["rejected"]), (&2.into(), &1.into()));
    assert_eq!(all_files(&folder.archive()), before);

    let report = diurnal(&folder, "rejects").arg("--retry").report(0);
    assert_eq!(
        (
            &report["lines"],
            &report["points"],
            &report["rejected"],
            &report["rejected_again"]
        ),
        (&3.into(), &2.into(), &1.into(), &1.into())
    );
    assert_eq!(day_files(&folder.archive()), day_files(&whole().archive()));
    let ledger = fs::read_to_string(folder.join("archive/_diurnal/ledger-000001.jsonl")).expect("a ledger");
    let retried = r#""retried":[{"path":"_diurnal/rejects/000002.jsonl","lines":[[1,1],[3,3]]}]"#;
    assert!(
        ledger.lines().nth(2).expect("a third commit").contains(retried),
        "{ledger}"
    );
    diurnal(&folder, "verify").run().expect_code(0);

    let listed = diurnal(&folder, "rejects").report(0);
    assert_eq!(
        (&listed["rejects"], &listed["retried"], &listed["kinds"][0]["lines"]),
        (&3.into(), &2.into(), &1.into())
    );
    assert_eq!(listed["lines"].as_array().map(Vec::len), Some(1));
    let after = all_files(&folder.archive());
    let again = diurnal(&folder, "rejects").arg("--retry").report(0);
    assert_eq!(
        (&again["lines"], &again["rejected"]),
        (&1.into(), &1.into()),
        "what went in is not driven again"
    );
    assert_eq!(all_files(&folder.archive()), after);
}

#[test]
fn a_retry_that_is_killed_is_done_once() {
    let whole = day_files(&whole().archive());
    for (step, points) in [
        ("stage-file-synced", 2),
        ("commit-record-half-written", 2),
        ("commit-record-synced", 0),
        ("commit-renamed", 0),
    ] {
        let folder = outdated();
        let ran = diurnal(&folder, "rejects").arg("--retry").fail_at(step).run();
        assert!(ran.was_killed(), "{step}");
        assert_eq!(
            diurnal(&folder, "rejects").arg("--retry").report(0)["points"],
            points,
            "{step}"
        );
        assert_eq!(day_files(&folder.archive()), whole, "{step}");
        assert_eq!(diurnal(&folder, "rejects").report(0)["retried"], 2, "{step}");
        diurnal(&folder, "verify").run().expect_code(0);
    }
}

#[test]
fn a_damaged_reject_file_is_named_and_nothing_is_made_of_it() {
    let folder = imported();
    let path = folder.join("archive/_diurnal/rejects/000001.jsonl");
    let mut bytes = fs::read(&path).expect("a reject file");
    bytes[20] ^= 1;
    fs::write(&path, bytes).expect("a test can write into its folder");
    let before = all_files(&folder.archive());
    for arguments in [&[][..], &["--retry"]] {
        diurnal(&folder, "rejects")
            .args(arguments)
            .run()
            .expect_code(1)
            .expect_said("000001.jsonl");
    }
    diurnal(&folder, "import")
        .arg("lines.lp")
        .run()
        .expect_code(1)
        .expect_said("000001.jsonl");
    assert_eq!(all_files(&folder.archive()), before);
}
