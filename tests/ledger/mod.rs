//! The ledger of an archive that many commits were made to, and archives that other versions of diurnal wrote.

mod versions;

use std::fs;

use serde_json::Value;

use crate::support::digest::{all_files, assert_no_debris, day_files, day_files_and_schemas};
use crate::support::duckdb::DuckDb;
use crate::support::folder::Folder;
use crate::support::root;
use crate::support::run::{Diurnal, diurnal};

/// After so few bytes of commits a ledger goes on in another segment: nearly each time.
const SMALL: (&str, &str) = ("DIURNAL_SEGMENT_BYTES", "1");

/// Records and `status` have times: those of two archives are to be the same.
const CLOCK: (&str, &str) = ("DIURNAL_CLOCK", "1795459200");

fn lines(run: u64) -> String {
    let time = |second: u64| 1_592_604_000_000_000_000 + (run * 10 + second) * 1_000_000_000;
    format!(
        "m,host=a v=1i,w=1.5 {}\nm,host=b v=2i {}\nm,host=c v=\"x\" {}\n",
        time(0),
        time(1),
        time(2)
    )
}

fn import(folder: &Folder, run: u64) -> Diurnal {
    diurnal(folder, "import").arg("-").stdin(lines(run))
}

/// What a long ledger is made of: runs, with rejects, a type that is set, a retry, a prune, and runs that have nothing new.
fn history(folder: &Folder, small: bool) {
    let with = |command: Diurnal| match small {
        true => command.env(SMALL.0, SMALL.1).env(CLOCK.0, CLOCK.1),
        false => command.env(CLOCK.0, CLOCK.1),
    };
    let run = |command: &str, args: &[&str]| drop(with(diurnal(folder, command).args(args)).run().expect_code(0));
    for number in 0..4 {
        // A run that was killed may have left nothing new to this one.
        let ran = with(import(folder, number)).run();
        let code = ran.status.code().filter(|code| *code == 0).unwrap_or(3);
        ran.expect_code(code);
    }
    run("schema", &["set", "m.v", "string"]);
    run("rejects", &["--retry"]);
    run("prune", &["--csv-older-than", "30d"]);
    with(import(folder, 4)).run().expect_code(3);
    run("rejects", &["--retry"]);
    with(import(folder, 4)).run().expect_code(0);
}

fn segments(folder: &Folder) -> Vec<String> {
    let ledger = |path: &String| path.starts_with("_diurnal/ledger-");
    all_files(&folder.archive()).into_keys().filter(ledger).collect()
}

fn json(folder: &Folder, command: &[&str]) -> Value {
    diurnal(folder, command[0])
        .args(&command[1..])
        .arg("--json")
        .env(CLOCK.0, CLOCK.1)
        .run()
        .expect_code(0)
        .json()
}

#[test]
fn an_archive_is_the_same_whether_its_ledger_is_one_file_or_many() {
    let (one, many) = (Folder::new(), Folder::new());
    history(&one, false);
    history(&many, true);
    let names = segments(&many);
    assert_eq!(segments(&one).len(), 1);
    assert!(names.len() >= 3, "{names:?}");
    assert_eq!(
        day_files_and_schemas(&one.archive()),
        day_files_and_schemas(&many.archive())
    );
    for command in [&["status"][..], &["rejects"], &["schema", "show"], &["verify"]] {
        assert_eq!(json(&one, command), json(&many, command), "{command:?}");
    }
    for (folder, small) in [(&one, false), (&many, true)] {
        let before = all_files(&folder.archive());
        let again = import(folder, 4);
        let again = if small { again.env(SMALL.0, SMALL.1) } else { again };
        again.run().expect_code(0);
        assert_eq!(all_files(&folder.archive()), before, "an idle run writes nothing");
    }
    let dry = |folder: &Folder| {
        let mut report = import(folder, 9).arg("--dry-run").env(SMALL.0, SMALL.1).report(3);
        report["elapsed_s"] = Value::Null;
        report["phases_s"] = Value::Null;
        report
    };
    let before = all_files(&many.archive());
    assert_eq!(dry(&one), dry(&many));
    assert_eq!(all_files(&many.archive()), before);
    // A copy has all of them, and runs go on with it as with the archive.
    diurnal(&many, "backup").arg("copy").run().expect_code(0);
    let mut copied = all_files(&many.join("copy"));
    copied.remove("_diurnal/lock");
    let mut expected = before;
    expected.remove("_diurnal/lock");
    assert_eq!(copied, expected);
    diurnal(&many, "verify")
        .args(["--archive", "copy"])
        .run()
        .expect_code(0);
    import(&many, 5).args(["--archive", "copy"]).run().expect_code(3);
    diurnal(&many, "verify")
        .args(["--archive", "copy"])
        .run()
        .expect_code(0);
}

#[test]
fn the_query_of_the_ledger_shows_every_commit_of_all_its_files() {
    let Some(duckdb) = DuckDb::get() else { return };
    let folder = Folder::new();
    history(&folder, true);
    let commits = json(&folder, &["status"])["commits"].as_u64().expect("a number");
    let text = fs::read_to_string(root().join("queries/ledger.sql")).expect("a query");
    let view = text
        .split("select \"commit\".id as")
        .next()
        .expect("the view comes first");
    let sql = format!(
        "{view} select count(*) as n, max(\"commit\".id) as last, sum(\"commit\".counts.lines) as lines from commits"
    );
    let rows = duckdb.query(folder.path(), &sql);
    let lines: u64 = json(&folder, &["status"])["totals"]["lines"]
        .as_u64()
        .expect("a number");
    assert_eq!(
        rows,
        [serde_json::json!({"n": commits, "last": commits, "lines": lines})]
    );
    let printed = duckdb.run_file(folder.path(), &root().join("queries/ledger.sql"));
    assert!(printed.contains("schema") && printed.contains("prune"), "{printed}");
}

#[test]
fn a_run_killed_while_it_begins_another_file_is_made_good_by_the_next() {
    let undisturbed = Folder::new();
    history(&undisturbed, true);
    for step in ["written", "synced", "renamed", "named"] {
        let folder = Folder::new();
        import(&folder, 0).env(SMALL.0, SMALL.1).run().expect_code(3);
        let before = day_files(&folder.archive());
        let killed = import(&folder, 1)
            .env(SMALL.0, SMALL.1)
            .fail_at(&format!("commit-segment-{step}"))
            .run();
        assert!(killed.was_killed(), "{step}");
        assert_eq!(day_files(&folder.archive()), before, "{step}");
        diurnal(&folder, "verify").run().expect_code(0);
        history(&folder, true);
        assert_eq!(
            day_files_and_schemas(&folder.archive()),
            day_files_and_schemas(&undisturbed.archive()),
            "{step}"
        );
        assert_no_debris(&folder.archive());
        diurnal(&folder, "verify").run().expect_code(0);
    }
}

#[test]
fn a_file_of_the_ledger_that_is_gone_or_damaged_is_found() {
    let folder = Folder::new();
    history(&folder, true);
    let names = segments(&folder);
    for (at, name) in names.iter().enumerate() {
        let path = folder.archive().join(name);
        let good = fs::read(&path).expect("a segment");
        let mut flipped = good.clone();
        flipped[good.len() / 2] ^= 1;
        fs::write(&path, flipped).expect("a test can write into its folder");
        diurnal(&folder, "verify")
            .run()
            .expect_code(1)
            .expect_said(name.rsplit('/').next().expect("a name"));
        diurnal(&folder, "backup").arg("copy").run().expect_code(1);
        assert!(!folder.join("copy").exists());
        fs::remove_file(&path).expect("it is there");
        if at + 1 < names.len() {
            let before = all_files(&folder.archive());
            for command in ["verify", "status"] {
                diurnal(&folder, command).run().expect_code(1).expect_said("is gone");
            }
            import(&folder, 7).run().expect_code(1).expect_said(name);
            assert_eq!(all_files(&folder.archive()), before);
        } else {
            diurnal(&folder, "verify").run().expect_code(1);
        }
        fs::write(&path, good).expect("a test can write into its folder");
    }
    diurnal(&folder, "verify").run().expect_code(0);
}
