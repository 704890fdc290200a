//! Files against their record: lengths and hashes, in one pass with bounded memory.

use std::io::{self, Read, Write};
use std::path::Path;

use super::digest::{PieceDigest, same_bytes};
use super::disk::{Disk, Kind, RealDisk};
use super::record::{DayFileEntry, FileEntry, Piece};
use crate::error::{Error, Result};

/// Bytes read and hashed at once.
const BUFFER_BYTES: usize = 128 * 1024;

/// How a file differs from its length and whole hash on record.
pub(super) fn file_problems(disk: &dyn Disk, path: &Path, bytes: u64, hash: &str) -> Vec<String> {
    copy_file(disk, path, bytes, hash, &mut io::sink())
}

/// [`file_problems`], with every byte that is checked written to `copy`.
pub(super) fn copy_file(disk: &dyn Disk, path: &Path, bytes: u64, hash: &str, copy: &mut dyn Write) -> Vec<String> {
    compare(disk, path, bytes, |input| {
        let mut hasher = blake3::Hasher::new();
        feed(input, bytes, |part| _ = hasher.update(part), copy)?;
        Ok(match hasher.finalize().to_hex().as_str() == hash {
            true => Vec::new(),
            false => vec!["its content is not what was committed".to_string()],
        })
    })
}

/// Checks a schema or reject file against its record before it is believed.
///
/// # Errors
/// The file is missing, or its length or hash is not the one on record.
pub fn check_file(path: &Path, entry: &FileEntry) -> Result<()> {
    let problems = file_problems(&RealDisk, path, entry.bytes, &entry.hash);
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Error::damaged(path.display(), problems.join("; "))
            .hint("nothing was changed; run `diurnal verify`, then restore the file from a backup")),
    }
}

/// How a day file differs from its record: each leaf, and the rest before the first and after the last one.
pub(super) fn day_file_problems(
    disk: &dyn Disk,
    path: &Path,
    entry: &DayFileEntry,
    leaves: &[Option<&Piece>],
) -> Vec<String> {
    copy_day_file(disk, path, entry, leaves, &mut io::sink())
}

/// [`day_file_problems`], with every byte that is checked written to `copy`.
pub(super) fn copy_day_file(
    disk: &dyn Disk,
    path: &Path,
    entry: &DayFileEntry,
    leaves: &[Option<&Piece>],
    copy: &mut dyn Write,
) -> Vec<String> {
    let pieces = match joined(entry, leaves) {
        Ok(pieces) => pieces,
        Err(problem) => return vec![problem],
    };
    compare(disk, path, entry.bytes, |input| {
        let mut found = Vec::new();
        let mut rest = blake3::Hasher::new();
        let head = pieces.first().map_or(0, |piece| piece.offset);
        feed(input, head, |part| _ = rest.update(part), copy)?;
        for (number, piece) in pieces.iter().enumerate() {
            let mut leaf = PieceDigest::default();
            feed(input, piece.bytes, |part| leaf.update(part), copy)?;
            if !leaf.finish(piece.offset).is_some_and(|leaf| same_bytes(&leaf, piece)) {
                found.push(other_leaf(number, piece));
            }
        }
        let end = pieces.last().map_or(0, |piece| piece.offset + piece.bytes);
        feed(input, entry.bytes - end, |part| _ = rest.update(part), copy)?;
        if rest.finalize().to_hex().as_str() != entry.rest {
            found.push(OTHER_REST.to_string());
        }
        Ok(found)
    })
}

/// The leaves' pieces of a file, if they follow one another within it: else some bytes would go unchecked.
pub(super) fn joined<'a>(entry: &DayFileEntry, leaves: &[Option<&'a Piece>]) -> Result<Vec<&'a Piece>, String> {
    let mut pieces = Vec::with_capacity(leaves.len());
    let mut expected = leaves.first().copied().flatten().map_or(0, |piece| piece.offset);
    for (number, piece) in leaves.iter().enumerate() {
        match piece {
            Some(piece) if piece.offset == expected && piece.bytes <= entry.bytes.saturating_sub(expected) => {
                expected += piece.bytes;
                pieces.push(*piece);
            }
            _ => {
                return Err(format!(
                    "the record's leaf {number} does not follow the one before it within the file"
                ));
            }
        }
    }
    Ok(pieces)
}

/// What is said of a leaf whose bytes are others than those on record.
pub(super) fn other_leaf(number: usize, piece: &Piece) -> String {
    format!(
        "leaf {number} (bytes {} to {}) is not what was committed",
        piece.offset,
        piece.offset + piece.bytes
    )
}

/// What is said where the bytes before the first and after the last leaf are others than those on record.
pub(super) const OTHER_REST: &str = "its beginning or end (what is no leaf) is not what was committed";

/// Checks kind and length first, so that `content` reads a file as long as its record says.
fn compare(
    disk: &dyn Disk,
    path: &Path,
    bytes: u64,
    content: impl FnOnce(&mut dyn Read) -> io::Result<Vec<String>>,
) -> Vec<String> {
    let found = match disk.metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return vec!["it is missing".to_string()];
        }
        Err(error) => return vec![format!("it cannot be looked at: {error}")],
    };
    if found.kind != Kind::File {
        return vec!["it is not a regular file".to_string()];
    }
    if found.bytes != bytes {
        return vec![format!("it has {} bytes, on record are {bytes}", found.bytes)];
    }
    disk.open(path)
        .and_then(|mut input| content(&mut input))
        .unwrap_or_else(|error| vec![format!("it cannot be read: {error}")])
}

fn feed(input: &mut dyn Read, mut bytes: u64, mut digest: impl FnMut(&[u8]), copy: &mut dyn Write) -> io::Result<()> {
    let at_once = |bytes: u64| usize::try_from(bytes).map_or(BUFFER_BYTES, |bytes| bytes.min(BUFFER_BYTES));
    let mut buffer = vec![0; at_once(bytes)];
    while bytes > 0 {
        let wanted = at_once(bytes);
        let part = &mut buffer[..wanted];
        input.read_exact(part)?;
        digest(part);
        copy.write_all(part)?;
        bytes -= wanted as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::digest::Digest;
    use crate::store::disk::RealDisk;

    fn hex(bytes: &[u8]) -> String {
        blake3::hash(bytes).to_hex().to_string()
    }

    fn day_file(content: &[u8], leaves: &[(usize, usize)]) -> (DayFileEntry, Vec<Piece>) {
        let pieces: Vec<Piece> = leaves
            .iter()
            .map(|(from, to)| Digest::of(&content[*from..*to]).piece(*from as u64, (to - from) as u64))
            .collect();
        let (from, to) = match leaves {
            [] => (0, 0),
            _ => (leaves[0].0, leaves[leaves.len() - 1].1),
        };
        let entry = DayFileEntry {
            path: "cpu/2020-06-19.csv".into(),
            bytes: content.len() as u64,
            rest: hex(&[&content[..from], &content[to..]].concat()),
            replaced: None,
        };
        (entry, pieces)
    }

    fn problems(content: &[u8], entry: &DayFileEntry, pieces: &[Piece]) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        day_file_problems(
            &RealDisk,
            file.path(),
            entry,
            &pieces.iter().map(Some).collect::<Vec<_>>(),
        )
    }

    #[test]
    fn every_flipped_bit_of_a_day_file_is_found_where_it_is() {
        let content: Vec<u8> = (0..60).collect();
        let (entry, pieces) = day_file(&content, &[(5, 20), (20, 21), (21, 50)]);
        assert_eq!(problems(&content, &entry, &pieces), Vec::<String>::new());
        for at in 0..content.len() {
            for bit in 0..8 {
                let mut flipped = content.clone();
                flipped[at] ^= 1 << bit;
                let found = problems(&flipped, &entry, &pieces);
                let place = match at {
                    5..20 => "leaf 0",
                    20 => "leaf 1",
                    21..50 => "leaf 2",
                    _ => "its beginning or end",
                };
                assert!(found.len() == 1 && found[0].starts_with(place), "byte {at}: {found:?}");
            }
        }
    }

    #[test]
    fn a_file_without_leaves_is_all_rest() {
        let (entry, pieces) = day_file(b"time\n", &[]);
        assert_eq!(problems(b"time\n", &entry, &pieces), Vec::<String>::new());
        assert_eq!(problems(b"tame\n", &entry, &pieces).len(), 1);
    }

    #[test]
    fn a_record_that_leaves_bytes_between_its_leaves_unchecked_is_refused() {
        let content: Vec<u8> = (0..60).collect();
        for leaves in [&[(5, 20), (21, 50)][..], &[(5, 20), (19, 50)], &[(20, 50), (5, 20)]] {
            let (mut entry, pieces) = day_file(&content, leaves);
            entry.rest = String::new();
            assert!(problems(&content, &entry, &pieces)[0].contains("does not follow"));
        }
        let (entry, mut pieces) = day_file(&content, &[(5, 20)]);
        pieces[0].bytes = u64::MAX;
        assert!(problems(&content, &entry, &pieces)[0].contains("does not follow"));
    }

    #[test]
    fn wrong_length_and_wrong_kind_are_named() {
        let content: Vec<u8> = (0..60).collect();
        let (entry, pieces) = day_file(&content, &[(5, 20)]);
        assert_eq!(
            problems(&content[..59], &entry, &pieces),
            ["it has 59 bytes, on record are 60"]
        );
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            file_problems(&RealDisk, folder.path(), 0, ""),
            ["it is not a regular file"]
        );
        assert_eq!(
            file_problems(&RealDisk, &folder.path().join("gone"), 0, ""),
            ["it is missing"]
        );
    }

    #[test]
    fn files_longer_than_the_buffer_are_hashed_whole() {
        let content: Vec<u8> = (0..3 * BUFFER_BYTES + 7).map(|at| (at % 251) as u8).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &content).unwrap();
        let bytes = content.len() as u64;
        assert_eq!(
            file_problems(&RealDisk, file.path(), bytes, &hex(&content)),
            Vec::<String>::new()
        );
    }
}
