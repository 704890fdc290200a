//! Prometheus' own tool: its linter of metrics, its parser of rules, and its trials of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use super::{install, skip};

/// A promtool.
pub struct Promtool {
    binary: PathBuf,
}

impl Promtool {
    /// That of the system, or of Debian's package; `None`, with a message, where there is none.
    pub fn get() -> Option<&'static Promtool> {
        static SHARED: OnceLock<Result<Promtool, String>> = OnceLock::new();
        let get = || {
            let binary = install("install-promtool.sh", "promtool")?.join("promtool");
            Ok(Promtool { binary })
        };
        match SHARED.get_or_init(get) {
            Ok(promtool) => Some(promtool),
            Err(missing) => {
                skip(missing);
                None
            }
        }
    }

    /// What it finds wrong with a metrics file: nothing, if all is well.
    pub fn lint(&self, file: &Path) -> String {
        let input = std::fs::File::open(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let output = self.run(Path::new("."), &["check", "metrics"], input.into());
        let said = [&output.stdout[..], &output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(
            output.status.success() || !said.is_empty(),
            "promtool failed and says nothing"
        );
        said
    }

    /// Runs it in a folder; gives whether it is content, and what it said.
    pub fn check(&self, folder: &Path, arguments: &[&str]) -> (bool, String) {
        let output = self.run(folder, arguments, Stdio::null());
        let said = [&output.stdout[..], &output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    fn run(&self, folder: &Path, arguments: &[&str], input: Stdio) -> Output {
        Command::new(&self.binary)
            .args(arguments)
            .current_dir(folder)
            .stdin(input)
            .output()
            .expect("promtool was installed and can be run")
    }
}
