//! What is fixed when an archive is made and holds for all of its files.

use serde::{Deserialize, Serialize};

/// Version of the layout on disk; an archive of a later one is refused.
pub const FORMAT_VERSION: u32 = 1;

/// Resolution of the `time` column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// Timestamp(ns): every time that line protocol can say.
    #[default]
    Ns,
    /// Timestamp(us), for Spark; a time that is no whole microsecond is a reject.
    Us,
}

/// The times an archive takes, both ends included, in nanoseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// The first time that is taken.
    pub first: i64,
    /// The last time that is taken.
    pub last: i64,
}

impl TimeRange {
    /// Every time that 64 bits of nanoseconds hold: 1677-09-21 to 2262-04-11.
    pub const ALL: Self = Self {
        first: i64::MIN,
        last: i64::MAX,
    };
}

/// Which files a day has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Formats {
    /// Write `DAY.parquet`.
    pub parquet: bool,
    /// Write `DAY.csv`.
    pub csv: bool,
}

impl Default for Formats {
    fn default() -> Self {
        Self {
            parquet: true,
            csv: true,
        }
    }
}
