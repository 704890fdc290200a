//! The archive on disk: a ledger that says what is true, and files that become true all at once.
//!
//! [`Store::open`] holds the lock and writes; [`Archive::read`] only looks. A commit is made in three moves: begin a
//! [`Staging`], write its files, and hand it the [`record::Commit`] that names them.

mod archive;
mod backup;
mod check;
mod commit;
pub mod digest;
mod direct;
pub mod disk;
mod dry;
pub mod failpoint;
mod handover;
mod hash;
mod last_run;
mod ledger;
mod lock;
mod manifest;
pub mod paths;
mod place;
mod read_ranges;
pub mod record;
mod recorded;
mod recovery;
#[cfg(feature = "object-store")]
mod remote;
#[cfg(not(feature = "object-store"))]
#[path = "no_remote.rs"]
mod remote;
mod room;
mod segments;
pub mod settings;
mod spill;
mod staging;
mod state;
#[cfg(test)]
pub(crate) mod tests;
mod time_range;

use std::ffi::OsString;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SecondsFormat, Utc};

#[cfg(all(test, feature = "object-store"))]
pub(crate) use remote::testing;

pub use archive::{Archive, Pending};
pub use backup::{BackedUp, Backup, Copied};
pub use check::{Finding, check_files};
pub use handover::{HandedOver, TaskFolder};
pub use hash::check_file;
pub use last_run::{LastRun, ReadAt, RunNote, RunTimes};
pub use place::{is_bucket, plain};
pub use read_ranges::ReadRanges;
pub use recorded::RecordedFile;
pub use recovery::Recovery;
pub use settings::{ArchiveSettings, Requested};
pub use spill::{SpillFile, SpillPiece, SpillSpace, SpillWriter};
pub use staging::{StagedFile, Staging, Written};
pub use state::{SourceKey, State};

use crate::error::{Error, Result};
use disk::{Disk, Kind, RealDisk};
use dry::{DryRun, ReadOnlyDisk};
use ledger::End;
use lock::Lock;
use paths::Layout;
use place::Place;
use remote::Remote;

/// An archive opened for writing: the lock is held until the store and all of its stagings are dropped. One of a dry run
/// ([`Store::dry_run`]) only says that it writes.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    settings: ArchiveSettings,
    recovery: Recovery,
}

/// What a store and its staging have in common.
#[derive(Debug)]
struct Shared {
    disk: Arc<dyn Disk>,
    layout: Layout,
    inner: Mutex<Inner>,
    dry: Option<DryRun>,
    _lock: Option<Lock>,
    /// Where the archive is in a bucket: `layout` is then that of its mirror.
    remote: Option<Arc<Remote>>,
}

#[derive(Debug)]
struct Inner {
    state: Arc<State>,
    end: End,
    /// Whether a staging is open: ids are given one after the other.
    staging: bool,
    /// Why no more commits may be made.
    ended: Option<&'static str>,
    /// The bytes after which a segment of the ledger is followed by another one.
    segment_bytes: u64,
}

impl Store {
    /// Opens the archive in `dir`, makes it if there is none, takes its lock and recovers what the last run left.
    ///
    /// # Errors
    /// Another run holds the lock; `requested` disagrees with the archive (wrong usage); the archive has a later
    /// format; the ledger is damaged; a file of the last commit is lost; the disk's.
    pub fn open(dir: &Path, requested: &Requested) -> Result<Self> {
        Self::open_on(Arc::new(RealDisk), dir, requested)
    }

    /// [`Store::open`] on any disk.
    pub fn open_on(disk: Arc<dyn Disk>, dir: &Path, requested: &Requested) -> Result<Self> {
        let address = match place::parse(dir)? {
            Place::Folder(dir) => return Self::open_folder(disk, &dir, requested, None),
            Place::Bucket(address) => address,
        };
        let remote = Remote::at(address)?;
        let (completed, discarded) = remote.begin(requested)?;
        let mirror = remote.folder().to_owned();
        let store = Self::open_folder(disk, &mirror, requested, Some(remote))?;
        Ok(Self {
            recovery: Recovery {
                completed,
                cut: false,
                discarded,
            },
            ..store
        })
    }

    fn open_folder(
        disk: Arc<dyn Disk>,
        dir: &Path,
        requested: &Requested,
        remote: Option<Arc<Remote>>,
    ) -> Result<Self> {
        failpoint::reach("open-begin");
        let layout = Layout::new(dir);
        // Before anything is touched: this is no archive of a later version, and the flags make sense.
        agreed_settings(&*disk, &layout, requested)?;
        make_root(&*disk, layout.root())?;
        make_folder(&*disk, &layout.private())?;
        failpoint::reach("open-folders-made");
        let lock = Lock::take(&*disk, &layout.lock())?;
        failpoint::reach("open-locked");

        for folder in [layout.staging(), layout.schema(), layout.rejects()] {
            make_folder(&*disk, &folder)?;
        }
        // Again, now that nobody else can make the archive in between.
        let settings = match agreed_settings(&*disk, &layout, requested)? {
            Some(settings) => settings,
            None => make_archive(&*disk, &layout, requested)?,
        };
        // Also where nothing was made just now: the run that made it may have been killed before it got here.
        sync_folder(&*disk, &layout.private())?;
        failpoint::reach("open-done");
        let loaded = archive::load_ledger(&*disk, &layout)?;
        let recovery = recovery::recover(&*disk, &layout, &loaded)?;
        Ok(Self {
            shared: Arc::new(Shared {
                disk,
                layout,
                inner: Mutex::new(Inner {
                    state: Arc::new(loaded.state),
                    end: loaded.end,
                    staging: false,
                    ended: None,
                    segment_bytes: segments::limit(),
                }),
                dry: None,
                _lock: Some(lock),
                remote,
            }),
            settings,
            recovery,
        })
    }

    /// The archive in `dir`, or the one that would be made there, for a run that writes nothing: not a lock, not a folder.
    /// What it stages is counted and hashed; commits change [`Store::state`] and nothing else. It takes no lock either: runs
    /// may go on meanwhile, see [`Store::has_moved_on`].
    ///
    /// # Errors
    /// As [`Store::open`], but for the lock. What a killed run left is no error: it is read as [`Archive::read`] does.
    pub fn dry_run(dir: &Path, requested: &Requested) -> Result<Self> {
        let (layout, remote) = archive::layout_of(dir)?;
        let disk: Arc<dyn Disk> = Arc::new(ReadOnlyDisk(Arc::new(RealDisk)));
        let begun = DryRun::read(disk.clone(), &layout, requested, remote.clone())?;
        Ok(Self {
            shared: Arc::new(Shared {
                disk,
                layout,
                inner: Mutex::new(Inner {
                    state: Arc::new(begun.state),
                    end: begun.end,
                    staging: false,
                    ended: None,
                    segment_bytes: segments::limit(),
                }),
                dry: Some(begun.dry),
                _lock: None,
                remote,
            }),
            settings: begun.settings,
            recovery: Recovery::default(),
        })
    }

    /// Says whether another commit follows the next one. A dry run keeps the files of a commit only then, in a temporary
    /// folder, for the next one to merge with.
    pub fn expect_more(&self, more: bool) {
        if let Some(dry) = &self.shared.dry {
            dry.expect_more(more);
        }
    }

    /// Whether other runs made commits since a dry run read the archive. Never where the lock is held.
    ///
    /// # Errors
    /// The ledger can't be looked at.
    pub fn has_moved_on(&self) -> Result<bool> {
        match &self.shared.dry {
            Some(dry) => dry.has_moved_on(&*self.shared.disk, &self.shared.layout, self.shared.remote.as_deref()),
            None => Ok(false),
        }
    }

    /// The archive's folder, or its address where it is in a bucket.
    pub fn dir(&self) -> &Path {
        match &self.shared.remote {
            Some(remote) => Path::new(remote.url()),
            None => self.shared.layout.root(),
        }
    }

    /// The folder that has its files, or to which they are fetched: of an archive in a bucket the run's mirror.
    pub fn folder(&self) -> &Path {
        self.shared.layout.root()
    }

    /// Where the file on record as `target`, relative to the archive, is; one in a bucket is fetched.
    ///
    /// # Errors
    /// It can't be fetched.
    pub fn path(&self, target: &str) -> Result<PathBuf> {
        self.shared.locate(target)
    }

    /// What was decided when the archive was made.
    pub fn settings(&self) -> &ArchiveSettings {
        &self.settings
    }

    /// What the commits so far add up to; later commits do not change what was handed out.
    pub fn state(&self) -> Arc<State> {
        self.shared.inner().state.clone()
    }

    /// Has a segment of the ledger followed by another one after so few bytes of commits.
    #[cfg(test)]
    fn with_segment_bytes(self, bytes: u64) -> Self {
        self.shared.inner().segment_bytes = bytes;
        self
    }

    /// What was put right when the archive was opened.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Room for rows that a run has no memory for. One for a run.
    pub fn spill_space(&self) -> SpillSpace {
        SpillSpace::new(self.shared.clone())
    }

    /// Begins the next commit, made by `command`.
    ///
    /// # Errors
    /// Another one is open; the run must end because of an earlier error; a folder of the archive is a symbolic link
    /// or on another file system than the staging folder, so that renames would fail; the disk's.
    pub fn begin(&self, command: &str) -> Result<Staging> {
        let shared = &self.shared;
        shared.ensure_running()?;
        let id = {
            let mut inner = shared.inner();
            if inner.staging {
                return Err(Error::new(self.dir().display(), "a commit is being staged already"));
            }
            inner.staging = true;
            inner.end.last + 1
        };
        Staging::begin(shared.clone(), id, command).inspect_err(|_| shared.inner().staging = false)
    }
}

impl Shared {
    /// Where the file on record as `target` is.
    fn locate(&self, target: &str) -> Result<PathBuf> {
        match (&self.dry, &self.remote) {
            (Some(dry), _) => dry.locate(target, &self.layout),
            (None, Some(remote)) => {
                let state = self.inner().state.clone();
                remote.fetch_recorded(target, state.bytes_of(target))
            }
            (None, None) => Ok(self.layout.target(target)),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere does not make these values wrong: each statement leaves them whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ensure_running(&self) -> Result<()> {
        match self.inner().ended {
            None => Ok(()),
            Some(why) => Err(Error::new(
                self.layout.root().display(),
                format_args!("this run takes no more commits: {why}"),
            )
            .hint("run again")),
        }
    }

    fn end_run(&self, why: &'static str) {
        self.inner().ended.get_or_insert(why);
    }
}

/// The stored settings, if there are any, once `requested` was found to fit.
fn agreed_settings(disk: &dyn Disk, layout: &Layout, requested: &Requested) -> Result<Option<ArchiveSettings>> {
    let settings = archive::load_settings(disk, layout)?;
    match &settings {
        Some(stored) => requested.agree_with(stored)?,
        None => {
            requested.for_new_archive()?;
            refuse_foreign(disk, layout)?;
        }
    }
    Ok(settings)
}

/// An archive is made in a folder of its own: among other files it would look as if they were its, and a slip in its name fills a home.
/// What file systems and desktops put anywhere is nobody's.
fn refuse_foreign(disk: &dyn Disk, layout: &Layout) -> Result<()> {
    let folder = layout.root();
    let found = match disk.list(folder) {
        Ok(found) => found,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(Error::io(folder, "look into it", &error)),
    };
    // It is there from the first step on, of a run that was killed while it made the archive too.
    if found.iter().any(|name| name == paths::PRIVATE) {
        return Ok(());
    }
    let is_foreign = |name: &&OsString| *name != "lost+found" && !name.as_encoded_bytes().starts_with(b".");
    let Some(foreign) = found.iter().filter(is_foreign).min() else {
        return Ok(());
    };
    Err(Error::usage(
        folder.display(),
        format_args!("is no archive and not empty: it holds {}", foreign.to_string_lossy()),
    )
    .hint("name a new folder with --archive; an archive whose _diurnal folder was lost is restored from a backup"))
}

/// Makes an archive: first its empty ledger, then `archive.toml`, whose presence says that the archive was made. So
/// a ledger that is missing later was lost.
fn make_archive(disk: &dyn Disk, layout: &Layout, requested: &Requested) -> Result<ArchiveSettings> {
    let settings = requested.for_new_archive()?;
    let ledger = layout.segment(1);
    let later = segments::last(disk, layout)? > 1;
    match disk.metadata(&ledger) {
        Ok(found) if found.bytes > 0 || later => {
            return Err(settings_are_gone(layout));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            disk.create(&ledger)
                .map(drop)
                .map_err(|error| Error::io(&ledger, "make the ledger", &error))?;
        }
        Err(error) => return Err(Error::io(&ledger, "look at the ledger", &error)),
    }
    failpoint::reach("open-ledger-made");

    let staged = layout.private().join(format!("archive.toml{}", paths::STAGED_SUFFIX));
    recovery::discard(disk, &staged)?;
    let write = |error: io::Error| Error::io(&staged, "write the settings", &error);
    let mut file = disk.create(&staged).map_err(write)?;
    file.write_all(settings.render().as_bytes())
        .and_then(|()| file.sync())
        .map_err(write)?;
    failpoint::reach("open-settings-staged");
    // The folders and the ledger are to be there for certain before the file that says so.
    sync_folder(disk, &layout.private())?;
    failpoint::reach("open-folders-synced");
    disk.rename(&staged, &layout.settings()).map_err(write)?;
    failpoint::reach("open-settings-renamed");
    Ok(settings)
}

fn settings_are_gone(layout: &Layout) -> Error {
    Error::damaged(layout.settings().display(), "is gone, but there is a ledger")
        .hint("restore it from a backup; nothing was touched")
}

/// Makes the archive's folder and whatever is missing above it, each durable before the next is made.
fn make_root(disk: &dyn Disk, folder: &Path) -> Result<()> {
    let parent = match folder.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    match disk.metadata(folder) {
        // The archive itself may be a link; what it leads to shows when it is used.
        Ok(found) if matches!(found.kind, Kind::Folder | Kind::Symlink) => {
            // A run that was killed may have made it and not come to this. Else it is not diurnal's, and may be in a
            // folder that diurnal may not even open: a failure says nothing.
            let _ = disk.sync_folder(parent);
            Ok(())
        }
        Ok(_) => Err(Error::usage(
            folder.display(),
            "is not a folder, so it can hold no archive",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_root(disk, parent)?;
            make_folder(disk, folder)?;
            sync_folder(disk, parent)
        }
        Err(error) => Err(Error::io(folder, "look at the folder", &error)),
    }
}

/// Makes one folder if it is absent; its parent is to be synced then. A link in its place is refused.
fn make_folder(disk: &dyn Disk, folder: &Path) -> Result<()> {
    match disk.create_folder(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match disk.metadata(folder) {
            Ok(found) if found.kind == Kind::Folder => Ok(()),
            Ok(_) => Err(Error::new(
                folder.display(),
                "is not a folder: diurnal follows no links inside an archive",
            )),
            Err(error) => Err(Error::io(folder, "look at the folder", &error)),
        },
        Err(error) => Err(Error::io(folder, "make the folder", &error)),
    }
}

/// A name that no other run has: two random numbers of the operating system's, which seed hash maps.
fn fresh_name() -> String {
    let random = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", random(), random())
}

/// The time, as records have it: `2026-11-23T18:40:00Z`.
fn clock(disk: &dyn Disk) -> String {
    DateTime::<Utc>::from(disk.now()).to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn sync_folder(disk: &dyn Disk, folder: &Path) -> Result<()> {
    disk.sync_folder(folder)
        .map_err(|error| Error::io(folder, "make it durable (fsync)", &error))
}
