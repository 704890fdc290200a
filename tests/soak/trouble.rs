//! What goes wrong while a run is on its way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use super::Soak;
use crate::support::folder::Folder;
use crate::support::mounted::Mounted;
use crate::support::run::{Diurnal, Ran, Running};
use crate::support::{root, skip};

/// Something that goes wrong during a run, or is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    Nothing,
    /// SIGKILL at any moment.
    Killed,
    /// SIGKILL at a step of the store.
    KilledAtAStep,
    /// SIGTERM at any moment.
    Terminated,
    /// SIGSTOP for a while: a machine that is put to sleep.
    Frozen,
    /// Another run at the same time.
    TwoAtOnce,
    /// The broker gets SIGKILL and comes back.
    BrokerKilled,
    /// The broker gets SIGSTOP for less than `--timeout`.
    BrokerPaused,
    /// And for longer.
    BrokerPausedForLong,
    /// The archive's disk is full, sooner or later.
    DiskFull,
    /// The archive's disk becomes read-only.
    DiskReadOnly,
    /// Files may not be so long.
    FilesTooLong,
    /// So few files may be open.
    FewFiles,
    /// The clock is years off.
    ClockElsewhere,
    /// The clock jumps while the run is on its way.
    ClockJumps,
    /// A transaction is aborted; nothing of it may be seen.
    AbortedTransaction,
    /// The topic has one more partition.
    MorePartitions,
}

pub const TROUBLES: [Trouble; 17] = [
    Trouble::Nothing,
    Trouble::Killed,
    Trouble::KilledAtAStep,
    Trouble::Terminated,
    Trouble::Frozen,
    Trouble::TwoAtOnce,
    Trouble::BrokerKilled,
    Trouble::BrokerPaused,
    Trouble::BrokerPausedForLong,
    Trouble::DiskFull,
    Trouble::DiskReadOnly,
    Trouble::FilesTooLong,
    Trouble::FewFiles,
    Trouble::ClockElsewhere,
    Trouble::ClockJumps,
    Trouble::AbortedTransaction,
    Trouble::MorePartitions,
];

/// `--timeout` of the runs, in seconds.
pub const TIMEOUT: u64 = 3;

/// The step at which a run knows its ends and has fetched nothing yet.
const ASSIGNED: &str = "kafka-assigned";

/// Most partitions of the topic.
const PARTITIONS: i32 = 12;

impl Soak {
    /// One run with this trouble, to its end.
    pub fn meet(&mut self, trouble: Trouble) -> Ran {
        match trouble {
            Trouble::Nothing => self.archive().run(),
            Trouble::Killed => self.on_its_way().kill(),
            Trouble::KilledAtAStep => {
                let step = &self.steps[self.random.below(self.steps.len() as u64) as usize];
                let times = self.random.within(1..=2);
                let failpoint = format!("{step}:{times}");
                self.archive().fail_at(&failpoint).run()
            }
            Trouble::Terminated => {
                let mut run = self.on_its_way();
                if !run.has_ended() {
                    run.terminate();
                }
                run.wait()
            }
            Trouble::Frozen => {
                let run = self.on_its_way();
                signal(&run, "-STOP");
                std::thread::sleep(Duration::from_secs(1 + self.random.below(2 * TIMEOUT)));
                signal(&run, "-CONT");
                run.wait()
            }
            Trouble::TwoAtOnce => {
                let run = self.on_its_way();
                let other = self.archive().run();
                let allowed = [0, 1, 3, 4].map(Some);
                assert!(allowed.contains(&other.status.code()), "{}", other.stderr);
                run.wait()
            }
            Trouble::BrokerKilled => {
                let run = self.before_the_first_message();
                self.kafka.kill();
                run.resume();
                std::thread::sleep(Duration::from_millis(self.random.below(2_000)));
                self.kafka.start_again();
                run.wait()
            }
            Trouble::BrokerPaused => self.pause_broker(Duration::from_secs(TIMEOUT / 2)),
            Trouble::BrokerPausedForLong => self.pause_broker(Duration::from_secs(3 * TIMEOUT)),
            Trouble::DiskFull => {
                let used = self.disk.used();
                let room = used + self.random.below(used / 2 + (64 << 10));
                self.disk.remount(&format!("size={room}"));
                let ran = self.archive().run();
                self.disk.remount(&format!("size={}", super::ROOM));
                ran
            }
            Trouble::DiskReadOnly => {
                self.disk.remount("ro");
                let ran = self.archive().run();
                self.disk.remount("rw");
                ran
            }
            Trouble::FilesTooLong => {
                let bytes = 1 << self.random.within(12..=24);
                self.limited(&format!("--fsize={bytes}")).run()
            }
            Trouble::FewFiles => {
                let files = self.random.within(8..=48);
                self.limited(&format!("--nofile={files}")).run()
            }
            Trouble::ClockElsewhere => {
                let days = self.random.below(20_000) as i64 - 10_000;
                self.with_clock(days * 86_400).run()
            }
            Trouble::ClockJumps => {
                let mut run = self.with_clock(0).start();
                while !run.has_ended() {
                    let hours = self.random.below(2_000) as i64 - 1_000;
                    write_clock(&self.clock(), hours * 3_600);
                    std::thread::sleep(Duration::from_millis(self.random.below(300)));
                }
                run.wait()
            }
            Trouble::AbortedTransaction => {
                let ghosts = super::ghosts(&mut self.random, self.partitions);
                let id = format!("ghosts-{}", self.rounds);
                let topic = self.kafka.topic_named(&self.topic);
                topic.transaction(&id, &ghosts).abort();
                self.archive().run()
            }
            Trouble::MorePartitions => {
                let run = self.before_the_first_message();
                if self.partitions < PARTITIONS {
                    self.partitions += 1;
                    self.kafka.topic_named(&self.topic).add_partitions(self.partitions);
                    self.fleet.spread_over(self.partitions);
                }
                run.resume();
                run.wait()
            }
        }
    }

    /// A run at any moment, or one that is about to fetch.
    fn on_its_way(&mut self) -> Running {
        let mut run = self.archive().start();
        if self.random.one_in(2) {
            run.wait_for_step(ASSIGNED);
        }
        std::thread::sleep(Duration::from_millis(self.random.below(400)));
        run
    }

    /// A run that waits there.
    fn before_the_first_message(&mut self) -> Running {
        let mut run = self.archive().pause_at(ASSIGNED).start();
        run.wait_for_step(ASSIGNED);
        run
    }

    fn pause_broker(&mut self, pause: Duration) -> Ran {
        let run = self.before_the_first_message();
        self.kafka.pause();
        run.resume();
        std::thread::sleep(pause);
        self.kafka.resume();
        run.wait()
    }

    fn limited(&mut self, limit: &str) -> Diurnal {
        self.archive().through(["prlimit", limit, "--"])
    }

    /// A run whose clock is so many seconds off, and can be set while it runs; only that of the wall, as on a machine.
    fn with_clock(&mut self, offset: i64) -> Diurnal {
        write_clock(&self.clock(), offset);
        self.archive()
            .env("LD_PRELOAD", self.folder.join("clock.so"))
            .env("DIURNAL_TEST_CLOCK", self.clock())
    }

    fn clock(&self) -> PathBuf {
        self.folder.join("clock")
    }
}

/// Builds what sets the clock of a program; `None`, with a word, where it can't be had.
pub fn make_clock(folder: &Folder) -> Option<()> {
    let library = folder.join("clock.so");
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .arg(&library)
        .arg(root().join("tests/soak/clock.c"))
        .output();
    if !made.is_ok_and(|ran| ran.status.success()) {
        skip("clock.c can't be compiled (a C compiler with glibc 2.30 or later can)");
        return None;
    }
    // It does set a program's clock.
    write_clock(&folder.join("clock"), -1_000_000_000);
    let told = Command::new("date")
        .args(["+%s"])
        .env("LD_PRELOAD", &library)
        .env("DIURNAL_TEST_CLOCK", folder.join("clock"))
        .output()
        .expect("date can be run");
    let told: i64 = String::from_utf8_lossy(&told.stdout).trim().parse().expect("seconds");
    let now = UNIX_EPOCH.elapsed().expect("after 1970").as_secs() as i64;
    assert!((now - 1_000_000_000 - told).abs() < 60, "{told} at {now}");
    Some(())
}

/// Whole or not at all: the run reads it at any moment.
fn write_clock(path: &Path, offset: i64) {
    let new = path.with_extension("new");
    fs::write(&new, offset.to_string()).expect("a test can write into its folder");
    fs::rename(&new, path).expect("a test can write into its folder");
}

fn signal(run: &Running, signal: &str) {
    // It may have ended by itself a moment ago.
    let _ = Command::new("kill").args([signal, &run.pid().to_string()]).output();
}

impl Mounted {
    /// Bytes in use.
    fn used(&self) -> u64 {
        let found = rustix::fs::statvfs(self.path()).expect("a file system says what is free");
        (found.f_blocks - found.f_bfree) * found.f_frsize
    }
}
