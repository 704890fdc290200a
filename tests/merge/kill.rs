//! A merge that is killed at any step, or that meets runs of the archives that it reads.

use std::collections::BTreeMap;
use std::fs;

use crate::support::digest::{Tree, all_files, assert_no_debris, day_files_and_schemas};
use crate::support::folder::{Folder, copy};
use crate::support::lines::{self, file_of};
use crate::support::run::{Diurnal, diurnal};

/// Three archives: the one that is merged into, and two with points, a reject and a measurement of their own.
fn three() -> Folder {
    let folder = Folder::new();
    let all = lines::telegraf(4, 4_800);
    folder.write("archive.lp", file_of(&all[..1_000]));
    folder.write(
        "b.lp",
        file_of(&all[900..3_000]) + "other,host=b v=1i 1592604000000000000\nm v=\n",
    );
    folder.write(
        "c.lp",
        file_of(&all[2_500..]) + "other,host=c v=2i 1592604000000000000\n",
    );
    for name in ["archive", "b", "c"] {
        let ran = diurnal(&folder, "import")
            .args(["--archive", name, &format!("{name}.lp")])
            .run();
        ran.expect_code(if name == "b" { 3 } else { 0 });
    }
    folder
}

fn merge(folder: &Folder) -> Diurnal {
    diurnal(folder, "merge").args(["b", "c"])
}

/// The first and last time of each step, and one in between.
fn some_occurrences(steps: &[String]) -> Vec<String> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for step in steps {
        *times.entry(step).or_default() += 1;
    }
    let of = |(step, times): (&str, usize)| {
        let mut some = vec![1, times / 2, times];
        some.retain(|time| *time > 0);
        some.dedup();
        some.into_iter()
            .map(move |time| format!("{step}:{time}"))
            .collect::<Vec<_>>()
    };
    times.into_iter().flat_map(of).collect()
}

#[test]
fn a_merge_killed_at_any_step_is_completed_by_the_same_command() {
    let base = three();
    let started = base.join("started");
    copy(&base.archive(), &started);
    let others = [all_files(&base.join("b")), all_files(&base.join("c"))];
    let ran = merge(&base).run().expect_code(0);
    let after = day_files_and_schemas(&base.archive());
    let rejects = |folder: &Folder| diurnal(folder, "rejects").report(0)["rejects"].clone();
    assert_eq!(rejects(&base), 1);

    let failpoints = some_occurrences(&ran.steps);
    assert!(failpoints.len() > 30, "{failpoints:?}");
    for failpoint in failpoints {
        fs::remove_dir_all(base.archive()).expect("a folder that this test made");
        copy(&started, &base.archive());
        let killed = merge(&base).fail_at(&failpoint).run();
        assert!(killed.was_killed(), "{failpoint}: {}", killed.stderr);
        diurnal(&base, "verify").run().expect_code(0);
        merge(&base).run().expect_code(0);
        assert_eq!(
            day_files_and_schemas(&base.archive()),
            after,
            "after a kill at {failpoint}"
        );
        assert_eq!(rejects(&base), 1, "after a kill at {failpoint}");
        assert_no_debris(&base.archive());
        diurnal(&base, "verify").run().expect_code(0);
    }
    assert_eq!(
        [all_files(&base.join("b")), all_files(&base.join("c"))],
        others,
        "they are only read"
    );
}

#[test]
fn a_first_merge_that_is_killed_leaves_an_archive_with_the_settings_of_the_first() {
    let folder = Folder::new();
    folder.write("a.lp", file_of(&lines::telegraf(5, 200)));
    diurnal(&folder, "import")
        .args([
            "--archive",
            "a",
            "--timezone",
            "Asia/Kathmandu",
            "--formats",
            "csv",
            "a.lp",
        ])
        .run()
        .expect_code(0);
    for step in [
        "open-begin",
        "open-folders-made",
        "open-ledger-made",
        "open-settings-renamed",
        "stage-file-synced",
    ] {
        let merge = || diurnal(&folder, "merge").args(["--archive", step, "a"]);
        assert!(merge().fail_at(step).run().was_killed(), "{step}");
        merge().run().expect_code(0);
        assert_eq!(
            day_files_and_schemas(&folder.join(step)),
            day_files_and_schemas(&folder.join("a"))
        );
        let settings = |name: &str| fs::read(folder.join(name).join("_diurnal/archive.toml")).expect("settings");
        assert_eq!(settings(step), settings("a"));
    }
}

#[test]
fn a_run_that_goes_on_with_the_other_archive_meanwhile_is_met_at_one_moment() {
    let folder = three();
    folder.write("more.lp", file_of(&lines::telegraf(6, 4_600)));
    let mut merging = diurnal(&folder, "merge").arg("b").pause_at("stage-folder-made").start();
    merging.wait_for_step("stage-folder-made");
    // It replaces files that the merge has the record of and has not read.
    diurnal(&folder, "import")
        .args(["--archive", "b", "more.lp"])
        .run()
        .expect_code(0);
    merging.resume();
    merging.wait().expect_code(0);
    folder.write(
        "all.lp",
        ["archive.lp", "b.lp", "more.lp"]
            .map(|name| fs::read_to_string(folder.join(name)).expect("lines"))
            .concat(),
    );
    diurnal(&folder, "import")
        .args(["--archive", "whole", "all.lp"])
        .run()
        .expect_code(3);
    assert_eq!(
        day_files_and_schemas(&folder.archive()),
        day_files_and_schemas(&folder.join("whole"))
    );

    // Neither lock is asked for more than it has to be.
    let mut run = diurnal(&folder, "import")
        .args(["--archive", "c", "more.lp"])
        .pause_at("before-commit")
        .start();
    run.wait_for_step("before-commit");
    diurnal(&folder, "merge").arg("c").run().expect_code(0);
    run.resume();
    run.wait().expect_code(0);
    let mut run = diurnal(&folder, "import")
        .arg("more.lp")
        .pause_at("before-commit")
        .start();
    run.wait_for_step("before-commit");
    diurnal(&folder, "merge")
        .arg("c")
        .run()
        .expect_code(4)
        .expect_said("another run holds the archive");
    diurnal(&folder, "merge").args(["--dry-run", "c"]).run().expect_code(0);
    run.resume();
    run.wait().expect_code(0);
}

#[test]
fn a_signal_ends_a_merge_before_the_next_day_and_nothing_of_that_archive_is_merged() {
    let folder = three();
    let before: Tree = all_files(&folder.archive());
    let mut merging = merge(&folder).pause_at("stage-folder-made").start();
    merging.wait_for_step("stage-folder-made");
    merging.terminate();
    merging.resume();
    merging.wait().expect_code(1).expect_said("stopped by a signal");
    let mut after = all_files(&folder.archive());
    after.retain(|path, _| path != "_diurnal/lock");
    let expected: Tree = before.into_iter().filter(|(path, _)| path != "_diurnal/lock").collect();
    assert_eq!(after, expected);
    merge(&folder).run().expect_code(0);
}
