//! What `archive` and `import` share: collected lines -> settled tables -> sorted days -> staged files -> one commit.

mod end;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::balance::{check_lines, check_offsets};
use super::commit_rows::{CommitRows, Commitment};
use super::day_file::{DayContext, LeafCounts};
use super::details;
use super::prune::pruned_days;
use super::reject_kinds::{kind_of, say_kinds, unseen};
use super::room::warn_of_room;
use super::small_files::{load_schemas, stage_rejects, stage_schema};
use super::stored_rejects::{Driven, OnRecord, is_read_first, went_in};
use crate::calendar::Zone;
use crate::console::{Console, Progress};
use crate::error::{Error, Result};
use crate::lineproto::{Instructions, Precision};
use crate::order::{LeafSize, RunCounts};
use crate::report::{PartitionReport, Phases, RejectReport, RunReport, SHOWN_REJECTS, counted};
use crate::settings::{IngestSettings, Memory};
use crate::store::disk::{Disk, RealDisk};
use crate::store::record::{Commit, Counts, DayEntry, FileEntry, Input, SourceRange};
use crate::store::{SourceKey, SpillSpace, Staging, Store, paths};
use crate::table::schema::MeasurementSchema;
use crate::table::spill::{BLOCK_BYTES, Gathered, Gatherer, SpillSettings};
use crate::table::{CollectSettings, Collected, Collector, PrunedDays, RejectedLine, Room, schema_file};

/// Holds the archive's lock for one run and turns what was collected into commits. In a dry run it holds no lock, and the
/// commits are made in memory only.
#[derive(Debug)]
pub struct Archiver {
    store: Store,
    console: Console,
    progress: Progress,
    zone: Zone,
    settings: IngestSettings,
    /// Columns as the archive has settled them.
    archived: BTreeMap<String, Arc<MeasurementSchema>>,
    /// Those, and declared ones of measurements that the archive does not know yet.
    known: Arc<BTreeMap<String, Arc<MeasurementSchema>>>,
    report: RunReport,
    started: Instant,
    incomplete: bool,
    /// Partitions that were read to their end.
    read_to_end: BTreeSet<SourceKey>,
    /// Days that have no file left to merge with.
    pruned: Arc<PrunedDays>,
    /// The rejects that the archive keeps, once they had to be read.
    on_record: Option<OnRecord>,
    /// The archive's last commit when it was opened.
    read_at: u64,
    leaf_size: LeafSize,
    leaves: LeafCounts,
    /// For rows that there is no memory for.
    space: SpillSpace,
}

/// A day that a commit changed, and what became of its lines.
type CountedDay = (DayEntry, RunCounts);

impl Archiver {
    /// Opens the archive (making it if there is none), recovers what a killed run left, and takes the lock.
    ///
    /// # Errors
    /// An archive that is locked, damaged, of another format version, or made with other settings than asked for.
    pub fn open(command: &'static str, settings: IngestSettings, console: Console) -> Result<Self> {
        Self::open_on(Arc::new(RealDisk), command, settings, console)
    }

    /// [`Archiver::open`] on any disk, so that a test can have a run die between any two of its operations.
    #[doc(hidden)]
    pub fn open_on(
        disk: Arc<dyn Disk>,
        command: &'static str,
        settings: IngestSettings,
        console: Console,
    ) -> Result<Self> {
        let declared = match &settings.schemas {
            Some(folder) => schema_file::load_dir(folder)?,
            None => BTreeMap::new(),
        };
        let store = match settings.dry_run {
            true => Store::dry_run(&settings.archive, &settings.requested)?,
            false => Store::open_on(disk, &settings.archive, &settings.requested)?,
        };
        let zone = store.settings().timezone.parse()?;
        let read = store.state();
        let archived = load_schemas(&read, &|target| store.path(target))?;
        let mut known: BTreeMap<String, Arc<MeasurementSchema>> = schema_file::builtin()
            .iter()
            .map(|(name, schema)| (name.clone(), Arc::new(schema.clone())))
            .collect();
        known.extend(declared.into_iter().map(|(name, schema)| (name, Arc::new(schema))));
        known.extend(archived.clone());
        Ok(Self {
            read_at: read.commits,
            space: store.spill_space(),
            store,
            progress: console.progress(),
            console,
            zone,
            archived,
            known: Arc::new(known),
            report: RunReport {
                dry_run: settings.dry_run,
                ..RunReport::new(command)
            },
            settings,
            started: Instant::now(),
            incomplete: false,
            read_to_end: BTreeSet::new(),
            pruned: Arc::new(pruned_days(&read, zone)?),
            on_record: None,
            leaf_size: LeafSize::default(),
            leaves: LeafCounts::default(),
        })
    }

    /// Makes leaves of another size, so that a test gets many leaves from few rows. The bytes of the day files follow from it: no two
    /// sizes may meet in one archive.
    #[doc(hidden)]
    #[must_use]
    pub fn with_leaf_size(mut self, size: LeafSize) -> Self {
        self.leaf_size = size;
        self
    }

    /// How many leaves this run wrote, so that a test sees that those which nothing touches are not encoded again.
    #[doc(hidden)]
    pub fn leaves(&self) -> LeafCounts {
        self.leaves
    }

    /// A run that reads once more what was read before: what it read of each partition is told, but moves no `next`.
    #[must_use]
    pub fn replaying(mut self) -> Self {
        self.report.replay = true;
        self
    }

    /// Shows how far the work has come.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// How far the archive has read each partition.
    pub fn positions(&self) -> Vec<SourceRange> {
        self.store.state().sources.values().cloned().collect()
    }

    /// A collector for one thread, with the columns that are settled now.
    pub fn collector(&self) -> Collector {
        self.collector_for(self.settings.precision)
    }

    /// A collector for lines whose times are in this unit.
    pub fn collector_for(&self, precision: Precision) -> Collector {
        Collector::new(CollectSettings {
            precision,
            ..self.collect_settings()
        })
    }

    /// The archive, whose lock this run holds.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// What the process may take.
    pub(crate) fn memory(&self) -> Memory {
        self.settings.memory
    }

    /// Takes other bounds of memory than the settings say.
    #[cfg(test)]
    pub(crate) fn set_memory(&mut self, memory: Memory) {
        self.settings.memory = memory;
    }

    /// Others read and parsed for this run, for so long.
    pub(crate) fn spent_reading(&mut self, time: Duration) {
        self.report.phases_s.read += time.as_secs_f64();
    }

    /// What a collector goes by, with the columns that are settled now.
    pub(crate) fn collect_settings(&self) -> CollectSettings {
        let settings = self.store.settings();
        CollectSettings {
            precision: self.settings.precision,
            limits: self.settings.limits.line,
            instructions: Instructions::best(),
            time_range: settings.time_range,
            time_unit: settings.time_unit,
            measurement_fits: |name| paths::folder_name(name).is_ok(),
            pruned: Arc::clone(&self.pruned),
            room: Room {
                measurements: self.settings.limits.measurements.saturating_sub(self.archived.len()),
                columns: self.settings.limits.columns,
            },
            schemas: Arc::clone(&self.known),
        }
    }

    /// A collector that spills what goes beyond its share of the memory, if there are so many of them.
    pub fn gatherer(&self, number: usize) -> Gatherer {
        self.gatherer_of(self.settings.memory.collecting() / number.max(1), BLOCK_BYTES)
    }

    /// A collector that spills what goes beyond so many bytes, in blocks of so many.
    #[doc(hidden)]
    pub fn gatherer_of(&self, most_bytes: usize, block_bytes: usize) -> Gatherer {
        let settings = SpillSettings {
            space: self.space.clone(),
            zone: self.zone,
            most_bytes,
            block_bytes,
        };
        Gatherer::new(self.collector(), settings)
    }

    /// Something that a person should know; `incomplete` if the run can't end with 0 because of it.
    pub fn notice(&mut self, error: &Error, incomplete: bool) {
        if incomplete {
            self.incomplete = true;
            self.report.errors.push(error.to_string());
            self.console.error(error);
        } else {
            self.console.warning(error);
        }
    }

    /// The run was stopped by a signal; `next` is what to do to get the rest.
    pub fn stopped(&mut self, next: &str) {
        let done = match self.settings.dry_run {
            true => "counted",
            false => "archived",
        };
        let cause = format_args!("stopped by a signal before the end; what was read is {done}");
        self.notice(&Error::new(self.report.command, cause).hint(next), true);
    }

    /// Says whether another commit follows the next one: a dry run then keeps that one's files for a while.
    pub fn expect_more(&self, more: bool) {
        self.store.expect_more(more);
    }

    /// Does something that is a phase of the run by itself, and adds the time that it takes.
    pub fn timed<T>(&mut self, phase: fn(&mut Phases) -> &mut f64, work: impl FnOnce(&mut Self) -> T) -> T {
        let begun = Instant::now();
        let done = work(self);
        *phase(&mut self.report.phases_s) += begun.elapsed().as_secs_f64();
        done
    }

    /// Says where a partition ended when the run began, and whether all was read that this run is to read of it.
    pub fn reached(&mut self, source: SourceKey, end: i64, done: bool) {
        self.report.set_end(&source.topic, source.partition, end);
        if done {
            self.read_to_end.insert(source);
        }
    }

    /// Counts bytes of line protocol that were read.
    pub fn add_bytes(&mut self, bytes: u64) {
        self.report.bytes_in += bytes;
    }

    /// Archives everything that was collected, as one commit that happens whole or not at all.
    ///
    /// Nothing is written where there is nothing new to say: no line, and no partition that moved.
    ///
    /// # Errors
    /// Lines or offsets that do not balance, day files that are not as the ledger says, a disk that can't be written.
    pub fn commit(
        &mut self,
        gathered: impl IntoIterator<Item: Into<Gathered>>,
        sources: Vec<SourceRange>,
        inputs: Vec<Input>,
    ) -> Result<()> {
        let gathered = gathered.into_iter().map(Into::into).collect();
        let done = self.settle_and_commit(gathered, sources, inputs, None);
        self.as_it_was(done)
    }

    /// Commits days that tasks of an engine made since `begun`, when their columns were settled.
    ///
    /// # Errors
    /// As [`Archiver::commit`].
    pub(crate) fn commit_made(&mut self, settled: Commitment, sources: Vec<SourceRange>, begun: Instant) -> Result<()> {
        sources.iter().try_for_each(check_offsets)?;
        self.commit_step(settled, sources, Vec::new(), None, begun)
    }

    /// Archives what fits of stored rejects that were driven again. The others are not stored once more.
    ///
    /// # Errors
    /// As [`Archiver::commit`].
    pub(super) fn commit_retried(&mut self, collected: Vec<Collected>, driven: &[Driven]) -> Result<()> {
        let gathered = collected.into_iter().map(Gathered::from).collect();
        let done = self.settle_and_commit(gathered, Vec::new(), Vec::new(), Some(driven));
        self.as_it_was(done)
    }

    /// A dry run does not mistake what another run does meanwhile for damage.
    fn as_it_was(&self, done: Result<()>) -> Result<()> {
        match done {
            Err(error) if self.store.has_moved_on()? => Err(Error::new(
                self.store.dir().display(),
                format_args!("another run made commits while this dry run looked at it ({error})"),
            )
            .hint("try again")),
            done => done,
        }
    }

    fn settle_and_commit(
        &mut self,
        gathered: Vec<Gathered>,
        sources: Vec<SourceRange>,
        inputs: Vec<Input>,
        driven: Option<&[Driven]>,
    ) -> Result<()> {
        sources.iter().try_for_each(check_offsets)?;
        let begun = Instant::now();
        let lines = gathered.iter().map(|part| part.collected.lines).sum();
        let sorting = self.progress.wait(format!("sorting {}", counted(lines, "line")));
        let settled = Commitment::settle(gathered, &self.space, self.zone)?;
        drop(sorting);
        self.commit_step(settled, sources, inputs, driven, begun)
    }

    /// Stages and commits what was settled since `begun`.
    fn commit_step(
        &mut self,
        mut settled: Commitment,
        sources: Vec<SourceRange>,
        inputs: Vec<Input>,
        driven: Option<&[Driven]>,
        begun: Instant,
    ) -> Result<()> {
        let sorted = begun.elapsed();
        details::sorted(self.console, &settled, sorted);
        let (first_time, again): (&[SourceRange], &[SourceRange]) = match self.report.replay {
            true => (&[], &sources),
            false => (&sources, &[]),
        };
        let news: Vec<SourceRange> = first_time.iter().filter(|range| self.is_news(range)).cloned().collect();
        let (new, retried) = match driven {
            Some(driven) => (Vec::new(), went_in(driven, &mut settled.rejects)),
            None => (self.new_rejects(&settled.rejects, first_time)?, Vec::new()),
        };
        let mut counts = Counts {
            lines: settled.lines,
            rejected: settled.rejects.len() as u64,
            rejected_again: (settled.rejects.len() - new.len()) as u64,
            ..Counts::default()
        };
        if settled.lines > 0 || !news.is_empty() {
            let staging = self.store.begin(self.report.command)?;
            let (days, schemas) = self.write_days(&staging, &settled.rows, &mut counts)?;
            check_lines(&counts)?;
            let mut files = schemas;
            files.extend(stage_rejects(&staging, &new)?);
            if !news.is_empty() || !days.is_empty() || !files.is_empty() || !retried.is_empty() {
                let kinds = new.iter().copied().map(kind_of);
                let commit = Commit {
                    id: staging.id(),
                    command: self.report.command.to_owned(),
                    // The store knows the time.
                    at: None,
                    sources: news,
                    inputs,
                    days: days.iter().map(|(entry, _)| entry.clone()).collect(),
                    files,
                    removed: Vec::new(),
                    counts,
                    retried,
                    replayed: again.iter().filter(|range| range.next > range.first).cloned().collect(),
                    reject_kinds: unseen(kinds, &self.store.state().reject_kinds),
                    merged: Vec::new(),
                };
                let encoding = begun.elapsed();
                self.report.phases_s.encode += encoding.as_secs_f64();
                let begun = Instant::now();
                let committing = self.progress.wait("committing");
                staging.commit(commit.clone())?;
                drop(committing);
                self.report.phases_s.commit += begun.elapsed().as_secs_f64();
                details::committed(self.console, &commit, encoding - sorted, begun.elapsed());
                self.report
                    .add_days(days.iter().map(|(entry, counts)| (entry, counts.points, counts.folded)));
                say_kinds(self.console, &self.store, self.settings.dry_run, &commit.reject_kinds);
            } else {
                self.report.phases_s.encode += begun.elapsed().as_secs_f64();
            }
            for schema in settled.rows.schemas() {
                self.archived.insert(schema.measurement.clone(), Arc::clone(schema));
            }
            let known = Arc::make_mut(&mut self.known);
            known.extend(
                self.archived
                    .iter()
                    .map(|(name, schema)| (name.clone(), Arc::clone(schema))),
            );
        }
        self.report.add_counts(&counts);
        for range in sources {
            self.report.add_partition(PartitionReport {
                topic: range.topic,
                partition: range.partition,
                first: range.first,
                next: range.next,
                messages: range.messages,
                gaps: range.gaps,
                lost: range.lost,
                end: None,
            });
        }
        self.report.add_reasons(settled.rejects.iter());
        let room = SHOWN_REJECTS.saturating_sub(self.report.rejects.len());
        self.report
            .rejects
            .extend(settled.rejects.iter().take(room).map(RejectReport::from));
        Ok(())
    }

    /// Whether the ledger does not say this yet: an advance, or a partition it has never heard of.
    fn is_news(&self, range: &SourceRange) -> bool {
        range.next > range.first || !self.store.state().sources.contains_key(&SourceKey::from(range))
    }

    fn write_days(
        &mut self,
        staging: &Staging,
        rows: &CommitRows,
        counts: &mut Counts,
    ) -> Result<(Vec<CountedDay>, Vec<FileEntry>)> {
        let archive = self.store.settings();
        let state = self.store.state();
        let context = DayContext {
            locate: &|target| self.store.path(target),
            zone: self.zone,
            time_unit: archive.time_unit,
            formats: archive.formats,
            leaf_size: self.leaf_size,
            memory: self.settings.memory.merging(rows.are_held()),
            work: None,
        };
        let console = self.console;
        let written = rows.write(context, staging, &state, &self.progress, |bytes| {
            warn_of_room(console, &self.store, bytes)
        })?;
        for day in &written {
            counts.points += day.counts.points;
            counts.folded += day.counts.folded;
            counts.conflicts += day.counts.conflicts;
            self.leaves += day.leaves;
            if let Some(entry) = &day.entry {
                details::encoded(self.console, entry, day.leaves);
            }
        }
        let changed = rows.schemas().filter(|schema| {
            self.archived
                .get(&schema.measurement)
                .is_none_or(|archived| **archived != ***schema)
        });
        let schemas = changed
            .map(|schema| stage_schema(staging, schema))
            .collect::<Result<_>>()?;
        let changed = written
            .into_iter()
            .filter_map(|day| Some((day.entry?, day.counts)))
            .collect();
        Ok((changed, schemas))
    }

    /// The rejects that are not on record yet. What lies behind the offsets that were read before can't be, so a run that only
    /// goes on with its topics need not look.
    fn new_rejects<'r>(
        &mut self,
        rejects: &'r [RejectedLine],
        sources: &[SourceRange],
    ) -> Result<Vec<&'r RejectedLine>> {
        if self.on_record.is_none() && rejects.iter().all(|reject| is_read_first(reject, sources)) {
            return Ok(rejects.iter().collect());
        }
        let on_record = match self.on_record.take() {
            Some(on_record) => on_record,
            None => OnRecord::read(&self.store.state(), &|target| self.store.path(target))?,
        };
        let new = self.on_record.insert(on_record).take_new(rejects.iter());
        Ok(rejects
            .iter()
            .zip(new)
            .filter_map(|(reject, new)| new.then_some(reject))
            .collect())
    }
}
