//! What a run and an archive look like to the programs that read `--json` and to the people who read the summary.

mod fit;
pub mod html;
mod json;
pub mod metrics;
mod run;
mod text;

pub use fit::{age, columns_of, cut, fit, table_within, terminal_columns};
pub use json::to_json;
pub use run::{DayReport, Outcome, PartitionReport, Phases, RejectReport, RunReport, SHOWN_REJECTS};
pub use text::{bytes, counted, escaped, grouped, harmless, run_summary, table};
