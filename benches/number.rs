//! Sizes that a variable of the environment may change.

use std::str::FromStr;

/// The number that a variable holds, else `default`.
pub fn number<T: FromStr>(name: &str, default: T) -> T {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}
