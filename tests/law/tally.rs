//! What the cases exercised, so that a test that no longer tests something is seen.

use std::fmt;
use std::ops::AddAssign;

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Cases,
    Lines,
    Points,
    Rejected,
    Conflicts,
    Days,
    Runs,
    Replays,
    ReadAgain,
    Merges,
    MergedAgain,
    SpillFiles,
    Copied,
    Encoded,
    MergeCopied,
    MergeEncoded,
    KilledBefore,
    KilledWithin,
    KilledBehind,
    Left,
}

/// Everything that is counted, what it is, and how many there are at least in 2,000 cases: about a half of what there is.
const COUNTS: [(Count, &str, u64); 20] = [
    (Count::Cases, "cases", 2_000),
    (Count::Lines, "lines", 30_000),
    (Count::Points, "points", 20_000),
    (Count::Rejected, "rejected lines", 1_200),
    (Count::Conflicts, "points with more than one value for a field", 2_500),
    (Count::Days, "days of the archives that are compared", 5_000),
    (Count::Runs, "runs", 7_000),
    (Count::Replays, "replays", 800),
    (Count::ReadAgain, "commits read again after a kill", 80),
    (Count::Merges, "merges", 1_500),
    (Count::MergedAgain, "merges made once more", 250),
    (Count::SpillFiles, "files of rows that there was no memory for", 6_000),
    (Count::Copied, "leaves copied by runs", 3_000),
    (Count::Encoded, "leaves encoded by runs", 20_000),
    (Count::MergeCopied, "leaves copied by merges", 7_000),
    (Count::MergeEncoded, "leaves encoded by merges", 6_000),
    (Count::KilledBefore, "kills with no commit on its way", 800),
    (Count::KilledWithin, "kills within a record", 200),
    (Count::KilledBehind, "kills behind a record", 300),
    (Count::Left, "archives used as a kill had left them", 60),
];

/// Sums over cases.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally([u64; COUNTS.len()]);

impl Tally {
    pub fn add(&mut self, count: Count, more: u64) {
        self.0[count as usize] += more;
    }

    /// What was counted less often than it should in so many cases.
    pub fn too_few(&self) -> Vec<String> {
        let cases = self.0[Count::Cases as usize];
        let few = COUNTS
            .iter()
            .filter(|(count, _, least)| self.0[*count as usize] < least * cases / 2_000);
        few.map(|(count, what, least)| format!("{} {what}, {least} in 2,000 cases expected", self.0[*count as usize]))
            .collect()
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = COUNTS
            .iter()
            .map(|(count, what, _)| format!("{} {what}", self.0[*count as usize]));
        out.write_str(&told.collect::<Vec<_>>().join(", "))
    }
}
