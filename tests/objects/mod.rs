//! Archives in buckets, on real servers: the same files as in a folder, whatever runs, races, stalls or dies.

mod azure;
mod kill;
mod race;
mod refused;

use serde_json::Value;

use crate::support::bucket::{SECRET, Server, read};
use crate::support::captures;
use crate::support::digest::{Tree, day_files_and_schemas};
use crate::support::folder::Folder;
use crate::support::lines::{self, Random};
use crate::support::run::diurnal;

/// Seed of the made-up lines.
const SEED: u64 = 7;

/// Lines of these tests: enough to cross midnight.
const LINES: usize = 5_000;

/// The day files and schemas that a local archive of these lines has.
fn local(content: impl AsRef<[u8]>) -> Tree {
    let folder = Folder::new();
    folder.write("lines.txt", content);
    diurnal(&folder, "import").arg("lines.txt").run().expect_code(0);
    day_files_and_schemas(&folder.archive())
}

/// Fails unless the archive in the bucket has these files, is as its ledger says, and has nothing staged.
#[track_caller]
fn expect_whole(server: &Server, folder: &Folder, prefix: &str, expected: &Tree) {
    let files = server.files(prefix);
    let mut found = day_files_and_schemas(&files);
    found.retain(|path, _| !path.ends_with(".sgwtmp"));
    assert_eq!(found, *expected);
    let staging = files.join("_diurnal/staging");
    let left = std::fs::read_dir(&staging).map_or(0, |entries| entries.count());
    assert_eq!(left, 0, "something is staged");
    server.diurnal(folder, "verify", prefix).run().expect_code(0);
}

#[test]
fn day_files_in_a_bucket_are_those_of_a_folder() {
    let Some(server) = Server::start() else { return };
    let all = lines::telegraf(SEED, LINES);
    let expected = local(lines::file_of(&all));
    let folder = Folder::new();
    let mut random = Random::new(SEED);
    let mut shuffled = all.clone();
    random.shuffle(&mut shuffled);
    let mut points = 0;
    for part in shuffled.chunks(LINES / 3 + 1) {
        folder.write("part.txt", lines::file_of(part));
        // Each comes twice.
        for _ in 0..2 {
            let report = server
                .diurnal(&folder, "import", "deep/archive")
                .arg("part.txt")
                .report(0);
            points += report["points"].as_u64().expect("a number");
        }
    }
    assert_eq!(points, LINES as u64, "nothing lost, nothing doubled");
    expect_whole(&server, &folder, "deep/archive", &expected);
}

#[test]
fn files_that_are_written_in_parts_replace_no_others_either() {
    let Some(server) = Server::start() else { return };
    let all = lines::telegraf(SEED, LINES);
    let folder = Folder::new();
    let import = |name: &str| {
        let run = server.diurnal(&folder, "import", "a").env("DIURNAL_PART_BYTES", "100");
        run.arg(name)
    };
    for (name, part) in ["1.txt", "2.txt", "3.txt"].iter().zip(all.chunks(LINES.div_ceil(3))) {
        folder.write(name, lines::file_of(part));
    }
    import("1.txt").run().expect_code(0);
    let mut asleep = import("2.txt").pause_at("bucket-publish").start();
    asleep.wait_for_step("bucket-publish");
    import("3.txt").run().expect_code(0);
    asleep.resume();
    asleep.wait().expect_code(0);
    expect_whole(&server, &folder, "a", &local(lines::file_of(&all)));
}

#[test]
fn every_command_works_on_a_bucket() {
    let Some(server) = Server::start() else { return };
    let folder = Folder::new();
    folder.write("lines.txt", captures::lines("my-computer-metric"));
    folder.write("bad.txt", "cpu,host=a usage_idle= 1592611190000000000\n");
    let run = |subcommand: &str| server.diurnal(&folder, subcommand, "a");
    run("import").args(["lines.txt", "bad.txt"]).run().expect_code(3);
    let status = run("status").report(0);
    assert_eq!(status["archive"], server.url("a"), "{status}");
    let rejects = run("rejects").run().expect_code(0);
    assert!(
        rejects.stdout.contains("cpu,host=a") && rejects.stdout.contains(&server.url("a")),
        "{}",
        rejects.stdout
    );
    let schema = run("schema").arg("show").run().expect_code(0);
    assert!(schema.stdout.contains("usage_idle"), "{}", schema.stdout);
    run("report").args(["--output", "report.html"]).run().expect_code(0);
    run("rejects").arg("--retry").run().expect_code(0);
    let dry = run("import").args(["--dry-run", "lines.txt"]).report(0);
    assert_eq!(dry["points"], 0);

    // Out of the bucket, and into it again.
    run("backup").arg("copy").run().expect_code(0);
    diurnal(&folder, "verify")
        .args(["--archive", "copy"])
        .run()
        .expect_code(0);
    assert_eq!(
        day_files_and_schemas(&folder.join("copy")),
        day_files_and_schemas(&server.files("a"))
    );
    server.diurnal(&folder, "merge", "b").arg("copy").run().expect_code(0);
    assert_eq!(
        day_files_and_schemas(&server.files("b")),
        day_files_and_schemas(&server.files("a"))
    );
    server
        .allow(diurnal(&folder, "merge"))
        .args(["--archive", "merged", &server.url("b")])
        .run()
        .expect_code(0);
    let absolute = format!("file://{}", folder.join("merged").display());
    diurnal(&folder, "verify")
        .args(["--archive", &absolute])
        .run()
        .expect_code(0);

    let pruned = run("prune").args(["--csv-older-than", "1d"]).report(0);
    assert!(pruned["files"].as_u64() > Some(0), "{pruned}");
    let csv = day_files_and_schemas(&server.files("a"))
        .into_keys()
        .filter(|path| path.ends_with(".csv"));
    assert_eq!(csv.count(), 0);
    run("verify").run().expect_code(0);
    assert!(
        !folder.join("archive").exists(),
        "nothing is made where nothing was asked for"
    );
}

#[test]
fn duckdb_and_pyarrow_read_a_bucket() {
    let Some(server) = Server::start() else { return };
    let folder = Folder::new();
    folder.write("lines.txt", lines::file_of(&lines::telegraf(SEED, LINES)));
    let report = server.diurnal(&folder, "import", "a").arg("lines.txt").report(0);
    let days = report["days"].as_array().expect("days");
    let rows: u64 = days
        .iter()
        .filter(|day| day["measurement"] == "cpu")
        .filter_map(|day| day["rows"].as_u64())
        .sum();
    let Some(output) = read(
        &server,
        folder.path(),
        "read_bucket.py",
        &[&format!("{}/cpu", server.url("a"))],
    ) else {
        return;
    };
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{printed}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let found: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(found["duckdb"][0], rows, "{found}");
    assert_eq!(found["duckdb_csv"], rows);
    assert_eq!(found["pyarrow"], rows);
    assert_eq!(found["sorted"], true);
}

#[test]
fn what_is_uploaded_is_told_and_no_secret_is() {
    let Some(server) = Server::start() else { return };
    let folder = Folder::new();
    folder.write("lines.txt", lines::file_of(&lines::telegraf(SEED, 50)));
    let ran = server
        .diurnal(&folder, "import", "a")
        .args(["-v", "lines.txt"])
        .run()
        .expect_code(0);
    for told in [
        "uploading",
        &server.url("a/cpu/2020-06-19.parquet"),
        &server.url("a/_diurnal/staging/"),
    ] {
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains(SECRET) && !ran.stdout.contains(SECRET));
    let mut pending = vec![server.files("a")];
    while let Some(path) = pending.pop() {
        match path.is_dir() {
            true => pending.extend(
                std::fs::read_dir(&path)
                    .expect("a folder")
                    .map(|entry| entry.expect("an entry").path()),
            ),
            false => {
                let bytes = std::fs::read(&path).expect("a file");
                let has = bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
                assert!(!has, "{}", path.display());
            }
        }
    }
}
