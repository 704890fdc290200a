//! An archive in a bucket: the same files under the same names, the same ledger, one object for each of its records.
//!
//! A run works in a local folder of its own, the mirror: the ledger is laid out there as a local archive has it, and files are fetched
//! when they are asked for. So all that reads and merges is the same code, and what counts in the bucket is in one place: here.
//!
//! There is no lock. The record of commit N is an object that can be made once: who makes it has committed, who comes second has
//! not, and nothing of it happened. See [`publish`] for what follows.

mod bucket;
mod connect;
mod failure;
mod mirror;
mod open;
mod parts;
mod publish;
pub(in crate::store) mod record;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::bucket::{Bucket, Version};
use self::mirror::Mirror;
use self::record::Plan;
use super::fresh_name;
use super::paths::{self, Layout};
use super::place::Address;
use crate::error::{self, Error, Result};

/// Ends the names of files of the mirror that are being fetched.
const FETCHED_SUFFIX: &str = ".fetched";

/// An archive in a bucket, and its mirror, which goes with it.
#[derive(Debug)]
pub(in crate::store) struct Remote {
    bucket: Bucket,
    mirror: Mirror,
    layout: Layout,
    /// In the names of what this run stages.
    run: String,
    fetched: AtomicU64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// What is at the targets of the commit in the making; `None` where nothing is.
    there: BTreeMap<String, Option<Version>>,
    /// The last commit that was read.
    last: u64,
    /// What the last commit may not have done yet, for those who only read.
    pending: Option<Plan>,
    /// Whether the segments before the last are in the mirror.
    whole: bool,
    /// Whether the store was seen to honour conditions of uploads in parts.
    parts_tried: bool,
}

impl Remote {
    /// Gets ready for the archive at an address. Nothing is asked of the bucket yet.
    ///
    /// # Errors
    /// The environment does not say how to reach it; no temporary folder can be made.
    pub fn at(address: Address<'_>) -> Result<Arc<Self>> {
        let (store, completions) = connect::connect(address)?;
        let mirror = Mirror::make()?;
        let bucket = Bucket::new(store, completions, address.url, address.prefix);
        // A path of the mirror would tell nobody anything.
        error::show_as(mirror.path(), bucket.url());
        Ok(Arc::new(Self {
            layout: Layout::new(mirror.path()),
            bucket,
            mirror,
            run: fresh_name(),
            fetched: AtomicU64::new(0),
            known: Mutex::default(),
        }))
    }

    /// The mirror's folder.
    pub fn folder(&self) -> &Path {
        self.mirror.path()
    }

    /// As the user gave it: `s3://bucket/prefix`.
    pub fn url(&self) -> &str {
        self.bucket.url()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // A panic elsewhere does not make these values wrong: each statement leaves them whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The path of the file that is on record as `target`, fetched if it is not in the mirror. Whether it is what the ledger says is for
    /// the caller to see, as of a local one; one that is nowhere is missing there too.
    pub fn fetch(&self, target: &str) -> Result<PathBuf> {
        let path = self.layout.target(target);
        if path.symlink_metadata().is_ok() {
            return Ok(path);
        }
        let pending = self.known().pending.clone();
        let staged = pending.and_then(|plan| {
            let put = plan.puts.iter().find(|put| put.target == target)?;
            Some(plan.staged(put))
        });
        for key in staged.iter().map(String::as_str).chain([target]) {
            if self.fetch_from(key, &path)? {
                break;
            }
        }
        Ok(path)
    }

    /// [`Remote::fetch`] for a run that writes: a file of another length is likely of another run's commit.
    ///
    /// # Errors
    /// Another run made a commit meanwhile; the store's.
    pub fn fetch_recorded(&self, target: &str, recorded: Option<u64>) -> Result<PathBuf> {
        let path = self.fetch(target)?;
        let bytes = path.symlink_metadata().ok().map(|found| found.len());
        match bytes == recorded || !self.has_moved_on()? {
            true => Ok(path),
            false => Err(self.overtaken()),
        }
    }

    /// Brings an object to its place in the mirror; whether there is one.
    fn fetch_from(&self, key: &str, path: &Path) -> Result<bool> {
        let number = self.fetched.fetch_add(1, Ordering::Relaxed);
        let part = self.mirror.path().join(format!("{number}{FETCHED_SUFFIX}"));
        let got = self.bucket.get_to(key, &part);
        let found = match got {
            Ok(Some(found)) => found,
            other => {
                let _ = fs::remove_file(&part);
                return other.map(|_| false);
            }
        };
        log::debug!("fetched {} ({} bytes)", self.bucket.name(key), found.bytes);
        let place = || -> io::Result<()> {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::rename(&part, path)
        };
        place().map_err(|error| Error::io(path, "put what was fetched in its place", &error))?;
        Ok(true)
    }

    /// Gives the room of a file back that is not needed any more; it can be fetched again.
    pub fn release(&self, target: &str) {
        if paths::is_day_file(target) {
            // Only room is lost if it stays.
            let _ = fs::remove_file(self.layout.target(target));
        }
    }

    /// Whether a commit came after the last one that was read.
    pub fn has_moved_on(&self) -> Result<bool> {
        let next = self.known().last + 1;
        Ok(self.bucket.head(&record::key(next))?.is_some())
    }

    /// Whether there is an archive.
    pub fn exists(&self) -> Result<bool> {
        Ok(self.bucket.head(open::SETTINGS)?.is_some())
    }

    /// What the last commit may not have done yet: its number, which of its files may still be staged, and what it removes.
    pub fn pending(&self) -> Option<(u64, Vec<String>, Vec<String>)> {
        let known = self.known();
        let plan = known.pending.as_ref()?;
        let puts = plan.puts.iter().map(|put| put.target.clone()).collect();
        let removes = plan.removes.iter().map(|gone| gone.target.clone()).collect();
        Some((plan.commit, puts, removes))
    }

    /// Every object of the archive that is none of its own making: no record, no settings, nothing staged. By key relative to it.
    pub fn files(&self) -> Result<Vec<String>> {
        let own = |key: &str| {
            key == open::SETTINGS
                || key == open::LAST_RUN
                || record::commit_of(key).is_some()
                || key.starts_with(&format!("{}/staging/", paths::PRIVATE))
        };
        let listed = self.bucket.list("")?;
        Ok(listed
            .into_iter()
            .map(|found| found.key)
            .filter(|key| !own(key))
            .collect())
    }

    /// Writes down when runs ended.
    pub fn put_last_run(&self, json: &[u8]) -> Result<()> {
        self.bucket.put(open::LAST_RUN, json.to_vec())
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        error::show_no_more(self.mirror.path());
    }
}
