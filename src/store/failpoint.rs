//! Named steps at which a test can look at, hold or kill a run. Debug builds only: a release build has none of it.
//!
//! - `DIURNAL_STEP_LOG=FILE`: each step appends its name to the file.
//! - `DIURNAL_FAILPOINT=NAME` or `NAME:3`: the process kills itself (SIGKILL) at the first, the third time.
//! - `DIURNAL_PAUSE=NAME=FILE` or `NAME:3=FILE`: the process waits at that step, from its first or third time on, until the file exists.
//!
//! And `DIURNAL_SEGMENT_BYTES=N`: a segment of the ledger is followed by another one after so few bytes of commits; `DIURNAL_PART_BYTES=N`:
//! objects of more bytes are written in parts; `DIURNAL_CLOCK=N`: the clock stands still, N seconds after 1970-01-01 UTC.

/// Every step of the store, in the order in which a run meets them: a first open, recovery, staging, commit.
pub const STEPS: &[&str] = &[
    "open-begin",
    "open-folders-made",
    "open-locked",
    "open-ledger-made",
    "open-settings-staged",
    "open-folders-synced",
    "open-settings-renamed",
    "open-done",
    "recovery-begin",
    "recovery-checked",
    "recovery-tail-cut",
    "recovery-record-written",
    "recovery-ledger-synced",
    "recovery-rename",
    "recovery-renamed",
    "recovery-removed",
    "recovery-folder-synced",
    "recovery-debris-removed",
    "recovery-staging-clean",
    "recovery-done",
    "stage-folder-made",
    "stage-file-made",
    "stage-file-written",
    "stage-file-synced",
    "commit-begin",
    "commit-manifest-written",
    "commit-manifest-synced",
    "commit-folder-made",
    "commit-folders-synced",
    "commit-staging-synced",
    "commit-segment-written",
    "commit-segment-synced",
    "commit-segment-renamed",
    "commit-segment-named",
    "commit-record-half-written",
    "commit-record-written",
    "commit-record-synced",
    "commit-rename",
    "commit-renamed",
    "commit-removed",
    "commit-folder-synced",
    "commit-staging-emptied",
    "commit-staging-removed",
    "commit-done",
];

/// Every step of a backup.
pub const BACKUP_STEPS: &[&str] = &[
    "backup-begin",
    "backup-locked",
    "backup-clean",
    "backup-file-copied",
    "backup-ledger-copied",
    "backup-files-synced",
    "backup-settings-copied",
    "backup-settings-synced",
    "backup-rename",
    "backup-renamed",
    "backup-done",
];

/// Says that the run has reached the step `name`.
#[cfg(not(any(debug_assertions, test)))]
#[inline(always)]
pub fn reach(_name: &'static str) {}

/// Whether `DIURNAL_FAILPOINT` names this fault, for faults that are no kill (a message that is dropped).
#[cfg(not(any(debug_assertions, test)))]
#[inline(always)]
pub fn asked(_name: &'static str) -> bool {
    false
}

/// The bytes after which a segment of the ledger is followed by another one, if `DIURNAL_SEGMENT_BYTES` says so.
#[cfg(not(any(debug_assertions, test)))]
#[inline(always)]
pub fn segment_bytes() -> Option<u64> {
    None
}

/// The bytes from which on an object is written in parts under a condition, if `DIURNAL_PART_BYTES` says so.
#[cfg(not(any(debug_assertions, test)))]
#[cfg_attr(not(feature = "object-store"), expect(dead_code, reason = "there are no objects"))]
#[inline(always)]
pub fn part_bytes() -> Option<u64> {
    None
}

/// The machine's clock, unless `DIURNAL_CLOCK` has it stand still.
#[cfg(not(any(debug_assertions, test)))]
#[inline(always)]
pub fn clock() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

#[cfg(test)]
pub(super) use armed::last_step;
#[cfg(any(debug_assertions, test))]
pub use armed::{asked, clock, part_bytes, reach, segment_bytes};

#[cfg(any(debug_assertions, test))]
mod armed {
    use std::collections::HashMap;
    use std::fs::{File, OpenOptions};
    use std::io::Write as _;
    use std::path::PathBuf;
    use std::sync::{Mutex, OnceLock, PoisonError};
    use std::time::{Duration, SystemTime};

    /// How often a paused run looks for the file that lets it go on.
    const PAUSE_POLL: Duration = Duration::from_millis(10);

    #[cfg(test)]
    thread_local! {
        static LAST: std::cell::Cell<&'static str> = const { std::cell::Cell::new("") };
    }

    /// The step that this thread reached last: where in the program a disk operation comes from.
    #[cfg(test)]
    pub fn last_step() -> &'static str {
        LAST.get()
    }

    /// What the environment asks for, read once.
    struct Orders {
        log: Option<File>,
        kill: Option<(String, u32)>,
        pause: Option<(String, u32, PathBuf)>,
        segment_bytes: Option<u64>,
        part_bytes: Option<u64>,
        clock: Option<u64>,
        seen: Mutex<HashMap<&'static str, u32>>,
    }

    fn orders() -> &'static Orders {
        static ORDERS: OnceLock<Orders> = OnceLock::new();
        ORDERS.get_or_init(|| {
            let variable = |name| std::env::var(name).ok();
            Orders {
                log: variable("DIURNAL_STEP_LOG")
                    .and_then(|path| OpenOptions::new().append(true).create(true).open(path).ok()),
                kill: variable("DIURNAL_FAILPOINT").map(|text| counted(&text)),
                pause: variable("DIURNAL_PAUSE").and_then(|text| {
                    let (step, path) = text.split_once('=')?;
                    let (name, nth) = counted(step);
                    Some((name, nth, path.into()))
                }),
                segment_bytes: variable("DIURNAL_SEGMENT_BYTES").and_then(|text| text.parse().ok()),
                part_bytes: variable("DIURNAL_PART_BYTES").and_then(|text| text.parse().ok()),
                clock: variable("DIURNAL_CLOCK").and_then(|text| text.parse().ok()),
                seen: Mutex::default(),
            }
        })
    }

    /// `STEP:3`, or `STEP` for the first time.
    fn counted(text: &str) -> (String, u32) {
        match text.split_once(':') {
            Some((name, nth)) => (name.to_string(), nth.parse().unwrap_or(1)),
            None => (text.to_string(), 1),
        }
    }

    /// Says that the run has reached the step `name`.
    pub fn reach(name: &'static str) {
        #[cfg(test)]
        LAST.set(name);
        let orders = orders();
        if let Some(mut log) = orders.log.as_ref() {
            // One write, so that a kill cannot tear it; a log that cannot be written must not change the run.
            let _ = log.write_all(format!("{name}\n").as_bytes());
        }
        let pause = orders.pause.as_ref().filter(|(step, ..)| step == name);
        let kill = orders.kill.as_ref().filter(|(step, _)| step == name);
        if pause.is_none() && kill.is_none() {
            return;
        }
        let times = {
            let mut seen = orders.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let times = seen.entry(name).or_default();
            *times += 1;
            *times
        };
        if let Some((_, nth, path)) = pause
            && times >= *nth
        {
            while !path.exists() {
                std::thread::sleep(PAUSE_POLL);
            }
        }
        if kill.is_some_and(|(_, nth)| times == *nth) {
            let _ = signal_hook::low_level::raise(signal_hook::consts::SIGKILL);
            std::process::abort();
        }
    }

    /// Whether `DIURNAL_FAILPOINT` names this fault, for faults that are no kill (a message that is dropped).
    pub fn asked(name: &'static str) -> bool {
        orders().kill.as_ref().is_some_and(|(fault, _)| fault == name)
    }

    /// The bytes after which a segment of the ledger is followed by another one, if `DIURNAL_SEGMENT_BYTES` says so.
    pub fn segment_bytes() -> Option<u64> {
        orders().segment_bytes
    }

    /// The bytes from which on an object is written in parts under a condition, if `DIURNAL_PART_BYTES` says so.
    pub fn part_bytes() -> Option<u64> {
        orders().part_bytes
    }

    /// The machine's clock, unless `DIURNAL_CLOCK` has it stand still.
    pub fn clock() -> SystemTime {
        match orders().clock {
            Some(seconds) => SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
            None => SystemTime::now(),
        }
    }
}
