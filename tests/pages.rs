//! The pages that promise something: what they name as its keeper and its proof is there, and the list of `unsafe` code is whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use diurnal::report::metrics::METRICS;
use serde_json::Value;

use crate::support::embedded::Embedded;
use crate::support::folder::Folder;
use crate::support::produce::Record;
use crate::support::root;
use crate::support::run::diurnal;

/// The pages whose tables end with a column `tests`.
const PAGES: [&str; 2] = ["docs/GUARANTEES.md", "SECURITY.md"];

#[test]
fn every_test_that_a_page_names_as_proof_is_there() {
    let known = names_of_tests();
    assert!(known.len() > 400, "the code was not read right: {} tests", known.len());
    for page in PAGES {
        let rows = promises(page);
        assert!(rows.len() >= 10, "{page} was not read right: {} rows", rows.len());
        for row in rows {
            let (promise, proof) = (&row[0], &row[row.len() - 1]);
            let unknown: Vec<&str> = quoted(proof)
                .into_iter()
                .filter(|name| !known.contains(*name))
                .collect();
            assert_eq!(unknown, [""; 0], "{page}: {promise}");
            assert!(
                !quoted(proof).is_empty() || proof.starts_with("not tested yet"),
                "{page}: no test, and it does not say so: {promise}"
            );
        }
    }
}

#[test]
fn every_file_that_a_page_names_as_keeper_is_there() {
    for page in PAGES {
        for row in promises(page) {
            let keepers = quoted(&row[1]);
            assert!(!keepers.is_empty(), "{page}: nothing keeps it: {}", row[0]);
            for keeper in keepers {
                let is_code = keeper.starts_with("src/") || keeper.starts_with("engines/");
                let there = is_code && root().join(keeper).exists();
                assert!(there, "{page}: there is no {keeper}");
            }
        }
    }
}

#[test]
fn the_list_of_unsafe_code_is_whole_and_each_block_says_why_it_is_sound() {
    let mut found = BTreeMap::new();
    for path in rust_files("src") {
        let text = read(&path);
        let blocks = text.lines().filter(|line| is_unsafe_block(line)).count();
        let proofs = text.lines().filter(|line| line.contains("// SAFETY:")).count();
        let name = path.strip_prefix(root()).expect("it is below").display().to_string();
        assert_eq!(blocks, proofs, "{name}: blocks and their proofs");
        if text.lines().any(has_unsafe_code) {
            found.insert(name, blocks);
        }
    }
    assert!(!found.is_empty(), "the code was not read right");
    let listed: BTreeMap<String, usize> = rows_below("SECURITY.md", "| file | blocks |")
        .iter()
        .map(|row| {
            let file = quoted(&row[0])[0].to_owned();
            (file, row[1].parse().expect("a number of blocks"))
        })
        .collect();
    assert_eq!(listed, found, "left what SECURITY.md says, right what the code has");
    let manifest = read(&root().join("Cargo.toml"));
    assert!(
        manifest.contains("unsafe_code = \"deny\""),
        "SECURITY.md says that it is denied"
    );
}

#[test]
fn the_page_of_metrics_lists_all_of_them_and_no_other() {
    let rows = rows_below("docs/reference/metrics.md", "| metric | further labels |");
    let listed: Vec<&str> = rows.iter().map(|row| quoted(&row[0])[0]).collect();
    let known: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(listed, known, "left what the page says, right what is written");
    let rules = read(&root().join("examples/prometheus/diurnal.rules.yml"));
    let named = rules.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let unknown: Vec<&str> = named
        .filter(|word| word.starts_with("diurnal_") && !known.contains(word))
        .collect();
    assert_eq!(unknown, [""; 0]);
}

#[test]
fn the_page_of_json_has_every_key_of_a_run_and_of_status() {
    let broker = Embedded::start();
    broker.create_topic("t", 1);
    let lines = "m,host=a v=1i 1592604000000000000\nm v= 1\nm,host=\u{7f}\n";
    broker.send("t", &[Record::new(0, lines)]);
    let folder = Folder::new();
    let asking =
        |command: &str| diurnal(&folder, command).args(["--json", "--brokers", &broker.brokers(), "--topic", "t"]);
    let run = asking("archive").run().expect_code(3).json();
    let dry = asking("archive")
        .args(["--replay", "..", "--dry-run"])
        .run()
        .expect_code(0)
        .json();
    let status = asking("status")
        .args(["--max-lag", "0", "--max-age", "1d"])
        .run()
        .expect_code(0)
        .json();
    let text = read(&root().join("docs/reference/json.md"));
    let named = quoted_in_tables(&text);
    for (what, object) in [("run", &run), ("dry run", &dry), ("status", &status)] {
        let mut keys = BTreeSet::new();
        collect_keys(object, &mut keys);
        assert!(keys.len() > 15, "{what}: {keys:?}");
        // Reasons of rejects, and commands with a success, are keys that stand for themselves.
        let own = ["empty_value", "no_fields", "archive"];
        let unknown: Vec<&String> = keys
            .iter()
            .filter(|key| !named.contains(*key) && !own.contains(&key.as_str()))
            .collect();
        assert_eq!(unknown, [""; 0], "{what}: keys that the page does not have");
    }
    // And of those that status has, the page says nothing that is not there.
    let status_part = text
        .split("## `status`")
        .nth(1)
        .and_then(|rest| rest.split("## The others").next())
        .expect("a part");
    let first_cells = status_part
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    let mut keys = BTreeSet::from(["errors".to_owned()]);
    collect_keys(&status, &mut keys);
    for cell in first_cells {
        for name in quoted(&format!("`{cell}")) {
            assert!(keys.contains(name), "{name} is no key of status: {keys:?}");
        }
    }
}

/// Every key of an object and of those inside of it.
fn collect_keys(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                into.insert(key.clone());
                collect_keys(value, into);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_keys(value, into)),
        _ => {}
    }
}

/// What stands in backticks in the rows of tables.
fn quoted_in_tables(text: &str) -> BTreeSet<String> {
    let rows = text.lines().filter(|line| line.starts_with('|'));
    rows.flat_map(quoted).map(str::to_owned).collect()
}

/// The rows of all tables of a page that have a column for the promise, its keeper and its tests.
fn promises(page: &str) -> Vec<Vec<String>> {
    rows_below(page, "| promise | kept by | tests |")
}

/// The cells of each row that stands below such a header.
fn rows_below(page: &str, header: &str) -> Vec<Vec<String>> {
    let text = read(&root().join(page));
    let mut rows = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with(header) {
            inside = true;
        } else if !line.starts_with('|') {
            inside = false;
        } else if inside && !line.starts_with("|---") {
            let cells = line.trim_matches('|').split('|');
            rows.push(cells.map(|cell| cell.trim().to_owned()).collect());
        }
    }
    rows
}

/// What stands in backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The functions marked as tests, within `proptest!` too.
fn names_of_tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in rust_files("src").into_iter().chain(rust_files("tests")) {
        let mut marked = false;
        for line in read(&path).lines().map(str::trim) {
            if line == "#[test]" {
                marked = true;
            } else if let Some(rest) = line.strip_prefix("fn ") {
                if marked {
                    names.extend(rest.split('(').next().map(str::to_owned));
                }
                marked = false;
            }
        }
    }
    names
}

/// Whether a line has the keyword outside of comments; `unsafe_code`, the lint's name, is another word.
fn has_unsafe_code(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .any(|word| word == "unsafe")
}

/// Whether a line begins a block, or an `impl`, that needs a proof; a function's needs are its caller's.
fn is_unsafe_block(line: &str) -> bool {
    has_unsafe_code(line)
        && !["unsafe fn ", "unsafe extern "]
            .iter()
            .any(|function| line.contains(function))
}

/// All files of Rust code below a folder of the repository, in order.
fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
