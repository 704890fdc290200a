//! What the commits of a ledger add up to.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use super::disk::Disk;
use super::hash;
use super::read_ranges::{ReadRanges, imbalance};
use super::record::{
    Commit, Counts, DayEntry, DayFileEntry, FileEntry, Piece, RejectKind, Retried, Snapshot, SourceRange,
};

/// A partition as the ledger tells it from all others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceKey {
    /// The cluster's id; empty where the broker gives none.
    pub cluster_id: String,
    /// The topic's id, where the broker has them.
    pub topic_id: Option<String>,
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
}

impl From<&SourceRange> for SourceKey {
    fn from(range: &SourceRange) -> Self {
        Self {
            cluster_id: range.cluster_id.clone(),
            topic_id: range.topic_id.clone(),
            topic: range.topic.clone(),
            partition: range.partition,
        }
    }
}

/// The archive as its ledger says it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The current files of each (measurement, day).
    pub days: BTreeMap<(String, String), DayEntry>,
    /// The last range of each partition; its `next` is where the next run goes on.
    pub sources: BTreeMap<SourceKey, SourceRange>,
    /// All that was read of each partition, here or by archives that were merged into this one.
    pub read: BTreeMap<SourceKey, ReadRanges>,
    /// The current schema and reject files, by path relative to the archive.
    pub files: BTreeMap<String, FileEntry>,
    /// Number of commits, which is the id of the last one; 0 in a new archive.
    pub commits: u64,
    /// When the last one was made, where that is on record: RFC 3339 in UTC, whole seconds.
    pub at: Option<String>,
    /// Sums over all commits.
    pub totals: Counts,
    /// Every kind of reject so far.
    pub reject_kinds: BTreeSet<RejectKind>,
    /// Stored rejects that were driven again and are archived since: for each reject file, the first and last number of runs
    /// of its lines.
    pub retried: BTreeMap<String, BTreeMap<u64, u64>>,
}

impl From<&State> for Snapshot {
    fn from(state: &State) -> Self {
        let retried = |(path, runs): (&String, &BTreeMap<u64, u64>)| Retried {
            path: path.clone(),
            lines: runs.iter().map(|(first, last)| (*first, *last)).collect(),
        };
        Self {
            commits: state.commits,
            at: state.at.clone(),
            totals: state.totals,
            sources: state.sources.values().cloned().collect(),
            read: state.read.values().flat_map(ReadRanges::iter).cloned().collect(),
            days: state.days.values().cloned().collect(),
            files: state.files.values().cloned().collect(),
            retried: state.retried.iter().map(retried).collect(),
            reject_kinds: state.reject_kinds.iter().cloned().collect(),
        }
    }
}

impl From<Snapshot> for State {
    fn from(snapshot: Snapshot) -> Self {
        let day = |day: DayEntry| ((day.measurement.clone(), day.day.clone()), day);
        let source = |range: SourceRange| (SourceKey::from(&range), range);
        let retried = |Retried { path, lines }| (path, lines.into_iter().collect());
        let mut read: BTreeMap<SourceKey, ReadRanges> = BTreeMap::new();
        for range in snapshot.read {
            read.entry(SourceKey::from(&range)).or_default().restore(range);
        }
        Self {
            read,
            days: snapshot.days.into_iter().map(day).collect(),
            sources: snapshot.sources.into_iter().map(source).collect(),
            files: snapshot
                .files
                .into_iter()
                .map(|file| (file.path.clone(), file))
                .collect(),
            commits: snapshot.commits,
            at: snapshot.at,
            totals: snapshot.totals,
            reject_kinds: snapshot.reject_kinds.into_iter().collect(),
            retried: snapshot.retried.into_iter().map(retried).collect(),
        }
    }
}

impl State {
    /// What is known of some days, and of nothing else.
    pub(super) fn of_days(days: Vec<DayEntry>) -> Self {
        let day = |day: DayEntry| ((day.measurement.clone(), day.day.clone()), day);
        Self {
            days: days.into_iter().map(day).collect(),
            ..Self::default()
        }
    }

    /// Adds the next commit.
    pub(super) fn apply(&mut self, commit: Commit) {
        self.commits = commit.id;
        self.at = commit.at;
        let Counts {
            lines,
            points,
            folded,
            conflicts,
            rejected,
            rejected_again,
        } = commit.counts;
        self.totals.lines += lines;
        self.totals.points += points;
        self.totals.folded += folded;
        self.totals.conflicts += conflicts;
        self.totals.rejected += rejected;
        self.totals.rejected_again += rejected_again;
        for Retried { path, lines } in commit.retried {
            self.retried.entry(path).or_default().extend(lines);
        }
        for day in commit.days {
            self.days.insert((day.measurement.clone(), day.day.clone()), day);
        }
        for range in commit.sources {
            let key = SourceKey::from(&range);
            self.read.entry(key.clone()).or_default().add(range.clone());
            self.sources.insert(key, range);
        }
        for range in commit.merged.into_iter().flat_map(|merged| merged.sources) {
            let key = SourceKey::from(&range);
            self.read.entry(key.clone()).or_default().add(range.clone());
            if self.sources.get(&key).is_none_or(|known| known.next < range.next) {
                self.sources.insert(key, range);
            }
        }
        self.reject_kinds.extend(commit.reject_kinds);
        for file in commit.files {
            self.files.insert(file.path.clone(), file);
        }
        // Of day files the day's entry, which no longer has them, has told.
        for path in &commit.removed {
            self.files.remove(path);
            self.retried.remove(path);
        }
    }

    /// Whether this line (from 1) of a reject file was driven again and is archived since.
    pub fn was_retried(&self, path: &str, line: u64) -> bool {
        let runs = self.retried.get(path);
        let before = runs.and_then(|runs| runs.range(..=line).next_back());
        before.is_some_and(|(_, last)| *last >= line)
    }

    /// The path of every file on record, relative to the archive.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        let days = self.days.values().flat_map(|day| [&day.parquet, &day.csv]).flatten();
        days.map(|file| file.path.as_str())
            .chain(self.files.keys().map(String::as_str))
    }

    /// The length on record of a file, by its path relative to the archive.
    pub fn bytes_of(&self, path: &str) -> Option<u64> {
        if let Some(file) = self.files.get(path) {
            return Some(file.bytes);
        }
        let (folder, name) = path.split_once('/')?;
        let (day, _) = name.rsplit_once('.')?;
        let entry = self
            .days
            .get(&(super::paths::measurement_of(folder)?, day.to_string()))?;
        [&entry.parquet, &entry.csv]
            .into_iter()
            .flatten()
            .find(|file| file.path == path)
            .map(|file| file.bytes)
    }

    /// Days of which no file is left.
    pub fn pruned_days(&self) -> impl Iterator<Item = &DayEntry> {
        self.days.values().filter(|day| !day.has_file())
    }

    /// What does not balance in a commit that is to follow, or follows, this state.
    pub(super) fn imbalances(&self, commit: &Commit) -> Vec<String> {
        let mut found = Vec::new();
        let counts = commit.counts;
        // Wide sums: a damaged or hostile record must not overflow.
        let accounted = [counts.points, counts.folded, counts.rejected]
            .map(u128::from)
            .iter()
            .sum::<u128>();
        if u128::from(counts.lines) != accounted {
            found.push(format!(
                "{} lines are not {} points + {} folded + {} rejected",
                counts.lines, counts.points, counts.folded, counts.rejected
            ));
        }
        if counts.rejected_again > counts.rejected {
            found.push(format!(
                "{} lines were rejected again, of {} rejected ones",
                counts.rejected_again, counts.rejected
            ));
        }
        for Retried { path, lines } in &commit.retried {
            // A merge brings rejects that had been driven again where they come from.
            let brought = commit.files.iter().any(|file| file.path == *path);
            if !self.files.contains_key(path) && !brought {
                found.push(format!("rejects of {path} were driven again, which is on no record"));
            }
            let known =
                |(first, last): &(u64, u64)| first > last || (*first..=*last).any(|line| self.was_retried(path, line));
            if lines.iter().any(known) {
                found.push(format!("rejects of {path} were driven again twice"));
            }
        }
        found.extend(self.wrong_removals(commit));
        let mut seen = std::collections::BTreeSet::new();
        for range in &commit.sources {
            let name = format!("topic {} partition {}", range.topic, range.partition);
            let key = SourceKey::from(range);
            // Where the log was cut, a range goes back and says so.
            let from = range.first.saturating_add_unsigned(range.again);
            match self.sources.get(&key) {
                Some(before) if before.next != from => {
                    let what = if before.next < from { "hole" } else { "overlap" };
                    found.push(format!(
                        "{name}: a {what}, the offsets begin at {} but the commit before ended at {}",
                        from, before.next
                    ));
                }
                None if range.again > 0 => {
                    found.push(format!(
                        "{name}: {} offsets are read again that nobody read",
                        range.again
                    ));
                }
                _ => {}
            }
            found.extend(imbalance(range).map(|problem| format!("{name}: {problem}")));
            if !seen.insert(key) {
                found.push(format!("{name} is there twice"));
            }
        }
        for range in &commit.replayed {
            let name = format!("topic {} partition {}, replayed", range.topic, range.partition);
            found.extend(imbalance(range).map(|problem| format!("{name}: {problem}")));
        }
        found.extend(self.wrong_merges(commit));
        found
    }
}

impl State {
    /// What does not balance in ranges that other archives read, and where they leave a hole.
    fn wrong_merges(&self, commit: &Commit) -> Vec<String> {
        let mut found = Vec::new();
        let mut by_source: BTreeMap<SourceKey, Vec<&SourceRange>> = BTreeMap::new();
        for range in commit.merged.iter().flat_map(|merged| &merged.sources) {
            let name = format!("topic {} partition {}, merged", range.topic, range.partition);
            found.extend(imbalance(range).map(|problem| format!("{name}: {problem}")));
            by_source.entry(SourceKey::from(range)).or_default().push(range);
        }
        for (key, ranges) in by_source {
            let here = self.read.get(&key).into_iter().flat_map(ReadRanges::iter);
            if let Some(hole) = ReadRanges::hole(here.chain(ranges)) {
                found.push(format!(
                    "topic {} partition {}, merged: a hole, nobody read the offsets {} to {}",
                    key.topic, key.partition, hole.start, hole.end
                ));
            }
        }
        found
    }

    /// Where what a commit removes, and what is on record after it, do not go together.
    fn wrong_removals(&self, commit: &Commit) -> Vec<String> {
        let mut found = Vec::new();
        let removed: BTreeSet<&str> = commit.removed.iter().map(String::as_str).collect();
        let kept = targets(commit);
        let kept: BTreeSet<&str> = kept.iter().map(Target::path).collect();
        for path in &removed {
            if self.bytes_of(path).is_none() {
                found.push(format!("{path} is removed, but was on no record"));
            }
            if kept.contains(path) {
                found.push(format!("{path} is removed and kept"));
            }
        }
        let mut left_out: BTreeSet<&str> = BTreeSet::new();
        for day in &commit.days {
            let before = self.days.get(&(day.measurement.clone(), day.day.clone()));
            let files = before
                .into_iter()
                .flat_map(|before| [&before.parquet, &before.csv])
                .flatten();
            left_out.extend(files.map(|file| file.path.as_str()).filter(|path| !kept.contains(path)));
        }
        for path in left_out.difference(&removed) {
            found.push(format!("{path} is left out of its day, but not removed"));
        }
        for path in removed
            .difference(&left_out)
            .filter(|path| !self.files.contains_key(**path))
        {
            found.push(format!("{path} is removed, but its day's entry is not told so"));
        }
        found
    }
}

/// One file that a commit put in place.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target<'a> {
    /// A day's Parquet or CSV file with its leaves, in order.
    Day(&'a DayFileEntry, Vec<Option<&'a Piece>>),
    /// A schema or reject file.
    File(&'a FileEntry),
}

impl Target<'_> {
    /// Path relative to the archive.
    pub fn path(&self) -> &str {
        match self {
            Self::Day(entry, _) => &entry.path,
            Self::File(entry) => &entry.path,
        }
    }

    /// Length on record.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Day(entry, _) => entry.bytes,
            Self::File(entry) => entry.bytes,
        }
    }

    /// Hash of the whole file, where the record has one.
    pub fn hash(&self) -> Option<&str> {
        match self {
            Self::Day(..) => None,
            Self::File(entry) => Some(&entry.hash),
        }
    }

    /// [`Target::problems`], with every byte that is checked written to `copy`.
    pub fn copy(&self, disk: &dyn Disk, path: &Path, copy: &mut dyn Write) -> Vec<String> {
        match self {
            Self::Day(entry, pieces) => hash::copy_day_file(disk, path, entry, pieces, copy),
            Self::File(entry) => hash::copy_file(disk, path, entry.bytes, &entry.hash, copy),
        }
    }

    /// How the file at `path` differs from the record: nothing if it does not.
    pub fn problems(&self, disk: &dyn Disk, path: &Path) -> Vec<String> {
        match self {
            Self::Day(entry, pieces) => hash::day_file_problems(disk, path, entry, pieces),
            Self::File(entry) => hash::file_problems(disk, path, entry.bytes, &entry.hash),
        }
    }
}

/// The files of one day on record: none, one or two.
pub(super) fn targets_of_day(day: &DayEntry) -> impl Iterator<Item = Target<'_>> {
    let parquet = day
        .parquet
        .as_ref()
        .map(|entry| Target::Day(entry, day.leaves.iter().map(|leaf| leaf.parquet.as_ref()).collect()));
    let csv = day
        .csv
        .as_ref()
        .map(|entry| Target::Day(entry, day.leaves.iter().map(|leaf| leaf.csv.as_ref()).collect()));
    parquet.into_iter().chain(csv)
}

/// Every file that is on record.
pub(super) fn all_targets(state: &State) -> impl Iterator<Item = Target<'_>> {
    let days = state.days.values().flat_map(targets_of_day);
    days.chain(state.files.values().map(Target::File))
}

/// Every file that is there because of `commit`.
pub(super) fn targets(commit: &Commit) -> Vec<Target<'_>> {
    commit
        .days
        .iter()
        .flat_map(targets_of_day)
        .chain(commit.files.iter().map(Target::File))
        .collect()
}

#[cfg(test)]
mod tests;
