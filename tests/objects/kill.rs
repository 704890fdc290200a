//! Runs that are killed (SIGKILL) between any two steps in the bucket.

use super::{SEED, expect_whole, local};
use crate::support::bucket::Server;
use crate::support::digest::Tree;
use crate::support::folder::Folder;
use crate::support::lines;

/// Steps of an import in a bucket, and how often each is come to before the run dies there.
const STEPS: [&str; 12] = [
    "bucket-settings-there",
    "bucket-opened",
    "bucket-staged:1",
    "bucket-staged:3",
    "bucket-marked",
    "bucket-record",
    "bucket-recorded",
    "bucket-publish:1",
    "bucket-published:1",
    "bucket-published:3",
    "bucket-cleared:1",
    "bucket-cleared:4",
];

/// Lines in two files, and the archive that both make on this machine.
fn two_imports() -> (Folder, Tree) {
    let all = lines::telegraf(SEED, 900);
    let folder = Folder::new();
    folder.write("1.txt", lines::file_of(&all[..500]));
    folder.write("2.txt", lines::file_of(&all[500..]));
    (folder, local(lines::file_of(&all)))
}

#[test]
fn a_run_that_is_killed_at_any_step_is_completed_or_undone_by_the_next() {
    let Some(server) = Server::start() else { return };
    kill_at_any_step(&server);
}

/// Kills a run at each of the steps, and has others follow.
pub fn kill_at_any_step(server: &Server) {
    let (folder, expected) = two_imports();
    for step in STEPS {
        let prefix = step.replace(':', "-");
        let import = |name: &str| server.diurnal(&folder, "import", &prefix).arg(name);
        import("1.txt").run().expect_code(0);
        let killed = import("2.txt").fail_at(step).run();
        assert!(killed.was_killed(), "{step}: {}", killed.stderr);
        server.diurnal(&folder, "verify", &prefix).run().expect_code(0);
        import("2.txt").run().expect_code(0);
        // What it staged for a number that another commit has by now goes with the run after that.
        import("2.txt").run().expect_code(0);
        expect_whole(server, &folder, &prefix, &expected);
    }
}

#[test]
fn who_completes_the_commit_of_a_killed_run_may_be_killed_too() {
    let Some(server) = Server::start() else { return };
    let (folder, expected) = two_imports();
    for step in [
        "bucket-recovery",
        "bucket-publish:1",
        "bucket-published:2",
        "bucket-cleared:2",
        "bucket-recovered",
    ] {
        let prefix = step.replace(':', "-");
        let import = |name: &str| server.diurnal(&folder, "import", &prefix).arg(name);
        import("1.txt").run().expect_code(0);
        assert!(import("2.txt").fail_at("bucket-recorded").run().was_killed());
        let again = import("2.txt").fail_at(step).run();
        assert!(again.was_killed(), "{step}: {}", again.stderr);
        server.diurnal(&folder, "verify", &prefix).run().expect_code(0);
        let report = import("2.txt").report(0);
        assert_eq!(report["points"], 0, "{step}: it had been committed");
        expect_whole(&server, &folder, &prefix, &expected);
    }
}
