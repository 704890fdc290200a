//! Plays a case: makes the archives that it tells of, kills what it kills, and compares what comes of them with one archive that got
//! everything at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use diurnal::commands::{Archiver, Merger};
use diurnal::console::Console;
use diurnal::settings::{IngestSettings, Memory, MergeSettings};
use diurnal::source::{Origin, StopFlag, TopicIdentity};
use diurnal::store::record::SourceRange;
use diurnal::store::{Archive, Pending, SourceKey, State};
use tempfile::TempDir;

use super::case::{Case, Merge, Message, Partition, Run, Step};
use super::common::{AMPLE, Budget, bytes_of, settings};
use super::compare::{Trouble, broken, compare, nothing_found};
use super::disk::MortalDisk;
use super::tally::{Count, Tally};
use crate::support::folder::in_memory;

struct World<'c> {
    case: &'c Case,
    folder: TempDir,
    tally: Tally,
}

/// What is known of a run that was killed.
#[derive(Default)]
struct Progress {
    /// What was read by commits that were said to be made.
    promised: Vec<SourceRange>,
    /// Commits of the archive before the last step, once the run came to it.
    before_last: Option<u64>,
}

/// Plays a case; says how the archives differ, or what else is wrong.
pub fn play(case: &Case) -> Result<Tally, String> {
    let mut world = World {
        case,
        folder: in_memory(),
        tally: Tally::default(),
    };
    world.tally.add(Count::Cases, 1);
    match world.play() {
        Ok(()) => Ok(world.tally),
        Err(Trouble::Said(problem) | Trouble::Broken(problem)) => Err(problem),
    }
}

impl World<'_> {
    fn play(&mut self) -> Result<(), Trouble> {
        std::fs::create_dir(self.path("schemas")).expect("a folder");
        for (number, text) in self.case.schemas.iter().enumerate() {
            std::fs::write(self.path(&format!("schemas/{number}.toml")), text).expect("a schema");
        }
        for (number, runs) in self.case.archives.iter().enumerate() {
            for run in runs {
                self.run(number, run)?;
            }
        }
        let mut last = 0;
        for merge in &self.case.merges {
            self.merge(merge)?;
            last = merge.into;
        }
        for run in &self.case.late {
            self.run(last, run)?;
        }
        let found = self.archive(last);
        self.recover(&found)?;
        let expected = self.at_once()?;
        compare(self.case, &expected, &found)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn archive(&self, number: usize) -> PathBuf {
        self.path(&format!("archive-{number}"))
    }

    fn settings(&self, archive: &Path, memory: u64) -> IngestSettings {
        let Case {
            formats,
            timezone,
            time_unit,
            precision,
            ..
        } = self.case;
        let mut settings = settings(archive, &self.path("schemas"), *formats, timezone);
        settings.requested.time_unit = Some(*time_unit);
        IngestSettings {
            memory: Memory::new(memory),
            precision: *precision,
            ..settings
        }
    }

    /// Makes a run, again and again until it is done.
    fn run(&mut self, archive: usize, run: &Run) -> Result<(), Trouble> {
        let path = self.archive(archive);
        for attempt in 0.. {
            let kill = run.kills.get(attempt);
            let disk = MortalDisk::new(kill.copied());
            let mut progress = Progress::default();
            let done = self.attempt(&path, run, &disk, kill.is_some(), &mut progress);
            self.tally.add(Count::Runs, 1);
            self.tally.add(Count::Replays, u64::from(run.is_replay));
            self.tally.add(Count::SpillFiles, disk.spilled());
            if !disk.is_dead() {
                return done;
            }
            if let Err(Trouble::Broken(problem)) = done {
                return broken(problem);
            }
            let Some(state) = self.after_kill(&path)? else { continue };
            for range in &progress.promised {
                if state
                    .sources
                    .get(&SourceKey::from(range))
                    .is_none_or(|known| known.next < range.next)
                {
                    return broken(format!("a commit that was made is gone: {range:?} is on no record"));
                }
            }
            let is_whole = progress.before_last.is_some_and(|before| before < state.commits);
            if is_whole && run.is_left && attempt + 1 == run.kills.len() {
                self.tally.add(Count::Left, 1);
                return Ok(());
            }
        }
        unreachable!("a run that nothing kills is done");
    }

    fn attempt(
        &mut self,
        path: &Path,
        run: &Run,
        disk: &MortalDisk,
        may_die: bool,
        progress: &mut Progress,
    ) -> Result<(), Trouble> {
        let settings = self.settings(path, run.budget.memory);
        let mut archiver = Archiver::open_on(Arc::new(disk.clone()), "archive", settings, Console::SILENT)?
            .with_leaf_size(self.case.leaf_size);
        if run.is_replay {
            archiver = archiver.replaying();
        }
        let (mut lines, mut rejected) = (0, 0);
        for (number, step) in run.steps.iter().enumerate() {
            let mut ranges = self.ranges(step);
            if !run.is_replay {
                let all = ranges.len();
                let read = archiver.positions();
                ranges.retain(|range| !read.iter().any(|read| is_same(read, range) && read.next >= range.next));
                if ranges.len() < all {
                    if !ranges.is_empty() {
                        return broken("a commit happened in part");
                    }
                    self.tally.add(Count::ReadAgain, u64::from(run.again));
                    if !run.again {
                        continue;
                    }
                }
            }
            if may_die && number + 1 == run.steps.len() {
                progress.before_last = Some(Archive::read(path)?.state().commits);
            }
            let given = step.threads.iter().flatten().map(|number| &self.case.messages[*number]);
            let given = given.fold((0, 0), |sum, one| (sum.0 + one.lines, sum.1 + one.rejected));
            (lines, rejected) = (lines + given.0, rejected + given.1);
            self.commit(&mut archiver, run.budget, &step.threads, ranges.clone())?;
            if !run.is_replay {
                progress.promised.extend(ranges);
            }
        }
        let leaves = archiver.leaves();
        let report = archiver.finish();
        self.tally.add(Count::Copied, leaves.copied);
        self.tally.add(Count::Encoded, leaves.encoded);
        let counted = (report.lines, report.rejected, report.lines - report.rejected);
        match counted == (lines, rejected, report.points + report.folded) {
            true => Ok(()),
            false => broken(format!("{lines} lines, {rejected} of them bad, are not {report:?}")),
        }
    }

    fn ranges(&self, step: &Step) -> Vec<SourceRange> {
        let range = |span: &super::case::Span| self.case.partitions[span.partition].range(*span);
        let mut ranges: Vec<SourceRange> = step.spans.iter().map(range).collect();
        ranges.sort_by_key(|range| (range.partition, range.first));
        ranges
    }

    fn commit(
        &self,
        archiver: &mut Archiver,
        budget: Budget,
        threads: &[Vec<usize>],
        ranges: Vec<SourceRange>,
    ) -> Result<(), Trouble> {
        let mut gathered = Vec::new();
        for thread in threads {
            let mut gatherer = archiver.gatherer_of(budget.held, budget.block);
            for &number in thread {
                let message = &self.case.messages[number];
                let default_time = message.timestamp_ms.map(|time| time * 1_000_000);
                gatherer.push(message.text.as_bytes(), default_time, |at| {
                    self.origin(number, message, at)
                });
            }
            gathered.push(gatherer.finish()?);
        }
        Ok(archiver.commit(gathered, ranges, Vec::new())?)
    }

    /// Where a line of a message stands, whichever way it comes.
    fn origin(&self, number: usize, message: &Message, at: usize) -> Origin {
        let Some((partition, offset)) = message.place else {
            return Origin::File {
                path: "lines".into(),
                offset: (number * 10_000 + at) as u64,
            };
        };
        let partition = &self.case.partitions[partition];
        Origin::Kafka {
            topic: Arc::new(TopicIdentity {
                cluster_id: Partition::CLUSTER.to_owned(),
                topic_id: partition.topic_id.map(str::to_owned),
                topic: partition.topic.to_owned(),
            }),
            partition: partition.number,
            offset,
            timestamp_ms: message.timestamp_ms,
        }
    }

    /// Merges archives into one, again and again until it is done.
    fn merge(&mut self, merge: &Merge) -> Result<(), Trouble> {
        let path = self.archive(merge.into);
        for attempt in 0.. {
            let disk = MortalDisk::new(merge.kills.get(attempt).copied());
            let done = self.attempt_merge(&path, merge, &disk);
            self.tally.add(Count::Merges, 1);
            if !disk.is_dead() {
                done?;
                break;
            }
            if let Err(Trouble::Broken(problem)) = done {
                return broken(problem);
            }
            self.after_kill(&path)?;
        }
        if merge.again {
            let before = bytes_of(&path);
            let points = self.attempt_merge(&path, merge, &MortalDisk::new(None))?;
            if points != 0 || bytes_of(&path) != before {
                return broken("what was merged once more changed something");
            }
            self.tally.add(Count::MergedAgain, 1);
        }
        Ok(())
    }

    fn attempt_merge(&mut self, path: &Path, merge: &Merge, disk: &MortalDisk) -> Result<u64, Trouble> {
        let settings = MergeSettings {
            archive: path.to_owned(),
            others: merge.others.iter().map(|other| self.archive(*other)).collect(),
            accept_recreated: Vec::new(),
            dry_run: false,
        };
        let mut merger = Merger::open_on(Arc::new(disk.clone()), settings, Console::SILENT)?
            .with_leaf_size(self.case.leaf_size)
            .with_memory(Memory::new(merge.memory));
        merger.merge(&StopFlag::new())?;
        self.tally.add(Count::MergeCopied, merger.leaves().copied);
        self.tally.add(Count::MergeEncoded, merger.leaves().encoded);
        let report = merger.finish();
        match report.lines == report.points + report.folded + report.rejected {
            true => Ok(report.points),
            false => broken(format!("the counts of a merge do not balance: {report:?}")),
        }
    }

    /// What a process that was killed leaves can be read, and all that is on record is there. `None` where there is no archive yet.
    fn after_kill(&mut self, path: &Path) -> Result<Option<State>, Trouble> {
        if !path.join("_diurnal/archive.toml").exists() {
            self.tally.add(Count::KilledBefore, 1);
            return Ok(None);
        }
        let archive = Archive::read(path)?;
        let killed = match archive.pending() {
            None => Count::KilledBefore,
            Some(Pending::TornTail { .. }) => Count::KilledWithin,
            Some(Pending::RollForward { .. }) => Count::KilledBehind,
        };
        self.tally.add(killed, 1);
        nothing_found(&archive)?;
        Ok(Some(archive.state().clone()))
    }

    /// Opens an archive, so that what the last run left to do is done.
    fn recover(&self, path: &Path) -> Result<(), Trouble> {
        Archiver::open("archive", self.settings(path, u64::MAX), Console::SILENT)?;
        Ok(())
    }

    /// One archive that gets everything at once, by one thread that has memory for all.
    fn at_once(&mut self) -> Result<PathBuf, Trouble> {
        let path = self.path("at-once");
        let settings = self.settings(&path, u64::MAX);
        let mut archiver = Archiver::open("archive", settings, Console::SILENT)?.with_leaf_size(self.case.leaf_size);
        if !self.case.first.is_empty() {
            self.commit(&mut archiver, AMPLE, std::slice::from_ref(&self.case.first), Vec::new())?;
        }
        let all = vec![(0..self.case.messages.len()).collect()];
        self.commit(&mut archiver, AMPLE, &all, Vec::new())?;
        let report = archiver.finish();
        self.tally.add(Count::Conflicts, report.conflicts);
        self.tally.add(Count::Days, report.days.len() as u64);
        self.tally.add(Count::Lines, report.lines);
        self.tally.add(Count::Points, report.points);
        self.tally.add(Count::Rejected, report.rejected);
        Ok(path)
    }
}

fn is_same(a: &SourceRange, b: &SourceRange) -> bool {
    SourceKey::from(a) == SourceKey::from(b)
}
