//! `_diurnal/archive.toml`: what was decided when the archive was made and holds for all of its files.

use std::path::Path;

use serde::Deserialize;

pub use super::time_range::{DEFAULT_TIME_RANGE, parse_time_range, show_time_range};
use crate::error::{Error, Result};
use crate::format::{FORMAT_VERSION, Formats, TimeRange, TimeUnit};
use crate::nearest::nearest;

/// Time zone of an archive made without `--timezone`.
pub const DEFAULT_TIMEZONE: &str = "UTC";

/// What the user asked for; `None` where the flag was not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requested {
    /// `--timezone`, an IANA name.
    pub timezone: Option<String>,
    /// `--time-unit`.
    pub time_unit: Option<TimeUnit>,
    /// `--time-range`.
    pub time_range: Option<TimeRange>,
    /// `--formats`.
    pub formats: Option<Formats>,
}

/// The settings of an archive, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveSettings {
    /// Version of the layout on disk.
    pub format: u32,
    /// IANA name of the zone whose calendar divides the days.
    pub timezone: String,
    /// Resolution of the `time` column.
    pub time_unit: TimeUnit,
    /// Times that are taken.
    pub time_range: TimeRange,
    /// Files of a day.
    pub formats: Formats,
}

/// The file, word for word.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    timezone: String,
    time_unit: TimeUnit,
    time_range: String,
    formats: Vec<FormatName>,
    /// Of everything above it: no record of the ledger vouches for this file, and a time range with a flipped bit is one too.
    #[serde(rename = "checksum")]
    _checksum: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FormatName {
    Parquet,
    Csv,
}

impl Requested {
    /// The settings of a new archive: what was asked for, else the defaults.
    ///
    /// # Errors
    /// An unknown zone, an empty time range or no format at all are wrong usage.
    pub(super) fn for_new_archive(&self) -> Result<ArchiveSettings> {
        self.check()?;
        Ok(ArchiveSettings {
            format: FORMAT_VERSION,
            timezone: self.timezone.clone().unwrap_or_else(|| DEFAULT_TIMEZONE.to_string()),
            time_unit: self.time_unit.unwrap_or_default(),
            time_range: self.time_range.unwrap_or(DEFAULT_TIME_RANGE),
            formats: self.formats.unwrap_or_default(),
        })
    }

    /// Refuses what disagrees with an archive that exists.
    pub(super) fn agree_with(&self, stored: &ArchiveSettings) -> Result<()> {
        self.check()?;
        let refuse = |flag: &str, asked: String, stored: String| {
            if asked == stored {
                return Ok(());
            }
            Err(Error::usage(
                flag,
                format_args!("{asked} was asked for, but this archive was made with {stored}"),
            )
            .hint("leave the flag out, or make another archive with --archive"))
        };
        if let Some(zone) = &self.timezone {
            refuse("--timezone", zone.clone(), stored.timezone.clone())?;
        }
        if let Some(unit) = self.time_unit {
            refuse(
                "--time-unit",
                unit_name(unit).into(),
                unit_name(stored.time_unit).into(),
            )?;
        }
        if let Some(range) = self.time_range {
            refuse(
                "--time-range",
                show_time_range(range),
                show_time_range(stored.time_range),
            )?;
        }
        if let Some(formats) = self.formats {
            refuse(
                "--formats",
                format_names(formats).join(","),
                format_names(stored.formats).join(","),
            )?;
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        if let Some(zone) = &self.timezone {
            check_timezone(zone).map_err(|cause| Error::usage("--timezone", cause).hint(zone_advice(zone)))?;
        }
        if self.time_range.is_some_and(|range| range.first > range.last) {
            return Err(Error::usage("--time-range", "its end is not behind its beginning"));
        }
        if self.formats.is_some_and(|formats| !formats.parquet && !formats.csv) {
            return Err(Error::usage("--formats", "a day needs a file: parquet, csv or both"));
        }
        Ok(())
    }
}

impl ArchiveSettings {
    /// The text of `archive.toml`.
    pub(crate) fn render(&self) -> String {
        let formats: Vec<String> = format_names(self.formats)
            .iter()
            .map(|name| format!("\"{name}\""))
            .collect();
        let text = format!(
            "# Written when the archive was made; every file in it depends on these. Do not edit.\n\
             format = {}\n\
             timezone = \"{}\"\n\
             time_unit = \"{}\"\n\
             time_range = \"{}\"\n\
             formats = [{}]\n",
            self.format,
            self.timezone,
            unit_name(self.time_unit),
            show_time_range(self.time_range),
            formats.join(", "),
        );
        let checksum = checksum(&text);
        format!("{text}checksum = \"{checksum}\"\n")
    }

    /// Reads `archive.toml`; `path` is for messages.
    ///
    /// # Errors
    /// A later format version, and whatever diurnal would not have written.
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let damaged = |cause: String| {
            Error::damaged(path.display(), cause).hint("restore the file from a backup; nothing was touched")
        };
        let text = std::str::from_utf8(bytes).map_err(|error| damaged(error.to_string()))?;
        let table: toml::Table = toml::from_str(text).map_err(|error| damaged(error.message().to_string()))?;
        // The version first: a later one may have changed everything else.
        let version = table.get("format").and_then(toml::Value::as_integer);
        match version {
            Some(version) if version > i64::from(FORMAT_VERSION) => {
                return Err(Error::damaged(
                    path.display(),
                    format_args!("the archive has format {version}, this diurnal knows {FORMAT_VERSION}"),
                )
                .hint("use a newer diurnal; nothing was touched"));
            }
            Some(version) if version == i64::from(FORMAT_VERSION) => {}
            _ => {
                return Err(damaged("says no format version that diurnal ever had".into()));
            }
        }
        let stored: Stored = table
            .try_into()
            .map_err(|error: toml::de::Error| damaged(error.message().to_string()))?;
        check_timezone(&stored.timezone).map_err(damaged)?;
        let time_range = parse_time_range(&stored.time_range).map_err(damaged)?;
        let formats = Formats {
            parquet: stored.formats.contains(&FormatName::Parquet),
            csv: stored.formats.contains(&FormatName::Csv),
        };
        if !formats.parquet && !formats.csv {
            return Err(damaged("names no format".into()));
        }
        let settings = Self {
            format: stored.format,
            timezone: stored.timezone,
            time_unit: stored.time_unit,
            time_range,
            formats,
        };
        let expected = settings.render();
        if expected != text {
            return Err(damaged("was changed after diurnal wrote it".into()));
        }
        Ok(settings)
    }
}

/// The BLAKE3 hash of the text, in hexadecimal.
fn checksum(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// How `archive.toml` and the flag write a unit.
pub fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Ns => "ns",
        TimeUnit::Us => "us",
    }
}

fn format_names(formats: Formats) -> Vec<&'static str> {
    [("parquet", formats.parquet), ("csv", formats.csv)]
        .into_iter()
        .filter_map(|(name, wanted)| wanted.then_some(name))
        .collect()
}

fn check_timezone(name: &str) -> Result<(), String> {
    match name.parse::<chrono_tz::Tz>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("`{name}` is no time zone of the IANA database")),
    }
}

/// What to do about a zone that is none: the one that was perhaps meant, by its name or by its city alone.
fn zone_advice(name: &str) -> String {
    let zones = || chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
    let city = |zone: &'static str| zone.rsplit('/').next().unwrap_or(zone);
    let of_city = || nearest(name, zones().map(city)).and_then(|meant| zones().find(|zone| city(zone) == meant));
    match nearest(name, zones()).or_else(of_city) {
        Some(meant) => format!("did you mean {meant}?"),
        None => "give UTC or a name such as Europe/Berlin; `timedatectl list-timezones` lists them".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn parse(text: &str) -> Result<ArchiveSettings> {
        ArchiveSettings::parse(Path::new("archive.toml"), text.as_bytes())
    }

    #[test]
    fn an_archive_made_without_flags_has_the_documented_defaults() {
        let settings = Requested::default().for_new_archive().unwrap();
        assert_eq!(
            settings.render().lines().skip(1).take(5).collect::<Vec<_>>(),
            [
                "format = 1",
                "timezone = \"UTC\"",
                "time_unit = \"ns\"",
                "time_range = \"1990-01-01..2100-01-01\"",
                "formats = [\"parquet\", \"csv\"]",
            ]
        );
        assert_eq!(parse(&settings.render()).unwrap(), settings);
    }

    #[test]
    fn a_flag_that_disagrees_is_refused_naming_both_values() {
        let stored = Requested::default().for_new_archive().unwrap();
        let cases = [
            (
                Requested {
                    timezone: Some("Europe/Vienna".into()),
                    ..Requested::default()
                },
                "Europe/Vienna",
                "UTC",
            ),
            (
                Requested {
                    time_unit: Some(TimeUnit::Us),
                    ..Requested::default()
                },
                "us",
                "ns",
            ),
            (
                Requested {
                    time_range: Some(TimeRange {
                        first: i64::MIN,
                        last: i64::MAX,
                    }),
                    ..Requested::default()
                },
                "..",
                "1990-01-01..2100-01-01",
            ),
            (
                Requested {
                    formats: Some(Formats {
                        parquet: true,
                        csv: false,
                    }),
                    ..Requested::default()
                },
                "parquet",
                "parquet,csv",
            ),
        ];
        for (requested, asked, made) in cases {
            let error = requested.agree_with(&stored).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            let text = error.to_string();
            assert!(
                text.contains(&format!("{asked} was asked")) && text.ends_with(&format!("with {made}")),
                "{text}"
            );
            let made_so = requested.for_new_archive().unwrap();
            requested.agree_with(&made_so).unwrap();
            Requested::default().agree_with(&made_so).unwrap();
        }
    }

    #[test]
    fn an_unknown_zone_names_the_nearest_one() {
        for (typed, meant) in [
            ("Europe/Viena", "Europe/Vienna"),
            ("vienna", "Europe/Vienna"),
            ("utc", "UTC"),
            ("America/NewYork", "America/New_York"),
            ("new-york", "America/New_York"),
        ] {
            let requested = Requested {
                timezone: Some(typed.into()),
                ..Requested::default()
            };
            let error = requested.for_new_archive().unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert_eq!(error.advice(), Some(format!("did you mean {meant}?").as_str()));
        }
        assert!(
            zone_advice("nonsense").contains("Europe/Berlin"),
            "{}",
            zone_advice("nonsense")
        );
    }

    #[test]
    fn a_later_format_is_refused_even_if_nothing_else_is_known_of_it() {
        let error = parse("format = 2\nshards = 7\n").unwrap_err();
        assert!(error.to_string().contains("format 2"), "{error}");
        assert!(error.advice().unwrap().contains("newer diurnal"));
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let good = Requested::default().for_new_archive().unwrap().render();
        for bad in [
            "",
            "format = 0",
            "format = \"1\"",
            &good.replace("UTC", "UTD"),
            &good.replace("1990", "2990"),
            &good.replace("\"parquet\", \"csv\"", ""),
            &good.replace("\"csv\"", "\"cs\""),
            &good.replace("time_unit = \"ns\"\n", ""),
            &format!("{good}shards = 7\n"),
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let good = Requested::default().for_new_archive().unwrap().render().into_bytes();
        for bit in 0..8 * good.len() {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(
                ArchiveSettings::parse(Path::new("archive.toml"), &bad).is_err(),
                "bit {bit}"
            );
        }
    }
}
