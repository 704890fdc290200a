//! The seeds of the fuzz targets pass the targets' checks, on any toolchain. What a fuzzer found becomes a seed, so it stays fixed.

mod checks;

use std::fs;
use std::path::PathBuf;

use crate::support::{root, skip};

/// Runs each seed of a target through its check; the last seed that is printed is the one that failed.
fn run_seeds(target: &str, check: impl Fn(&[u8])) {
    let folder = root().join("fuzz/seeds").join(target);
    let Ok(entries) = fs::read_dir(&folder) else {
        // A package from the registry has no fuzz targets.
        skip(&format!("there is no {}", folder.display()));
        return;
    };
    let mut seeds: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "no seeds in {}", folder.display());
    for seed in seeds {
        println!("{}", seed.display());
        check(&fs::read(&seed).unwrap());
    }
}

#[test]
fn seeds_of_lineproto_are_read_as_the_reference_reads_them() {
    run_seeds("lineproto", checks::lineproto::check);
}

#[test]
fn seeds_of_columns_become_the_tables_of_the_model() {
    run_seeds("columns", checks::columns::check);
}

#[test]
fn seeds_of_import_come_back_from_the_files() {
    run_seeds("import", checks::import::check);
}
