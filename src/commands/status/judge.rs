//! `--max-lag` and `--max-age`: what is over, and by how much.

use std::time::Duration;

use super::partitions::PartitionStatus;
use super::report::StatusReport;
use crate::error::Error;
use crate::report::{age, grouped};
use crate::source::kafka::SourceFilter;

/// What monitoring asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Offsets that a partition may be behind.
    pub lag: Option<u64>,
    /// How long ago the last good run may be.
    pub age: Option<Duration>,
}

/// An error for each limit that is not kept. What is not known is not kept.
/// `filter`: what is looked at of the topics that the archive was read from, if there are any.
pub fn overruns(report: &StatusReport<'_>, limits: Limits, filter: Option<&SourceFilter>) -> Vec<Error> {
    let mut over = Vec::new();
    let current = || report.partitions.iter().filter(|partition| !partition.replaced);
    if let Some(most) = limits.lag {
        over.extend(current().filter_map(|partition| too_far_behind(partition, most)));
    }
    if let Some(most) = limits.age {
        // A partition that no run has come to yet is behind, not old.
        let mut read = current().filter(|partition| partition.next.is_some()).peekable();
        match read.peek() {
            Some(_) => over.extend(read.filter_map(|partition| too_old(partition, most))),
            None => match filter {
                Some(filter) => over.push(filter.takes_nothing()),
                None => over.extend(no_run_lately(report, most)),
            },
        }
    }
    over
}

fn too_far_behind(partition: &PartitionStatus, most: u64) -> Option<Error> {
    // Where there is no lag, it is told as a problem why; on another cluster it is not asked for.
    let lag = partition.kafka?.lag.filter(|lag| *lag > most)?;
    let cause = format_args!(
        "lag {} is {} over --max-lag {}",
        grouped(lag),
        grouped(lag - most),
        grouped(most)
    );
    Some(Error::new(partition.name(), cause))
}

fn too_old(partition: &PartitionStatus, most: Duration) -> Option<Error> {
    let cause = match &partition.last_read {
        Some(read) => {
            let since = Duration::from_secs(read.age_s);
            let over = since.checked_sub(most).filter(|over| !over.is_zero())?;
            format!(
                "was last read to its end {} ago, {} over --max-age {}",
                age(since),
                age(over),
                age(most)
            )
        }
        None => "it is not known when it was last read to its end".to_owned(),
    };
    Some(Error::new(partition.name(), cause))
}

/// The same for an archive that was read from no topic.
fn no_run_lately(report: &StatusReport<'_>, most: Duration) -> Option<Error> {
    let last = report.last_success.values().map(|time| time.age_s).min();
    let cause = match last.map(Duration::from_secs) {
        Some(since) => {
            let over = since.checked_sub(most).filter(|over| !over.is_zero())?;
            format!(
                "the last good run was {} ago, {} over --max-age {}",
                age(since),
                age(over),
                age(most)
            )
        }
        None => "it is not known when the last good run was".to_owned(),
    };
    Some(Error::new(&report.archive, cause))
}
