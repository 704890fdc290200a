//! What a run tells Prometheus: a text file for node_exporter's textfile collector, as [the format's page][format] says.
//!
//! A run is a batch job. Its figures are those of the last run, so all of them are gauges, and each has the time of that run beside it. The
//! page of all names is `docs/reference/metrics.md`.
//!
//! [format]: https://prometheus.io/docs/instrumenting/exposition_formats/

mod file;
mod samples;

use std::fmt::Write as _;

pub use self::file::{Metrics, REQUIRED_SUFFIX};
use self::samples::{Sample, labelled};
use super::run::RunReport;

/// A metric: its name, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// `diurnal_last_run_lines`
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident = $name:literal: $help:literal;)*) => {
        $(const $constant: Metric = Metric { name: $name, help: $help };)*
        /// Every metric, in the order of the file. All are gauges.
        pub const METRICS: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    BUILD = "diurnal_build_info": "Always 1: the version that made the last run.";
    RUN_TIME = "diurnal_last_run_timestamp_seconds": "When the last run ended, in seconds since 1970-01-01 UTC.";
    SUCCESS_TIME = "diurnal_last_success_timestamp_seconds":
        "When the last run ended that archived all that there was (exit code 0, 3 or 5), 0 if none is known.";
    EXIT_CODE = "diurnal_last_run_exit_code": "Exit code of the last run.";
    DURATION = "diurnal_last_run_duration_seconds": "What the last run took, from opening the archive to its end.";
    PHASE = "diurnal_last_run_phase_duration_seconds": "What the phases of the last run took.";
    LINES = "diurnal_last_run_lines": "Lines that the last run read: points + folded + rejected.";
    POINTS = "diurnal_last_run_points": "Points of the last run that were new in the archive.";
    FOLDED = "diurnal_last_run_folded_lines": "Lines of the last run that joined a point that was there.";
    CONFLICTS = "diurnal_last_run_conflicting_points":
        "Points that the last run touched and that hold more than one value for a field.";
    REJECTED = "diurnal_last_run_rejected_lines": "Lines of the last run that could not be archived.";
    REJECTED_AGAIN = "diurnal_last_run_rejected_again_lines": "Those of them that were on record already.";
    REASONS = "diurnal_last_run_rejected_lines_by_reason": "Rejected lines of the last run by reason, for reasons that there were.";
    BYTES = "diurnal_last_run_read_bytes": "Bytes of line protocol that the last run read, uncompressed.";
    FILES = "diurnal_last_run_written_files": "Day files that the last run wrote, Parquet and CSV.";
    NEXT = "diurnal_last_run_next_offset": "The offset at which the next run goes on.";
    MESSAGES = "diurnal_last_run_messages": "Messages of the partition that the last run read.";
    GAPS = "diurnal_last_run_gap_offsets": "Offsets of the last run without a message: aborted, control or compacted.";
    LOST = "diurnal_last_run_lost_offsets": "Offsets that Kafka no longer had when the last run came to them.";
    LAG = "diurnal_last_run_lag_offsets": "Offsets up to the last stable one at the start of the last run that it left.";
}

/// The figures of a run, with these labels on each of them.
fn samples_of(report: &RunReport, labels: &[(&str, &str)], now: f64, success: f64) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut add = |metric: Metric, more: &[(&str, &str)], value: f64| {
        let all: Vec<(&str, &str)> = labels.iter().chain(more).copied().collect();
        samples.push(Sample::new(metric.name, labelled(&all), value));
    };
    add(BUILD, &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    add(RUN_TIME, &[], now);
    add(SUCCESS_TIME, &[], if report.outcome.is_well() { now } else { success });
    add(EXIT_CODE, &[], f64::from(report.exit_code));
    add(DURATION, &[], report.elapsed_s);
    for (phase, seconds) in report.phases_s.by_name() {
        add(PHASE, &[("phase", phase)], seconds);
    }
    add(LINES, &[], report.lines as f64);
    add(POINTS, &[], report.points as f64);
    add(FOLDED, &[], report.folded as f64);
    add(CONFLICTS, &[], report.conflicts as f64);
    add(REJECTED, &[], report.rejected as f64);
    add(REJECTED_AGAIN, &[], report.rejected_again as f64);
    for (reason, lines) in &report.reject_reasons {
        add(REASONS, &[("reason", reason)], *lines as f64);
    }
    add(BYTES, &[], report.bytes_in as f64);
    let files = report.days.iter().flat_map(|day| [&day.parquet, &day.csv]).flatten();
    add(FILES, &[], files.count() as f64);
    // Ranges that a merge took over are those of another archive's runs, and may overlap.
    for read in report.partitions.iter().filter(|_| report.command != "merge") {
        let partition = read.partition.to_string();
        let of = [("topic", read.topic.as_str()), ("partition", partition.as_str())];
        if !report.replay {
            add(NEXT, &of, read.next as f64);
        }
        add(MESSAGES, &of, read.messages as f64);
        add(GAPS, &of, read.gaps as f64);
        add(LOST, &of, read.lost as f64);
        if let Some(end) = read.end {
            add(LAG, &of, end.saturating_sub(read.next).max(0) as f64);
        }
    }
    samples
}

/// Samples as text, those of one metric together, as the format asks for.
fn render(samples: &[Sample]) -> String {
    let mut text = String::new();
    for metric in METRICS {
        let mut of_metric = samples.iter().filter(|sample| sample.name == metric.name).peekable();
        if of_metric.peek().is_none() {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP {} {}\n# TYPE {0} gauge", metric.name, metric.help);
        for sample in of_metric {
            let _ = writeln!(text, "{sample}");
        }
    }
    text
}

#[cfg(test)]
mod tests;
