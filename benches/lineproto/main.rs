//! `cargo bench --bench lineproto`: how fast diurnal parses line protocol straight to typed columns, against the crate
//! influxdb-line-protocol, on the same lines, in one run and on one core.
//!
//! Before anything is timed, every contender's reading of the data is compared: lines, fields, values, strings, times. Then all of
//! them run in turn, round after round, so that a slow moment of the machine meets each; a ratio is taken within its round. A second
//! table gives diurnal the worst input that we could think of, in three sizes: the cost of a byte must stay what it is.
//!
//! CONTRIBUTING.md says how to run it and how to read it.

mod contenders;
mod hostile;
#[path = "../hosts.rs"]
mod hosts;
mod machine;
mod made_up;
mod options;
mod race;
mod report;
mod scaling;
mod sets;
mod tally;
mod telegraf;

use std::process::ExitCode;
use std::time::Instant;

use machine::{Clock, Machine};
use options::Options;
use report::Report;

/// As the program has it; both contenders use it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("lineproto: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    if scaling::answered_as_child() {
        return Ok(());
    }
    let options = Options::from_environment()?;
    let machine = Machine::on_one_core();
    let (began, clock) = (Instant::now(), Clock::default());
    let mut report = Report::new(&machine, &options);
    for name in &options.sets {
        let set = sets::make(name, &options)?;
        let contenders = contenders::all();
        let (tally, times) = race::race(&set, &contenders, options.rounds, &clock)?;
        report.add_set(&set, &tally, &contenders, &times);
    }
    report.compare_sets();
    for case in &options.hostile {
        report.add_case(case, &scaling::measure(case, &options, &clock));
    }
    report.finish(began.elapsed(), clock.share());
    match &options.json {
        Some(path) => report.write_json(path),
        None => Ok(()),
    }
}
