//! `completions` and `man`: real shells complete with the one, real readers of manual pages find nothing wrong with the other.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::folder::Folder;
use crate::support::installed;
use crate::support::run::diurnal;

/// Words that are typed, and the line of which they then are the beginning.
const TYPED: [(&str, &str); 4] = [
    ("diurnal arch", "diurnal archive"),
    ("diurnal archive --topi", "diurnal archive --topic"),
    ("diurnal schema exp", "diurnal schema export"),
    ("diurnal import --precision u", "diurnal import --precision us"),
];

/// Any one of these takes a moment.
const SHELL_LIMIT: &str = "60";

#[test]
fn bash_completes_commands_flags_and_values() {
    completes("bash", "bash", "complete.bash");
}

#[test]
fn zsh_completes_commands_flags_and_values() {
    completes("zsh", "zsh", "complete.zsh");
}

#[test]
fn fish_completes_commands_flags_and_values() {
    completes("fish", "fish", "complete.fish");
}

/// Has a real shell load its completions and complete what is typed.
fn completes(shell: &str, package: &str, script: &str) {
    if !installed(shell, package) {
        return;
    }
    let folder = Folder::new();
    let printed = diurnal(&folder, "completions").arg(shell).run().expect_code(0);
    // The name under which zsh looks for it; the others take any.
    folder.write("_diurnal", &printed.stdout);
    for (typed, completed) in TYPED {
        let words = crate::support::root().join("tests/support/shells").join(script);
        let ran = Command::new("timeout")
            .args([SHELL_LIMIT, shell])
            .args(if shell == "zsh" { &["-f"][..] } else { &[] })
            .arg(words)
            .args([folder.path().as_os_str(), typed.as_ref()])
            .env("HOME", folder.path())
            .env("XDG_CONFIG_HOME", folder.path())
            .env("TERM", "dumb")
            .output()
            .expect("timeout can be run");
        assert_eq!(said(&ran).trim_end(), completed, "{shell}, {typed:?} typed: {ran:?}");
    }
}

#[test]
fn a_shell_that_there_are_no_completions_for_is_wrong_usage() {
    let folder = Folder::new();
    let ran = diurnal(&folder, "completions").arg("tcsh").run().expect_code(2);
    ran.expect_said("bash, zsh, fish");
}

#[test]
fn groff_and_mandoc_have_nothing_to_say_about_any_page_of_the_manual() {
    let folder = Folder::new();
    let run = diurnal(&folder, "man").args(["--output", "man1"]).run().expect_code(0);
    let pages = pages(&folder.join("man1"));
    assert!(pages.len() > 10, "{pages:?}");
    run.expect_said(&format!("{} pages written to man1", pages.len()));
    if installed("groff", "groff") {
        for page in &pages {
            expect_silence(&folder, &["groff", "-man", "-Tutf8", "-ww"], page);
        }
    }
    if installed("mandoc", "mandoc") {
        for page in &pages {
            expect_silence(&folder, &["mandoc", "-T", "lint", "-W", "warning"], page);
        }
    }
    if installed("man", "man-db") {
        let shown = read(&folder, "man1/diurnal-archive.1");
        for part in [
            "NAME",
            "diurnal-archive - Read what Kafka topics hold",
            "EXAMPLES",
            "DIURNAL_BROKERS",
        ] {
            assert!(shown.contains(part), "no {part} in\n{shown}");
        }
        let example = "diurnal archive --brokers localhost:9092 --topic my-computer-metric\n";
        assert!(
            shown.contains(example),
            "the examples do not keep their lines:\n{shown}"
        );
    }
}

#[test]
fn the_main_page_names_all_others_and_says_what_the_exit_codes_mean() {
    let folder = Folder::new();
    diurnal(&folder, "man").args(["-q", "-o", "man1"]).run().expect_code(0);
    let printed = diurnal(&folder, "man").run().expect_code(0).stdout;
    let written = std::fs::read_to_string(folder.join("man1/diurnal.1")).expect("the main page");
    assert_eq!(printed, written);
    for page in pages(&folder.join("man1")) {
        // Pages of the commands of a command are named by the page of that.
        let name = page.strip_suffix(".1").expect("section 1");
        if name.matches('-').count() == 1 {
            let named = name.replace('-', "\\-");
            assert!(printed.contains(&format!("{named}(1)")), "no {named}(1) in\n{printed}");
        }
    }
    assert!(printed.contains(".SH \"EXIT STATUS\"\n0 done; 1 failed"), "{printed}");
}

#[test]
fn json_holds_the_completions_and_the_pages() {
    let folder = Folder::new();
    let script = diurnal(&folder, "completions")
        .args(["fish", "--json"])
        .run()
        .expect_code(0);
    let plain = diurnal(&folder, "completions").arg("fish").run().expect_code(0);
    assert_eq!(script.json()["script"], plain.stdout);
    let man = diurnal(&folder, "man")
        .args(["--json", "-o", "man1"])
        .run()
        .expect_code(0)
        .json();
    let written = man["pages"].as_array().expect("pages");
    assert_eq!(written.len(), pages(&folder.join("man1")).len());
    for page in written {
        let file = page["file"].as_str().expect("a path");
        assert_eq!(
            std::fs::read_to_string(folder.join(file)).expect("a page"),
            page["roff"].as_str().unwrap()
        );
    }
}

/// The names of the files in a folder, in order.
fn pages(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the pages' folder");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<String> = entries
        .map(|entry| name(entry).to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Runs a checker of manual pages on one.
fn expect_silence(folder: &Folder, checker: &[&str], page: &str) {
    let ran = Command::new(checker[0])
        .args(&checker[1..])
        .arg(page)
        .current_dir(folder.join("man1"))
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("it is installed");
    let warnings = String::from_utf8_lossy(&ran.stderr);
    // mandoc says it on standard output, where groff has the page.
    let printed = if checker[0] == "mandoc" {
        said(&ran)
    } else {
        String::new()
    };
    // A debug build has no day.
    let said: Vec<&str> = printed
        .lines()
        .chain(warnings.lines())
        .filter(|line| !line.contains("missing date"))
        .collect();
    assert_eq!(said, [""; 0], "{checker:?}");
    // Where it found something mandoc fails as well, be it only that day.
    assert!(ran.status.success() || checker[0] == "mandoc", "{checker:?} {page}");
}

/// A page as `man` shows it, on wide paper.
fn read(folder: &Folder, page: &str) -> String {
    let ran = Command::new("man")
        .args(["-l", page])
        .current_dir(folder.path())
        .env("LC_ALL", "C.UTF-8")
        .env("MANWIDTH", "200")
        .output()
        .expect("it is installed");
    assert!(ran.status.success(), "{ran:?}");
    said(&ran)
}

fn said(ran: &Output) -> String {
    String::from_utf8_lossy(&ran.stdout).into_owned()
}
