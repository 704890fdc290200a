//! `diurnal rejects`: what could not be archived, by kind and line by line; `--retry` drives it through once more.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use chrono::{DateTime, SecondsFormat};
use serde::Serialize;

use super::archiver::Archiver;
use super::ending::{FailedRun, metrics_of, told};
use super::reject_kinds::kind_of_stored;
use super::stored_rejects::{Driven, StoredReject, each_stored, files};
use crate::cli::RejectsArgs;
use crate::console::Console;
use crate::error::Result;
use crate::lineproto::Precision;
use crate::report::{RunReport, counted, cut, escaped, fit, grouped, table, terminal_columns};
use crate::settings::IngestSettings;
use crate::source::StopFlag;
use crate::store::Archive;
use crate::store::record::RejectKind;
use crate::table::{Collector, RejectedLine};

/// Characters of a line that the list shows.
const SHOWN_CHARACTERS: usize = 200;

/// Looks again at most this often when a run makes commits meanwhile.
const LOOKS: usize = 5;

/// What `diurnal rejects --json` prints.
#[derive(Debug, Default, Serialize)]
struct RejectsReport {
    command: &'static str,
    outcome: &'static str,
    exit_code: u8,
    archive: String,
    /// All that are stored.
    rejects: u64,
    /// Those of them that were driven again and are archived.
    retried: u64,
    /// Reject files.
    files: u64,
    kinds: Vec<KindReport>,
    /// The newest that wait, newest first.
    lines: Vec<LineReport>,
}

#[derive(Debug, Serialize)]
struct KindReport {
    #[serde(flatten)]
    kind: RejectKind,
    /// Lines that wait.
    lines: u64,
    retried: u64,
    newest: OriginReport,
}

/// Where a line came from and where it is kept.
#[derive(Clone, Debug, Serialize)]
struct OriginReport {
    source: String,
    offset: u64,
    /// The Kafka record's time; `None` for files.
    time: Option<String>,
    /// The reject file, relative to the archive, and the line in it, from 1.
    file: String,
    number: u64,
}

#[derive(Debug, Serialize)]
struct LineReport {
    #[serde(flatten)]
    origin: OriginReport,
    #[serde(flatten)]
    kind: RejectKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    precision: Precision,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line_base64: Option<String>,
}

pub(super) fn run(console: Console, archive: &Path, args: &RejectsArgs) -> Result<u8> {
    if args.retry {
        return retry(console, archive, args);
    }
    let mut looks = 1;
    let report = loop {
        let read = Archive::read(archive)?;
        match list(&read, args.limit) {
            // A run may have removed a file since; what is still wrong without one is damage.
            Err(_) if looks < LOOKS && read.has_moved_on()? => looks += 1,
            listed => break listed?,
        }
    };
    if console.json {
        console.print_json(&report);
    } else {
        console.print(text(&report, terminal_columns()));
    }
    Ok(0)
}

fn list(archive: &Archive, limit: usize) -> Result<RejectsReport> {
    let mut report = RejectsReport {
        command: "rejects",
        outcome: "done",
        archive: archive.dir().display().to_string(),
        files: files(archive.state()).count() as u64,
        ..RejectsReport::default()
    };
    let mut kinds: BTreeMap<RejectKind, KindReport> = BTreeMap::new();
    let mut newest: VecDeque<StoredReject> = VecDeque::new();
    each_stored(archive.state(), &|target| archive.locate(target), |stored| {
        let kind = kind_of_stored(&stored.text);
        let counted = kinds.entry(kind.clone()).or_insert_with(|| KindReport {
            kind,
            lines: 0,
            retried: 0,
            newest: origin_of(&stored),
        });
        report.rejects += 1;
        if stored.retried {
            report.retried += 1;
            counted.retried += 1;
            return Ok(());
        }
        counted.lines += 1;
        counted.newest = origin_of(&stored);
        newest.push_front(stored);
        newest.truncate(limit);
        Ok(())
    })?;
    report.kinds = kinds.into_values().collect();
    report.lines = newest.into_iter().map(line_report).collect();
    Ok(report)
}

fn origin_of(stored: &StoredReject) -> OriginReport {
    let text = &stored.text;
    let time = text.timestamp_ms.and_then(DateTime::from_timestamp_millis);
    OriginReport {
        source: text.source(),
        offset: text.offset,
        time: time.map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true)),
        file: stored.place.path.clone(),
        number: stored.place.number,
    }
}

fn line_report(stored: StoredReject) -> LineReport {
    let at_byte = stored.text.byte.map(|byte| format!("at byte {byte}"));
    LineReport {
        origin: origin_of(&stored),
        kind: kind_of_stored(&stored.text),
        detail: stored.text.detail.or(at_byte),
        precision: stored.text.precision,
        line: stored.text.line,
        line_base64: stored.text.line_base64,
    }
}

fn text(report: &RejectsReport, width: Option<usize>) -> String {
    if report.rejects == 0 {
        return format!("{}: no rejects\n", report.archive);
    }
    let retried = match report.retried {
        0 => String::new(),
        lines => format!("; {} more went in when driven again", counted(lines, "line")),
    };
    let mut text = format!(
        "{}: {} in {}{retried}\n",
        report.archive,
        counted(report.rejects - report.retried, "rejected line"),
        counted(report.files, "file"),
    );
    let rows: Vec<Vec<String>> = report
        .kinds
        .iter()
        .map(|counted| {
            let name = |name: &Option<String>| name.as_deref().map(escaped).unwrap_or_default();
            let newest = &counted.newest;
            vec![
                counted.kind.reason.clone(),
                name(&counted.kind.measurement),
                name(&counted.kind.column),
                grouped(counted.lines),
                grouped(counted.retried),
                format!("{} offset {}", escaped(&newest.source), newest.offset),
                newest.time.clone().unwrap_or_default(),
            ]
        })
        .collect();
    text += &kinds_within(width, rows);
    for line in &report.lines {
        let shown = line.line.as_deref().or(line.line_base64.as_deref()).unwrap_or_default();
        let shown: String = shown.chars().take(SHOWN_CHARACTERS).collect();
        let detail = line.detail.as_deref().map(|detail| format!(" ({})", escaped(detail)));
        let line = format!(
            "{} offset {}: {}{}: {}",
            escaped(&line.origin.source),
            line.origin.offset,
            line.kind.reason,
            detail.unwrap_or_default(),
            escaped(&shown)
        );
        text += &(cut(&line, width) + "\n");
    }
    text
}

/// The table of kinds. Where it is wider than the terminal although names were shortened, it goes without the last column: `--json` has it.
fn kinds_within(width: Option<usize>, mut rows: Vec<Vec<String>>) -> String {
    const HEADER: [&str; 7] = [
        "reason",
        "measurement",
        "column",
        "lines",
        "retried",
        "newest",
        "record time",
    ];
    const RIGHT: [bool; 7] = [false, false, false, true, true, false, false];
    let drawn = |columns: usize, rows: &[Vec<String>]| {
        let rows = fit(&HEADER[..columns], rows.to_vec(), &[1, 2, 5], width);
        table(&HEADER[..columns], &RIGHT[..columns], &rows)
    };
    let whole = drawn(HEADER.len(), &rows);
    let fits = |line: &str| width.is_none_or(|width| line.chars().count() <= width);
    if whole.lines().all(fits) {
        return whole;
    }
    rows.iter_mut().for_each(|row| drop(row.pop()));
    drawn(HEADER.len() - 1, &rows)
}

/// Drives every reject that waits through the pipeline once more. What fits now is archived, what does not stays where it is.
fn retry(console: Console, folder: &Path, args: &RejectsArgs) -> Result<u8> {
    // There has to be one: a retry makes none.
    Archive::read(folder)?;
    let metrics = metrics_of(&args.metrics, folder, args.dry_run)?;
    let report = told(console, &metrics, "rejects", retry_once(console, folder, args))?;
    console.finish(&report);
    Ok(report.exit_code)
}

fn retry_once(console: Console, folder: &Path, args: &RejectsArgs) -> Result<RunReport, FailedRun> {
    let settings = IngestSettings::for_retry(folder, args)?;
    super::set_worker_threads(settings.threads);
    let stop = super::stop_on_signals()?;
    let mut archiver = Archiver::open("rejects", settings.clone(), console)?;
    match drive_into(&mut archiver, folder, &settings, &stop) {
        Ok(()) => Ok(archiver.finish()),
        Err(error) => Err(archiver.fail(error)),
    }
}

fn drive_into(archiver: &mut Archiver, folder: &Path, settings: &IngestSettings, stop: &StopFlag) -> Result<()> {
    let archive = Archive::read(folder)?;
    let mut step = Step::default();
    let mut stopped = false;
    each_stored(archive.state(), &|target| archive.locate(target), |stored| {
        stopped = stopped || stop.is_set();
        if stopped || stored.retried {
            return Ok(());
        }
        archiver.add_bytes(step.push(archiver, stored)?);
        if step.lines() >= settings.commit_every || step.bytes() >= settings.memory.collecting() {
            std::mem::take(&mut step).commit(archiver)?;
        }
        Ok(())
    })?;
    archiver.expect_more(false);
    step.commit(archiver)?;
    if stopped {
        archiver.stopped("retry again for the rest");
    }
    Ok(())
}

/// Stored rejects that are driven again in one commit.
#[derive(Default)]
struct Step {
    /// One for each unit that times were to be read in.
    collectors: Vec<(Precision, Collector)>,
    driven: Vec<Driven>,
}

impl Step {
    /// Parses a stored line as it was parsed first; the bytes it has.
    fn push(&mut self, archiver: &Archiver, stored: StoredReject) -> Result<u64> {
        let RejectedLine {
            origin,
            precision,
            default_time,
            line,
            cut_from,
            ..
        } = stored.text.into_rejected()?;
        let at = match self.collectors.iter().position(|(unit, _)| *unit == precision) {
            Some(at) => at,
            None => {
                self.collectors.push((precision, archiver.collector_for(precision)));
                self.collectors.len() - 1
            }
        };
        let number = self.driven.len();
        let collector = &mut self.collectors[at].1;
        match cut_from {
            // Its beginning alone may look like a whole line with other values.
            Some(bytes) => collector.push_long_line(&line, bytes, default_time, Driven::marker(number)),
            None => collector.push(&line, default_time, |_| Driven::marker(number)),
        }
        self.driven.push(Driven {
            place: stored.place,
            origin,
        });
        Ok(line.len() as u64)
    }

    fn lines(&self) -> u64 {
        self.collectors.iter().map(|(_, collector)| collector.lines()).sum()
    }

    fn bytes(&self) -> usize {
        let held: usize = self.collectors.iter().map(|(_, collector)| collector.bytes()).sum();
        held + self.driven.len() * size_of::<Driven>()
    }

    fn commit(self, archiver: &mut Archiver) -> Result<()> {
        let collected = self.collectors.into_iter().map(|(_, collector)| collector.finish());
        archiver.commit_retried(collected.collect(), &self.driven)
    }
}
