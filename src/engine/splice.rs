//! Units that several tasks made of one day -> the day's files.

use std::path::PathBuf;

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};

use super::batch::{Columns, present, results};
use super::encode::{UnitResult, check_attempt, from_bytes, to_bytes};
use super::plan::{Plan, in_place};
use crate::commands::day_file::{Locate, SplicedUnit, WrittenEntry, splice_day};
use crate::error::{Error, Result};
use crate::store::{ArchiveSettings, HandedOver, Staging};

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
pub struct SpliceTask {
    plan: Plan,
    settings: ArchiveSettings,
    attempt: String,
}

impl SpliceTask {
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
        })
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
        let planned = &self.plan.days[job.day];
        let archive = self.plan.archive();
        let locate = in_place(archive);
        let context = self
            .plan
            .context(planned, self.settings.timezone.parse()?, &self.settings, &locate);
        let attempt = format!("{}-splice-{}", self.attempt, job.day);
        let before = planned.before.as_ref();
        let staging = Staging::of_task(
            archive,
            &self.plan.intent.tasks,
            &attempt,
            before.cloned().into_iter().collect(),
        )?;
        let tasks = Staging::folder_of_tasks(archive, &self.plan.intent.tasks);
        let unit = |result: &'_ UnitResult| {
            let files: Vec<(String, PathBuf)> = result
                .files
                .iter()
                .map(|file| (file.target.clone(), tasks.join(&file.staged)))
                .collect();
            let find = move |target: &str| {
                let found = files.iter().find(|(name, _)| name == target);
                let path = found.map(|(_, path)| path.clone());
                path.ok_or_else(|| Error::new(target, "was staged by no task of this day"))
            };
            Box::new(find) as Locate<'static>
        };
        let units: Vec<SplicedUnit<'_>> = job
            .units
            .iter()
            .map(|result| SplicedUnit {
                unit: &result.written,
                locate: unit(result),
            })
            .collect();
        let schema = self.plan.schema(planned);
        let written = splice_day(
            context,
            &staging,
            planned.day()?,
            &schema,
            &planned.occurring,
            &units,
            before,
        )?;
        let mut files = staging.hand_over(&attempt)?;
        if written.entry.is_none() {
            files.clear();
        }
        Ok(DayResult {
            day: job.day,
            written,
            files,
        })
    }
}
