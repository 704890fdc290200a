//! What can go wrong, said so that a person can act on it: the object, the cause, a hint.

use std::fmt;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

/// The result of everything that can fail for a reason outside the program.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Which exit code an error ends the process with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Failed or incomplete, safe to rerun: exit code 1.
    Failed,
    /// The archive is damaged, or of a later version: exit code 1 too, and running again changes nothing until somebody mends it.
    Damaged,
    /// Wrong usage: exit code 2.
    Usage,
    /// Another run holds the archive: exit code 4.
    Locked,
}

/// Folders that errors call by another name, each with it.
static SHOWN_AS: RwLock<Vec<(String, String)>> = RwLock::new(Vec::new());

/// Has errors call a folder, and what is in it, by the name of what it stands for.
#[cfg(feature = "object-store")]
pub(crate) fn show_as(folder: &Path, name: &str) {
    let mut shown = SHOWN_AS.write().unwrap_or_else(PoisonError::into_inner);
    shown.push((folder.display().to_string(), name.to_owned()));
}

/// Ends what [`show_as`] began.
#[cfg(feature = "object-store")]
pub(crate) fn show_no_more(folder: &Path) {
    let folder = folder.display().to_string();
    let mut shown = SHOWN_AS.write().unwrap_or_else(PoisonError::into_inner);
    shown.retain(|(known, _)| *known != folder);
}

fn is_shown_as_another(path: &Path) -> bool {
    let shown = SHOWN_AS.read().unwrap_or_else(PoisonError::into_inner);
    shown.iter().any(|(folder, _)| path.starts_with(folder))
}

fn shown(text: String) -> String {
    let shown = SHOWN_AS.read().unwrap_or_else(PoisonError::into_inner);
    let replace = |text: String, (folder, name): &(String, String)| match text.contains(folder.as_str()) {
        true => text.replace(folder.as_str(), name),
        false => text,
    };
    shown.iter().fold(text, replace)
}

/// An error with the object it is about, its cause, and where one is known, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    object: String,
    cause: String,
    hint: Option<String>,
}

impl Error {
    /// A failure of `object` (a path, a topic, a flag) because of `cause`.
    pub fn new(object: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self {
            kind: Kind::Failed,
            object: shown(object.to_string()),
            cause: shown(cause.to_string()),
            hint: None,
        }
    }

    /// The archive is not what its ledger says, or nothing that this version can go on with.
    pub fn damaged(object: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self {
            kind: Kind::Damaged,
            ..Self::new(object, cause)
        }
    }

    /// Wrong usage: a flag or argument that cannot be what the user meant.
    pub fn usage(object: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self {
            kind: Kind::Usage,
            ..Self::new(object, cause)
        }
    }

    /// Another run holds the archive.
    pub fn locked(object: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self {
            kind: Kind::Locked,
            ..Self::new(object, cause)
        }
    }

    /// An input or output error on a file or folder.
    pub fn io(path: &Path, doing: &str, error: &std::io::Error) -> Self {
        let hint = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Some("free some space and run again; nothing that was committed is touched")
            }
            std::io::ErrorKind::PermissionDenied => Some("check the owner and the permissions of this path"),
            std::io::ErrorKind::NotFound => Some("there is nothing of this name; check the path"),
            std::io::ErrorKind::NotADirectory => Some("a part of this path is a file, and no folder"),
            std::io::ErrorKind::ReadOnlyFilesystem => Some("the file system is mounted read-only"),
            _ => None,
        };
        let plain = Self::new(path.display(), format_args!("cannot {doing}: {error}"));
        let hint = match hint {
            Some(_) if is_shown_as_another(path) => {
                Some("this is about the local copy of it below TMPDIR: look at the room and the permissions there")
            }
            hint => hint,
        };
        match hint {
            Some(hint) => plain.hint(hint),
            None => plain,
        }
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// The exit code's kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What it is about.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// What is wrong with it.
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// What to do about it, where that is known.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// `object: cause`, without the hint.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.cause)
    }
}

impl std::error::Error for Error {}
