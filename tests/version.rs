//! `--version` names the commit, and `build.rs` finds it wherever a release is built. (.ci/package looks at that of a real one.)

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

use crate::support::folder::Folder;
use crate::support::root;
use crate::support::run::diurnal;

#[test]
fn the_version_is_the_packages_and_a_debug_build_says_that_it_is_one() {
    let folder = Folder::new();
    let shown = diurnal(&folder, "--version").run().expect_code(0).stdout;
    let number = concat!("diurnal ", env!("CARGO_PKG_VERSION"));
    if cfg!(debug_assertions) {
        assert_eq!(shown, format!("{number} (debug build)\n"));
    } else {
        let pattern = r"^( \([0-9a-f]{12,40}(-dirty)?( \d{4}-\d\d-\d\d)?\))?\n$";
        let commit = shown.strip_prefix(number).unwrap_or_else(|| panic!("{shown}"));
        assert!(Regex::new(pattern).unwrap().is_match(commit), "{shown}");
    }
}

#[test]
fn the_build_finds_its_commit_and_whether_the_sources_are_those_of_it() {
    let folder = Folder::new();
    let build = Build::new(&folder);
    let package = folder.join("package");
    fs::create_dir_all(package.join("src")).unwrap();
    fs::write(package.join("src/main.rs"), "fn main() {}").unwrap();
    fs::write(package.join("Cargo.toml"), "[package]").unwrap();
    assert_eq!(build.version(&package), "1.2.3", "no history at all");

    let sha = "1a48dc7abcde0123456789abcdef0123456789ab";
    let noted = format!("{{\n  \"git\": {{\n    \"sha1\": \"{sha}\"\n  }},\n  \"path_in_vcs\": \"\"\n}}");
    fs::write(package.join(".cargo_vcs_info.json"), noted).unwrap();
    assert_eq!(
        build.version(&package),
        "1.2.3 (1a48dc7abcde)",
        "as it comes from crates.io"
    );

    // Where somebody keeps his whole home folder in git, that history is not ours.
    commit_all(folder.path());
    assert_eq!(
        build.version(&package),
        "1.2.3 (1a48dc7abcde)",
        "within another repository"
    );
    fs::remove_dir_all(folder.join(".git")).unwrap();
    fs::remove_file(package.join(".cargo_vcs_info.json")).unwrap();

    commit_all(&package);
    let hash = git(&package, &["rev-parse", "HEAD"]).expect("a commit");
    assert_eq!(build.version(&package), format!("1.2.3 ({} 2026-11-25)", &hash[..12]));
    fs::write(package.join("notes.txt"), "").unwrap();
    assert_eq!(
        build.version(&package),
        format!("1.2.3 ({} 2026-11-25)", &hash[..12]),
        "what is not built"
    );
    fs::write(package.join("src/main.rs"), "fn main() { }").unwrap();
    assert_eq!(
        build.version(&package),
        format!("1.2.3 ({}-dirty 2026-11-25)", &hash[..12])
    );
}

#[test]
fn the_build_looks_again_when_another_commit_is_checked_out_and_at_nothing_that_is_not_there() {
    let folder = Folder::new();
    let build = Build::new(&folder);
    let package = folder.join("package");
    fs::create_dir_all(&package).unwrap();
    fs::write(package.join("Cargo.toml"), "[package]").unwrap();
    commit_all(&package);
    let watched_in = |profile| -> Vec<PathBuf> {
        let printed = build.printed(&package, profile);
        let watched = printed
            .lines()
            .filter_map(|line| line.strip_prefix("cargo::rerun-if-changed="));
        watched.map(|path| package.join(path)).collect()
    };
    let watched = watched_in("release");
    let git_folder = package.join(".git");
    for name in ["HEAD", "logs/HEAD", "refs/heads/main"] {
        assert!(watched.contains(&git_folder.join(name)), "{name}: {watched:?}");
    }
    // A file of git's that is not there would have everything compiled anew each time.
    let gone = watched
        .iter()
        .find(|path| path.starts_with(&git_folder) && !path.exists());
    assert_eq!(gone, None);
    // Nobody waits for a debug build because of a commit.
    let at_debug = watched_in("debug");
    assert!(
        !at_debug.is_empty() && at_debug.iter().all(|path| !path.starts_with(&git_folder)),
        "{at_debug:?}"
    );
}

/// `build.rs` as a program.
struct Build(PathBuf);

impl Build {
    fn new(folder: &Folder) -> Self {
        let program = folder.join("build-script");
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let compiled = Command::new(rustc)
            .args(["--edition", "2024", "-o"])
            .arg(&program)
            .arg(root().join("build.rs"))
            .status();
        assert!(compiled.is_ok_and(|status| status.success()), "rustc build.rs");
        Self(program)
    }

    fn printed(&self, package: &Path, profile: &str) -> String {
        let ran = Command::new(&self.0)
            .current_dir(package)
            .env("CARGO_MANIFEST_DIR", package)
            .env("CARGO_PKG_VERSION", "1.2.3")
            .env("PROFILE", profile)
            .output()
            .expect("it was compiled");
        assert!(ran.status.success(), "{ran:?}");
        String::from_utf8(ran.stdout).expect("UTF-8")
    }

    fn version(&self, package: &Path) -> String {
        let printed = self.printed(package, "release");
        let set = "cargo::rustc-env=DIURNAL_BUILD_VERSION=";
        let version = printed.lines().find_map(|line| line.strip_prefix(set));
        version.unwrap_or_else(|| panic!("{printed}")).to_owned()
    }
}

/// Makes a folder a repository with one commit of all that is in it.
fn commit_all(folder: &Path) {
    for arguments in [
        &["init", "--quiet", "--initial-branch", "main"][..],
        &["add", "--all"],
        &[
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@t",
            "commit",
            "--quiet",
            "--message",
            "all",
        ],
    ] {
        assert!(git(folder, arguments).is_some(), "git {arguments:?}");
    }
}

/// What git says; `None` where it fails.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let ran = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .env("GIT_COMMITTER_DATE", "2026-11-25T12:00:00Z")
        .output()
        .ok()?;
    ran.status
        .success()
        .then(|| String::from_utf8_lossy(&ran.stdout).trim().to_owned())
}
