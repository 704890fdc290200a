//! What a run and an archive look like to the programs that read `--json` and to the people who read the summary.

mod run;
mod text;

pub use run::{DayReport, Outcome, PartitionReport, RejectReport, RunReport, SHOWN_REJECTS};
pub use text::{bytes, counted, escaped, grouped, run_summary, table};
