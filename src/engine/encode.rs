//! The blocks of a unit -> its staged files: what a task of an engine does last.

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};

use super::batch::{Columns, present, results};
use super::stage::{Stager, to_bytes};
use crate::commands::day_file::{NewRows, WrittenUnit, write_unit};
use crate::error::{Error, Result};
use crate::store::{HandedOver, SpillSpace};
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
    stager: Stager,
    space: SpillSpace,
    current: Option<(usize, Receiver)>,
}

impl EncodeTask {
    /// Begins a task of the run that has this plan. `attempt` is a name that no other attempt of any task has.
    ///
    /// # Errors
    /// A plan of another version; a name that can't be a folder's.
    pub fn new(plan: &[u8], attempt: &str) -> Result<Self> {
        Ok(Self {
            stager: Stager::new(plan, attempt)?,
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
        let known = self.stager.plan.units.len();
        for row in 0..routed.num_rows() {
            let unit = present(&units, row, "unit", || units.value(row))?;
            let unit = usize::try_from(unit).ok().filter(|unit| *unit < known);
            let unit = unit.ok_or_else(|| Error::usage("column unit", "is not of this run's plan"))?;
            if self.current.as_ref().is_none_or(|(current, _)| *current != unit) {
                made.extend(self.end_unit()?);
                self.current = Some((unit, Receiver::new(&self.space)?));
            }
            let block = present(&blocks, row, "block", || blocks.value(row))?;
            let removed = self.stager.plan.removed(block).unwrap_or_default();
            if let Some((_, receiver)) = &mut self.current {
                receiver.push(payloads.value(row), removed.iter().copied().collect())?;
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
        let plan = &self.stager.plan;
        let unit = &plan.units[number];
        let planned = &plan.days[unit.day];
        let day = planned.day()?;
        let rows = receiver.finish(plan.schema(planned))?;
        let mut days = rows.days();
        let new = days.remove(&day).filter(|_| days.is_empty()).ok_or_else(|| {
            Error::new(planned.title(), "a task was given blocks of another day").hint("sort them by task and unit")
        })?;
        let new = NewRows::Spilled(new);
        let keeps = |written: &WrittenUnit| written.entry.is_some();
        let (written, files) = self
            .stager
            .stage(planned, &number.to_string(), keeps, |context, staging| {
                let before = planned.before.as_ref();
                write_unit(context, staging, day, &unit.span, &planned.occurring, &new, before)
            })?;
        let result = UnitResult {
            unit: number,
            written,
            files,
        };
        Ok(Some(to_bytes(&result)))
    }
}
