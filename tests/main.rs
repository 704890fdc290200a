//! The integration tests: the binary driven as a user does it, against an embedded broker, a real Apache Kafka and files.
//!
//! A real Kafka needs `java` and `mvn`, DuckDB needs `python3`, Telegraf needs `go`; where one is missing the tests that want
//! it say so and pass. `DIURNAL_TEST_REQUIRE=all` makes that a failure, `DIURNAL_TEST_LONG=1` runs the long variants.

mod backup;
mod crash;
mod demo;
mod disks;
mod docs;
mod dry_run;
mod examples;
mod fuzz;
mod harness;
mod hostile;
mod import;
mod kafka;
mod late;
mod law;
mod ledger;
mod lineproto;
mod lock;
mod merge;
mod messages;
mod metrics;
mod objects;
mod pages;
mod prune;
mod python;
mod queries;
mod readers;
mod rejects;
mod report;
mod schema;
mod shells;
mod soak;
mod spark;
mod spill;
mod status;
mod support;
mod tables;
mod terminal;
mod verify;
mod version;
mod zones;
