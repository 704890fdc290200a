//! The same with Azure's protocol, on Microsoft's own server for tests: what hangs on its conditions and its errors.

use super::{LINES, SEED, expect_whole, kill, local, race};
use crate::support::bucket::{SECRET, Server};
use crate::support::folder::Folder;
use crate::support::lines;
use crate::support::run::diurnal;

#[test]
fn day_files_in_azure_are_those_of_a_folder_also_after_merge_and_prune() {
    let Some(server) = Server::azure() else { return };
    let all = lines::telegraf(SEED, LINES);
    let expected = local(lines::file_of(&all));
    let folder = Folder::new();
    for part in all.chunks(LINES / 3 + 1) {
        folder.write("part.txt", lines::file_of(part));
        // Each comes twice.
        for _ in 0..2 {
            server
                .diurnal(&folder, "import", "deep/a")
                .arg("part.txt")
                .run()
                .expect_code(0);
        }
    }
    expect_whole(&server, &folder, "deep/a", &expected);
    let merge = server.diurnal(&folder, "merge", "b").arg(server.url("deep/a"));
    merge.run().expect_code(0);
    expect_whole(&server, &folder, "b", &expected);
    let prune = server.diurnal(&folder, "prune", "b").args(["--csv-older-than", "1d"]);
    prune.run().expect_code(0);
    let mut pruned = expected;
    pruned.retain(|path, _| !path.ends_with(".csv"));
    expect_whole(&server, &folder, "b", &pruned);
}

#[test]
fn runs_in_azure_that_race_sleep_or_are_killed_lose_and_double_nothing() {
    let Some(server) = Server::azure() else { return };
    race::race(&server, 20);
    let Some(server) = Server::azure() else { return };
    race::sleep_over_a_commit(&server);
    kill::kill_at_any_step(&server);
}

#[test]
fn errors_of_azure_say_what_to_set_there_and_no_secret() {
    let Some(server) = Server::azure() else { return };
    let folder = Folder::new();
    folder.write("lines.txt", "m v=1 1592611190000000000\n");
    let import = || server.diurnal(&folder, "import", "a").arg("lines.txt");
    let nowhere = diurnal(&folder, "import").args(["--archive", "az://nowhere/a", "lines.txt"]);
    let nowhere = server.allow(nowhere);
    let failed = [
        (nowhere, "make the bucket first"),
        (
            import().env("AZURE_STORAGE_ACCOUNT_KEY", "bm90LXRoZS1rZXk="),
            "AZURE_STORAGE_ACCOUNT_KEY",
        ),
        (
            import().env("AZURE_STORAGE_ENDPOINT", "http://127.0.0.1:9/tester"),
            "AZURE_STORAGE_ENDPOINT",
        ),
        (import().env("AZURE_ALLOW_HTTP", "false"), "AZURE_ALLOW_HTTP=true"),
        (server.diurnal(&folder, "status", "nothing"), "there is no archive here"),
    ];
    for (run, said) in failed {
        let ran = run.run().expect_code(1).expect_said(said);
        assert!(
            !ran.stderr.contains(SECRET) && !ran.stderr.contains("AWS_"),
            "{}",
            ran.stderr
        );
        assert!(!ran.stderr.contains("RequestId"), "{}", ran.stderr);
    }
    diurnal(&folder, "status")
        .args(["--archive", "az://metrics/a"])
        .run()
        .expect_code(2)
        .expect_said("docs/how-to/object-stores.md");
}
