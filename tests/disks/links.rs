//! Symbolic links inside an archive: nobody follows them out of it.

use std::fs;
use std::os::unix::fs::symlink;

use super::{import, run, tree, write_lines};
use crate::support::digest::all_files;
use crate::support::folder::Folder;
use crate::support::run::diurnal;

#[test]
fn a_link_inside_the_archive_is_not_followed_out_of_it() {
    let mut tried = 0;
    for linked in [
        "cpu",
        "_diurnal/schema",
        "_diurnal/rejects",
        "_diurnal/staging",
        "_diurnal",
    ] {
        let folder = Folder::new();
        write_lines(&folder, 2_000);
        folder.write("bad.txt", "m,host= v=1i 1592604000000000000\n");
        let archive = folder.archive();
        import(&folder, &archive, "first.txt").run().expect_code(0);
        import(&folder, &archive, "bad.txt").run().expect_code(3);
        let outside = folder.join("outside");
        fs::rename(archive.join(linked), &outside).expect("a folder can be moved");
        symlink(&outside, archive.join(linked)).expect("a link can be made");
        let before = (tree(&archive), all_files(&outside));
        let commands: [&[&str]; 7] = [
            &["import", "later.txt"],
            &["prune", "--csv-older-than", "1d"],
            &["prune", "--rejects-older-than", "0s"],
            &["schema", "set", "cpu.usage_user", "string"],
            &["rejects", "--retry"],
            &["backup", "copy"],
            &["merge", "archive", "--archive", "merged"],
        ];
        for command in commands {
            // What is no part of a copy may lead anywhere.
            let copies = ["backup", "merge"].contains(&command[0]);
            if linked == "_diurnal/staging" && copies {
                continue;
            }
            let ran = diurnal(&folder, command[0]).args(&command[1..]).run();
            assert_eq!(
                (tree(&archive), all_files(&outside)),
                before,
                "{command:?} with a link at {linked}"
            );
            let ran = ran.expect_code(1).expect_said(linked);
            let says = ["symbolic link", "follows no links"]
                .iter()
                .any(|said| ran.stderr.contains(said));
            assert!(says, "{command:?} with a link at {linked}: {}", ran.stderr);
            assert!(!folder.join("copy").exists(), "a backup was made");
            let merged = folder.join("merged/cpu");
            assert!(!merged.exists(), "it was merged");
            tried += 1;
        }
        folder.leaves_damaged("archive");
    }
    println!("{tried} commands on archives with a link inside: none followed it");
}

#[test]
fn a_day_file_that_is_a_link_is_damage() {
    let folder = Folder::new();
    write_lines(&folder, 2_000);
    let archive = folder.archive();
    import(&folder, &archive, "first.txt").run().expect_code(0);
    let cpu = fs::read_dir(archive.join("cpu")).expect("lines of cpu");
    let day = cpu
        .map(|entry| entry.expect("an entry").path())
        .max()
        .expect("a day file");
    let outside = folder.join("outside");
    fs::rename(&day, &outside).expect("a file can be moved");
    symlink(&outside, &day).expect("a link can be made");
    let before = fs::read(&outside).expect("it is there");
    let name = day.file_name().expect("a name").to_string_lossy().into_owned();
    for command in [&["verify"][..], &["import", "later.txt"], &["backup", "copy"]] {
        let ran = run(&folder, &archive, command[0]).args(&command[1..]).run();
        ran.expect_code(1).expect_said(&name);
        assert_eq!(fs::read(&outside).expect("it is there"), before, "{command:?}");
        assert!(!folder.join("copy").exists(), "a backup was made");
    }
    folder.leaves_damaged("archive");
}

#[test]
fn the_archive_itself_may_be_a_link() {
    let folder = Folder::new();
    write_lines(&folder, 2_000);
    fs::create_dir(folder.join("elsewhere")).expect("a folder can be made");
    symlink(folder.join("elsewhere"), folder.archive()).expect("a link can be made");
    import(&folder, &folder.archive(), "first.txt").run().expect_code(0);
    import(&folder, &folder.archive(), "later.txt").run().expect_code(0);
    run(&folder, &folder.archive(), "verify").run().expect_code(0);
    run(&folder, &folder.archive(), "backup")
        .arg("copy")
        .run()
        .expect_code(0);
}
