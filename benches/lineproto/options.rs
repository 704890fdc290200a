//! What the environment says about a run of the benchmark.

use std::env;
use std::path::PathBuf;

use crate::hostile::{CASES, Case};
use crate::sets;

/// Lines of `cpu-mem`; the other sets get about as many bytes.
const LINES: usize = 100_000;

/// Times that everything is run.
const ROUNDS: usize = 5;

/// The name that stands for all hostile cases; `hostile:NAME` is one of them.
const HOSTILE: &str = "hostile";

/// One run's settings.
pub struct Options {
    /// Lines of `cpu-mem`, from which the size of the other sets follows.
    pub lines: usize,
    /// Times that everything is run.
    pub rounds: usize,
    /// Names of the data sets to race on.
    pub sets: Vec<String>,
    /// Hostile input to measure.
    pub hostile: Vec<&'static Case>,
    /// A file to race on instead.
    pub file: Option<PathBuf>,
    /// Where the JSON goes.
    pub json: Option<PathBuf>,
    /// Hostile input is made smaller by this factor.
    pub shrink: usize,
}

impl Options {
    /// Reads `DIURNAL_BENCH_*`. Without cargo's `--bench`, as `cargo test --benches` runs it, a quick pass shows that all works.
    ///
    /// # Errors
    /// A variable that does not say what it should.
    pub fn from_environment() -> Result<Self, String> {
        let measure = env::args().any(|argument| argument == "--bench");
        let file = env::var_os("DIURNAL_BENCH_FILE").map(PathBuf::from);
        let (sets, hostile) = match (&file, env::var("DIURNAL_BENCH_SETS")) {
            (Some(_), _) => (vec![sets::FILE.to_owned()], Vec::new()),
            (None, Ok(names)) => chosen(&names)?,
            (None, Err(_)) => (
                sets::NAMES.iter().map(|&name| name.to_owned()).collect(),
                CASES.iter().collect(),
            ),
        };
        Ok(Self {
            lines: number("DIURNAL_BENCH_LINES", if measure { LINES } else { 1_000 })?,
            rounds: number("DIURNAL_BENCH_ROUNDS", if measure { ROUNDS } else { 1 })?,
            sets,
            hostile,
            file,
            json: env::var_os("DIURNAL_BENCH_JSON").map(PathBuf::from),
            shrink: if measure { 1 } else { 64 },
        })
    }
}

fn number(name: &str, default: usize) -> Result<usize, String> {
    match env::var(name) {
        Err(_) => Ok(default),
        Ok(text) => match text.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(format!("{name}: `{text}` is no number of at least 1")),
        },
    }
}

fn chosen(names: &str) -> Result<(Vec<String>, Vec<&'static Case>), String> {
    let (mut chosen, mut hostile) = (Vec::new(), Vec::new());
    for name in names.split(',') {
        let case = name.strip_prefix(HOSTILE).and_then(|rest| rest.strip_prefix(':'));
        let case = case.and_then(|case| CASES.iter().find(|known| known.name == case));
        if let Some(case) = case {
            hostile.push(case);
        } else if name == HOSTILE {
            hostile.extend(CASES);
        } else if sets::NAMES.contains(&name) {
            chosen.push(name.to_owned());
        } else {
            return Err(format!(
                "DIURNAL_BENCH_SETS: there is no `{name}`; there are {}, {HOSTILE} and {HOSTILE}:NAME with NAME one of {}",
                sets::NAMES.join(", "),
                CASES.iter().map(|case| case.name).collect::<Vec<_>>().join(", ")
            ));
        }
    }
    Ok((chosen, hostile))
}
