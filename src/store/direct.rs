//! Large files past the page cache: gigabytes of CSV that are copied every hour would drive out what others have there, and cost the
//! kernel more than the copying itself.
//!
//! With `O_DIRECT` (open(2)) memory, offset and length of each read and write are whole blocks. Where a file system does not take it,
//! and for the end of a file, reading and writing go the usual way.

use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::disk::DiskFile;

/// What memory, offsets and lengths are multiples of: no disk has larger blocks.
const ALIGNMENT: usize = 4_096;

/// Bytes that are read or written at once past the page cache; what is less goes the usual way.
const PIECE: usize = 1 << 20;

/// A piece of memory that begins at a multiple of [`ALIGNMENT`].
struct Aligned {
    memory: Vec<u8>,
    start: usize,
}

impl Aligned {
    fn new() -> Self {
        let memory = vec![0; PIECE + ALIGNMENT];
        let start = memory.as_ptr().align_offset(ALIGNMENT);
        // It may say that it can't tell; then reads and writes fall back to the usual way.
        let start = if start < ALIGNMENT { start } else { 0 };
        Self { memory, start }
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + PIECE]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + PIECE]
    }
}

/// Turns reading and writing past the page cache on or off; gives whether it is on.
#[cfg(target_os = "linux")]
fn set_direct(file: &File, on: bool) -> bool {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    let set = || {
        let mut flags = fcntl_getfl(file)?;
        flags.set(OFlags::DIRECT, on);
        fcntl_setfl(file, flags)
    };
    match set() {
        Ok(()) => on,
        Err(_) => !on && is_direct(file),
    }
}

#[cfg(target_os = "linux")]
fn is_direct(file: &File) -> bool {
    use rustix::fs::{OFlags, fcntl_getfl};
    fcntl_getfl(file).is_ok_and(|flags| flags.contains(OFlags::DIRECT))
}

#[cfg(not(target_os = "linux"))]
fn set_direct(_: &File, _: bool) -> bool {
    false
}

/// A file that is written from its beginning: whole pieces past the page cache, the rest when it is synced.
pub(super) struct DirectFile {
    file: File,
    direct: bool,
    piece: Aligned,
    filled: usize,
}

impl DirectFile {
    /// Writes to a file that has nothing in it yet.
    pub fn new(file: File) -> Self {
        Self {
            file,
            direct: false,
            piece: Aligned::new(),
            filled: 0,
        }
    }

    /// Writes what is in the piece.
    fn write_piece(&mut self) -> io::Result<()> {
        let whole = self.filled == PIECE;
        if self.direct != whole {
            self.direct = set_direct(&self.file, whole);
        }
        let bytes = &self.piece.bytes()[..self.filled];
        let mut written = 0;
        while written < bytes.len() {
            match self.file.write(&bytes[written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Not taken by this file system, or what is left of a short write is no whole block.
                Err(error) if self.direct && error.kind() == io::ErrorKind::InvalidInput => {
                    self.direct = set_direct(&self.file, false);
                }
                Err(error) => return Err(error),
            }
        }
        self.filled = 0;
        Ok(())
    }
}

impl Write for DirectFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.filled == PIECE {
            self.write_piece()?;
        }
        let taken = bytes.len().min(PIECE - self.filled);
        let (filled, end) = (self.filled, self.filled + taken);
        self.piece.bytes_mut()[filled..end].copy_from_slice(&bytes[..taken]);
        self.filled = end;
        Ok(taken)
    }

    /// What makes no whole piece is written by [`DiskFile::sync`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for DirectFile {
    fn sync(&mut self) -> io::Result<()> {
        if self.filled > 0 {
            self.write_piece()?;
        }
        self.file.sync_all()
    }
}

/// Reads a range of a file.
pub(super) struct DirectReader {
    file: File,
    direct: bool,
    piece: Aligned,
    /// What of the piece was not given yet.
    left: Range<usize>,
    /// Where the file is read next.
    at: u64,
    end: u64,
}

impl DirectReader {
    /// Reads these bytes of the file at `path`.
    pub fn open(path: &Path, range: Range<u64>) -> io::Result<Self> {
        let file = File::open(path)?;
        let large = range.end - range.start >= PIECE as u64;
        Ok(Self {
            direct: large && set_direct(&file, true),
            file,
            piece: Aligned::new(),
            left: 0..0,
            at: range.start,
            end: range.end,
        })
    }

    fn fill(&mut self) -> io::Result<()> {
        let before = self.at % ALIGNMENT as u64;
        let piece = self.piece.bytes_mut();
        let read = match self.file.read_at(piece, self.at - before) {
            Err(error) if self.direct && error.kind() == io::ErrorKind::InvalidInput => {
                self.direct = set_direct(&self.file, false);
                self.file.read_at(piece, self.at - before)?
            }
            read => read?,
        };
        let before = before as usize;
        let wanted = usize::try_from(self.end - self.at).map_or(PIECE, |left| before.saturating_add(left));
        self.left = before..read.min(wanted).max(before);
        self.at += self.left.len() as u64;
        Ok(())
    }
}

impl BufRead for DirectReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left.is_empty() && self.at < self.end {
            self.fill()?;
        }
        Ok(&self.piece.bytes()[self.left.clone()])
    }

    fn consume(&mut self, bytes: usize) {
        self.left.start = self.left.end.min(self.left.start + bytes);
    }
}

impl Read for DirectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = self.fill_buf()?.read(buffer)?;
        self.consume(taken);
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than two pieces, and no whole number of blocks.
    const LEN: usize = 2 * PIECE + 12_345;

    fn content(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 31 / 7) as u8).collect()
    }

    #[test]
    fn what_is_written_in_any_pieces_is_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        for (len, at_once) in [
            (0, 1),
            (10, 3),
            (PIECE, 700_001),
            (PIECE + 1, PIECE + 1),
            (LEN, 99_999),
            (2 * PIECE, 4_096),
        ] {
            let path = folder.path().join(format!("{len}-{at_once}"));
            let mut file = DirectFile::new(File::create_new(&path).unwrap());
            for piece in content(len).chunks(at_once) {
                file.write_all(piece).unwrap();
            }
            file.flush().unwrap();
            file.sync().unwrap();
            assert!(
                std::fs::read(&path).unwrap() == content(len),
                "{len} bytes, {at_once} at once"
            );
        }
    }

    #[test]
    fn any_range_is_read_as_it_is_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let content = content(LEN);
        std::fs::write(&path, &content).unwrap();
        for range in [
            0..0,
            0..LEN,
            1..LEN,
            4_095..PIECE + 4_097,
            5_000..5_010,
            PIECE..LEN - 1,
            LEN - 1..LEN,
        ] {
            let mut read = Vec::new();
            let reader = DirectReader::open(&path, range.start as u64..range.end as u64);
            reader.unwrap().read_to_end(&mut read).unwrap();
            assert!(read == content[range.clone()], "{range:?}");
        }
        let mut read = Vec::new();
        let mut behind = DirectReader::open(&path, LEN as u64 - 3..LEN as u64 + 3).unwrap();
        behind.read_to_end(&mut read).unwrap();
        assert_eq!(read, content[LEN - 3..], "no more than the file has");
    }
}
