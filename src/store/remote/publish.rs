//! A commit in a bucket, step by step.
//!
//! 1. Its files are uploaded to `_diurnal/staging/RUN/COMMIT/`, and behind them the marker.
//! 2. The record is written on the condition that there is none of that number: the commit point, and the lock.
//! 3. Each file is written to its key, on the condition that what is there is what it replaces. What the commit removes is removed.
//! 4. The staged objects are removed, the marker last.
//!
//! Whatever stops it after the second step, the next run goes on with the third, as any other run may at any moment: whoever comes
//! second finds the condition broken and the work done. A run that was asleep meanwhile overwrites nothing newer, for the same reason.
//! No commit is made before the one before it is carried out. An answer that is lost, or none, is never taken for one: what is there
//! is read back and compared, and a record has the name of its run in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rayon::prelude::*;

use super::Remote;
use super::bucket::{Condition, Found, Put};
use super::record::{self, Plan, Remove, Replace};
use crate::error::{Error, Result};
use crate::store::disk::{Disk, RealDisk};
use crate::store::manifest::{self, Manifest};
use crate::store::staging::unlike_record;
use crate::store::{archive, failpoint, state};

/// How often a write is tried again whose answer was lost.
const TRIES: u32 = 4;
/// How much longer each try waits than the one before.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 0 } else { 200 });
/// What is staged for longer than this, without a record, is of a run that is dead.
const DEAD_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// What was staged longer ago than this is not committed any more: another run might take it for dead.
const COMMITTED_WITHIN: Duration = Duration::from_secs(12 * 60 * 60);
/// Files of more bytes are written one after the other, since each waits in memory.
const LARGE_BYTES: u64 = 8 << 20;

/// How often a publisher that was told no looks again.
const LOOKS: u32 = 5;

/// A commit whose files are in the bucket, but on no record.
#[derive(Debug)]
pub(in crate::store) struct Uploaded {
    plan: Plan,
    at: Instant,
}

impl Remote {
    /// What a commit replaces must be what the ledger says. What is there is remembered: only that will be replaced.
    pub fn check_replaced(&self, target: &str, recorded: Option<u64>) -> Result<()> {
        let found = self.bucket.head(target)?;
        let object = found.as_ref().map(|found| (true, found.bytes));
        if let Some(cause) = unlike_record(object, recorded) {
            let error = Error::damaged(self.bucket.name(target), cause);
            return Err(match self.has_moved_on()? {
                true => self.overtaken(),
                false => error.hint(
                    "run `diurnal verify`; then restore the object or the ledger from a backup, or move a foreign object away",
                ),
            });
        }
        let version = found.map(|found| found.version);
        if version
            .as_ref()
            .is_some_and(|version| version.e_tag.is_none() && version.version.is_none())
        {
            return Err(Error::new(
                self.bucket.name(target),
                "the store gives no ETag, without which nothing can be replaced safely",
            ));
        }
        self.known().there.insert(target.to_owned(), version);
        Ok(())
    }

    pub(super) fn overtaken(&self) -> Error {
        let next = self.known().last + 1;
        Error::locked(
            self.url(),
            format_args!("another run made commit {next} meanwhile, so this one's was not made"),
        )
        .hint("nothing of it was archived; run again")
    }

    /// Step 1. Of what fails here nothing is left but objects that the next day's run removes.
    ///
    /// # Errors
    /// A file is too large to be written under a condition; the store's.
    pub fn upload(&self, manifest: &Manifest, folder: &Path) -> Result<Uploaded> {
        let plan = self.plan(manifest)?;
        let most = self.bucket.most_conditional_bytes();
        if let Some(put) = plan.puts.iter().find(|put| put.bytes > most) {
            return Err(Error::new(
                self.bucket.name(&put.target),
                format_args!(
                    "has {} bytes, and an object is replaced safely with {most} at most",
                    put.bytes
                ),
            )
            .hint("archive to a folder, or without CSV (--formats parquet, when the archive is made)"));
        }
        if plan.puts.iter().any(|put| self.bucket.in_parts(put.bytes)) {
            self.ensure_conditions_of_parts()?;
        }
        let at = Instant::now();
        let bytes: u64 = plan.puts.iter().map(|put| put.bytes).sum();
        log::debug!(
            "uploading {} files with {bytes} bytes to {}",
            plan.puts.len(),
            self.bucket.name(&plan.folder())
        );
        let staged = self
            .each(&plan, |put| {
                self.bucket
                    .upload(&plan.staged(put), &folder.join(&put.staged), put.bytes)?;
                failpoint::reach("bucket-staged");
                Ok(())
            })
            .and_then(|()| {
                let path = manifest::path(&self.layout, manifest.commit);
                let text = fs::read(&path).map_err(|error| Error::io(&path, "read the manifest", &error))?;
                self.bucket.put(&plan.marker(), text)
            });
        let uploaded = Uploaded { plan, at };
        match staged {
            Ok(()) => {
                failpoint::reach("bucket-marked");
                Ok(uploaded)
            }
            Err(error) => {
                // What stays goes with a run of another day.
                let _ = self.clear(&uploaded.plan);
                Err(error)
            }
        }
    }

    fn plan(&self, manifest: &Manifest) -> Result<Plan> {
        let there = std::mem::take(&mut self.known().there);
        let unseen = |target: &str| Error::new(target, "was not looked at before it was staged");
        let puts = manifest.files.iter().map(|file| {
            let seen = there.get(&file.target).ok_or_else(|| unseen(&file.target))?;
            Ok(Replace {
                target: file.target.clone(),
                staged: file.staged.clone(),
                bytes: file.bytes,
                replaces: seen.clone(),
            })
        });
        let removes = manifest.removes.iter().map(|file| {
            let seen = there.get(&file.target).cloned().flatten();
            Ok(Remove {
                target: file.target.clone(),
                is: seen.ok_or_else(|| unseen(&file.target))?,
            })
        });
        Ok(Plan {
            run: self.run.clone(),
            commit: manifest.commit,
            puts: puts.collect::<Result<Vec<_>>>()?,
            removes: removes.collect::<Result<Vec<_>>>()?,
        })
    }

    /// Does something for each file: small ones together.
    fn each(&self, plan: &Plan, act: impl Fn(&Replace) -> Result<()> + Sync) -> Result<()> {
        let (large, small): (Vec<&Replace>, Vec<&Replace>) = plan.puts.iter().partition(|put| put.bytes > LARGE_BYTES);
        small.par_iter().try_for_each(|put| act(put))?;
        large.into_iter().try_for_each(act)
    }

    /// Step 2: the commit point. `lines` are the ledger's: of the commit, and before it of the state where it begins a segment.
    ///
    /// # Errors
    /// Another run made a commit meanwhile: nothing of this one happened. Where nobody can tell, the error says so.
    pub fn put_record(&self, uploaded: &Uploaded, lines: &[u8]) -> Result<()> {
        let plan = &uploaded.plan;
        let forget = |error: Error| {
            let _ = self.clear(plan);
            error
        };
        if uploaded.at.elapsed() > COMMITTED_WITHIN {
            return Err(forget(
                Error::new(
                    self.url(),
                    "this run stood still for so long that others may take it for dead",
                )
                .hint("nothing of the commit happened; run again"),
            ));
        }
        let record = record::render(lines, plan)?;
        let key = record::key(plan.commit);
        let mut failed = None;
        for attempt in 0..TRIES {
            std::thread::sleep(PAUSE * attempt);
            failpoint::reach("bucket-record");
            let put = self.bucket.put_if(&key, record.clone().into(), &Condition::Absent);
            let (error, definite) = match put {
                Put::Done => {
                    failpoint::reach("bucket-recorded");
                    self.known().last = plan.commit;
                    return Ok(());
                }
                Put::Refused => (None, false),
                Put::Denied(error) => (Some(error), true),
                Put::Unknown(error) => (Some(error), false),
            };
            // A try that was answered with no may have followed one that was taken and not answered.
            match self.bucket.get(&key) {
                Ok(Some(there)) if there == record => {
                    self.known().last = plan.commit;
                    return Ok(());
                }
                Ok(Some(_)) => return Err(forget(self.overtaken())),
                Ok(None) if definite && attempt == 0 => {
                    let error = error.unwrap_or_else(|| self.overtaken());
                    return Err(forget(error));
                }
                Ok(None) => failed = error.or(failed),
                Err(unread) => failed = Some(error.unwrap_or(unread)),
            }
        }
        // What is staged has to stay: the record may still come to be.
        let cause = failed.map_or_else(String::new, |error| format!(": {}", error.cause()));
        Err(Error::new(
            self.bucket.name(&key),
            format_args!("whether commit {} stands is not known{cause}", plan.commit),
        )
        .hint("the next run finds out, and completes it if it does; just run again"))
    }

    /// Steps 3 and 4, from the files of the mirror, which are in their places there.
    ///
    /// # Errors
    /// The commit stands, and is not carried out.
    pub fn carry_out(&self, uploaded: &Uploaded) -> Result<()> {
        self.publish(&uploaded.plan, &BTreeSet::new())?;
        self.clear(&uploaded.plan)?;
        failpoint::reach("bucket-done");
        Ok(())
    }

    /// Completes the commit that the ledger in the mirror ends with. `false` where another run did and made the next one.
    pub(super) fn roll_forward(&self, plan: &Plan) -> Result<bool> {
        failpoint::reach("bucket-recovery");
        log::debug!("completing commit {} of {}", plan.commit, self.url());
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let loaded = archive::load_ledger(&*disk, &self.layout)?;
        let commit = loaded
            .last
            .filter(|commit| commit.id == plan.commit)
            .ok_or_else(|| self.lost(plan, self.url(), "its record is not what the ledger ends with"))?;
        let targets = state::targets(&commit);
        let mut done = BTreeSet::new();
        for put in &plan.puts {
            let target = targets.iter().find(|target| target.path() == put.target);
            let target = target.ok_or_else(|| self.lost(plan, &put.target, "the commit's record does not name it"))?;
            let path = self.layout.target(&put.target);
            let _ = fs::remove_file(&path);
            let staged = self.fetch_from(&plan.staged(put), &path)?;
            if !staged {
                // Who removes what is staged has written all of it to its place.
                if self.is_newer(plan)? {
                    return Ok(false);
                }
                if !self.fetch_from(&put.target, &path)? {
                    return Err(self.lost(plan, &put.target, "neither what was staged nor the object is there"));
                }
            }
            if let Some(problem) = target.problems(&*disk, &path).first() {
                if self.is_newer(plan)? {
                    return Ok(false);
                }
                let what = if staged {
                    "what was staged for it"
                } else {
                    "what is there"
                };
                return Err(self.lost(plan, &put.target, &format!("{what} is damaged: {problem}")));
            }
            if !staged {
                done.insert(put.target.clone());
            }
        }
        if !self.publish(plan, &done)? {
            return Ok(false);
        }
        self.clear(plan)?;
        failpoint::reach("bucket-recovered");
        Ok(true)
    }

    fn lost(&self, plan: &Plan, target: &str, problem: &str) -> Error {
        Error::damaged(
            self.bucket.name(target),
            format_args!("commit {} is on record but cannot be completed: {problem}", plan.commit),
        )
        .hint("restore the archive from a backup; nothing was touched")
    }

    /// Whether a commit was made after this one: then this one is carried out.
    fn is_newer(&self, plan: &Plan) -> Result<bool> {
        Ok(self.bucket.head(&record::key(plan.commit + 1))?.is_some())
    }

    /// Step 3, for what is not `done`. `false` where another run did it and made the next commit.
    fn publish(&self, plan: &Plan, done: &BTreeSet<String>) -> Result<bool> {
        let overtaken = std::sync::atomic::AtomicBool::new(false);
        let note = |newer: bool| overtaken.fetch_or(newer, std::sync::atomic::Ordering::Relaxed);
        self.each(plan, |put| {
            if done.contains(&put.target) {
                return Ok(());
            }
            note(!self.publish_one(plan, put)?);
            failpoint::reach("bucket-published");
            Ok(())
        })?;
        for gone in &plan.removes {
            note(!self.remove_one(plan, gone)?);
            failpoint::reach("bucket-removed");
        }
        Ok(!overtaken.into_inner())
    }

    fn publish_one(&self, plan: &Plan, put: &Replace) -> Result<bool> {
        let path = self.layout.target(&put.target);
        let mut failed = None;
        for attempt in 0..LOOKS {
            std::thread::sleep(PAUSE * attempt);
            // The condition does not see that the same bytes came back, or that a newer commit removed them: this does.
            if self.is_newer(plan)? {
                return Ok(false);
            }
            failpoint::reach("bucket-publish");
            match self.bucket.put_file_if(&put.target, &path, &put.condition()) {
                Put::Done => {
                    log::debug!("wrote {} ({} bytes)", self.bucket.name(&put.target), put.bytes);
                    return Ok(true);
                }
                Put::Denied(error) => return Err(error),
                Put::Unknown(error) => failed = Some(error),
                Put::Refused => {}
            }
            if self.is_there(put, &path)? {
                return Ok(true);
            }
        }
        if self.is_newer(plan)? {
            return Ok(false);
        }
        Err(failed.unwrap_or_else(|| {
            Error::damaged(
                self.bucket.name(&put.target),
                "is neither what the commit replaces nor what it wrote: something else writes to this archive",
            )
            .hint("find out what does; `diurnal verify` tells what is wrong now")
        }))
    }

    /// Whether the object is what the file is, byte for byte.
    fn is_there(&self, put: &Replace, path: &Path) -> Result<bool> {
        let there = self.bucket.head(&put.target)?;
        if there.is_none_or(|found| found.bytes != put.bytes) {
            return Ok(false);
        }
        let copy = self.mirror.path().join(format!("compared-{}", put.staged));
        let _ = fs::remove_file(&copy);
        let got = self.bucket.get_to(&put.target, &copy);
        let same = got.and_then(|got| match got {
            Some(_) => same_bytes(&copy, path).map_err(|error| Error::io(path, "read it", &error)),
            None => Ok(false),
        });
        let _ = fs::remove_file(&copy);
        same
    }

    /// Object stores remove under no condition, so it is looked at what is there just before.
    fn remove_one(&self, plan: &Plan, gone: &Remove) -> Result<bool> {
        let there = self.bucket.head(&gone.target)?;
        if self.is_newer(plan)? {
            return Ok(false);
        }
        match there {
            None => Ok(true),
            Some(found) if found.version == gone.is => {
                failpoint::reach("bucket-remove");
                self.bucket.delete(&gone.target)?;
                log::debug!("removed {}", self.bucket.name(&gone.target));
                Ok(true)
            }
            Some(_) => Err(Error::damaged(
                self.bucket.name(&gone.target),
                "is not what the commit is to remove: something else writes to this archive",
            )
            .hint("find out what does, and move the object away; then run again")),
        }
    }

    /// Step 4.
    fn clear(&self, plan: &Plan) -> Result<()> {
        let mut keys: Vec<String> = plan.puts.iter().map(|put| plan.staged(put)).collect();
        keys.sort();
        self.bucket.delete_all(&keys, || failpoint::reach("bucket-cleared"))?;
        self.bucket.delete(&plan.marker())
    }

    /// Removes what is staged for commits that are made, and what has been there for too long for a run that lives. How many objects
    /// of no commit.
    pub(super) fn discard(&self, staged: &[Found], last: Option<&Plan>) -> Result<usize> {
        let last = last.map_or(0, |plan| plan.commit);
        let now = SystemTime::now();
        let newest = |run: &str, commit: u64| {
            let of_it = staged
                .iter()
                .filter(|found| record::staged_of(&found.key) == Some((run, commit)));
            of_it.map(|found| found.changed).max()
        };
        let is_dead = |found: &Found| match record::staged_of(&found.key) {
            // It is carried out, or lost the race for its number.
            Some((_, commit)) if commit <= last => true,
            Some((run, commit)) => newest(run, commit)
                .and_then(|changed| now.duration_since(changed).ok())
                .is_some_and(|age| age > DEAD_AFTER),
            None => now.duration_since(found.changed).is_ok_and(|age| age > DEAD_AFTER),
        };
        let dead: Vec<String> = staged
            .iter()
            .filter(|found| is_dead(found))
            .map(|found| found.key.clone())
            .collect();
        self.bucket
            .delete_all(&dead, || failpoint::reach("bucket-debris-removed"))?;
        Ok(dead.len())
    }
}

fn same_bytes(one: &Path, other: &Path) -> std::io::Result<bool> {
    let hash = |path: &Path| -> std::io::Result<blake3::Hash> {
        let mut hasher = blake3::Hasher::new();
        std::io::copy(&mut fs::File::open(path)?, &mut hasher)?;
        Ok(hasher.finalize())
    };
    Ok(hash(one)? == hash(other)?)
}
