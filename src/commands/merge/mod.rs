//! `diurnal merge`: archives that were made apart become one, as if all their lines had come to one archive.
//!
//! Each of them is merged by one commit that happens whole or not at all. A merge that is killed or refused in between leaves an archive
//! in which some are merged and others are not; since a merge of what is there already changes nothing, the same command goes on there.

mod columns;
mod days;
mod other;
mod rejects;
mod sources;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use self::days::{Here, TakenDays, refuse_pruned, take_days};
use self::other::{LOOKS, Other};
use self::rejects::Brought;
use super::balance::check_lines;
use super::day_file::LeafCounts;
use super::ending::{FailedRun, metrics_of, note, note_failed, told};
use super::reject_kinds::{kind_of, say_kinds, unseen};
use super::small_files::{load_schemas, stage_rejects, stage_schema};
use crate::calendar::Zone;
use crate::cli::MergeArgs;
use crate::console::Console;
use crate::error::{Error, Result};
use crate::order::LeafSize;
use crate::report::{Outcome, PartitionReport, RejectReport, RunReport, SHOWN_REJECTS};
use crate::settings::{Memory, MergeSettings};
use crate::source::StopFlag;
use crate::store::disk::{Disk, RealDisk};
use crate::store::record::{Commit, Counts, Merged, RejectKind};
use crate::store::{Archive, Requested, Staging, Store, failpoint, is_bucket, paths, plain};
use crate::table::schema::MeasurementSchema;

type Schemas = BTreeMap<String, Arc<MeasurementSchema>>;

pub(super) fn run(console: Console, archive: &Path, args: &MergeArgs) -> Result<u8> {
    let metrics = metrics_of(&args.metrics, archive, args.dry_run)?;
    let report = told(console, &metrics, "merge", run_once(console, archive, args))?;
    console.finish(&report);
    Ok(report.exit_code)
}

fn run_once(console: Console, archive: &Path, args: &MergeArgs) -> Result<RunReport, FailedRun> {
    let stop = super::stop_on_signals()?;
    let mut merger = Merger::open(MergeSettings::new(archive, args), console)?;
    match merger.merge(&stop) {
        Ok(()) => Ok(merger.finish()),
        Err(error) => Err(merger.fail(error)),
    }
}

/// Holds the lock of one archive and takes over others, which it only looks at. In a dry run it holds no lock.
#[derive(Debug)]
pub struct Merger {
    store: Store,
    console: Console,
    settings: MergeSettings,
    zone: Zone,
    /// In the order in which they can be merged.
    others: Vec<Other>,
    report: RunReport,
    started: Instant,
    incomplete: bool,
    leaf_size: LeafSize,
    leaves: LeafCounts,
    /// What the process may take.
    memory: Memory,
}

/// A commit that is ready to be made.
struct Step {
    /// `None` where the other archive has nothing that this one has not.
    commit: Option<(Staging, Commit)>,
    days: TakenDays,
    counts: Counts,
    brought: Brought,
    kinds: Vec<RejectKind>,
}

impl Merger {
    /// Opens the archive, made with the settings of the first of the others if there is none, and finds out whether all of them can be
    /// merged. Where they can't, nothing was made or changed.
    ///
    /// # Errors
    /// Archives that are no archives, damaged, one inside of another, of other settings, of other columns, or with ledgers that
    /// contradict each other or leave a hole; an archive that another run holds.
    pub fn open(settings: MergeSettings, console: Console) -> Result<Self> {
        Self::open_on(Arc::new(RealDisk), settings, console)
    }

    /// [`Merger::open`] on any disk, so that a test can have a merge die between any two of its operations.
    #[doc(hidden)]
    pub fn open_on(disk: Arc<dyn Disk>, settings: MergeSettings, console: Console) -> Result<Self> {
        let started = Instant::now();
        let others = settings.others.iter().map(|other| plain(other));
        let others = others.collect::<Result<Vec<_>>>()?;
        for other in &others {
            refuse_inside(&settings.archive, other)?;
        }
        let others = others
            .iter()
            .map(|path| Other::read(path))
            .collect::<Result<Vec<_>>>()?;
        let exists = Archive::exists(&settings.archive)?;
        let requested = match others.first() {
            Some(first) if !exists => first.requested(),
            _ => Requested::default(),
        };
        let store = match settings.dry_run {
            true => Store::dry_run(&settings.archive, &requested)?,
            false => {
                if !exists {
                    check(&Store::dry_run(&settings.archive, &requested)?, &others, &settings)?;
                }
                Store::open_on(disk, &settings.archive, &requested)?
            }
        };
        let order = check(&store, &others, &settings)?;
        let mut others: Vec<Option<Other>> = others.into_iter().map(Some).collect();
        Ok(Self {
            zone: store.settings().timezone.parse()?,
            others: order.into_iter().filter_map(|place| others[place].take()).collect(),
            report: RunReport {
                dry_run: settings.dry_run,
                ..RunReport::new("merge")
            },
            store,
            console,
            settings,
            started,
            incomplete: false,
            leaf_size: LeafSize::default(),
            leaves: LeafCounts::default(),
            memory: Memory::default_of_machine(),
        })
    }

    /// Makes leaves of another size, so that a test gets many leaves from few rows. All archives must have been made with it.
    #[doc(hidden)]
    #[must_use]
    pub fn with_leaf_size(mut self, size: LeafSize) -> Self {
        self.leaf_size = size;
        self
    }

    /// Merges with another amount of memory, so that a test needs few rows to have too little of it.
    #[doc(hidden)]
    #[must_use]
    pub fn with_memory(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self
    }

    /// How many leaves this run wrote, so that a test sees which were copied.
    #[doc(hidden)]
    pub fn leaves(&self) -> LeafCounts {
        self.leaves
    }

    /// Takes over one archive after the other.
    ///
    /// # Errors
    /// Files of any of them that are not as its ledger says, a disk that can't be written. What was merged before stays.
    pub fn merge(&mut self, stop: &StopFlag) -> Result<()> {
        for place in 0..self.others.len() {
            self.store.expect_more(place + 1 < self.others.len());
            let begun = Instant::now();
            let staged = self.stage_what_stays(place, stop);
            self.report.phases_s.encode += begun.elapsed().as_secs_f64();
            let Some(step) = staged? else {
                let cause = "stopped by a signal before the end; what was merged whole stays";
                let error = Error::new("merge", cause)
                    .hint("merge the same archives again: what is there already does no harm");
                self.report.errors.push(error.to_string());
                self.console.error(&error);
                self.incomplete = true;
                return Ok(());
            };
            failpoint::reach("before-commit");
            self.commit(step)?;
        }
        Ok(())
    }

    /// Ends the run: releases the archive and gives the report with its outcome.
    pub fn finish(mut self) -> RunReport {
        let outcome = match self.incomplete {
            true => Outcome::Incomplete,
            // Rejects and lost offsets were told by the run that met them.
            false => Outcome::Done,
        };
        self.report.finish(outcome, self.started.elapsed());
        note(self.console, &self.store, &self.report, []);
        self.report
    }

    /// Ends a run that failed: releases the archive and gives the report of what was done by then.
    pub(super) fn fail(self, error: Error) -> FailedRun {
        let failed = FailedRun::new(error, self.report, self.started);
        note_failed(self.console, &self.store, &failed);
        failed
    }

    /// Stages an archive; anew where a run replaced what was to be read.
    fn stage_what_stays(&mut self, place: usize, stop: &StopFlag) -> Result<Option<Step>> {
        let mut looks = 1;
        loop {
            match self.stage(&self.others[place], stop) {
                Err(_) if looks < LOOKS && self.others[place].has_moved_on() => {
                    looks += 1;
                    self.others[place] = self.others[place].read_again()?;
                }
                Err(error) if looks == LOOKS && self.others[place].has_moved_on() => {
                    let cause = format_args!("runs replaced files {LOOKS} times while they were read ({error})");
                    return Err(Error::new(self.others[place].name(), cause)
                        .hint("merge it when no run goes on, or merge a copy that `diurnal backup` made"));
                }
                Err(error) if self.store.has_moved_on()? => {
                    let cause = format_args!("another run made commits while this dry run looked at it ({error})");
                    return Err(Error::new(self.store.dir().display(), cause).hint("try again"));
                }
                staged => return staged,
            }
        }
    }

    /// Merges all that an archive has; `None` if it was asked to stop.
    fn stage(&self, other: &Other, stop: &StopFlag) -> Result<Option<Step>> {
        let state = self.store.state();
        let here = load_schemas(&state, &|target| self.store.path(target))?;
        let schemas = united(&here, other)?;
        refuse_pruned(&state, other)?;
        let accepted = &self.settings.accept_recreated;
        let sources = sources::beyond(&state.read, &other.state().read, &other.name(), accepted)?;
        let brought = Brought::read(&state, &|target| self.store.path(target), other)?;

        let staging = self.store.begin(self.report.command)?;
        let job = Here {
            store: &self.store,
            staging: &staging,
            console: self.console,
            zone: self.zone,
            leaf_size: self.leaf_size,
            memory: self.memory,
            schemas: &schemas,
        };
        let Some(days) = take_days(job, other, &|| stop.is_set())? else {
            return Ok(None);
        };
        let counts = Counts {
            lines: days.rows + brought.waiting,
            points: days.counts.points,
            folded: days.counts.folded,
            conflicts: days.counts.conflicts,
            rejected: brought.waiting,
            rejected_again: brought.waiting_again,
        };
        check_lines(&counts)?;
        let changed = schemas.iter().filter(|(name, schema)| here.get(*name) != Some(schema));
        let mut files = changed
            .map(|(_, schema)| stage_schema(&staging, schema))
            .collect::<Result<Vec<_>>>()?;
        files.extend(stage_rejects(&staging, &brought.new.iter().collect::<Vec<_>>())?);
        let kinds = unseen(brought.new.iter().map(kind_of), &state.reject_kinds);
        let commit = Commit {
            id: staging.id(),
            command: self.report.command.to_owned(),
            days: days.changed.iter().map(|(entry, _)| entry.clone()).collect(),
            files,
            counts,
            retried: brought.retried(&paths::rejects_file(staging.id())),
            reject_kinds: unseen(other.state().reject_kinds.iter().cloned(), &state.reject_kinds),
            merged: vec![Merged {
                archive: other.name(),
                commits: other.state().commits,
                sources,
            }],
            ..Commit::default()
        };
        let is_news = !commit.days.is_empty()
            || !commit.files.is_empty()
            || !commit.retried.is_empty()
            || !commit.reject_kinds.is_empty()
            || commit.merged.iter().any(|merged| !merged.sources.is_empty());
        Ok(Some(Step {
            commit: is_news.then_some((staging, commit)),
            days,
            counts,
            brought,
            kinds,
        }))
    }

    fn commit(&mut self, step: Step) -> Result<()> {
        if let Some((staging, commit)) = step.commit {
            let begun = Instant::now();
            staging.commit(commit.clone())?;
            self.report.phases_s.commit += begun.elapsed().as_secs_f64();
            self.console
                .detail(format_args!("commit {}: {} day files", commit.id, commit.days.len()));
            say_kinds(self.console, &self.store, self.settings.dry_run, &step.kinds);
            let partitions = commit.merged.into_iter().flat_map(|merged| merged.sources);
            // Each as it was read: ranges of one partition may overlap.
            self.report.partitions.extend(partitions.map(|range| PartitionReport {
                topic: range.topic,
                partition: range.partition,
                first: range.first,
                next: range.next,
                messages: range.messages,
                gaps: range.gaps,
                lost: range.lost,
                end: None,
            }));
        }
        let changed = step.days.changed.iter();
        self.report
            .add_days(changed.map(|(entry, counts)| (entry, counts.points, counts.folded)));
        self.report.add_counts(&step.counts);
        self.report.bytes_in += step.days.bytes;
        self.leaves += step.days.leaves;
        let new = || step.brought.new_waiting();
        self.report.add_reasons(new());
        let room = SHOWN_REJECTS.saturating_sub(self.report.rejects.len());
        self.report.rejects.extend(new().take(room).map(RejectReport::from));
        Ok(())
    }
}

/// Whether all of the others can be merged, and in which order: what one of them has read may close the hole before another.
fn check(store: &Store, others: &[Other], settings: &MergeSettings) -> Result<Vec<usize>> {
    let state = store.state();
    let mut schemas = load_schemas(&state, &|target| store.path(target))?;
    for other in others {
        other.fits(store.settings())?;
        refuse_pruned(&state, other)?;
        schemas.extend(united(&schemas, other)?);
    }
    let mut read = state.read.clone();
    let mut left: Vec<usize> = (0..others.len()).collect();
    let mut order = Vec::new();
    while !left.is_empty() {
        let mut refused = None;
        let mut fits = None;
        for (at, &place) in left.iter().enumerate() {
            let other = &others[place];
            match sources::beyond(&read, &other.state().read, &other.name(), &settings.accept_recreated) {
                Ok(ranges) => {
                    fits = Some((at, ranges));
                    break;
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match (fits, refused) {
            (Some((at, ranges)), _) => {
                sources::add(&mut read, ranges);
                order.push(left.remove(at));
            }
            (None, Some(error)) => return Err(error),
            (None, None) => break,
        }
    }
    Ok(order)
}

/// The columns of all measurements of another archive as they are together with those here.
fn united(here: &Schemas, other: &Other) -> Result<Schemas> {
    let united = other.schemas().iter().map(|(name, schema)| {
        let known = here.get(name).map(Arc::as_ref);
        Ok((name.clone(), Arc::new(columns::united(known, schema, &other.name())?)))
    });
    united.collect()
}

/// Refuses archives of which one lies in the other, or that are one.
fn refuse_inside(archive: &Path, other: &Path) -> Result<()> {
    if is_bucket(archive) {
        let slashed = |path: &Path| format!("{}/", path.to_string_lossy().trim_end_matches('/'));
        let (archive, other_url) = (slashed(archive), slashed(other));
        return match archive.starts_with(&other_url) || other_url.starts_with(&archive) {
            true => Err(
                Error::usage(other.display(), "is the archive itself, or one is inside of the other")
                    .hint("--archive names the archive that the others are merged into"),
            ),
            false => Ok(()),
        };
    }
    let cause = match (super::is_inside(archive, other), super::is_inside(other, archive)) {
        (true, true) => "is the archive itself",
        (true, false) => "is inside of the archive, where everything is diurnal's own",
        (false, true) => "holds the archive that it is to be merged into; it is only read",
        (false, false) => return Ok(()),
    };
    Err(Error::usage(other.display(), cause).hint("--archive names the archive that the others are merged into"))
}
