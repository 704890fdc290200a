//! `diurnal report`: one page that holds what an archive has, small, harmless, and true.

mod browser;
mod figures;
mod fleet;
mod hostile;
mod refused;

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::folder::Folder;
use crate::support::run::diurnal;

/// What the page's script reads.
pub fn data_in(page: &str) -> Value {
    let (_, behind) = page
        .split_once("type=\"application/json\">")
        .expect("the page has its data");
    let (data, _) = behind.split_once("</script>").expect("the data end");
    serde_json::from_str(data).unwrap_or_else(|e| panic!("{e}: {data:.300}"))
}

/// Makes a report with these flags, and gives what `--json` says and the page.
#[track_caller]
pub fn report(folder: &Folder, flags: &[&str]) -> (Value, String) {
    let said = diurnal(folder, "report").args(flags).report(0);
    let path = said["path"].as_str().expect("a path");
    (said.clone(), page_at(&folder.join(path)))
}

pub fn page_at(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Imports lines into the folder's archive.
#[track_caller]
pub fn import(folder: &Folder, lines: impl Into<Vec<u8>>) {
    let flags = ["--max-rejects", "100%", "-"];
    diurnal(folder, "import").args(flags).stdin(lines).run().expect_code(0);
}

/// The series of a plot, by host.
pub fn series_of<'a>(data: &'a Value, plot: &str, host: &str) -> &'a Value {
    let plots = data["plots"].as_array().expect("plots");
    let plot = plots
        .iter()
        .find(|one| one["name"] == plot)
        .unwrap_or_else(|| panic!("no plot {plot}"));
    let series = plot["series"].as_array().expect("series");
    series
        .iter()
        .find(|one| one["host"] == host)
        .unwrap_or_else(|| panic!("no series of {host}"))
}

/// The numbers of a list, without the empty buckets.
pub fn numbers(list: &Value) -> Vec<f64> {
    list.as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_f64)
        .collect()
}
