//! One run at a time: a second one leaves at once, with exit code 4 and the first one's process id.

use crate::support::digest::day_files;
use crate::support::folder::Folder;
use crate::support::lines;
use crate::support::run::diurnal;

/// A step at which a run holds the lock and has committed nothing.
const BEFORE_COMMIT: &str = "before-commit";

#[test]
fn a_second_run_exits_4_and_names_the_first() {
    let folder = Folder::new();
    folder.write("lines.txt", lines::file_of(&lines::telegraf(1, 100)));
    let mut first = diurnal(&folder, "import")
        .arg("lines.txt")
        .pause_at(BEFORE_COMMIT)
        .start();
    first.wait_for_step(BEFORE_COMMIT);
    let second = diurnal(&folder, "import").arg("lines.txt").run();
    second.expect_code(4).expect_said(&first.pid().to_string());
    first.resume();
    first.wait().expect_code(0);
    let files = day_files(&folder.archive());
    diurnal(&folder, "import").arg("lines.txt").run().expect_code(0);
    assert_eq!(day_files(&folder.archive()), files);
}

#[test]
fn the_lock_of_a_killed_run_holds_nobody_up() {
    let folder = Folder::new();
    folder.write("lines.txt", lines::file_of(&lines::telegraf(1, 100)));
    let mut first = diurnal(&folder, "import")
        .arg("lines.txt")
        .pause_at(BEFORE_COMMIT)
        .start();
    first.wait_for_step(BEFORE_COMMIT);
    assert!(first.kill().was_killed());
    diurnal(&folder, "import").arg("lines.txt").run().expect_code(0);
}

#[test]
fn verify_and_status_read_while_a_run_holds_the_lock() {
    let folder = Folder::new();
    folder.write("lines.txt", lines::file_of(&lines::telegraf(1, 100)));
    diurnal(&folder, "import").arg("lines.txt").run().expect_code(0);
    folder.write("more.txt", lines::file_of(&lines::telegraf(2, 100)));
    let mut run = diurnal(&folder, "import")
        .arg("more.txt")
        .pause_at(BEFORE_COMMIT)
        .start();
    run.wait_for_step(BEFORE_COMMIT);
    diurnal(&folder, "status").run().expect_code(0);
    diurnal(&folder, "verify").run().expect_code(0);
    run.resume();
    run.wait().expect_code(0);
}

#[test]
fn a_second_machine_is_told_who_holds_the_archive() {
    let folder = Folder::new();
    folder.write("lines.txt", lines::file_of(&lines::telegraf(1, 100)));
    diurnal(&folder, "import").arg("lines.txt").run().expect_code(0);
    // As a run on another machine leaves it on a file system that both have.
    let path = folder.archive().join("_diurnal/lock");
    let held = std::fs::File::create(&path).expect("a lock can be opened");
    held.lock().expect("nobody has it");
    std::fs::write(&path, "4711 metrics-2.example.org").expect("a lock can be written");
    let second = diurnal(&folder, "import").arg("lines.txt").run();
    second
        .expect_code(4)
        .expect_said("process 4711 on metrics-2.example.org");
    drop(held);
    diurnal(&folder, "import").arg("lines.txt").run().expect_code(0);
}
