//! Every set of instructions does what the plain twin does, and the plain twin what a loop over the bytes does.

use proptest::prelude::*;

use super::*;

fn available() -> impl Iterator<Item = (Instructions, Available)> {
    Instructions::ALL
        .iter()
        .filter_map(|&set| Some((set, Available::detect(set)?)))
}

struct StructureOf<'a>(&'a [u8; BLOCK]);

impl Kernel for StructureOf<'_> {
    type Output = Structure;

    #[inline(always)]
    fn run(self, simd: impl Simd) -> Structure {
        simd.structure(self.0)
    }
}

struct PlacesOf(u64, u16);

impl Kernel for PlacesOf {
    type Output = Vec<u16>;

    #[inline(always)]
    fn run(self, simd: impl Simd) -> Vec<u16> {
        let mut places = [0; BLOCK];
        simd.places(self.0, self.1, &mut places);
        places[..self.0.count_ones() as usize].to_vec()
    }
}

struct DigitsOf<'a>(&'a [u8; WINDOW], usize);

impl Kernel for DigitsOf<'_> {
    type Output = Option<Digits>;

    #[inline(always)]
    fn run(self, simd: impl Simd) -> Option<Digits> {
        simd.digits(self.0, self.1)
    }
}

fn structure_by_bytes(block: &[u8; BLOCK]) -> Structure {
    let structural = |byte: u8| byte < b' ' || b",= \"\\".contains(&byte);
    Structure {
        mask: (0..BLOCK)
            .filter(|&index| structural(block[index]))
            .map(|index| 1 << index)
            .sum(),
        ascii: block.is_ascii(),
    }
}

fn digits_by_bytes(window: &[u8; WINDOW], len: usize) -> Option<Digits> {
    let token = window.get(WINDOW.checked_sub(len)?..)?;
    let dot = token.iter().position(|&byte| byte == b'.');
    let digits: Vec<u8> = token
        .iter()
        .enumerate()
        .filter(|(index, _)| Some(*index) != dot)
        .map(|(_, &byte)| byte)
        .collect();
    let good = digits.iter().all(u8::is_ascii_digit) && (1..=MOST_DIGITS).contains(&digits.len());
    good.then(|| Digits {
        value: digits
            .iter()
            .fold(0, |value, digit| value * 10 + u64::from(digit - b'0')),
        count: digits.len(),
        decimals: dot.map_or(0, |dot| token.len() - dot - 1),
        dot: dot.is_some(),
    })
}

/// Every byte as likely as any other, or mostly those that count.
fn byte() -> impl Strategy<Value = u8> {
    let structural = prop::sample::select(b",= \"\\\n\r\t\0\x1f\x1f !#-<>[]\x7f\x80\xac\xbd\xff".as_slice());
    prop_oneof![any::<u8>(), structural]
}

fn number_byte() -> impl Strategy<Value = u8> {
    let odd = prop::sample::select(b"/:.-+eEi \0\xff\xb0\xb9".as_slice());
    prop_oneof![30 => b'0'..=b'9', 2 => Just(b'.'), 1 => odd, 1 => any::<u8>()]
}

/// Memory to read at any alignment: the bytes start at any of the first 64 places of a larger piece.
fn at_alignment<const N: usize>(bytes: &[u8; N], offset: usize) -> (Vec<u8>, usize) {
    let mut memory = vec![b','; offset];
    memory.extend_from_slice(bytes);
    (memory, offset)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn structures_are_equal(bytes in prop::collection::vec(byte(), BLOCK), offset in 0..64usize) {
        let bytes: [u8; BLOCK] = bytes.try_into().unwrap();
        let (memory, start) = at_alignment(&bytes, offset);
        let block = memory[start..].first_chunk().unwrap();
        for (set, simd) in available() {
            prop_assert_eq!(simd.run(StructureOf(block)), structure_by_bytes(block), "{}", set.as_str());
        }
    }

    #[test]
    fn places_are_equal(mask: u64, other: u64, dense: bool, base in 0..=u16::MAX - 63) {
        let mask = if dense { mask | other } else { mask & other };
        let expected: Vec<u16> = (0..64).filter(|bit| mask >> bit & 1 == 1).map(|bit| base + bit).collect();
        for (set, simd) in available() {
            prop_assert_eq!(simd.run(PlacesOf(mask, base)), expected.clone(), "{}", set.as_str());
        }
    }

    #[test]
    fn digits_are_equal(
        bytes in prop::collection::vec(number_byte(), WINDOW),
        len in prop_oneof![9 => 0..24usize, 1 => any::<usize>()],
        offset in 0..64usize,
    ) {
        let bytes: [u8; WINDOW] = bytes.try_into().unwrap();
        let (memory, start) = at_alignment(&bytes, offset);
        let window = memory[start..].first_chunk().unwrap();
        for (set, simd) in available() {
            prop_assert_eq!(simd.run(DigitsOf(window, len)), digits_by_bytes(window, len), "{}", set.as_str());
        }
    }
}

#[test]
fn every_byte_at_every_place_of_a_block_is_told() {
    for byte in 0..=u8::MAX {
        for place in 0..BLOCK {
            let mut block = [b'x'; BLOCK];
            block[place] = byte;
            for (set, simd) in available() {
                let found = simd.run(StructureOf(&block));
                assert_eq!(found, structure_by_bytes(&block), "{} {byte} {place}", set.as_str());
            }
        }
    }
}

#[test]
fn every_length_and_every_place_of_the_dot_is_read() {
    for len in 1..=MOST_DIGITS + 1 {
        for dot in 0..=len {
            let mut window = *b"9.8.7=6i5,4 3\"9.9.9=9i9,9 9\"9=9i9";
            for (index, byte) in window[WINDOW - len..].iter_mut().enumerate() {
                *byte = b"98765432101234567890"[index];
            }
            if dot < len {
                window[WINDOW - len + dot] = b'.';
            }
            for (set, simd) in available() {
                let found = simd.run(DigitsOf(&window, len));
                assert_eq!(found, digits_by_bytes(&window, len), "{} {len} {dot}", set.as_str());
                assert_eq!(
                    found.is_some(),
                    dot < len && len > 1 || len <= MOST_DIGITS && dot == len
                );
            }
        }
    }
}
