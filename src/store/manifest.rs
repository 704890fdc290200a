//! `staging/000042/manifest.json`: which staged file becomes which file of the archive.
//!
//! It is durable before the ledger's record is written, so it tells a torn record from a damaged one, and a run that
//! died after the commit point which files to move.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::disk::{Disk, Kind};
use super::paths::{self, Layout};
use crate::error::{Error, Result};

/// Its name in the staging folder.
pub(super) const NAME: &str = "manifest.json";

/// The files of one commit that is being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// The commit's id, which is its folder's name too.
    pub commit: u64,
    /// The command that makes it.
    pub command: String,
    pub files: Vec<StagedEntry>,
    /// Files that the commit removes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removes: Vec<Removal>,
}

/// A file of the archive that goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Removal {
    /// Path relative to the archive.
    pub target: String,
    pub bytes: u64,
}

/// One staged file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StagedEntry {
    /// Path relative to the archive.
    pub target: String,
    /// Name in the staging folder.
    pub staged: String,
    pub bytes: u64,
    /// BLAKE3 of the whole file, hexadecimal; none of a day file, of which the commit's record has one for each leaf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

impl Manifest {
    /// Reads the manifest of a commit; `None` if there is none.
    ///
    /// # Errors
    /// A manifest that diurnal would not have written.
    pub fn read(disk: &dyn Disk, layout: &Layout, commit: u64) -> Result<Option<Self>> {
        let path = path(layout, commit);
        let bytes = match disk.read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(&path, "read the manifest", &error)),
        };
        Self::parse(&bytes, commit).map(Some).map_err(|problem| {
            Error::damaged(path.display(), format_args!("the manifest is damaged: {problem}"))
                .hint("restore the archive from a backup; nothing was touched")
        })
    }

    fn parse(bytes: &[u8], commit: u64) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if manifest.commit != commit {
            return Err(format!("it is that of commit {}", manifest.commit));
        }
        let mut targets = BTreeSet::new();
        for file in &manifest.files {
            if !paths::is_target(&file.target) || !targets.insert(&file.target) {
                return Err(format!("`{}` is no file that a commit writes", file.target));
            }
            if file.staged.contains('/') || !file.staged.ends_with(paths::STAGED_SUFFIX) {
                return Err(format!("`{}` is no staged file", file.staged));
            }
        }
        for file in &manifest.removes {
            if !paths::is_target(&file.target) || !targets.insert(&file.target) {
                return Err(format!("`{}` is no file that a commit removes", file.target));
            }
        }
        Ok(manifest)
    }

    /// Whether every file is still in the staging folder, and all that is to be removed still in its place: nothing can have
    /// been done.
    pub fn is_whole(&self, disk: &dyn Disk, layout: &Layout) -> bool {
        let folder = layout.staging_of(self.commit);
        let is_there = |path: &Path, bytes: u64| {
            disk.metadata(path)
                .is_ok_and(|found| found.kind == Kind::File && found.bytes == bytes)
        };
        self.files
            .iter()
            .all(|file| is_there(&folder.join(&file.staged), file.bytes))
            && self
                .removes
                .iter()
                .all(|file| is_there(&layout.target(&file.target), file.bytes))
    }
}

/// The manifest's path.
pub(super) fn path(layout: &Layout, commit: u64) -> PathBuf {
    layout.staging_of(commit).join(NAME)
}

/// Whether a commit still has its staging folder.
pub(super) fn has_staging(disk: &dyn Disk, layout: &Layout, commit: u64) -> Result<bool> {
    kind(disk, &layout.staging_of(commit)).map(|found| found == Some(Kind::Folder))
}

/// Whether `path` is there, whatever it is.
pub(super) fn exists(disk: &dyn Disk, path: &Path) -> Result<bool> {
    kind(disk, path).map(|found| found.is_some())
}

fn kind(disk: &dyn Disk, path: &Path) -> Result<Option<Kind>> {
    match disk.metadata(path) {
        Ok(found) => Ok(Some(found.kind)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(path, "look at it", &error)),
    }
}
