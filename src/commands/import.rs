//! `diurnal import`: line-protocol files and standard input, through the same pipeline as Kafka's messages.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use super::archiver::Archiver;
use super::ending::{FailedRun, metrics_of, told};
use crate::cli::ImportArgs;
use crate::console::{Console, Reading};
use crate::error::{Error, Result};
use crate::report::{RunReport, bytes};
use crate::settings::IngestSettings;
use crate::source::files::{Block, Content, Files};
use crate::source::{Origin, StopFlag};
use crate::store::failpoint;
use crate::store::record::Input;
use crate::table::spill::{Gathered, Gatherer};

/// Blocks that wait for each parsing thread at most.
const BLOCKS_PER_THREAD: usize = 2;

pub(super) fn run(console: Console, archive: &Path, args: &ImportArgs) -> Result<u8> {
    let metrics = metrics_of(&args.ingest.metrics, archive, args.ingest.dry_run)?;
    let report = told(console, &metrics, "import", run_once(console, archive, args))?;
    console.finish(&report);
    Ok(report.exit_code)
}

/// Archives what the files hold, in as many commits as the settings ask for.
fn run_once(console: Console, archive: &Path, args: &ImportArgs) -> Result<RunReport, FailedRun> {
    let settings = IngestSettings::for_import(archive, args, super::now())?;
    super::set_worker_threads(settings.threads);
    let stop = super::stop_on_signals()?;
    let mut files = Files::new(args.files.clone(), settings.limits.line, &stop)?;
    let mut archiver = Archiver::open("import", settings.clone(), console)?;
    match archive_into(console, &mut archiver, &mut files, &settings, &stop) {
        Ok(()) => Ok(archiver.finish()),
        Err(error) => Err(archiver.fail(error)),
    }
}

fn archive_into(
    console: Console,
    archiver: &mut Archiver,
    files: &mut Files,
    settings: &IngestSettings,
    stop: &StopFlag,
) -> Result<()> {
    loop {
        let began = Instant::now();
        let reading = archiver.progress().files(files.stored_bytes());
        let round = archiver.timed(
            |phases| &mut phases.read,
            |archiver| read_round(files, settings, archiver, &reading, stop),
        );
        drop(reading);
        let seconds = began.elapsed().as_secs_f64();
        console.detail_of(
            format_args!("read {} in {seconds:.2} s", bytes(round.bytes)),
            [("bytes", round.bytes.into()), ("seconds", seconds.into())],
        );
        archiver.add_bytes(round.bytes);
        failpoint::reach("before-commit");
        archiver.expect_more(!round.finished);
        let inputs = files.take_finished().into_iter().map(|(path, bytes)| Input {
            path: path.to_string(),
            bytes,
        });
        archiver.commit(round.gathered?, Vec::new(), inputs.collect())?;
        for error in &round.errors {
            archiver.notice(error, true);
        }
        if stop.is_set() && !round.finished {
            archiver.stopped("import the same files again: what is there already does no harm");
            break;
        }
        if round.finished {
            break;
        }
    }
    Ok(())
}

/// What was read up to the next commit.
struct Round {
    gathered: Result<Vec<Gathered>>,
    bytes: u64,
    /// Files that could not be read to their end.
    errors: Vec<Error>,
    finished: bool,
}

/// How much all parsing threads hold together.
#[derive(Default)]
struct Held {
    lines: AtomicU64,
    /// Bytes that can't be spilled.
    bytes: AtomicUsize,
    failed: AtomicBool,
}

/// Reads blocks and lets the parsing threads take them, until it is time for a commit.
fn read_round(
    files: &mut Files,
    settings: &IngestSettings,
    archiver: &Archiver,
    reading: &Reading,
    stop: &StopFlag,
) -> Round {
    let held = Held::default();
    let (send, receive) = sync_channel::<Block>(settings.threads * BLOCKS_PER_THREAD);
    let receive = Mutex::new(receive);
    let mut round = Round {
        gathered: Ok(Vec::new()),
        bytes: 0,
        errors: Vec::new(),
        finished: false,
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..settings.threads)
            .map(|_| {
                let gatherer = archiver.gatherer(settings.threads);
                scope.spawn(|| parse_blocks(gatherer, &receive, settings.default_time, &held, reading))
            })
            .collect();
        let full = || {
            held.lines.load(Ordering::Relaxed) >= settings.commit_every
                || held.bytes.load(Ordering::Relaxed) >= settings.memory.rejects()
                || held.failed.load(Ordering::Relaxed)
        };
        send_blocks(files, send, &mut round, reading, stop, full);
        let join = |worker: ScopedJoinHandle<'_, Result<Gathered>>| match worker.join() {
            Ok(gathered) => gathered,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        let gathered: Vec<Result<Gathered>> = workers.into_iter().map(join).collect();
        round.gathered = gathered.into_iter().collect();
    });
    round
}

fn send_blocks(
    files: &mut Files,
    send: SyncSender<Block>,
    round: &mut Round,
    reading: &Reading,
    stop: &StopFlag,
    full: impl Fn() -> bool,
) {
    while !stop.is_set() && !full() {
        match files.next_block() {
            Ok(Some(block)) => {
                round.bytes += block.len;
                reading.at(files.read_bytes());
                if send.send(block).is_err() {
                    // Every parsing thread is gone: they panicked, and joining them will say so.
                    return;
                }
            }
            Ok(None) => {
                round.finished = true;
                return;
            }
            // A pipe that was left because of the signal: that is said once, at the end.
            Err(_) if stop.is_set() => return,
            Err(error) => round.errors.push(of_file(error)),
        }
    }
}

/// The error of a file that could not be read to its end, with what to do where it does not say so itself.
fn of_file(error: Error) -> Error {
    match error.advice() {
        Some(_) => error,
        None => error.hint("its lines before the damage were archived; mend the file and import it again"),
    }
}

fn parse_blocks(
    mut gatherer: Gatherer,
    blocks: &Mutex<Receiver<Block>>,
    default_time: Option<i64>,
    held: &Held,
    reading: &Reading,
) -> Result<Gathered> {
    loop {
        let next = blocks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(block) = next else { break };
        let (lines, bytes) = (gatherer.lines(), gatherer.lasting_bytes());
        let origin = |at: usize| Origin::File {
            path: Arc::clone(&block.path),
            offset: block.offset + at as u64,
        };
        match &block.content {
            Content::Lines(bytes) => gatherer.push(bytes, default_time, origin),
            Content::LongLine { start, bytes } => gatherer.push_long_line(start, *bytes, default_time, origin(0)),
            Content::Nothing => {}
        }
        let lines = gatherer.lines() - lines;
        reading.add(lines, block.len);
        held.lines.fetch_add(lines, Ordering::Relaxed);
        held.bytes
            .fetch_add(gatherer.lasting_bytes() - bytes, Ordering::Relaxed);
        held.failed.fetch_or(gatherer.is_failed(), Ordering::Relaxed);
    }
    gatherer.finish()
}
