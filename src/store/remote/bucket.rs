//! Calls to an object store, one at a time for who calls, each with an error that names the object, the cause and what to do.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path as Key;
use object_store::{
    Error as StoreError, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion,
};
use serde::{Deserialize, Serialize};

use super::failure;
use super::parts::Completions;
use crate::error::{Error, Result};
use crate::store::failpoint;

/// Bytes of a file that are read and sent at once: S3 takes parts of no less than 5 MiB, and 10,000 of them.
const PART_BYTES: u64 = 32 << 20;
/// Larger objects are written in parts under a condition too, where the store can do that. A part of a whole one waits in memory.
const WHOLE_BYTES: u64 = 64 << 20;
/// The largest object that is written as a whole under a condition: it waits in memory.
const MOST_WHOLE_BYTES: u64 = 2 << 30;
/// The largest object that is written in parts: S3 takes 10,000 of them.
const MOST_BYTES: u64 = 10_000 * PART_BYTES;
/// Bytes of such an object in one piece of memory.
const PIECE_BYTES: usize = 1 << 20;

/// A folder of a bucket. Keys are relative to it.
pub(super) struct Bucket {
    store: Arc<dyn ObjectStore>,
    completions: Option<Completions>,
    /// As the user gave it: `s3://bucket/prefix`.
    url: String,
    prefix: String,
}

/// What tells an object from what is written over it later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Version {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e_tag: Option<String>,
    /// Google Cloud Storage: the generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// An object that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Relative to the prefix.
    pub key: String,
    pub bytes: u64,
    pub changed: SystemTime,
    pub version: Version,
}

/// When an object is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// There is none of that name.
    Absent,
    /// The one that is there is this one.
    Is(Version),
}

/// What became of a conditional write.
#[derive(Debug)]
pub(super) enum Put {
    Done,
    /// The store says that the condition does not hold: or it did, and what it says is of a try that was repeated.
    Refused,
    /// The store did not take it, and never will: no permission, no bucket.
    Denied(Error),
    /// Nobody knows.
    Unknown(Error),
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The store's own text may have more than it should.
        write!(f, "Bucket({})", self.url)
    }
}

/// The one runtime of the process: object stores are spoken to asynchronously, the program is not.
fn runtime() -> Result<&'static tokio::runtime::Runtime> {
    static RUNTIME: OnceLock<io::Result<tokio::runtime::Runtime>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("objects")
            .enable_all()
            .build()
    });
    made.as_ref()
        .map_err(|error| Error::new("object store", format_args!("its threads cannot be started: {error}")))
}

fn wait<T>(call: impl Future<Output = T>) -> Result<T> {
    Ok(runtime()?.block_on(call))
}

impl Bucket {
    pub fn new(store: Arc<dyn ObjectStore>, completions: Option<Completions>, url: &str, prefix: &str) -> Self {
        Self {
            store,
            completions,
            url: url.trim_end_matches('/').to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// What messages call an object.
    pub fn name(&self, key: &str) -> String {
        format!("{}/{key}", self.url)
    }

    fn key(&self, key: &str) -> Result<Key> {
        let whole = match self.prefix.is_empty() {
            true => key.to_owned(),
            false => format!("{}/{key}", self.prefix),
        };
        // Not `from`, which would encode the `%` of encoded names once more.
        Key::parse(whole).map_err(|error| Error::usage(self.name(key), error))
    }

    fn failed(&self, key: &str, doing: &str, error: &StoreError) -> Error {
        failure::told(&self.name(key), doing, error)
    }

    fn found(&self, key: &str, meta: ObjectMeta) -> Found {
        Found {
            key: key.to_owned(),
            bytes: meta.size,
            changed: meta.last_modified.into(),
            version: Version {
                e_tag: meta.e_tag,
                version: meta.version,
            },
        }
    }

    /// What is known of an object; `None` where there is none.
    pub fn head(&self, key: &str) -> Result<Option<Found>> {
        match wait(self.store.head(&self.key(key)?))? {
            Ok(meta) => Ok(Some(self.found(key, meta))),
            Err(error) if failure::is_absent(&error) => Ok(None),
            Err(error) => Err(self.failed(key, "look at it", &error)),
        }
    }

    /// A small object.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let path = self.key(key)?;
        let got = wait(async { self.store.get(&path).await?.bytes().await })?;
        match got {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(error) if failure::is_absent(&error) => Ok(None),
            Err(error) => Err(self.failed(key, "read it", &error)),
        }
    }

    /// Writes an object to a new file.
    pub fn get_to(&self, key: &str, file: &Path) -> Result<Option<Found>> {
        let path = self.key(key)?;
        let got = match wait(self.store.get(&path))? {
            Ok(got) => got,
            Err(error) if failure::is_absent(&error) => return Ok(None),
            Err(error) => return Err(self.failed(key, "read it", &error)),
        };
        let found = self.found(key, got.meta.clone());
        let write = |error: io::Error| Error::io(file, "write a local copy", &error);
        let mut output = File::create_new(file).map_err(write)?;
        let mut stream = got.into_stream();
        while let Some(part) = wait(stream.next())? {
            let part = part.map_err(|error| self.failed(key, "read it", &error))?;
            output.write_all(&part).map_err(write)?;
        }
        output.set_modified(found.changed).map_err(write)?;
        Ok(Some(found))
    }

    /// Every object whose key begins with `folder/`; with the empty folder all of them.
    pub fn list(&self, folder: &str) -> Result<Vec<Found>> {
        let prefix = match (self.prefix.as_str(), folder) {
            ("", "") => None,
            (_, "") => Some(Key::parse(&self.prefix).map_err(|error| Error::usage(&self.url, error))?),
            _ => Some(self.key(folder)?),
        };
        let listed = wait(self.store.list(prefix.as_ref()).try_collect::<Vec<ObjectMeta>>())?;
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => return Err(self.failed(folder, "list it", &error)),
        };
        let mut found: Vec<Found> = listed
            .into_iter()
            .filter_map(|meta| {
                let whole: &str = meta.location.as_ref();
                let key = match self.prefix.as_str() {
                    "" => whole.to_owned(),
                    prefix => whole.strip_prefix(prefix)?.strip_prefix('/')?.to_owned(),
                };
                Some(self.found(&key, meta))
            })
            .collect();
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    /// Writes an object, whatever is there.
    pub fn put(&self, key: &str, bytes: Vec<u8>) -> Result<()> {
        let path = self.key(key)?;
        match wait(self.store.put(&path, bytes.into()))? {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(key, "write it", &error)),
        }
    }

    /// The largest object that can be written under a condition.
    pub fn most_conditional_bytes(&self) -> u64 {
        match self.completions {
            Some(_) => MOST_BYTES,
            None => MOST_WHOLE_BYTES,
        }
    }

    /// Whether a file of this length is written in parts where there is a condition.
    pub fn in_parts(&self, bytes: u64) -> bool {
        self.completions.is_some() && bytes > failpoint::part_bytes().unwrap_or(WHOLE_BYTES)
    }

    /// Writes a file of any length as an object, whatever is there, part by part.
    pub fn upload(&self, key: &str, file: &Path, bytes: u64) -> Result<()> {
        let path = self.key(key)?;
        if bytes <= PART_BYTES {
            let read = || read_part(&mut File::open(file)?, bytes);
            return self.put(key, read().map_err(|error| Error::io(file, "read it", &error))?);
        }
        match self.upload_parts(&path, file)? {
            Ok(()) => Ok(()),
            Err(error) => Err(self.failed(key, "upload it", &error)),
        }
    }

    fn upload_parts(&self, path: &Key, file: &Path) -> Result<Result<(), StoreError>> {
        let read = |error: io::Error| Error::io(file, "read it", &error);
        let mut input = File::open(file).map_err(read)?;
        let mut left = input.metadata().map_err(read)?.len();
        let mut upload = match wait(self.store.put_multipart(path))? {
            Ok(upload) => upload,
            Err(error) => return Ok(Err(error)),
        };
        // Parts of an upload that is given up cost money until somebody removes them.
        while left > 0 {
            let part = match read_part(&mut input, left.min(PART_BYTES)) {
                Ok(part) => part,
                Err(error) => {
                    let _ = wait(upload.abort());
                    return Err(read(error));
                }
            };
            left -= part.len() as u64;
            if let Err(error) = wait(upload.put_part(part.into()))? {
                let _ = wait(upload.abort());
                return Ok(Err(error));
            }
        }
        let completed = wait(upload.complete())?;
        if completed.as_ref().is_err_and(failure::is_refused) {
            let _ = wait(upload.abort());
        }
        Ok(completed.map(|_| ()))
    }

    /// Writes bytes as an object if the condition holds.
    pub fn put_if(&self, key: &str, payload: PutPayload, condition: &Condition) -> Put {
        let path = match self.key(key) {
            Ok(path) => path,
            Err(error) => return Put::Denied(error),
        };
        let mode = match condition {
            Condition::Absent => PutMode::Create,
            Condition::Is(version) => PutMode::Update(UpdateVersion {
                e_tag: version.e_tag.clone(),
                version: version.version.clone(),
            }),
        };
        let options = PutOptions {
            mode,
            ..PutOptions::default()
        };
        match wait(self.store.put_opts(&path, payload, options)) {
            Ok(put) => self.became(key, put.map(|_| ())),
            Err(error) => Put::Denied(error),
        }
    }

    fn became(&self, key: &str, put: Result<(), StoreError>) -> Put {
        match put {
            Ok(()) => Put::Done,
            Err(error) if failure::is_refused(&error) => Put::Refused,
            Err(error) => {
                let told = self.failed(key, "write it", &error);
                match failure::is_definite(&error) {
                    true => Put::Denied(told),
                    false => Put::Unknown(told),
                }
            }
        }
    }

    /// [`Bucket::put_if`] of a file.
    pub fn put_file_if(&self, key: &str, file: &Path, condition: &Condition) -> Put {
        let bytes = file.metadata().map_or(0, |found| found.len());
        if self.in_parts(bytes) {
            return self.put_parts_if(key, file, condition);
        }
        match payload(file) {
            Ok(payload) => self.put_if(key, payload, condition),
            Err(error) => Put::Denied(Error::io(file, "read it", &error)),
        }
    }

    /// [`Bucket::put_file_if`], whatever its length, in parts.
    pub fn put_parts_if(&self, key: &str, file: &Path, condition: &Condition) -> Put {
        let (path, completions) = match (self.key(key), &self.completions) {
            (Ok(path), Some(completions)) => (path, completions),
            (Err(error), _) => return Put::Denied(error),
            (_, None) => return Put::Denied(Error::new(self.name(key), "the store takes no parts under a condition")),
        };
        completions.expect(path.as_ref(), condition);
        let put = self.upload_parts(&path, file);
        completions.forget(path.as_ref());
        match put {
            // The upload is gone: an earlier try may have completed it. Or what is to be replaced is.
            Ok(Err(StoreError::NotFound { .. })) => Put::Refused,
            Ok(put) => self.became(key, put),
            Err(error) => Put::Denied(error),
        }
    }

    /// Removes an object; one that is gone is none to remove.
    pub fn delete(&self, key: &str) -> Result<()> {
        self.delete_all(&[key.to_owned()], || {})
    }

    /// [`Bucket::delete`] of many, in few requests where the store can do that; says so of each.
    pub fn delete_all(&self, keys: &[String], deleted: impl Fn()) -> Result<()> {
        let paths: Vec<Key> = keys.iter().map(|key| self.key(key)).collect::<Result<_>>()?;
        let mut results = self
            .store
            .delete_stream(stream::iter(paths.into_iter().map(Ok)).boxed());
        // Some stores give them in another order: an error tells its object itself.
        while let Some(result) = wait(results.next())? {
            match result {
                Ok(_) => deleted(),
                Err(error) if failure::is_absent(&error) => deleted(),
                Err(error) => {
                    let first = keys.first().map_or("", String::as_str);
                    return Err(self.failed(first, "remove it", &error));
                }
            }
        }
        Ok(())
    }
}

fn read_part(input: &mut File, bytes: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut part = vec![0; length];
    input.read_exact(&mut part)?;
    Ok(part)
}

/// A whole file in memory, in pieces.
fn payload(file: &Path) -> io::Result<PutPayload> {
    let mut input = File::open(file)?;
    let mut pieces: Vec<Bytes> = Vec::new();
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        io::Read::by_ref(&mut input)
            .take(PIECE_BYTES as u64)
            .read_to_end(&mut piece)?;
        if piece.is_empty() {
            return Ok(pieces.into_iter().collect());
        }
        pieces.push(piece.into());
    }
}
