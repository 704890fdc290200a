//! Real DuckDB, the reader that most users have: the newest engine as a Python module, and the command line.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use super::{install, root, runs, skip};

/// A Python environment that has DuckDB.
pub struct DuckDb {
    bin: PathBuf,
}

impl DuckDb {
    /// The environment of this checkout, made when it is first asked for; `None`, with a message, where it can't be had.
    pub fn get() -> Option<&'static DuckDb> {
        static SHARED: OnceLock<Result<DuckDb, String>> = OnceLock::new();
        match SHARED.get_or_init(Self::environment) {
            Ok(duckdb) => Some(duckdb),
            Err(missing) => {
                skip(missing);
                None
            }
        }
    }

    fn environment() -> Result<DuckDb, String> {
        if !runs("python3", "--version") {
            return Err("DuckDB needs python3 (on Debian: apt-get install python3-venv)".to_owned());
        }
        let bin = install("install-duckdb.sh", "duckdb")?.join("bin");
        Ok(DuckDb { bin })
    }

    /// Rows of the last statement as objects; paths in the SQL are relative to `folder`.
    #[track_caller]
    pub fn query(&self, folder: &Path, sql: &str) -> Vec<Value> {
        let output = self.python(folder, "query.py", &[], sql);
        let printed = expect_success(&output, sql);
        serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e}: {printed}"))
    }

    /// The one value that a query gives.
    #[track_caller]
    pub fn value(&self, folder: &Path, sql: &str) -> Value {
        let rows = self.query(folder, sql);
        let [Value::Object(row)] = &rows[..] else {
            panic!("not one row: {rows:?}");
        };
        assert_eq!(row.len(), 1, "not one column: {row:?}");
        row.values().next().expect("it has one").clone()
    }

    /// The Python that has DuckDB as a module.
    pub fn interpreter(&self) -> PathBuf {
        self.bin.join("python")
    }

    /// The command line, `duckdb`.
    pub fn command_line(&self) -> PathBuf {
        self.bin.join("duckdb")
    }

    /// Runs one of the Python scripts of `tests/support` in `folder`.
    pub fn python(&self, folder: &Path, script: &str, arguments: &[&str], stdin: &str) -> Output {
        let mut child = Command::new(self.interpreter())
            .arg(root().join("tests/support").join(script))
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the environment's python can be run");
        let mut pipe = child.stdin.take().expect("it is piped");
        // A script that needs no input may end before it is written.
        let _ = pipe.write_all(stdin.as_bytes());
        drop(pipe);
        child.wait_with_output().expect("a child can be waited for")
    }

    /// Has an independent reader check every day file: order, day, CSV equal to Parquet, and where captures are given,
    /// that the archive holds their points and nothing else. Gives {measurement: {day: rows}}.
    #[track_caller]
    pub fn check_archive(&self, archive: &Path, captures: &[&Path]) -> Value {
        let paths = [archive].into_iter().chain(captures.iter().copied());
        let arguments: Vec<_> = paths
            .map(|path| path.to_str().expect("a test's paths are UTF-8"))
            .collect();
        let output = self.python(&root(), "check_archive.py", &arguments, "");
        let printed = expect_success(&output, "check_archive.py");
        serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e}: {printed}"))
    }

    /// `duckdb -f FILE` in `folder`, as the header of each file in `queries/` says; gives what it prints.
    #[track_caller]
    pub fn run_file(&self, folder: &Path, file: &Path) -> String {
        let output = Command::new(self.bin.join("duckdb"))
            .arg("-bail")
            .arg("-f")
            .arg(file)
            .current_dir(folder)
            .stdin(Stdio::null())
            .output()
            .expect("the environment's duckdb can be run");
        expect_success(&output, &file.display().to_string())
    }
}

#[track_caller]
fn expect_success(output: &Output, what: &str) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}\n{stdout}\n{stderr}");
    stdout.into_owned()
}
