//! File systems without room, for reading only, and others than that of temporary files.

use std::fs;

use super::{import, run, tree, write_lines};
use crate::support::digest::day_files_and_schemas;
use crate::support::folder::Folder;
use crate::support::mounted::Mounted;
use crate::support::run::diurnal;

/// Bytes of the file system that gets full.
const ROOM: u64 = 8 << 20;

#[test]
fn a_full_disk_ends_the_run_with_its_figures_and_the_next_one_completes() {
    let folder = Folder::new();
    write_lines(&folder, 20_000);
    import(&folder, &folder.archive(), "first.txt").run().expect_code(0);
    import(&folder, &folder.archive(), "later.txt").run().expect_code(0);
    let expected = day_files_and_schemas(&folder.archive());
    let Some(disk) = Mounted::at(folder.join("small"), ROOM) else {
        return;
    };
    let archive = disk.path().join("archive");
    import(&folder, &archive, "first.txt").run().expect_code(0);
    let before = tree(&archive);
    let free = || {
        let found = rustix::fs::statvfs(disk.path()).expect("a file system says what is free");
        found.f_bfree * found.f_frsize
    };
    let all = free();
    let (mut refused, mut full) = (0, 0);
    // In steps until it fits.
    let fits_into = (0..).map(|step| step * 96 * 1024).find(|left| {
        assert!(*left < all, "it does not even fit into the whole disk");
        let filler = disk.path().join("filler");
        let mut file = fs::File::create(&filler).expect("a file can be made");
        let taken = std::io::copy(&mut std::io::Read::take(std::io::repeat(7), all - left), &mut file);
        taken.expect("it fits");
        drop(file);
        let ran = import(&folder, &archive, "later.txt").run();
        fs::remove_file(&filler).expect("a file can be removed");
        if ran.status.code() == Some(0) {
            return true;
        }
        let ran = ran.expect_code(1);
        let [early, late, full_anyhow] = [
            "needs at least",
            "bytes of this commit were staged by then",
            "No space left on device",
        ]
        .map(|said| ran.stderr.contains(said));
        assert!(early || full_anyhow, "with {left} bytes free: {}", ran.stderr);
        assert!(!(early || late) || ran.stderr.contains("are free"), "{}", ran.stderr);
        refused += u64::from(early);
        full += u64::from(late);
        let mut after = tree(&archive);
        after.retain(|path, _| !path.starts_with("_diurnal/staging/"));
        assert_eq!(after, before, "with {left} bytes free");
        run(&folder, &archive, "verify").run().expect_code(0);
        false
    });
    assert_eq!(day_files_and_schemas(&archive), expected);
    run(&folder, &archive, "verify").run().expect_code(0);
    println!(
        "{} runs on a full disk, {refused} of them refused before a day was written and {full} while it was; it fits into {} bytes: \
         lost 0, doubled 0",
        fits_into.unwrap_or(0) / (96 * 1024),
        fits_into.unwrap_or(0)
    );
    assert!(refused > 0 && full > 0, "{refused} refused, {full} full");
    // DuckDB reads the archives of the folder at its end, but not that of a file system that is gone by then.
    run(&folder, &archive, "backup").arg("copy").run().expect_code(0);
}

#[test]
fn an_archive_on_a_read_only_file_system_is_read_and_not_written() {
    let folder = Folder::new();
    write_lines(&folder, 2_000);
    let Some(disk) = Mounted::at(folder.join("small"), ROOM) else {
        return;
    };
    let archive = disk.path().join("archive");
    import(&folder, &archive, "first.txt").run().expect_code(0);
    let before = tree(&archive);
    disk.remount("ro");
    for command in ["verify", "status", "rejects"] {
        run(&folder, &archive, command).run().expect_code(0);
    }
    import(&folder, &archive, "later.txt")
        .arg("--dry-run")
        .run()
        .expect_code(0);
    run(&folder, &archive, "backup").arg("copy").run().expect_code(0);
    let refused = import(&folder, &archive, "later.txt").run().expect_code(1);
    refused
        .expect_said(&archive.display().to_string())
        .expect_said("mounted read-only");
    let prune = run(&folder, &archive, "prune").args(["--csv-older-than", "1d"]);
    prune.run().expect_code(1).expect_said("mounted read-only");
    disk.remount("rw");
    assert_eq!(tree(&archive), before);
    import(&folder, &archive, "later.txt").run().expect_code(0);
}

#[test]
fn an_archive_on_another_file_system_than_the_temporary_folder_is_the_same() {
    let folder = Folder::new();
    write_lines(&folder, 20_000);
    let Some(disk) = Mounted::at(folder.join("small"), 8 * ROOM) else {
        return;
    };
    let tmp = folder.join("tmp");
    fs::create_dir(&tmp).expect("a folder can be made");
    for archive in [folder.archive(), disk.path().join("archive")] {
        for file in ["first.txt", "later.txt"] {
            // So little that rows are spilled.
            let run = import(&folder, &archive, file)
                .args(["--memory", "64MB"])
                .env("TMPDIR", &tmp);
            run.run().expect_code(0);
        }
    }
    let expected = day_files_and_schemas(&folder.archive());
    assert_eq!(day_files_and_schemas(&disk.path().join("archive")), expected);
    let left = fs::read_dir(&tmp).expect("a folder can be listed").count();
    assert_eq!(left, 0, "something was left in the temporary folder");
}

#[test]
fn a_measurement_that_is_a_file_system_of_its_own_is_refused_before_any_work() {
    let folder = Folder::new();
    write_lines(&folder, 2_000);
    import(&folder, &folder.archive(), "first.txt").run().expect_code(0);
    let files = fs::read_dir(folder.archive().join("cpu")).expect("lines of cpu");
    let files: Vec<_> = files.map(|entry| entry.expect("an entry").path()).collect();
    let kept: Vec<_> = files.iter().map(|path| fs::read(path).expect("a day file")).collect();
    let Some(disk) = Mounted::at(folder.archive().join("cpu"), ROOM) else {
        return;
    };
    for (path, bytes) in files.iter().zip(kept) {
        fs::write(path, bytes).expect("it fits");
    }
    let before = tree(&folder.archive());
    let refused = diurnal(&folder, "import").arg("later.txt").run().expect_code(1);
    refused
        .expect_said("is on another file system")
        .expect_said("archive/cpu");
    assert_eq!(tree(&folder.archive()), before);
    drop(disk);
    diurnal(&folder, "import").arg("later.txt").run().expect_code(0);
}
