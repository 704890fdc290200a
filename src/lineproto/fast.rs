//! The straight way through a line: from one structural byte to the next, without looking at what is between.
//!
//! A stretch of input (a *tile*) is first turned into the places of its structural bytes, 64 bytes a step ([`Tile::index`]). A
//! line that is as lines almost always are is then read by these places ([`ReadLine`]): nothing but `=` and `,` in turn, one
//! space before the fields and one before the time. Whatever is otherwise (an escape in a field key, two spaces, a comment, any
//! mistake) is not decided here: the line is left to the thorough way, the rest of this module, which knows every rule and
//! names what is wrong. What is read here it would read just so.

use super::Precision;
use super::fields::{Slot, Stretch, Value};
use super::limits::Limits;
use super::number;
use super::simd::{Available, BLOCK, Kernel, Simd, Structure};

/// Bytes of a tile at most: with its places it fits the smallest first-level cache.
const TILE: usize = 16 << 10;

/// Line ends before and behind the text of a tile, so that every step may look this far to either side.
const MARGIN: usize = 64;

/// Room for every place that 16 bits can name. With arrays of this size the compiler sees that no index is out of bounds; what
/// lies behind a tile is never touched.
const ROOM: usize = 1 << 16;

/// A stretch of input, indexed.
#[derive(Debug)]
pub(super) struct Tile {
    /// Where it starts in the input.
    start: usize,
    /// Where it ends.
    end: usize,
    /// Its bytes, with margins.
    text: Box<[u8; MARGIN + ROOM + MARGIN]>,
    /// The places of its structural bytes, ascending, then its length.
    places: Box<[u16; ROOM]>,
    ascii: bool,
}

impl Default for Tile {
    fn default() -> Self {
        Self {
            start: 0,
            end: 0,
            text: zeroed(),
            places: zeroed(),
            ascii: true,
        }
    }
}

/// An array on the heap, without its way over the stack.
fn zeroed<T: Copy + Default + std::fmt::Debug, const N: usize>() -> Box<[T; N]> {
    vec![T::default(); N].try_into().expect("the vector has this length")
}

impl Tile {
    /// Makes this the tile that starts at `start`.
    pub(super) fn index(&mut self, simd: Available, input: &[u8], start: usize) {
        self.start = start;
        self.end = input.len().min(start + TILE);
        self.ascii = simd.run(Index {
            bytes: &input[start..self.end],
            text: &mut self.text,
            places: &mut self.places,
        });
    }

    /// Forgets the tile, when another input begins.
    pub(super) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    pub(super) fn start(&self) -> usize {
        self.start
    }

    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// The number of the first place, from number `from` on, that is not before `at`, which is before the tile's end.
    pub(super) fn skip_to(&self, from: u16, at: usize) -> u16 {
        let wanted = at - self.start;
        let places = &self.places[usize::from(from)..];
        let passed = places.iter().take_while(|&&place| usize::from(place) < wanted);
        from + passed.count() as u16
    }

    /// The byte at a place of the tile; from its end on, line ends.
    #[inline(always)]
    fn byte(&self, place: u16) -> u8 {
        self.text[MARGIN + usize::from(place)]
    }

    /// The bytes before a place.
    #[inline(always)]
    fn before<const N: usize>(&self, place: u16) -> &[u8; N] {
        let end = MARGIN + usize::from(place);
        self.text[end - N..end].first_chunk().expect("it has this length")
    }

    /// The bytes from the one behind a place on.
    #[inline(always)]
    fn behind<const N: usize>(&self, place: u16) -> &[u8; N] {
        let start = MARGIN + usize::from(place) + 1;
        self.text[start..start + N].first_chunk().expect("it has this length")
    }
}

/// Copies `bytes` into a tile's text and writes the places of their structural ones, and their number behind them; says whether
/// all bytes are ASCII.
struct Index<'a> {
    bytes: &'a [u8],
    text: &'a mut [u8; MARGIN + ROOM + MARGIN],
    places: &'a mut [u16; ROOM],
}

impl Kernel for Index<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self, simd: impl Simd) -> bool {
        let Self { bytes, text, places } = self;
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        let (text, margin) = text[MARGIN..].split_at_mut(bytes.len());
        let (copies, copy_of_rest) = text.as_chunks_mut::<BLOCK>();
        let mut found = Found {
            places,
            count: 0,
            ascii: true,
        };
        for (index, (block, copy)) in blocks.iter().zip(copies).enumerate() {
            *copy = *block;
            found.take(simd, block, index * BLOCK);
        }
        if !rest.is_empty() {
            copy_of_rest.copy_from_slice(rest);
            // Filled up with a byte that is not structural.
            let mut block = [b'0'; BLOCK];
            block[..rest.len()].copy_from_slice(rest);
            found.take(simd, &block, blocks.len() * BLOCK);
        }
        margin[..MARGIN].fill(b'\n');
        found.places[found.count] = bytes.len() as u16;
        found.ascii
    }
}

struct Found<'a> {
    places: &'a mut [u16; ROOM],
    count: usize,
    ascii: bool,
}

impl Found<'_> {
    #[inline(always)]
    fn take(&mut self, simd: impl Simd, block: &[u8; BLOCK], base: usize) {
        let Structure { mask, ascii } = simd.structure(block);
        self.ascii &= ascii;
        let room = self.places[self.count..].first_chunk_mut();
        simd.places(
            mask,
            base as u16,
            room.expect("there is room for a block behind all bytes of a tile"),
        );
        self.count += mask.count_ones() as usize;
    }
}

/// What became of a line on the straight way.
#[derive(Debug)]
pub(super) enum Read {
    /// It is good, but for keys that may repeat; its fields are in the slots.
    Line {
        /// Where the head ends, from the line's start.
        head_end: usize,
        /// Where the line ends, without its line end, from the line's start.
        end: usize,
        /// Bytes of the line with its line end.
        with_end: usize,
        time: Option<i64>,
        /// The number of the place that comes after the line.
        next_place: u16,
    },
    /// Nothing stands before its line end, which is an LF.
    Blank,
    /// The tile ends before the line does. `in_string`: within a string.
    Cut { in_string: bool },
    /// It takes the thorough way.
    Other,
}

/// Reads the line that starts at `at`, with `place` the number of the first place not before it.
pub(super) struct ReadLine<'t, 'a, F> {
    pub(super) tile: &'t Tile,
    pub(super) input: &'a [u8],
    pub(super) at: usize,
    pub(super) place: u16,
    pub(super) precision: Precision,
    pub(super) limits: Limits,
    /// Whether a head is a good one.
    pub(super) head_is_good: F,
    pub(super) slots: &'t mut Vec<Slot>,
}

impl<'a, F: FnMut(&'a [u8]) -> bool> Kernel for ReadLine<'_, 'a, F> {
    type Output = Read;

    #[inline(always)]
    fn run(self, simd: impl Simd) -> Read {
        let Self {
            tile,
            input,
            at,
            mut place,
            precision,
            limits,
            mut head_is_good,
            slots,
        } = self;
        let bytes = &input[tile.start..tile.end];
        let start = at - tile.start;
        // The tile's end reads as a line end: which it is, where the input ends there too.
        let is_cut = |at: usize| at >= bytes.len() && tile.end < input.len();
        let other = |at: u16| match is_cut(usize::from(at)) {
            true => Read::Cut { in_string: false },
            false => Read::Other,
        };
        let first = tile.places[usize::from(place)];
        if usize::from(first) == start {
            return match tile.byte(first) {
                b'\n' if start < bytes.len() => Read::Blank,
                _ => other(first),
            };
        }
        if bytes[start] == b'#' {
            return Read::Other;
        }
        // Takes one place after the other.
        let mut next = || {
            let found = tile.places[usize::from(place)];
            place += 1;
            found
        };
        let head_end = loop {
            let found = next();
            match tile.byte(found) {
                b' ' if tile.before::<1>(found) != b"\\" => break found,
                0..b' ' => return other(found),
                _ => {}
            }
        };

        slots.clear();
        // What stands before the key: a space or a comma.
        let mut before_key = head_end;
        let (mut end, mut closing) = loop {
            let equals = next();
            if tile.byte(equals) != b'=' || equals == before_key + 1 {
                return other(equals);
            }
            let [first] = *tile.behind(equals);
            let mut end = next();
            let value;
            if first == b'"' {
                // That was the quote's own place.
                let mut escaped = false;
                let quote = loop {
                    let found = next();
                    match tile.byte(found) {
                        b'"' => break found,
                        b'\\' => {
                            let [after] = *tile.behind(found);
                            if matches!(after, b'"' | b'\\') {
                                escaped = true;
                                next();
                            }
                        }
                        _ if usize::from(found) >= bytes.len() => {
                            return match is_cut(usize::from(found)) {
                                true => Read::Cut { in_string: true },
                                false => Read::Other,
                            };
                        }
                        _ => {}
                    }
                };
                let inside = Stretch::new(usize::from(end) + 1 - start, usize::from(quote) - start);
                value = Value::quoted(inside, escaped);
                end = next();
                if end != quote + 1 {
                    return other(end);
                }
            } else {
                let len = usize::from(end - equals - 1);
                value = match number::quick(simd, tile.before(end), len, first) {
                    Some(value) => value,
                    None => match number::scalar(&bytes[usize::from(equals) + 1..usize::from(end)]) {
                        Ok(value) => value,
                        Err(_) => return other(end),
                    },
                };
            }
            let key = Stretch::new(usize::from(before_key) + 1 - start, usize::from(equals) - start);
            slots.push(Slot::new(key, false, key_words(tile, before_key, equals), value));
            match tile.byte(end) {
                b',' => before_key = end,
                closing => break (end, closing),
            }
        };

        let mut time = None;
        if closing == b' ' {
            let before_time = end;
            end = next();
            let len = usize::from(end - before_time - 1);
            let [first] = *tile.behind(before_time);
            let units = match number::quick_time(simd, tile.before(end), len, first) {
                Some(units) => units,
                None => match number::time(&bytes[usize::from(before_time) + 1..usize::from(end)]) {
                    Ok(units) => units,
                    Err(_) => return other(end),
                },
            };
            time = units.checked_mul(precision.nanoseconds());
            if time.is_none() {
                return Read::Other;
            }
            closing = tile.byte(end);
        }
        let after = match closing {
            b'\n' => usize::from(end) + 1,
            b'\r' if *tile.behind(end) == [b'\n'] => {
                next();
                usize::from(end) + 2
            }
            _ => return Read::Other,
        };
        if is_cut(after - 1) {
            return Read::Cut { in_string: false };
        }
        let line = &bytes[start..usize::from(end)];
        let fits = line.len() <= limits.line_bytes && slots.len() <= limits.fields;
        if !fits || (!tile.ascii && std::str::from_utf8(line).is_err()) {
            return Read::Other;
        }
        let head_end = usize::from(head_end) - start;
        if !head_is_good(&line[..head_end]) {
            return Read::Other;
        }
        Read::Line {
            head_end,
            end: line.len(),
            with_end: after - start,
            time,
            next_place: place,
        }
    }
}

/// The first and last eight bytes of the key between a space or comma and its `=`, as in `Field::key_words`.
#[inline(always)]
fn key_words(tile: &Tile, before: u16, equals: u16) -> [u64; 2] {
    let len = usize::from(equals - before - 1);
    // What is behind a shorter key is shifted out, and so is what is before it.
    let missing = 64 - 8 * len.min(8) as u32;
    let first = u64::from_le_bytes(*tile.behind(before)) << missing >> missing;
    let last = u64::from_le_bytes(*tile.before(equals)) >> missing << missing;
    [first, last]
}
