//! `--memory`: what the whole process may take, and who gets which part of it.

use std::fs;
use std::path::{Path, PathBuf};

/// `--memory` where neither the flag nor a smaller machine says otherwise.
const MOST_DEFAULT: u64 = 4 << 30;

/// The share of the machine's memory that is used by default: one part in this many.
const DEFAULT_SHARE: u64 = 4;

/// The least to work with.
pub const LEAST: u64 = 16 << 20;

/// What the program takes however little it has to hold: its code, the threads' buffers, the allocator's reserve. At most a half of all is
/// kept for it; a row group of each format comes on top, so that less than about 128 MiB can't be kept to.
const OVERHEAD: u64 = 64 << 20;

/// Bytes that the whole process may take.
///
/// Rows are collected first and merged then; what one of the two takes must leave room for the program itself, for Kafka's queues, and
/// for what the allocator holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory(u64);

impl Memory {
    /// So many bytes.
    pub fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The default: a part of what the machine has, or the cgroup allows.
    pub fn default_of_machine() -> Self {
        Self((of_machine(Path::new("/")) / DEFAULT_SHARE).min(MOST_DEFAULT))
    }

    /// All of it.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// For lines that wait for the commit, all threads together: beyond that, they go to disk.
    pub fn collecting(self) -> usize {
        self.part(7, 16)
    }

    /// For reading, merging and encoding days. Where the rows are in memory, they keep their part.
    pub fn merging(self, held: bool) -> usize {
        match held {
            true => self.part(1, 4),
            false => self.part(9, 16),
        }
    }

    /// For rejects, which wait for the commit in memory: beyond that, the run makes one.
    pub fn rejects(self) -> usize {
        self.part(1, 8)
    }

    /// For the messages in librdkafka's queues; its memory is up to five times that.
    pub fn queues(self) -> usize {
        self.part(1, 64)
    }

    fn part(self, parts: u64, of: u64) -> usize {
        let shared = self.0 - OVERHEAD.min(self.0 / 2);
        usize::try_from(shared / of * parts).unwrap_or(usize::MAX)
    }
}

/// The memory that this process may use: the machine's, or a cgroup's that it is in where that is less. Unknown: 1 GiB.
fn of_machine(root: &Path) -> u64 {
    let machine = fs::read_to_string(root.join("proc/meminfo")).ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib << 10)
    });
    let limits = limit_files(root).into_iter().filter_map(|path| {
        // `max` says that there is no limit; version 1 says so with a number above every machine's.
        fs::read_to_string(path).ok()?.trim().parse::<u64>().ok()
    });
    limits.chain(machine).min().unwrap_or(1 << 30)
}

/// The files that limit this process: those of its cgroup and of all around it, since the least of them counts.
///
/// `/proc/self/cgroup` (cgroups(7)) has lines `ID:CONTROLLERS:PATH`. In version 2 there is one, `0::PATH`, below `/sys/fs/cgroup`; in
/// version 1 that of the memory controller counts, below `/sys/fs/cgroup/memory`. A container sees its own cgroup as the root.
fn limit_files(root: &Path) -> Vec<PathBuf> {
    let own = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let mut found = Vec::new();
    let mut around = |mount: &str, file: &str, path: &str| {
        let mount = root.join(mount);
        let path = Path::new(path.trim_start_matches('/'));
        // The last of the ancestors is the mount itself.
        found.extend(path.ancestors().map(|above| mount.join(above).join(file)));
    };
    for line in own.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        if controllers.is_empty() {
            around("sys/fs/cgroup", "memory.max", path);
        } else if controllers.split(',').any(|controller| controller == "memory") {
            around("sys/fs/cgroup/memory", "memory.limit_in_bytes", path);
        }
    }
    // Where the process's own path is not told, that of the mount may still hold.
    around("sys/fs/cgroup", "memory.max", "");
    around("sys/fs/cgroup/memory", "memory.limit_in_bytes", "");
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine of 8 GiB with these files.
    fn machine(files: &[(&str, &str)]) -> u64 {
        let root = tempfile::tempdir().unwrap();
        let meminfo = ("proc/meminfo", "MemTotal:        8388608 kB\nMemFree: 1 kB\n");
        for (path, text) in [&[meminfo], files].concat() {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        of_machine(root.path())
    }

    #[test]
    fn the_machine_is_the_limit_where_no_cgroup_is() {
        assert_eq!(machine(&[]), 8 << 30);
        let unlimited = [("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.max", "max\n")];
        assert_eq!(machine(&unlimited), 8 << 30);
    }

    #[test]
    fn a_cgroup_of_version_2_or_one_around_it_is() {
        let files = |inner: &'static str, outer: &'static str| {
            machine(&[
                ("proc/self/cgroup", "0::/system.slice/diurnal.service\n"),
                ("sys/fs/cgroup/system.slice/diurnal.service/memory.max", inner),
                ("sys/fs/cgroup/system.slice/memory.max", outer),
            ])
        };
        assert_eq!(files("1073741824\n", "max\n"), 1 << 30);
        assert_eq!(files("max\n", "2147483648\n"), 2 << 30);
        assert_eq!(files("1073741824\n", "536870912\n"), 1 << 29);
    }

    #[test]
    fn a_cgroup_of_version_1_is() {
        let files = [
            ("proc/self/cgroup", "11:cpu,cpuacct:/a\n7:memory:/docker/b\n0::/c\n"),
            ("sys/fs/cgroup/memory/docker/b/memory.limit_in_bytes", "3221225472\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ];
        assert_eq!(machine(&files), 3 << 30);
    }

    #[test]
    fn a_container_that_sees_its_cgroup_as_the_root_is_limited_by_it() {
        let files = [
            ("proc/self/cgroup", "7:memory:/docker/0123\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n"),
        ];
        assert_eq!(machine(&files), 256 << 20);
    }

    #[test]
    fn the_parts_leave_room_for_the_rest() {
        for mebibytes in [16, 128, 512, 4_096] {
            let memory = Memory::new(mebibytes << 20);
            let rest = (mebibytes as usize) << 20;
            let most = memory.collecting() + memory.merging(true);
            assert!(most + memory.queues() * 5 + memory.rejects() < rest);
            assert!(memory.merging(false) + memory.rejects() < rest);
        }
    }
}
