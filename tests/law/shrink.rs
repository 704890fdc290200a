//! A smaller case that fails as well: what is not needed to fail only hides what is.

use super::case::Case;
use super::common::AMPLE;

/// How often a case is played to make it smaller.
const MOST_TRIES: usize = 600;

/// Leaves out of a case what can be, as long as it `fails`.
pub fn smallest(mut case: Case, fails: impl Fn(&Case) -> bool) -> Case {
    let mut tries = MOST_TRIES;
    let mut is_taken = |case: &mut Case, change: &dyn Fn(&mut Case)| {
        let mut smaller = case.clone();
        change(&mut smaller);
        tries = tries.saturating_sub(1);
        let is_taken = tries > 0 && fails(&smaller);
        if is_taken {
            *case = smaller;
        }
        is_taken
    };
    is_taken(&mut case, &|case| case.workers = 1);
    // The messages: a half of them, a quarter, ..., one at a time.
    let mut size = case.messages.len().div_ceil(2);
    loop {
        for from in (0..case.messages.len()).step_by(size) {
            let part = from..(from + size).min(case.messages.len());
            if case.messages[part.clone()].iter().any(|message| message.lines > 0) {
                is_taken(&mut case, &|case| {
                    case.messages[part.clone()].iter_mut().for_each(|one| one.clear())
                });
            }
        }
        if size == 1 {
            break;
        }
        size = size.div_ceil(2);
    }
    for number in 0..case.runs_mut().count() {
        let changes: [fn(&mut super::case::Run); 4] = [
            |run| run.kills.clear(),
            |run| run.kills.truncate(1),
            |run| run.budget = AMPLE,
            |run| {
                for step in &mut run.steps {
                    step.threads = vec![step.threads.concat()];
                }
            },
        ];
        for change in changes {
            is_taken(&mut case, &|case| {
                case.runs_mut().nth(number).map(change);
            });
        }
    }
    for number in 0..case.merges.len() {
        is_taken(&mut case, &|case| case.merges[number].kills.clear());
        is_taken(&mut case, &|case| case.merges[number].again = false);
        is_taken(&mut case, &|case| case.merges[number].memory = u64::MAX);
    }
    is_taken(&mut case, &|case| {
        case.archives
            .iter_mut()
            .for_each(|runs| runs.retain(|run| !run.is_replay))
    });
    is_taken(&mut case, &|case| case.late.retain(|run| !run.is_replay));
    case
}
