//! A day file on record, to be merged with: read piece by piece, and never further than the ledger vouches for it.

use std::fs::{self, File};
use std::io::{self, BufRead};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::digest::{PieceDigest, same_bytes};
use super::direct::DirectReader;
use super::hash::{OTHER_REST, joined, other_leaf};
use super::record::{DayFileEntry, Piece};
use crate::error::{Error, Result};

/// An open day file and its record. A merge that took a damaged piece would launder the damage, so that every piece is checked when
/// it is used, and those that are not used cost nothing.
#[derive(Debug)]
pub struct RecordedFile<'a> {
    path: PathBuf,
    file: File,
    entry: &'a DayFileEntry,
    pieces: Vec<&'a Piece>,
}

impl<'a> RecordedFile<'a> {
    /// Opens the file at `path`, which is on record as `entry` with these pieces of its leaves.
    ///
    /// # Errors
    /// The file is missing or has another length; a record in which the pieces do not follow one another.
    pub fn open(path: &Path, entry: &'a DayFileEntry, leaves: impl Iterator<Item = Option<&'a Piece>>) -> Result<Self> {
        let pieces = joined(entry, &leaves.collect::<Vec<_>>()).map_err(|problem| damaged(path, problem))?;
        // Looked at first: opening a pipe in its place would wait for a writer.
        let found = match fs::symlink_metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(damaged(path, "it is missing")),
            Err(error) => return Err(Error::io(path, "look at it", &error)),
        };
        if !found.is_file() {
            return Err(damaged(path, "it is not a regular file"));
        }
        if found.len() != entry.bytes {
            let problem = format_args!("it has {} bytes, on record are {}", found.len(), entry.bytes);
            return Err(damaged(path, problem));
        }
        let file = File::open(path).map_err(|error| Error::io(path, "open it", &error))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            entry,
            pieces,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of leaves.
    pub fn leaves(&self) -> usize {
        self.pieces.len()
    }

    /// Where leaf `index` is, and its hashes.
    pub fn piece(&self, index: usize) -> &'a Piece {
        self.pieces[index]
    }

    /// Where the last leaf ends.
    pub fn end_of_leaves(&self) -> u64 {
        self.pieces.last().map_or(0, |piece| piece.offset + piece.bytes)
    }

    /// What stands before the first leaf, and what stands after the last one.
    ///
    /// # Errors
    /// They are not what was committed; the disk's.
    pub fn rest(&self) -> Result<(Vec<u8>, Vec<u8>)> {
        let head = self.bytes(0, self.pieces.first().map_or(0, |piece| piece.offset))?;
        let end = self.end_of_leaves();
        let tail = self.bytes(end, self.entry.bytes - end)?;
        let mut hash = blake3::Hasher::new();
        hash.update(&head).update(&tail);
        match hash.finalize().to_hex().as_str() == self.entry.rest {
            true => Ok((head, tail)),
            false => Err(damaged(&self.path, OTHER_REST)),
        }
    }

    /// The bytes of leaf `index`.
    ///
    /// # Errors
    /// They are not what was committed; the disk's.
    pub fn leaf(&self, index: usize) -> Result<Vec<u8>> {
        let bytes = self.leaf_to_copy(index)?;
        let mut digest = PieceDigest::of_copy(self.pieces[index]);
        digest.update(&bytes);
        self.check_copy(index, digest.finish(0).as_ref())?;
        Ok(bytes)
    }

    /// The bytes of leaf `index`, not checked: [`RecordedFile::check_copy`] is to see what became of them.
    ///
    /// # Errors
    /// The disk's.
    pub fn leaf_to_copy(&self, index: usize) -> Result<Vec<u8>> {
        let piece = self.pieces[index];
        self.bytes(piece.offset, piece.bytes)
    }

    /// [`RecordedFile::leaf_to_copy`], as a stream.
    ///
    /// # Errors
    /// The disk's.
    pub fn read_to_copy(&self, index: usize) -> Result<impl BufRead + use<>> {
        let piece = self.pieces[index];
        let range = piece.offset..piece.offset + piece.bytes;
        DirectReader::open(&self.path, range).map_err(|error| Error::io(&self.path, "open it", &error))
    }

    /// Whether a copy of leaf `index`, as [`PieceDigest::of_copy`] gives it, is what was committed.
    ///
    /// # Errors
    /// It is not.
    pub fn check_copy(&self, index: usize, copy: Option<&Piece>) -> Result<()> {
        match copy.is_some_and(|copy| same_bytes(copy, self.pieces[index])) {
            true => Ok(()),
            false => Err(self.other_leaf(index)),
        }
    }

    fn other_leaf(&self, index: usize) -> Error {
        damaged(&self.path, other_leaf(index, self.pieces[index]))
    }

    fn bytes(&self, offset: u64, length: u64) -> Result<Vec<u8>> {
        // No more than the file has, which was asked for its length.
        let length = usize::try_from(length)
            .map_err(|_| damaged(&self.path, "a piece of it does not fit into this machine's memory"))?;
        let mut bytes = vec![0; length];
        self.file
            .read_exact_at(&mut bytes, offset)
            .map_err(|error| Error::io(&self.path, "read it", &error))?;
        Ok(bytes)
    }
}

fn damaged(path: &Path, problem: impl std::fmt::Display) -> Error {
    Error::damaged(path.display(), problem)
        .hint("nothing was changed; run `diurnal verify`, then restore the file from a backup")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::store::digest::Digest;

    const CONTENT: &[u8] = b"head|one|three|tail";

    fn piece(offset: usize, bytes: usize) -> Piece {
        Digest::of(&CONTENT[offset..offset + bytes]).piece(offset as u64, bytes as u64)
    }

    fn entry() -> (DayFileEntry, [Piece; 2]) {
        let entry = DayFileEntry {
            path: "m/2020-06-19.csv".into(),
            bytes: CONTENT.len() as u64,
            rest: blake3::hash(b"head|tail").to_hex().to_string(),
            replaced: None,
        };
        (entry, [piece(5, 4), piece(9, 6)])
    }

    /// What reading everything says of a file with this content.
    fn read_all(content: &[u8]) -> [Result<()>; 3] {
        let (entry, pieces) = entry();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let opened = RecordedFile::open(file.path(), &entry, pieces.iter().map(Some)).unwrap();
        [
            opened
                .rest()
                .map(|rest| assert_eq!(rest, (b"head|".to_vec(), b"tail".to_vec()))),
            opened.leaf(0).map(|leaf| assert_eq!(leaf, b"one|")),
            opened.leaf(1).map(|leaf| assert_eq!(leaf, b"three|")),
        ]
    }

    #[test]
    fn every_flipped_bit_is_found_by_whoever_reads_that_piece() {
        assert_eq!(read_all(CONTENT), [Ok(()), Ok(()), Ok(())]);
        for at in 0..CONTENT.len() {
            for bit in 0..8 {
                let mut flipped = CONTENT.to_vec();
                flipped[at] ^= 1 << bit;
                let found = read_all(&flipped).map(|read| read.is_err());
                let expected = match at {
                    5..9 => [false, true, false],
                    9..15 => [false, false, true],
                    _ => [true, false, false],
                };
                assert_eq!(found, expected, "byte {at}");
            }
        }
    }

    #[test]
    fn a_copy_is_compared_with_the_record() {
        let (entry, pieces) = entry();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), CONTENT).unwrap();
        let opened = RecordedFile::open(file.path(), &entry, pieces.iter().map(Some)).unwrap();
        let mut copy = Vec::new();
        opened.read_to_copy(1).unwrap().read_to_end(&mut copy).unwrap();
        assert_eq!(copy, opened.leaf_to_copy(1).unwrap());
        assert_eq!(copy, b"three|");
        let moved = Piece {
            offset: 0,
            ..piece(9, 6)
        };
        assert_eq!(opened.check_copy(1, Some(&moved)), Ok(()));
        let said = opened.check_copy(1, Some(&piece(9, 5))).unwrap_err().to_string();
        assert!(opened.check_copy(1, None).is_err());
        assert!(
            said.contains("leaf 1 (bytes 9 to 15) is not what was committed"),
            "{said}"
        );
    }

    #[test]
    fn a_file_that_is_missing_or_of_another_length_is_refused_at_once() {
        let (entry, pieces) = entry();
        let folder = tempfile::tempdir().unwrap();
        let open = |path: &Path| {
            let opened = RecordedFile::open(path, &entry, pieces.iter().map(Some));
            opened.map(|_| ()).unwrap_err().to_string()
        };
        assert!(open(&folder.path().join("gone")).contains("it is missing"));
        assert!(open(folder.path()).contains("not a regular file"));
        let short = folder.path().join("short");
        std::fs::write(&short, &CONTENT[1..]).unwrap();
        assert!(open(&short).contains("it has 18 bytes, on record are 19"));
        let swapped = [&pieces[1], &pieces[0]];
        let opened = RecordedFile::open(&short, &entry, swapped.into_iter().map(Some));
        assert!(opened.unwrap_err().to_string().contains("does not follow"));
    }
}
