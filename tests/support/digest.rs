//! An archive as a map from path to hash, so that two archives can be compared and a difference names its file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Path relative to the archive -> BLAKE3 of the file.
pub type Tree = BTreeMap<String, String>;

/// Every file of the archive, but for that which says when there was a run: each run writes it anew.
pub fn all_files(archive: &Path) -> Tree {
    let mut tree = Tree::new();
    collect(archive, archive, &mut tree);
    tree.remove("_diurnal/last-run.json");
    tree
}

/// The day files alone: what the law promises to be equal. Never empty, so that a comparison can't pass for lack of files.
pub fn day_files(archive: &Path) -> Tree {
    let mut tree = all_files(archive);
    tree.retain(|path, _| !path.starts_with("_diurnal/"));
    assert!(!tree.is_empty(), "{} holds no day file", archive.display());
    tree
}

/// The day files and the schemas, which follow from the points as well.
pub fn day_files_and_schemas(archive: &Path) -> Tree {
    let mut tree = all_files(archive);
    tree.retain(|path, _| !path.starts_with("_diurnal/") || path.starts_with("_diurnal/schema/"));
    assert!(!tree.is_empty(), "{} holds no day file", archive.display());
    tree
}

/// Fails when a file that a query would meet is staged or half done.
pub fn assert_no_debris(archive: &Path) {
    for path in all_files(archive).keys() {
        assert!(
            !path.ends_with(".staged") && !path.starts_with("_diurnal/staging/"),
            "{path} was left behind"
        );
    }
}

fn collect(root: &Path, dir: &Path, into: &mut Tree) {
    let entries = fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    for entry in entries {
        let path = entry.expect("a folder can be listed").path();
        if path.is_dir() {
            collect(root, &path, into);
        } else {
            let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let name = path.strip_prefix(root).expect("it lies below the root");
            into.insert(
                name.to_string_lossy().into_owned(),
                blake3::hash(&bytes).to_hex().to_string(),
            );
        }
    }
}
