//! `diurnal prune`: old files go on the ledger's record, `verify` stays content, and nothing comes back by itself.

use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::digest::{all_files, assert_no_debris, day_files};
use crate::support::folder::Folder;
use crate::support::run::diurnal;

const OLD: &str = "m,host=a v=1 1592604000000000000\nm,host=b v=2 1592604001000000000\n";
const LATE: &str = "m,host=a v=3 1592604002000000000\n";
const OLD_DAY: &str = "m/2020-06-19";

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970")
}

/// A line of three days ago, the same each time, and the path of its day without the extension.
fn recent() -> (String, String) {
    static TIME: OnceLock<Duration> = OnceLock::new();
    let time = *TIME.get_or_init(|| now() - Duration::from_secs(3 * 86_400));
    let date = chrono::DateTime::from_timestamp_nanos(time.as_nanos() as i64).format("%F");
    (format!("m,host=a v=9 {}\n", time.as_nanos()), format!("m/{date}"))
}

/// An archive with an old and a recent day.
fn archive() -> Folder {
    let folder = Folder::new();
    folder.write("lines.lp", OLD.to_owned() + &recent().0);
    folder.write("late.lp", LATE);
    diurnal(&folder, "import").arg("lines.lp").run().expect_code(0);
    folder
}

fn there(folder: &Folder, path: &str) -> bool {
    folder.archive().join(path).exists()
}

fn verified(folder: &Folder) {
    diurnal(folder, "verify").run().expect_code(0);
    assert_no_debris(&folder.archive());
}

#[test]
fn old_csv_files_go_and_late_lines_are_merged_into_what_is_left() {
    let folder = archive();
    let before = all_files(&folder.archive());
    let prune = || diurnal(&folder, "prune").args(["--csv-older-than", "90d"]);
    let dry = prune().arg("--dry-run").report(0);
    assert_eq!(all_files(&folder.archive()), before);
    let report = prune().report(0);
    assert_eq!((&dry["dry_run"], report.get("dry_run")), (&true.into(), None));
    assert_eq!(
        (&dry["days"], &dry["files"], &dry["bytes"]),
        (&report["days"], &report["files"], &report["bytes"])
    );
    let day = &report["days"][0];
    assert_eq!(day["removed"], serde_json::json!([format!("{OLD_DAY}.csv")]));
    assert_eq!(
        (&report["files"], &day["rows"], &day["gone"]),
        (&1.into(), &2.into(), &false.into())
    );
    let mut expected = day_files(&folder.archive());
    expected.insert(format!("{OLD_DAY}.csv"), before[&format!("{OLD_DAY}.csv")].clone());
    expected.extend(before.into_iter().filter(|(path, _)| path.starts_with("_diurnal")));
    assert!(!there(&folder, &format!("{OLD_DAY}.csv")));
    verified(&folder);

    let after = all_files(&folder.archive());
    assert_eq!(prune().report(0)["files"], 0, "once");
    assert_eq!(all_files(&folder.archive()), after);

    let report = diurnal(&folder, "import").arg("late.lp").report(0);
    assert_eq!(
        (&report["points"], &report["days"][0]["csv"]),
        (&1.into(), &serde_json::Value::Null)
    );
    assert!(!there(&folder, &format!("{OLD_DAY}.csv")), "it stays pruned");
    verified(&folder);
    let fresh = Folder::new();
    fresh.write("all.lp", OLD.to_owned() + LATE);
    diurnal(&fresh, "import").arg("all.lp").run().expect_code(0);
    let parquet = format!("{OLD_DAY}.parquet");
    assert_eq!(
        day_files(&folder.archive())[&parquet],
        day_files(&fresh.archive())[&parquet]
    );
    assert!(there(&folder, &(recent().1 + ".csv")), "a recent day keeps its files");
}

#[test]
fn late_lines_for_a_day_without_files_are_rejects() {
    let folder = archive();
    let report = diurnal(&folder, "prune")
        .args(["--csv-older-than", "90d", "--parquet-older-than", "90d"])
        .report(0);
    assert_eq!(
        (&report["files"], &report["days"][0]["gone"]),
        (&2.into(), &true.into())
    );
    verified(&folder);
    let status = diurnal(&folder, "status").run().expect_code(0);
    assert!(
        status.stdout.contains("1 day file, 1 row, 2 commits, 1 day pruned"),
        "{}",
        status.stdout
    );

    folder.write("late.lp", LATE.to_owned() + &recent().0 + "n v=1 1592604002000000000\n");
    let report = diurnal(&folder, "import").arg("late.lp").report(3);
    assert_eq!(
        (&report["points"], &report["folded"], &report["rejected"]),
        (&1.into(), &1.into(), &1.into()),
        "the other measurement's day is its own"
    );
    let reject = &report["rejects"][0];
    assert_eq!(
        (&reject["reason"], &reject["line"]),
        (&"day_pruned".into(), &LATE.trim_end().into())
    );
    diurnal(&folder, "import").arg("late.lp").run().expect_code(0);
    assert_eq!(diurnal(&folder, "rejects").arg("--retry").report(0)["rejected"], 1);
    assert_eq!(diurnal(&folder, "rejects").report(0)["rejects"], 1);
    assert!(!there(&folder, &format!("{OLD_DAY}.parquet")));
    let dry = diurnal(&folder, "import").args(["--dry-run", "lines.lp"]).report(3);
    assert_eq!(dry["rejected"], 2);
    verified(&folder);
}

#[test]
fn where_the_csv_is_left_late_lines_go_into_it() {
    let folder = archive();
    diurnal(&folder, "prune")
        .args(["--parquet-older-than", "90d"])
        .run()
        .expect_code(0);
    verified(&folder);
    assert_eq!(diurnal(&folder, "import").arg("late.lp").report(0)["points"], 1);
    let csv = fs::read_to_string(folder.archive().join(format!("{OLD_DAY}.csv"))).expect("it is left");
    assert_eq!(csv.lines().count(), 4, "{csv}");
    assert!(!there(&folder, &format!("{OLD_DAY}.parquet")));
    verified(&folder);
    diurnal(&folder, "schema").args(["show", "m"]).run().expect_code(0);
}

#[test]
fn reject_files_go_by_the_time_they_were_written_which_a_backup_keeps() {
    let folder = archive();
    let mut paths = Vec::new();
    for (name, line) in [("one.lp", "m, v=1\n"), ("two.lp", "m v=\n")] {
        folder.write(name, line);
        diurnal(&folder, "import").arg(name).run().expect_code(3);
        paths.push(format!("_diurnal/rejects/00000{}.jsonl", paths.len() + 2));
    }
    let old = SystemTime::now() - Duration::from_secs(10 * 86_400);
    let file = fs::OpenOptions::new()
        .write(true)
        .open(folder.archive().join(&paths[0]));
    file.and_then(|file| file.set_modified(old))
        .expect("a test may do that");
    diurnal(&folder, "backup").arg("copy").run().expect_code(0);
    for archive in ["archive", "copy"] {
        let report = diurnal(&folder, "prune")
            .args(["--rejects-older-than", "9d", "--archive", archive])
            .report(0);
        assert_eq!(report["rejects"], serde_json::json!([paths[0]]), "{archive}");
    }
    assert!(!there(&folder, &paths[0]) && there(&folder, &paths[1]));
    verified(&folder);
    assert_eq!(diurnal(&folder, "rejects").report(0)["rejects"], 1);
    // It is no longer known, so it is kept anew.
    assert_eq!(diurnal(&folder, "import").arg("one.lp").report(3)["rejected"], 1);
    verified(&folder);
}

#[test]
fn a_prune_that_is_killed_is_completed_by_the_next_run_or_never_happened() {
    let flags = ["--csv-older-than", "90d", "--parquet-older-than", "90d"];
    for (step, happened) in [
        ("commit-manifest-synced", false),
        ("commit-record-half-written", false),
        ("commit-record-written", true),
        ("commit-record-synced", true),
        ("commit-removed", true),
        ("commit-removed:2", true),
        ("commit-folder-synced", true),
        ("commit-staging-emptied", true),
        ("commit-staging-removed", true),
    ] {
        let folder = archive();
        let ran = diurnal(&folder, "prune").args(flags).fail_at(step).run();
        assert!(ran.was_killed(), "{step} was not reached");
        diurnal(&folder, "verify").run().expect_code(0);
        diurnal(&folder, "backup").arg("copy").run().expect_code(0);
        diurnal(&folder, "verify")
            .args(["--archive", "copy"])
            .run()
            .expect_code(0);
        folder.write("other.lp", "other v=1 1592604000000000000\n");
        if step == "commit-removed" {
            // Once more, in the middle of what the next run completes.
            let ran = diurnal(&folder, "import")
                .arg("other.lp")
                .fail_at("recovery-removed")
                .run();
            assert!(ran.was_killed());
            diurnal(&folder, "verify").run().expect_code(0);
        }
        diurnal(&folder, "import").arg("other.lp").run().expect_code(0);
        for extension in ["csv", "parquet"] {
            assert_eq!(
                there(&folder, &format!("{OLD_DAY}.{extension}")),
                !happened,
                "{step}, {extension}"
            );
        }
        verified(&folder);
        diurnal(&folder, "prune").args(flags).run().expect_code(0);
        assert!(!there(&folder, &format!("{OLD_DAY}.parquet")), "{step}");
        verified(&folder);
    }
}

#[test]
fn what_is_not_the_file_on_record_is_not_removed() {
    let folder = archive();
    folder.leaves_damaged("archive");
    let path = folder.archive().join(format!("{OLD_DAY}.csv"));
    fs::write(&path, "somebody's own notes").expect("a test can write into its folder");
    let before = all_files(&folder.archive());
    diurnal(&folder, "prune")
        .args(["--csv-older-than", "1d"])
        .run()
        .expect_code(1)
        .expect_said("2020-06-19.csv");
    assert_eq!(all_files(&folder.archive()), before);
}

#[test]
fn a_day_is_as_old_as_its_end() {
    let folder = Folder::new();
    let today = now().as_nanos() - 1_000_000_000;
    folder.write("lines.lp", format!("m v=1 {today}\n"));
    diurnal(&folder, "import").arg("lines.lp").run().expect_code(0);
    // It began hours ago, perhaps, but it has not ended.
    assert_eq!(
        diurnal(&folder, "prune").args(["--csv-older-than", "0s"]).report(0)["files"],
        0
    );
}

#[test]
fn an_age_is_asked_for_and_another_run_is_left_alone() {
    let folder = archive();
    diurnal(&folder, "prune").run().expect_code(2);
    diurnal(&folder, "prune").arg("--dry-run").run().expect_code(2);
    diurnal(&folder, "prune")
        .args(["--csv-older-than", "soon"])
        .run()
        .expect_code(2)
        .expect_said("--csv-older-than");
    let mut run = diurnal(&folder, "import")
        .arg("late.lp")
        .pause_at("before-commit")
        .start();
    run.wait_for_step("before-commit");
    diurnal(&folder, "prune")
        .args(["--csv-older-than", "1d"])
        .run()
        .expect_code(4);
    diurnal(&folder, "prune")
        .args(["--csv-older-than", "1d", "--dry-run"])
        .run()
        .expect_code(0);
    run.resume();
    run.wait().expect_code(0);
    let none = Folder::new();
    diurnal(&none, "prune")
        .args(["--csv-older-than", "1d"])
        .run()
        .expect_code(1)
        .expect_said("no archive");
    assert!(!none.archive().exists());
}
