//! One run of `archive`, its work spread over machines by an engine such as Apache Spark.
//!
//! The engine reads Kafka, moves rows and repeats what fails; every line is parsed and every byte of a day file is made here, by the
//! same code as in a run on one machine. The driver of the engine's job has a [`Run`], which holds the archive's lock; its tasks call the
//! functions below, which know nothing but what they are given:
//!
//! | step | where | takes | gives |
//! |---|---|---|---|
//! | [`Run::begin`] | driver | the archive, Kafka | an [`Intent`]: columns as they are known, offsets from and to |
//! | [`ParseTask`] | tasks | messages | blocks of typed rows, sorted by time; a summary |
//! | [`Run::summarize`] | driver | summaries | names of the few blocks that the driver has to [look at](Run::examine) |
//! | [`Run::plan`] | driver | | names and types of all columns, rejects, and a [`Plan`]: days cut into units, units dealt to tasks |
//! | [`RouteTask`] | tasks | blocks | blocks with the number of the task that needs them |
//! | [`EncodeTask`] | tasks | the blocks of a unit, the day's files | staged files |
//! | [`SpliceTask`] | tasks | what several tasks staged of one day | its staged files |
//! | [`Run::commit`] | driver | all of these | one commit |
//!
//! A task may run twice, at once or later: what it makes follows from what it is given, and it stages into a folder of its attempt. A driver
//! that dies leaves debris and no commit; the next run, whoever makes it, starts from the ledger. So nothing of an engine's own has to be
//! exactly once.
//!
//! Data crosses as Arrow record batches ([`parsed_schema`], [`routed_schema`], [`result_schema`]), what is to be sent to all tasks as
//! bytes, which only the same version of this crate understands.

mod batch;
mod encode;
mod intent;
mod parse;
mod plan;
mod route;
mod run;
mod splice;
mod stage;

#[cfg(test)]
mod tests;

pub use batch::{parsed_schema, result_schema, routed_schema};
pub use encode::EncodeTask;
pub use intent::Intent;
pub use parse::ParseTask;
pub use plan::Plan;
pub use route::RouteTask;
pub use run::Run;
pub use splice::SpliceTask;
