//! Files of a commit that other processes write: each task of an engine stages into a folder of its own, and the run that makes the
//! commit takes over what it was told of.
//!
//! A task may run twice, or go on after its run is gone: its folder has a name that no other attempt has, inside of one that no other run
//! has. What nobody takes over goes with that folder, at the latest when the next run removes debris.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use super::disk::{Kind, RealDisk};
use super::ledger::End;
use super::paths::{self, Layout};
use super::record::DayEntry;
use super::staging::{StagedFiles, Staging, Written, check_folder, check_replaced};
use super::{Inner, Shared, State, Store, failpoint, recovery, segments};
use crate::error::{Error, Result};

/// A staged file, whole and durable, that another process may take over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOver {
    /// Where the commit is to put it, relative to the archive: `cpu/2020-06-19.parquet`.
    pub target: String,
    /// Where it is, relative to the folder of the run's tasks.
    pub staged: String,
    /// Length in bytes.
    pub bytes: u64,
    /// BLAKE3 of the whole file, hexadecimal; `None` for a day file.
    pub hash: Option<String>,
}

/// The folder in which the tasks of one run stage. Dropped, it is removed with all that was not taken over.
#[derive(Debug)]
pub struct TaskFolder {
    shared: Arc<Shared>,
    name: String,
}

impl Store {
    /// Makes the folder for the tasks of this run.
    ///
    /// # Errors
    /// The disk's.
    pub fn task_folder(&self) -> Result<TaskFolder> {
        // A task of a run that was killed must not meet the folder of a later one.
        let name = format!("tasks-{}", super::fresh_name());
        let path = self.shared.layout.staging().join(&name);
        let made = self.shared.disk.create_folder(&path);
        made.map_err(|error| Error::io(&path, "make the folder of the tasks", &error))?;
        Ok(TaskFolder {
            shared: Arc::clone(&self.shared),
            name,
        })
    }
}

impl TaskFolder {
    /// Its name in the staging folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Leaves a file in it, for people who look why a run takes so long.
    ///
    /// # Errors
    /// The disk's.
    pub fn note(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.path().join(name);
        let written = self
            .shared
            .disk
            .create(&path)
            .and_then(|mut file| file.write_all(content));
        written.map_err(|error| Error::io(&path, "write it", &error))
    }

    /// Its path.
    pub fn path(&self) -> PathBuf {
        self.shared.layout.staging().join(&self.name)
    }
}

impl Drop for TaskFolder {
    fn drop(&mut self) {
        // What can't be removed now is debris for the next run.
        let _ = recovery::discard(&*self.shared.disk, &self.path());
    }
}

impl Staging {
    /// The folder in which the tasks of a run stage.
    pub fn folder_of_tasks(archive: &Path, tasks: &str) -> PathBuf {
        Layout::new(archive).staging().join(tasks)
    }

    /// Begins to stage for a commit that the run makes whose tasks have the folder `tasks`; `attempt` is the name of a folder in it, which
    /// no other attempt has. `days` are the entries of the days that are touched.
    ///
    /// # Errors
    /// The run is over, or the folder is there; the disk's.
    pub fn of_task(archive: &Path, tasks: &str, attempt: &str, days: Vec<DayEntry>) -> Result<Self> {
        let layout = Layout::new(archive);
        let run = layout.staging().join(tasks);
        let folder = run.join(attempt);
        let shared = Shared {
            disk: Arc::new(RealDisk),
            layout,
            inner: Mutex::new(Inner {
                state: Arc::new(State::of_days(days)),
                end: End::default(),
                staging: true,
                ended: None,
                segment_bytes: segments::limit(),
            }),
            dry: None,
            remote: None,
            _lock: None,
        };
        shared.disk.create_folder(&folder).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::new(
                run.display(),
                "is not there: the run that this task is of is over, or its archive is not on a file system that this machine shares",
            )
            .hint("every machine that runs tasks must see the archive under the same path; of one in a bucket, the TMPDIR of the run"),
            _ => Error::io(&folder, "make the folder of a task", &error),
        })?;
        Ok(Self {
            shared: Arc::new(shared),
            id: 0,
            command: String::new(),
            files: Arc::new(StagedFiles::new(folder)),
            keep: false,
        })
    }

    /// Leaves the staged files, which are whole and durable, to the run that makes the commit.
    ///
    /// # Errors
    /// A file that is still being written; the disk's.
    pub fn hand_over(mut self, attempt: &str) -> Result<Vec<HandedOver>> {
        let files = self.finished()?;
        self.shared.sync_folder(self.folder())?;
        self.keep = true;
        let handed = |(target, name, written): (String, String, Written)| HandedOver {
            target,
            staged: format!("{attempt}/{name}"),
            bytes: written.bytes,
            hash: written.hash,
        };
        Ok(files.into_iter().map(handed).collect())
    }

    /// Takes over a file that a task staged.
    ///
    /// # Errors
    /// As [`Staging::file`]; a file that is not there, or not as it was handed over.
    pub fn adopt(&self, tasks: &TaskFolder, file: &HandedOver) -> Result<()> {
        let shared = &self.shared;
        shared.ensure_running()?;
        let HandedOver { target, .. } = file;
        if !paths::is_day_file(target) || !paths::is_target(target) {
            return Err(Error::new(target, "is no day file: a task cannot stage it"));
        }
        let (disk, layout) = (&*shared.disk, &shared.layout);
        check_folder(disk, layout, &layout.folder_of(target))?;
        check_replaced(shared, target)?;
        let path = tasks.path().join(&file.staged);
        let found = disk
            .metadata(&path)
            .map_err(|error| Error::io(&path, "look at a file that a task staged", &error))?;
        if found.kind != Kind::File || found.bytes != file.bytes {
            return Err(Error::new(
                path.display(),
                format_args!(
                    "is not what a task staged: it has {} bytes instead of {}",
                    found.bytes, file.bytes
                ),
            )
            .hint("nothing was committed; run again"));
        }
        let written = Written {
            bytes: file.bytes,
            hash: file.hash.clone(),
        };
        let place = self.files.add(target, written)?;
        disk.rename(&path, &place)
            .map_err(|error| Error::io(&path, "take over a file that a task staged", &error))?;
        failpoint::reach("stage-file-adopted");
        Ok(())
    }
}

impl StagedFiles {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            slots: Mutex::default(),
            begun: AtomicU64::new(0),
        }
    }
}
