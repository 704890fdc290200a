//! Every archive that a test leaves behind is read by real DuckDB as a user does it: one glob for each measurement and format, types as
//! the schema says. One DuckDB process serves all tests, so that an archive costs some milliseconds.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use diurnal::store::Archive;
use serde_json::{Value, json};

use super::duckdb::DuckDb;

/// Of the cases of a property test so many have their archive read by DuckDB.
const ONE_CASE_IN: usize = 50;

/// A process of `read_archives.py`. It ends when this test process does, with its standard input.
struct Reader {
    _child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Reader {
    fn start(duckdb: &DuckDb) -> Self {
        let mut child = Command::new(duckdb.interpreter())
            .arg(super::root().join("tests/support/read_archives.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the environment's python can be run");
        Self {
            requests: child.stdin.take().expect("it is piped"),
            answers: BufReader::new(child.stdout.take().expect("it is piped")),
            _child: child,
        }
    }

    fn ask(&mut self, archive: &Value) -> Value {
        let mut answer = String::new();
        writeln!(self.requests, "{archive}")
            .and_then(|()| self.answers.read_line(&mut answer))
            .unwrap_or_else(|e| panic!("read_archives.py: {e}"));
        serde_json::from_str(&answer).unwrap_or_else(|e| panic!("read_archives.py: {e}: {answer:?}"))
    }
}

/// What DuckDB finds wrong with an archive; `None` as well where there is no DuckDB, which is said once.
pub fn what_duckdb_finds_wrong(archive: &Path) -> Option<String> {
    static SHARED: OnceLock<Option<Mutex<Reader>>> = OnceLock::new();
    let reader = SHARED.get_or_init(|| DuckDb::get().map(|duckdb| Mutex::new(Reader::start(duckdb))));
    let reader = reader.as_ref()?;
    let asked = match described(archive) {
        Ok(asked) => asked,
        Err(unreadable) => return Some(unreadable),
    };
    let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = reader.ask(&asked);
    answer["wrong"].as_str().map(str::to_owned)
}

/// Fails where DuckDB does not read the archive as it is documented.
#[track_caller]
pub fn expect_duckdb_reads(archive: &Path) {
    if let Some(wrong) = what_duckdb_finds_wrong(archive) {
        panic!("DuckDB does not read {} as documented: {wrong}", archive.display());
    }
}

/// [`expect_duckdb_reads`] for one in fifty calls, the first one included: for property tests, whose cases are many and alike.
#[track_caller]
pub fn expect_duckdb_reads_some(archive: &Path, calls: &AtomicUsize) {
    if calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(ONE_CASE_IN) {
        expect_duckdb_reads(archive);
    }
}

/// What `read_archives.py` has to know: TOML is not in the Python of every system, and the ledger is read here in all its forms.
fn described(archive: &Path) -> Result<Value, String> {
    let toml = |path: &Path| -> Result<Value, String> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
    };
    let state = Archive::read(archive).map_err(|e| e.to_string())?;
    let schemas = match fs::read_dir(archive.join("_diurnal/schema")) {
        Ok(entries) => entries
            .map(|entry| toml(&entry.map_err(|e| e.to_string())?.path()))
            .collect::<Result<_, String>>()?,
        // Nothing was archived yet.
        Err(_) => Vec::new(),
    };
    Ok(json!({
        "archive": archive,
        "time_unit": toml(&archive.join("_diurnal/archive.toml"))?["time_unit"],
        "schemas": schemas,
        "days": state.state().days.values().collect::<Vec<_>>(),
    }))
}

/// The archives in a folder and below.
pub fn archives_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if folder.join("_diurnal/archive.toml").is_file() {
            found.push(folder);
            continue;
        }
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        folders.extend(
            entries
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path()),
        );
    }
    found.sort();
    found
}

/// Whether a commit was cut short, so that files are as before it or not yet in place: the next run sees to that.
pub fn is_cut_short(archive: &Path) -> bool {
    fs::read_dir(archive.join("_diurnal/staging")).is_ok_and(|mut entries| entries.next().is_some())
}
