//! A child process and what it took: wall time, processor time, and memory at its peak. For Linux: from proc(5).

use std::fs;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often a running child is looked at.
const RHYTHM: Duration = Duration::from_millis(20);

const TICKS_PER_SECOND: f64 = 100.0;

/// What a child took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Took {
    pub wall_s: f64,
    pub cpu: Seconds,
    /// The most memory that was ever resident, in bytes.
    pub peak: u64,
}

/// Processor time. That of the kernel is for files and memory, and is much more on a virtual machine that gives free memory back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seconds {
    pub user: f64,
    pub system: f64,
}

impl Seconds {
    pub fn all(self) -> f64 {
        self.user + self.system
    }
}

/// Runs a command that has to succeed.
pub fn run(command: &mut Command) -> Took {
    watch(command, |_| {})
}

/// Runs a command that has to succeed, and shows its process id to `look` every now and then.
pub fn watch(command: &mut Command, mut look: impl FnMut(u32)) -> Took {
    let before = children_seconds();
    let start = Instant::now();
    let mut child = command.spawn().expect("the binary");
    let mut peak = 0;
    let status = loop {
        peak = peak.max(high_water(&child).unwrap_or_default());
        look(child.id());
        match child.try_wait().expect("a child") {
            Some(status) => break status,
            None => sleep(RHYTHM),
        }
    };
    let wall_s = start.elapsed().as_secs_f64();
    assert!(status.success(), "{command:?}: {status}");
    let after = children_seconds();
    Took {
        wall_s,
        cpu: Seconds {
            user: after.user - before.user,
            system: after.system - before.system,
        },
        peak,
    }
}

/// `VmHWM` of proc_pid_status(5).
fn high_water(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// Of all children that ended, from proc_pid_stat(5): fields 16 and 17, in ticks.
pub fn children_seconds() -> Seconds {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let mut seconds = fields(&stat).skip(13);
    let mut next = || seconds.next().expect("ticks");
    Seconds {
        user: next(),
        system: next(),
    }
}

/// Name and processor seconds of each thread of a process, from its task folder.
pub fn threads(process: u32) -> Vec<(u32, String, f64)> {
    let tasks = fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let thread = |task: fs::DirEntry| {
        let number = task.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(task.path().join("stat")).ok()?;
        let name = stat.split_once('(')?.1.rsplit_once(')')?.0.to_owned();
        let seconds = fields(&stat).skip(11).take(2).sum();
        Some((number, name, seconds))
    };
    tasks.filter_map(thread).collect()
}

/// The numbers of a stat file from its fourth field on, as if each were ticks.
fn fields(stat: &str) -> impl Iterator<Item = f64> + '_ {
    let behind_name = stat.rsplit(')').next().expect("a name in parentheses");
    let fields = behind_name.split_whitespace();
    fields.map(|field| field.parse::<f64>().unwrap_or_default() / TICKS_PER_SECOND)
}
