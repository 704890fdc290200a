//! Where everything lies in an archive, and how a measurement's name becomes a folder's.

use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The archive's own folder. No measurement's folder begins with an underscore.
pub const PRIVATE: &str = "_diurnal";
/// Ends the name of every file that is not committed yet, so that `**` globs do not meet it.
pub const STAGED_SUFFIX: &str = ".staged";
/// Longest folder name of a measurement in bytes: with a day file's or schema file's ending, and a staged file's
/// number, it stays below the 255 bytes that file systems take.
pub const MAX_FOLDER_BYTES: usize = 200;

/// What stays as it is in a folder name: `A-Z a-z 0-9 _ . -`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-');

/// A measurement whose folder name would be longer than [`MAX_FOLDER_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameTooLong {
    /// Bytes that the encoded name would have.
    pub bytes: usize,
}

impl fmt::Display for NameTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the measurement's name has {} bytes as a folder name, at most {MAX_FOLDER_BYTES} are possible",
            self.bytes
        )
    }
}

impl std::error::Error for NameTooLong {}

/// The folder of a measurement: different measurements have different folders. The empty name, which no line has,
/// becomes a lone `%`.
pub fn folder_name(measurement: &str) -> Result<String, NameTooLong> {
    let mut folder = utf8_percent_encode(measurement, ENCODED).to_string();
    match measurement.as_bytes().first() {
        None => folder.push('%'),
        Some(b'.') => folder.replace_range(..1, "%2E"),
        Some(b'_') => folder.replace_range(..1, "%5F"),
        Some(_) => {}
    }
    if folder.len() > MAX_FOLDER_BYTES {
        return Err(NameTooLong { bytes: folder.len() });
    }
    Ok(folder)
}

/// The measurement whose folder this is; `None` where [`folder_name`] never gives that name.
pub fn measurement_of(folder: &str) -> Option<String> {
    let measurement = match folder {
        "%" => String::new(),
        _ => percent_decode_str(folder).decode_utf8().ok()?.into_owned(),
    };
    (folder_name(&measurement).as_deref() == Ok(folder)).then_some(measurement)
}

/// `cpu/2020-06-19.parquet`, relative to the archive; `extension` is `parquet` or `csv`.
pub fn day_file(measurement: &str, day: &str, extension: &str) -> Result<String, NameTooLong> {
    Ok(format!("{}/{day}.{extension}", folder_name(measurement)?))
}

/// `_diurnal/schema/cpu.toml`, relative to the archive.
pub fn schema_file(measurement: &str) -> Result<String, NameTooLong> {
    Ok(format!("{PRIVATE}/schema/{}.toml", folder_name(measurement)?))
}

/// `_diurnal/rejects/000042.jsonl`, relative to the archive: the rejects of commit 42.
pub fn rejects_file(commit: u64) -> String {
    format!("{PRIVATE}/rejects/{commit:06}.jsonl")
}

/// Whether `target` is a path that a commit may write: a day file, a schema or a reject file, and nothing else.
pub(super) fn is_target(target: &str) -> bool {
    let parts: Vec<&str> = target.split('/').collect();
    match parts[..] {
        [PRIVATE, "schema", name] => name
            .strip_suffix(".toml")
            .is_some_and(|folder| measurement_of(folder).is_some()),
        [PRIVATE, "rejects", name] => name.strip_suffix(".jsonl").is_some_and(|stem| {
            !stem.is_empty()
                && stem.len() <= MAX_FOLDER_BYTES
                && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        }),
        [folder, name] => {
            let day = name.strip_suffix(".parquet").or_else(|| name.strip_suffix(".csv"));
            measurement_of(folder).is_some() && day.is_some_and(is_day)
        }
        _ => false,
    }
}

/// Whether a target is a schema file.
pub(super) fn is_schema(target: &str) -> bool {
    target
        .strip_prefix(PRIVATE)
        .is_some_and(|rest| rest.starts_with("/schema/"))
}

/// Whether a target is a day file.
pub(super) fn is_day_file(target: &str) -> bool {
    !target.starts_with(PRIVATE)
}

/// Whether a target is the CSV file of a day: the larger one by far.
pub(super) fn is_csv(target: &str) -> bool {
    is_day_file(target) && target.ends_with(".csv")
}

/// `2020-06-19`: four digits, two and two.
fn is_day(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// The paths of one archive.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn private(&self) -> PathBuf {
        self.root.join(PRIVATE)
    }

    pub fn settings(&self) -> PathBuf {
        self.private().join("archive.toml")
    }

    pub fn lock(&self) -> PathBuf {
        self.private().join("lock")
    }

    pub fn last_run(&self) -> PathBuf {
        self.private().join("last-run.json")
    }

    /// A segment of the ledger, from 1.
    pub fn segment(&self, number: u32) -> PathBuf {
        self.private().join(super::segments::name(number))
    }

    pub fn schema(&self) -> PathBuf {
        self.private().join("schema")
    }

    pub fn rejects(&self) -> PathBuf {
        self.private().join("rejects")
    }

    pub fn staging(&self) -> PathBuf {
        self.private().join("staging")
    }

    /// The folder for sorted rows that a run has no memory for.
    pub fn spilled(&self) -> PathBuf {
        self.staging().join("spilled")
    }

    /// The staging folder of one commit.
    pub fn staging_of(&self, commit: u64) -> PathBuf {
        self.staging().join(format!("{commit:06}"))
    }

    /// A path on record, which is relative to the archive and divided by `/`.
    pub fn target(&self, target: &str) -> PathBuf {
        self.root.join(target)
    }

    /// The folder that a target lies in.
    pub fn folder_of(&self, target: &str) -> PathBuf {
        match target.rsplit_once('/') {
            Some((folder, _)) => self.root.join(folder),
            None => self.root.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_names_stay_and_others_are_encoded() {
        for (measurement, folder) in [
            ("cpu", "cpu"),
            ("Disk-io_2.x", "Disk-io_2.x"),
            (".hidden", "%2Ehidden"),
            ("..", "%2E."),
            ("_diurnal", "%5Fdiurnal"),
            ("a/b", "a%2Fb"),
            ("50%", "50%25"),
            ("with space", "with%20space"),
            ("größe", "gr%C3%B6%C3%9Fe"),
            ("", "%"),
        ] {
            assert_eq!(folder_name(measurement).as_deref(), Ok(folder));
            assert_eq!(measurement_of(folder).as_deref(), Some(measurement));
        }
    }

    #[test]
    fn a_folder_that_no_measurement_has_is_told() {
        for folder in ["", "_diurnal", ".git", "a%2fb", "a%", "%41", "a b", "%FF", "lost+found"] {
            assert_eq!(measurement_of(folder), None, "{folder}");
        }
    }

    #[test]
    fn the_longest_name_is_taken_and_one_byte_more_is_not() {
        assert!(folder_name(&"x".repeat(MAX_FOLDER_BYTES)).is_ok());
        assert_eq!(
            folder_name(&"x".repeat(MAX_FOLDER_BYTES + 1)),
            Err(NameTooLong { bytes: 201 })
        );
        assert_eq!(
            folder_name(&format!("/{}", "x".repeat(198))),
            Err(NameTooLong { bytes: 201 })
        );
    }

    #[test]
    fn only_day_schema_and_reject_files_are_targets() {
        for target in [
            "cpu/2020-06-19.parquet",
            "a%2Fb/2020-06-19.csv",
            "_diurnal/schema/cpu.toml",
            "_diurnal/rejects/000042.jsonl",
        ] {
            assert!(is_target(target), "{target}");
        }
        for target in [
            "",
            "/cpu/2020-06-19.csv",
            "cpu/2020-6-19.csv",
            "cpu/2020-06-19.txt",
            "../2020-06-19.csv",
            "./2020-06-19.csv",
            "cpu/../2020-06-19.csv",
            "_diurnal/archive.toml",
            "_diurnal/ledger-000001.jsonl",
            "_diurnal/schema/../lock.toml",
            "_diurnal/rejects/...jsonl",
            "_diurnal/staging/x.toml",
        ] {
            assert!(!is_target(target), "{target}");
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back_from_a_safe_folder(measurement in "\\PC{0,40}|[./_%a-c\\x00-\\x1f]{0,12}") {
            if let Ok(folder) = folder_name(&measurement) {
                prop_assert!(folder.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-%".contains(&byte)));
                prop_assert!(!folder.is_empty() && !folder.starts_with(['.', '_']));
                prop_assert!(folder.len() <= MAX_FOLDER_BYTES);
                prop_assert_eq!(measurement_of(&folder), Some(measurement));
            }
        }

        #[test]
        fn different_names_have_different_folders(a in "[./_%2Ea]{0,4}", b in "[./_%2Ea]{0,4}") {
            prop_assert_eq!(a == b, folder_name(&a) == folder_name(&b));
        }

        #[test]
        fn a_folder_that_is_taken_for_a_measurement_is_that_measurements_own(folder in "[./_%2EFa]{0,6}") {
            if let Some(measurement) = measurement_of(&folder) {
                prop_assert_eq!(folder_name(&measurement), Ok(folder));
            }
        }
    }
}
