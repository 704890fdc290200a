//! The machine under the benchmark: one core of it, its clock, and what the report says about it.

use std::cell::Cell;
use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use diurnal::lineproto::Instructions;

/// What runs the benchmark.
pub struct Machine {
    /// The processor as it calls itself.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// The core that everything runs on, where the system lets us choose.
    pub pinned: Option<usize>,
    /// `rustc --version`.
    pub rustc: String,
    /// What all code was compiled for, without a look at the processor.
    pub target: String,
    /// The instruction sets of the parser that this processor has.
    pub instructions: Vec<&'static str>,
}

impl Machine {
    /// Looks at the machine and stays on one core of it from now on.
    pub fn on_one_core() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            processor: processor().unwrap_or_else(|| "an unknown processor".to_owned()),
            cores,
            pinned: pin(),
            rustc: rustc().unwrap_or_else(|| "an unknown rustc".to_owned()),
            target: target(),
            instructions: Instructions::available().map(Instructions::as_str).collect(),
        }
    }
}

fn processor() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let model = info.lines().find(|line| line.starts_with("model name"))?;
    Some(model.split_once(':')?.1.trim().to_owned())
}

fn rustc() -> Option<String> {
    let version = Command::new("rustc").arg("--version").output().ok()?;
    Some(String::from_utf8(version.stdout).ok()?.trim().to_owned())
}

/// The architecture, and the widest of the vector instructions that the compiler was allowed everywhere.
fn target() -> String {
    let widest = if cfg!(target_feature = "avx512bw") {
        " with AVX-512"
    } else if cfg!(target_feature = "avx2") {
        " with AVX2"
    } else {
        ""
    };
    format!("{}-{}{widest}", std::env::consts::ARCH, std::env::consts::OS)
}

/// Keeps this thread, and those that it starts, on the last of the cores that it may use.
#[cfg(target_os = "linux")]
fn pin() -> Option<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let allowed = sched_getaffinity(None).ok()?;
    let last = (0..CpuSet::MAX_CPU).rev().find(|&core| allowed.is_set(core))?;
    let mut one = CpuSet::new();
    one.set(last);
    sched_setaffinity(None, &one).ok()?;
    Some(last)
}

#[cfg(not(target_os = "linux"))]
fn pin() -> Option<usize> {
    None
}

/// Measures time.
#[derive(Default)]
pub struct Clock {
    /// Seconds measured so far.
    counted: Cell<f64>,
    /// Seconds that passed while they were.
    passed: Cell<f64>,
}

impl Clock {
    /// What the clock counts.
    pub const COUNTS: &str = if cfg!(target_os = "linux") {
        "the thread's own CPU time"
    } else {
        "wall-clock time"
    };

    /// Runs `work` and says how long it took, in seconds.
    pub fn time<T>(&self, work: impl FnOnce() -> T) -> (f64, T) {
        let (began, start) = (Instant::now(), now());
        let done = work();
        let seconds = (now() - start).as_secs_f64();
        self.counted.set(self.counted.get() + seconds);
        self.passed.set(self.passed.get() + began.elapsed().as_secs_f64());
        (seconds, done)
    }

    /// How much of the time that passed was ours: on a busy machine the figures are worth less.
    pub fn share(&self) -> f64 {
        self.counted.get() / self.passed.get().max(f64::MIN_POSITIVE)
    }
}

/// The processor time of this thread so far: what others take of the core in between does not count.
#[cfg(target_os = "linux")]
fn now() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).expect("a thread has run for no negative time");
    let nanoseconds = u32::try_from(time.tv_nsec).expect("they are below one second");
    Duration::new(seconds, nanoseconds)
}

/// The time since the first call.
#[cfg(not(target_os = "linux"))]
fn now() -> Duration {
    static FIRST: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    FIRST.elapsed()
}

/// Gives memory back, with what the allocator puts off: glibc joins small freed pieces when somebody asks for a piece that is not
/// small, and that would be the next one on the clock.
pub fn give_back<T>(memory: T) {
    const NOT_SMALL: usize = 16 << 10;
    drop(memory);
    drop(black_box(Vec::<u8>::with_capacity(NOT_SMALL)));
}

/// Runs `work` and says by how many bytes the memory of this process grew at most, where the system tells (Linux). Memory that was
/// given back to the allocator before, and not to the system, does not count: ask in a new process.
pub fn peak_memory<T>(work: impl FnOnce() -> T) -> (Option<u64>, T) {
    // proc(5): 5 sets the peak to what is held now.
    let reset = fs::write("/proc/self/clear_refs", "5").is_ok();
    let before = status("VmRSS:");
    let done = work();
    let grown = status("VmHWM:")
        .zip(before)
        .map(|(peak, before)| peak.saturating_sub(before));
    (grown.filter(|_| reset), done)
}

/// A size in `/proc/self/status`, in bytes.
fn status(key: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1_024)
}
