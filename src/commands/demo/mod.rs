//! `diurnal demo`: no Kafka at hand. librdkafka's embedded broker, simulated agents, and the real `archive` code.

mod broker;

use std::fs;
use std::path::{Path, PathBuf};

use broker::Broker;

use super::archive::AtSignal;
use super::ending::FailedRun;
use crate::calendar::Zone;
use crate::cli::{DemoArgs, ReportArgs};
use crate::console::Console;
use crate::encode::ParquetDay;
use crate::error::{Error, Result};
use crate::report::{RunReport, bytes, counted, escaped, grouped, table};
use crate::settings::{IngestSettings, MaxRejects, Memory};
use crate::simulate::{Simulation, out_of_order, points};
use crate::source::kafka::KafkaSettings;
use crate::store::record::SourceRange;
use crate::store::{Archive, check_files, is_bucket};

const DEFAULT_FOLDER: &str = "diurnal-demo";

/// How the ids begin that librdkafka's embedded brokers give themselves. Kafka's own are 22 random letters and digits.
const EMBEDDED_CLUSTER: &str = "mockCluster";

const TOPIC: &str = "my-computer-metric";

/// Midnight between the demo's two days, 2020-06-20 UTC.
const MIDNIGHT_S: i64 = 1_592_611_200;

pub(super) fn run(console: Console, archive: Option<&Path>, args: &DemoArgs) -> Result<u8> {
    let story = Story(console);
    if let Some(archive) = archive.filter(|archive| is_bucket(archive)) {
        return Err(Error::usage(archive.display(), "the demo shows files of this machine").hint("name a folder"));
    }
    let archive = folder(archive, args.keep)?;
    let half = i64::from(args.hours) * 1_800;
    let simulation = Simulation {
        hosts: args.hosts,
        first_s: MIDNIGHT_S - half,
        end_s: MIDNIGHT_S + half,
        seed: args.seed,
    };
    story.tell(format_args!(
        "1. An embedded Kafka broker with topic {TOPIC}, {} partitions.",
        broker::PARTITIONS
    ));
    let broker = Broker::start(TOPIC)?;
    let traffic = simulation.traffic(broker::PARTITIONS);
    let sent_bytes = broker.send(&traffic.sent)?;
    story.tell(format_args!(
        "2. {} simulated Telegraf agents sent {} cpu and mem lines ({}) of {} across midnight, without keys:\n   \
         {} of them late by a minute to three hours, {} sent twice, 1 broken.",
        args.hosts,
        grouped(traffic.sent.len() as u64),
        bytes(sent_bytes),
        counted(u64::from(args.hours), "hour"),
        grouped(traffic.late as u64),
        traffic.twice
    ));
    let plain = broker.read_all()?;
    let disorder = out_of_order(plain.iter().map(Vec::as_slice));
    story.tell(format_args!(
        "3. A plain consumer got {} lines; {} of them ({:.1}%) came after a later one. The order is lost.",
        grouped(plain.len() as u64),
        grouped(disorder as u64),
        100.0 * disorder as f64 / plain.len().max(1) as f64
    ));
    drop(plain);

    let report = archive_topic(console, &archive, broker.address())?;
    story.tell(format_args!(
        "4. diurnal archive: {} lines in {:.2} s: {} new points, {} folded ({}), {} rejected.",
        grouped(report.lines),
        report.elapsed_s,
        grouped(report.points),
        grouped(report.folded),
        if args.keep {
            "sent twice, or there before"
        } else {
            "sent twice"
        },
        grouped(report.rejected)
    ));
    tell_files(&story, &archive, &report)?;
    let expected = points(&traffic.sent) as u64;
    let (rows, behind) = read_back(&archive, &report)?;
    let all_there = match args.keep {
        // What was there before decides how many of them are new.
        true => report.points + report.folded + report.rejected == report.lines,
        false => rows == expected && report.points == expected,
    };
    if !all_there || behind != 0 || report.rejected != 1 {
        return Err(Error::new(
            archive.display(),
            format_args!("holds {rows} rows, {behind} of them out of order; {expected} in order were expected"),
        )
        .hint("this is a bug in diurnal: please report it with the seed and the flags of this demo"));
    }
    match report.days.is_empty() {
        true => story.tell("5. Nothing was new: not a byte of a day file has changed."),
        false => story.tell(format_args!(
            "5. Read back: {} rows, {behind} out of order. The order is restored.",
            grouped(rows)
        )),
    }
    for reject in &report.rejects {
        story.tell(format_args!(
            "   The broken line was kept: {} offset {}: {}: {}",
            reject.source,
            reject.offset,
            reject.reason,
            escaped(reject.line.as_deref().unwrap_or_default())
        ));
    }
    let page = match args.report {
        true => Some(report_of(console, &story, &archive)?),
        false => None,
    };
    tell_next(&story, &archive, page.as_deref());
    if console.json {
        // The broken line is part of the show.
        console.print_json(&RunReport {
            command: "demo",
            exit_code: 0,
            outcome: crate::report::Outcome::Done,
            ..report
        });
    }
    Ok(0)
}

/// Tells the story on standard output, unless that belongs to JSON or nothing should be said.
struct Story(Console);

impl Story {
    fn tell(&self, text: impl std::fmt::Display) {
        if !self.0.json && !self.0.quiet {
            self.0.print(format_args!("{text}\n"));
        }
    }
}

/// A folder for the demo's archive: empty, or with what an earlier demo left if that is to be kept. Anything else is not touched.
fn folder(given: Option<&Path>, keep: bool) -> Result<PathBuf> {
    let archive = match given {
        Some(archive) => archive.to_owned(),
        None => Path::new(DEFAULT_FOLDER).join("archive"),
    };
    if archive.exists() {
        let mut content = fs::read_dir(&archive).map_err(|error| Error::io(&archive, "list it", &error))?;
        if content.next().is_some() {
            if !is_a_demos(&archive) {
                return Err(
                    Error::usage(archive.display(), "is not empty, and holds more than a demo left there")
                        .hint("name another folder: diurnal demo --archive DIR"),
                );
            }
            if keep {
                return Ok(archive);
            }
            fs::remove_dir_all(&archive).map_err(|error| Error::io(&archive, "remove the last demo", &error))?;
        }
    }
    fs::create_dir_all(&archive).map_err(|error| Error::io(&archive, "make it", &error))?;
    Ok(archive)
}

/// Whether a folder is an archive with nothing in it but what embedded brokers gave: only then may it be removed.
fn is_a_demos(folder: &Path) -> bool {
    let Ok(archive) = Archive::read(folder) else {
        return false;
    };
    let mut by_demos = true;
    let read = archive.each_commit(|commit| {
        let embedded = |range: &SourceRange| range.cluster_id.starts_with(EMBEDDED_CLUSTER);
        by_demos &= !commit.sources.is_empty() && commit.sources.iter().all(embedded);
        Ok(())
    });
    read.is_ok() && by_demos && check_files(&archive).is_empty()
}

fn archive_topic(console: Console, archive: &Path, brokers: String) -> Result<RunReport> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let kafka = KafkaSettings {
        threads,
        log: console.verbose,
        // Each demo has a broker of its own, with a topic of the same name.
        accept_recreated: vec![TOPIC.to_owned()],
        ..KafkaSettings::new(brokers, vec![TOPIC.to_owned()])
    };
    let settings = IngestSettings {
        memory: Memory::new(2 << 30),
        threads,
        max_rejects: MaxRejects::Lines(1),
        ..IngestSettings::one_commit(archive)
    };
    // The story tells of the reject itself.
    let silent = Console { muted: true, ..console };
    let stop = super::stop_on_signals()?;
    let report =
        super::archive::drain(silent, settings, &kafka, &stop, AtSignal::Incomplete).map_err(FailedRun::into_error)?;
    match report.exit_code {
        0 => Ok(report),
        _ => Err(Error::new(
            TOPIC,
            format_args!("could not be archived: {}", report.errors.join("; ")),
        )),
    }
}

fn tell_files(story: &Story, archive: &Path, report: &RunReport) -> Result<()> {
    if report.days.is_empty() {
        return Ok(());
    }
    let size = |path: &Option<String>| match path {
        Some(path) => {
            let path = archive.join(path);
            let file = fs::metadata(&path).map_err(|error| Error::io(&path, "look at it", &error))?;
            Ok(bytes(file.len()))
        }
        None => Ok("-".to_owned()),
    };
    let mut rows = Vec::new();
    for day in &report.days {
        rows.push(vec![
            format!("{}/{}/{}", archive.display(), day.measurement, day.day),
            grouped(day.rows),
            size(&day.parquet)?,
            size(&day.csv)?,
        ]);
    }
    story.tell(
        table(
            &["files", "rows", ".parquet", ".csv"],
            &[false, true, true, true],
            &rows,
        )
        .trim_end(),
    );
    Ok(())
}

/// Rows in all Parquet files of the run, and how many of them stand behind a later one of their file or on another day.
fn read_back(archive: &Path, report: &RunReport) -> Result<(u64, usize)> {
    let (mut rows, mut behind) = (0, 0);
    for day in &report.days {
        let Some(path) = day.parquet.as_ref().map(|path| archive.join(path)) else {
            continue;
        };
        let file = fs::File::open(&path).map_err(|error| Error::io(&path, "open it", &error))?;
        let mut latest = i64::MIN;
        for leaf in ParquetDay::open(file, &path)?.into_leaves() {
            for time in leaf?.times {
                rows += 1;
                behind += usize::from(time < latest || Zone::Utc.day_of(time).to_string() != day.day);
                latest = latest.max(time);
            }
        }
    }
    Ok((rows, behind))
}

/// Writes the page of plots beside the archive.
fn report_of(console: Console, story: &Story, archive: &Path) -> Result<PathBuf> {
    let page = archive.with_file_name("report.html");
    let args = ReportArgs {
        from: None,
        until: None,
        output: page.clone(),
        fields: Vec::new(),
    };
    let silent = Console {
        json: false,
        quiet: true,
        muted: true,
        ..console
    };
    super::report::run(silent, archive, &args)?;
    let file = fs::metadata(&page).map_err(|error| Error::io(&page, "look at it", &error))?;
    story.tell(format_args!(
        "6. diurnal report: a page of plots, {} ({}), to open in a browser.",
        page.display(),
        bytes(file.len())
    ));
    Ok(page)
}

fn tell_next(story: &Story, archive: &Path, page: Option<&Path>) {
    let shown = archive.display();
    story.tell(format_args!(
        "Try next:\n  \
         duckdb -c \"select time_bucket(interval 1 hour, time) as hour, host, round(avg(100 - usage_idle), 1) as busy\n              \
         from '{shown}/cpu/*.parquet' group by all order by all limit 10\"\n  \
         diurnal status --archive {shown}\n  \
         diurnal verify --archive {shown}{}",
        match page {
            Some(page) => format!("\n  xdg-open {}", page.display()),
            None => format!("\n  diurnal report --archive {shown}"),
        }
    ));
}
