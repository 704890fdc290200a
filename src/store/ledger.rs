//! The ledger's file: one commit a line, each with its length, its checksum and the hash of the line before it.
//!
//! `{"len":N,"crc32c":"xxxxxxxx","prev":"<64 hex>","commit":{...}}` and a line feed. `len` is the length of the commit's
//! JSON in bytes, `crc32c` (Castagnoli) covers the text of `prev` and that JSON, and `prev` is the SHA-256 of the line
//! before with its line feed, zeros for the first. A line is read by rendering it anew from `prev` and the commit's
//! JSON and comparing bytes: there is no second way to write it, so no flipped bit can pass.

use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::disk::Disk;
use super::failpoint;
use super::record::Commit;
use crate::error::{Error, Result};

/// The only segment that this version writes and reads.
pub(super) const SEGMENT: &str = "ledger-000001.jsonl";
/// How the name of every segment begins.
pub(super) const SEGMENT_PREFIX: &str = "ledger-";
/// `prev` of the first line.
const NO_LINE: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Bytes read at once.
const BUFFER_BYTES: usize = 32 * 1024;

/// Where the next line goes and what it must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Bytes of all good lines.
    pub bytes: u64,
    /// SHA-256 of the last good line, hexadecimal.
    pub prev: String,
    /// Id of the last commit; 0 in an empty ledger.
    pub last: u64,
    /// Where the last good line begins.
    pub last_line: u64,
}

impl Default for End {
    fn default() -> Self {
        Self {
            bytes: 0,
            prev: NO_LINE.to_string(),
            last: 0,
            last_line: 0,
        }
    }
}

impl End {
    /// The line of the next commit, and the end behind it.
    pub fn line(&self, commit: &Commit) -> Result<(Vec<u8>, Self)> {
        let json =
            serde_json::to_vec(commit).map_err(|error| Error::new(format_args!("commit {}", commit.id), error))?;
        let line = frame(self.prev.as_bytes(), &json);
        let end = self.after(&line, commit.id);
        Ok((line, end))
    }

    fn after(&self, line: &[u8], id: u64) -> Self {
        Self {
            bytes: self.bytes + line.len() as u64,
            prev: hex(&Sha256::digest(line)),
            last: id,
            last_line: self.bytes,
        }
    }
}

/// What follows the good lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// Nothing.
    Clean,
    /// One last line that is no record: torn, if its staging folder proves it.
    Bad {
        /// Bytes behind the good lines.
        bytes: u64,
        /// What is wrong with it.
        problem: String,
    },
}

/// Reads the ledger line by line and hands over each commit.
///
/// # Errors
/// Everything that a torn last line cannot explain.
pub(super) fn scan(disk: &dyn Disk, path: &Path, mut each: impl FnMut(Commit) -> Result<()>) -> Result<(End, Tail)> {
    let read = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            Error::damaged(path.display(), "the ledger is gone").hint("restore it from a backup; nothing was touched")
        }
        _ => Error::io(path, "read the ledger", &error),
    };
    let mut input = BufReader::with_capacity(BUFFER_BYTES, disk.open(path).map_err(read)?);
    let mut end = End::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).map_err(read)? == 0 {
            return Ok((end, Tail::Clean));
        }
        match parse(&line, &end) {
            Ok(commit) => {
                end = end.after(&line, commit.id);
                each(commit)?;
            }
            Err(Problem::Contradiction(problem)) => {
                return Err(corrupt(path, end.last + 1, &problem));
            }
            Err(Problem::Unreadable(problem)) => {
                if input.read(&mut [0]).map_err(read)? > 0 {
                    return Err(corrupt(path, end.last + 1, &problem));
                }
                let bytes = line.len() as u64;
                return Ok((end, Tail::Bad { bytes, problem }));
            }
        }
    }
}

/// The error for a ledger that no crash leaves behind.
pub(super) fn corrupt(path: &Path, line: u64, problem: &str) -> Error {
    Error::damaged(path.display(), format_args!("line {line} is damaged: {problem}"))
        .hint("restore the ledger from a backup; nothing was touched")
}

/// Appends a line and makes it durable: the commit point.
pub(super) fn append(disk: &dyn Disk, path: &Path, line: &[u8]) -> Result<(), AppendError> {
    let mut file = disk.append(path).map_err(AppendError::Write)?;
    // In two halves only so that a test can die in between; the reader must cope with any part of a line.
    let (first, second) = line.split_at(line.len() / 2);
    file.write_all(first).map_err(AppendError::Write)?;
    failpoint::reach("commit-record-half-written");
    file.write_all(second).map_err(AppendError::Write)?;
    failpoint::reach("commit-record-written");
    file.sync().map_err(AppendError::Sync)
}

/// How an append failed.
pub(super) enum AppendError {
    /// The line is not whole: the commit did not happen.
    Write(io::Error),
    /// The line is there but perhaps not on the disk: the next run finds out.
    Sync(io::Error),
}

enum Problem {
    /// Not a line that was ever written: it may be torn.
    Unreadable(String),
    /// A whole line, but not this one's place.
    Contradiction(String),
}

fn frame(prev: &[u8], json: &[u8]) -> Vec<u8> {
    let crc = crc32c::crc32c_append(crc32c::crc32c(prev), json);
    let mut line = format!("{{\"len\":{},\"crc32c\":\"{crc:08x}\",\"prev\":\"", json.len()).into_bytes();
    line.extend_from_slice(prev);
    line.extend_from_slice(b"\",\"commit\":");
    line.extend_from_slice(json);
    line.extend_from_slice(b"}\n");
    line
}

fn parse(line: &[u8], end: &End) -> Result<Commit, Problem> {
    let unreadable = |what: &str| Problem::Unreadable(what.to_string());
    let (prev, json) = parts(line).ok_or_else(|| unreadable("it is not a whole record"))?;
    if frame(prev, json) != line {
        return Err(unreadable("its length or checksum does not fit its content"));
    }
    if prev != end.prev.as_bytes() {
        return Err(Problem::Contradiction(
            "it does not name the line before it: a line is missing, added or changed".into(),
        ));
    }
    // Checked above, so whoever wrote this meant it.
    let commit: Commit = serde_json::from_slice(json).map_err(|error| {
        Problem::Contradiction(format!(
            "its checksum is right, but its content is not known here: {error}"
        ))
    })?;
    if commit.id != end.last + 1 {
        return Err(Problem::Contradiction(format!(
            "it is commit {}, not {}",
            commit.id,
            end.last + 1
        )));
    }
    Ok(commit)
}

/// `prev` and the commit's JSON, found by position; nothing is believed yet.
fn parts(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = line.strip_prefix(b"{\"len\":")?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let rest = rest.get(digits + ",\"crc32c\":\"xxxxxxxx\",\"prev\":\"".len()..)?;
    let (prev, rest) = rest.split_at_checked(NO_LINE.len())?;
    let json = rest.get("\",\"commit\":".len()..)?.strip_suffix(b"}\n")?;
    Some((prev, json))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::RealDisk;
    use crate::store::record::Counts;

    fn ledger(commits: u64) -> (Vec<u8>, End) {
        let mut end = End::default();
        let mut bytes = Vec::new();
        for id in 1..=commits {
            let commit = Commit {
                id,
                command: "import \"ü\"".into(),
                counts: Counts {
                    lines: id,
                    points: id,
                    ..Counts::default()
                },
                ..Commit::default()
            };
            let (line, next) = end.line(&commit).unwrap();
            bytes.extend_from_slice(&line);
            end = next;
        }
        (bytes, end)
    }

    fn read(bytes: &[u8]) -> Result<(Vec<u64>, End, Tail)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SEGMENT);
        std::fs::write(&path, bytes).unwrap();
        let mut ids = Vec::new();
        let (end, tail) = scan(&RealDisk, &path, |commit| {
            ids.push(commit.id);
            Ok(())
        })?;
        Ok((ids, end, tail))
    }

    #[test]
    fn a_line_has_the_documented_form() {
        let (line, _) = End::default()
            .line(&Commit {
                id: 1,
                command: "x".into(),
                ..Commit::default()
            })
            .unwrap();
        let json = r#"{"id":1,"command":"x","sources":[],"days":[],"files":[],"counts":{"lines":0,"points":0,"folded":0,"conflicts":0,"rejected":0}}"#;
        let crc = crc32c::crc32c(format!("{NO_LINE}{json}").as_bytes());
        let expected = format!(
            "{{\"len\":{},\"crc32c\":\"{crc:08x}\",\"prev\":\"{NO_LINE}\",\"commit\":{json}}}\n",
            json.len()
        );
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    #[test]
    fn what_was_written_is_read_back_with_its_end() {
        for commits in [0, 1, 3] {
            let (bytes, end) = ledger(commits);
            assert_eq!(read(&bytes).unwrap(), ((1..=commits).collect(), end, Tail::Clean));
        }
    }

    #[test]
    fn a_cut_at_any_byte_leaves_the_whole_lines_and_a_bad_tail() {
        let (bytes, _) = ledger(3);
        for cut in 0..bytes.len() {
            let kept = &bytes[..cut];
            let whole = kept.iter().filter(|byte| **byte == b'\n').count() as u64;
            let good = kept.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let (ids, end, tail) = read(kept).unwrap();
            assert_eq!(ids, (1..=whole).collect::<Vec<_>>());
            assert_eq!(end.bytes, good as u64);
            match tail {
                Tail::Clean => assert_eq!(cut, good),
                Tail::Bad { bytes, .. } => assert_eq!(bytes, (cut - good) as u64),
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let (bytes, _) = ledger(3);
        let last_line = bytes[..bytes.len() - 1]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .unwrap()
            + 1;
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                match read(&flipped) {
                    Err(_) => {}
                    // Only the last line may pass for a torn one: the staging folder decides that.
                    Ok((ids, end, Tail::Bad { .. })) => {
                        assert!(at >= last_line - 1 && ids.len() <= 2, "byte {at}, bit {bit}");
                        assert!(end.bytes <= last_line as u64);
                    }
                    Ok((_, _, Tail::Clean)) => panic!("byte {at}, bit {bit}: believed"),
                }
            }
        }
    }

    #[test]
    fn lines_lost_doubled_or_swapped_are_found() {
        let (bytes, _) = ledger(3);
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        for order in [&[1, 2][..], &[0, 2], &[0, 0, 1], &[1, 0, 2], &[0, 1, 2, 2]] {
            let mixed: Vec<u8> = order.iter().flat_map(|line| lines[*line]).copied().collect();
            assert!(read(&mixed).is_err(), "{order:?}");
        }
    }

    #[test]
    fn an_id_out_of_turn_is_found() {
        let (line, _) = End::default()
            .line(&Commit {
                id: 2,
                ..Commit::default()
            })
            .unwrap();
        assert!(read(&line).unwrap_err().to_string().contains("commit 2, not 1"));
    }
}
