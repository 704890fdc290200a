//! The ledger's files: `ledger-000001.jsonl`, and so on.
//!
//! A segment that has grown long is left as it is, and the next one goes on with the whole state as its first line. So who opens an
//! archive reads the last one only, however many commits were made; who checks it reads them all.
//!
//! A segment is written aside and gets its name when it is whole and durable, and only then the record of a commit may follow: no
//! crash leaves one that does not begin with its state.

use std::path::Path;

use super::disk::Disk;
use super::failpoint;
use super::ledger::End;
use super::manifest;
use super::paths::{self, Layout};
use super::staging::Staging;
use crate::error::{Error, Result};

/// A segment whose commits have this many bytes is followed by another one, unless the state that it begins with has even more:
/// then they have to outgrow that, so that states are not the most of what is written.
pub const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;

/// How the name of every segment begins and ends.
const PREFIX: &str = "ledger-";
const SUFFIX: &str = ".jsonl";

/// The name of a segment, from 1.
pub(super) fn name(number: u32) -> String {
    format!("{PREFIX}{number:06}{SUFFIX}")
}

/// The number of the segment that has this name; `None` where none has it.
pub(super) fn number(text: &str) -> Option<u32> {
    let digits = text.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    digits
        .parse()
        .ok()
        .filter(|number| *number > 0 && name(*number) == text)
}

/// The number of the last segment; 0 where there is none.
///
/// # Errors
/// One before it is gone; a ledger of a later version; the disk's.
pub(super) fn last(disk: &dyn Disk, layout: &Layout) -> Result<u32> {
    let folder = layout.private();
    let names = disk
        .list(&folder)
        .map_err(|error| Error::io(&folder, "list the folder", &error))?;
    let mut found = Vec::new();
    for name in names {
        match name.to_str().map(|text| (number(text), text)) {
            Some((Some(number), _)) => found.push(number),
            _ if name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) => {
                return Err(Error::damaged(
                    folder.join(&name).display(),
                    "this diurnal knows no such file: the ledger was continued by a later one",
                )
                .hint("use a newer diurnal; nothing was touched"));
            }
            _ => {}
        }
    }
    found.sort_unstable();
    match (1..).zip(&found).find(|(expected, number)| expected != *number) {
        None => Ok(found.last().copied().unwrap_or(0)),
        Some((missing, later)) => Err(Error::damaged(
            layout.segment(missing).display(),
            format_args!("this part of the ledger is gone, but {} is there", name(*later)),
        )
        .hint("restore it from a backup; nothing was touched")),
    }
}

/// The bytes after which a segment is followed by another one: [`SEGMENT_BYTES`], but where a debug build is told otherwise.
pub(super) fn limit() -> u64 {
    failpoint::segment_bytes().unwrap_or(SEGMENT_BYTES)
}

impl End {
    /// Whether the next commit is to begin another segment.
    pub(super) fn is_full(&self, limit: u64) -> bool {
        self.bytes - self.state_bytes >= limit.max(self.state_bytes).max(1)
    }
}

impl Staging {
    /// Begins the next segment, for the record of this commit: the file with its first line, its fsync, its name, the folder's fsync.
    pub(super) fn begin_segment(&self, before: &End) -> Result<End> {
        let shared = &self.shared;
        let (disk, layout) = (&*shared.disk, &shared.layout);
        let (line, end) = before.next_segment(&shared.inner().state.clone())?;
        let path = layout.segment(end.segment);
        if manifest::exists(disk, &path)? {
            return Err(in_the_way(&path));
        }
        let staged = self
            .folder()
            .join(format!("{}{}", name(end.segment), paths::STAGED_SUFFIX));
        let write = |error: std::io::Error| Error::io(&staged, "write the ledger's next segment", &error);
        let mut file = disk.create(&staged).map_err(write)?;
        file.write_all(&line).map_err(write)?;
        failpoint::reach("commit-segment-written");
        shared.synced(&staged, file.sync())?;
        failpoint::reach("commit-segment-synced");
        disk.rename(&staged, &path)
            .map_err(|error| Error::io(&path, "give the ledger's next segment its name", &error))?;
        failpoint::reach("commit-segment-renamed");
        // It is there now, whatever becomes of this commit.
        shared.inner().end = end.clone();
        shared.synced(&layout.private(), disk.sync_folder(&layout.private()))?;
        failpoint::reach("commit-segment-named");
        Ok(end)
    }
}

fn in_the_way(path: &Path) -> Error {
    Error::new(path.display(), "is in the way: this run did not write it")
        .hint("nothing was committed; find out what else writes to this archive, then run again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_known_by_its_name_alone() {
        for (segment, text) in [
            (1, "ledger-000001.jsonl"),
            (123_456, "ledger-123456.jsonl"),
            (1_000_000, "ledger-1000000.jsonl"),
        ] {
            assert_eq!(name(segment), text);
            assert_eq!(number(text), Some(segment));
        }
        for text in [
            "ledger-000000.jsonl",
            "ledger-1.jsonl",
            "ledger-0000001.jsonl",
            "ledger-00001x.jsonl",
            "ledger-000001.jsonl.staged",
            "ledger",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn a_segment_is_full_when_its_commits_outgrow_the_limit_and_its_state() {
        let end = |state_bytes, commits| End {
            state_bytes,
            bytes: state_bytes + commits,
            ..End::default()
        };
        for (state, commits, full) in [
            (0, 0, false),
            (0, 99, false),
            (0, 100, true),
            (99, 100, true),
            (101, 100, false),
            (101, 101, true),
        ] {
            assert_eq!(end(state, commits).is_full(100), full, "{state} {commits}");
        }
        assert!(!end(0, 0).is_full(0), "an empty ledger is never full");
    }
}
