//! Every call that the store makes to the file system, so that a test can put a failing disk under it.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use super::direct::DirectFile;

/// What a path is, without following a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, wherever it leads.
    Symlink,
    /// A device, socket or pipe.
    Other,
}

/// What the store asks of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: Kind,
    /// Length in bytes.
    pub bytes: u64,
    /// The file system it is on; renames stay within one.
    pub device: u64,
}

/// A file that is being written.
pub trait DiskFile: Write + Send {
    /// Makes everything written so far durable. A failure must never be followed by another try: the kernel may have
    /// dropped what it could not write, and would answer that all is well.
    fn sync(&mut self) -> io::Result<()>;
}

/// The file system under an archive. Paths are absolute or relative to the process, as the archive was given.
pub trait Disk: fmt::Debug + Send + Sync {
    /// What `path` is; a symbolic link is not followed.
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;
    /// Bytes that may still be written to the file system of a folder, those included that are kept for root. `None` where it does not
    /// say, or where a file may take less room than it has bytes.
    fn free_bytes(&self, _folder: &Path) -> io::Result<Option<u64>> {
        Ok(None)
    }
    /// The names in a folder, sorted.
    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>>;
    /// A whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// A file from its beginning.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>>;
    /// One folder, whose parent exists and which itself does not.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// A file that does not exist yet.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// A file that does not exist yet and may become large. Some of it may not be written before it is synced.
    fn create_large(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.create(path)
    }
    /// A file that exists, written at its end.
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Writes over bytes of a file that exists.
    fn overwrite(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts a file to `bytes`.
    fn truncate(&self, path: &Path, bytes: u64) -> io::Result<()>;
    /// Makes a file's content durable, whoever wrote it. Never tried again after a failure.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable. Never tried again after a failure.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Gives a file another name in one step, in place of what has that name; or a folder, in place of an empty one.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file the time of last change that another has.
    fn copy_time(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file or a symbolic link.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
    /// The lock file, made if absent, for reading and writing. Locks belong to the operating system: always a real file.
    fn open_lock(&self, path: &Path) -> io::Result<File>;
    /// The machine's clock: here, so that a test whose disk is its own gets the same ledger each time.
    fn now(&self) -> SystemTime {
        super::failpoint::clock()
    }
}

/// The disk of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl DiskFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

impl Disk for RealDisk {
    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let found = fs::symlink_metadata(path)?;
        let kind = match found.file_type() {
            ty if ty.is_file() => Kind::File,
            ty if ty.is_dir() => Kind::Folder,
            ty if ty.is_symlink() => Kind::Symlink,
            _ => Kind::Other,
        };
        Ok(Metadata {
            kind,
            bytes: found.len(),
            device: found.dev(),
        })
    }

    #[cfg(target_os = "linux")]
    fn free_bytes(&self, folder: &Path) -> io::Result<Option<u64>> {
        use rustix::fs::{FsWord, statfs, statvfs};
        // ext2 to ext4, XFS and tmpfs (statfs(2)): others may compress, or pass on what they are told by yet others.
        const TAKE_EVERY_BYTE: [FsWord; 3] = [0xef53, 0x5846_5342, 0x0102_1994];
        let found = statvfs(folder)?;
        // A tmpfs without a limit has no blocks at all.
        let tells = found.f_blocks > 0 && TAKE_EVERY_BYTE.contains(&statfs(folder)?.f_type);
        Ok(tells.then(|| found.f_bfree.saturating_mul(found.f_frsize)))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        let mut names = fs::read_dir(folder)?
            .map(|entry| Ok(entry?.file_name()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(path)?))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(File::create_new(path)?))
    }

    fn create_large(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(DirectFile::new(File::create_new(path)?)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().append(true).open(path)?))
    }

    fn overwrite(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }

    fn truncate(&self, path: &Path, bytes: u64) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.set_len(bytes)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.sync_all()
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn copy_time(&self, from: &Path, to: &Path) -> io::Result<()> {
        let changed = fs::symlink_metadata(from)?.modified()?;
        OpenOptions::new().write(true).open(to)?.set_modified(changed)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn open_lock(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
    }
}
