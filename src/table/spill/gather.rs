//! A collector that gives to disk what it may not hold.

use super::{SpilledTable, spill};
use crate::calendar::Zone;
use crate::error::{Error, Result};
use crate::source::Origin;
use crate::store::SpillSpace;
use crate::table::room::SeenNames;
use crate::table::{Collected, Collector};

/// Where a collector spills to, and when.
#[derive(Clone, Debug)]
pub struct SpillSettings {
    /// Room on disk.
    pub space: SpillSpace,
    /// Whose days blocks are cut at.
    pub zone: Zone,
    /// Bytes that a collector may hold, estimated from what was appended.
    pub most_bytes: usize,
    /// Bytes of a block, about: [`BLOCK_BYTES`](super::BLOCK_BYTES), or less to get many from few rows.
    pub block_bytes: usize,
}

/// A [`Collector`] that holds no more than it may: beyond that its rows go to disk, sorted.
#[derive(Debug)]
pub struct Gatherer {
    collector: Collector,
    settings: SpillSettings,
    /// Lines and rejects of what was spilled.
    left: Collected,
    left_bytes: usize,
    spilled: Vec<SpilledTable>,
    seen: SeenNames,
    failed: Option<Error>,
}

/// What a [`Gatherer`] or a collector gives to a commit.
#[derive(Debug, Default)]
pub struct Gathered {
    /// What is in memory.
    pub collected: Collected,
    /// What is on disk.
    pub spilled: Vec<SpilledTable>,
    /// What was noted of its names.
    pub seen: SeenNames,
}

impl From<Collected> for Gathered {
    fn from(collected: Collected) -> Self {
        Self {
            collected,
            ..Self::default()
        }
    }
}

impl Gatherer {
    /// Gives `collector` a place to spill to.
    pub fn new(collector: Collector, settings: SpillSettings) -> Self {
        Self {
            collector,
            settings,
            left: Collected::default(),
            left_bytes: 0,
            spilled: Vec::new(),
            seen: SeenNames::default(),
            failed: None,
        }
    }

    /// [`Collector::push`]. What can't be spilled ends the taking of lines: [`Gatherer::is_failed`], and [`Gatherer::finish`] says why.
    pub fn push(&mut self, payload: &[u8], default_time: Option<i64>, origin: impl Fn(usize) -> Origin) {
        let mut at = 0;
        while self.failed.is_none() && at < payload.len() {
            let most_bytes = self.settings.most_bytes;
            let rest = &payload[at..];
            at += self
                .collector
                .push_up_to(most_bytes, rest, default_time, |byte| origin(at + byte));
            self.spill_what_is_too_much();
        }
    }

    /// [`Collector::push_long_line`].
    pub fn push_long_line(&mut self, start: &[u8], bytes: u64, default_time: Option<i64>, origin: Origin) {
        self.collector.push_long_line(start, bytes, default_time, origin);
        self.spill_what_is_too_much();
    }

    fn spill_what_is_too_much(&mut self) {
        if self.failed.is_none() && self.collector.bytes() > self.settings.most_bytes {
            self.failed = self.spill().err();
        }
    }

    /// Lines taken, rejected ones included.
    pub fn lines(&self) -> u64 {
        self.left.lines + self.collector.lines()
    }

    /// Bytes of memory held that can't be spilled: rejects, and what is to be known of rows on disk.
    pub fn lasting_bytes(&self) -> usize {
        self.left_bytes + self.seen.bytes()
    }

    /// Whether a disk ended the taking of lines.
    pub fn is_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Everything that was taken.
    ///
    /// # Errors
    /// A disk that could not be written; then nothing of it may be committed.
    pub fn finish(self) -> Result<Gathered> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let Self {
            collector,
            mut left,
            spilled,
            seen,
            ..
        } = self;
        left.add(collector.finish());
        Ok(Gathered {
            collected: left,
            spilled,
            seen,
        })
    }

    fn spill(&mut self) -> Result<()> {
        let mut collected = self.collector.take();
        let SpillSettings {
            space,
            zone,
            block_bytes,
            ..
        } = &self.settings;
        let tables = spill(&mut collected, &mut self.seen, space, *zone, *block_bytes)?;
        self.left_bytes += tables.iter().map(SpilledTable::bytes).sum::<usize>();
        self.spilled.extend(tables);
        self.left_bytes += collected.rejects.iter().map(Collected::bytes_of).sum::<usize>();
        self.left.add(collected);
        Ok(())
    }
}
