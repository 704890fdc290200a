//! The steps for the vector instructions of x86-64.
#![expect(
    unsafe_code,
    reason = "vector instructions: measured to pay, see benches/lineproto; the two kinds of proof are in the page above this one"
)]

use std::arch::x86_64::*;

use super::portable::{digits, places_one_by_one};
use super::{BLOCK, Digits, Kernel, MOST_DIGITS, Simd, Structure, WINDOW};

/// What every x86-64 processor has.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Sse2(());

/// The processor has AVX2, BMI1, BMI2, LZCNT and POPCNT (Intel from Haswell on, AMD from Excavator on).
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Avx2(());

/// It also has AVX-512 F, BW, VL, VBMI and VBMI2 (Intel from Ice Lake on, AMD from Zen 4 on).
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Avx512(());

/// A set's type, its features, and how code is run with them.
macro_rules! set {
    ($set:ident, $run:ident, $features:literal, $detected:expr) => {
        impl $set {
            /// The proof that the processor has the instructions, if it does.
            pub(super) fn detect() -> Option<Self> {
                let detected: bool = $detected;
                detected.then_some(Self(()))
            }

            /// Runs a kernel compiled for these instructions.
            #[inline]
            pub(super) fn run<K: Kernel>(self, kernel: K) -> K::Output {
                // SAFETY: `self` exists, so `detect` found the features on this processor.
                unsafe { $run(self, kernel) }
            }
        }

        #[target_feature(enable = $features)]
        fn $run<K: Kernel>(set: $set, kernel: K) -> K::Output {
            kernel.run(set)
        }
    };
}

set!(Sse2, run_sse2, "sse2", is_x86_feature_detected!("sse2"));
set!(
    Avx2,
    run_avx2,
    "avx2,bmi1,bmi2,lzcnt,popcnt",
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
);
set!(
    Avx512,
    run_avx512,
    "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2",
    Avx2::detect().is_some()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512vbmi2")
);

impl Simd for Sse2 {
    #[inline(always)]
    fn structure(self, block: &[u8; BLOCK]) -> Structure {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { structure_sse2(block) }
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

impl Simd for Avx2 {
    #[inline(always)]
    fn structure(self, block: &[u8; BLOCK]) -> Structure {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { structure_avx2(block) }
    }

    #[inline(always)]
    fn places(self, mask: u64, base: u16, places: &mut [u16; BLOCK]) {
        places_one_by_one(mask, base, places);
    }

    #[inline(always)]
    fn digits(self, window: &[u8; WINDOW], len: usize) -> Option<Digits> {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { digits_avx2(window, len) }
    }
}

impl Simd for Avx512 {
    #[inline(always)]
    fn structure(self, block: &[u8; BLOCK]) -> Structure {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { structure_avx512(block) }
    }

    #[inline(always)]
    fn places(self, mask: u64, base: u16, places: &mut [u16; BLOCK]) {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { places_avx512(mask, base, places) }
    }

    #[inline(always)]
    fn digits(self, window: &[u8; WINDOW], len: usize) -> Option<Digits> {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { digits_avx512(window, len) }
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn load_128(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: the reference is to 16 readable bytes, and this load asks for no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx")]
fn load_256(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: the reference is to 32 readable bytes, and this load asks for no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_512(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: the reference is to 64 readable bytes, and this load asks for no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_512(places: &mut [u16; 32], value: __m512i) {
    // SAFETY: the reference is to 64 writable bytes, and this store asks for no alignment.
    unsafe { _mm512_storeu_si512(places.as_mut_ptr().cast(), value) }
}

#[inline]
#[target_feature(enable = "sse2")]
fn structure_sse2(block: &[u8; BLOCK]) -> Structure {
    let mut mask = 0;
    let mut any = _mm_setzero_si128();
    for (index, bytes) in block.as_chunks::<16>().0.iter().enumerate() {
        let bytes = load_128(bytes);
        any = _mm_or_si128(any, bytes);
        let equal = |byte: u8| _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte as i8));
        let last_control = _mm_set1_epi8(0x1f);
        let control = _mm_cmpeq_epi8(_mm_max_epu8(bytes, last_control), last_control);
        let separators = _mm_or_si128(_mm_or_si128(equal(b','), equal(b'=')), equal(b' '));
        let quotes = _mm_or_si128(equal(b'"'), equal(b'\\'));
        let found = _mm_or_si128(_mm_or_si128(separators, quotes), control);
        mask |= u64::from(_mm_movemask_epi8(found) as u16) << (16 * index);
    }
    Structure {
        mask,
        ascii: _mm_movemask_epi8(any) == 0,
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn structure_avx2(block: &[u8; BLOCK]) -> Structure {
    let [low, high] = *block.as_chunks::<32>().0 else {
        unreachable!("a block is two vectors")
    };
    let (low, high) = (load_256(&low), load_256(&high));
    Structure {
        mask: u64::from(structure_of_32(low)) | u64::from(structure_of_32(high)) << 32,
        ascii: _mm256_movemask_epi8(_mm256_or_si256(low, high)) == 0,
    }
}

/// For each low half of a byte the one byte with it that counts, `\` aside, which shares its half with the comma; where there
/// is none a byte with another half, which no byte with this one equals.
const BY_LOW_HALF: [u8; 16] = [b' ', 0, b'"', 0, 0, 0, 0, 0, 0, 0, 0, 0, b',', b'=', 0, 0];

#[inline]
#[target_feature(enable = "avx2")]
fn structure_of_32(bytes: __m256i) -> u32 {
    let table = _mm256_broadcastsi128_si256(load_128(&BY_LOW_HALF));
    // The shuffle gives 0 for bytes above 127, which they are not.
    let separators = _mm256_cmpeq_epi8(_mm256_shuffle_epi8(table, bytes), bytes);
    let backslashes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\\' as i8));
    let last_control = _mm256_set1_epi8(0x1f);
    let control = _mm256_cmpeq_epi8(_mm256_max_epu8(bytes, last_control), last_control);
    _mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(separators, backslashes), control)) as u32
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn structure_avx512(block: &[u8; BLOCK]) -> Structure {
    let bytes = load_512(block);
    let table = _mm512_broadcast_i32x4(load_128(&BY_LOW_HALF));
    let separators = _mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(table, bytes), bytes);
    let backslashes = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'\\' as i8));
    let control = _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(b' ' as i8));
    Structure {
        mask: separators | backslashes | control,
        ascii: _mm512_movepi8_mask(bytes) == 0,
    }
}

const IDENTITY: [u8; BLOCK] = {
    let mut bytes = [0; BLOCK];
    let mut index = 0;
    while index < BLOCK {
        bytes[index] = index as u8;
        index += 1;
    }
    bytes
};

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2")]
fn places_avx512(mask: u64, base: u16, places: &mut [u16; BLOCK]) {
    let [low, high] = places.as_chunks_mut::<32>().0 else {
        unreachable!("a block is two vectors of places")
    };
    let base = _mm512_set1_epi16(base as i16);
    let compressed = _mm512_maskz_compress_epi8(mask, load_512(&IDENTITY));
    let first = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(compressed));
    store_512(low, _mm512_add_epi16(first, base));
    if mask.count_ones() > 32 {
        let second = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64::<1>(compressed));
        store_512(high, _mm512_add_epi16(second, base));
    }
}

/// The numbers of the 32 lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn lanes() -> __m256i {
    let [low, _] = *IDENTITY.as_chunks::<32>().0 else {
        unreachable!("a block is two vectors")
    };
    load_256(&low)
}

/// A window's last 32 bytes, and those one place before.
#[inline]
#[target_feature(enable = "avx2")]
fn straight_and_shifted(window: &[u8; WINDOW]) -> (__m256i, __m256i) {
    let straight = window.last_chunk().expect("a window is longer than 32 bytes");
    let shifted = window.first_chunk().expect("a window is longer than 32 bytes");
    (load_256(straight), load_256(shifted))
}

#[inline]
#[target_feature(enable = "avx2")]
fn digits_avx2(window: &[u8; WINDOW], len: usize) -> Option<Digits> {
    if len.wrapping_sub(1) > MOST_DIGITS {
        return None;
    }
    let (straight, shifted) = straight_and_shifted(window);
    let last = |count: usize| _mm256_cmpgt_epi8(lanes(), _mm256_set1_epi8(31 - count as i8));
    let is_dot = _mm256_cmpeq_epi8(straight, _mm256_set1_epi8(b'.' as i8));
    let dots = _mm256_movemask_epi8(_mm256_and_si256(is_dot, last(len))) as u32;
    let dot = dots != 0;
    let count = len - usize::from(dot);
    // Behind the first dot; a second one is no digit.
    let decimals = if dot { 31 - dots.trailing_zeros() as usize } else { 0 };
    let taken_straight = last(if dot { decimals } else { 32 });
    let bytes = _mm256_blendv_epi8(shifted, straight, taken_straight);
    let values = _mm256_and_si256(_mm256_sub_epi8(bytes, _mm256_set1_epi8(b'0' as i8)), last(count));
    let wrong = _mm256_subs_epu8(values, _mm256_set1_epi8(9));
    if count.wrapping_sub(1) >= MOST_DIGITS || _mm256_testz_si256(wrong, wrong) == 0 {
        return None;
    }
    Some(Digits {
        value: number(values),
        count,
        decimals,
        dot,
    })
}

#[inline]
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl")]
fn digits_avx512(window: &[u8; WINDOW], len: usize) -> Option<Digits> {
    if len.wrapping_sub(1) > MOST_DIGITS {
        return None;
    }
    let (straight, shifted) = straight_and_shifted(window);
    let last = |count: usize| u32::MAX << (32 - count as u32);
    let dots = _mm256_mask_cmpeq_epi8_mask(last(len), straight, _mm256_set1_epi8(b'.' as i8));
    let dot = dots != 0;
    let count = len - usize::from(dot);
    let decimals = if dot { 31 - dots.trailing_zeros() as usize } else { 0 };
    // The first dot and all before it; nothing where there is none.
    let taken_shifted = if dot { dots ^ dots.wrapping_sub(1) } else { 0 };
    let bytes = _mm256_mask_blend_epi8(taken_shifted, straight, shifted);
    if count.wrapping_sub(1) >= MOST_DIGITS {
        return None;
    }
    let values = _mm256_maskz_sub_epi8(last(count), bytes, _mm256_set1_epi8(b'0' as i8));
    if _mm256_cmpgt_epu8_mask(values, _mm256_set1_epi8(9)) != 0 {
        return None;
    }
    Some(Digits {
        value: number(values),
        count,
        decimals,
        dot,
    })
}

/// The number whose digits are the last 24 lanes, 0 to 9 each, if it fits a u64: two digits, then four, then eight in one lane.
#[inline]
#[target_feature(enable = "avx2")]
fn number(digits: __m256i) -> u64 {
    let pairs = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(i16::from_le_bytes([10, 1])));
    let fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(100 | 1 << 16));
    let fours = _mm256_packus_epi32(fours, fours);
    let eights = _mm256_madd_epi16(fours, _mm256_set1_epi32(10_000 | 1 << 16));
    let low = _mm_cvtsi128_si64(_mm256_extracti128_si256::<1>(eights)) as u64;
    let high = _mm_cvtsi128_si64(_mm256_castsi256_si128(eights)) as u64 >> 32;
    high * 10_000_000_000_000_000 + (low & 0xffff_ffff) * 100_000_000 + (low >> 32)
}
