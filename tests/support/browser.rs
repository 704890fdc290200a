//! A real Chromium, driven by a script: what a person with a mouse, a keyboard or a finger gets of a page.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{install, root, runs, skip};

/// A Python environment that drives Chromium.
pub struct Browser {
    bin: PathBuf,
}

impl Browser {
    /// The environment of this checkout, made when it is first asked for; `None`, with a message, where it can't be had.
    pub fn get() -> Option<&'static Browser> {
        static SHARED: OnceLock<Result<Browser, String>> = OnceLock::new();
        match SHARED.get_or_init(Self::environment) {
            Ok(browser) => Some(browser),
            Err(missing) => {
                skip(missing);
                None
            }
        }
    }

    fn environment() -> Result<Browser, String> {
        if !runs("chromium", "--version") {
            return Err("a browser is missing (on Debian: apt-get install chromium)".to_owned());
        }
        if !runs("python3", "--version") {
            return Err("driving the browser needs python3 (on Debian: apt-get install python3-venv)".to_owned());
        }
        let bin = install("install-browser.sh", "browser")?.join("bin");
        Ok(Browser { bin })
    }

    /// Runs a script of `tests/report` on a page; it puts screenshots into `target/screenshots/` and fails with what it found wrong.
    #[track_caller]
    pub fn expect(&self, script: &str, page: &Path, arguments: &[&str]) {
        let screenshots = root().join("target/screenshots");
        let output = Command::new(self.bin.join("python"))
            .arg(root().join("tests/report").join(script))
            .args([page, &screenshots])
            .args(arguments)
            .output()
            .expect("the environment's python can be run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script} {}: {said}", arguments.join(" "));
    }
}
