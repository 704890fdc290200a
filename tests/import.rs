//! `diurnal import`: line-protocol files in any order, split, repeated, compressed or piped give the same archive.

use std::fs;
use std::io::Write as _;

use crate::support::captures;
use crate::support::digest::{assert_no_debris, day_files, day_files_and_schemas};
use crate::support::folder::Folder;
use crate::support::lines::{self, Random};
use crate::support::run::diurnal;

/// Seed of the made-up lines.
const SEED: u64 = 3;

/// Lines of these tests: enough to cross midnight.
const LINES: usize = 6_000;

/// The archive that an import of `content` makes.
fn imported(content: impl AsRef<[u8]>) -> Folder {
    let folder = Folder::new();
    folder.write("lines.txt", content);
    diurnal(&folder, "import").arg("lines.txt").run().expect_code(0);
    assert_no_debris(&folder.archive());
    folder
}

#[test]
fn shuffled_split_and_repeated_imports_are_byte_identical() {
    let all = lines::telegraf(SEED, LINES);
    let expected = day_files_and_schemas(&imported(lines::file_of(&all)).archive());

    for seed in 1..=4 {
        let mut random = Random::new(seed);
        let mut shuffled = all.clone();
        random.shuffle(&mut shuffled);
        let folder = Folder::new();
        let mut left = &shuffled[..];
        let mut points = 0;
        while !left.is_empty() {
            let (part, rest) = left.split_at(left.len().min(1 + random.below(3_000) as usize));
            folder.write("part.txt", lines::file_of(part));
            // Every second part comes twice.
            for _ in 0..=random.below(2) {
                let report = diurnal(&folder, "import").arg("part.txt").report(0);
                assert_eq!(report["lines"], part.len());
                points += report["points"].as_u64().expect("a number");
            }
            left = rest;
        }
        assert_eq!(points, LINES as u64, "seed {seed}: nothing lost, nothing doubled");
        assert_eq!(day_files_and_schemas(&folder.archive()), expected, "seed {seed}");
    }
}

#[test]
fn several_files_at_once_equal_one_file() {
    let all = lines::telegraf(SEED, LINES);
    let expected = day_files(&imported(lines::file_of(&all)).archive());
    let folder = Folder::new();
    let (late, early) = (lines::file_of(&all[LINES / 3..]), lines::file_of(&all[..LINES / 3]));
    folder.write("late.txt", late);
    folder.write("early.txt", early);
    diurnal(&folder, "import")
        .args(["late.txt", "early.txt"])
        .run()
        .expect_code(0);
    assert_eq!(day_files(&folder.archive()), expected);
}

#[test]
fn compressed_and_piped_imports_equal_the_plain_one() {
    let plain = captures::lines("my-computer-metric");
    let expected = day_files(&imported(&plain).archive());

    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&plain).expect("memory takes it");
    let folder = Folder::new();
    folder.write("lines.gz", gz.finish().expect("memory takes it"));
    diurnal(&folder, "import").arg("lines.gz").run().expect_code(0);
    assert_eq!(day_files(&folder.archive()), expected, "gz");

    let folder = Folder::new();
    folder.write("lines.zst", zstd::encode_all(&plain[..], 1).expect("memory takes it"));
    diurnal(&folder, "import").arg("lines.zst").run().expect_code(0);
    assert_eq!(day_files(&folder.archive()), expected, "zst");

    let folder = Folder::new();
    diurnal(&folder, "import").arg("-").stdin(plain).run().expect_code(0);
    assert_eq!(day_files(&folder.archive()), expected, "standard input");
}

#[test]
fn a_gz_file_of_several_members_is_read_to_its_end() {
    let all = lines::telegraf(SEED, 200);
    let folder = Folder::new();
    let mut bytes = Vec::new();
    for half in all.chunks(100) {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(lines::file_of(half).as_bytes()).expect("memory takes it");
        bytes.extend(gz.finish().expect("memory takes it"));
    }
    folder.write("log.gz", bytes);
    assert_eq!(diurnal(&folder, "import").arg("log.gz").report(0)["points"], 200);
}

/// As pzstd writes it.
#[test]
fn a_zst_file_that_begins_with_a_skippable_frame_is_read() {
    let text = lines::file_of(&lines::telegraf(SEED, 50));
    let mut bytes = vec![0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];
    bytes.extend(zstd::encode_all(text.as_bytes(), 1).expect("memory takes it"));
    let folder = Folder::new();
    folder.write("log.zst", &bytes);
    let report = diurnal(&folder, "import").arg("log.zst").report(0);
    assert_eq!(report["lines"], text.lines().count());
}

#[test]
fn a_compressed_file_that_was_cut_off_fails_and_commits_nothing() {
    let plain = lines::file_of(&lines::telegraf(SEED, 2_000));
    let whole = zstd::encode_all(plain.as_bytes(), 1).expect("memory takes it");
    let folder = Folder::new();
    folder.write("cut.zst", &whole[..whole.len() / 2]);
    diurnal(&folder, "import")
        .arg("cut.zst")
        .run()
        .expect_code(1)
        .expect_said("cut.zst");
    assert!(!folder.join("archive/cpu").exists());
}

fn named_pipe(folder: &Folder) -> std::path::PathBuf {
    let pipe = folder.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo");
    pipe
}

/// A look at the pipe before it is read would cut its writer off.
#[test]
fn a_named_pipe_is_opened_once() {
    let folder = Folder::new();
    let pipe = named_pipe(&folder);
    let text = lines::file_of(&lines::telegraf(SEED, 5_000));
    let count = text.lines().count();
    let writer = std::thread::spawn(move || std::fs::write(pipe, text));
    let report = diurnal(&folder, "import").arg("pipe").report(0);
    writer.join().expect("it does not panic").expect("all of it was read");
    assert_eq!(report["lines"], count);
}

#[test]
fn a_signal_ends_an_import_that_waits_for_a_silent_pipe() {
    use std::io::Write as _;
    let folder = Folder::new();
    let pipe = named_pipe(&folder);
    let text = lines::file_of(&lines::telegraf(SEED, 5_000));
    let running = diurnal(&folder, "import").args(["--json", "pipe"]).start();
    let mut writer = std::fs::OpenOptions::new()
        .write(true)
        .open(pipe)
        .expect("the run reads it");
    // More than a pipe holds: when it is written, the run is reading.
    writer.write_all(text.as_bytes()).expect("the run reads it");
    running.terminate();
    let ran = running.wait().expect_code(1).expect_said("stopped by a signal");
    assert!(
        ran.json()["points"].as_u64().is_some_and(|points| points > 0),
        "what was read is archived"
    );
    drop(writer);
}

#[test]
fn what_the_old_consumer_left_is_read_past_its_blank_lines() {
    let all = lines::telegraf(SEED, 900);
    let expected = day_files(&imported(lines::file_of(&all)).archive());
    let folder = Folder::new();
    let mut names = Vec::new();
    for (thread, part) in all.chunks(300).enumerate() {
        let name = format!("consumer-thread-{thread}.csv");
        // A message ends in a newline, and the old consumer printed another one behind it.
        folder.write(&name, part.iter().map(|line| format!("{line}\n\n")).collect::<String>());
        names.push(name);
    }
    let report = diurnal(&folder, "import").args(&names).report(0);
    assert_eq!(
        (report["lines"].as_u64(), report["rejected"].as_u64()),
        (Some(900), Some(0))
    );
    assert_eq!(day_files(&folder.archive()), expected);
}

#[test]
fn the_number_of_threads_is_not_seen_in_the_files() {
    let plain = captures::lines("wide");
    let folders = ["1", "2", "7"].map(|threads| {
        let folder = Folder::new();
        folder.write("lines.txt", &plain);
        diurnal(&folder, "import")
            .args(["--threads", threads, "lines.txt"])
            .run()
            .expect_code(0);
        folder
    });
    let [one, two, seven] = folders
        .each_ref()
        .map(|folder| day_files_and_schemas(&folder.archive()));
    assert_eq!(one, two);
    assert_eq!(one, seven);
}

#[test]
fn the_precision_says_what_the_times_count() {
    let expected = day_files(&imported("m,host=a v=1i 1592604000000000000\n").archive());
    for (precision, time) in [("us", "1592604000000000"), ("ms", "1592604000000"), ("s", "1592604000")] {
        let folder = Folder::new();
        let line = format!("m,host=a v=1i {time}\n");
        diurnal(&folder, "import")
            .args(["--precision", precision, "-"])
            .stdin(line)
            .run()
            .expect_code(0);
        assert_eq!(day_files(&folder.archive()), expected, "{precision}");
    }
}

#[test]
fn a_time_of_the_wrong_precision_is_a_reject_that_asks_about_it() {
    let folder = Folder::new();
    let ran = diurnal(&folder, "import")
        .arg("-")
        .stdin("m,host=a v=1i 1592604000\n")
        .run();
    ran.expect_code(3).expect_said("precision");
}

#[test]
fn a_line_without_time_needs_a_default_time() {
    let folder = Folder::new();
    let report = diurnal(&folder, "import").arg("-").stdin("m v=1i\n").report(3);
    assert_eq!(report["rejects"][0]["reason"], "no_time");
    let folder = Folder::new();
    diurnal(&folder, "import")
        .args(["--default-time", "2020-06-19T22:00:00Z", "-"])
        .stdin("m v=1i\n")
        .run()
        .expect_code(0);
    let csv = std::fs::read_to_string(folder.join("archive/m/2020-06-19.csv")).expect("a day file");
    assert_eq!(csv, "time,v\n2020-06-19T22:00:00.000000000Z,1\n");
}

#[test]
fn a_missing_file_fails_and_names_it() {
    let folder = Folder::new();
    diurnal(&folder, "import")
        .arg("nowhere.txt")
        .run()
        .expect_code(1)
        .expect_said("nowhere.txt");
}

#[test]
fn an_import_of_nothing_is_a_good_run() {
    let folder = Folder::new();
    let report = diurnal(&folder, "import")
        .arg("-")
        .stdin("\n# only a comment\n\n")
        .report(0);
    assert_eq!(
        (report["lines"].as_u64(), report["points"].as_u64()),
        (Some(0), Some(0))
    );
}

#[test]
fn the_name_of_a_measurement_becomes_one_folder() {
    let folder = imported("../a/b\\ c v=1i 1592604000000000000\n.hidden v=1i 1592604000000000000\n");
    let files: Vec<_> = day_files(&folder.archive()).into_keys().collect();
    assert_eq!(
        files,
        [
            "%2E.%2Fa%2Fb%20c/2020-06-19.csv",
            "%2E.%2Fa%2Fb%20c/2020-06-19.parquet",
            "%2Ehidden/2020-06-19.csv",
            "%2Ehidden/2020-06-19.parquet",
        ]
    );
}

#[test]
fn no_archive_is_made_among_other_files() {
    let folder = Folder::new();
    folder.write("lines.lp", "m v=1 1592604000000000000\n");
    let make = |path: &str| fs::create_dir_all(folder.join(path)).expect("a folder");
    make("home");
    folder.write("home/notes.txt", "mine");
    let import = |archive: &str| diurnal(&folder, "import").args(["--archive", archive, "lines.lp"]);
    for run in [import("home"), import("home").arg("--dry-run")] {
        run.run()
            .expect_code(2)
            .expect_said("home: is no archive and not empty: it holds notes.txt");
    }
    assert_eq!(fs::read_dir(folder.join("home")).expect("a folder").count(), 1);

    // What a file system or a desktop puts there is no reason, and an archive stays one whatever is put beside its folders.
    make("disk/lost+found");
    folder.write("disk/.directory", "");
    import("disk").run().expect_code(0);
    folder.write("disk/notes.txt", "mine");
    import("disk").run().expect_code(0);
    // A run that was killed while it made the archive has left no more than this.
    make("begun/_diurnal");
    folder.write("begun/notes.txt", "mine");
    import("begun").run().expect_code(0);
}
