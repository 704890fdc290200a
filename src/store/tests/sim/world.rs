//! What the simulated disk holds: names and contents, each as it is and as a power cut would leave it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::{Left, Trouble};
use crate::store::failpoint;

pub type Id = usize;

#[derive(Clone, Debug)]
pub enum Node {
    Folder,
    File(Content),
}

#[derive(Clone, Debug, Default)]
pub struct Content {
    pub data: Vec<u8>,
    pub durable: Vec<u8>,
    /// After a failed fsync: pages that differ from the disk, but are taken for synced.
    pub lost: bool,
}

#[derive(Clone, Debug)]
pub enum Pending {
    Add(PathBuf, Id),
    Remove(PathBuf, Id),
    Rename(PathBuf, PathBuf, Id),
}

#[derive(Debug)]
pub struct World {
    pub nodes: Vec<Node>,
    pub names: BTreeMap<PathBuf, Id>,
    pub durable: BTreeMap<PathBuf, Id>,
    pub pending: Vec<Pending>,
    pub trouble: Trouble,
    pub log: Vec<String>,
    /// A folder on another file system.
    pub mounted: Option<PathBuf>,
    /// Bytes that all files may have together.
    pub room: Option<u64>,
    /// Whether it says how many of them are free.
    pub tells_room: bool,
}

impl Pending {
    fn touches(&self, folder: &Path) -> bool {
        match self {
            Self::Add(path, _) | Self::Remove(path, _) => path.parent() == Some(folder),
            Self::Rename(from, to, _) => from.parent() == Some(folder) || to.parent() == Some(folder),
        }
    }

    pub fn apply(&self, names: &mut BTreeMap<PathBuf, Id>) {
        let mut remove = |path: &Path, id: &Id| {
            if names.get(path) == Some(id) {
                names.remove(path);
            }
        };
        match self {
            Self::Add(path, id) => drop(names.insert(path.clone(), *id)),
            Self::Remove(path, id) => remove(path, id),
            Self::Rename(from, to, id) => {
                remove(from, id);
                names.insert(to.clone(), *id);
                // A folder takes what is in it along.
                let inside: Vec<PathBuf> = names.keys().filter(|name| name.starts_with(from)).cloned().collect();
                for name in inside {
                    let moved = to.join(name.strip_prefix(from).expect("it starts so"));
                    if let Some(id) = names.remove(&name) {
                        names.insert(moved, id);
                    }
                }
            }
        }
    }
}

/// Small, seeded and good enough to pick from a few choices.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}

impl Content {
    fn after_a_crash(&self, left: Left) -> Vec<u8> {
        match left {
            _ if self.lost => self.durable.clone(),
            Left::Nothing => self.durable.clone(),
            Left::All => self.data.clone(),
            Left::Some(mut seed) => match self.data.strip_prefix(&self.durable[..]) {
                Some(new) if !new.is_empty() => {
                    let kept = random(&mut seed) as usize % (new.len() + 1);
                    let mut torn = self.data.clone();
                    match random(&mut seed) % 2 {
                        0 => torn.truncate(self.durable.len() + kept),
                        // The length was kept, the rest of the data was not.
                        _ => torn[self.durable.len() + kept..].fill(0),
                    }
                    torn
                }
                _ if random(&mut seed).is_multiple_of(2) => self.durable.clone(),
                _ => self.data.clone(),
            },
        }
    }
}

fn missing() -> io::Error {
    ErrorKind::NotFound.into()
}

impl World {
    pub fn new() -> Self {
        let root = BTreeMap::from([(PathBuf::from("/"), 0)]);
        Self {
            nodes: vec![Node::Folder],
            names: root.clone(),
            durable: root,
            pending: Vec::new(),
            trouble: Trouble::Nothing,
            log: Vec::new(),
            mounted: None,
            room: None,
            tells_room: false,
        }
    }

    pub fn copy(&self) -> Self {
        Self {
            nodes: self.nodes.clone(),
            names: self.names.clone(),
            durable: self.durable.clone(),
            pending: self.pending.clone(),
            trouble: Trouble::Nothing,
            log: Vec::new(),
            mounted: self.mounted.clone(),
            room: self.room,
            tells_room: self.tells_room,
        }
    }

    /// After a power cut.
    pub fn reboot(&self, left: Left) -> Self {
        let mut names = self.durable.clone();
        for (number, step) in self.pending.iter().enumerate() {
            let kept = match left {
                Left::Nothing => false,
                Left::All => true,
                Left::Some(seed) => random(&mut (seed ^ (number as u64) << 32)).is_multiple_of(2),
            };
            if kept {
                step.apply(&mut names);
            }
        }
        let all = names.clone();
        names.retain(|path, _| path.ancestors().all(|above| all.contains_key(above)));
        let nodes = self
            .nodes
            .iter()
            .enumerate()
            .map(|(id, node)| match node {
                Node::Folder => Node::Folder,
                Node::File(content) => {
                    let left = match left {
                        Left::Some(seed) => Left::Some(seed ^ (id as u64) << 16),
                        left => left,
                    };
                    let data = content.after_a_crash(left);
                    Node::File(Content {
                        durable: data.clone(),
                        data,
                        lost: false,
                    })
                }
            })
            .collect();
        Self {
            nodes,
            durable: names.clone(),
            names,
            pending: Vec::new(),
            trouble: Trouble::Nothing,
            log: Vec::new(),
            mounted: None,
            room: None,
            tells_room: false,
        }
    }

    pub fn sync_folder(&mut self, path: &Path) -> io::Result<()> {
        self.id(path)?;
        let World {
            names,
            durable,
            pending,
            ..
        } = self;
        pending.retain(|step| {
            let flush = step.touches(path);
            if flush {
                step.apply(durable);
            }
            !flush
        });
        let inside = |name: &Path| name.parent() == Some(path);
        let now: BTreeSet<&PathBuf> = names.keys().filter(|name| inside(name)).collect();
        durable.retain(|name, _| !inside(name) || now.contains(name));
        durable.extend(now.iter().map(|name| ((*name).clone(), names[*name])));
        Ok(())
    }

    /// Counts an operation. `Ok(false)`: pretend that it was done.
    pub fn begin(&mut self, what: &str, path: &Path) -> io::Result<bool> {
        let at = self.log.len();
        self.log
            .push(format!("{what} {}, after {}", path.display(), failpoint::last_step()));
        match self.trouble {
            Trouble::Crash(n) if at >= n => Err(io::Error::other("the power is off")),
            Trouble::Fail(n, kind) if at == n => Err(kind.into()),
            Trouble::SkipAndCrash(_, n) if at >= n => Err(io::Error::other("the power is off")),
            Trouble::SkipAndCrash(n, _) if at == n => Ok(false),
            _ => Ok(true),
        }
    }

    pub fn id(&self, path: &Path) -> io::Result<Id> {
        let plain: PathBuf = path.components().collect();
        self.names.get(&plain).copied().ok_or_else(missing)
    }

    pub fn content(&mut self, id: Id) -> &mut Content {
        match &mut self.nodes[id] {
            Node::File(content) => content,
            Node::Folder => panic!("a folder is used as a file"),
        }
    }

    pub fn add(&mut self, path: &Path, node: Node) -> io::Result<Id> {
        if self.names.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.id(path.parent().unwrap())?;
        self.nodes.push(node);
        let id = self.nodes.len() - 1;
        self.names.insert(path.into(), id);
        self.pending.push(Pending::Add(path.into(), id));
        Ok(id)
    }

    pub fn remove(&mut self, path: &Path) -> io::Result<()> {
        let id = self.id(path)?;
        self.names.remove(path);
        self.pending.push(Pending::Remove(path.into(), id));
        Ok(())
    }

    /// Bytes that may still be written, where there is a limit.
    pub fn free(&self) -> Option<u64> {
        let bytes = |id: &Id| match &self.nodes[*id] {
            Node::File(content) => content.data.len() as u64,
            Node::Folder => 0,
        };
        let taken = |room: u64| room.saturating_sub(self.names.values().map(bytes).sum());
        self.room.map(taken)
    }

    pub fn write(&mut self, id: Id, path: &Path, bytes: &[u8]) -> io::Result<usize> {
        match self.begin("write", path) {
            Ok(true) => {
                let is_short = self.trouble == Trouble::Short(self.log.len() - 1);
                let taken = if is_short { bytes.len().div_ceil(2) } else { bytes.len() };
                let taken = self.free().map_or(taken, |free| taken.min(free as usize));
                if taken == 0 && !bytes.is_empty() {
                    return Err(ErrorKind::StorageFull.into());
                }
                let content = self.content(id);
                content.data.extend_from_slice(&bytes[..taken]);
                content.lost = false;
                return Ok(taken);
            }
            Ok(false) => {}
            Err(error) => {
                if matches!(self.trouble, Trouble::Fail(..)) && error.kind() != ErrorKind::Interrupted {
                    self.content(id).data.extend_from_slice(&bytes[..bytes.len() / 2]);
                }
                return Err(error);
            }
        }
        Ok(bytes.len())
    }

    pub fn sync(&mut self, id: Id, path: &Path) -> io::Result<()> {
        let done = self.begin("sync", path);
        let failed = matches!(self.trouble, Trouble::Fail(..));
        let content = self.content(id);
        match done {
            Ok(true) if !content.lost => content.durable = content.data.clone(),
            Err(_) if failed => content.lost = true,
            _ => {}
        }
        done.map(drop)
    }
}
