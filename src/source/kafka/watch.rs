//! The main thread's part of a round: serves librdkafka's events and says when the round ends.
//!
//! It ends when all partitions are done, when the sinks hold as much as the caller wants, on the stop flag, or when nothing
//! has come for the time-out: librdkafka never gives up by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::client::Client;
use super::round::RoundLimit;
use crate::error::Result;
use crate::source::{StopFlag, TopicIdentity};

/// How often the main thread looks at librdkafka's events and the stop flag.
const TICK: Duration = Duration::from_millis(20);
/// After so long without any message the topics are asked whether they still exist.
const EXISTENCE_RHYTHM: Duration = Duration::from_secs(5);

/// What the threads of a round share.
pub struct Shared<'a> {
    /// The connection.
    pub client: &'a Client,
    /// The topics that are read.
    pub topics: &'a [Arc<TopicIdentity>],
    limit: RoundLimit,
    halt: AtomicBool,
    progress: AtomicU64,
    /// Threads that are at work on a batch: however long their sinks take, that isn't Kafka's silence.
    busy: AtomicUsize,
    /// Lines and bytes that each thread's sink holds.
    held: Vec<(AtomicU64, AtomicUsize)>,
    /// Topics that turned out to be gone.
    gone: Vec<AtomicBool>,
    #[cfg(debug_assertions)]
    drop_message: AtomicBool,
}

impl<'a> Shared<'a> {
    /// For a round with so many threads.
    pub fn new(
        client: &'a Client,
        topics: &'a [Arc<TopicIdentity>],
        threads: usize,
        limit: RoundLimit,
        #[cfg(debug_assertions)] drop_message: bool,
    ) -> Self {
        Self {
            client,
            topics,
            limit,
            halt: AtomicBool::new(false),
            progress: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
            held: (0..threads).map(|_| Default::default()).collect(),
            gone: topics.iter().map(|_| AtomicBool::new(false)).collect(),
            #[cfg(debug_assertions)]
            drop_message: AtomicBool::new(drop_message),
        }
    }

    /// Whether the threads should end.
    pub fn is_halted(&self) -> bool {
        self.halt.load(Ordering::Relaxed)
    }

    fn halt(&self) {
        self.halt.store(true, Ordering::Relaxed);
    }

    /// Says that a thread is at work on a batch, until the guard is dropped.
    pub fn busy(&self) -> Busy<'_> {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy {
            busy: &self.busy,
            halt: &self.halt,
        }
    }

    /// Says that something came that brings a partition on.
    pub fn moved(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a topic turned out to be gone.
    pub fn is_gone(&self, topic: usize) -> bool {
        self.gone[topic].load(Ordering::Relaxed)
    }

    /// Takes down what a sink holds and ends the round when all together hold enough.
    pub fn held(&self, thread: usize, lines: u64, bytes: usize) {
        self.held[thread].0.store(lines, Ordering::Relaxed);
        self.held[thread].1.store(bytes, Ordering::Relaxed);
        let sum = self.held.iter().fold((0u64, 0usize), |sum, held| {
            (
                sum.0.saturating_add(held.0.load(Ordering::Relaxed)),
                sum.1.saturating_add(held.1.load(Ordering::Relaxed)),
            )
        });
        if sum.0 >= self.limit.lines || sum.1 >= self.limit.bytes {
            self.halt();
        }
    }

    /// Whether this message is the one that a test wants to be lost between the count and the sink.
    #[cfg(debug_assertions)]
    pub fn drops_message(&self) -> bool {
        self.drop_message.swap(false, Ordering::Relaxed)
    }
}

/// A thread at work. When it panics, the others end soon too.
pub struct Busy<'a> {
    busy: &'a AtomicUsize,
    halt: &'a AtomicBool,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.busy.fetch_sub(1, Ordering::Relaxed);
        if std::thread::panicking() {
            self.halt.store(true, Ordering::Relaxed);
        }
    }
}

/// Why the main thread ended a round, where it did.
pub enum Halt {
    /// It didn't: all partitions are done, or the sinks are full.
    No,
    /// Nothing came for the time-out.
    Stalled,
}

/// Watches over a round until its threads have ended. `ended` disconnects when they have.
///
/// # Errors
/// A message went past the queues; the round is void.
pub fn watch(
    shared: &Shared<'_>,
    ended: &Receiver<()>,
    timeout: Duration,
    stop: &StopFlag,
    gone: impl Fn() -> Vec<usize>,
) -> Result<Halt> {
    let mut progress = 0;
    let mut since = Instant::now();
    let mut asked = since;
    let mut halt = Halt::No;
    let mut result = Ok(());
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(TICK) {
        if let Err(error) = shared.client.serve_events() {
            shared.halt();
            result = Err(error);
        }
        if stop.is_set() {
            shared.halt();
        }
        let now = shared.progress.load(Ordering::Relaxed);
        if now != progress || shared.busy.load(Ordering::Relaxed) > 0 {
            progress = now;
            since = Instant::now();
            asked = since;
        } else if since.elapsed() >= timeout {
            halt = Halt::Stalled;
            shared.halt();
        } else if asked.elapsed() >= EXISTENCE_RHYTHM && !shared.is_halted() {
            for topic in gone() {
                shared.gone[topic].store(true, Ordering::Relaxed);
            }
            asked = Instant::now();
        }
    }
    result.map(|()| halt)
}
