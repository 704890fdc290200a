//! `_diurnal/ledger/000042.jsonl`: the object whose making is commit 42.
//!
//! It holds the lines that a local ledger would have, word for word, and one more: what is to be done in the bucket. The first commit
//! of every [`RECORDS`] begins a segment, with the state as its first line, so that who opens an archive reads no more objects than that.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::bucket::{Condition, Version};
use crate::error::{Error, Result};
use crate::store::{ledger, paths};

/// Commits of a segment.
pub(in crate::store) const RECORDS: u64 = 64;

/// The folder of the records, relative to the archive.
pub(super) const FOLDER: &str = "_diurnal/ledger";
const SUFFIX: &str = ".jsonl";

/// The key of a commit's record.
pub(super) fn key(commit: u64) -> String {
    format!("{FOLDER}/{commit:06}{SUFFIX}")
}

/// The commit whose record has this key.
pub(super) fn commit_of(key_: &str) -> Option<u64> {
    let digits = key_.strip_prefix(FOLDER)?.strip_prefix('/')?.strip_suffix(SUFFIX)?;
    let commit = digits.parse().ok()?;
    (commit > 0 && key(commit) == key_).then_some(commit)
}

/// The segment, from 1, that a commit is in.
pub(super) fn segment_of(commit: u64) -> u32 {
    u32::try_from(commit.saturating_sub(1) / RECORDS + 1).unwrap_or(u32::MAX)
}

/// The first commit of a segment.
pub(super) fn first_of(segment: u32) -> u64 {
    u64::from(segment.saturating_sub(1)) * RECORDS + 1
}

/// What a commit does in the bucket once it is on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    /// Of which run: no two have the same.
    pub run: String,
    pub commit: u64,
    /// Staged objects on their way to their keys.
    pub puts: Vec<Replace>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removes: Vec<Remove>,
}

/// One staged object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replace {
    /// Key relative to the archive.
    pub target: String,
    /// Name in the staging folder.
    pub staged: String,
    pub bytes: u64,
    /// The object that it replaces; without it there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Version>,
}

/// One object that goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Remove {
    /// Key relative to the archive.
    pub target: String,
    pub is: Version,
}

impl Replace {
    pub fn condition(&self) -> Condition {
        match &self.replaces {
            Some(version) => Condition::Is(version.clone()),
            None => Condition::Absent,
        }
    }
}

impl Plan {
    /// The folder of the staged objects, relative to the archive.
    pub fn folder(&self) -> String {
        staging_of(&self.run, self.commit)
    }

    /// The key of a staged object.
    pub fn staged(&self, put: &Replace) -> String {
        format!("{}/{}", self.folder(), put.staged)
    }

    /// The key of what goes last: while it is there, the plan may not be carried out.
    pub fn marker(&self) -> String {
        format!("{}/{}", self.folder(), crate::store::manifest::NAME)
    }

    fn check(&self) -> Result<(), String> {
        let mut targets = BTreeSet::new();
        let puts = self.puts.iter().map(|put| &put.target);
        for target in puts.chain(self.removes.iter().map(|gone| &gone.target)) {
            if !paths::is_target(target) || !targets.insert(target) {
                return Err(format!("`{target}` is no object that a commit writes or removes"));
            }
        }
        let is_plain =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_plain(&self.run) {
            return Err(format!("`{}` names no run", self.run));
        }
        let is_staged = |put: &Replace| !put.staged.contains('/') && put.staged.ends_with(paths::STAGED_SUFFIX);
        match self.puts.iter().find(|put| !is_staged(put)) {
            Some(put) => Err(format!("`{}` is no staged object", put.staged)),
            None => Ok(()),
        }
    }
}

/// The folder of what a run stages for a commit, relative to the archive.
pub(super) fn staging_of(run: &str, commit: u64) -> String {
    format!("{}/staging/{run}/{commit:06}", paths::PRIVATE)
}

/// The run and the commit of a staged object.
pub(super) fn staged_of(key: &str) -> Option<(&str, u64)> {
    let rest = key.strip_prefix(paths::PRIVATE)?.strip_prefix("/staging/")?;
    let (run, rest) = rest.split_once('/')?;
    Some((run, rest.split_once('/')?.0.parse().ok()?))
}

/// A record as an object: the ledger's lines, of which the commit's is the last, and the plan.
pub(super) fn render(lines: &[u8], plan: &Plan) -> Result<Vec<u8>> {
    let json = serde_json::to_vec(plan).map_err(|error| Error::new(format_args!("commit {}", plan.commit), error))?;
    let line = ledger::plan_line(last_line(lines), &json);
    Ok([lines, &line].concat())
}

/// The ledger's lines of a record, and the plan.
///
/// # Errors
/// What diurnal would not have written; what is in the ledger's lines is for the ledger to judge.
pub(super) fn parse(object: &[u8], commit: u64) -> Result<(&[u8], Plan), String> {
    let line = last_line(object);
    let lines = &object[..object.len() - line.len()];
    let count = lines.iter().filter(|byte| **byte == b'\n').count();
    let expected = if commit > 1 && commit == first_of(segment_of(commit)) {
        2
    } else {
        1
    };
    if count != expected || !lines.ends_with(b"\n") {
        return Err(format!("it has {count} lines before the last one, not {expected}"));
    }
    let json = ledger::plan_of(last_line(lines), line)?;
    let plan: Plan = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    if plan.commit != commit {
        return Err(format!("it is that of commit {}", plan.commit));
    }
    plan.check()?;
    Ok((lines, plan))
}

/// The last line with its line feed.
fn last_line(text: &[u8]) -> &[u8] {
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let begin = body.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    &text[begin..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ledger::End;
    use crate::store::record::Commit;

    fn plan() -> Plan {
        Plan {
            run: "r-1".into(),
            commit: 1,
            puts: vec![Replace {
                target: "cpu/2020-06-19.csv".into(),
                staged: "000001-2020-06-19.csv.staged".into(),
                bytes: 5,
                replaces: None,
            }],
            removes: Vec::new(),
        }
    }

    fn line() -> Vec<u8> {
        let commit = Commit {
            id: 1,
            command: "import".into(),
            ..Commit::default()
        };
        End::default().line(&commit).unwrap().0
    }

    #[test]
    fn keys_and_segments() {
        assert_eq!(key(42), "_diurnal/ledger/000042.jsonl");
        for commit in [1, 2, 64, 65, 999_999, 1_000_000] {
            assert_eq!(commit_of(&key(commit)), Some(commit));
            let segment = segment_of(commit);
            assert!(first_of(segment) <= commit && commit < first_of(segment + 1));
        }
        assert_eq!((segment_of(64), segment_of(65)), (1, 2));
        for other in [
            "_diurnal/ledger/42.jsonl",
            "_diurnal/ledger/000000.jsonl",
            "_diurnal/ledger/0000001.jsonl",
        ] {
            assert_eq!(commit_of(other), None, "{other}");
        }
        let staged = plan().staged(&plan().puts[0]);
        assert_eq!(staged_of(&staged), Some(("r-1", 1)));
    }

    #[test]
    fn a_record_comes_back_and_no_flipped_bit_of_its_plan_passes() {
        let whole = render(&line(), &plan()).unwrap();
        assert_eq!(parse(&whole, 1).unwrap(), (&line()[..], plan()));
        assert!(parse(&whole, 2).is_err());
        assert!(parse(&whole[..whole.len() - 1], 1).is_err());
        for at in line().len()..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                assert!(parse(&flipped, 1).is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn a_plan_goes_nowhere_else() {
        let refused = |change: &dyn Fn(&mut Plan)| {
            let mut other = plan();
            change(&mut other);
            let whole = render(&line(), &other).unwrap();
            assert!(parse(&whole, 1).is_err(), "{other:?}");
        };
        refused(&|plan| plan.puts[0].target = "../x".into());
        refused(&|plan| plan.puts[0].target = "_diurnal/archive.toml".into());
        refused(&|plan| plan.puts[0].staged = "../x.staged".into());
        refused(&|plan| plan.run = "a/b".into());
        refused(&|plan| plan.puts.push(plan.puts[0].clone()));
    }
}
