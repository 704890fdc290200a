//! The report's file: whole or not there, and never inside the archive.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Permissions of a new file; what the user's umask takes away is taken away.
const MODE: u32 = 0o666;

/// A file that can be written, as far as can be told before the work.
pub struct Output {
    path: PathBuf,
    folder: PathBuf,
}

impl Output {
    /// Looks at where the file is to be.
    ///
    /// # Errors
    /// Wrong usage: it would be inside the archive, or replace what is no file.
    pub fn new(archive: &Path, path: &Path) -> Result<Self> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // The folder as it is behind links: the file itself is replaced, not followed.
        if super::super::is_inside(archive, folder) {
            return Err(Error::usage(
                path.display(),
                "is inside the archive, where everything is diurnal's own",
            )
            .hint("name a file outside with -o"));
        }
        if !folder.is_dir() {
            return Err(Error::usage(folder.display(), "there is no such folder").hint("make it first"));
        }
        match fs::symlink_metadata(path) {
            Ok(there) if there.is_dir() => {
                return Err(Error::usage(path.display(), "is a folder").hint("name a file in it"));
            }
            Ok(there) if !there.is_file() && !there.is_symlink() => {
                return Err(Error::usage(
                    path.display(),
                    "is no regular file, and would be replaced by one",
                ));
            }
            _ => {}
        }
        Ok(Self {
            path: path.to_owned(),
            folder: folder.to_owned(),
        })
    }

    /// Writes the file beside its place and moves it there.
    ///
    /// # Errors
    /// The disk's; then what was there is still there.
    pub fn write(&self, content: &[u8]) -> Result<()> {
        let failed = |error: std::io::Error| Error::io(&self.path, "write it", &error);
        let mut file = tempfile::Builder::new()
            .prefix(".diurnal-report-")
            .permissions(Permissions::from_mode(MODE))
            .tempfile_in(&self.folder)
            .map_err(failed)?;
        file.write_all(content).map_err(failed)?;
        file.persist(&self.path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}
