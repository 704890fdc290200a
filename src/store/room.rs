//! Room on the disk: what is surely needed is compared with what is free before it is written, and a disk that is full is
//! said with both figures.
//!
//! Nothing that would fit is refused: the free bytes are those that root could use, and what the run has spilled or only begun,
//! which may go before it ends, counts as free. So a refusal means that the run could only have failed later.

use std::io::{self, ErrorKind};
use std::sync::atomic::Ordering;

use super::disk::Kind;
use super::{Shared, Staging, Store};
use crate::error::{Error, Result};

impl Store {
    /// Bytes that can still be written to the archive's file system; `None` where that can't be told.
    pub fn free_bytes(&self) -> Option<u64> {
        self.shared.free_bytes()
    }
}

impl Staging {
    /// Refuses to begin what surely takes so many bytes and can't have them; `what` is theirs.
    ///
    /// # Errors
    /// They are more than the file system has.
    pub fn ensure_room(&self, what: &str, bytes: u64) -> Result<()> {
        let shared = &self.shared;
        if shared.dry.is_some() || bytes == 0 {
            return Ok(());
        }
        // Before the free ones: what goes between the two looks is counted twice rather than not at all. A day whose files turn out
        // to be what they were drops them.
        let own = shared.spilled_bytes() + self.files.begun.load(Ordering::Relaxed);
        match shared.free_bytes() {
            Some(free) if free.saturating_add(own) < bytes => Err(Error::new(
                shared.layout.root().display(),
                format_args!("{what} needs at least {bytes} bytes beside what is there, and {free} are free"),
            )
            .hint(match shared.remote {
                Some(_) => {
                    "free some space where TMPDIR points to and run again; nothing that was committed is touched"
                }
                None => "free some space and run again; nothing that was committed is touched",
            })),
            _ => Ok(()),
        }
    }
}

impl Shared {
    fn free_bytes(&self) -> Option<u64> {
        // A run does not fail because nobody can say how much is free.
        self.disk.free_bytes(&self.layout.root().join(".")).unwrap_or(None)
    }

    /// What the run itself holds of the disk, and gives back.
    fn spilled_bytes(&self) -> u64 {
        let folder = self.layout.spilled();
        let names = self.disk.list(&folder).unwrap_or_default();
        let bytes = |name| match self.disk.metadata(&folder.join(name)) {
            Ok(found) if found.kind == Kind::File => found.bytes,
            _ => 0,
        };
        names.into_iter().map(bytes).sum()
    }

    /// The same error; that of a full disk says how far the commit came and what is free.
    pub(super) fn with_room(&self, error: io::Error, staged: u64) -> io::Error {
        let kind = error.kind();
        if !matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
            return error;
        }
        let free = match self.free_bytes() {
            Some(free) => format!(", {free} are free"),
            None => String::new(),
        };
        io::Error::new(
            kind,
            format!("{error}; {staged} bytes of this commit were staged by then{free}"),
        )
    }
}
