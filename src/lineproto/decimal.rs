//! Decimal digits to the nearest float, exactly as the standard library rounds: the algorithm of Eisel and Lemire ("Number
//! parsing at a gigabyte per second", 2021) for what metrics hold, up to 19 digits, some of them behind a dot.
//!
//! Its table is short then, and none of its special cases is left: with at most 19 decimals no result is subnormal or
//! infinite, and the product of digits and power always decides.

use super::simd::MOST_DIGITS;

/// For each number of decimals 10^-decimals as the 128 bits of its mantissa, high and low half: 5^-decimals scaled to at least 2^127,
/// rounded up (but for 1 itself).
///
/// The table is longer than needed: with a power of two the compiler sees that no index is out of bounds.
const POWERS: [(u64, u64); 32] = {
    let mut powers = [(1 << 63, 0); 32];
    let mut decimals = 1;
    let mut five_to_the = 5u64;
    while decimals <= MOST_DIGITS {
        let power = reciprocal(five_to_the) + 1;
        powers[decimals] = ((power >> 64) as u64, power as u64);
        five_to_the = five_to_the.wrapping_mul(5);
        decimals += 1;
    }
    powers
};

/// 2^b / divisor rounded down, with the b for which that has 128 bits. The divisor is no power of two.
const fn reciprocal(divisor: u64) -> u128 {
    let mut quotient = 0u128;
    let mut rest = 1u128;
    while quotient >> 127 == 0 {
        rest <<= 1;
        quotient <<= 1;
        if rest >= divisor as u128 {
            rest -= divisor as u128;
            quotient |= 1;
        }
    }
    quotient
}

/// Bits of a float's mantissa that are written down.
const MANTISSA_BITS: u32 = 52;

/// The float nearest to `digits` divided by 10^`decimals`, ties to even. Positive; at most [`MOST_DIGITS`] decimals.
#[inline(always)]
pub(super) fn float(digits: u64, decimals: usize) -> f64 {
    debug_assert!(decimals <= MOST_DIGITS);
    // Zero has no highest bit to start from; it is put right at the end.
    let nonzero = digits | u64::from(digits == 0);
    let shift = nonzero.leading_zeros();
    let (low, high) = product(nonzero << shift, POWERS[decimals % 32]);
    let upper = (high >> 63) as u32;
    // The mantissa with one more bit, which decides about rounding.
    let drop = 64 - MANTISSA_BITS - 3 + upper;
    let mut mantissa = high >> drop;
    // Exactly between two floats, which at most 4 decimals allow: ties go to even.
    if low <= 1 && decimals <= 4 && mantissa & 3 == 1 && mantissa << drop == high {
        mantissa &= !1;
    }
    mantissa += mantissa & 1;
    mantissa >>= 1;
    let power = ((-(decimals as i32) * 217_706) >> 16) + 63 + upper as i32 - shift as i32 + 1023;
    // The mantissa's highest bit, which is not written down, adds 1 to the exponent; a carry from rounding does the same.
    let bits = (((power - 1) as u64) << MANTISSA_BITS) + mantissa;
    if digits == 0 { 0.0 } else { f64::from_bits(bits) }
}

/// The highest 128 bits of `digits` times a power, as exactly as rounding needs: low and high half.
#[inline(always)]
fn product(digits: u64, (power_high, power_low): (u64, u64)) -> (u64, u64) {
    let full = u128::from(digits) * u128::from(power_high);
    let (low, high) = (full as u64, (full >> 64) as u64);
    // Only where all bits below the mantissa are ones can the rest of the power carry into it.
    const BELOW: u64 = u64::MAX >> (MANTISSA_BITS + 3);
    if high & BELOW != BELOW {
        return (low, high);
    }
    let rest = ((u128::from(digits) * u128::from(power_low)) >> 64) as u64;
    let (low, carry) = low.overflowing_add(rest);
    (low, high + u64::from(carry))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn standard(digits: u64, decimals: usize) -> f64 {
        format!("{digits}e-{decimals}").parse().unwrap()
    }

    fn check(digits: u64, decimals: usize) {
        let (found, expected) = (float(digits, decimals), standard(digits, decimals));
        assert_eq!(
            found.to_bits(),
            expected.to_bits(),
            "{digits}e-{decimals}: {found:?} is not {expected:?}"
        );
    }

    #[test]
    fn edges_of_every_size_round_as_in_the_standard_library() {
        for decimals in 0..=MOST_DIGITS {
            for bit in 0..64 {
                for near in 0..=8 {
                    check((1u64 << bit).saturating_add(near), decimals);
                    check((1u64 << bit).saturating_sub(near), decimals);
                }
            }
            let mut power = 1u64;
            for _ in 0..MOST_DIGITS {
                power *= 10;
                for near in 0..=8 {
                    check(power + near, decimals);
                    check(power - near, decimals);
                }
            }
            for digits in (0..2_000).chain(u64::MAX - 2_000..=u64::MAX) {
                check(digits, decimals);
            }
        }
    }

    #[test]
    fn ties_go_to_even() {
        // Halfway between two floats for every number of decimals that allows it, and just beside.
        for decimals in 0..=5u32 {
            for bits in 54..64 - 3 * decimals.min(4) {
                for odd in 0..64u64 {
                    let halfway = ((1u64 << 53) + 2 * odd + 1) as u128;
                    let Some(digits) = (halfway << (bits - 54)).checked_mul(10u128.pow(decimals)) else {
                        continue;
                    };
                    if let Ok(digits) = u64::try_from(digits) {
                        for digits in [digits - 1, digits, digits + 1] {
                            check(digits, decimals as usize);
                        }
                    }
                }
            }
            for odd in 0..4_096u64 {
                // x.5, x.25, ... with 53 bits before the halfway one.
                let digits = ((1u64 << 53) + 2 * odd + 1) * 5u64.pow(decimals.min(4));
                check(digits, decimals as usize);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200_000))]

        #[test]
        fn random_digits_round_as_in_the_standard_library(digits: u64, shift in 0..64u32, decimals in 0..=MOST_DIGITS) {
            let digits = digits >> shift;
            prop_assert_eq!(float(digits, decimals).to_bits(), standard(digits, decimals).to_bits());
        }

        #[test]
        fn the_digits_of_random_floats_give_these_floats(value in 0.000_1..1e15f64) {
            let text = format!("{value}");
            let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            if let Ok(digits) = text.replace('.', "").parse::<u64>() && decimals <= MOST_DIGITS {
                prop_assert_eq!(float(digits, decimals), value);
            }
        }
    }
}
