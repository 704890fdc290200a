//! Who is timed, and on what work.

use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;

use diurnal::lineproto::{Instructions, Limits, Parser, Precision, whole_lines};
use diurnal::source::Origin;
use diurnal::table::{CollectSettings, Collected, Collector};

use crate::machine::Clock;
use crate::sets::Set;
use crate::tally::Tally;

/// Bytes of a block that `import` gives to a collector, more where one line is longer.
const BLOCK_BYTES: usize = 1 << 20;

/// One way to read the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// influxdb-line-protocol: every line's measurement, tags, fields and time. It is given text that is known to be UTF-8, which
    /// diurnal has to check, and as one piece, so that its iterator is made once.
    Reference,
    /// diurnal's parser alone: every line's fields and time. Heads are checked, and their names left to whoever meets a new one.
    Parse(Instructions),
    /// diurnal to typed columns, tags as numbers of a dictionary: blocks of whole lines, as `import` gives them.
    Blocks(Instructions),
    /// The same, one message a line, as Kafka gives them.
    Messages(Instructions),
}

/// What came out of a contender.
pub enum Reading {
    Sums(Tally),
    Columns(Box<Collected>),
}

/// Every contender; the one that the others are compared with comes first.
pub fn all() -> Vec<Contender> {
    let works = [Contender::Parse, Contender::Blocks, Contender::Messages];
    let of_diurnal = works.iter().flat_map(|work| Instructions::available().map(work));
    std::iter::once(Contender::Reference).chain(of_diurnal).collect()
}

impl Contender {
    /// What it does.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reference => "influxdb-line-protocol, full read",
            Self::Parse(_) => "diurnal, parse alone",
            Self::Blocks(_) => "diurnal, columns from blocks",
            Self::Messages(_) => "diurnal, columns from messages",
        }
    }

    /// Its instructions, where it can be asked to use some.
    pub fn instructions(self) -> Option<Instructions> {
        match self {
            Self::Reference => None,
            Self::Parse(set) | Self::Blocks(set) | Self::Messages(set) => Some(set),
        }
    }

    /// Reads the set once: seconds, and what was read. Giving its memory back is not part of the time.
    pub fn read(self, set: &Set, clock: &Clock) -> (f64, Reading) {
        match self {
            Self::Reference => {
                let (seconds, tally) = clock.time(|| black_box(reference(black_box(&set.text))));
                (seconds, Reading::Sums(tally))
            }
            Self::Parse(instructions) => {
                let (seconds, tally) = clock.time(|| black_box(parse(black_box(set.text.as_bytes()), instructions)));
                (seconds, Reading::Sums(tally))
            }
            Self::Blocks(instructions) => {
                let (seconds, collected) = clock.time(|| columns(set.text.as_bytes(), &set.blocks, instructions));
                (seconds, Reading::Columns(Box::new(collected)))
            }
            Self::Messages(instructions) => {
                let (seconds, collected) = clock.time(|| columns(set.text.as_bytes(), &set.messages, instructions));
                (seconds, Reading::Columns(Box::new(collected)))
            }
        }
    }
}

impl Reading {
    /// What it comes to.
    pub fn tally(&self) -> Tally {
        match self {
            Self::Sums(tally) => tally.clone(),
            Self::Columns(collected) => Tally::of_columns(collected),
        }
    }

    /// The first line that diurnal did not take, with the reason.
    pub fn first_reject(&self) -> Option<String> {
        let Self::Columns(collected) = self else { return None };
        let reject = collected.rejects.first()?;
        let detail = reject
            .detail
            .as_ref()
            .map_or(String::new(), |detail| format!(" ({detail})"));
        let line = String::from_utf8_lossy(&reject.line);
        Some(format!("{}{detail}: {line}", reject.reason))
    }
}

fn reference(text: &str) -> Tally {
    let mut tally = Tally::default();
    for line in influxdb_line_protocol::parse_lines(text).flatten() {
        tally.add_reference_line(&line);
    }
    tally
}

fn parse(bytes: &[u8], instructions: Instructions) -> Tally {
    let mut tally = Tally::default();
    let mut parser = Parser::with_instructions(Precision::Ns, Limits::default(), instructions);
    let mut lines = parser.lines(bytes);
    while let Some(line) = lines.next() {
        if let Ok(line) = line {
            tally.add_line(&line);
        }
    }
    tally
}

/// Columns from pieces of `bytes`, each given by itself.
fn columns(bytes: &[u8], pieces: &[Range<usize>], instructions: Instructions) -> Collected {
    let mut collector = collector(instructions);
    let path: Arc<str> = "bench".into();
    for piece in pieces {
        push(&mut collector, bytes, piece.clone(), &path);
    }
    black_box(collector.finish())
}

/// A collector as for an archive that is new.
pub fn collector(instructions: Instructions) -> Collector {
    Collector::new(CollectSettings {
        instructions,
        ..CollectSettings::default()
    })
}

/// Gives a piece of `bytes` to a collector.
pub fn push(collector: &mut Collector, bytes: &[u8], piece: Range<usize>, path: &Arc<str>) {
    let first = piece.start;
    let origin = |at: usize| Origin::File {
        path: Arc::clone(path),
        offset: (first + at) as u64,
    };
    collector.push(black_box(&bytes[piece]), None, origin);
}

/// Cuts `bytes` into blocks of whole lines as the reader of files does: what it read and could not give out yet is looked at again,
/// with more behind it.
pub fn blocks(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut blocks = Vec::new();
    let (mut start, mut read) = (0, 0);
    let mut wanted = BLOCK_BYTES;
    while start < bytes.len() {
        read = wanted.max(read);
        let rest = &bytes[start..];
        let cut = match rest.get(..read) {
            Some(block) => whole_lines(block, Limits::default()),
            None => rest.len(),
        };
        if cut == 0 {
            wanted = 2 * read;
        } else {
            blocks.push(start..start + cut);
            start += cut;
            read = read.saturating_sub(cut);
            wanted = BLOCK_BYTES;
        }
    }
    blocks
}
