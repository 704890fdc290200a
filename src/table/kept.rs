//! Lines that may yet turn out not to fit: kept word for word until the commit is settled, many of them, at little cost each.

use super::reject::RejectedLine;
use crate::lineproto::{Precision, Reason};
use crate::source::Origin;

/// Bytes of a piece of memory that lines are copied into, at most; a longer line gets one of its own.
const PIECE: usize = 1 << 20;

/// Lines of a part; the first has fewer.
const PART: usize = 4_096;
const FIRST_PART: usize = 4;

/// Numbers that are bounded by the bytes of a line and the lines of a commit.
fn short(number: usize) -> u32 {
    u32::try_from(number).expect("lines and their number are bounded far below 4 thousand million")
}

/// Bytes of the first piece; each that follows has twice as many. There may be many tables with a line each.
const FIRST_PIECE: usize = 512;

/// The lines of one table whose values may not fit the types that its undeclared columns get, in the order of its rows.
#[derive(Debug, Default)]
pub struct KeptLines {
    pieces: Vec<Vec<u8>>,
    /// Ascending by row, in parts that are never moved: there may be millions.
    lines: Vec<Vec<Kept>>,
}

#[derive(Debug)]
struct Kept {
    /// Chunk, and place in it.
    row: (u32, u32),
    origin: Origin,
    default_time: Option<i64>,
    precision: Precision,
    piece: u32,
    start: u32,
    len: u32,
}

impl KeptLines {
    /// Keeps the line of a row: its chunk, and its place in that.
    pub(super) fn keep(
        &mut self,
        row: (usize, usize),
        line: &[u8],
        origin: Origin,
        default_time: Option<i64>,
        precision: Precision,
    ) {
        let fits = |piece: &Vec<u8>| piece.capacity() - piece.len() >= line.len();
        if !self.pieces.last().is_some_and(fits) {
            let next = self.pieces.last().map_or(FIRST_PIECE, |piece| piece.capacity() * 2);
            self.pieces.push(Vec::with_capacity(line.len().max(next.min(PIECE))));
        }
        let piece = self.pieces.len() - 1;
        let memory = &mut self.pieces[piece];
        let kept = Kept {
            row: (short(row.0), short(row.1)),
            origin,
            default_time,
            precision,
            piece: short(piece),
            start: short(memory.len()),
            len: short(line.len()),
        };
        memory.extend_from_slice(line);
        match self.lines.last_mut().filter(|part| part.len() < part.capacity()) {
            Some(part) => part.push(kept),
            None => {
                let next = self
                    .lines
                    .last()
                    .map_or(FIRST_PART, |part| (part.capacity() * 2).min(PART));
                let mut part = Vec::with_capacity(next);
                part.push(kept);
                self.lines.push(part);
            }
        }
    }

    /// Bytes that keeping this line takes.
    pub(super) fn cost(line: &[u8]) -> usize {
        size_of::<Kept>() + line.len()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The reject that the kept line of a row would become; `None` for a row that has none.
    pub(super) fn find(&self, row: (usize, usize)) -> Option<RejectedLine> {
        let row = (short(row.0), short(row.1));
        let after = self.lines.partition_point(|part| part[0].row <= row);
        let part = &self.lines[after.checked_sub(1)?];
        let place = part.binary_search_by_key(&row, |kept| kept.row).ok()?;
        Some(self.reject(&part[place]))
    }

    /// Each row with a kept line, and the reject that its line would become.
    pub(super) fn iter(&self) -> impl Iterator<Item = ((usize, usize), impl Fn() -> RejectedLine)> {
        let row = |kept: &Kept| (kept.row.0 as usize, kept.row.1 as usize);
        let kept = self.lines.iter().flatten();
        kept.map(move |kept| (row(kept), || self.reject(kept)))
    }

    fn reject(&self, kept: &Kept) -> RejectedLine {
        RejectedLine {
            origin: kept.origin.clone(),
            reason: Reason::TypeMismatch,
            byte: None,
            detail: None,
            place: None,
            precision: kept.precision,
            default_time: kept.default_time,
            line: self.pieces[kept.piece as usize][kept.start as usize..][..kept.len as usize].to_vec(),
            cut_from: None,
        }
    }
}
