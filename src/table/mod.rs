//! Lines -> typed columns, one table per measurement.
//!
//! A [`Collector`] belongs to one consumer thread: it parses messages and appends their lines to column builders.
//! What all collectors of a commit hold is [settled](settle::settle) together: columns get their names and types, late
//! mismatches become rejects, and the result no longer depends on which thread saw which line.

mod builder;
mod collected;
mod collector;
mod convert;
mod field_keys;
mod heads;
mod kept;
mod names;
mod open_columns;
mod open_table;
mod pruned;
mod reject;
mod room;
pub mod schema;
pub mod schema_file;
pub mod series;
pub mod settle;
pub mod spill;
mod tag_numbers;
#[cfg(test)]
mod tests;
mod values;

pub use builder::{CHUNK_ROWS, Chunk};
pub use collected::{Collected, CollectedTable, LocalColumn};
pub use collector::{CollectSettings, Collector};
pub use convert::{Unfit, convert, may_join};
pub use kept::KeptLines;
pub use pruned::PrunedDays;
pub use reject::{RejectedLine, RejectedText};
pub use room::{COLUMNS, MEASUREMENTS, Room};
pub use settle::{SettledTable, TableBatch};
