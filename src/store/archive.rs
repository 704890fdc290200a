//! Reading an archive: its settings and its ledger, without a lock and without changing anything.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::disk::{Disk, RealDisk};
use super::ledger::{self, End, Tail};
use super::manifest::{self, Manifest};
use super::paths::Layout;
use super::record::Commit;
use super::settings::ArchiveSettings;
use super::state::State;
use crate::error::{Error, Result};

/// How often a reader looks again at a ledger whose last line is not whole: a run may be writing it just now.
const READ_TRIES: u32 = 5;
/// How long it waits in between; a record is written in far less.
const READ_PAUSE: Duration = Duration::from_millis(20);

/// An archive as it is now, for those who only look: `verify`, `status`, `rejects`.
#[derive(Debug)]
pub struct Archive {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) layout: Layout,
    settings: ArchiveSettings,
    state: State,
    pub(super) ledger_bytes: u64,
    pending: Option<Pending>,
}

/// What a run left unfinished. The next run that writes puts it right; readers need not care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pending {
    /// The ledger ends in a record that was not written whole: that commit did not happen.
    TornTail {
        /// Bytes behind the last whole record.
        bytes: u64,
    },
    /// The last commit is on record, but its files were not all moved to their places.
    RollForward {
        /// The commit's id.
        commit: u64,
        /// Files that wait in the staging folder, by path relative to the archive.
        waiting: BTreeMap<String, PathBuf>,
        /// Files that the commit removes, relative to the archive; some may be gone.
        removing: BTreeSet<String>,
    },
}

impl Archive {
    /// Reads the archive in `dir`. Runs may go on meanwhile; see [`Archive::has_moved_on`].
    ///
    /// # Errors
    /// There is no archive; it has a later format; its ledger is damaged.
    pub fn read(dir: &Path) -> Result<Self> {
        Self::read_on(Arc::new(RealDisk), dir)
    }

    /// [`Archive::read`] on any disk.
    pub fn read_on(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self> {
        let layout = Layout::new(dir);
        let settings = load_settings(&*disk, &layout)?.ok_or_else(|| {
            Error::new(dir.display(), "there is no archive here")
                .hint("name its folder with --archive; `diurnal archive` and `diurnal import` make one")
        })?;
        let mut tries = 1;
        let loaded = loop {
            match load_ledger(&*disk, &layout) {
                Err(_) if tries < READ_TRIES => {
                    tries += 1;
                    std::thread::sleep(READ_PAUSE);
                }
                loaded => break loaded?,
            }
        };
        let pending = match loaded.torn {
            Some(bytes) => Some(Pending::TornTail { bytes }),
            None => waiting(&*disk, &layout, loaded.end.last)?,
        };
        Ok(Self {
            disk,
            layout,
            settings,
            state: loaded.state,
            ledger_bytes: loaded.end.bytes,
            pending,
        })
    }

    /// The archive's folder.
    pub fn dir(&self) -> &Path {
        self.layout.root()
    }

    /// What was decided when it was made.
    pub fn settings(&self) -> &ArchiveSettings {
        &self.settings
    }

    /// What its commits add up to.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What the last run left unfinished.
    pub fn pending(&self) -> Option<&Pending> {
        self.pending.as_ref()
    }

    /// Where the file that is on record as `target` (relative to the archive) is now: in its place, or still staged.
    pub fn locate(&self, target: &str) -> PathBuf {
        if let Some(Pending::RollForward { waiting, .. }) = &self.pending
            && let Some(staged) = waiting.get(target)
            && self.disk.metadata(staged).is_ok()
        {
            return staged.clone();
        }
        self.layout.target(target)
    }

    /// Hands over every commit in order, from the first to the last that this archive knows.
    ///
    /// # Errors
    /// A ledger that was damaged since it was read, and those of `each`.
    pub fn each_commit(&self, mut each: impl FnMut(Commit) -> Result<()>) -> Result<()> {
        ledger::scan(&*self.disk, &self.layout.ledger(), |commit| {
            match commit.id <= self.state.commits {
                true => each(commit),
                false => Ok(()),
            }
        })
        .map(|_| ())
    }

    /// Whether the archive changed since it was read: what is then found wrong may just be newer.
    ///
    /// # Errors
    /// The ledger can't be looked at.
    pub fn has_moved_on(&self) -> Result<bool> {
        let path = self.layout.ledger();
        let found = self
            .disk
            .metadata(&path)
            .map_err(|error| Error::io(&path, "look at the ledger", &error))?;
        let torn = match self.pending {
            Some(Pending::TornTail { bytes }) => bytes,
            _ => 0,
        };
        Ok(found.bytes != self.ledger_bytes + torn)
    }
}

/// A ledger, read and added up.
pub(super) struct Loaded {
    pub state: State,
    pub end: End,
    /// The last commit, which may not be completed.
    pub last: Option<Commit>,
    /// Bytes of a torn record behind the last good one.
    pub torn: Option<u64>,
}

/// Reads `archive.toml`; `None` where no archive was made.
pub(super) fn load_settings(disk: &dyn Disk, layout: &Layout) -> Result<Option<ArchiveSettings>> {
    let path = layout.settings();
    match disk.read(&path) {
        Ok(bytes) => ArchiveSettings::parse(&path, &bytes).map(Some),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound) => Ok(None),
        Err(error) => Err(Error::io(&path, "read the settings", &error)),
    }
}

/// Reads the whole ledger and decides whether a bad last line is torn or damaged.
pub(super) fn load_ledger(disk: &dyn Disk, layout: &Layout) -> Result<Loaded> {
    refuse_unknown_segments(disk, layout)?;
    let path = layout.ledger();
    let mut state = State::default();
    let mut last = None;
    let (end, tail) = ledger::scan(disk, &path, |commit| {
        if let Some(before) = last.replace(commit) {
            state.apply(before);
        }
        Ok(())
    })?;
    if let Some(commit) = &last {
        state.apply(commit.clone());
    }
    let torn = match tail {
        Tail::Clean => None,
        Tail::Bad { bytes, problem } => {
            // A commit moves files only after its record is durable. Are they all still staged, it never happened.
            let next = end.last + 1;
            let manifest = Manifest::read(disk, layout, next).ok().flatten();
            if !manifest.is_some_and(|manifest| manifest.is_whole(disk, layout)) {
                return Err(ledger::corrupt(&path, next, &problem));
            }
            Some(bytes)
        }
    };
    Ok(Loaded { state, end, last, torn })
}

fn refuse_unknown_segments(disk: &dyn Disk, layout: &Layout) -> Result<()> {
    let folder = layout.private();
    let names = disk
        .list(&folder)
        .map_err(|error| Error::io(&folder, "list the folder", &error))?;
    for name in names {
        if name.as_encoded_bytes().starts_with(ledger::SEGMENT_PREFIX.as_bytes()) && name != ledger::SEGMENT {
            return Err(Error::damaged(
                folder.join(&name).display(),
                format_args!(
                    "this diurnal knows {} only: the ledger was continued by a later one",
                    ledger::SEGMENT
                ),
            )
            .hint("use a newer diurnal; nothing was touched"));
        }
    }
    Ok(())
}

/// Whether the last commit still has a staging folder, and what waits in it.
fn waiting(disk: &dyn Disk, layout: &Layout, last: u64) -> Result<Option<Pending>> {
    if last == 0 || !manifest::has_staging(disk, layout, last)? {
        return Ok(None);
    }
    let folder = layout.staging_of(last);
    let manifest = Manifest::read(disk, layout, last)?;
    let (files, removes) = manifest.map_or_else(Default::default, |manifest| (manifest.files, manifest.removes));
    let mut waiting = BTreeMap::new();
    for file in files {
        let staged = folder.join(&file.staged);
        if manifest::exists(disk, &staged)? {
            waiting.insert(file.target, staged);
        }
    }
    Ok(Some(Pending::RollForward {
        commit: last,
        waiting,
        removing: removes.into_iter().map(|file| file.target).collect(),
    }))
}
