//! The store as its users drive it: commits, crashes, faults, damage.

mod backup;
mod crash;
mod damage;
mod kill;
mod segments;
pub(crate) mod sim;
mod use_it;

use std::io::Write as _;

use super::digest::Digest;
use super::record::{Commit, Counts, DayEntry, DayFileEntry, FileEntry, Leaf, SourceRange};
use super::{Requested, State, Store};
use crate::error::Result;

/// Commits of [`run_script`].
const COMMITS: u64 = 5;

/// What commit `id` writes: target and content. The first has no day file, the fourth nothing but offsets, the last only
/// [removes](REMOVED).
fn content(id: u64) -> Vec<(String, Vec<u8>)> {
    let files: &[&str] = match id {
        1 => &["_diurnal/schema/cpu.toml", "_diurnal/rejects/000001.jsonl"],
        2 => &["cpu/2020-06-19.parquet", "cpu/2020-06-19.csv"],
        3 => &[
            "cpu/2020-06-19.parquet",
            "cpu/2020-06-19.csv",
            "mem/2020-06-20.csv",
            "_diurnal/schema/cpu.toml",
        ],
        _ => &[],
    };
    files
        .iter()
        .map(|path| {
            (
                path.to_string(),
                format!("{path} as commit {id} wrote it\n")
                    .repeat(id as usize)
                    .into_bytes(),
            )
        })
        .collect()
}

/// What the last commit of the script removes.
const REMOVED: [&str; 3] = [
    "_diurnal/rejects/000001.jsonl",
    "cpu/2020-06-19.csv",
    "mem/2020-06-20.csv",
];

/// The files of the archive after the commits up to `id`.
fn expected(id: u64) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut files: std::collections::BTreeMap<String, Vec<u8>> = (1..=id).flat_map(content).collect();
    if id == COMMITS {
        files.retain(|path, _| !REMOVED.contains(&path.as_str()));
    }
    files
}

/// The record of the last commit: that of no files, with the days that lose one.
fn record_of_removal(before: &State) -> Commit {
    let mut commit = record(COMMITS, &[], before);
    commit.removed = REMOVED.map(str::to_owned).to_vec();
    commit.days = before.days.values().cloned().collect();
    for day in &mut commit.days {
        day.csv = None;
        day.leaves.iter_mut().for_each(|leaf| leaf.csv = None);
    }
    commit
}

fn hex(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// The record of `files`: each day file has two leaves between a header and a footer of 4 bytes.
fn record(id: u64, files: &[(String, Vec<u8>)], before: &State) -> Commit {
    let mut commit = Commit {
        id,
        command: "import".into(),
        counts: Counts {
            lines: 10,
            points: 8,
            folded: 1,
            conflicts: 0,
            rejected: 1,
            rejected_again: 0,
        },
        sources: vec![SourceRange {
            cluster_id: "cluster".into(),
            topic_id: Some("topic id".into()),
            topic: "metrics".into(),
            partition: 0,
            first: (id as i64 - 1) * 10,
            next: id as i64 * 10,
            messages: 7,
            gaps: 2,
            lost: 1,
            again: 0,
            last: None,
            epoch: None,
        }],
        ..Commit::default()
    };
    for (path, bytes) in files {
        let Some((folder, name)) = path.split_once('/').filter(|(folder, _)| *folder != "_diurnal") else {
            commit.files.push(FileEntry {
                path: path.clone(),
                bytes: bytes.len() as u64,
                hash: hex(bytes),
            });
            continue;
        };
        let (day, extension) = name.split_once('.').unwrap();
        let middle = bytes.len() / 2;
        let pieces = [(4, middle), (middle, bytes.len() - 4)]
            .map(|(from, to)| Digest::of(&bytes[from..to]).piece(from as u64, (to - from) as u64));
        let at = commit
            .days
            .iter()
            .position(|entry| entry.measurement == folder && entry.day == day);
        let at = at.unwrap_or_else(|| {
            let leaf = |first| Leaf {
                rows: 2,
                first,
                last: first + 5,
                parquet: None,
                csv: None,
            };
            commit.days.push(DayEntry {
                measurement: folder.into(),
                day: day.into(),
                rows: 4,
                first: 10,
                last: 20,
                encoder: 1,
                leaves: vec![leaf(10), leaf(15)],
                parquet: None,
                csv: None,
            });
            commit.days.len() - 1
        });
        let entry = &mut commit.days[at];
        let file = Some(DayFileEntry {
            path: path.clone(),
            bytes: bytes.len() as u64,
            rest: hex(&[&bytes[..4], &bytes[bytes.len() - 4..]].concat()),
            replaced: before.bytes_of(path),
        });
        for (leaf, piece) in entry.leaves.iter_mut().zip(pieces) {
            match extension {
                "parquet" => leaf.parquet = Some(piece),
                _ => leaf.csv = Some(piece),
            }
        }
        match extension {
            "parquet" => entry.parquet = file,
            _ => entry.csv = file,
        }
    }
    commit
}

/// Makes the next commit of the script.
fn commit_next(store: &Store) -> Result<()> {
    let staging = store.begin("import")?;
    let id = staging.id();
    let files = content(id);
    for (path, bytes) in &files {
        let mut file = staging.file(path)?;
        file.write_all(bytes)
            .map_err(|error| crate::error::Error::io(file.path(), "write", &error))?;
        file.finish()?;
    }
    let before = store.state();
    if id == COMMITS {
        for path in REMOVED {
            staging.remove(path)?;
        }
        return staging.commit(record_of_removal(&before));
    }
    staging.commit(record(id, &files, &before))
}

/// Runs until the archive has all commits; each run makes two at most. `acknowledged` is the last one that was said
/// to stand.
fn run_script(open: impl Fn() -> Result<Store>, acknowledged: &mut u64) -> Result<()> {
    loop {
        let store = open()?;
        *acknowledged = store.state().commits;
        for _ in 0..2 {
            if store.state().commits == COMMITS {
                return Ok(());
            }
            commit_next(&store)?;
            *acknowledged = store.state().commits;
        }
    }
}

fn no_flags() -> Requested {
    Requested::default()
}
