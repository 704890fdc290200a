//! `diurnal status`: what the archive holds, how far each partition was read, and on demand how far behind Kafka that is.

mod judge;
mod partitions;
mod report;
mod text;

use std::path::Path;

use self::judge::{Limits, overruns};
use self::report::StatusReport;
use crate::cli::StatusArgs;
use crate::console::Console;
use crate::error::{Error, Result};
use crate::report::{grouped, terminal_columns};
use crate::settings::StatusSettings;
use crate::source::StopFlag;
use crate::source::kafka::{KafkaSettings, Look, SourceFilter, look};
use crate::store::Archive;
use crate::store::record::SourceRange;

/// Errors that are said one by one: what is wrong with the brokers is wrong with every partition.
const SHOWN_ERRORS: usize = 20;

pub(super) fn run(console: Console, folder: &Path, args: &StatusArgs) -> Result<u8> {
    let settings = StatusSettings::new(args)?;
    let filter = SourceFilter::new(&args.topics, settings.partitions.clone())?;
    for warning in &settings.warnings {
        console.warning(warning);
    }
    let archive = Archive::read(folder)?;
    let known: Vec<SourceRange> = archive.state().sources.values().cloned().collect();
    let (seen, mut problems) = match settings.kafka {
        Some(kafka) => match ask(kafka, &filter, &known, console) {
            Ok(mut look) => {
                let problems = std::mem::take(&mut look.problems);
                (Some(look), problems)
            }
            // What the archive knows is to be seen nevertheless.
            Err(error) => (None, vec![error]),
        },
        None => (None, Vec::new()),
    };
    let mut report = StatusReport::new(&archive, &filter, seen.as_ref(), super::now());
    let limits = Limits {
        lag: args.max_lag,
        age: settings.max_age,
    };
    let over = overruns(&report, limits, (!known.is_empty()).then_some(&filter));
    problems.extend(report.problems());
    report.set_errors(problems.iter().chain(&over));
    if console.json {
        console.print_json(&report);
    } else if !console.quiet {
        console.print(text::text(&report, args.days, terminal_columns()));
    }
    for warning in report.warnings() {
        console.warning(&warning);
    }
    for error in problems.iter().chain(&over).take(SHOWN_ERRORS) {
        console.error(error);
    }
    if let Some(more) = (problems.len() + over.len())
        .checked_sub(SHOWN_ERRORS)
        .filter(|more| *more > 0)
    {
        console.remark(format_args!("and {} more; --json has them all", grouped(more as u64)));
    }
    Ok(report.exit_code)
}

/// Asks the brokers about the topics that are named, or those that the archive knows.
fn ask(mut kafka: KafkaSettings, filter: &SourceFilter, known: &[SourceRange], console: Console) -> Result<Look> {
    if kafka.topics.is_empty() {
        kafka.topics = known.iter().map(|range| range.topic.clone()).collect();
    }
    if kafka.topics.is_empty() {
        return Err(Error::usage(
            "--topic",
            "is missing: the archive has read no topic yet that could be asked about",
        ));
    }
    kafka.log = console.verbose;
    kafka.check()?;
    // A signal ends this at once: there is nothing to save.
    let _asking = console.progress().wait(format!("asking {}", kafka.brokers));
    look(&kafka, filter, known, &StopFlag::new())
}
