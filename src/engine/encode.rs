//! The blocks of a unit -> its staged files: what a task of an engine does last.

use std::collections::HashSet;

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};

use super::batch::{Columns, present, results};
use super::plan::{Plan, in_place};
use crate::commands::day_file::{NewRows, WrittenUnit, write_unit};
use crate::error::{Error, Result};
use crate::store::{ArchiveSettings, HandedOver, SpillSpace, Staging};
use crate::table::spill::Receiver;

/// What was made of a unit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct UnitResult {
    /// Number of the unit.
    pub unit: usize,
    pub written: WrittenUnit,
    pub files: Vec<HandedOver>,
}

/// Merges the blocks of units with the files of their days, encodes and stages them.
pub struct EncodeTask {
    plan: Plan,
    settings: ArchiveSettings,
    attempt: String,
    space: SpillSpace,
    current: Option<(usize, Receiver)>,
}

impl EncodeTask {
    /// Begins a task of the run that has this plan. `attempt` is a name that no other attempt of any task has.
    ///
    /// # Errors
    /// A plan of another version; a name that can't be a folder's.
    pub fn new(plan: &[u8], attempt: &str) -> Result<Self> {
        let plan = Plan::parse(plan)?;
        check_attempt(attempt)?;
        Ok(Self {
            settings: plan.intent.settings()?,
            plan,
            attempt: attempt.to_owned(),
            space: SpillSpace::temporary(),
            current: None,
        })
    }

    /// Takes blocks, all of a unit one after the other, and gives what was made of the units that are complete by that.
    ///
    /// # Errors
    /// Columns that are not those of [`routed_schema`](super::routed_schema); bytes that are no block; files of a day that are not as the
    /// ledger says; the disk's.
    pub fn push(&mut self, routed: &RecordBatch) -> Result<Option<RecordBatch>> {
        let columns = Columns(routed);
        let units = columns.ints("unit")?;
        let blocks = columns.texts("block")?;
        let payloads = columns.bytes("payload")?;
        let mut made = Vec::new();
        for row in 0..routed.num_rows() {
            let unit = present(&units, row, "unit", || units.value(row))?;
            let unit = usize::try_from(unit).ok().filter(|unit| *unit < self.plan.units.len());
            let unit = unit.ok_or_else(|| Error::usage("column unit", "is not of this run's plan"))?;
            if self.current.as_ref().is_none_or(|(current, _)| *current != unit) {
                made.extend(self.end_unit()?);
                self.current = Some((unit, Receiver::new(&self.space)?));
            }
            let block = present(&blocks, row, "block", || blocks.value(row))?;
            let removed: HashSet<usize> = self.plan.removed(block).unwrap_or_default().iter().copied().collect();
            if let Some((_, receiver)) = &mut self.current {
                receiver.push(payloads.value(row), removed)?;
            }
        }
        Ok((!made.is_empty()).then(|| results(&made)))
    }

    /// What was made of the last unit.
    ///
    /// # Errors
    /// As [`EncodeTask::push`].
    pub fn finish(mut self) -> Result<Option<RecordBatch>> {
        Ok(self.end_unit()?.map(|made| results(&[made])))
    }

    fn end_unit(&mut self) -> Result<Option<Vec<u8>>> {
        let Some((number, receiver)) = self.current.take() else {
            return Ok(None);
        };
        let unit = &self.plan.units[number];
        let planned = &self.plan.days[unit.day];
        let day = planned.day()?;
        let rows = receiver.finish(self.plan.schema(planned))?;
        let mut days = rows.days();
        let new = days.remove(&day).filter(|_| days.is_empty()).ok_or_else(|| {
            Error::new(planned.title(), "a task was given blocks of another day").hint("sort them by task and unit")
        })?;
        let archive = self.plan.archive();
        let locate = in_place(archive);
        let context = self
            .plan
            .context(planned, self.settings.timezone.parse()?, &self.settings, &locate);
        let attempt = format!("{}-{number}", self.attempt);
        let before = planned.before.as_ref();
        let staging = Staging::of_task(
            archive,
            &self.plan.intent.tasks,
            &attempt,
            before.cloned().into_iter().collect(),
        )?;
        let new = NewRows::Spilled(new);
        let written = write_unit(context, &staging, day, &unit.span, &planned.occurring, &new, before)?;
        let mut files = staging.hand_over(&attempt)?;
        if written.entry.is_none() {
            files.clear();
        }
        let result = UnitResult {
            unit: number,
            written,
            files,
        };
        Ok(Some(to_bytes(&result)))
    }
}

/// Refuses what could lead out of the folder of the run's tasks.
pub(super) fn check_attempt(attempt: &str) -> Result<()> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    match !attempt.is_empty() && attempt.len() <= 100 && attempt.bytes().all(is_name) {
        true => Ok(()),
        false => Err(Error::usage(
            "attempt",
            "must be a name of letters, digits, - and _, at most 100 of them",
        )),
    }
}

pub(super) fn to_bytes(result: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(result).expect("results hold strings and numbers only")
}

pub(super) fn from_bytes<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::new("the result of a task", format_args!("is not understood: {error}"))
            .hint("the driver and every machine must have the same version of diurnal")
    })
}
