//! `--metrics-file`: read back for what is to be kept, then replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::samples::{Sample, labelled};
use super::{METRICS, SUCCESS_TIME, render, samples_of};
use crate::error::{Error, Result};
use crate::report::RunReport;

/// node_exporter reads files of this kind only.
pub const REQUIRED_SUFFIX: &str = ".prom";

/// Of a longer file nothing is kept: it is none of ours.
const MOST_BYTES: u64 = 16 << 20;

/// Where a run leaves its figures for Prometheus, or nowhere.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Option<Target>);

#[derive(Clone, Debug)]
struct Target {
    path: PathBuf,
    /// The archive's path, and the file's name: series of two jobs must not be the same, and who reads them wants to know whose they are.
    archive: String,
    job: String,
}

impl Metrics {
    /// Figures for nobody.
    pub fn nowhere() -> Self {
        Self(None)
    }

    /// Figures of runs on this archive.
    ///
    /// # Errors
    /// A name that node_exporter would never read.
    pub fn to(path: &Path, archive: &Path) -> Result<Self> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let Some(job) = name.as_deref().and_then(|name| name.strip_suffix(REQUIRED_SUFFIX)) else {
            return Err(Error::usage(
                path.display(),
                format_args!("is no name for metrics: node_exporter reads files that end in {REQUIRED_SUFFIX} only"),
            )
            .hint("call it diurnal.prom, in the folder that --collector.textfile.directory names"));
        };
        let archive = std::path::absolute(archive).unwrap_or_else(|_| archive.to_owned());
        Ok(Self(Some(Target {
            path: path.to_owned(),
            archive: archive.to_string_lossy().into_owned(),
            job: job.to_owned(),
        })))
    }

    /// Writes the figures of a run that has just ended. Those of other commands that are in the file stay.
    ///
    /// # Errors
    /// The file can't be written; then it is as it was.
    pub fn write(&self, report: &RunReport, now: SystemTime) -> Result<()> {
        let Some(target) = &self.0 else { return Ok(()) };
        let labels = [
            ("archive", target.archive.as_str()),
            ("command", report.name()),
            ("file", target.job.as_str()),
        ];
        let ours = labelled(&labels);
        let before = target.read();
        let success = before
            .iter()
            .find(|sample| sample.name == SUCCESS_TIME.name && sample.labels == ours)
            .map_or(0.0, |sample| sample.value);
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut samples = samples_of(report, &labels, since.as_secs() as f64, success);
        let known = |sample: &Sample| METRICS.iter().any(|metric| metric.name == sample.name);
        let of_others = |sample: &Sample| known(sample) && !sample.begins_with(&ours);
        samples.extend(before.into_iter().filter(of_others));
        target
            .replace(render(&samples).as_bytes())
            .map_err(|error| Error::io(&target.path, "write the metrics", &error))
    }
}

impl Target {
    /// What the file says now: nothing if there is none, or none that can be read.
    fn read(&self) -> Vec<Sample> {
        let mut text = String::new();
        let read = File::open(&self.path).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text));
        match read {
            Ok(_) => text.lines().filter_map(Sample::parse).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// Puts a whole file in the place of the one that is there: who reads it meanwhile sees the one or the other.
    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        // Beside it, for a rename stays on one file system; by another ending, for node_exporter must not read it; and by the process,
        // for another job may be writing its own.
        let written = self.path.with_extension(format!("{}.tmp", std::process::id()));
        match fs::remove_file(&written) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let put = || {
            let mut open = OpenOptions::new();
            // Read by another user; the umask may say otherwise.
            let mut file = open.write(true).create_new(true).mode(0o644).open(&written)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&written, &self.path)
        };
        put().inspect_err(|_| {
            // What could not be written may be what the disk is full of.
            let _ = fs::remove_file(&written);
        })
    }
}
