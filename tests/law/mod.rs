//! The law: an archive is a function of the set of points that it was given, and of nothing else.
//!
//! A case makes points and writes them as lines: measurements that are declared or learned, tags that are missing, hard values, points
//! that meet and contradict each other, days of hard time zones, lines to be rejected. Then the lines come to one archive, on ways that
//! the case chooses too: they are dealt to archives that are made apart and merged, in a tree of merges; each of these is made by runs;
//! a run reads files and ranges of Kafka's partitions, in one commit or two, with a number of threads, mostly with too little memory;
//! some of it is read again; and runs and merges are killed at any of their steps (see [`disk`]) and made again. Each file of what comes
//! of it has the bytes of that of an archive that got all of it at once.
//!
//! A case is made from a number, its seed. `DIURNAL_LAW_SEED=N DIURNAL_LAW_CASES=1` plays that of one seed, as a failure says.

mod case;
mod common;
mod compare;
mod deal;
mod disk;
mod points;
mod shrink;
mod tally;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rayon::{ThreadPool, ThreadPoolBuilder};

use self::case::Case;
use self::tally::Tally;
use crate::support::long;

pub use self::common::{AMPLE, Budget, FIRST, LEAF_SIZE, SCHEMA, budget, bytes_of, formats, line, settings};

/// Where the seeds begin unless told otherwise: what passes once passes again.
const FIRST_SEED: u64 = 1;

/// Cases that are played at the same time.
const PLAYERS: usize = 2;

/// A number from the environment.
fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is to be a number, not {text}")),
    )
}

/// Threads that sort and encode for one player: few enough that all operations of most cases come in one order.
struct Workers(Vec<ThreadPool>);

impl Workers {
    fn new() -> Self {
        let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        Self(vec![pool(1), pool(3)])
    }

    fn play(&self, case: &Case) -> Result<Tally, String> {
        let pool = &self.0[usize::from(case.workers > 1)];
        catch_unwind(AssertUnwindSafe(|| pool.install(|| world::play(case)))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            Err(text
                .or(panic.downcast_ref::<&str>().copied())
                .unwrap_or("it panics")
                .to_owned())
        })
    }
}

#[test]
fn points_make_the_same_bytes_on_whatever_way_they_come_to_an_archive() {
    let first = number("DIURNAL_LAW_SEED").unwrap_or(FIRST_SEED);
    let cases = number("DIURNAL_LAW_CASES").unwrap_or(if long() { 50_000 } else { 2_000 });
    let started = Instant::now();
    let next = AtomicU64::new(0);
    let sum = Mutex::new(Tally::default());
    let failed: Mutex<Option<(u64, Case, String)>> = Mutex::new(None);
    let play = || {
        let workers = Workers::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= cases || failed.lock().expect("no panic").is_some() {
                return;
            }
            let case = deal::case(first.wrapping_add(number));
            match workers.play(&case) {
                Ok(tally) => *sum.lock().expect("no panic") += tally,
                Err(problem) => {
                    failed.lock().expect("no panic").get_or_insert((number, case, problem));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..PLAYERS {
            scope.spawn(play);
        }
    });
    if let Some((number, case, problem)) = failed.into_inner().expect("no panic") {
        let (seed, workers) = (case.seed, Workers::new());
        let smallest = shrink::smallest(case, |case| workers.play(case).is_err());
        let again = workers.play(&smallest).err().unwrap_or_default();
        panic!(
            "case {} fails: {problem}\n\na smaller one: {again}\n\n{smallest}\n\
             try it again: DIURNAL_LAW_SEED={seed} DIURNAL_LAW_CASES=1 cargo test --test integration law::points",
            number + 1
        );
    }
    let sum = sum.into_inner().expect("no panic");
    println!("seeds from {first}, {:.0} s: {sum}", started.elapsed().as_secs_f64());
    if cases >= 2_000 {
        assert_eq!(sum.too_few(), [""; 0]);
    }
}
