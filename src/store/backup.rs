//! A copy of an archive that is an archive itself, made while runs go on.
//!
//! No lock is held: the ledger only grows and a path always holds a whole file, so what a moment's ledger names can be
//! copied file by file, each checked against its hash on record. A file that a run replaced meanwhile does not fit; then the
//! ledger is read again, and only what is on record anew is copied once more. What was copied in the end is exactly one
//! state of the archive, with the ledger up to there.
//!
//! Everything is put together under another name beside the destination, made durable, and renamed. `archive.toml`, without
//! which nothing is an archive, comes last.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::archive::Archive;
use super::check::{Finding, RESTORE, finding};
use super::disk::{Disk, DiskFile, Kind, RealDisk};
use super::failpoint;
use super::lock::Lock;
use super::manifest;
use super::paths::Layout;
use super::recovery;
use super::settings::ArchiveSettings;
use super::state::{self, Target};
use super::{make_folder, sync_folder};
use crate::error::{Error, Kind as ErrorKind, Result};

/// How often the ledger is read again because files were replaced; each time only these are copied.
const PASSES: u32 = 20;

/// A backup that can be made.
#[derive(Debug)]
pub struct Backup {
    disk: Arc<dyn Disk>,
    source: PathBuf,
    dest: PathBuf,
    /// Where the copy grows, beside the destination.
    partial: Layout,
}

/// How a backup ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Copied {
    /// The copy is there.
    Whole(BackedUp),
    /// Files are not as the ledger says. A backup would make that look right, so none was made.
    Damaged(Vec<Finding>),
    /// It was asked to stop. Nothing is left of it.
    Stopped,
}

/// What was copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackedUp {
    /// The archive's commits.
    pub commits: u64,
    /// Its day files: measurements by days.
    pub days: usize,
    /// Their rows.
    pub rows: u64,
    /// Files, the ledger and the settings among them.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl Backup {
    /// A backup of the archive in `source` as the folder `dest`, which does not exist or is empty.
    ///
    /// # Errors
    /// `dest` is something else, is on another file system than the folder it is in, or that folder does not exist: wrong
    /// usage.
    pub fn new(source: &Path, dest: &Path) -> Result<Self> {
        Self::new_on(Arc::new(RealDisk), source, dest)
    }

    /// [`Backup::new`] on any disk.
    pub fn new_on(disk: Arc<dyn Disk>, source: &Path, dest: &Path) -> Result<Self> {
        let refuse = |cause: &str| Error::usage(dest.display(), cause);
        let (Some(above), Some(name)) = (dest.parent(), dest.file_name()) else {
            return Err(refuse("is no folder that a backup could be put at"));
        };
        let above = disk.metadata(above).map_err(|_| {
            refuse("the folder that it would be in does not exist").hint("make it first, or mount what should be there")
        })?;
        match disk.metadata(dest) {
            Ok(found) if found.kind != Kind::Folder => return Err(refuse("exists already and is no folder")),
            Ok(found) => {
                let entries = disk.list(dest).map_err(|error| Error::io(dest, "list it", &error))?;
                if !entries.is_empty() {
                    return Err(refuse("exists already and is not empty")
                        .hint("a backup is a whole new copy: name a folder that does not exist yet"));
                }
                if found.device != above.device {
                    return Err(
                        refuse("is the root of a file system, and a backup is put in its place by a rename")
                            .hint("name a folder in it"),
                    );
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(dest, "look at it", &error)),
        }
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(".diurnal-backup");
        Ok(Self {
            partial: Layout::new(&dest.with_file_name(hidden)),
            disk,
            source: source.to_path_buf(),
            dest: dest.to_path_buf(),
        })
    }

    /// Makes the copy. `stop` is asked before each file.
    ///
    /// # Errors
    /// There is no archive, or its ledger is damaged; another backup is being made there; runs replaced files faster than
    /// they could be copied; the disk's.
    pub fn make(&self, stop: impl Fn() -> bool) -> Result<Copied> {
        failpoint::reach("backup-begin");
        let disk = &*self.disk;
        // Before anything is made: there is an archive.
        Archive::read_on(self.disk.clone(), &self.source)?;
        make_folder(disk, self.partial.root())?;
        make_folder(disk, &self.partial.private())?;
        let lock = Lock::take(disk, &self.partial.lock()).map_err(|error| match error.kind() {
            ErrorKind::Locked => Error::locked(self.dest.display(), "another backup is being made there")
                .hint("wait for it to end, or name another folder"),
            _ => error,
        })?;
        failpoint::reach("backup-locked");
        let copied = self.copy(&stop);
        if !matches!(copied, Ok(Copied::Whole(_))) {
            // What can't be removed is removed by the next backup to this place.
            let _ = recovery::discard(disk, self.partial.root());
        }
        drop(lock);
        copied
    }

    fn copy(&self, stop: &impl Fn() -> bool) -> Result<Copied> {
        self.clear()?;
        failpoint::reach("backup-clean");
        let mut done = BTreeMap::new();
        let mut before = None;
        for _ in 0..PASSES {
            let archive = Archive::read_on(self.disk.clone(), &self.source)?;
            archive.refuse_links()?;
            let Some(findings) = self.pass(&archive, &mut done, stop)? else {
                return Ok(Copied::Stopped);
            };
            if findings.is_empty() {
                return self.finish(&archive, &done).map(Copied::Whole);
            }
            // A run may be renaming its files just now. What is still wrong when the same ledger is read again is damage.
            let seen = (archive.end.clone(), findings);
            if before.as_ref() == Some(&seen) {
                return Ok(Copied::Damaged(seen.1));
            }
            before = Some(seen);
        }
        Err(Error::new(
            self.source.display(),
            format_args!("runs replaced files {PASSES} times while they were copied"),
        )
        .hint("try again when no run goes on"))
    }

    /// Removes what a backup that was killed left at the place where the copy grows.
    fn clear(&self) -> Result<()> {
        for folder in [self.partial.root().to_path_buf(), self.partial.private()] {
            let names = self.disk.list(&folder);
            for name in names.map_err(|error| Error::io(&folder, "list the folder", &error))? {
                let path = folder.join(name);
                if path != self.partial.private() && path != self.partial.lock() {
                    recovery::discard(&*self.disk, &path)?;
                }
            }
        }
        Ok(())
    }

    /// Copies what the ledger names and is not copied yet; what does not fit its record is a finding. `None` when asked to
    /// stop.
    fn pass(
        &self,
        archive: &Archive,
        done: &mut BTreeMap<String, Fingerprint>,
        stop: &impl Fn() -> bool,
    ) -> Result<Option<Vec<Finding>>> {
        let disk = &*self.disk;
        let on_record: BTreeSet<&str> = archive.state().paths().collect();
        let gone: Vec<String> = done
            .keys()
            .filter(|path| !on_record.contains(path.as_str()))
            .cloned()
            .collect();
        for path in gone {
            recovery::discard(disk, &self.partial.target(&path))?;
            done.remove(&path);
        }
        let mut findings = Vec::new();
        for target in state::all_targets(archive.state()) {
            if stop() {
                return Ok(None);
            }
            let print = fingerprint(&target);
            if done.get(target.path()) == Some(&print) {
                continue;
            }
            done.remove(target.path());
            let problems = self.copy_file(archive, &target)?;
            failpoint::reach("backup-file-copied");
            if problems.is_empty() {
                done.insert(target.path().to_owned(), print);
            }
            let problems = problems.into_iter();
            findings.extend(problems.map(|problem| finding(target.path(), problem, RESTORE)));
        }
        Ok(Some(findings))
    }

    /// Copies one file; what is wrong with it.
    fn copy_file(&self, archive: &Archive, target: &Target<'_>) -> Result<Vec<String>> {
        let disk = &*self.disk;
        let (from, to) = (archive.locate(target.path())?, self.partial.target(target.path()));
        make_folder(disk, &self.partial.folder_of(target.path()))?;
        recovery::discard(disk, &to)?;
        let created = disk.create(&to).map_err(|error| Error::io(&to, "make it", &error))?;
        let mut copy = Copy {
            file: created,
            failed: None,
        };
        let problems = target.copy(disk, &from, &mut copy);
        if let Some(error) = copy.failed {
            return Err(Error::io(&to, "write it", &error));
        }
        // `prune` goes by the age of reject files. One that was replaced meanwhile is copied once more.
        let _ = disk.copy_time(&from, &to);
        archive.release(target.path());
        Ok(problems)
    }

    /// Ledger, fsyncs, settings, rename: the copy becomes an archive.
    fn finish(&self, archive: &Archive, done: &BTreeMap<String, Fingerprint>) -> Result<BackedUp> {
        let (disk, partial) = (&*self.disk, &self.partial);
        for folder in [partial.staging(), partial.schema(), partial.rejects()] {
            make_folder(disk, &folder)?;
        }
        // Of the segments before the last nothing was read so far.
        archive.walk(|_, _| Ok(())).map_err(|(_, error)| error)?;
        let mut ledger_bytes = 0;
        for segment in 1..=archive.end.segment {
            ledger_bytes += self.copy_segment(archive, segment)?;
        }
        failpoint::reach("backup-ledger-copied");
        let mut folders = BTreeSet::from([partial.private(), partial.root().to_path_buf()]);
        for path in done.keys() {
            let copy = partial.target(path);
            disk.sync_file(&copy)
                .map_err(|error| Error::io(&copy, "make it durable (fsync)", &error))?;
            folders.insert(partial.folder_of(path));
        }
        for folder in &folders {
            sync_folder(disk, folder)?;
        }
        failpoint::reach("backup-files-synced");

        let settings = archive.layout.settings();
        let text = disk
            .read(&settings)
            .map_err(|error| Error::io(&settings, "read the settings", &error))?;
        ArchiveSettings::parse(&settings, &text)?;
        self.write(&partial.settings(), &text)?;
        failpoint::reach("backup-settings-copied");
        sync_folder(disk, &partial.private())?;
        failpoint::reach("backup-settings-synced");
        // What it will be read as: a ledger that was changed after it was checked would show here.
        let copy = Archive::read_on(self.disk.clone(), partial.root())?;
        copy.walk(|_, _| Ok(())).map_err(|(_, error)| error)?;
        if copy.state() != archive.state() || copy.settings() != archive.settings() {
            let ledger = archive.layout.segment(archive.end.segment);
            return Err(
                Error::new(ledger.display(), "was changed while it was copied, other than by a run")
                    .hint("run `diurnal verify`; no backup was made"),
            );
        }
        self.put_in_place()?;
        let state = archive.state();
        let days = state.days.values().filter(|day| day.has_file());
        Ok(BackedUp {
            commits: state.commits,
            days: days.clone().count(),
            rows: days.map(|day| day.rows).sum(),
            files: done.len() + archive.end.segment as usize + 1,
            bytes: done.values().map(|print| print.bytes).sum::<u64>() + ledger_bytes + text.len() as u64,
        })
    }

    /// Copies a segment of the ledger, the last one as far as it was read; gives its bytes.
    fn copy_segment(&self, archive: &Archive, segment: u32) -> Result<u64> {
        let path = archive.layout.segment(segment);
        let opened = self
            .disk
            .open(&path)
            .map_err(|error| Error::io(&path, "open the ledger", &error))?;
        let known = if segment == archive.end.segment {
            archive.end.bytes
        } else {
            u64::MAX
        };
        let mut lines = Vec::new();
        opened
            .take(known)
            .read_to_end(&mut lines)
            .map_err(|error| Error::io(&path, "read the ledger", &error))?;
        self.write(&self.partial.segment(segment), &lines)?;
        Ok(lines.len() as u64)
    }

    fn put_in_place(&self) -> Result<()> {
        failpoint::reach("backup-rename");
        self.disk.rename(self.partial.root(), &self.dest).map_err(|error| {
            match manifest::exists(&*self.disk, &self.dest) {
                Ok(true) => Error::new(self.dest.display(), format_args!("is in the way by now: {error}")),
                _ => Error::io(&self.dest, "give the copy its name", &error),
            }
        })?;
        failpoint::reach("backup-renamed");
        let above = match self.dest.parent() {
            Some(above) if !above.as_os_str().is_empty() => above,
            _ => Path::new("."),
        };
        sync_folder(&*self.disk, above)?;
        failpoint::reach("backup-done");
        Ok(())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let write = |error: io::Error| Error::io(path, "write it", &error);
        let mut file = self.disk.create(path).map_err(write)?;
        file.write_all(bytes).and_then(|()| file.sync()).map_err(write)
    }
}

/// What tells one content of a path from another, without keeping the record.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fingerprint {
    bytes: u64,
    hashes: blake3::Hash,
}

fn fingerprint(target: &Target<'_>) -> Fingerprint {
    let mut hashes = blake3::Hasher::new();
    match target {
        Target::File(entry) => drop(hashes.update(entry.hash.as_bytes())),
        Target::Day(entry, leaves) => {
            hashes.update(entry.rest.as_bytes());
            for leaf in leaves.iter().flatten() {
                hashes.update(leaf.hash.as_bytes());
            }
        }
    }
    Fingerprint {
        bytes: target.bytes(),
        hashes: hashes.finalize(),
    }
}

/// A file that is written from what is read; its failure is no fault of the source.
struct Copy {
    file: Box<dyn DiskFile>,
    failed: Option<io::Error>,
}

impl Write for Copy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            kind => {
                self.failed = Some(error);
                kind.into()
            }
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
