//! What a run and an archive look like to the programs that read `--json` and to the people who read the summary.

mod fit;
mod json;
mod run;
mod text;

pub use fit::{cut, fit};
pub use json::to_json;
pub use run::{DayReport, Outcome, PartitionReport, RejectReport, RunReport, SHOWN_REJECTS};
pub use text::{bytes, counted, escaped, grouped, harmless, run_summary, table};
