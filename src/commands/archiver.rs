//! What `archive` and `import` share: collected lines -> settled tables -> sorted days -> staged files -> one commit.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;

use super::day_file::{DayContext, LeafCounts, WrittenEntry, write_day};
use crate::calendar::{Day, Zone};
use crate::console::Console;
use crate::error::{Error, Result};
use crate::lineproto::{Instructions, Limits};
use crate::order::{Entry, LeafSize, split_days};
use crate::report::{Outcome, PartitionReport, RejectReport, RunReport, SHOWN_REJECTS, escaped};
use crate::settings::IngestSettings;
use crate::store::record::{Commit, Counts, DayEntry, FileEntry, Input, RejectKind, SourceRange};
use crate::store::{SourceKey, Staging, Store, paths};
use crate::table::schema::MeasurementSchema;
use crate::table::settle::settle;
use crate::table::{CollectSettings, Collected, Collector, RejectedLine, SettledTable, schema_file};

/// Holds the archive's lock for one run and turns what was collected into commits.
#[derive(Debug)]
pub struct Archiver {
    store: Store,
    console: Console,
    zone: Zone,
    settings: IngestSettings,
    /// Columns as the archive has settled them.
    archived: BTreeMap<String, Arc<MeasurementSchema>>,
    /// Those, and declared ones of measurements that the archive does not know yet.
    known: Arc<BTreeMap<String, Arc<MeasurementSchema>>>,
    report: RunReport,
    started: Instant,
    incomplete: bool,
    leaf_size: LeafSize,
    leaves: LeafCounts,
}

/// One day of one table, with its rows.
type DayWork<'a> = (&'a SettledTable, Day, Vec<Entry>);

impl Archiver {
    /// Opens the archive (making it if there is none), recovers what a killed run left, and takes the lock.
    ///
    /// # Errors
    /// An archive that is locked, damaged, of another format version, or made with other settings than asked for.
    pub fn open(command: &'static str, settings: IngestSettings, console: Console) -> Result<Self> {
        let declared = match &settings.schemas {
            Some(folder) => schema_file::load_dir(folder)?,
            None => BTreeMap::new(),
        };
        let store = Store::open(&settings.archive, &settings.requested)?;
        let zone = store.settings().timezone.parse()?;
        let archived = load_schemas(&store)?;
        let mut known: BTreeMap<String, Arc<MeasurementSchema>> = schema_file::builtin()
            .iter()
            .map(|(name, schema)| (name.clone(), Arc::new(schema.clone())))
            .collect();
        known.extend(declared.into_iter().map(|(name, schema)| (name, Arc::new(schema))));
        known.extend(archived.clone());
        Ok(Self {
            store,
            console,
            zone,
            settings,
            archived,
            known: Arc::new(known),
            report: RunReport::new(command),
            started: Instant::now(),
            incomplete: false,
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

    /// How far the archive has read each partition.
    pub fn positions(&self) -> Vec<SourceRange> {
        self.store.state().sources.values().cloned().collect()
    }

    /// A collector for one thread, with the columns that are settled now.
    pub fn collector(&self) -> Collector {
        let settings = self.store.settings();
        Collector::new(CollectSettings {
            precision: self.settings.precision,
            limits: Limits::default(),
            instructions: Instructions::best(),
            time_range: settings.time_range,
            time_unit: settings.time_unit,
            measurement_fits: |name| paths::folder_name(name).is_ok(),
            schemas: Arc::clone(&self.known),
        })
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
    pub fn commit(&mut self, collected: Vec<Collected>, sources: Vec<SourceRange>, inputs: Vec<Input>) -> Result<()> {
        for range in &sources {
            check_offsets(range)?;
        }
        let settled = settle(collected);
        self.console.detail(format_args!(
            "{} lines collected, {} rejected, {} measurements",
            settled.lines,
            settled.rejects.len(),
            settled.tables.len()
        ));
        let news: Vec<SourceRange> = sources.iter().filter(|range| self.is_news(range)).cloned().collect();
        let mut counts = Counts {
            lines: settled.lines,
            rejected: settled.rejects.len() as u64,
            ..Counts::default()
        };
        if settled.lines > 0 || !news.is_empty() {
            let staging = self.store.begin(self.report.command)?;
            let (days, schemas) = self.write_days(&staging, &settled.tables, &mut counts)?;
            check_lines(&counts)?;
            let mut files = schemas;
            files.extend(stage_rejects(&staging, &settled.rejects)?);
            if !news.is_empty() || !days.is_empty() || !files.is_empty() {
                let reject_kinds = self.new_kinds(&settled.rejects);
                let commit = Commit {
                    id: staging.id(),
                    command: self.report.command.to_owned(),
                    sources: news,
                    inputs,
                    days,
                    files,
                    counts,
                    reject_kinds,
                };
                staging.commit(commit.clone())?;
                self.console
                    .detail(format_args!("commit {}: {} day files", commit.id, commit.days.len()));
                self.report.add_days(&commit);
                self.say_kinds(&commit.reject_kinds);
            }
            for table in &settled.tables {
                self.archived
                    .insert(table.schema.measurement.clone(), Arc::clone(&table.schema));
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
            });
        }
        let room = SHOWN_REJECTS.saturating_sub(self.report.rejects.len());
        self.report
            .rejects
            .extend(settled.rejects.iter().take(room).map(RejectReport::from));
        Ok(())
    }

    /// Ends the run: releases the archive and gives the report with its outcome.
    pub fn finish(mut self) -> RunReport {
        let lost = self.report.lost();
        let too_many = self
            .settings
            .max_rejects
            .exceeded_by(self.report.rejected, self.report.lines);
        let outcome = if self.incomplete {
            Outcome::Incomplete
        } else if lost > 0 {
            Outcome::LostOffsets
        } else if too_many {
            Outcome::Rejects
        } else {
            Outcome::Done
        };
        self.report.finish(outcome, self.started.elapsed());
        self.report
    }

    /// Whether the ledger does not say this yet: an advance, or a partition it has never heard of.
    fn is_news(&self, range: &SourceRange) -> bool {
        range.next > range.first || !self.store.state().sources.contains_key(&SourceKey::from(range))
    }

    fn write_days(
        &mut self,
        staging: &Staging,
        tables: &[SettledTable],
        counts: &mut Counts,
    ) -> Result<(Vec<DayEntry>, Vec<FileEntry>)> {
        let archive = self.store.settings();
        let context = DayContext {
            locate: &|target| self.store.path(target),
            zone: self.zone,
            time_unit: archive.time_unit,
            formats: archive.formats,
            leaf_size: self.leaf_size,
        };
        let work: Vec<DayWork<'_>> = tables
            .par_iter()
            .map(|table| {
                let days = split_days(table, self.zone)?;
                Ok(days.into_iter().map(move |(day, entries)| (table, day, entries)))
            })
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect();
        let state = self.store.state();
        let days = &state.days;
        let written: Vec<WrittenEntry> = work
            .into_par_iter()
            .map(|(table, day, entries)| {
                let before = days.get(&(table.schema.measurement.clone(), day.to_string()));
                write_day(context, staging, table, day, entries, before)
            })
            .collect::<Result<_>>()?;
        for day in &written {
            counts.points += day.counts.points;
            counts.folded += day.counts.folded;
            counts.conflicts += day.counts.conflicts;
            self.leaves += day.leaves;
            if let Some(entry) = &day.entry {
                self.console.detail(format_args!(
                    "{} {}: {} leaves encoded, {} copied",
                    escaped(&entry.measurement),
                    entry.day,
                    day.leaves.encoded,
                    day.leaves.copied
                ));
            }
        }
        let changed = tables.iter().filter(|table| {
            self.archived
                .get(&table.schema.measurement)
                .is_none_or(|archived| **archived != *table.schema)
        });
        let schemas = changed
            .map(|table| stage_schema(staging, &table.schema))
            .collect::<Result<_>>()?;
        Ok((written.into_iter().filter_map(|day| day.entry).collect(), schemas))
    }

    /// The kinds of rejects that this archive has not seen before.
    fn new_kinds(&self, rejects: &[RejectedLine]) -> Vec<RejectKind> {
        let kinds: BTreeSet<RejectKind> = rejects.iter().map(kind_of).collect();
        let state = self.store.state();
        let seen = &state.reject_kinds;
        kinds.into_iter().filter(|kind| !seen.contains(kind)).collect()
    }

    /// A new kind of reject is worth a word even with `-q`: cron then mails it, once.
    fn say_kinds(&self, kinds: &[RejectKind]) {
        for kind in kinds {
            let column = match (&kind.measurement, &kind.column) {
                (Some(measurement), Some(column)) => format!(" in {}", escaped(&format!("{measurement}.{column}"))),
                _ => String::new(),
            };
            self.console.always(format_args!(
                "diurnal: new kind of reject: {}{column}; such lines are kept in {}",
                kind.reason,
                self.store.dir().join(paths::PRIVATE).join("rejects").display()
            ));
        }
    }
}

fn kind_of(reject: &RejectedLine) -> RejectKind {
    let (measurement, column) = reject.place.clone().unzip();
    RejectKind {
        reason: reject.reason.as_str().to_owned(),
        measurement,
        column,
    }
}

/// Messages are counted at the parser and gaps at the queue: a message that got lost in between shows here.
fn check_offsets(range: &SourceRange) -> Result<()> {
    let all = u64::try_from(range.next - range.first).ok();
    if all == Some(range.messages + range.gaps + range.lost) {
        return Ok(());
    }
    Err(Error::new(
        format_args!("{}[{}]", range.topic, range.partition),
        format_args!(
            "offsets {} to {} do not balance: {} messages, {} gaps, {} lost; nothing of this step was committed",
            range.first, range.next, range.messages, range.gaps, range.lost
        ),
    )
    .hint("this is a bug in diurnal; the archive is as it was before, and Kafka still has the messages"))
}

fn check_lines(counts: &Counts) -> Result<()> {
    if counts.lines == counts.points + counts.folded + counts.rejected {
        return Ok(());
    }
    Err(Error::new(
        "the lines of this run",
        format_args!(
            "do not balance: {} lines, {} points, {} folded, {} rejected; nothing of this step was committed",
            counts.lines, counts.points, counts.folded, counts.rejected
        ),
    )
    .hint("this is a bug in diurnal; the archive is as it was before"))
}

fn stage_schema(staging: &Staging, schema: &MeasurementSchema) -> Result<FileEntry> {
    let target = paths::schema_file(&schema.measurement).map_err(|error| Error::new(&schema.measurement, error))?;
    stage_text(staging, target, schema_file::render(schema).as_bytes())
}

fn stage_rejects(staging: &Staging, rejects: &[RejectedLine]) -> Result<Option<FileEntry>> {
    if rejects.is_empty() {
        return Ok(None);
    }
    let mut text = Vec::new();
    for reject in rejects {
        serde_json::to_writer(&mut text, &reject.to_text()).expect("rejects hold strings and numbers only");
        text.push(b'\n');
    }
    stage_text(staging, paths::rejects_file(staging.id()), &text).map(Some)
}

fn stage_text(staging: &Staging, target: String, text: &[u8]) -> Result<FileEntry> {
    use std::io::Write as _;
    let mut file = staging.file(&target)?;
    file.write_all(text)
        .map_err(|error| Error::io(Path::new(&target), "write it", &error))?;
    let written = file.finish()?;
    Ok(FileEntry {
        path: target,
        bytes: written.bytes,
        hash: written.hash,
    })
}

/// The archive's own schema files, checked against the ledger.
fn load_schemas(store: &Store) -> Result<BTreeMap<String, Arc<MeasurementSchema>>> {
    let prefix = format!("{}/schema/", paths::PRIVATE);
    let state = store.state();
    let entries = state.files.values().filter(|entry| entry.path.starts_with(&prefix));
    entries
        .map(|entry| {
            let path = store.path(&entry.path);
            let text = fs::read_to_string(&path).map_err(|error| Error::io(&path, "read it", &error))?;
            if blake3::hash(text.as_bytes()).to_hex().as_str() != entry.hash {
                return Err(Error::new(path.display(), "is not the file that the ledger records")
                    .hint("put the recorded file back; columns are changed by diurnal only"));
            }
            let schema = schema_file::parse(&text, &path)?;
            Ok((schema.measurement.clone(), Arc::new(schema)))
        })
        .collect()
}
