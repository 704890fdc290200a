//! The driver's side of a run: it holds the archive's lock, settles columns, and makes the commit.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Instant;

use arrow::array::RecordBatch;
use clap::Parser as _;
use rayon::prelude::*;

use super::batch::{Columns, present};
use super::encode::UnitResult;
use super::intent::{Begun, Intent};
use super::parse::{Met, Summary, block_name};
use super::plan::{Plan, Settled};
use super::splice::{DayResult, SpliceJob};
use super::stage::{from_bytes, to_bytes};
use crate::cli::{ArchiveArgs, Cli, Command};
use crate::commands::archive::{self, warn_of_notices};
use crate::commands::{Archiver, CommitRows, Commitment, MadeDays};
use crate::console::Console;
use crate::error::{Error, Result};
use crate::order::LeafSize;
use crate::report::RunReport;
use crate::settings::{IngestSettings, kafka_settings};
use crate::source::kafka::{KafkaSettings, KafkaSource};
use crate::source::{StopFlag, TopicIdentity};
use crate::store::record::{DayEntry, SourceRange};
use crate::store::{TaskFolder, failpoint};
use crate::table::RejectedLine;
use crate::table::spill::{DistantTables, SettledSpill};

/// Rows of a unit of work, about, unless a run asks for others: four leaves at least.
pub const UNIT_ROWS: usize = 1 << 20;

/// Bytes of memory for each task, unless the run says it.
const TASK_MEMORY: u64 = 512 << 20;

/// A run of `archive` whose work an engine does. It holds the archive's lock until it is committed or dropped; dropped before the commit it
/// leaves nothing.
pub struct Run {
    archiver: Archiver,
    kafka: Option<(KafkaSource, KafkaSettings)>,
    tasks: Option<TaskFolder>,
    intent: Intent,
    leaf_size: LeafSize,
    begun: Instant,
    parsed: Parsed,
    settled: Option<(Vec<SettledSpill>, Vec<RejectedLine>)>,
    plan: Option<(Plan, Instant)>,
    made: BTreeMap<usize, DayResult>,
}

/// What the tasks told that parsed.
#[derive(Default)]
struct Parsed {
    distant: Option<DistantTables>,
    /// The names of all blocks, by number.
    names: Vec<String>,
    lines: u64,
    bytes: u64,
    rejects: Vec<RejectedLine>,
    /// What was met of each partition, by every task that met some.
    met: BTreeMap<(String, i32), Vec<Met>>,
}

impl Run {
    /// Opens the archive, asks Kafka where its topics end, and freezes what is to be read. `flags` are those of `diurnal archive`, such as
    /// `--archive`, `/data/archive`, `--brokers`, `localhost:9092`, `--topic`, `metrics`.
    ///
    /// # Errors
    /// Wrong usage, flags that only a run on one machine has included; an archive that is locked or damaged; brokers that do not answer; a
    /// topic without an id.
    pub fn begin<S: AsRef<str>>(flags: &[S]) -> Result<Self> {
        let (archive, args) = parse_flags(flags)?;
        let console = Console::SILENT;
        let settings = IngestSettings::for_archive(&archive, &args)?;
        let (kafka, warnings) = kafka_settings(&args, &settings, console.verbose, crate::commands::now())?;
        for warning in &warnings {
            console.warning(warning);
        }
        let mut archiver = Archiver::open("archive", settings, console)?;
        if kafka.replay.is_some() {
            archiver = archiver.replaying();
        }
        let mut source = KafkaSource::open(&kafka, &archiver.positions(), &StopFlag::new())?;
        warn_of_notices(&mut archiver, source.notices());
        if let Some(topic) = source.topics().iter().find(|topic| topic.topic_id.is_none()) {
            return Err(Error::new(
                format_args!("topic {}", topic.topic),
                "has no id at these brokers, so nothing would prove that the tasks read the same topic",
            )
            .hint("brokers have ids since Kafka 2.8; archive it on one machine"));
        }
        let topics: Vec<TopicIdentity> = source.topics().iter().map(|topic| (**topic).clone()).collect();
        let ahead = source.ahead();
        let partitions = ahead.map(|(topic, partition, range)| (topics[topic].topic.clone(), partition, range));
        let partitions = partitions.collect();
        Self::of(archiver, args.ingest.memory.is_some(), topics, partitions).map(|run| Self {
            kafka: Some((source, kafka)),
            ..run
        })
    }

    /// A run over messages that are not Kafka's: for tests of the stages, which need no broker.
    #[doc(hidden)]
    pub fn of(
        archiver: Archiver,
        has_memory: bool,
        topics: Vec<TopicIdentity>,
        partitions: Vec<(String, i32, Range<i64>)>,
    ) -> Result<Self> {
        let begun = Instant::now();
        let store = archiver.store();
        let tasks = store.task_folder()?;
        let intent = Intent::new(Begun {
            archive: store.folder(),
            tasks: tasks.name(),
            settings: store.settings(),
            collect: &archiver.collect_settings(),
            memory: match has_memory {
                true => archiver.memory().bytes(),
                false => TASK_MEMORY,
            },
            topics,
            partitions,
        })?;
        tasks.note("intent.json", &intent.to_bytes())?;
        failpoint::reach("engine-begun");
        Ok(Self {
            kafka: None,
            tasks: Some(tasks),
            intent,
            leaf_size: LeafSize::default(),
            begun,
            parsed: Parsed::default(),
            settled: None,
            plan: None,
            made: BTreeMap::new(),
            archiver,
        })
    }

    /// Makes leaves of another size, so that a test gets many leaves from few rows.
    #[doc(hidden)]
    #[must_use]
    pub fn with_leaf_size(mut self, size: LeafSize) -> Self {
        self.leaf_size = size;
        self
    }

    /// The name of the run: no other one has it.
    pub fn id(&self) -> &str {
        &self.intent.tasks
    }

    /// What every task that parses is to be given, as bytes.
    pub fn intent(&self) -> &Intent {
        &self.intent
    }

    /// Whether there is nothing to read.
    pub fn is_idle(&self) -> bool {
        self.intent.partitions.is_empty()
    }

    /// The offsets to read from, or to read up to, as JSON objects of topics that are objects of partitions: what Spark's options
    /// `startingOffsets` and `endingOffsets` take.
    pub fn offsets(&self) -> (String, String) {
        let mut both = (BTreeMap::new(), BTreeMap::new());
        for (topic, partition, range) in &self.intent.partitions {
            for (offsets, offset) in [(&mut both.0, range.start), (&mut both.1, range.end)] {
                let of_topic: &mut BTreeMap<String, i64> = offsets.entry(topic.as_str()).or_insert_with(BTreeMap::new);
                of_topic.insert(partition.to_string(), offset);
            }
        }
        let json =
            |offsets| serde_json::to_string(offsets).expect("topics, partitions and offsets are names and numbers");
        (json(&both.0), json(&both.1))
    }

    /// Takes what the tasks told that parsed. Gives the names of the blocks that [`Run::examine`] is to be given: those with lines that may
    /// turn out not to fit.
    ///
    /// # Errors
    /// A summary of another version, or one that comes twice; offsets that were read twice; the disk's.
    pub fn summarize(&mut self, summaries: impl IntoIterator<Item: AsRef<[u8]>>) -> Result<Vec<String>> {
        let known = self.intent.known().into();
        let mut distant = DistantTables::new(known, &self.archiver.store().spill_space())?;
        let mut parsed = Parsed::default();
        let mut tasks = BTreeSet::new();
        for summary in summaries {
            let summary: Summary = from_bytes(summary.as_ref())?;
            if !tasks.insert(summary.task) {
                let cause = format_args!("told twice what it parsed: nothing may be committed");
                return Err(Error::new(format_args!("task {}", summary.task), cause)
                    .hint("each task of a step needs a number of its own"));
            }
            for (head, first) in summary.tables {
                parsed.names.extend(
                    (first..)
                        .take(head.blocks.len())
                        .map(|number| block_name(summary.task, number)),
                );
                distant.add(head);
            }
            parsed.lines += summary.lines;
            parsed.bytes += summary.bytes;
            let rejects = summary.rejects.into_iter().map(|reject| reject.into_rejected());
            parsed.rejects.extend(rejects.collect::<Result<Vec<_>>>()?);
            for (topic, partition, met) in summary.partitions {
                parsed.met.entry((topic, partition)).or_default().push(met);
            }
        }
        for ((topic, partition), met) in &mut parsed.met {
            met.sort_by_key(|met| met.first);
            if met.windows(2).any(|pair| pair[0].last >= pair[1].first) {
                return Err(Error::new(
                    format_args!("{topic}[{partition}]"),
                    "some of it was read by two tasks: nothing may be committed",
                ));
            }
        }
        let doubtful = distant.to_examine(self.intent.room)?;
        let names = doubtful.iter().map(|&number| parsed.names[number].clone()).collect();
        parsed.distant = Some(distant);
        self.parsed = parsed;
        Ok(names)
    }

    /// Takes blocks that [`Run::summarize`] asked for: rows as [`ParseTask`](super::ParseTask) gave them.
    ///
    /// # Errors
    /// Blocks that are none of this run; the disk's.
    pub fn examine(&mut self, blocks: &RecordBatch) -> Result<()> {
        let columns = Columns(blocks);
        let names = columns.texts("block")?;
        let payloads = columns.bytes("payload")?;
        let numbers: HashMap<&str, usize> = self.parsed.names.iter().map(String::as_str).zip(0..).collect();
        let distant = self
            .parsed
            .distant
            .as_mut()
            .ok_or_else(|| out_of_turn("examine", "summarize"))?;
        for row in 0..blocks.num_rows() {
            let name = present(&names, row, "block", || names.value(row))?;
            let number = numbers
                .get(name)
                .ok_or_else(|| Error::usage(format_args!("block {name}"), "is none of this run"))?;
            distant.examine(*number, payloads.value(row))?;
        }
        Ok(())
    }

    /// Settles the columns of all lines and plans the days that they touch. `unit_rows` is about how many rows one task is to merge and
    /// encode.
    ///
    /// # Errors
    /// A block that was asked for and not given; files of a day that are not as the ledger says.
    pub fn plan(&mut self, unit_rows: Option<usize>) -> Result<&Plan> {
        let distant = self
            .parsed
            .distant
            .take()
            .ok_or_else(|| out_of_turn("plan", "summarize"))?;
        let reading = self.begun.elapsed();
        let begun = Instant::now();
        let (spills, rejects) = distant.settle(self.intent.room)?;
        failpoint::reach("engine-settled");
        self.bring_days(&spills)?;
        let store = self.archiver.store();
        let plan = Plan::new(&Settled {
            intent: &self.intent,
            settings: store.settings(),
            state: &store.state(),
            locate: &|target| store.path(target),
            spills: &spills,
            blocks: &self.parsed.names,
            leaf_size: self.leaf_size,
            unit_rows: unit_rows.unwrap_or(UNIT_ROWS).max(1),
        })?;
        self.archiver.spent_reading(reading);
        self.settled = Some((spills, rejects));
        let (plan, _) = self.plan.insert((plan, begun));
        failpoint::reach("engine-planned");
        Ok(plan)
    }

    /// Brings the files that rows come to where tasks will look for them; those of a folder are there.
    fn bring_days(&self, spills: &[SettledSpill]) -> Result<()> {
        let store = self.archiver.store();
        let state = store.state();
        let days = spills.iter().flat_map(|spill| {
            let measurement = &spill.schema.measurement;
            spill
                .days()
                .into_keys()
                .map(|day| (measurement.clone(), day.to_string()))
        });
        let entries = days.filter_map(|day| state.days.get(&day));
        let files: Vec<&str> = entries.flat_map(DayEntry::paths).collect();
        files.par_iter().try_for_each(|target| store.path(target).map(|_| ()))
    }

    /// Takes what tasks made of units. Gives the days that are still to be put together, a job of [`SpliceTask`](super::SpliceTask) each.
    ///
    /// # Errors
    /// Results that are none of this run, or that are missing.
    pub fn encoded(&mut self, made: impl IntoIterator<Item: AsRef<[u8]>>) -> Result<Vec<Vec<u8>>> {
        let (plan, _) = self.plan.as_ref().ok_or_else(|| out_of_turn("encoded", "plan"))?;
        let mut units: BTreeMap<usize, UnitResult> = BTreeMap::new();
        for made in made {
            let made: UnitResult = from_bytes(made.as_ref())?;
            if made.unit >= plan.units.len() || units.insert(made.unit, made).is_some() {
                return Err(Error::new(
                    "the result of a task",
                    "is of no unit of this run, or of one that was made before",
                ));
            }
        }
        if let Some(missing) = (0..plan.units.len()).find(|unit| !units.contains_key(unit)) {
            let day = plan.days[plan.units[missing].day].title();
            return Err(Error::new(
                day,
                format_args!("unit {missing} of it was not made: nothing may be committed"),
            ));
        }
        let mut jobs = Vec::new();
        for (day, of_day) in plan.cut_days() {
            let units = of_day.iter().filter_map(|unit| units.remove(unit)).collect();
            jobs.push(to_bytes(&SpliceJob { day, units }));
        }
        for (number, UnitResult { written, files, .. }) in units {
            let day = plan.units[number].day;
            let written = written.into_entry();
            self.made.insert(day, DayResult { day, written, files });
        }
        failpoint::reach("engine-encoded");
        Ok(jobs)
    }

    /// Commits what the tasks made; `spliced` is what became of the jobs that [`Run::encoded`] gave. A run that is idle commits nothing, and
    /// says so to Kafka's own tools.
    ///
    /// # Errors
    /// As a run on one machine: then nothing was committed, or the error says that the commit stands.
    pub fn commit(mut self, spliced: impl IntoIterator<Item: AsRef<[u8]>>) -> Result<RunReport> {
        let committed = self.commit_all(spliced);
        match committed {
            Ok(()) => Ok(self.archiver.finish()),
            Err(error) => Err(self.archiver.fail(error).into_error()),
        }
    }

    fn commit_all(&mut self, spliced: impl IntoIterator<Item: AsRef<[u8]>>) -> Result<()> {
        let mut made = std::mem::take(&mut self.made);
        for spliced in spliced {
            let day: DayResult = from_bytes(spliced.as_ref())?;
            made.insert(day.day, day);
        }
        let days = self.plan.as_ref().map_or(&[][..], |(plan, _)| &plan.days);
        if let Some(missing) = (0..days.len()).find(|day| !made.contains_key(day)) {
            let cause = "was not made: nothing may be committed";
            return Err(Error::new(days[missing].title(), cause));
        }
        if self.plan.is_none() && !self.is_idle() {
            return Err(out_of_turn("commit", "plan"));
        }
        let begun = self.plan.as_ref().map_or_else(Instant::now, |(_, begun)| *begun);
        let tasks = self.tasks.take().ok_or_else(|| out_of_turn("commit", "begin"))?;
        let (spills, late) = self.settled.take().unwrap_or_default();
        let mut rejects = std::mem::take(&mut self.parsed.rejects);
        rejects.extend(late);
        let settled = Commitment {
            rows: CommitRows::Made(MadeDays {
                schemas: spills.iter().map(|spill| spill.schema.clone()).collect(),
                tasks,
                days: made.into_values().map(|day| (day.written, day.files)).collect(),
            }),
            rejects,
            lines: self.parsed.lines,
        };
        self.archiver.add_bytes(self.parsed.bytes);
        failpoint::reach("before-commit");
        match &mut self.kafka {
            Some((source, settings)) => {
                let met = &self.parsed.met;
                let messages = |topic: &str, partition: i32| {
                    let met = met.get(&(topic.to_owned(), partition));
                    met.into_iter().flatten().map(|met| met.messages).sum()
                };
                archive::commit_read_by_others(&mut self.archiver, source, settings, messages, settled, begun)
            }
            None => {
                let ranges = self.ranges();
                self.archiver.commit_made(settled, ranges, begun)
            }
        }
    }
}

impl Run {
    /// What was read of partitions that are not Kafka's.
    fn ranges(&self) -> Vec<SourceRange> {
        let range = |(topic, partition, offsets): &(String, i32, Range<i64>)| {
            let identity = self.intent.topics.iter().find(|known| known.topic == *topic)?;
            let met = self.parsed.met.get(&(topic.clone(), *partition));
            let messages = met.into_iter().flatten().map(|met| met.messages).sum();
            Some(SourceRange {
                cluster_id: identity.cluster_id.clone(),
                topic_id: identity.topic_id.clone(),
                topic: topic.clone(),
                partition: *partition,
                first: offsets.start,
                next: offsets.end,
                messages,
                gaps: offsets.end.abs_diff(offsets.start).saturating_sub(messages),
                lost: 0,
                again: 0,
                last: None,
                epoch: None,
            })
        };
        self.intent.partitions.iter().filter_map(range).collect()
    }
}

fn out_of_turn(called: &str, before: &str) -> Error {
    Error::usage(
        called,
        format_args!("was called out of turn: {before} comes before it, once"),
    )
}

/// The flags of `diurnal archive`.
fn parse_flags<S: AsRef<str>>(flags: &[S]) -> Result<(PathBuf, ArchiveArgs)> {
    let typed = ["diurnal", "archive"]
        .into_iter()
        .chain(flags.iter().map(AsRef::as_ref));
    let cli = Cli::try_parse_from(typed).map_err(|error| {
        let text = error.render().to_string();
        let first = text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .to_owned();
        Error::usage("the run's options", first).hint("they are those of `diurnal archive --help`")
    })?;
    let Command::Archive(args) = cli.command else {
        return Err(Error::usage("the run's options", "are those of another command"));
    };
    let only_alone = [("--follow", args.follow), ("--dry-run", args.ingest.dry_run)];
    if let Some((flag, _)) = only_alone.iter().find(|(_, given)| *given) {
        return Err(Error::usage(flag, "is for a run on one machine").hint("leave it out"));
    }
    let archive = cli.global.archive.ok_or_else(|| {
        let hint =
            "name a folder that every machine sees under the same path, or an address such as s3://BUCKET/PREFIX";
        Error::usage("--archive", "is missing").hint(hint)
    })?;
    Ok((archive, *args))
}
