//! The few steps of the parser that pay for instructions beyond the target's baseline, once in plain Rust and once for each
//! set of instructions; and the way to run code compiled for a set that was found on the processor.
//!
//! All `unsafe` code of the parser is in [`x86`], and is of two kinds. A function compiled for a set of instructions is called
//! where a value of the set's type is at hand, which exists only after the processor was asked. A vector is loaded from or
//! stored to an array of exactly its size, behind a reference. Every method is held equal to its plain twin in
//! [`Portable`] by the tests below, on random bytes at every alignment; the fuzz targets do it under AddressSanitizer.

mod portable;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::instructions::Instructions;
pub(super) use portable::Portable;

/// Bytes that are looked at in one step.
pub(super) const BLOCK: usize = 64;

/// Bytes before the end of a number that [`Simd::digits`] looks at: one more than the longest vector.
pub(super) const WINDOW: usize = 33;

/// The most digits of a number that [`Simd::digits`] reads: as many always fit a u64.
pub(super) const MOST_DIGITS: usize = 19;

/// Where the parser has to look closer, and what it can skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Structure {
    /// Bit i: byte i is `,` `=` space `"` `\` or below space.
    pub(super) mask: u64,
    /// Whether no byte is above 127.
    pub(super) ascii: bool,
}

/// Decimal digits with at most one dot among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digits {
    /// All digits as one number.
    pub(super) value: u64,
    /// How many there are, 1 to [`MOST_DIGITS`].
    pub(super) count: usize,
    /// How many of them stand behind the dot.
    pub(super) decimals: usize,
    /// Whether there is a dot.
    pub(super) dot: bool,
}

/// What a set of instructions is used for.
pub(super) trait Simd: Copy {
    /// Classifies the bytes of a block.
    fn structure(self, block: &[u8; BLOCK]) -> Structure;

    /// Writes the places of the bits of `mask`, ascending and with `base` added, to the front of `places`; what is written
    /// behind them means nothing. No sum is above `u16::MAX`.
    fn places(self, mask: u64, base: u16, places: &mut [u16; BLOCK]);

    /// Reads the last `len` bytes of `window` as decimal digits with at most one dot. `None` if they are not that, or more than
    /// [`MOST_DIGITS`] digits.
    fn digits(self, window: &[u8; WINDOW], len: usize) -> Option<Digits>;
}

/// Code that is compiled once for each set of instructions. `run` must be `#[inline(always)]`, so that it becomes part of the
/// function that has the set switched on.
pub(super) trait Kernel {
    type Output;

    fn run(self, simd: impl Simd) -> Self::Output;
}

/// A set of instructions that this processor is known to have.
#[derive(Clone, Copy, Debug)]
pub(super) enum Available {
    Portable(Portable),
    #[cfg(target_arch = "x86_64")]
    Sse2(x86::Sse2),
    #[cfg(target_arch = "x86_64")]
    Avx2(x86::Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(x86::Avx512),
}

impl Available {
    /// Asks the processor.
    pub(super) fn detect(instructions: Instructions) -> Option<Self> {
        match instructions {
            Instructions::Portable => Some(Self::Portable(Portable)),
            #[cfg(target_arch = "x86_64")]
            Instructions::Sse2 => x86::Sse2::detect().map(Self::Sse2),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => x86::Avx2::detect().map(Self::Avx2),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => x86::Avx512::detect().map(Self::Avx512),
        }
    }

    /// Runs the kernel that was compiled for this set.
    #[inline]
    pub(super) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            Self::Portable(simd) => kernel.run(simd),
            #[cfg(target_arch = "x86_64")]
            Self::Sse2(simd) => simd.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => simd.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(simd) => simd.run(kernel),
        }
    }
}
