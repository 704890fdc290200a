//! One command, with a power cut or a fault at each of its operations on the disk.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tempfile::TempDir;

use super::mirror::MirrorDisk;
use crate::error::Result;
use crate::store::disk::Disk;
use crate::store::tests::sim::{Left, Trouble};
use crate::store::{Archive, Requested, State, Store, check_files};

/// What an operation may fail with.
const FAULTS: [ErrorKind; 5] = [
    ErrorKind::StorageFull,
    ErrorKind::QuotaExceeded,
    ErrorKind::ReadOnlyFilesystem,
    ErrorKind::Interrupted,
    // EIO has no kind of its own.
    ErrorKind::Other,
];

/// Trials of each test unless all are wanted; more than that are chosen by the seed.
const MOST_TRIALS: usize = 400;

const SEED: u64 = 1;

/// Problems that a test that fails shows.
const SHOWN: usize = 20;

/// Bytes of all files by relative path.
type Files = BTreeMap<String, Vec<u8>>;

/// Where a command runs: an archive, on a disk of its own, and what the command needs besides.
pub struct Place {
    folder: TempDir,
    /// The archive's address, where it is in a bucket.
    bucket: Option<String>,
    /// One, so that all operations come in one order.
    worker: ThreadPool,
}

/// A command: says each time that commits were made.
pub type Command = dyn Fn(&Place, Arc<dyn Disk>, &mut dyn FnMut()) -> Result<()> + Sync;

/// What a command does when nothing goes wrong.
struct Undisturbed {
    start: MirrorDisk,
    /// Commits that were said to stand before it began.
    acknowledged: u64,
    /// The archive after each commit, by the number of commits: what stands outside of its ledger.
    stages: BTreeMap<u64, Files>,
    end: Files,
    state: State,
    log: Vec<String>,
    changes: Vec<usize>,
}

/// A run that had its trouble.
struct Disturbed {
    disk: MirrorDisk,
    /// Commits that were said to stand.
    acknowledged: u64,
    ended: Result<()>,
}

impl Place {
    pub fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        let place = Self {
            folder: folder.expect("a folder"),
            bucket: None,
            worker: ThreadPoolBuilder::new().num_threads(1).build().expect("a thread"),
        };
        std::fs::create_dir(place.path("disk")).expect("a folder");
        place
    }

    /// One whose archive is in a bucket.
    #[cfg(feature = "object-store")]
    pub fn in_bucket(address: &str) -> Self {
        Self {
            bucket: Some(address.to_owned()),
            ..Self::new()
        }
    }

    /// Runs something with one worker.
    #[cfg(feature = "object-store")]
    pub fn alone<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        self.worker.install(run)
    }

    /// A path on the real disk.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn archive(&self) -> PathBuf {
        match &self.bucket {
            Some(address) => PathBuf::from(address),
            None => self.path("disk/archive"),
        }
    }

    /// An archive that these commands make, on a disk where all goes well.
    pub fn start(&self, before: &[&Command]) -> MirrorDisk {
        let disk = MirrorDisk::new(&self.path("disk"));
        for command in before {
            let run = || command(self, Arc::new(disk.clone()), &mut || {});
            self.worker.install(run).expect("a command");
        }
        disk
    }

    fn commits(&self) -> u64 {
        Archive::read(&self.archive()).map_or(0, |archive| archive.state().commits)
    }

    fn files(&self, disk: &MirrorDisk) -> Files {
        let archive = format!("{}/", self.archive().display());
        let relative = |(path, data): (String, Vec<u8>)| Some((path.strip_prefix(&archive)?.to_owned(), data));
        let mut files: Files = disk.sim().files().into_iter().filter_map(relative).collect();
        // When there was a run is another matter, and no truth of the archive.
        files.remove("_diurnal/last-run.json");
        files
    }

    /// What is there but for the ledger, the settings and the staging folder: what the commits made.
    fn made(&self, disk: &MirrorDisk) -> Files {
        let own = ["_diurnal/ledger-", "_diurnal/archive.toml", "_diurnal/staging/"];
        let mut files = self.files(disk);
        files.retain(|path, _| !own.iter().any(|own| path.starts_with(own)));
        files
    }

    fn undisturbed(&self, start: MirrorDisk, command: &Command) -> Undisturbed {
        let disk = start.copy();
        let mut stages = BTreeMap::from([(self.commits(), self.made(&disk))]);
        disk.sim().expect(Trouble::Nothing);
        let mut told = || drop(stages.insert(self.commits(), self.made(&disk)));
        let run = AssertUnwindSafe(|| command(self, Arc::new(disk.clone()), &mut told));
        run().expect("nothing goes wrong");
        let log = disk.sim().log();
        let archive = Archive::read(&self.archive()).expect("an archive");
        assert!(archive.pending().is_none() && check_files(&archive).is_empty());
        assert!(stages.len() > 1, "it makes no commit");
        assert_eq!(stages.keys().last(), Some(&archive.state().commits));
        Undisturbed {
            end: self.files(&disk),
            state: archive.state().clone(),
            changes: disk.sim().changes(),
            log,
            acknowledged: *stages.keys().next().expect("a stage"),
            stages,
            start,
        }
    }

    /// # Errors
    /// It panics.
    fn disturbed(&self, whole: &Undisturbed, trouble: Trouble, command: &Command) -> Result<Disturbed, String> {
        let disk = whole.start.copy();
        let mut acknowledged = whole.acknowledged;
        disk.sim().expect(trouble);
        let mut told = || acknowledged = self.commits();
        let run = AssertUnwindSafe(|| command(self, Arc::new(disk.clone()), &mut told));
        let ended = catch_unwind(run).map_err(|_| "it panics".to_owned())?;
        disk.sim().expect(Trouble::Nothing);
        Ok(Disturbed {
            disk,
            acknowledged,
            ended,
        })
    }

    /// What is on the disk is what the commits made that it has, none of those that were said to stand is missing, and another run ends
    /// as if nothing had happened.
    fn recovers(
        &self,
        disk: &MirrorDisk,
        acknowledged: u64,
        whole: &Undisturbed,
        command: &Command,
    ) -> Result<(), String> {
        if let Ok(archive) = Archive::read(&self.archive())
            && let Some(finding) = check_files(&archive).first()
        {
            return Err(format!("before recovery: {}: {}", finding.object, finding.problem));
        }
        let store = Store::open_on(Arc::new(disk.clone()), &self.archive(), &Requested::default());
        let commits = store
            .map_err(|error| format!("cannot be opened: {error}"))?
            .state()
            .commits;
        if commits < acknowledged {
            return Err(format!("commit {acknowledged} is lost: there are {commits}"));
        }
        if whole.stages.get(&commits) != Some(&self.made(disk)) {
            let made = self.made(disk);
            return Err(format!("not the files of commit {commits}: {:?}", made.keys()));
        }
        catch_unwind(AssertUnwindSafe(|| command(self, Arc::new(disk.clone()), &mut || {})))
            .map_err(|_| "the next run panics")?
            .map_err(|error| format!("the next run fails: {error}"))?;
        self.is_at_the_end(disk, whole)
    }

    fn is_at_the_end(&self, disk: &MirrorDisk, whole: &Undisturbed) -> Result<(), String> {
        let archive = Archive::read(&self.archive()).map_err(|error| error.to_string())?;
        if *archive.state() != whole.state {
            return Err("the ledger says something else in the end".into());
        }
        let found = self.files(disk);
        for path in found.keys().chain(whole.end.keys()) {
            if found.get(path) != whole.end.get(path) {
                return Err(format!("{path} differs in the end"));
            }
        }
        Ok(())
    }

    /// Cuts the power at each operation that changes something, and leaves nothing, all or some of what was not synced.
    fn cut(&self, at: usize, left: Left, whole: &Undisturbed, command: &Command) -> Result<(), String> {
        let run = self.disturbed(whole, Trouble::Crash(at), command)?;
        self.recovers(&run.disk.reboot(left), run.acknowledged, whole, command)
    }

    /// Has one operation fail: the run succeeds nevertheless, or says what failed and why.
    fn fault(&self, trouble: Trouble, whole: &Undisturbed, command: &Command) -> Result<(), String> {
        let run = self.disturbed(whole, trouble, command)?;
        match (&run.ended, trouble) {
            (Ok(()), _) => self.ended_well(&run.disk, whole)?,
            (Err(error), Trouble::Fail(_, kind)) => {
                let text = error.to_string();
                if !text.starts_with(&*self.path("disk").to_string_lossy()) {
                    return Err(format!("the error names no path: {text}"));
                }
                if !text.contains(&io::Error::from(kind).to_string()) {
                    return Err(format!("the error names no cause: {text}"));
                }
            }
            (Err(error), _) => return Err(format!("it fails: {error}")),
        }
        // The process is gone, the machine is not; or it goes down later on.
        let acknowledged = match run.ended {
            Ok(()) => whole.state.commits,
            Err(_) => run.acknowledged,
        };
        for left in [None, Some(Left::Nothing), Some(Left::Some(SEED))] {
            let after = left.map_or_else(|| run.disk.copy(), |left| run.disk.reboot(left));
            self.recovers(&after, acknowledged, whole, command)
                .map_err(|problem| format!("{problem}; {left:?} was left, it said {:?}", run.ended))?;
        }
        Ok(())
    }

    /// The same archive, but for debris that could not be removed and goes with the next run.
    fn ended_well(&self, disk: &MirrorDisk, whole: &Undisturbed) -> Result<(), String> {
        let last = whole.stages.values().last().expect("a stage");
        match self.commits() == whole.state.commits && self.made(disk) == *last {
            true => Ok(()),
            false => Err("it says that all is well, but the files are others".into()),
        }
    }

    /// Tries every operation of `command`, or as many as there is time for.
    pub fn try_all(&self, start: MirrorDisk, name: &str, command: &Command) {
        self.worker.install(|| self.try_all_in_order(start, name, command));
    }

    fn try_all_in_order(&self, start: MirrorDisk, name: &str, command: &Command) {
        let whole = self.undisturbed(start, command);
        let started = Instant::now();
        let after = [whole.log.len()];
        let cuts = whole.changes.iter().chain(&after).flat_map(|at| {
            [Left::Nothing, Left::All, Left::Some(SEED + *at as u64)].map(|left| (Trouble::Crash(*at), left))
        });
        let fails = whole.log.iter().enumerate().flat_map(|(at, what)| {
            let short = what.starts_with("write ").then_some(Trouble::Short(at));
            let fails = FAULTS.into_iter().map(move |kind| Trouble::Fail(at, kind));
            fails.chain(short).map(|trouble| (trouble, Left::All))
        });
        let all: Vec<(Trouble, Left)> = cuts.chain(fails).collect();
        let chosen = chosen(all.len());
        let mut problems = Vec::new();
        for &number in &chosen {
            let (trouble, left) = all[number];
            let tried = match trouble {
                Trouble::Crash(at) => self.cut(at, left, &whole, command),
                _ => self.fault(trouble, &whole, command),
            };
            if let Err(problem) = tried {
                let (Trouble::Crash(at) | Trouble::Fail(at, _) | Trouble::Short(at)) = trouble else {
                    unreachable!("no other trouble is tried")
                };
                let what = whole.log.get(at).map_or("the end", String::as_str);
                problems.push(format!("{trouble:?} at {what}, {left:?}: {problem}"));
            }
        }
        println!(
            "{name}: {} of {} troubles tried at {} operations, {} of which change something, {:.1} s",
            chosen.len(),
            all.len(),
            whole.log.len(),
            whole.changes.len(),
            started.elapsed().as_secs_f64()
        );
        let shown = &problems[..problems.len().min(SHOWN)];
        assert!(problems.is_empty(), "{name}: {} fail: {shown:#?}", problems.len());
    }
}

/// All of so many, or some by the seed.
fn chosen(all: usize) -> Vec<usize> {
    let is_long = std::env::var("DIURNAL_TEST_LONG").as_deref() == Ok("1");
    let mut numbers: Vec<usize> = (0..all).collect();
    if !is_long && all > MOST_TRIALS {
        let order = |number: &usize| *blake3::hash(&(*number as u64 ^ SEED << 32).to_le_bytes()).as_bytes();
        numbers.sort_by_key(order);
        numbers.truncate(MOST_TRIALS);
    }
    numbers
}
