//! Line protocol from memory, files and streams -> tables, on many threads.

use std::borrow::Cow;
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use memchr::memchr;
use rayon::ThreadPoolBuilder;

use super::{Tables, sorted};
use crate::error::{Error, Result};
use crate::lineproto::{Limits, whole_lines};
use crate::order::LEAF_ROWS;
use crate::source::files::{BLOCK_BYTES, Block, Content, Files};
use crate::source::{Origin, StopFlag};
use crate::table::settle::settle;
use crate::table::{CollectSettings, Collected, Collector};

/// Blocks that wait for each parsing thread at most.
const BLOCKS_PER_THREAD: usize = 2;

/// Where lines come from.
pub enum Input<'a> {
    /// Memory, taken as it is, not as a compressed file: [`is_compressed`](crate::source::files::is_compressed) says which of the two.
    Bytes(&'a [u8]),
    /// A file or named pipe, plain, gzip or zstd, told by its first bytes; `-` is standard input.
    File(&'a Path),
    /// Something else that can be read, compressed or not. The name is what errors and rejects call it.
    Stream(&'a str, Box<dyn Read + Send>),
}

/// How lines are read.
#[derive(Clone, Debug)]
pub struct ReadSettings {
    /// What the lines become.
    pub collect: CollectSettings,
    /// What a line without time gets, in nanoseconds since 1970-01-01 UTC; without it such a line is a reject.
    pub default_time: Option<i64>,
    /// Threads that parse and sort, 1 at least. They are this call's own and gone when it ends.
    pub threads: usize,
}

/// Reads all lines and gives one sorted table for each measurement, as an archive that was given the same lines would hold them.
///
/// A table is in record batches of 131,072 rows. Everything is in memory, twice at the fullest: as it was read, and sorted.
///
/// `between` is called between one block of lines and the next, on the thread of the caller; its error ends the reading.
///
/// # Errors
/// An input that can't be read to its end, a damaged compressed one: nothing of it is given then. More text in 131,072 rows of one string
/// column than an Arrow array can hold, 2 GiB. The error of `between`. Lines that are no good are no error but [`Tables::rejects`], in the
/// order of the input.
///
/// ```
/// use diurnal::batches::read::{Input, ReadSettings, read_tables};
/// use diurnal::table::CollectSettings;
///
/// let settings = ReadSettings { collect: CollectSettings::default(), default_time: None, threads: 2 };
/// let read = read_tables(Input::Bytes(b"room,name=hall humidity=41.5 1592568010000000000\nroom\n"), &settings, || Ok(()))?;
/// assert_eq!(read.tables["room"].batches[0].num_rows(), 1);
/// assert_eq!(read.rejects[0].reason.as_str(), "no_fields");
/// # Ok::<(), diurnal::error::Error>(())
/// ```
pub fn read_tables(
    input: Input<'_>,
    settings: &ReadSettings,
    mut between: impl FnMut() -> Result<()>,
) -> Result<Tables> {
    let limits = settings.collect.limits;
    let collected = match input {
        Input::Bytes(bytes) => {
            let threads = settings.threads.min(bytes.len().div_ceil(BLOCK_BYTES));
            collect(settings, threads, "", |take| {
                each_piece(bytes, limits, |piece| {
                    between()?;
                    take(piece);
                    Ok(())
                })
            })
        }
        Input::File(path) => {
            let files = Files::new(vec![path.to_owned()], limits, &StopFlag::new())?;
            collect_files(settings, files, &path.to_string_lossy(), between)
        }
        Input::Stream(name, reader) => collect_files(settings, Files::of_reader(name, reader, limits)?, name, between),
    }?;
    let pool = ThreadPoolBuilder::new().num_threads(settings.threads.max(1)).build();
    let pool = pool.map_err(|error| Error::new(format_args!("{} threads", settings.threads), error))?;
    let mut read = pool.install(|| sorted(settle(collected), settings.collect.time_unit, into_batches))?;
    // Each thread has its own.
    read.rejects.sort_by_key(|reject| match reject.origin {
        Origin::File { offset, .. } => offset,
        Origin::Kafka { .. } => unreachable!("no line here came from Kafka"),
    });
    Ok(read)
}

/// As many rows as a row group of a day file has at most, so that a column of text stays far from the 2 GiB of an array.
pub(super) fn into_batches(rows: usize) -> Vec<Range<usize>> {
    let starts = (0..rows).step_by(LEAF_ROWS);
    starts.map(|start| start..rows.min(start + LEAF_ROWS)).collect()
}

/// A piece of the input that can be parsed apart from the rest.
struct Piece<'a> {
    /// Of its first byte, in the uncompressed input.
    offset: u64,
    content: PieceContent<'a>,
}

enum PieceContent<'a> {
    Lines(Cow<'a, [u8]>),
    LongLine { start: Vec<u8>, bytes: u64 },
    Nothing,
}

impl From<Block> for Piece<'_> {
    fn from(block: Block) -> Self {
        Self {
            offset: block.offset,
            content: match block.content {
                Content::Lines(bytes) => PieceContent::Lines(bytes.into()),
                Content::LongLine { start, bytes } => PieceContent::LongLine { start, bytes },
                Content::Nothing => PieceContent::Nothing,
            },
        }
    }
}

impl Piece<'_> {
    fn parse(&self, collector: &mut Collector, default_time: Option<i64>, path: &Arc<str>) {
        let origin = |at: usize| Origin::File {
            path: Arc::clone(path),
            offset: self.offset + at as u64,
        };
        match &self.content {
            PieceContent::Lines(bytes) => collector.push(bytes, default_time, origin),
            PieceContent::LongLine { start, bytes } => {
                collector.push_long_line(start, *bytes, default_time, origin(0));
            }
            PieceContent::Nothing => {}
        }
    }
}

fn collect_files(
    settings: &ReadSettings,
    mut files: Files,
    path: &str,
    mut between: impl FnMut() -> Result<()>,
) -> Result<Vec<Collected>> {
    collect(settings, settings.threads, path, |take| {
        while let Some(block) = files.next_block()? {
            between()?;
            take(block.into());
        }
        Ok(())
    })
}

/// Parses what `feed` gives on so many threads.
fn collect<'a>(
    settings: &ReadSettings,
    threads: usize,
    path: &str,
    feed: impl FnOnce(&mut dyn FnMut(Piece<'a>)) -> Result<()>,
) -> Result<Vec<Collected>> {
    let path: Arc<str> = Arc::from(path);
    let default_time = settings.default_time;
    if threads <= 1 {
        let mut collector = Collector::new(settings.collect.clone());
        feed(&mut |piece| piece.parse(&mut collector, default_time, &path))?;
        return Ok(vec![collector.finish()]);
    }
    let (send, pieces) = sync_channel::<Piece<'a>>(threads * BLOCKS_PER_THREAD);
    // Gone with the last thread that takes from it, so that nobody waits for threads that panicked.
    let pieces = Arc::new(Mutex::new(pieces));
    thread::scope(|scope| {
        let work = || {
            let (pieces, path) = (Arc::clone(&pieces), &path);
            let mut collector = Collector::new(settings.collect.clone());
            scope.spawn(move || {
                while let Some(piece) = next(&pieces) {
                    piece.parse(&mut collector, default_time, path);
                }
                collector.finish()
            })
        };
        let workers: Vec<_> = (0..threads).map(|_| work()).collect();
        drop(pieces);
        // Where nobody takes it any more, joining says why.
        let fed = feed(&mut |piece| drop(send.send(piece)));
        drop(send);
        let join = |worker: thread::ScopedJoinHandle<'_, Collected>| match worker.join() {
            Ok(collected) => collected,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        let collected = workers.into_iter().map(join).collect();
        fed.map(|()| collected)
    })
}

fn next<'a>(pieces: &Mutex<Receiver<Piece<'a>>>) -> Option<Piece<'a>> {
    pieces.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// Cuts lines in memory into pieces of whole ones.
fn each_piece<'a>(bytes: &'a [u8], limits: Limits, mut take: impl FnMut(Piece<'a>) -> Result<()>) -> Result<()> {
    let (mut start, mut wanted) = (0, BLOCK_BYTES);
    while start < bytes.len() {
        let rest = &bytes[start..];
        let cut = match rest.get(..wanted) {
            // Nothing follows: all lines are whole.
            None => rest.len(),
            Some(block) => match whole_lines(block, limits) {
                0 if block.len() > limits.line_bytes.saturating_add(1) => {
                    // No quote is followed so far: the line ends at its next LF.
                    memchr(b'\n', &rest[wanted..]).map_or(rest.len(), |at| wanted + at + 1)
                }
                0 => {
                    wanted = wanted.saturating_mul(2);
                    continue;
                }
                cut => cut,
            },
        };
        take(Piece {
            offset: start as u64,
            content: PieceContent::Lines(rest[..cut].into()),
        })?;
        (start, wanted) = (start + cut, BLOCK_BYTES);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::batches::record_batches;

    fn collect_settings() -> CollectSettings {
        let limits = Limits {
            line_bytes: 1 << 20,
            ..Limits::default()
        };
        CollectSettings {
            limits,
            ..CollectSettings::default()
        }
    }

    fn settings(threads: usize) -> ReadSettings {
        ReadSettings {
            collect: collect_settings(),
            default_time: None,
            threads,
        }
    }

    fn read(input: Input<'_>, threads: usize) -> Tables {
        read_tables(input, &settings(threads), || Ok(())).expect("it is in memory")
    }

    /// More than a block has, a line that is too long and one that is a block by itself among them.
    fn many_lines() -> Vec<u8> {
        let mut lines = Vec::new();
        for number in 0..20_000_u32 {
            let host = number % 7;
            lines.extend(
                format!(
                    "m{},host=h{host} v={number},s=\"two\nlines\" {}\n",
                    number % 3,
                    number / 2
                )
                .bytes(),
            );
            if number % 5_000 == 0 {
                lines.extend(format!("long text=\"{}\" 1\nbad\n", "x".repeat(BLOCK_BYTES + 10)).bytes());
                lines.extend(format!("much too long {}\n", "\"y".repeat(1 << 20)).bytes());
            }
        }
        lines
    }

    #[test]
    fn blocks_and_threads_change_nothing() {
        let lines = many_lines();
        let whole = record_batches(&lines, None, collect_settings()).expect("it is in memory");
        for threads in [1, 2, 5] {
            let stream = Input::Stream("", Box::new(std::io::Cursor::new(lines.clone())));
            for input in [Input::Bytes(&lines), stream] {
                let read = read(input, threads);
                assert_eq!(read.counts, whole.counts);
                assert_eq!(read.rejects.len(), 8);
                assert_eq!(read.rejects, whole.rejects);
                let names = |name: &String| name.clone();
                assert_eq!(
                    read.tables.keys().map(names).collect::<Vec<_>>(),
                    whole.tables.keys().map(names).collect::<Vec<_>>()
                );
                for (name, table) in &read.tables {
                    assert_eq!(table.batches, [whole.tables[name].clone()], "{name}");
                }
            }
        }
    }

    #[test]
    fn a_large_table_is_in_batches_with_one_dictionary() {
        let lines: String = (0..LEAF_ROWS + 5)
            .map(|number| format!("m,host=h{} v={number}i {number}\n", number / LEAF_ROWS))
            .collect();
        let table = &read(Input::Bytes(lines.as_bytes()), 2).tables["m"];
        let rows: Vec<_> = table.batches.iter().map(|batch| batch.num_rows()).collect();
        assert_eq!(rows, [LEAF_ROWS, 5]);
        let dictionary = |batch: usize| {
            let hosts = arrow::array::AsArray::as_dictionary::<arrow::datatypes::Int32Type>(
                table.batches[batch].column(1).as_ref(),
            );
            hosts.values().to_data()
        };
        assert!(dictionary(0).ptr_eq(&dictionary(1)));
        assert_eq!(dictionary(0).len(), 2);
    }

    #[test]
    fn an_error_between_blocks_ends_the_reading() {
        for threads in [1, 3] {
            let mut blocks = 0;
            let lines = many_lines();
            let read = read_tables(Input::Bytes(&lines), &settings(threads), || {
                blocks += 1;
                match blocks {
                    3 => Err(Error::new("test", "enough")),
                    _ => Ok(()),
                }
            });
            assert_eq!(read.expect_err("it was ended").cause(), "enough");
            assert_eq!(blocks, 3);
        }
    }

    proptest! {
        #[test]
        fn pieces_are_whole_lines_and_all_of_the_input(
            lines in prop::collection::vec(("[a\"\\\\ #=]{0,12}", 0..3_u32), 0..40),
        ) {
            let mut bytes = Vec::new();
            for (text, long) in lines {
                bytes.extend_from_slice(text.as_bytes());
                bytes.extend(std::iter::repeat_n(b'z', long as usize * BLOCK_BYTES / 2));
                bytes.push(b'\n');
            }
            let mut again = Vec::new();
            each_piece(&bytes, Limits::default(), |piece| {
                assert_eq!(piece.offset, again.len() as u64);
                let PieceContent::Lines(lines) = piece.content else { panic!("memory holds whole lines") };
                again.extend_from_slice(&lines);
                Ok(())
            }).unwrap();
            prop_assert_eq!(again, bytes);
        }
    }
}
