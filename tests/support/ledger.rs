//! The ledger as a test changes it: lines that are right in length, checksum and hash, so that only their content differs.

use std::fs;
use std::path::PathBuf;

use super::folder::Folder;

/// The ledger's path and its lines.
pub fn ledger(folder: &Folder) -> (PathBuf, Vec<String>) {
    let path = folder.join("archive/_diurnal/ledger-000001.jsonl");
    let text = fs::read_to_string(&path).expect("a ledger");
    let lines = text.lines().map(str::to_owned).collect();
    (path, lines)
}

/// A ledger line around another commit: right in length, checksum and hash, so that only its content can be wrong.
pub fn line_around(commit: &str, previous: &str) -> String {
    use sha2::Digest as _;
    let hash = sha2::Sha256::digest(format!("{previous}\n"));
    let prev: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let checksum = crc32c::crc32c(format!("{prev}{commit}").as_bytes());
    let len = commit.len();
    format!(r#"{{"len":{len},"crc32c":"{checksum:08x}","prev":"{prev}","commit":{commit}}}"#)
}

/// Changes the last commit's own text.
pub fn change_last_commit(folder: &Folder, change: impl FnOnce(&str) -> String) {
    let (path, mut lines) = ledger(folder);
    let last = lines.pop().expect("a commit");
    let commit = last.split_once(r#""commit":"#).expect("a commit").1;
    let changed = change(commit.strip_suffix('}').expect("the line's own brace"));
    let before = lines.last().cloned();
    let line = match &before {
        Some(before) => line_around(&changed, before),
        None => panic!("the first commit names no line before it"),
    };
    lines.push(line);
    fs::write(path, lines.join("\n") + "\n").expect("a test can write into its folder");
}
