//! Gives the program the commit that it is built from, for `diurnal --version`: `0.1.0 (1a48dc7abcde 2026-11-25)`, with `-dirty` behind the
//! hash where what goes into the program is not what was committed; `0.1.0` where nobody knows; `0.1.0 (debug build)`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What goes into the program. Where one of these changes it is compiled anyhow, so asking git again then costs nothing.
const SOURCES: [&str; 5] = ["Cargo.lock", "Cargo.toml", "build.rs", "schemas", "src"];

/// Digits of the commit's hash that are shown, as many as the brevity of a version stands.
const DIGITS: usize = 12;

/// The commit, as it is shown, and its day.
struct Commit {
    hash: String,
    day: Option<String>,
}

fn main() {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    // A debug build is a developer's, who would wait for it after each commit, although nothing but this text is new.
    let debug = variable("PROFILE") == "debug";
    let commit = if debug {
        None
    } else {
        of_checkout(&root).or_else(|| of_package(&root))
    };
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    let number = variable("CARGO_PKG_VERSION");
    let (version, day) = match commit {
        Some(Commit { hash, day: Some(day) }) => (format!("{number} ({hash} {day})"), day),
        Some(Commit { hash, day: None }) => (format!("{number} ({hash})"), String::new()),
        None if debug => (format!("{number} (debug build)"), String::new()),
        None => (number, String::new()),
    };
    println!("cargo::rustc-env=DIURNAL_BUILD_VERSION={version}");
    println!("cargo::rustc-env=DIURNAL_BUILD_DAY={day}");
}

/// The commit of a checkout of this repository, and of none that this folder merely lies in.
fn of_checkout(root: &Path) -> Option<Commit> {
    let top = PathBuf::from(git(root, &["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    let abbreviated = format!("--abbrev={DIGITS}");
    let shown = git(root, &["log", "-1", &abbreviated, "--format=%h %cs"])?;
    let (hash, day) = shown.split_once(' ')?;
    let mut changes = vec!["--no-optional-locks", "status", "--porcelain", "--"];
    changes.extend(SOURCES);
    let dirty = !git(root, &changes)?.is_empty();
    watch_head(root);
    Some(Commit {
        hash: format!("{hash}{}", if dirty { "-dirty" } else { "" }),
        day: Some(day.to_owned()),
    })
}

/// Runs this again when another commit is checked out. A file that is not there would make it run each time.
fn watch_head(root: &Path) {
    let branch = git(root, &["symbolic-ref", "--quiet", "HEAD"]);
    let names = ["HEAD", "logs/HEAD", "packed-refs"]
        .into_iter()
        .chain(branch.as_deref());
    for name in names {
        let path = git(root, &["rev-parse", "--git-path", name]).map(|path| root.join(path));
        if let Some(path) = path.filter(|path| path.exists()) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
}

/// The commit that `cargo package` notes in what it puts on crates.io.
fn of_package(root: &Path) -> Option<Commit> {
    let noted = std::fs::read_to_string(root.join(".cargo_vcs_info.json")).ok()?;
    let hash = noted.split("\"sha1\": \"").nth(1)?.get(..DIGITS)?;
    let is_hash = hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let dirty = noted.contains("\"dirty\": true");
    is_hash.then(|| Commit {
        hash: format!("{hash}{}", if dirty { "-dirty" } else { "" }),
        day: None,
    })
}

/// What git says; `None` where there is no git, or nothing that it knows.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned())
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
