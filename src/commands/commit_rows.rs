//! The rows of a commit, settled, wherever they are: in memory, or on disk where there were too many; and the days that they become.

use std::sync::Arc;

use rayon::prelude::*;

use super::day_file::{DayContext, NewRows, WrittenEntry, write_day};
use super::prune::kept_formats;
use crate::calendar::{Day, Zone};
use crate::console::Progress;
use crate::error::Result;
use crate::order::split_days;
use crate::report::counted;
use crate::store::{HandedOver, SpillSpace, Staging, State, TaskFolder};
use crate::table::schema::MeasurementSchema;
use crate::table::settle::settle;
use crate::table::spill::{BLOCK_BYTES, Gathered, SettledSpill, settle_spilled, spill};
use crate::table::{Collected, RejectedLine, Room, SettledTable};

/// What a commit is going to archive or reject.
pub struct Commitment {
    /// Rows, by measurement.
    pub rows: CommitRows,
    /// Lines that can be no rows.
    pub rejects: Vec<RejectedLine>,
    /// Lines parsed, rejected ones included.
    pub lines: u64,
}

/// Rows in settled columns.
pub enum CommitRows {
    /// All of them in memory.
    Held(Vec<SettledTable>),
    /// All of them on disk.
    Spilled(Vec<SettledSpill>),
    /// Merged into their days and encoded by the tasks of an engine.
    Made(MadeDays),
}

/// The days of a commit as tasks staged them.
pub struct MadeDays {
    /// The columns of each measurement that has new rows or columns.
    pub schemas: Vec<Arc<MeasurementSchema>>,
    /// The folder that they were staged in.
    pub tasks: TaskFolder,
    /// Each day, and the files that were staged for it.
    pub days: Vec<(WrittenEntry, Vec<HandedOver>)>,
}

/// A day that is to be written.
struct Work<'a> {
    day: Day,
    rows: NewRows<'a>,
    /// About how many they are.
    new_rows: u64,
    /// Memory that writing it takes at its fullest, about.
    bytes: usize,
}

impl Commitment {
    /// Settles what was gathered. Where some of it is on disk, the rest goes there too: then little is in memory while days are merged.
    ///
    /// # Errors
    /// The disk's.
    pub fn settle(mut gathered: Vec<Gathered>, space: &SpillSpace, zone: Zone) -> Result<Self> {
        if gathered.iter().all(|part| part.spilled.is_empty()) {
            let settled = settle(gathered.into_iter().map(|part| part.collected).collect());
            return Ok(Self {
                rows: CommitRows::Held(settled.tables),
                rejects: settled.rejects,
                lines: settled.lines,
            });
        }
        gathered.par_iter_mut().try_for_each(|part| -> Result<()> {
            let rest = spill(&mut part.collected, &mut part.seen, space, zone, BLOCK_BYTES)?;
            part.spilled.extend(rest);
            Ok(())
        })?;
        let (mut tables, mut rejects, mut names) = (Vec::new(), Vec::new(), Vec::new());
        let (mut lines, mut room) = (0, Room::default());
        for Gathered {
            collected,
            spilled,
            seen,
        } in gathered
        {
            let Collected {
                rejects: more,
                lines: n,
                room: of_all,
                ..
            } = collected;
            rejects.extend(more);
            lines += n;
            room = of_all;
            tables.extend(spilled);
            names.push(seen);
        }
        let (spilled, late) = settle_spilled(tables, room, names)?;
        rejects.extend(late);
        Ok(Self {
            rows: CommitRows::Spilled(spilled),
            rejects,
            lines,
        })
    }
}

impl CommitRows {
    /// The columns of each measurement.
    pub fn schemas(&self) -> impl Iterator<Item = &Arc<MeasurementSchema>> {
        let (held, spilled, made) = match self {
            Self::Held(tables) => (&tables[..], &[][..], &[][..]),
            Self::Spilled(spills) => (&[][..], &spills[..], &[][..]),
            Self::Made(days) => (&[][..], &[][..], &days.schemas[..]),
        };
        let held = held.iter().map(|table| &table.schema);
        held.chain(spilled.iter().map(|spill| &spill.schema)).chain(made)
    }

    /// Whether they are in memory.
    pub fn are_held(&self) -> bool {
        matches!(self, Self::Held(_))
    }

    /// Merges them into their days and stages the files. `told` gets, before the first one, the bytes of those that the days have now.
    ///
    /// # Errors
    /// Files that are not as the ledger says; rows that can't be read from disk again; the disk's.
    pub fn write(
        &self,
        context: DayContext<'_>,
        staging: &Staging,
        state: &State,
        progress: &Progress,
        told: impl FnOnce(u64),
    ) -> Result<Vec<WrittenEntry>> {
        if let Self::Made(made) = self {
            return made.adopt(staging);
        }
        let entry = |work: &Work<'_>| {
            let key = (work.rows.schema().measurement.clone(), work.day.to_string());
            state.days.get(&key)
        };
        let most = context.memory / rayon::current_num_threads();
        let sorting = progress.wait("sorting");
        let all = self.work(context)?;
        drop(sorting);
        let before = || all.iter().filter_map(entry);
        let rows = before().map(|day| day.rows).sum::<u64>() + all.iter().map(|work| work.new_rows).sum::<u64>();
        let shown = progress.rows(format!("encoding {}", counted(all.len() as u64, "day file")), rows);
        let write = |work: &Work<'_>, memory: usize| {
            let before = entry(work);
            let context = DayContext {
                formats: kept_formats(context.formats, before),
                memory,
                work: Some(&shown),
                ..context
            };
            let written = write_day(context, staging, work.day, &work.rows, before)?;
            // Lines that became no row of their own.
            shown.add(written.counts.folded);
            Ok(written)
        };
        // Small days are written side by side, which hides the waiting for the disk; one that fills the memory, by itself on all threads.
        let files = before().flat_map(|day| [&day.parquet, &day.csv]).flatten();
        told(files.map(|file| file.bytes).sum());
        let (small, large): (Vec<_>, Vec<_>) = all.into_iter().partition(|work| work.bytes <= most);
        let mut written: Vec<WrittenEntry> = small.par_iter().map(|work| write(work, most)).collect::<Result<_>>()?;
        for work in &large {
            written.push(write(work, context.memory)?);
        }
        Ok(written)
    }

    fn work(&self, context: DayContext<'_>) -> Result<Vec<Work<'_>>> {
        Ok(match self {
            Self::Held(tables) => tables
                .par_iter()
                .map(|table| {
                    let days = split_days(table, context.zone)?;
                    let rows = move |(day, entries)| (day, NewRows::held(table, entries));
                    Ok(days
                        .into_iter()
                        .map(rows)
                        .map(|(day, rows)| Work::new(context, day, rows))
                        .collect())
                })
                .collect::<Result<Vec<Vec<_>>>>()?
                .into_iter()
                .flatten()
                .collect(),
            Self::Spilled(spills) => spills
                .iter()
                .flat_map(SettledSpill::days)
                .map(|(day, rows)| Work::new(context, day, NewRows::Spilled(rows)))
                .collect(),
            Self::Made(_) => Vec::new(),
        })
    }
}

impl MadeDays {
    /// Takes over what the tasks staged.
    fn adopt(&self, staging: &Staging) -> Result<Vec<WrittenEntry>> {
        for file in self.days.iter().flat_map(|(_, files)| files) {
            staging.adopt(&self.tasks, file)?;
        }
        Ok(self.days.iter().map(|(day, _)| day.clone()).collect())
    }
}

impl<'a> Work<'a> {
    fn new(context: DayContext<'_>, day: Day, rows: NewRows<'a>) -> Self {
        let (first, end) = context.zone.bounds(day);
        let columns = 1 + rows.schema().columns.len();
        // A leaf that is merged with may be as full as leaves get.
        let leaf = context.leaf_size.limit(columns);
        let new_rows = rows.rows_in(&(first..end));
        let most = new_rows.saturating_add(leaf);
        Self {
            day,
            rows,
            new_rows: new_rows as u64,
            bytes: most
                .saturating_mul(columns)
                .saturating_mul(super::day_file::BYTES_PER_CELL),
        }
    }
}
