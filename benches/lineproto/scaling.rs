//! Whether the cost of a byte stays what it is when there are four and sixteen times as many of them.

use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;

use diurnal::lineproto::{Instructions, Limits, Parser, Precision};

use crate::contenders::{blocks, collector, push};
use crate::hostile::{CASES, Case, Feed};
use crate::machine::{Clock, give_back, peak_memory};
use crate::options::Options;
use crate::race::median;
use crate::tally::Tally;

/// How many times the smallest size the others are.
pub const SCALES: [usize; 3] = [1, 4, 16];

/// Times that each size is measured; more are not needed to tell 1 from 16.
const ROUNDS: usize = 3;

/// A size that should take longer is left out.
const PATIENCE_S: f64 = 3.0;

/// A case that took longer so far is not measured again: long times are less uncertain.
const ENOUGH_S: f64 = 0.4;

/// With a case and a number of bytes: say what memory it needs.
const MEMORY_FLAG: &str = "--memory-of";

/// One size of one case.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    pub bytes: usize,
    pub seconds: f64,
}

impl Point {
    pub fn ns_a_byte(&self) -> f64 {
        1e9 * self.seconds / self.bytes as f64
    }

    pub fn mb_a_second(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.seconds
    }
}

/// What a case costs, for each size that was measured, smallest first.
pub struct Costs {
    /// The parser alone.
    pub parse: Vec<Point>,
    /// To typed columns; with the cutting into blocks where it is given in blocks.
    pub columns: Vec<Point>,
    /// Bytes of memory that the columns' largest size needed at once for each byte of it, where the system tells.
    pub memory: Option<f64>,
}

/// How many times more a byte costs at the largest size than at the smallest.
pub fn growth(points: &[Point]) -> f64 {
    match points {
        [first, .., last] => last.ns_a_byte() / first.ns_a_byte(),
        _ => 1.0,
    }
}

/// Measures a case with the best instructions.
pub fn measure(case: &Case, options: &Options, clock: &Clock) -> Costs {
    let inputs: Vec<Vec<u8>> = SCALES
        .iter()
        .map(|scale| (case.make)((case.unit * scale / options.shrink).max(64)))
        .collect();
    let rounds = options.rounds.min(ROUNDS);
    let columns_points = points(&inputs, rounds, |bytes| {
        let (seconds, collected) = clock.time(|| black_box(columns(black_box(bytes), case.feed)));
        give_back(collected);
        seconds
    });
    let largest = inputs[columns_points.len() - 1].len();
    Costs {
        parse: points(&inputs, rounds, |bytes| {
            clock.time(|| black_box(parse(black_box(bytes), case.feed))).0
        }),
        columns: columns_points,
        memory: memory_of_child(case, largest).map(|bytes| bytes as f64 / largest as f64),
    }
}

/// What a process that has done nothing else needs to make columns of a case.
fn memory_of_child(case: &Case, bytes: usize) -> Option<u64> {
    let program = std::env::current_exe().ok()?;
    let child = Command::new(program)
        .args([MEMORY_FLAG, case.name, &bytes.to_string()])
        .output()
        .ok()?;
    String::from_utf8(child.stdout).ok()?.trim().parse().ok()
}

/// The child's part, where the arguments ask for it: prints its peak.
pub fn answered_as_child() -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [flag, name, bytes] = arguments.as_slice() else {
        return false;
    };
    let case = CASES.iter().find(|case| case.name == name);
    let (Some(case), Ok(bytes), true) = (case, bytes.parse(), flag == MEMORY_FLAG) else {
        return false;
    };
    let input = (case.make)(bytes);
    if let (Some(peak), _) = peak_memory(|| columns(&input, case.feed)) {
        println!("{peak}");
    }
    true
}

/// Medians over rounds in which the sizes take turns.
fn points(inputs: &[Vec<u8>], rounds: usize, seconds: impl Fn(&[u8]) -> f64) -> Vec<Point> {
    let mut measured: Vec<(&[u8], Vec<f64>)> = Vec::new();
    for input in inputs {
        if expected(&measured, input.len()) > PATIENCE_S {
            break;
        }
        measured.push((input, vec![seconds(input)]));
    }
    let mut spent: f64 = measured.iter().map(|(_, taken)| taken[0]).sum();
    for _ in 1..rounds {
        if spent > ENOUGH_S {
            break;
        }
        for (index, (input, taken)) in measured.iter_mut().enumerate() {
            // The smallest is over soon: one pass says little.
            let passes: Vec<f64> = (0..if index == 0 { 4 } else { 1 }).map(|_| seconds(input)).collect();
            spent += passes.iter().sum::<f64>();
            taken.push(median(&passes));
        }
    }
    let point = |(input, taken): &(&[u8], Vec<f64>)| Point {
        bytes: input.len(),
        seconds: median(taken),
    };
    measured.iter().map(point).collect()
}

/// Seconds that an input of so many bytes should take, if the cost of a byte goes on as it did between the last two sizes.
fn expected(measured: &[(&[u8], Vec<f64>)], bytes: usize) -> f64 {
    let cost = |(input, taken): &(&[u8], Vec<f64>)| median(taken) / input.len() as f64;
    match measured {
        [] => 0.0,
        [only] => cost(only) * bytes as f64,
        [.., before, last] => cost(last) * (cost(last) / cost(before)).max(1.0) * bytes as f64,
    }
}

fn parse(bytes: &[u8], feed: Feed) -> Tally {
    let mut tally = Tally::default();
    let mut parser = Parser::with_instructions(Precision::Ns, Limits::default(), Instructions::best());
    let mut add = |input| {
        let mut lines = parser.lines(input);
        while let Some(line) = lines.next() {
            if let Ok(line) = line {
                tally.add_line(&line);
            }
        }
    };
    match feed {
        Feed::Blocks => add(bytes),
        Feed::Messages(length) => bytes.chunks(length).for_each(add),
    }
    tally
}

fn columns(bytes: &[u8], feed: Feed) -> diurnal::table::Collected {
    let mut collector = collector(Instructions::best());
    let path: Arc<str> = "bench".into();
    let mut push = |piece| push(&mut collector, bytes, piece, &path);
    match feed {
        Feed::Blocks => blocks(bytes).into_iter().for_each(push),
        Feed::Messages(length) => (0..bytes.len())
            .step_by(length)
            .for_each(|start| push(start..bytes.len().min(start + length))),
    }
    collector.finish()
}
