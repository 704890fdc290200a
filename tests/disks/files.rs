//! Whose files these are and who may do what with them; what another version left behind.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{import, run, tree, write_lines};
use crate::support::digest::assert_no_debris;
use crate::support::folder::Folder;
use crate::support::run::diurnal;

/// Everything below a folder, itself included.
fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let mut next = 0;
    while next < found.len() {
        if found[next].is_dir() {
            let entries = fs::read_dir(&found[next]).expect("a folder can be listed");
            found.extend(entries.map(|entry| entry.expect("an entry").path()));
        }
        next += 1;
    }
    found
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("its mode can be set");
}

#[test]
fn the_umask_says_who_may_read_and_nothing_is_for_everybody_to_write() {
    let mut seen = 0;
    for (umask, folders, files) in [("022", 0o755, 0o644), ("027", 0o750, 0o640), ("077", 0o700, 0o600)] {
        let folder = Folder::new();
        write_lines(&folder, 2_000);
        folder.write("bad.txt", "m,host= v=1i 1592604000000000000\n");
        let with_umask = format!("umask {umask}; exec \"$@\"");
        let words = ["sh", "-c", &with_umask, "sh"];
        let archive = folder.archive();
        for (file, code) in [("first.txt", 0), ("later.txt", 0), ("bad.txt", 3)] {
            import(&folder, &archive, file).through(words).run().expect_code(code);
        }
        let prune = diurnal(&folder, "prune").args(["--csv-older-than", "1d"]);
        prune.through(words).run().expect_code(0);
        diurnal(&folder, "backup")
            .arg("copy")
            .through(words)
            .run()
            .expect_code(0);
        for root in [archive, folder.join("copy")] {
            for path in everything(&root) {
                let expected = if path.is_dir() { folders } else { files };
                assert_eq!(mode(&path), expected, "{} with umask {umask}", path.display());
                seen += 1;
            }
        }
    }
    println!("{seen} files and folders looked at");
}

#[test]
fn what_may_not_be_written_or_read_is_named_and_nothing_is_changed() {
    let folder = Folder::new();
    write_lines(&folder, 2_000);
    let archive = folder.archive();
    import(&folder, &archive, "first.txt").run().expect_code(0);
    let before = tree(&archive);
    let day = everything(&archive.join("cpu"))
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "csv"));
    let day = day.expect("a day file of cpu");

    // Folders that a run writes into.
    for closed in ["_diurnal/staging", "cpu", "_diurnal/schema"] {
        let path = archive.join(closed);
        let was = mode(&path);
        set_mode(&path, 0o555);
        let ran = import(&folder, &archive, "later.txt").unprivileged().run();
        set_mode(&path, was);
        // A folder that only a rename finds closed: the commit stands, and the next run completes it.
        let stands = ran.stderr.contains("stands; the next run completes it");
        if ran.status.code() == Some(0) {
            // No schema changed.
            assert_eq!(closed, "_diurnal/schema");
            continue;
        }
        ran.expect_code(1)
            .expect_said(&path.display().to_string())
            .expect_said("Permission denied");
        if !stands {
            let mut after = tree(&archive);
            after.retain(|path, _| !path.starts_with("_diurnal/staging/"));
            assert_eq!(after, before, "{closed}");
        }
    }
    import(&folder, &archive, "later.txt").run().expect_code(0);
    assert_no_debris(&archive);
    run(&folder, &archive, "verify").run().expect_code(0);

    // Files that are read.
    for closed in [
        &day,
        &archive.join("_diurnal/archive.toml"),
        &archive.join("_diurnal/ledger-000001.jsonl"),
    ] {
        let was = mode(closed);
        set_mode(closed, 0o000);
        for command in ["verify", "backup"] {
            let ran = run(&folder, &archive, command);
            let ran = if command == "backup" { ran.arg("copy") } else { ran };
            let name = closed.file_name().expect("a name").to_string_lossy().into_owned();
            let ran = ran.unprivileged().run().expect_code(1);
            ran.expect_said(&name).expect_said("Permission denied");
            assert!(!folder.join("copy").exists(), "a backup was made");
        }
        set_mode(closed, was);
    }

    // Somebody who may only read looks at it, and takes no lock.
    for path in everything(&archive).into_iter().rev() {
        set_mode(&path, if path.is_dir() { 0o555 } else { 0o444 });
    }
    for command in ["verify", "status"] {
        run(&folder, &archive, command).unprivileged().run().expect_code(0);
    }
    let refused = import(&folder, &archive, "first.txt")
        .unprivileged()
        .run()
        .expect_code(1);
    refused.expect_said("_diurnal/lock").expect_said("Permission denied");
    for path in everything(&archive) {
        set_mode(&path, if path.is_dir() { 0o755 } else { 0o644 });
    }
}

#[test]
fn what_another_version_left_in_staging_is_removed_unless_a_commit_needs_it() {
    let folder = Folder::new();
    write_lines(&folder, 2_000);
    folder.write("elsewhere.txt", "precious");
    let archive = folder.archive();
    import(&folder, &archive, "first.txt").run().expect_code(0);
    let staging = archive.join("_diurnal/staging");
    let before = tree(&archive);
    let leave = |name: &str, content: &str| {
        let path = staging.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder can be made");
        fs::write(path, content).expect("a file can be written");
    };
    leave(
        "000002/manifest.json",
        r#"{"format":9,"commit":2,"parts":[{"is":"of a later version"}]}"#,
    );
    leave("000002/000001-cpu.arrow.staged", "half");
    leave("000099/manifest.json", "no JSON");
    leave("spilled-v2.bin", "rows");
    leave("deep/er/file", "");
    std::os::unix::fs::symlink(folder.join("elsewhere.txt"), staging.join("link")).expect("a link can be made");
    std::os::unix::fs::symlink(folder.path(), staging.join("deep/folder")).expect("a link can be made");
    for command in ["verify", "status"] {
        run(&folder, &archive, command).run().expect_code(0);
    }
    import(&folder, &archive, "first.txt").run().expect_code(0);
    assert_eq!(tree(&archive), before);
    assert_eq!(fs::read_dir(&staging).expect("a folder can be listed").count(), 0);
    assert_eq!(
        fs::read(folder.join("elsewhere.txt")).expect("it is there"),
        b"precious"
    );

    // The manifest of the last commit says what is to be done yet: one that is not understood is not ignored.
    leave("000001/manifest.json", r#"{"format":9,"commit":1,"parts":[]}"#);
    let before = tree(&archive);
    let refused = import(&folder, &archive, "later.txt").run().expect_code(1);
    refused
        .expect_said("000001/manifest.json")
        .expect_said("nothing was touched");
    assert_eq!(tree(&archive), before);
    fs::remove_dir_all(staging.join("000001")).expect("a folder can be removed");
    import(&folder, &archive, "later.txt").run().expect_code(0);
}
