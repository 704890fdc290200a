//! Which days are touched, the units that each is cut into, and which task gets them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::intent::Intent;
use crate::calendar::{Day, Zone};
use crate::commands::day_file::{DayContext, NewRows, UnitSpan, divide_day, occurring};
use crate::commands::kept_formats;
use crate::error::{Error, Result};
use crate::format::Formats;
use crate::order::LeafSize;
use crate::store::record::DayEntry;
use crate::store::{ArchiveSettings, State, paths};
use crate::table::schema::MeasurementSchema;
use crate::table::spill::SettledSpill;

/// What the tasks that merge and encode have to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    pub(super) intent: Intent,
    schemas: BTreeMap<String, MeasurementSchema>,
    pub(super) days: Vec<PlannedDay>,
    pub(super) units: Vec<Unit>,
    /// Blocks of which a line was rejected when the columns were settled: the rows that are none, or `None` where no row is left.
    changed: HashMap<String, Option<Vec<usize>>>,
    /// The default, but for tests.
    leaf_size: LeafSize,
}

/// A day that new rows come to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PlannedDay {
    pub measurement: String,
    pub day: String,
    /// The learned columns that its new rows have, by name.
    pub occurring: Vec<String>,
    formats: Formats,
    /// Its files as they are.
    pub before: Option<DayEntry>,
}

/// What of a day one task writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Unit {
    /// Number of the day.
    pub day: usize,
    pub span: UnitSpan,
    /// Number of the task.
    pub task: i32,
}

/// What a plan is made from.
pub(super) struct Settled<'a> {
    pub intent: &'a Intent,
    pub settings: &'a ArchiveSettings,
    pub state: &'a State,
    pub locate: &'a (dyn Fn(&str) -> Result<PathBuf> + Sync),
    pub spills: &'a [SettledSpill],
    /// The names of all blocks, by number.
    pub blocks: &'a [String],
    pub leaf_size: LeafSize,
    /// Rows of a unit, about, and of a task.
    pub unit_rows: usize,
}

impl Plan {
    pub(super) fn new(settled: &Settled<'_>) -> Result<Self> {
        let zone: Zone = settled.settings.timezone.parse()?;
        let mut plan = Self {
            intent: settled.intent.clone(),
            schemas: BTreeMap::new(),
            days: Vec::new(),
            units: Vec::new(),
            changed: HashMap::new(),
            leaf_size: settled.leaf_size,
        };
        let mut left: BTreeSet<usize> = (0..settled.blocks.len()).collect();
        let mut tasks = Tasks::of(settled.unit_rows);
        for spill in settled.spills {
            let schema = &spill.schema;
            plan.schemas.insert(schema.measurement.clone(), (**schema).clone());
            for (day, rows) in spill.days() {
                for block in rows.blocks() {
                    left.remove(&block.number);
                    if !block.removed.is_empty() {
                        let mut removed: Vec<usize> = block.removed.iter().copied().collect();
                        removed.sort_unstable();
                        plan.changed.insert(settled.blocks[block.number].clone(), Some(removed));
                    }
                }
                let key = (schema.measurement.clone(), day.to_string());
                let before = settled.state.days.get(&key);
                let planned = PlannedDay {
                    measurement: key.0,
                    day: key.1,
                    occurring: occurring(schema, rows.occurring()),
                    formats: kept_formats(settled.settings.formats, before),
                    before: before.cloned(),
                };
                let context = plan.context(&planned, zone, settled.settings, settled.locate);
                let names = &planned.occurring;
                let new = NewRows::Spilled(rows);
                let units = divide_day(context, day, names, &new, before, settled.unit_rows)?;
                let bounds = zone.bounds(day);
                for span in units {
                    let rows = new.rows_in(&span.time(bounds.0..bounds.1));
                    plan.units.push(Unit {
                        day: plan.days.len(),
                        span,
                        task: tasks.next(rows),
                    });
                }
                plan.days.push(planned);
            }
        }
        let gone = left.into_iter().map(|number| (settled.blocks[number].clone(), None));
        plan.changed.extend(gone);
        Ok(plan)
    }

    /// As it is sent to tasks.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a plan holds strings and numbers only")
    }

    /// What a task was sent.
    ///
    /// # Errors
    /// Bytes of another version of this crate.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|error| {
            Error::new("the run's plan", format_args!("is not understood: {error}"))
                .hint("the driver and every machine must have the same version of diurnal")
        })
    }

    /// Number of tasks that encode; they are numbered from 0.
    pub fn tasks(&self) -> usize {
        let last = self.units.last().map_or(-1, |unit| unit.task);
        usize::try_from(last + 1).unwrap_or_default()
    }

    /// The archive's folder.
    pub(super) fn archive(&self) -> &Path {
        &self.intent.archive
    }

    pub(super) fn schema(&self, day: &PlannedDay) -> Arc<MeasurementSchema> {
        Arc::new(self.schemas[&day.measurement].clone())
    }

    /// The rows of a block that are none; `None` where none is left.
    pub(super) fn removed(&self, block: &str) -> Option<&[usize]> {
        match self.changed.get(block) {
            None => Some(&[]),
            Some(removed) => removed.as_deref(),
        }
    }

    pub(super) fn context<'a>(
        &self,
        day: &PlannedDay,
        zone: Zone,
        settings: &ArchiveSettings,
        locate: &'a (dyn Fn(&str) -> Result<PathBuf> + Sync),
    ) -> DayContext<'a> {
        DayContext {
            locate,
            zone,
            time_unit: settings.time_unit,
            formats: day.formats,
            leaf_size: self.leaf_size,
            memory: crate::settings::Memory::new(self.intent.memory).merging(false),
            work: None,
        }
    }

    /// The units of each day that several tasks write.
    pub(super) fn cut_days(&self) -> BTreeMap<usize, Vec<usize>> {
        let mut cut: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (number, unit) in self.units.iter().enumerate() {
            if unit.span != UnitSpan::Day {
                cut.entry(unit.day).or_default().push(number);
            }
        }
        cut
    }
}

impl PlannedDay {
    pub fn day(&self) -> Result<Day> {
        self.day.parse()
    }

    pub fn title(&self) -> String {
        format!("{} {}", self.measurement, self.day)
    }
}

/// Deals units to tasks, in order, about so many rows to each.
struct Tasks {
    rows: usize,
    task: i32,
    so_far: usize,
}

impl Tasks {
    fn of(rows: usize) -> Self {
        Self {
            rows,
            task: -1,
            so_far: usize::MAX,
        }
    }

    /// The task of the next unit.
    fn next(&mut self, rows: usize) -> i32 {
        let all = self.so_far.saturating_add(rows);
        if all > self.rows {
            (self.task, self.so_far) = (self.task + 1, rows);
        } else {
            self.so_far = all;
        }
        self.task
    }
}

/// The number of each unit of a day, and its time.
type Times = Vec<(usize, Range<i128>)>;

/// The time of each unit, for those who deal blocks.
pub(super) struct Routes {
    /// By measurement and day.
    by_day: HashMap<(String, String), Times>,
}

impl Routes {
    pub fn new(plan: &Plan) -> Result<Self> {
        let zone = plan.intent.zone()?;
        let mut by_day: HashMap<(String, String), Times> = HashMap::new();
        for (number, unit) in plan.units.iter().enumerate() {
            let day = &plan.days[unit.day];
            let (first, end) = zone.bounds(day.day()?);
            let units = by_day.entry((day.measurement.clone(), day.day.clone())).or_default();
            units.push((number, unit.span.time(first..end)));
        }
        Ok(Self { by_day })
    }

    /// The units that may need a block.
    pub fn of(&self, measurement: String, day: String, first: i64, last: i64) -> impl Iterator<Item = usize> {
        let units = self.by_day.get(&(measurement, day)).map_or(&[][..], Vec::as_slice);
        let (first, last) = (i128::from(first), i128::from(last));
        let needs = move |time: &Range<i128>| time.start <= last && first < time.end;
        units
            .iter()
            .filter(move |(_, time)| needs(time))
            .map(|(number, _)| *number)
    }
}

/// Where a file on record is: in its place, for tasks begin when all commits before are complete.
pub(super) fn in_place(archive: &Path) -> impl Fn(&str) -> Result<PathBuf> + Sync {
    let archive = archive.to_owned();
    move |target| {
        debug_assert!(!target.starts_with(paths::PRIVATE));
        Ok(archive.join(target))
    }
}
