//! The race: everybody on the same data, in turn, round after round.

use crate::contenders::{Contender, Reading};
use crate::machine::{Clock, give_back};
use crate::sets::Set;
use crate::tally::Tally;

/// For each contender its seconds, one a round.
pub type Times = Vec<Vec<f64>>;

/// Lets all contenders read the set `rounds` times, after a first time that is compared and not timed.
///
/// # Errors
/// Contenders that do not read the same, or lines that none can read.
pub fn race(set: &Set, contenders: &[Contender], rounds: usize, clock: &Clock) -> Result<(Tally, Times), String> {
    let tally = check(set, contenders, clock)?;
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    let mut order: Vec<usize> = (0..contenders.len()).collect();
    for _ in 0..rounds {
        for &index in &order {
            let (seconds, reading) = contenders[index].read(set, clock);
            times[index].push(seconds);
            give_back(reading);
        }
        // Nobody is always behind the one that leaves the caches in the worst state.
        order.reverse();
    }
    Ok((tally, times))
}

/// What all of them read.
fn check(set: &Set, contenders: &[Contender], clock: &Clock) -> Result<Tally, String> {
    let expected = contenders[0].read(set, clock).1.tally();
    for &contender in contenders {
        let reading = contender.read(set, clock).1;
        let tally = reading.tally();
        if tally.lines == 0 {
            return Err(format!(
                "{}: {contender:?} reads no line{}",
                set.name,
                because(&reading)
            ));
        }
        if !tally.agrees_with(&expected) {
            return Err(format!(
                "{}: {contender:?} and {:?} do not read the same{}\n  {tally:?}\n  {expected:?}",
                set.name,
                contenders[0],
                because(&reading)
            ));
        }
    }
    Ok(expected)
}

fn because(reading: &Reading) -> String {
    match reading.first_reject() {
        Some(reject) => format!("; the first line that was not taken: {reject}"),
        None => String::new(),
    }
}

/// The middle one, the upper of two.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// How many times faster than the reference: one ratio a round.
pub fn ratios(reference: &[f64], times: &[f64]) -> Vec<f64> {
    reference
        .iter()
        .zip(times)
        .map(|(theirs, ours)| theirs / ours)
        .collect()
}
