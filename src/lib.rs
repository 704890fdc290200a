//! diurnal: Kafka metrics in, one time-ordered file per measurement and day out.
//!
//! Telegraf agents send InfluxDB line protocol to Kafka topics, where its order is lost: over partitions, by retries, by
//! agents that were cut off for an hour. diurnal drains the topics into an *archive*, a folder with one Parquet and one
//! CSV file for each measurement and day, sorted by the time in each line. This is the library behind the program of the
//! same name; the program's own pages are `README.md` and those below `docs/` in the repository, of which `docs/FORMAT.md` says what every
//! byte of an archive is, `docs/explanation/the-law.md` and `docs/explanation/the-commit.md` why.
//!
//! # The way of a line
//!
//! Data walks down this list and never back up. Each stage takes what the one before it gives, so that unsorted columns
//! can't reach an encoder, and unstaged files can't reach a commit.
//!
//! | module | takes | gives |
//! |---|---|---|
//! | [`source`] | Kafka partitions, files | [`Message`](source::kafka::Message)s, [`Block`](source::files::Block)s of a file |
//! | [`lineproto`] | bytes | [`Line`](lineproto::Line)s, or a [`Reason`](lineproto::Reason) and column for each bad one |
//! | [`table`] | lines | [`Collected`](table::Collected) by each thread, then [settled](table::settle) into [`SettledTable`](table::SettledTable)s with named, typed columns |
//! | [`order`] | tables, and what a day's file holds already | [`SortedRun`](order::SortedRun): one measurement and day, or the part of it that new rows touch, sorted, folded, divided into leaves |
//! | [`encode`] | leaves | Parquet and CSV bytes that follow from the rows alone |
//! | [`store`] | bytes | [staged files](store::Staging), then a [commit](store::record::Commit) that happens whole or not at all |
//! | [`report`] | commits | the summary for people, the JSON for programs, metrics for Prometheus, a page of plots |
//!
//! Beside it: [`calendar`] knows days and zones, [`format`](mod@format) what is fixed when an archive is made, [`error`]
//! what can go wrong, [`simulate`] makes up agents for demo, tests and benchmarks.
//!
//! The program puts the stages together:
//!
//! | module | is |
//! |---|---|
//! | [`cli`] | what may be typed, and nothing else; `--help`, completions, manual pages and `docs/reference/commands.md` come from there |
//! | [`settings`] | flags and variables of the environment, resolved and checked once |
//! | [`commands`] | a file for each command, which reads as its table of contents; begin with `commands/archive/mod.rs` |
//! | [`console`] | all that a person sees while it runs: messages, warnings, progress |
//! | [`engine`] | the same stages as tasks of an engine such as Apache Spark, which spreads them over machines |
//! | [`version`] | which build this is |
//!
//! Who looks for one thing:
//!
//! | question | module |
//! |---|---|
//! | Why was this line rejected? | [`lineproto::Reason`], `table/reject.rs` |
//! | When is a batch from Kafka over? | [`source::kafka`] |
//! | How do rows of one point become one? | [`order`], `order/fold.rs` |
//! | Where is a day cut into row groups? | [`order`], `order/leaves.rs` |
//! | What happens at a crash? | [`store`], `store/commit.rs` and `store/recovery.rs` |
//! | What is copied, what encoded again, when a late line comes? | `commands/day_file/` |
//!
//! # Lines to Arrow
//!
//! [`batches::record_batches`] is the first half as one call, without Kafka and without an archive:
//!
//! ```
//! use diurnal::batches::record_batches;
//! use diurnal::table::CollectSettings;
//!
//! let lines = b"cpu,host=web-01,cpu=cpu-total usage_idle=97.5 1592568010000000000\n\
//!               cpu,host=web-01,cpu=cpu-total usage_idle=98.0 1592568000000000000\n";
//! let batches = record_batches(lines, None, CollectSettings::default())?;
//! let cpu = &batches.tables["cpu"];
//! assert_eq!(cpu.num_rows(), 2);
//! assert_eq!(cpu.schema().field(0).name(), "time");
//! # Ok::<(), diurnal::error::Error>(())
//! ```
//!
//! `examples/lines_to_arrow.rs` does it with a file. The record batches are those of the `arrow` crate, version 60.
//!
//! # Reading an archive
//!
//! Any Parquet reader will do. Which files there are, what was rejected, and how far each partition was read is in the
//! ledger, which [`store::Archive`] reads without a lock:
//!
//! ```no_run
//! use std::path::Path;
//! use diurnal::store::Archive;
//!
//! let archive = Archive::read(Path::new("archive"))?;
//! for ((measurement, day), entry) in &archive.state().days {
//!     println!("{measurement} {day}: {} rows", entry.rows);
//! }
//! # Ok::<(), diurnal::error::Error>(())
//! ```
//!
//! # Promises
//!
//! For a given schema and encoder version an archive is a function of the set of (series, time, field, value) that it was
//! given, and of nothing else: not of arrival order, partitions, runs, threads, memory or crashes. The modules that this
//! rests on say how: [`order`], [`encode`], [`store`].

#![warn(missing_docs)]

pub mod batches;
pub mod calendar;
pub mod cli;
pub mod commands;
pub mod console;
pub mod encode;
pub mod engine;
pub mod error;
pub mod format;
pub mod lineproto;
mod nearest;
pub mod order;
pub mod report;
pub mod settings;
pub mod simulate;
pub mod source;
pub mod store;
pub mod table;
pub mod version;
