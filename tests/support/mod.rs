//! What the integration tests stand on: a folder of their own, the binary as a user runs it, real Kafka, real
//! DuckDB, real Telegraf.

pub mod answer;
pub mod browser;
pub mod bucket;
pub mod captures;
pub mod cluster;
pub mod digest;
pub mod duckdb;
pub mod embedded;
pub mod folder;
pub mod kafka;
pub mod ledger;
pub mod lines;
pub mod mounted;
pub mod node;
pub mod produce;
pub mod promtool;
pub mod python;
pub mod reader;
pub mod run;
pub mod secure;
pub mod telegraf;
pub mod topic;
pub mod whole;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long a condition may take to come true before a test fails: generous, as CI machines are slow and shared.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Pause between two looks at a condition that nothing announces.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Waits until `look` gives something; fails the test, naming `what`, when it does not within [`PATIENCE`].
pub fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_up_to(PATIENCE, what, look)
}

/// Like [`wait_for`], for what takes longer by its nature.
pub fn wait_up_to<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            start.elapsed() < patience,
            "waited {} s in vain for {what}",
            patience.as_secs()
        );
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// A tool that a test needs and this machine lacks: says so past the capture of output, and lets the test pass by
/// returning, unless `DIURNAL_TEST_REQUIRE=all` asks for every test to run for real.
pub fn skip(missing: &str) {
    assert!(
        std::env::var("DIURNAL_TEST_REQUIRE").as_deref() != Ok("all"),
        "DIURNAL_TEST_REQUIRE=all, but {missing}"
    );
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    // The macros of std are captured by the test harness; the stream itself is not.
    // One write, so that those of two tests don't mix.
    let _ = std::io::stderr().write_all(format!("skipped: {test}: {missing}\n").as_bytes());
}

/// Whether a program is on the PATH; says so where it is not, and which Debian package has it.
pub fn installed(program: &str, package: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Daemons stand in /usr/sbin, which is not in everybody's PATH.
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let there = folders.into_iter().any(|folder| folder.join(program).is_file());
    if !there {
        skip(&format!("there is no {program} (on Debian: apt-get install {package})"));
    }
    there
}

/// Whether the long variants of tests run: `DIURNAL_TEST_LONG=1`, as `.ci/full` sets it.
pub fn long() -> bool {
    std::env::var("DIURNAL_TEST_LONG").as_deref() == Ok("1")
}

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The folder for what tests install; it outlives a test run.
fn tools() -> PathBuf {
    root().join("target/test-tools")
}

/// Runs one of the install scripts; gives the folder that its last line names, or what is missing.
pub fn install(script: &str, into: &str) -> Result<PathBuf, String> {
    let output = Command::new("bash")
        .arg(root().join("tests/support").join(script))
        .arg(tools().join(into))
        .output()
        .map_err(|e| format!("bash cannot be run ({e})"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{script} failed: {}", said.trim()));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let last = said.lines().last().ok_or(format!("{script} printed no folder"))?;
    Ok(PathBuf::from(last))
}

/// Whether `program --version` (or `-version`) can be run at all.
pub fn runs(program: &str, version_flag: &str) -> bool {
    Command::new(program)
        .arg(version_flag)
        .output()
        .is_ok_and(|output| output.status.success())
}
