//! The steps in plain Rust, for any processor: eight bytes at a time in ordinary registers.

use super::{BLOCK, Digits, MOST_DIGITS, Simd, Structure, WINDOW};

/// No instructions beyond the target's own.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Portable;

/// 1 in each byte.
const ONES: u64 = u64::MAX / 255;

/// The highest bit of each byte.
const HIGHS: u64 = ONES << 7;

impl Simd for Portable {
    #[inline(always)]
    fn structure(self, block: &[u8; BLOCK]) -> Structure {
        let mut mask = 0;
        let mut any = 0;
        for (index, word) in block.as_chunks::<8>().0.iter().enumerate() {
            let word = u64::from_le_bytes(*word);
            any |= word;
            let found = equal(word, b',')
                | equal(word, b'=')
                | equal(word, b' ')
                | equal(word, b'"')
                | equal(word, b'\\')
                | below_space(word);
            mask |= gather(found) << (8 * index);
        }
        Structure {
            mask,
            ascii: any & HIGHS == 0,
        }
    }

    #[inline(always)]
    fn places(self, mask: u64, base: u16, places: &mut [u16; BLOCK]) {
        places_one_by_one(mask, base, places);
    }

    #[inline(always)]
    fn digits(self, window: &[u8; WINDOW], len: usize) -> Option<Digits> {
        digits(window, len)
    }
}

/// The highest bit of each byte that is `byte`.
fn equal(word: u64, byte: u8) -> u64 {
    let zero = word ^ (ONES * u64::from(byte));
    // Adding does not carry from byte to byte, as the highest bits are off.
    !(((zero & !HIGHS) + !HIGHS) | zero) & HIGHS
}

/// The highest bit of each byte that is below space.
fn below_space(word: u64) -> u64 {
    let low = (word & !HIGHS) + ONES * (0x80 - u64::from(b' '));
    !(low | word) & HIGHS
}

/// The highest bits of the eight bytes as the lowest eight bits of a number.
fn gather(highs: u64) -> u64 {
    (highs >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// Bits are taken from the lowest on, in steps of eight whose number alone depends on the mask: a wrong guess of the
/// processor a bit would cost more.
#[inline(always)]
pub(super) fn places_one_by_one(mut mask: u64, base: u16, places: &mut [u16; BLOCK]) {
    for step in places.as_chunks_mut::<8>().0 {
        for place in step {
            // 64 where no bit is left, and then it means nothing.
            *place = base.wrapping_add(mask.trailing_zeros() as u16);
            mask &= mask.wrapping_sub(1);
        }
        if mask == 0 {
            return;
        }
    }
}

/// The last 24 bytes of a number as three words, the last byte highest.
type Words = [u64; 3];

#[inline(always)]
pub(super) fn digits(window: &[u8; WINDOW], len: usize) -> Option<Digits> {
    if len.wrapping_sub(1) > MOST_DIGITS {
        return None;
    }
    let straight = words(window, WINDOW - 24);
    // Everything one place further to the end: what is before the dot closes up to what is behind it.
    let shifted = words(window, WINDOW - 25);
    let kept = last_bytes(len);
    let mut behind = 0;
    let mut dot = false;
    for index in 0..3 {
        let dots = equal(straight[index], b'.') & kept[index];
        if dots != 0 && !dot {
            dot = true;
            behind = 8 * (2 - index) + 7 - dots.trailing_zeros() as usize / 8;
        }
    }
    let count = len - usize::from(dot);
    if count == 0 || count > MOST_DIGITS {
        return None;
    }
    let from_straight = last_bytes(if dot { behind } else { 24 });
    let kept = last_bytes(count);
    let mut values = [0; 3];
    let mut wrong = 0;
    for index in 0..3 {
        let word = (straight[index] & from_straight[index]) | (shifted[index] & !from_straight[index]);
        let word = (word ^ (ONES * u64::from(b'0'))) & kept[index];
        // Above 9 in the low seven bits, or the highest bit set.
        wrong |= ((word & !HIGHS) + ONES * (0x7f - 9)) | word;
        values[index] = eight_digits(word);
    }
    if wrong & HIGHS != 0 {
        return None;
    }
    let [high, middle, low] = values;
    Some(Digits {
        value: (high * 100_000_000 + middle) * 100_000_000 + low,
        count,
        decimals: behind,
        dot,
    })
}

fn words(window: &[u8; WINDOW], start: usize) -> Words {
    let mut words = [0; 3];
    for (word, bytes) in words.iter_mut().zip(window[start..].as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

/// All bits of the last `count` of 24 bytes.
fn last_bytes(count: usize) -> Words {
    let word = |before: usize| {
        let bytes = count.saturating_sub(before).min(8) as u32;
        u64::MAX.checked_shl(64 - 8 * bytes).unwrap_or(0)
    };
    [word(16), word(8), word(0)]
}

/// The number whose digits are the bytes of `word`, 0 to 9 each, the first digit lowest.
fn eight_digits(word: u64) -> u64 {
    // Two digits, then four, then eight in one field each (Lemire, "Quickly parsing eight digits", 2018).
    let pairs = word.wrapping_mul(10).wrapping_add(word >> 8);
    const FIELDS: u64 = 0x0000_00ff_0000_00ff;
    let low = (pairs & FIELDS).wrapping_mul(0x000f_4240_0000_0064);
    let high = ((pairs >> 16) & FIELDS).wrapping_mul(0x0000_2710_0000_0001);
    low.wrapping_add(high) >> 32
}
