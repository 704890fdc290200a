//! Numbers in the page's data: as many digits as can be seen, and no more.

use serde::{Serialize, Serializer};

/// A number that is written without a fraction where it has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number(pub f64);

/// Whole numbers below this are written as such: JavaScript holds them exactly, as a Float64 does.
const WHOLE: f64 = 9_007_199_254_740_992.0;

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0.fract() == 0.0 && self.0.abs() < WHOLE {
            true => to.serialize_i64(self.0 as i64),
            false => to.serialize_f64(self.0),
        }
    }
}

/// Places of a number that are kept: by its own size, or by how far the values of its series are apart, whichever is finer.
const PLACES: i32 = 5;

/// Rounds a value of a series whose values span `span` to what can be told apart in a plot, also when one zooms in.
pub fn rounded(value: f64, span: f64) -> f64 {
    let size = magnitude(value);
    let last = (size - PLACES).min(magnitude(span) - PLACES) + 1;
    let digits = (size - last).clamp(0, 16);
    let text = format!("{value:.*e}", digits.unsigned_abs() as usize);
    // The greatest floats are rounded to none.
    text.parse()
        .ok()
        .filter(|rounded: &f64| rounded.is_finite())
        .unwrap_or(value)
}

/// The power of ten of the first digit.
fn magnitude(value: f64) -> i32 {
    match value.abs().log10().floor() {
        power if power.is_finite() => power as i32,
        // Zero has no digits: nothing is finer than it.
        _ => i32::MAX / 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_no_point_and_all_read_back() {
        let text = |value: f64| serde_json::to_string(&Number(value)).unwrap();
        assert_eq!(text(97.0), "97");
        assert_eq!(text(-3.0), "-3");
        assert_eq!(text(0.25), "0.25");
        assert_eq!(text(1e300).parse::<f64>().unwrap(), 1e300);
    }

    #[test]
    fn a_value_keeps_five_digits_or_what_its_neighbours_need() {
        assert_eq!(rounded(94.949_494_949_496_57, 100.0), 94.949);
        assert_eq!(rounded(0.0, 100.0), 0.0);
        assert_eq!(rounded(17_179_869_184.0, 17e9), 17_180_000_000.0);
        // A counter: its values are large, and close to each other.
        assert_eq!(rounded(12_345_678.0, 3_600.0), 12_345_678.0);
        // Others of the series are huge: this one is still itself when one zooms in.
        assert_eq!(rounded(0.123_456, 1e12), 0.123_46);
        assert_eq!(rounded(5.0, 0.0), 5.0);
        assert_eq!(rounded(-1.234_567e-200, 1e-199), -1.234_6e-200);
        assert_eq!(rounded(f64::MAX, f64::INFINITY), f64::MAX);
    }
}
