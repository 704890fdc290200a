//! Line-protocol files and standard input, plain or compressed, as blocks of whole lines.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use memchr::memchr;

use super::StopFlag;
use super::pipe::Pipe;
use crate::error::{Error, Result};
use crate::lineproto::{KEPT_OF_LONG_LINE, Limits, whole_lines};

/// Bytes of a block, more where one line is longer: enough to share the work out, small enough to stay in the cache, and few lines even
/// where lines are short, since those of the blocks that were read belong to the commit however many of them are rejects.
pub(crate) const BLOCK_BYTES: usize = 1 << 18;

/// A piece of a file that can be parsed apart from the rest.
#[derive(Debug)]
pub struct Block {
    /// The path as it was given, `-` for standard input.
    pub path: Arc<str>,
    /// Offset of the block's first byte in the uncompressed file.
    pub offset: u64,
    /// Bytes of the uncompressed file that it stands for, line ends included.
    pub len: u64,
    /// What they hold.
    pub content: Content,
}

/// What a block holds.
#[derive(Debug)]
pub enum Content {
    /// Whole lines, uncompressed.
    Lines(Vec<u8>),
    /// One line that is longer than a line may be, without its line end.
    LongLine {
        /// Its first bytes, as many as a reject keeps.
        start: Vec<u8>,
        /// All of its bytes.
        bytes: u64,
    },
    /// One comment, or a blank line, that is longer than a line may be.
    Nothing,
}

/// The files of an import, one after the other.
#[derive(Debug)]
pub struct Files {
    waiting: std::vec::IntoIter<PathBuf>,
    open: Option<OpenFile>,
    limits: Limits,
    finished: Vec<(Arc<str>, u64)>,
    stop: StopFlag,
    /// Bytes of all files as they are on disk; `None` where one of them is no file.
    stored_bytes: Option<u64>,
    /// How many of them were read.
    read_bytes: Arc<AtomicU64>,
}

struct OpenFile {
    path: Arc<str>,
    reader: Box<dyn Read + Send>,
    /// Counts what is given out of a file that is not compressed.
    read_bytes: Option<Arc<AtomicU64>>,
    offset: u64,
    /// Read, but not given out: the start of a line.
    rest: Vec<u8>,
    /// Why the file can't be read further.
    failed: Option<Error>,
}

impl std::fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenFile")
            .field("path", &self.path)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

impl Files {
    /// Looks at every file before the first is read. `stop` ends the wait for a pipe or standard input.
    ///
    /// # Errors
    /// A file that can't be opened, or is a folder.
    pub fn new(paths: Vec<PathBuf>, limits: Limits, stop: &StopFlag) -> Result<Self> {
        let mut stored_bytes = (!paths.iter().any(|path| is_standard_input(path))).then_some(0);
        for path in paths.iter().filter(|path| !is_standard_input(path)) {
            let kind = fs::metadata(path).map_err(|error| Error::io(path, "open it", &error))?;
            stored_bytes = stored_bytes
                .filter(|_| kind.is_file())
                .map(|sum: u64| sum.saturating_add(kind.len()));
            if kind.is_file() {
                File::open(path).map_err(|error| Error::io(path, "open it", &error))?;
            } else if kind.is_dir() {
                return Err(
                    Error::new(path.display(), "is a folder").hint("name the files in it: diurnal import FOLDER/*")
                );
            }
        }
        Ok(Self {
            waiting: paths.into_iter(),
            open: None,
            limits,
            finished: Vec::new(),
            stop: stop.clone(),
            stored_bytes,
            read_bytes: Arc::default(),
        })
    }

    /// The same with the one thing that `reader` gives; `path` is what its blocks and errors call it.
    ///
    /// # Errors
    /// Its first bytes can't be read.
    pub fn of_reader(path: &str, reader: Box<dyn Read + Send>, limits: Limits) -> Result<Self> {
        let read_bytes = Arc::default();
        Ok(Self {
            waiting: Vec::new().into_iter(),
            open: Some(OpenFile::of_reader(path.into(), reader, &read_bytes)?),
            limits,
            finished: Vec::new(),
            stop: StopFlag::new(),
            stored_bytes: None,
            read_bytes,
        })
    }

    /// Bytes of all files as they are on disk, compressed or not; `None` where one of them is standard input or a pipe.
    pub fn stored_bytes(&self) -> Option<u64> {
        self.stored_bytes
    }

    /// How many of these were read.
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes.load(Ordering::Relaxed)
    }

    /// The next block, or `None` after the last file.
    ///
    /// # Errors
    /// A file that can't be read to its end, or a damaged compressed one. Whole lines before the damage were given out; the file's
    /// last, cut line is not, and the next call goes on with the next file.
    pub fn next_block(&mut self) -> Result<Option<Block>> {
        loop {
            let open = match &mut self.open {
                Some(open) => open,
                none => match self.waiting.next() {
                    Some(path) => none.insert(OpenFile::new(&path, &self.stop, &self.read_bytes)?),
                    None => return Ok(None),
                },
            };
            match open.next_block(&self.limits, &self.stop) {
                Ok(Some(block)) => return Ok(Some(block)),
                end => {
                    self.finished.push((Arc::clone(&open.path), open.offset));
                    self.open = None;
                    end?;
                }
            }
        }
    }

    /// The files read to their end since the last call, with their uncompressed sizes in bytes.
    pub fn take_finished(&mut self) -> Vec<(Arc<str>, u64)> {
        std::mem::take(&mut self.finished)
    }
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

impl OpenFile {
    fn new(path: &Path, stop: &StopFlag, read_bytes: &Arc<AtomicU64>) -> Result<Self> {
        let reader = raw(path, stop).map_err(|error| Error::io(path, "open it", &error))?;
        Self::of_reader(path.to_string_lossy().into(), reader, read_bytes)
    }

    fn of_reader(path: Arc<str>, reader: Box<dyn Read + Send>, read_bytes: &Arc<AtomicU64>) -> Result<Self> {
        let (reader, plain) =
            decompressed(reader, read_bytes).map_err(|error| Error::io(Path::new(&*path), "read it", &error))?;
        Ok(Self {
            path,
            reader,
            read_bytes: plain.then(|| Arc::clone(read_bytes)),
            offset: 0,
            rest: Vec::new(),
            failed: None,
        })
    }

    fn next_block(&mut self, limits: &Limits, stop: &StopFlag) -> Result<Option<Block>> {
        // A line with so many bytes is too long, even if the last one is the CR of its line end.
        let too_long = limits.line_bytes.saturating_add(2);
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut bytes = std::mem::take(&mut self.rest);
        let mut wanted = BLOCK_BYTES;
        loop {
            let missing = wanted.saturating_sub(bytes.len());
            bytes.reserve(missing);
            let read = self.reader.by_ref().take(missing as u64).read_to_end(&mut bytes);
            let cut = match read {
                Ok(got) if got < missing => bytes.len(),
                Ok(_) => match whole_lines(&bytes, *limits) {
                    0 if bytes.len() >= too_long => return self.long_line(&bytes, stop).map(Some),
                    0 => {
                        wanted = (bytes.len() * 2).min(too_long);
                        continue;
                    }
                    cut => cut,
                },
                Err(error) => {
                    let error = self.not_read(&error);
                    let cut = whole_lines(&bytes, *limits);
                    if cut == 0 {
                        return Err(error);
                    }
                    // A cut line may look like a whole one with other values: it is left out.
                    bytes.truncate(cut);
                    self.failed = Some(error);
                    cut
                }
            };
            self.rest = bytes.split_off(cut);
            if bytes.is_empty() {
                return Ok(None);
            }
            return Ok(Some(self.block(bytes.len() as u64, Content::Lines(bytes))));
        }
    }

    /// Reads over the rest of a line that is too long, however long it is: what is kept of it is in its beginning.
    fn long_line(&mut self, beginning: &[u8], stop: &StopFlag) -> Result<Block> {
        let mut line = LongLine::default();
        line.add(beginning);
        let mut piece = Vec::with_capacity(BLOCK_BYTES);
        loop {
            if stop.is_set() {
                return Err(Error::new(&self.path, "was left in the middle of a line"));
            }
            piece.clear();
            let read = self.reader.by_ref().take(BLOCK_BYTES as u64).read_to_end(&mut piece);
            let got = read.map_err(|error| self.not_read(&error))?;
            // No quote is followed so far: it ends at its next LF.
            if let Some(end) = memchr(b'\n', &piece) {
                line.add(&piece[..end]);
                self.rest = piece.split_off(end + 1);
                return Ok(self.block(line.len + 1, line.content()));
            }
            line.add(&piece);
            if got < BLOCK_BYTES {
                return Ok(self.block(line.len, line.content()));
            }
        }
    }

    fn block(&mut self, len: u64, content: Content) -> Block {
        let offset = self.offset;
        self.offset += len;
        if let Some(read) = &self.read_bytes {
            read.fetch_add(len, Ordering::Relaxed);
        }
        Block {
            path: Arc::clone(&self.path),
            offset,
            len,
            content,
        }
    }

    fn not_read(&self, error: &io::Error) -> Error {
        Error::io(Path::new(&*self.path), "read it", error)
    }
}

/// Counts the compressed bytes that go by.
struct CountedRead<R> {
    reader: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for CountedRead<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = self.reader.read(into)?;
        self.bytes.fetch_add(got as u64, Ordering::Relaxed);
        Ok(got)
    }
}

/// A line that is not held: what is to be known of it once all of its bytes went by.
#[derive(Default)]
struct LongLine {
    start: Vec<u8>,
    /// The first byte that is no space, and how many are before it.
    first: Option<(u8, u64)>,
    last: Option<u8>,
    len: u64,
}

impl LongLine {
    fn add(&mut self, piece: &[u8]) {
        let room = KEPT_OF_LONG_LINE - self.start.len();
        self.start.extend_from_slice(&piece[..piece.len().min(room)]);
        let first = || piece.iter().position(|byte| *byte != b' ');
        self.first = self
            .first
            .or_else(|| first().map(|at| (piece[at], self.len + at as u64)));
        self.last = piece.last().copied().or(self.last);
        self.len += piece.len() as u64;
    }

    /// By the rules of the parser: a comment is known by its first byte that is no space, and one CR belongs to the line end.
    fn content(self) -> Content {
        let bytes = self.len - u64::from(self.last == Some(b'\r'));
        match self.first {
            Some((first, at)) if first != b'#' && at < bytes => Content::LongLine {
                start: self.start,
                bytes,
            },
            _ => Content::Nothing,
        }
    }
}

/// The bytes of a file as they are.
fn raw(path: &Path, stop: &StopFlag) -> io::Result<Box<dyn Read + Send>> {
    Ok(if is_standard_input(path) {
        Box::new(Pipe::standard_input(stop)?)
    } else if fs::metadata(path)?.is_file() {
        Box::new(File::open(path)?)
    } else {
        Box::new(Pipe::open(path, stop)?)
    })
}

/// The bytes behind gzip or zstd, told by their first bytes, which are counted; or as they are, and that they are.
fn decompressed(
    mut raw: Box<dyn Read + Send>,
    read_bytes: &Arc<AtomicU64>,
) -> io::Result<(Box<dyn Read + Send>, bool)> {
    let mut start = Vec::new();
    raw.by_ref().take(MAGIC_BYTES).read_to_end(&mut start)?;
    let compression = Compression::of(&start);
    let whole = io::Cursor::new(start).chain(raw);
    let Some(compression) = compression else {
        return Ok((Box::new(whole), true));
    };
    let counted = CountedRead {
        reader: whole,
        bytes: Arc::clone(read_bytes),
    };
    Ok(match compression {
        Compression::Gzip => (
            Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(1 << 18, counted))),
            false,
        ),
        Compression::Zstd => (Box::new(zstd::Decoder::new(counted)?), false),
    })
}

/// Bytes at the start of a file that tell how it is compressed.
const MAGIC_BYTES: u64 = 4;

enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    /// None, where these bytes start what is read as it is.
    fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // RFC 8878, section 3.1.2: a skippable frame may come first; pzstd begins every file with one.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Whether a file that starts with these bytes, four of them at least, is taken for a compressed one.
pub fn is_compressed(start: &[u8]) -> bool {
    Compression::of(start).is_some()
}
