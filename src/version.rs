//! Which diurnal this is.

/// The version with the commit that it was built from, where that was known: `0.1.0 (1a48dc7abcde 2026-11-25)`; `-dirty` follows the hash
/// where the sources were not those of the commit. A debug build says that it is one.
pub const VERSION: &str = env!("DIURNAL_BUILD_VERSION");

/// The day of that commit as `2026-11-25`, or nothing.
pub const DAY: &str = env!("DIURNAL_BUILD_DAY");
