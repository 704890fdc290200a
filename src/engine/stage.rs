//! What the tasks share that stage files of days.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::plan::{Plan, PlannedDay, in_place};
use crate::calendar::Zone;
use crate::commands::day_file::DayContext;
use crate::error::{Error, Result};
use crate::store::{ArchiveSettings, HandedOver, Staging};

/// An attempt of a task that stages.
pub(super) struct Stager {
    pub plan: Plan,
    settings: ArchiveSettings,
    zone: Zone,
    attempt: String,
}

impl Stager {
    /// Begins a task of the run that has this plan. `attempt` is a name that no other attempt of any task has.
    pub fn new(plan: &[u8], attempt: &str) -> Result<Self> {
        let plan = Plan::parse(plan)?;
        check_attempt(attempt)?;
        let settings = plan.intent.settings()?;
        Ok(Self {
            zone: settings.timezone.parse()?,
            settings,
            plan,
            attempt: attempt.to_owned(),
        })
    }

    /// Stages what `write` makes of a day, in a folder of the attempt that has the name `part`. Gives the files as well, if what was written
    /// `keeps` them.
    pub fn stage<T>(
        &self,
        planned: &PlannedDay,
        part: &str,
        keeps: impl FnOnce(&T) -> bool,
        write: impl FnOnce(DayContext<'_>, &Staging) -> Result<T>,
    ) -> Result<(T, Vec<HandedOver>)> {
        let archive = self.plan.archive();
        let attempt = format!("{}-{part}", self.attempt);
        let touched = planned.before.iter().cloned().collect();
        let staging = Staging::of_task(archive, &self.plan.intent.tasks, &attempt, touched)?;
        let locate = in_place(archive);
        let context = self.plan.context(planned, self.zone, &self.settings, &locate);
        let written = write(context, &staging)?;
        let mut files = staging.hand_over(&attempt)?;
        if !keeps(&written) {
            files.clear();
        }
        Ok((written, files))
    }

    /// Where files are that tasks of the run staged, by path relative to the archive.
    pub fn paths<'f>(&self, files: &'f [HandedOver]) -> BTreeMap<&'f str, PathBuf> {
        let tasks = Staging::folder_of_tasks(self.plan.archive(), &self.plan.intent.tasks);
        let path = |file: &'f HandedOver| (file.target.as_str(), tasks.join(&file.staged));
        files.iter().map(path).collect()
    }
}

/// Refuses what could lead out of the folder of the run's tasks.
fn check_attempt(attempt: &str) -> Result<()> {
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
