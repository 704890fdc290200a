//! A disk in memory that keeps what was written apart from what is durable, and dies or fails at any operation.
//!
//! It is as unkind as POSIX allows: names are durable only once their folder was synced, renames are one step but
//! in no order with others, unsynced data may be kept, dropped or torn, and a failed fsync leaves pages that are called
//! clean and never reach the disk.

mod world;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, SystemTime};

use crate::store::disk::{Disk, DiskFile, Kind, Metadata};
use world::{Content, Id, Node, Pending, World};

/// What goes wrong, at which operation (the first is 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    Nothing,
    /// This operation and all that follow do nothing and fail: the power is off.
    Crash(usize),
    /// This operation alone fails; a write stores half of its bytes first.
    Fail(usize, ErrorKind),
    /// This write stores half of its bytes, and says so.
    Short(usize),
    /// The first operation does nothing and says that all is well; the power goes off at the second.
    SkipAndCrash(usize, usize),
}

/// What a power cut leaves of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    Nothing,
    All,
    /// Some of it, by this seed.
    Some(u64),
}

#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Mutex<World>>);

impl SimDisk {
    /// A disk with the folder `/` alone.
    pub fn new() -> Self {
        Self::of(World::new())
    }

    fn of(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// From now on count operations from 0 and have this trouble.
    pub fn expect(&self, trouble: Trouble) {
        let mut world = self.world();
        world.trouble = trouble;
        world.log.clear();
    }

    /// The numbers of the operations since [`SimDisk::expect`] that change something: a power cut at any other one is
    /// the same as at the next of these.
    pub fn changes(&self) -> Vec<usize> {
        let reads = ["look at", "list", "read", "open"];
        let changes = |what: &String| !reads.iter().any(|read| what.starts_with(read));
        let log = self.log();
        (0..log.len()).filter(|at| changes(&log[*at])).collect()
    }

    /// The operations since [`SimDisk::expect`].
    pub fn log(&self) -> Vec<String> {
        self.world().log.clone()
    }

    /// The same disk once more, as it is: a process that is killed here leaves this.
    pub fn copy(&self) -> Self {
        Self::of(self.world().copy())
    }

    /// The disk after a power cut.
    pub fn reboot(&self, left: Left) -> Self {
        Self::of(self.world().reboot(left))
    }

    /// Every file as a reader sees it now.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let world = self.world();
        let content = |(path, id): (&PathBuf, &Id)| match &world.nodes[*id] {
            Node::File(content) => Some((path.to_str().unwrap().to_string(), content.data.clone())),
            Node::Folder => None,
        };
        world.names.iter().filter_map(content).collect()
    }

    /// What stands at a path, without an operation: a file's content, `Some(None)` for a folder.
    pub fn peek(&self, path: &Path) -> Option<Option<Vec<u8>>> {
        let world = self.world();
        let id = world.id(path).ok()?;
        Some(match &world.nodes[id] {
            Node::File(content) => Some(content.data.clone()),
            Node::Folder => None,
        })
    }

    /// Every path, folders before what is in them.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.world().names.keys().cloned().collect()
    }

    /// Changes a file behind the store's back.
    pub fn put(&self, path: &str, data: &[u8]) {
        let mut world = self.world();
        let id = match world.id(Path::new(path)) {
            Ok(id) => id,
            Err(_) => world.add(Path::new(path), Node::File(Content::default())).unwrap(),
        };
        *world.content(id) = Content {
            data: data.into(),
            durable: data.into(),
            lost: false,
        };
    }

    /// Puts a folder on another file system.
    pub fn mount(&self, folder: &str) {
        self.world().mounted = Some(folder.into());
    }

    /// From now on all files together may have so many bytes, `None` for as many as they like; `tells`: who asks is told how many of
    /// them are free.
    pub fn limit(&self, bytes: Option<u64>, tells: bool) {
        let mut world = self.world();
        world.room = bytes;
        world.tells_room = tells;
    }

    /// Removes a file behind the store's back.
    pub fn take(&self, path: &str) -> Vec<u8> {
        let mut world = self.world();
        let id = world.id(Path::new(path)).unwrap();
        world.remove(Path::new(path)).unwrap();
        world.content(id).data.clone()
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    path: PathBuf,
    id: Id,
}

impl Write for SimFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.world().write(self.id, &self.path, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for SimFile {
    fn sync(&mut self) -> io::Result<()> {
        self.disk.world().sync(self.id, &self.path)
    }
}

impl Disk for SimDisk {
    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let mut world = self.world();
        world.begin("look at", path)?;
        let id = world.id(path)?;
        let (kind, bytes) = match &world.nodes[id] {
            Node::Folder => (Kind::Folder, 0),
            Node::File(content) => (Kind::File, content.data.len() as u64),
        };
        let device = match &world.mounted {
            Some(mounted) if path.starts_with(mounted) => 2,
            _ => 1,
        };
        Ok(Metadata { kind, bytes, device })
    }

    fn free_bytes(&self, _: &Path) -> io::Result<Option<u64>> {
        // No operation: its failure is as good as no answer.
        let world = self.world();
        Ok(world.free().filter(|_| world.tells_room))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        let mut world = self.world();
        world.begin("list", folder)?;
        world.id(folder)?;
        let inside = |path: &&PathBuf| path.parent() == Some(folder);
        Ok(world
            .names
            .keys()
            .filter(inside)
            .map(|path| path.file_name().unwrap().into())
            .collect())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut world = self.world();
        world.begin("read", path)?;
        let id = world.id(path)?;
        Ok(world.content(id).data.clone())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        self.read(path)
            .map(|data| Box::new(Cursor::new(data)) as Box<dyn Read + Send>)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world
            .begin("make folder", path)?
            .then(|| world.add(path, Node::Folder))
            .transpose()
            .map(drop)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.world();
        world.begin("create", path)?;
        let id = world.add(path, Node::File(Content::default()))?;
        Ok(Box::new(SimFile {
            disk: self.clone(),
            path: path.into(),
            id,
        }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.world();
        world.begin("open", path)?;
        let id = world.id(path)?;
        Ok(Box::new(SimFile {
            disk: self.clone(),
            path: path.into(),
            id,
        }))
    }

    fn overwrite(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.world();
        if world.begin("overwrite", path)? {
            let id = world.id(path)?;
            let content = world.content(id);
            content.data[offset as usize..][..bytes.len()].copy_from_slice(bytes);
            content.lost = false;
        }
        Ok(())
    }

    fn truncate(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let mut world = self.world();
        if world.begin("truncate", path)? {
            let id = world.id(path)?;
            let content = world.content(id);
            content.data.truncate(bytes as usize);
            content.lost = false;
        }
        Ok(())
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        let id = world.id(path)?;
        world.sync(id, path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        match world.begin("sync folder", path)? {
            true => world.sync_folder(path),
            false => Ok(()),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        if world.begin("rename to", to)? {
            world.id(to.parent().unwrap())?;
            let id = world.id(from)?;
            if matches!(world.nodes[id], Node::Folder) && world.names.keys().any(|name| name.parent() == Some(to)) {
                return Err(ErrorKind::DirectoryNotEmpty.into());
            }
            let step = Pending::Rename(from.into(), to.into(), id);
            step.apply(&mut world.names);
            world.pending.push(step);
        }
        Ok(())
    }

    fn copy_time(&self, _: &Path, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world
            .begin("remove", path)?
            .then(|| world.remove(path))
            .transpose()
            .map(drop)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        if !world.begin("remove folder", path)? {
            return Ok(());
        }
        match world.names.keys().any(|name| name.parent() == Some(path)) {
            true => Err(ErrorKind::DirectoryNotEmpty.into()),
            false => world.remove(path),
        }
    }

    fn open_lock(&self, path: &Path) -> io::Result<File> {
        self.world().begin("open lock", path)?;
        // One for all: a lock that is never refused, and costs no file each time.
        static LOCK: OnceLock<File> = OnceLock::new();
        LOCK.get_or_init(|| tempfile::tempfile().unwrap()).try_clone()
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_592_611_200)
    }
}
