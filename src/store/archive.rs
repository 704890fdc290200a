//! Reading an archive: its settings and its ledger, without a lock and without changing anything.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::disk::{Disk, RealDisk};
use super::ledger::{self, Before, End, Record, Tail};
use super::manifest::{self, Manifest};
use super::paths::Layout;
use super::place::{self, Place};
use super::record::Commit;
use super::remote::Remote;
use super::segments;
use super::settings::ArchiveSettings;
use super::staging::real_folder;
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
    /// Up to where its ledger was read.
    pub(super) end: End,
    pending: Option<Pending>,
    /// Where the archive is in a bucket: `layout` is then that of its mirror.
    pub(super) remote: Option<Arc<Remote>>,
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
        let (layout, remote) = layout_of(dir)?;
        Self::read_layout(disk, layout, remote)
    }

    /// Whether there is an archive in `dir`.
    ///
    /// # Errors
    /// A bucket can't be asked.
    pub fn exists(dir: &Path) -> Result<bool> {
        match place::parse(dir)? {
            Place::Folder(dir) => Ok(Layout::new(&dir).settings().exists()),
            Place::Bucket(address) => Remote::at(address)?.exists(),
        }
    }

    /// [`Archive::read_on`], of a folder or of the mirror of a bucket.
    pub(super) fn read_layout(disk: Arc<dyn Disk>, layout: Layout, remote: Option<Arc<Remote>>) -> Result<Self> {
        let settings = load_settings(&*disk, &layout)?.ok_or_else(|| {
            Error::new(layout.root().display(), "there is no archive here")
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
        let pending = match (loaded.torn, &remote) {
            (Some(bytes), _) => Some(Pending::TornTail { bytes }),
            (None, Some(remote)) => remote.pending().map(|(commit, puts, removes)| Pending::RollForward {
                commit,
                waiting: puts
                    .into_iter()
                    .map(|target| (target.clone(), layout.target(&target)))
                    .collect(),
                removing: removes.into_iter().collect(),
            }),
            (None, None) => waiting(&*disk, &layout, loaded.end.last)?,
        };
        Ok(Self {
            disk,
            layout,
            settings,
            state: loaded.state,
            end: loaded.end,
            pending,
            remote,
        })
    }

    /// The archive's folder, or its address where it is in a bucket.
    pub fn dir(&self) -> &Path {
        match &self.remote {
            Some(remote) => Path::new(remote.url()),
            None => self.layout.root(),
        }
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

    /// Where the file that is on record as `target` (relative to the archive) is now: in its place, or still staged. One in a bucket is
    /// fetched.
    ///
    /// # Errors
    /// It can't be fetched.
    pub fn locate(&self, target: &str) -> Result<PathBuf> {
        if let Some(remote) = &self.remote {
            return remote.fetch(target);
        }
        if let Some(Pending::RollForward { waiting, .. }) = &self.pending
            && let Some(staged) = waiting.get(target)
            && self.disk.metadata(staged).is_ok()
        {
            return Ok(staged.clone());
        }
        Ok(self.layout.target(target))
    }

    /// Says that a file is not needed any more for now: what was fetched of a bucket need not be kept.
    pub fn release(&self, target: &str) {
        if let Some(remote) = &self.remote {
            remote.release(target);
        }
    }

    /// What a link inside the archive leads to is none of it, whatever the ledger says: for those who copy what they read.
    ///
    /// # Errors
    /// A folder with files on record is a symbolic link, or none.
    pub fn refuse_links(&self) -> Result<()> {
        let of_files = self.state.paths().map(|path| self.layout.folder_of(path));
        let folders: BTreeSet<PathBuf> = of_files.chain([self.layout.private()]).collect();
        let mut folders = folders.iter();
        folders.try_for_each(|folder| real_folder(&*self.disk, folder).map(drop))
    }

    /// Hands over every commit in order, from the first to the last that this archive knows.
    ///
    /// # Errors
    /// A ledger that was damaged since it was read, and those of `each`.
    pub fn each_commit(&self, mut each: impl FnMut(Commit) -> Result<()>) -> Result<()> {
        self.walk(|_, commit| each(commit.clone())).map_err(|(_, error)| error)
    }

    /// Hands over every commit of every segment in order, with what those before it add up to, up to the last one that this archive
    /// knows. An error comes with the number of its segment.
    pub(super) fn walk(&self, mut each: impl FnMut(&State, &Commit) -> Result<()>) -> Result<(), (u32, Error)> {
        if let Some(remote) = &self.remote {
            remote.fetch_segments().map_err(|error| (1, error))?;
        }
        let mut state = State::default();
        let mut before: Option<End> = None;
        for segment in 1..=self.end.segment {
            let path = self.layout.segment(segment);
            let come_before = before.as_ref().map_or(Before::Nothing, Before::Segment);
            let read = ledger::scan(&*self.disk, &path, come_before, |record| match record {
                Record::Commit(commit) if commit.id <= self.state.commits => {
                    each(&state, &commit)?;
                    state.apply(*commit);
                    Ok(())
                }
                Record::Commit(_) => Ok(()),
                Record::State(mut begun) => {
                    // A version that knows of no times left it out.
                    begun.at = begun.at.or_else(|| state.at.clone());
                    match *begun == state {
                        true => Ok(()),
                        false => {
                            let problem = "it is another state than that which the commits before it add up to";
                            Err(ledger::corrupt(&path, 1, problem))
                        }
                    }
                }
            });
            let end = match read {
                // Only the last line of all can be torn.
                Ok((_, Tail::Bad { line, problem, .. })) if segment < self.end.segment => {
                    Err(ledger::corrupt(&path, line, &problem))
                }
                read => read.map(|(end, _)| end),
            };
            before = Some(end.map_err(|error| (segment, error))?);
        }
        Ok(())
    }

    /// Whether the archive changed since it was read: what is then found wrong may just be newer.
    ///
    /// # Errors
    /// The ledger can't be looked at.
    pub fn has_moved_on(&self) -> Result<bool> {
        if let Some(remote) = &self.remote {
            return remote.has_moved_on();
        }
        if segments::last(&*self.disk, &self.layout)? != self.end.segment {
            return Ok(true);
        }
        let path = self.layout.segment(self.end.segment);
        let found = self
            .disk
            .metadata(&path)
            .map_err(|error| Error::io(&path, "look at the ledger", &error))?;
        let torn = match self.pending {
            Some(Pending::TornTail { bytes }) => bytes,
            _ => 0,
        };
        Ok(found.bytes != self.end.bytes + torn)
    }
}

/// Where the files of an archive are, or those of the mirror of a bucket's, into which its ledger is read.
pub(super) fn layout_of(dir: &Path) -> Result<(Layout, Option<Arc<Remote>>)> {
    match place::parse(dir)? {
        Place::Folder(dir) => Ok((Layout::new(&dir), None)),
        Place::Bucket(address) => {
            let remote = Remote::at(address)?;
            remote.read()?;
            Ok((Layout::new(remote.folder()), Some(remote)))
        }
    }
}

/// A ledger, read and added up.
pub(super) struct Loaded {
    pub state: State,
    pub end: End,
    /// The last commit, which may not be completed; `None` where the last segment has none yet: it was begun when all before were.
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

/// Reads the last segment of the ledger and decides whether a bad last line is torn or damaged.
pub(super) fn load_ledger(disk: &dyn Disk, layout: &Layout) -> Result<Loaded> {
    let segment = segments::last(disk, layout)?.max(1);
    let path = layout.segment(segment);
    let before = match segment {
        1 => Before::Nothing,
        later => Before::Unread(later),
    };
    let mut state = State::default();
    let mut last: Option<Commit> = None;
    let (end, tail) = ledger::scan(disk, &path, before, |record| {
        match record {
            Record::State(begun) => state = *begun,
            Record::Commit(commit) => {
                if let Some(before) = last.replace(*commit) {
                    state.apply(before);
                }
            }
        }
        Ok(())
    })?;
    if let Some(commit) = &last {
        state.apply(commit.clone());
    }
    let torn = match tail {
        Tail::Clean => None,
        Tail::Bad { bytes, line, problem } => {
            // A commit moves files only after its record is durable. Are they all still staged, it never happened.
            let next = end.last + 1;
            let manifest = Manifest::read(disk, layout, next).ok().flatten();
            if !manifest.is_some_and(|manifest| manifest.is_whole(disk, layout)) {
                return Err(ledger::corrupt(&path, line, &problem));
            }
            Some(bytes)
        }
    };
    Ok(Loaded { state, end, last, torn })
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
