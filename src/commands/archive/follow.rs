//! `--follow`: one run after the other in one process, on a schedule, until a signal ends it.
//!
//! Each run is what `diurnal archive` does without `--follow`, from opening the archive to releasing its lock; nothing is kept
//! from one to the next. A run that fails is reported, and the next one tries again: brokers come back, disks are given space.
//! Only wrong usage and a damaged archive end it, for no later run would find them better.

use std::io::{ErrorKind, Read as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::commands::{exit_of, failed};
use crate::console::Console;
use crate::error::{Error, Kind, Result};
use crate::report::RunReport;
use crate::source::StopFlag;
use crate::store::failpoint;

/// The step between two runs: the archive is nobody's.
const WAITING: &str = "follow-waiting";

/// Makes a run at each tick of the schedule, the first one at once. Gives the exit code when a signal has come.
///
/// # Errors
/// What no later run could find better.
pub fn run(
    console: Console,
    mut schedule: Schedule,
    stop: &StopFlag,
    mut one_run: impl FnMut() -> Result<RunReport>,
) -> Result<u8> {
    let mut alarm = Alarm::set()?;
    loop {
        let ended = one_run();
        let is_well = match &ended {
            Ok(report) => {
                console.finish(report);
                report.exit_code != 1
            }
            Err(error) => match error.kind() {
                Kind::Usage | Kind::Damaged => return Err(error.clone()),
                Kind::Locked => {
                    console.warning(error);
                    exit_of(console, "archive", error);
                    false
                }
                Kind::Failed => {
                    failed(console, "archive", error);
                    false
                }
            },
        };
        drop(ended);
        if stop.is_set() {
            return Ok(0);
        }
        let next = schedule.next();
        let at = next_time(next.saturating_sub(schedule.elapsed()));
        match is_well {
            true => console.detail(format_args!("the next run is at {at}")),
            false => console.remark(format_args!("the next try is at {at}")),
        }
        failpoint::reach(WAITING);
        if alarm.rings_before(|| next.saturating_sub(schedule.elapsed()))? {
            return Ok(0);
        }
    }
}

/// For people: `2026-11-23 19:00:00 UTC`.
fn next_time(wait: Duration) -> String {
    let wait = chrono::TimeDelta::from_std(wait).ok();
    match wait.and_then(|wait| chrono::Utc::now().checked_add_signed(wait)) {
        Some(time) => time.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        None => "the end of time".to_owned(),
    }
}

/// Ticks at the start and each `every` after it, whatever the runs take.
#[derive(Debug)]
pub struct Schedule {
    started: Instant,
    every: Duration,
    /// Number of the last tick.
    tick: u128,
}

impl Schedule {
    /// The first tick is now.
    pub fn start(every: Duration) -> Self {
        Self {
            started: Instant::now(),
            every,
            tick: 0,
        }
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Moves to the next tick and gives its time since the start.
    fn next(&mut self) -> Duration {
        self.tick = next_tick(self.every, self.tick, self.elapsed());
        time_of(self.every, self.tick)
    }
}

/// The first tick after the last one that is not over: those that passed while a run took longer are left out.
fn next_tick(every: Duration, last: u128, elapsed: Duration) -> u128 {
    let not_over = elapsed.as_nanos().div_ceil(every.as_nanos().max(1));
    not_over.max(last + 1)
}

/// The time of a tick since the start: a multiple, so that nothing adds up.
fn time_of(every: Duration, tick: u128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    let nanoseconds = every.as_nanos().saturating_mul(tick);
    let rest = u32::try_from(nanoseconds % SECOND).unwrap_or_default();
    u64::try_from(nanoseconds / SECOND).map_or(Duration::MAX, |seconds| Duration::new(seconds, rest))
}

/// Wakes the waiting process at once when a signal comes that asks for the end.
struct Alarm(UnixStream);

impl Alarm {
    fn set() -> Result<Self> {
        let (ring, bell) = UnixStream::pair().map_err(not_heard)?;
        for signal in [SIGINT, SIGTERM] {
            let bell = bell.try_clone().map_err(not_heard)?;
            signal_hook::low_level::pipe::register(signal, bell).map_err(not_heard)?;
        }
        Ok(Self(ring))
    }

    /// Waits until no time is left; tells whether a signal came before that.
    fn rings_before(&mut self, left: impl Fn() -> Duration) -> Result<bool> {
        loop {
            let left = left();
            if left.is_zero() {
                return Ok(false);
            }
            self.0.set_read_timeout(Some(left)).map_err(not_heard)?;
            match self.0.read(&mut [0]) {
                Ok(1..) => return Ok(true),
                Ok(0) => return Err(not_heard(ErrorKind::UnexpectedEof.into())),
                Err(error) => match error.kind() {
                    // The time is up, or a signal that is none of ours came.
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    _ => return Err(not_heard(error)),
                },
            }
        }
    }
}

fn not_heard(error: std::io::Error) -> Error {
    Error::new("signals", format_args!("cannot be waited for: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn ticks_are_multiples_of_the_time_between_them() {
        let minutes = |tick, elapsed: u64| {
            let next = next_tick(HOUR, tick, Duration::from_secs(60 * elapsed));
            time_of(HOUR, next).as_secs() / 60
        };
        assert_eq!(minutes(0, 0), 60);
        assert_eq!(minutes(0, 59), 60);
        assert_eq!(minutes(0, 60), 60, "a run that ends with the tick is followed at once");
        assert_eq!(
            minutes(1, 60),
            120,
            "a timer that fires a little early makes no second run of one tick"
        );
        assert_eq!(minutes(0, 61), 120);
        assert_eq!(minutes(3, 400), 420, "what was missed is not made up for");
    }

    #[test]
    fn the_end_of_time_overflows_nothing() {
        assert_eq!(time_of(Duration::from_millis(u64::MAX), u128::MAX), Duration::MAX);
        assert_eq!(next_time(Duration::MAX), "the end of time");
        assert_eq!(next_tick(Duration::from_millis(u64::MAX), 0, HOUR), 1);
    }

    proptest! {
        #[test]
        fn no_tick_drifts_and_none_comes_twice(every_ms in 1_000u64..100_000_000, runs_ms in prop::collection::vec(0u64..500_000, 1..200)) {
            let every = Duration::from_millis(every_ms);
            let (mut now, mut tick) = (Duration::ZERO, 0);
            for run in runs_ms {
                now += Duration::from_millis(run);
                let next = next_tick(every, tick, now);
                let at = time_of(every, next);
                prop_assert_eq!(at.as_nanos() % every.as_nanos(), 0);
                prop_assert!(next > tick && at >= now);
                // The first that is possible.
                prop_assert!(next == tick + 1 || at - now < every);
                (tick, now) = (next, at);
            }
        }

        #[test]
        fn times_of_ticks_are_exact(every_ms in 1u64..10_000_000_000, tick in 0u64..1_000_000) {
            let at = time_of(Duration::from_millis(every_ms), u128::from(tick));
            prop_assert_eq!(at.as_millis(), u128::from(every_ms) * u128::from(tick));
        }
    }
}
