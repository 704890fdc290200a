//! Lines that may yet turn out not to fit: kept word for word until the commit is settled, many of them, at little cost each.

use super::reject::RejectedLine;
use crate::lineproto::{Precision, Reason};
use crate::source::Origin;

/// Bytes of a piece of memory that lines are copied into, at most; a longer line gets one of its own.
const PIECE: usize = 1 << 20;

/// Bytes of the first piece; each that follows has twice as many. There may be many tables with a line each.
const FIRST_PIECE: usize = 512;

/// The lines of one table whose values may not fit the types that its undeclared columns get, in the order of its rows.
#[derive(Debug, Default)]
pub struct KeptLines {
    pieces: Vec<Vec<u8>>,
    lines: Vec<Kept>,
}

#[derive(Debug)]
struct Kept {
    row: (usize, usize),
    origin: Origin,
    default_time: Option<i64>,
    precision: Precision,
    piece: usize,
    start: usize,
    len: usize,
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
        self.lines.push(Kept {
            row,
            origin,
            default_time,
            precision,
            piece,
            start: memory.len(),
            len: line.len(),
        });
        memory.extend_from_slice(line);
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
        let place = self.lines.binary_search_by_key(&row, |kept| kept.row).ok()?;
        Some(self.reject(&self.lines[place]))
    }

    /// Each row with a kept line, and the reject that its line would become.
    pub(super) fn iter(&self) -> impl Iterator<Item = ((usize, usize), impl Fn() -> RejectedLine)> {
        self.lines.iter().map(|kept| (kept.row, || self.reject(kept)))
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
            line: self.pieces[kept.piece][kept.start..kept.start + kept.len].to_vec(),
            cut_from: None,
        }
    }
}
