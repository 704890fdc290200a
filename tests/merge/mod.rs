//! `diurnal merge`: archives that were made apart become the one that got everything.

mod kill;
mod law;
mod ledger;
mod refused;
mod world;

use std::fs;

use serde_json::Value;

use self::world::{BOTH, World};
use crate::rejects::{outdated, whole};
use crate::support::digest::{all_files, assert_no_debris, day_files, day_files_and_schemas};
use crate::support::folder::Folder;
use crate::support::run::diurnal;

fn verified(folder: &Folder, name: &str) {
    diurnal(folder, "verify").args(["--archive", name]).run().expect_code(0);
    assert_no_debris(&folder.join(name));
}

/// Imports lines into archives of these names; the exit code is that of rejects where there are any.
fn archives(lines: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    for (name, lines) in lines {
        import(&folder, name, lines);
    }
    folder
}

fn import(folder: &Folder, name: &str, lines: &str) {
    folder.write("lines.lp", lines);
    let ran = diurnal(folder, "import").args(["--archive", name, "lines.lp"]).run();
    let code = ran.status.code();
    assert!(matches!(code, Some(0 | 3)), "{}", ran.stderr);
}

fn merge(folder: &Folder, others: &[&str]) -> Value {
    diurnal(folder, "merge").args(others).report(0)
}

fn rejects(folder: &Folder, name: &str) -> (u64, u64) {
    let report = diurnal(folder, "rejects").args(["--archive", name]).report(0);
    let number = |key: &str| report[key].as_u64().expect("a number");
    (number("rejects"), number("retried"))
}

#[test]
fn rows_columns_and_conflicts_of_both_make_the_files_of_one_archive() {
    let a = "m,host=a v=1,w=1 1592604000000000000\nm,host=a v=1 1592704000000000000\n";
    let b = "m,host=a v=2,new=\"x\" 1592604000000000000\nm,rack=1 v=3 1592604001000000000\nn v=1 1592604000000000000\n";
    let folder = archives(&[("archive", a), ("b", b), ("whole", &(a.to_owned() + b))]);
    let before = all_files(&folder.join("b"));
    let dry = diurnal(&folder, "merge").args(["--dry-run", "b"]).report(0);
    assert_eq!(all_files(&folder.join("b")), before);
    let report = merge(&folder, &["b"]);
    for key in ["lines", "points", "folded", "conflicts", "rejected", "bytes_in"] {
        assert_eq!(report[key], dry[key], "{key}");
    }
    assert_eq!((&dry["dry_run"], report.get("dry_run")), (&true.into(), None));
    assert_eq!(
        (
            &report["lines"],
            &report["points"],
            &report["folded"],
            &report["conflicts"]
        ),
        (&3.into(), &2.into(), &1.into(), &1.into())
    );
    assert_eq!(report["command"], "merge");
    assert_eq!(
        day_files_and_schemas(&folder.archive()),
        day_files_and_schemas(&folder.join("whole"))
    );
    assert_eq!(all_files(&folder.join("b")), before, "it is only read");
    verified(&folder, "archive");

    // What is there already changes nothing, and neither does a copy of the archive itself.
    let after = all_files(&folder.archive());
    diurnal(&folder, "backup").arg("copy").run().expect_code(0);
    let again = merge(&folder, &["b", "copy"]);
    assert_eq!((&again["points"], &again["days"]), (&0.into(), &serde_json::json!([])));
    assert_eq!(again["lines"], again["folded"]);
    assert_eq!(all_files(&folder.archive()), after);
}

#[test]
fn a_merge_that_makes_the_archive_takes_the_settings_of_the_first() {
    let folder = Folder::new();
    for (name, formats) in [("b", "csv"), ("c", "parquet,csv")] {
        folder.write("lines.lp", format!("m,host={name} v=1 1592604000000000000\n"));
        let flags = [
            "--timezone",
            "Asia/Kathmandu",
            "--time-unit",
            "us",
            "--formats",
            formats,
        ];
        diurnal(&folder, "import")
            .args(["--archive", name, "lines.lp"])
            .args(flags)
            .run()
            .expect_code(0);
    }
    merge(&folder, &["b", "c"]);
    let settings = |name: &str| fs::read_to_string(folder.join(name).join("_diurnal/archive.toml")).expect("settings");
    assert_eq!(settings("archive"), settings("b"));
    assert!(folder.join("archive/m/2020-06-20.csv").exists() && !folder.join("archive/m/2020-06-20.parquet").exists());
    verified(&folder, "archive");
}

#[test]
fn days_that_only_the_other_has_are_copied_and_counted_as_if_they_were_encoded() {
    let world = World::new(BOTH, "UTC");
    let second = |second: i64| 1_592_568_000_000_000_000 + second * 1_000_000_000;
    let line = |host: &str, value: i64, time: i64| format!("learned,host={host} f={value} {}\n", second(time));
    // Fourteen points, of which two have another row, one of them across two leaves of four rows.
    let mut lines: Vec<String> = (0..14).map(|number| line("a", number, number)).collect();
    lines.extend([line("a", 100, 3), line("a", 100, 9), line("a", 101, 9)]);
    world.archive("b", &lines, &[]);
    let (report, leaves) = world.merge("a", &["b"]).expect("a merge");
    assert_eq!(
        (report.lines, report.points, report.folded, report.conflicts),
        (17, 14, 3, 2)
    );
    assert!(leaves.copied >= 5 && leaves.encoded == 0, "{leaves:?}");
    world.archive("whole", &lines, &[]);
    assert_eq!(
        crate::law::bytes_of(&world.path("a")),
        crate::law::bytes_of(&world.path("whole"))
    );

    // With another column that is declared here, a day can't stay as it is.
    fs::write(
        world.path("schemas/learned.toml"),
        "measurement = \"learned\"\n[[field]]\nname = \"x\"\ntype = \"int\"\n",
    )
    .expect("a schema");
    world.archive("c", &["learned,host=c x=1i 1592704000000000000\n"], &[]);
    let (report, leaves) = world.merge("c", &["b"]).expect("a merge");
    assert_eq!(
        (report.lines, report.points, report.folded, report.conflicts),
        (17, 14, 3, 2)
    );
    assert!(leaves.copied == 0 && leaves.encoded >= 5, "{leaves:?}");
    lines.push("learned,host=c x=1i 1592704000000000000\n".to_owned());
    world.archive("whole-c", &lines, &[]);
    assert_eq!(
        crate::law::bytes_of(&world.path("c")),
        crate::law::bytes_of(&world.path("whole-c"))
    );
    world.verify("c");
}

#[test]
fn rejects_come_along_once_with_their_origin() {
    let bad = "m v=\nm v=1 1592604000000000000\n";
    let folder = archives(&[("archive", "m v=1 1592604000000000000\n"), ("b", bad), ("c", bad)]);
    let report = diurnal(&folder, "merge").args(["b", "c"]).report(0);
    assert_eq!(
        (
            &report["lines"],
            &report["points"],
            &report["folded"],
            &report["rejected"],
            &report["rejected_again"]
        ),
        (&4.into(), &0.into(), &2.into(), &2.into(), &1.into())
    );
    assert_eq!(report["rejects"].as_array().map(Vec::len), Some(1));
    assert_eq!(report["rejects"][0]["source"], "lines.lp");
    assert_eq!(rejects(&folder, "archive"), (1, 0));
    let stored = fs::read_to_string(folder.join("archive/_diurnal/rejects/000002.jsonl")).expect("rejects");
    assert_eq!(
        stored,
        fs::read_to_string(folder.join("b/_diurnal/rejects/000001.jsonl")).expect("rejects")
    );
    // It is known here as well: the same lines are no new rejects.
    folder.write("lines.lp", bad);
    diurnal(&folder, "import").arg("lines.lp").run().expect_code(0);
    assert_eq!(rejects(&folder, "archive"), (1, 0));
    let before = all_files(&folder.archive());
    let quiet = diurnal(&folder, "merge").args(["-q", "b", "c"]).run().expect_code(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    assert_eq!(all_files(&folder.archive()), before);
    verified(&folder, "archive");
}

#[test]
fn a_new_kind_of_reject_is_told_once_an_archive() {
    let folder = archives(&[
        ("archive", "m v=1 1592604000000000000\n"),
        ("b", "m v=\nm v= 5\n"),
        ("c", "m v=\n"),
    ]);
    let ran = diurnal(&folder, "merge").args(["-q", "b"]).run().expect_code(0);
    assert_eq!(
        ran.stderr.matches("new kind of reject: empty_value").count(),
        1,
        "{}",
        ran.stderr
    );
    let ran = diurnal(&folder, "merge").args(["-q", "c"]).run().expect_code(0);
    assert_eq!(ran.stderr, "");
    import(&folder, "archive", "x v=\n");
    let ledger = fs::read_to_string(folder.join("archive/_diurnal/ledger-000001.jsonl")).expect("a ledger");
    assert_eq!(ledger.matches("reject_kinds").count(), 1);
}

#[test]
fn rejects_that_were_driven_again_stay_so() {
    // As they come: two of three went in. Then where the archive has them and they wait.
    for waiting_here in [false, true] {
        let folder = outdated();
        if waiting_here {
            diurnal(&folder, "backup").arg("all").run().expect_code(0);
        }
        diurnal(&folder, "rejects").arg("--retry").run().expect_code(0);
        let report = diurnal(&folder, "merge")
            .args(["--archive", "all", "archive"])
            .report(0);
        let again = u64::from(waiting_here);
        assert_eq!(
            (&report["rejected"], report["rejected_again"].as_u64().unwrap_or(0)),
            (&1.into(), again),
            "those that went in are rows"
        );
        assert_eq!(rejects(&folder, "all"), (3, 2));
        assert_eq!(day_files(&folder.join("all")), day_files(&whole().archive()));
        verified(&folder, "all");
        let before = all_files(&folder.join("all"));
        diurnal(&folder, "merge")
            .args(["--archive", "all", "archive"])
            .run()
            .expect_code(0);
        let retry = diurnal(&folder, "rejects")
            .args(["--archive", "all", "--retry"])
            .report(0);
        assert_eq!(retry["lines"], 1, "only what waits is driven again");
        assert_eq!(all_files(&folder.join("all")), before);
    }
}

#[test]
fn what_was_pruned_stays_so_and_nothing_is_lost_unseen() {
    let line = |host: &str| format!("m,host={host} v=1 1592604000000000000\n");
    let prune = |folder: &Folder, name: &str, formats: &[&str]| {
        let flags = formats
            .iter()
            .flat_map(|format| [format!("--{format}-older-than"), "1d".to_owned()]);
        diurnal(folder, "prune")
            .args(["--archive", name])
            .args(flags)
            .run()
            .expect_code(0);
    };
    let there = |folder: &Folder, name: &str, extension: &str| {
        folder.join(&format!("{name}/m/2020-06-19.{extension}")).exists()
    };
    let both = || archives(&[("archive", &line("a")), ("b", &line("b"))]);

    // A CSV file that was pruned here stays so, one that is here stays here, and rows come from what is left there.
    let folder = both();
    prune(&folder, "archive", &["csv"]);
    assert_eq!(merge(&folder, &["b"])["points"], 1);
    assert!(there(&folder, "archive", "parquet") && !there(&folder, "archive", "csv"));
    verified(&folder, "archive");
    for format in ["csv", "parquet"] {
        let folder = both();
        prune(&folder, "b", &[format]);
        assert_eq!(merge(&folder, &["b"])["points"], 1);
        assert!(there(&folder, "archive", "parquet") && there(&folder, "archive", "csv"));
        let whole = archives(&[("archive", &(line("a") + &line("b")))]);
        assert_eq!(day_files(&folder.archive()), day_files(&whole.archive()));
        // A day that is new here gets what is left of it there.
        diurnal(&folder, "merge")
            .args(["--archive", "new", "b"])
            .run()
            .expect_code(0);
        assert_eq!(day_files(&folder.join("new")), day_files(&folder.join("b")));
        verified(&folder, "new");
    }

    // Of a day without files there is nothing to take; rows for one are refused.
    let folder = both();
    prune(&folder, "b", &["csv", "parquet"]);
    let before = all_files(&folder.archive());
    assert_eq!(merge(&folder, &["b"])["lines"], 0);
    diurnal(&folder, "merge")
        .arg("b")
        .run()
        .expect_code(0)
        .expect_said("1 day of b was pruned there");
    assert_eq!(all_files(&folder.archive()), before);
    let folder = both();
    prune(&folder, "archive", &["csv", "parquet"]);
    let before = all_files(&folder.archive());
    let ran = diurnal(&folder, "merge").arg("b").run().expect_code(1);
    ran.expect_said("m 2020-06-19: was pruned here, but b has 1 row of it");
    assert_eq!(all_files(&folder.archive()), before);
    prune(&folder, "b", &["csv", "parquet"]);
    merge(&folder, &["b"]);
    verified(&folder, "archive");
}
