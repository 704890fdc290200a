//! Units that several tasks made of one day -> the day's files.

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};

use super::batch::{Columns, present, results};
use super::encode::UnitResult;
use super::stage::{Stager, from_bytes, to_bytes};
use crate::commands::day_file::{SplicedUnit, WrittenEntry, splice_day};
use crate::error::Result;
use crate::store::HandedOver;

/// A day that is to be put together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SpliceJob {
    /// Number of the day.
    pub day: usize,
    /// What was made of its units, in the order of time.
    pub units: Vec<UnitResult>,
}

/// A day that is ready for the commit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct DayResult {
    /// Number of the day.
    pub day: usize,
    pub written: WrittenEntry,
    pub files: Vec<HandedOver>,
}

/// Splices the leaves that several tasks made of a day, and those of its files that stay as they are.
pub struct SpliceTask(Stager);

impl SpliceTask {
    /// Begins a task of the run that has this plan. `attempt` is a name that no other attempt of any task has.
    ///
    /// # Errors
    /// A plan of another version; a name that can't be a folder's.
    pub fn new(plan: &[u8], attempt: &str) -> Result<Self> {
        Stager::new(plan, attempt).map(Self)
    }

    /// Splices days, a row each.
    ///
    /// # Errors
    /// Files that are not as tasks or the ledger say; the disk's.
    pub fn push(&self, jobs: &RecordBatch) -> Result<RecordBatch> {
        let payloads = Columns(jobs).bytes("payload")?;
        let mut made = Vec::with_capacity(jobs.num_rows());
        for row in 0..jobs.num_rows() {
            let job: SpliceJob = from_bytes(present(&payloads, row, "payload", || payloads.value(row))?)?;
            made.push(to_bytes(&self.splice(&job)?));
        }
        Ok(results(&made))
    }

    fn splice(&self, job: &SpliceJob) -> Result<DayResult> {
        let Self(stager) = self;
        let planned = &stager.plan.days[job.day];
        let day = planned.day()?;
        let schema = stager.plan.schema(planned);
        let units = job.units.iter().map(|result| SplicedUnit {
            unit: &result.written,
            files: stager.paths(&result.files),
        });
        let units: Vec<SplicedUnit<'_>> = units.collect();
        let keeps = |written: &WrittenEntry| written.entry.is_some();
        let (written, files) = stager.stage(planned, &format!("splice-{}", job.day), keeps, |context, staging| {
            let before = planned.before.as_ref();
            splice_day(context, staging, day, &schema, &planned.occurring, &units, before)
        })?;
        Ok(DayResult {
            day: job.day,
            written,
            files,
        })
    }
}
