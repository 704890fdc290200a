//! What the user typed, resolved and checked once: everything after this works with values that make sense.

mod kafka;
mod memory;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use self::kafka::{StatusSettings, follow_every, kafka_settings};
pub use self::memory::Memory;

use crate::calendar::parse_instant;
use crate::cli::{
    ArchiveArgs, DEFAULT_COMMIT_EVERY, FormatName, ImportArgs, IngestArgs, LimitArgs, MergeArgs, PruneArgs,
    RejectsArgs, ReportArgs,
};
use crate::error::{Error, Result};
use crate::format::Formats;
use crate::lineproto::{Limits, Precision};
use crate::store::Requested;
use crate::store::settings::parse_time_range;
use crate::table::{COLUMNS, MEASUREMENTS};

/// `--threads` at most: far above what pays, and each takes memory and a place among the system's threads.
const MOST_THREADS: usize = 1024;

/// `--max-line` at least: shorter lines are what the whole thing is about.
const LEAST_LINE_BYTES: usize = 1_000;

/// `--max-line` at most: a line is held in memory, several times over.
const MOST_LINE_BYTES: usize = 1 << 30;

/// How many rejects a run may have before its exit code says so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxRejects {
    /// So many lines.
    Lines(u64),
    /// So many per cent of the lines read.
    Percent(f64),
}

impl MaxRejects {
    /// Whether a run with these counts has too many.
    pub fn exceeded_by(self, rejected: u64, lines: u64) -> bool {
        match self {
            Self::Lines(most) => rejected > most,
            // In this order, because 0.7 / 100.0 is less than 0.007.
            Self::Percent(most) => rejected as f64 * 100.0 > most * lines as f64,
        }
    }
}

/// Settings of every run that puts lines into an archive.
#[derive(Clone, Debug)]
pub struct IngestSettings {
    /// The archive's folder.
    pub archive: PathBuf,
    /// What the flags ask of the archive; checked against what it was made with.
    pub requested: Requested,
    /// Folder of schema files for measurements that the archive does not know yet.
    pub schemas: Option<PathBuf>,
    /// What the process may take.
    pub memory: Memory,
    /// Threads that read and parse, and as many that sort and encode.
    pub threads: usize,
    /// The unit of the times in lines.
    pub precision: Precision,
    /// Rejects beyond which the exit code says so.
    pub max_rejects: MaxRejects,
    /// Lines after which a run makes a commit.
    pub commit_every: u64,
    /// What a line without time gets, nanoseconds since 1970-01-01 UTC.
    pub default_time: Option<i64>,
    /// Say what would change, and write nothing.
    pub dry_run: bool,
    /// What producers may send.
    pub limits: InputLimits,
}

/// What producers may send; lines past a limit are rejects.
#[derive(Clone, Copy, Debug)]
pub struct InputLimits {
    /// Bounds for each line.
    pub line: Limits,
    /// Measurements of the archive at most.
    pub measurements: usize,
    /// Columns of a measurement at most.
    pub columns: usize,
}

impl Default for InputLimits {
    fn default() -> Self {
        Self {
            line: Limits::default(),
            measurements: MEASUREMENTS,
            columns: COLUMNS,
        }
    }
}

impl InputLimits {
    fn new(args: &LimitArgs) -> Result<Self> {
        let bytes = parse_size("--max-line", &args.max_line)?;
        let line_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        if !(LEAST_LINE_BYTES..=MOST_LINE_BYTES).contains(&line_bytes) {
            return Err(
                Error::usage("--max-line", format_args!("{} is out of bounds", args.max_line))
                    .hint("it must be from 1kB to 1GiB, such as 16MiB"),
            );
        }
        Ok(Self {
            line: Limits {
                line_bytes,
                tags: args.max_tags,
                fields: args.max_fields,
            },
            measurements: args.max_measurements,
            columns: args.max_columns,
        })
    }
}

impl IngestSettings {
    fn new(archive: &Path, args: &IngestArgs, default_time: Option<i64>) -> Result<Self> {
        let formats = args.formats.as_ref().map(|names| Formats {
            parquet: names.contains(&FormatName::Parquet),
            csv: names.contains(&FormatName::Csv),
        });
        let time_range = match &args.time_range {
            Some(text) => Some(parse_time_range(text).map_err(|cause| {
                Error::usage("--time-range", cause)
                    .hint("write it as 2020-01-01..2030-01-01, 2020-01-01.. or .. for all times")
            })?),
            None => None,
        };
        if args
            .threads
            .is_some_and(|threads| !(1..=MOST_THREADS).contains(&threads))
        {
            return Err(
                Error::usage("--threads", format_args!("must be from 1 to {MOST_THREADS}"))
                    .hint("without it there is one for each processor"),
            );
        }
        if args.commit_every == 0 {
            return Err(Error::usage("--commit-every", "must be at least 1")
                .hint("it is a number of lines; each commit writes the files of its days anew"));
        }
        let memory = match &args.memory {
            Some(text) => Memory::new(parse_bytes("--memory", text)?),
            None => Memory::default_of_machine(),
        };
        Ok(Self {
            archive: archive.to_owned(),
            requested: Requested {
                timezone: args.timezone.clone(),
                time_unit: args.time_unit,
                time_range,
                formats,
            },
            schemas: args.schemas.clone(),
            memory,
            threads: args.threads.unwrap_or_else(processors),
            precision: args.precision,
            max_rejects: parse_max_rejects(&args.max_rejects)?,
            commit_every: args.commit_every,
            default_time,
            dry_run: args.dry_run,
            limits: InputLimits::new(&args.limits)?,
        })
    }

    /// Settings of `diurnal import`.
    ///
    /// # Errors
    /// A flag whose value makes no sense.
    pub fn for_import(archive: &Path, args: &ImportArgs, now: i64) -> Result<Self> {
        let default_time = match &args.default_time {
            Some(text) => Some(instant("--default-time", text, now)?),
            None => None,
        };
        Self::new(archive, &args.ingest, default_time)
    }

    /// Lines of nanoseconds into one commit, on one thread with memory for all of them, into an archive as it is or with the default
    /// settings: what a program sets the rest of itself.
    pub fn one_commit(archive: &Path) -> Self {
        Self {
            archive: archive.to_owned(),
            requested: Requested::default(),
            schemas: None,
            memory: Memory::new(u64::MAX),
            threads: 1,
            precision: Precision::default(),
            max_rejects: MaxRejects::Lines(0),
            commit_every: u64::MAX,
            default_time: None,
            dry_run: false,
            limits: InputLimits::default(),
        }
    }

    /// Settings of `diurnal rejects --retry`: as much memory and as many threads as a run takes by default.
    ///
    /// # Errors
    /// A flag whose value makes no sense.
    pub fn for_retry(archive: &Path, args: &RejectsArgs) -> Result<Self> {
        Ok(Self {
            memory: Memory::default_of_machine(),
            threads: processors(),
            commit_every: DEFAULT_COMMIT_EVERY,
            dry_run: args.dry_run,
            limits: InputLimits::new(&args.limits)?,
            ..Self::one_commit(archive)
        })
    }

    /// Settings of `diurnal archive`.
    ///
    /// # Errors
    /// A flag whose value makes no sense.
    pub fn for_archive(archive: &Path, args: &ArchiveArgs) -> Result<Self> {
        Self::new(archive, &args.ingest, None)
    }
}

/// Settings of `diurnal merge`.
#[derive(Clone, Debug)]
pub struct MergeSettings {
    /// The archive's folder.
    pub archive: PathBuf,
    /// Folders of the archives that are merged into it.
    pub others: Vec<PathBuf>,
    /// Topics that were deleted and made again, and are to be merged nevertheless.
    pub accept_recreated: Vec<String>,
    /// Say what would change, and write nothing.
    pub dry_run: bool,
}

impl MergeSettings {
    /// What was typed needs no more than to be put together.
    pub fn new(archive: &Path, args: &MergeArgs) -> Self {
        Self {
            archive: archive.to_owned(),
            others: args.others.clone(),
            accept_recreated: args.accept_recreated.clone(),
            dry_run: args.dry_run,
        }
    }
}

/// What `diurnal prune` removes: what is from before these times, nanoseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PruneSettings {
    /// CSV files of days that ended by then.
    pub csv_before: Option<i64>,
    /// Parquet files of days that ended by then.
    pub parquet_before: Option<i64>,
    /// Reject files that were written by then.
    pub rejects_before: Option<i64>,
}

impl PruneSettings {
    /// Settings of `diurnal prune`.
    ///
    /// # Errors
    /// An age that makes no sense.
    pub fn new(args: &PruneArgs, now: i64) -> Result<Self> {
        let before =
            |flag: &str, age: &Option<String>| age.as_deref().map(|age| time_before(flag, age, now)).transpose();
        Ok(Self {
            csv_before: before("--csv-older-than", &args.csv_older_than)?,
            parquet_before: before("--parquet-older-than", &args.parquet_older_than)?,
            rejects_before: before("--rejects-older-than", &args.rejects_older_than)?,
        })
    }
}

/// The times that `diurnal report` was given, nanoseconds since 1970-01-01 UTC. Ages count from `end`, where the archive ends, so that
/// the same archive makes the same report whenever it is made.
///
/// # Errors
/// A time that makes no sense.
pub fn report_times(args: &ReportArgs, end: i64) -> Result<(Option<i64>, Option<i64>)> {
    let time = |flag: &str, text: &Option<String>| text.as_deref().map(|text| instant(flag, text, end)).transpose();
    Ok((time("--from", &args.from)?, time("--until", &args.until)?))
}

/// The time that was so long ago: `90d`, `1w12h`.
fn time_before(flag: &str, age: &str, now: i64) -> Result<i64> {
    let is_age = age.starts_with(|first: char| first.is_ascii_digit());
    let time = is_age.then(|| parse_instant(&format!("-{age}"), now).ok()).flatten();
    time.ok_or_else(|| Error::usage(flag, format_args!("{age} is no age")).hint("write it as 90d, 12w or 36h"))
}

fn instant(flag: &str, text: &str, now: i64) -> Result<i64> {
    parse_instant(text, now).map_err(|error| {
        let usage = Error::usage(flag, &error);
        match error.advice() {
            Some(advice) => usage.hint(advice),
            None => usage,
        }
    })
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A number of bytes to work with.
fn parse_bytes(flag: &str, text: &str) -> Result<u64> {
    match parse_size(flag, text)? {
        bytes if bytes >= memory::LEAST => Ok(bytes),
        _ => Err(Error::usage(
            flag,
            format_args!("{text} is too little to work with: 16MiB is the least"),
        )
        .hint("without it diurnal takes a quarter of what the machine has")),
    }
}

/// A number of bytes: `512MiB`, `2GB`, `1048576`.
fn parse_size(flag: &str, text: &str) -> Result<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = match text[digits.len()..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kib" => Some(1 << 10),
        "m" | "mib" => Some(1 << 20),
        "g" | "gib" => Some(1 << 30),
        "kb" => Some(1_000),
        "mb" => Some(1_000_000),
        "gb" => Some(1_000_000_000),
        _ => None,
    };
    let number: Option<u64> = digits.parse().ok();
    let bytes = number
        .zip(unit)
        .and_then(|(number, unit): (u64, u64)| number.checked_mul(unit));
    bytes.ok_or_else(|| {
        Error::usage(flag, format_args!("{text} is no number of bytes")).hint("write it as 512MiB or 2GiB")
    })
}

/// A duration: `60s`, `500ms`, `5m`, `1h`, `1d`.
fn parse_duration(flag: &str, text: &str) -> Result<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let milliseconds: Option<u64> = match &text[digits.len()..] {
        "ms" => Some(1),
        "s" | "" => Some(1_000),
        "m" | "min" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let number: Option<u64> = digits.parse().ok();
    match number
        .zip(milliseconds)
        .and_then(|(number, unit)| number.checked_mul(unit))
    {
        Some(0) | None => {
            Err(Error::usage(flag, format_args!("{text} is no duration")).hint("write it as 500ms, 60s, 5m or 1h"))
        }
        Some(milliseconds) => Ok(Duration::from_millis(milliseconds)),
    }
}

fn parse_max_rejects(text: &str) -> Result<MaxRejects> {
    let parsed = match text.strip_suffix('%') {
        Some(percent) => percent
            .parse()
            .ok()
            .filter(|percent| (0.0..=100.0).contains(percent))
            .map(MaxRejects::Percent),
        None => text.parse().ok().map(MaxRejects::Lines),
    };
    parsed.ok_or_else(|| {
        Error::usage(
            "--max-rejects",
            format_args!("{text} is neither a number of lines nor a percentage"),
        )
        .hint("write it as 100 or 0.1%")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_say_what_they_mean() {
        assert_eq!(parse_bytes("--memory", "512MiB").unwrap(), 512 << 20);
        assert_eq!(parse_bytes("--memory", "2 GB").unwrap(), 2_000_000_000);
        assert!(parse_bytes("--memory", "1k").is_err());
        assert!(parse_bytes("--memory", "99999999999GiB").is_err());
        assert_eq!(
            parse_duration("--timeout", "500ms").unwrap(),
            Duration::from_millis(500)
        );
        assert_eq!(parse_duration("--timeout", "2m").unwrap(), Duration::from_secs(120));
        assert!(parse_duration("--timeout", "0s").is_err());
        assert!(parse_duration("--timeout", "soon").is_err());
    }

    #[test]
    fn rejects_are_counted_in_lines_or_per_cent() {
        assert!(parse_max_rejects("0").unwrap().exceeded_by(1, 100));
        assert!(!parse_max_rejects("1%").unwrap().exceeded_by(1, 100));
        assert!(parse_max_rejects("1%").unwrap().exceeded_by(2, 100));
        assert!(!parse_max_rejects("0.7%").unwrap().exceeded_by(7, 1000));
        assert!(parse_max_rejects("-1").is_err());
        assert!(parse_max_rejects("101%").is_err());
    }

    #[test]
    fn a_wrong_time_names_its_flag_and_how_to_write_it() {
        let error = instant("--from", "yesterday", 0).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Usage);
        assert!(error.to_string().starts_with("--from: "));
        assert!(error.advice().is_some_and(|advice| advice.contains("2020-06-19")));
    }

    #[test]
    fn an_age_is_a_number_of_units_and_nothing_else() {
        const DAY: i64 = 86_400_000_000_000;
        assert_eq!(time_before("--csv-older-than", "90d", 100 * DAY).unwrap(), 10 * DAY);
        assert_eq!(time_before("--csv-older-than", "1w12h", 10 * DAY).unwrap(), 5 * DAY / 2);
        for wrong in ["", "90", "-90d", "2020-06-19", "now", "90d ago", "d", "999999999w"] {
            let error = time_before("--csv-older-than", wrong, 0).unwrap_err();
            assert_eq!(error.kind(), crate::error::Kind::Usage, "{wrong}");
            assert!(error.to_string().starts_with("--csv-older-than: "), "{error}");
        }
    }
}
