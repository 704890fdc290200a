//! A soak: agents send without end, `archive` runs every minute, and each run meets another trouble: it is killed, its broker is, its disk
//! is full, its clock jumps. In the end every point is there once.
//!
//! `cargo test` plays every trouble once, run after run; `DIURNAL_SOAK_MINUTES=120` goes on for two hours, a run every minute, with
//! troubles at random from `DIURNAL_SOAK_SEED`.

mod fleet;
mod tally;
mod trouble;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use self::fleet::Fleet;
use self::trouble::{TIMEOUT, TROUBLES, Trouble};
use crate::support::digest::{assert_no_debris, day_files_and_schemas};
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::lines::{self, Random};
use crate::support::mounted::Mounted;
use crate::support::produce::Record;
use crate::support::run::{Diurnal, diurnal};
use crate::support::wait_for;

/// Bytes of the archive's disk while it is not full.
const ROOM: u64 = 3 << 30;

/// From the start of one run to that of the next in a long soak.
const EVERY: Duration = Duration::from_secs(60);

/// Rounds after which the archive is verified and backed up, at most.
const LOOK_AFTER: u64 = 5;

/// Runs that may be needed in the end until nothing is left, when nothing goes wrong any more.
const CALM_RUNS: usize = 10;

/// The world of a soak.
struct Soak {
    kafka: Kafka,
    topic: String,
    partitions: i32,
    fleet: Fleet,
    disk: Mounted,
    folder: Folder,
    random: Random,
    rounds: u64,
    unverified: u64,
    /// The steps that runs came through.
    steps: Vec<String>,
    /// Runs that ended well, failed, were killed, by trouble.
    ended: BTreeMap<Trouble, [u64; 3]>,
}

#[test]
fn a_soak_with_every_trouble_leaves_every_point_there_once() {
    let minutes = std::env::var("DIURNAL_SOAK_MINUTES").ok().map(|text| {
        let minutes: u64 = text.parse().expect("DIURNAL_SOAK_MINUTES is a number");
        Duration::from_secs(60 * minutes)
    });
    let seed =
        std::env::var("DIURNAL_SOAK_SEED").map_or(1, |text| text.parse().expect("DIURNAL_SOAK_SEED is a number"));
    let Some(mut soak) = Soak::start(seed) else { return };
    match minutes {
        None => {
            let mut troubles = TROUBLES;
            // The first run shows what steps there are.
            soak.random.shuffle(&mut troubles[1..]);
            for trouble in troubles {
                soak.wait_for_messages();
                soak.round(trouble);
            }
        }
        Some(minutes) => {
            let start = Instant::now();
            soak.wait_for_messages();
            soak.round(Trouble::Nothing);
            while start.elapsed() < minutes {
                let next = Instant::now() + EVERY;
                let trouble = soak.random.one_of(&TROUBLES);
                soak.round(trouble);
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        }
    }
    soak.end(seed);
}

impl Soak {
    fn start(seed: u64) -> Option<Self> {
        let kafka = Kafka::own()?;
        let folder = Folder::new();
        trouble::make_clock(&folder)?;
        let disk = Mounted::at(folder.join("disk"), ROOM)?;
        let partitions = 3;
        let topic = kafka.topic("soak", partitions, &[]).name().to_owned();
        let fleet = Fleet::start(kafka.brokers(), topic.clone(), partitions, seed);
        Some(Self {
            kafka,
            topic,
            partitions,
            fleet,
            disk,
            folder,
            random: Random::new(seed),
            rounds: 0,
            unverified: 0,
            steps: Vec::new(),
            ended: BTreeMap::new(),
        })
    }

    /// One run with this trouble, and a look at what it left.
    fn round(&mut self, trouble: Trouble) {
        self.rounds += 1;
        let ran = self.meet(trouble);
        let ended = match ran.status.code() {
            Some(code) => format!("exit {code}"),
            None => "killed".to_owned(),
        };
        eprintln!(
            "round {}, {trouble:?}: {ended}, {} messages sent",
            self.rounds,
            self.fleet.messages()
        );
        assert!(!ran.stderr.contains("panicked"), "{trouble:?}: {}", ran.stderr);
        let may_be_killed = [Trouble::Killed, Trouble::KilledAtAStep, Trouble::FilesTooLong].contains(&trouble);
        let well = match ran.status.code() {
            Some(0 | 3) => true,
            Some(1) => !ran.stderr.is_empty(),
            Some(4) => trouble == Trouble::TwoAtOnce,
            Some(_) => false,
            None => may_be_killed,
        };
        assert!(well, "{trouble:?}: {ended}: {}", ran.stderr);
        let counts = self.ended.entry(trouble).or_default();
        counts[match ran.status.code() {
            Some(0 | 3) => 0,
            Some(_) => 1,
            None => 2,
        }] += 1;
        for step in &ran.steps {
            if !self.steps.contains(step) {
                self.steps.push(step.clone());
            }
        }
        self.unverified += 1;
        if matches!(ran.status.code(), Some(0 | 3)) && self.unverified >= LOOK_AFTER {
            self.look();
        }
    }

    /// The archive is whole, and so is a backup of it.
    fn look(&mut self) {
        self.run("verify").run().expect_code(0);
        self.run("backup").arg("backup").run().expect_code(0);
        let verify = diurnal(&self.folder, "verify").args(["--archive", "backup"]);
        verify.run().expect_code(0);
        std::fs::remove_dir_all(self.folder.join("backup")).expect("a folder can be removed");
        self.unverified = 0;
    }

    /// So that the next run has something to do.
    fn wait_for_messages(&self) {
        let before = self.fleet.messages();
        wait_for("more messages", || (self.fleet.messages() > before).then_some(()));
    }

    fn run(&self, command: &str) -> Diurnal {
        diurnal(&self.folder, command)
            .arg("--archive")
            .arg(self.disk.path().join("archive"))
    }

    /// A run with settings that may differ from run to run.
    fn archive(&mut self) -> Diurnal {
        let random = &mut self.random;
        let memory = random.one_of(&["64MB", "256MB", "1GB"]);
        let threads = random.within(1..=4).to_string();
        let commit_every = random.one_of(&["700", "5000", "50000000"]);
        let timeout = format!("{TIMEOUT}s");
        let run = self.run("archive").args([
            "--brokers",
            &self.kafka.brokers(),
            "--topic",
            &self.topic,
            "--timeout",
            &timeout,
            "--memory",
            memory,
            "--threads",
            &threads,
            "--commit-every",
            commit_every,
        ]);
        match self.random.one_in(2) {
            // The ledger is one of many segments.
            true => run.env("DIURNAL_SEGMENT_BYTES", "2000"),
            false => run,
        }
    }

    /// Nothing goes wrong any more: the archive gets the rest, and then is what one import of everything makes.
    fn end(mut self, seed: u64) {
        let sent = self.fleet.stop();
        let calm = self.calm_runs();
        self.look();
        let kept = self.run("rejects").args(["--limit", "10000000"]).report(0);
        let rejects = tally::rejects(&kept, &sent.broken);
        assert_no_debris(&self.disk.path().join("archive"));
        // DuckDB reads the archives of the folder at its end, but not that of a file system that is gone by then.
        self.run("backup").arg("archive").run().expect_code(0);

        self.folder
            .write("sent.lp", lines::file_of(&sent.good) + &lines::file_of(&sent.broken));
        let import = diurnal(&self.folder, "import").args(["--archive", "expected", "sent.lp"]);
        let expected = import.report(3);
        let [archive, wanted] = ["archive", "expected"].map(|name| self.folder.join(name));
        let rows = tally::rows(&archive, &wanted);
        println!(
            "seed {seed}: {} runs with trouble and {calm} calm ones over {} messages with {} points: lost {}, doubled {}; {} broken lines: \
             lost {}, doubled {}; ended well, failed, killed: {}",
            self.rounds,
            sent.messages,
            expected["points"],
            rows.lost,
            rows.doubled,
            sent.broken.len(),
            rejects.lost,
            rejects.doubled,
            self.outcomes(),
        );
        assert_eq!((rows, rejects), Default::default());
        assert_eq!(day_files_and_schemas(&archive), day_files_and_schemas(&wanted));
    }

    /// Runs until one finds nothing new, with nothing in the way; gives their number.
    fn calm_runs(&mut self) -> usize {
        for runs in 1..=CALM_RUNS {
            let report = self.archive().arg("--json").run();
            let code = report.status.code();
            let report = report.json();
            assert!(matches!(code, Some(0 | 3)), "{report:#}");
            if report["lines"] == 0 {
                return runs;
            }
        }
        panic!("{CALM_RUNS} runs, and still there is something new");
    }

    /// How many runs ended how, by trouble.
    fn outcomes(&self) -> String {
        let each = self
            .ended
            .iter()
            .map(|(trouble, [well, failed, killed])| format!("{trouble:?} {well}/{failed}/{killed}"));
        each.collect::<Vec<_>>().join(", ")
    }
}

/// Lines that no archive may ever show.
fn ghosts(random: &mut Random, partitions: i32) -> Vec<Record> {
    let ghost = |at: i64| format!("ghost,host=web-01 v={at}i {}\n", (lines::START + at) * 1_000_000_000);
    (0..50)
        .map(|at| Record::new(random.below(partitions as u64) as i32, ghost(at)))
        .collect()
}
