//! The ledger's lines: a commit each, with its length, its checksum and the hash of the line before it.
//!
//! `{"len":N,"crc32c":"xxxxxxxx","prev":"<64 hex>","commit":{...}}` and a line feed. `len` is the length of the commit's
//! JSON in bytes, `crc32c` (Castagnoli) covers the text of `prev` and that JSON, and `prev` is the SHA-256 of the line
//! before with its line feed, zeros for the first. A line is read by rendering it anew from `prev` and the commit's
//! JSON and comparing bytes: there is no second way to write it, so no flipped bit can pass.
//!
//! The first line of every [segment](super::segments) but the first has `state` in place of `commit`: what all commits before it
//! add up to.

use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::disk::Disk;
use super::failpoint;
use super::record::{Commit, Snapshot};
use super::state::State;
use crate::error::{Error, Result};

/// `prev` of the first line.
const NO_LINE: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Bytes read at once.
const BUFFER_BYTES: usize = 32 * 1024;

/// Where the next line goes and what it must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Number of the segment, from 1.
    pub segment: u32,
    /// Bytes of all its good lines.
    pub bytes: u64,
    /// Those of them that are the state it begins with.
    pub state_bytes: u64,
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
            segment: 1,
            bytes: 0,
            state_bytes: 0,
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
        let line = frame(self.prev.as_bytes(), Key::Commit, &json);
        let end = self.after(&line, commit.id);
        Ok((line, end))
    }

    /// The line that begins the next segment, and the end behind it. `state` is what all commits so far add up to.
    pub fn next_segment(&self, state: &State) -> Result<(Vec<u8>, Self)> {
        let json = serde_json::to_vec(&Snapshot::from(state))
            .map_err(|error| Error::new(format_args!("the state after commit {}", self.last), error))?;
        let line = frame(self.prev.as_bytes(), Key::State, &json);
        let end = Self::begun(self.segment + 1, &line, self.last);
        Ok((line, end))
    }

    /// The end of a segment that has nothing but its state.
    fn begun(segment: u32, line: &[u8], last: u64) -> Self {
        let before = Self {
            segment,
            ..Self::default()
        };
        let end = before.after(line, last);
        Self {
            state_bytes: end.bytes,
            ..end
        }
    }

    fn after(&self, line: &[u8], id: u64) -> Self {
        Self {
            segment: self.segment,
            bytes: self.bytes + line.len() as u64,
            state_bytes: self.state_bytes,
            prev: hex(&Sha256::digest(line)),
            last: id,
            last_line: self.bytes,
        }
    }
}

/// What a line says.
#[derive(Debug)]
pub(super) enum Record {
    /// The next commit.
    Commit(Box<Commit>),
    /// What all commits before add up to.
    State(Box<State>),
}

/// What comes before a segment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Before<'a> {
    /// Nothing: it is the first.
    Nothing,
    /// The segment before, to its end.
    Segment(&'a End),
    /// A segment that was not read. The number is that of the one that is read now.
    Unread(u32),
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
        /// Its number in the segment, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
}

/// Reads a segment line by line and hands over each record.
///
/// # Errors
/// Everything that a torn last line cannot explain.
pub(super) fn scan(
    disk: &dyn Disk,
    path: &Path,
    before: Before<'_>,
    mut each: impl FnMut(Record) -> Result<()>,
) -> Result<(End, Tail)> {
    let read = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            Error::damaged(path.display(), "the ledger is gone").hint("restore it from a backup; nothing was touched")
        }
        _ => Error::io(path, "read the ledger", &error),
    };
    let mut input = BufReader::with_capacity(BUFFER_BYTES, disk.open(path).map_err(read)?);
    let mut line = Vec::new();
    let mut number = 0;
    let mut end = match before {
        Before::Nothing => End::default(),
        Before::Segment(_) | Before::Unread(_) => {
            input.read_until(b'\n', &mut line).map_err(read)?;
            number += 1;
            // It got its name when it was whole.
            let (state, end) = begin(&line, before).map_err(|problem| corrupt(path, number, &problem))?;
            each(Record::State(Box::new(state)))?;
            end
        }
    };
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).map_err(read)? == 0 {
            return Ok((end, Tail::Clean));
        }
        number += 1;
        match parse(&line, &end) {
            Ok(commit) => {
                end = end.after(&line, commit.id);
                each(Record::Commit(Box::new(commit)))?;
            }
            Err(Problem::Contradiction(problem)) => {
                return Err(corrupt(path, number, &problem));
            }
            Err(Problem::Unreadable(problem)) => {
                if input.read(&mut [0]).map_err(read)? > 0 {
                    return Err(corrupt(path, number, &problem));
                }
                return Ok((
                    end,
                    Tail::Bad {
                        bytes: line.len() as u64,
                        line: number,
                        problem,
                    },
                ));
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

/// What a line is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Commit,
    State,
    /// What a commit in a bucket is to do there: see [`plan_line`].
    #[cfg(feature = "object-store")]
    Plan,
}

impl Key {
    /// What stands between `prev` and the JSON.
    fn text(self) -> &'static [u8] {
        match self {
            Self::Commit => b"\",\"commit\":",
            Self::State => b"\",\"state\":",
            #[cfg(feature = "object-store")]
            Self::Plan => b"\",\"plan\":",
        }
    }
}

fn frame(prev: &[u8], key: Key, json: &[u8]) -> Vec<u8> {
    let crc = crc32c::crc32c_append(crc32c::crc32c(prev), json);
    let mut line = format!("{{\"len\":{},\"crc32c\":\"{crc:08x}\",\"prev\":\"", json.len()).into_bytes();
    line.extend_from_slice(prev);
    line.extend_from_slice(key.text());
    line.extend_from_slice(json);
    line.extend_from_slice(b"}\n");
    line
}

/// The line behind a commit's in its object: what is to be done in the bucket, as JSON. `commit` is the line before it.
#[cfg(feature = "object-store")]
pub(super) fn plan_line(commit: &[u8], plan: &[u8]) -> Vec<u8> {
    frame(hex(&Sha256::digest(commit)).as_bytes(), Key::Plan, plan)
}

/// The JSON of [`plan_line`], where it is whole and follows `commit`.
#[cfg(feature = "object-store")]
pub(super) fn plan_of<'a>(commit: &[u8], line: &'a [u8]) -> Result<&'a [u8], &'static str> {
    let (prev, key, json) = whole(line)?;
    match key == Key::Plan && prev == hex(&Sha256::digest(commit)).as_bytes() {
        true => Ok(json),
        false => Err("what is to be done in the bucket does not belong to the commit before it"),
    }
}

fn parse(line: &[u8], end: &End) -> Result<Commit, Problem> {
    let (prev, key, json) = whole(line).map_err(|problem| Problem::Unreadable(problem.to_owned()))?;
    if prev != end.prev.as_bytes() {
        return Err(Problem::Contradiction(OTHER_LINE.to_owned()));
    }
    if key != Key::Commit {
        return Err(Problem::Contradiction(
            "it is a state in the middle of a segment".into(),
        ));
    }
    // Checked above, so whoever wrote this meant it.
    let commit: Commit = serde_json::from_slice(json).map_err(|error| Problem::Contradiction(unknown(&error)))?;
    if commit.id != end.last + 1 {
        return Err(Problem::Contradiction(format!(
            "it is commit {}, not {}",
            commit.id,
            end.last + 1
        )));
    }
    Ok(commit)
}

/// The state that a segment begins with, and the end behind it.
fn begin(line: &[u8], before: Before<'_>) -> Result<(State, End), String> {
    let (prev, key, json) = whole(line)?;
    if key != Key::State {
        return Err("it is not the state that a segment begins with".to_owned());
    }
    let segment = match before {
        Before::Segment(end) if prev != end.prev.as_bytes() => return Err(OTHER_LINE.to_owned()),
        Before::Segment(end) => end.segment + 1,
        Before::Unread(segment) => segment,
        Before::Nothing => return Err("nothing comes before it".to_owned()),
    };
    let snapshot: Snapshot = serde_json::from_slice(json).map_err(|error| unknown(&error))?;
    let state = State::from(snapshot);
    match before {
        Before::Segment(end) if state.commits != end.last => Err(format!(
            "it is the state after commit {}, not {}",
            state.commits, end.last
        )),
        _ => {
            let end = End::begun(segment, line, state.commits);
            Ok((state, end))
        }
    }
}

const OTHER_LINE: &str = "it does not name the line before it: a line is missing, added or changed";

fn unknown(error: &serde_json::Error) -> String {
    format!("its checksum is right, but its content is not known here: {error}")
}

/// `prev`, key and JSON of a line in which every byte is as it was written.
fn whole(line: &[u8]) -> Result<(&[u8], Key, &[u8]), &'static str> {
    let (prev, key, json) = parts(line).ok_or("it is not a whole record")?;
    match frame(prev, key, json) == line {
        true => Ok((prev, key, json)),
        false => Err("its length or checksum does not fit its content"),
    }
}

/// `prev`, key and JSON, found by position; nothing is believed yet.
fn parts(line: &[u8]) -> Option<(&[u8], Key, &[u8])> {
    let rest = line.strip_prefix(b"{\"len\":")?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let rest = rest.get(digits + ",\"crc32c\":\"xxxxxxxx\",\"prev\":\"".len()..)?;
    let (prev, rest) = rest.split_at_checked(NO_LINE.len())?;
    let key = match rest {
        _ if rest.starts_with(Key::State.text()) => Key::State,
        #[cfg(feature = "object-store")]
        _ if rest.starts_with(Key::Plan.text()) => Key::Plan,
        _ => Key::Commit,
    };
    let json = rest.get(key.text().len()..)?.strip_suffix(b"}\n")?;
    Some((prev, key, json))
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
mod tests;
