//! The days of another archive, one after the other, as late data of this one: rows that are here already change nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::day_file::{DayContext, LeafCounts, NewRows, OtherDay, WrittenEntry, copy_day, write_day};
use super::super::prune::kept_formats;
use super::other::Other;
use crate::calendar::{Day, Zone};
use crate::console::Console;
use crate::error::{Error, Result};
use crate::format::Formats;
use crate::order::{LeafSize, RunCounts};
use crate::report::{counted, escaped};
use crate::settings::Memory;
use crate::store::record::{DayEntry, DayFileEntry, Leaf, Piece};
use crate::store::{Staging, State, Store};
use crate::table::schema::MeasurementSchema;

/// The archive that the days come to.
#[derive(Clone, Copy)]
pub struct Here<'a> {
    pub store: &'a Store,
    pub staging: &'a Staging,
    pub console: Console,
    pub zone: Zone,
    pub leaf_size: LeafSize,
    /// What the process may take.
    pub memory: Memory,
    /// The columns of all measurements as they are with the other archive's.
    pub schemas: &'a BTreeMap<String, Arc<MeasurementSchema>>,
}

/// What became of the other archive's days.
#[derive(Default)]
pub struct TakenDays {
    /// The days that changed, with their counts.
    pub changed: Vec<(DayEntry, RunCounts)>,
    /// Of all days.
    pub counts: RunCounts,
    pub leaves: LeafCounts,
    /// Rows that the other archive has.
    pub rows: u64,
    /// Bytes of the files that they were read from.
    pub bytes: u64,
}

/// Merges all days that the other archive has files of; `None` if it was asked to stop.
///
/// # Errors
/// Files of either archive that are not as its ledger says; a disk that can't be written.
pub fn take_days(here: Here<'_>, other: &Other, stop: &dyn Fn() -> bool) -> Result<Option<TakenDays>> {
    let mut taken = TakenDays::default();
    let state = here.store.state();
    let days = || other.state().days.values().filter(|entry| entry.has_file());
    let shown = here.console.progress().rows(
        format!("merging {}", other.name()),
        days().map(|entry| entry.rows).sum(),
    );
    for entry in days() {
        if stop() {
            return Ok(None);
        }
        let before = state.days.get(&(entry.measurement.clone(), entry.day.clone()));
        let written = match before.is_some_and(|before| has_the_same_file(before, entry)) {
            true => all_there(entry),
            false => {
                let read = entry.parquet.as_ref().or(entry.csv.as_ref());
                taken.bytes += read.map_or(0, |file| file.bytes);
                here.take_day(other, entry, before)?
            }
        };
        let rows = written.counts.points + written.counts.folded;
        if rows != entry.rows {
            let problem = format!("has {rows} rows in {}, its ledger says {}", other.name(), entry.rows);
            return Err(wrong_day(entry, &problem));
        }
        taken.rows += rows;
        shown.add(rows);
        taken.counts += written.counts;
        taken.leaves += written.leaves;
        if let Some(entry) = written.entry {
            here.console.detail(format_args!(
                "{} {}: {} leaves encoded, {} copied",
                escaped(&entry.measurement),
                entry.day,
                written.leaves.encoded,
                written.leaves.copied
            ));
            taken.changed.push((entry, written.counts));
        }
    }
    if let pruned @ 1.. = other.state().pruned_days().count() {
        let days = counted(pruned as u64, "day");
        let were = if pruned == 1 { "was" } else { "were" };
        here.console.note(format_args!(
            "{days} of {} {were} pruned there: nothing is left to merge",
            other.name()
        ));
    }
    Ok(Some(taken))
}

/// Refuses rows of days that were pruned here: there is nothing left to merge them with, and no line that could be a reject.
///
/// # Errors
/// The other archive has files of such a day.
pub fn refuse_pruned(here: &State, other: &Other) -> Result<()> {
    let in_the_way = |entry: &&DayEntry| {
        let here = here.days.get(&(entry.measurement.clone(), entry.day.clone()));
        entry.has_file() && here.is_some_and(|here| !here.has_file())
    };
    match other.state().days.values().find(in_the_way) {
        None => Ok(()),
        Some(entry) => Err(Error::new(
            format_args!("{} {}", escaped(&entry.measurement), entry.day),
            format_args!(
                "was pruned here, but {} has {} of it",
                other.name(),
                counted(entry.rows, "row")
            ),
        )
        .hint("nothing was merged, so that nothing is lost unseen; prune that archive as well, then merge it")),
    }
}

impl Here<'_> {
    fn take_day(self, other: &Other, entry: &DayEntry, before: Option<&DayEntry>) -> Result<WrittenEntry> {
        let (Some(schema), Some(own)) = (
            self.schemas.get(&entry.measurement),
            other.schemas().get(&entry.measurement),
        ) else {
            return Err(wrong_day(
                entry,
                &format!("has no schema on record in {}", other.name()),
            ));
        };
        let formats = self.store.settings().formats;
        let context = DayContext {
            locate: &|target| self.store.path(target),
            zone: self.zone,
            time_unit: self.store.settings().time_unit,
            formats: match before {
                Some(_) => kept_formats(formats, before),
                None => new_formats(formats, other.settings().formats, entry),
            },
            leaf_size: self.leaf_size,
            memory: self.memory.merging(false),
            work: None,
        };
        let locate = |target: &str| other.locate(target);
        let there = other.context(&locate, self.zone, self.leaf_size);
        if before.is_none()
            && let Some(copied) = copy_day(context, there, self.staging, own, schema, entry)?
        {
            return Ok(copied);
        }
        let rows = NewRows::Recorded(Box::new(OtherDay::open(there, own, schema, entry)?));
        let day: Day = entry.day.parse()?;
        let (first, end) = self.zone.bounds(day);
        if i128::from(entry.first) < first || i128::from(entry.last) >= end {
            let problem = format!("has rows in {} that are not of this day", other.name());
            return Err(wrong_day(entry, &problem));
        }
        write_day(context, self.staging, day, &rows, before)
    }
}

fn wrong_day(entry: &DayEntry, problem: &str) -> Error {
    Error::new(format_args!("{} {}", escaped(&entry.measurement), entry.day), problem)
        .hint("nothing was changed; run `diurnal verify` on that archive")
}

/// The files that a day gets which this archive does not have yet: what was pruned there stays so.
fn new_formats(here: Formats, there: Formats, entry: &DayEntry) -> Formats {
    let kept = Formats {
        parquet: here.parquet && (entry.parquet.is_some() || !there.parquet),
        csv: here.csv && (entry.csv.is_some() || !there.csv),
    };
    match kept.parquet || kept.csv {
        true => kept,
        false => here,
    }
}

/// Whether the day has a file of the same bytes in both archives, so that it has the same rows.
fn has_the_same_file(here: &DayEntry, there: &DayEntry) -> bool {
    let pieces = |entry: &DayEntry, of: fn(&Leaf) -> &Option<Piece>| -> Vec<Option<Piece>> {
        entry.leaves.iter().map(|leaf| of(leaf).clone()).collect()
    };
    let same = |file: fn(&DayEntry) -> &Option<DayFileEntry>, piece: fn(&Leaf) -> &Option<Piece>| match (
        file(here),
        file(there),
    ) {
        (Some(a), Some(b)) => (a.bytes, &a.rest) == (b.bytes, &b.rest) && pieces(here, piece) == pieces(there, piece),
        _ => false,
    };
    same(|entry| &entry.parquet, |leaf| &leaf.parquet) || same(|entry| &entry.csv, |leaf| &leaf.csv)
}

/// What becomes of a day of which this archive has every row.
fn all_there(entry: &DayEntry) -> WrittenEntry {
    WrittenEntry {
        entry: None,
        counts: RunCounts {
            folded: entry.rows,
            ..RunCounts::default()
        },
        leaves: LeafCounts::default(),
    }
}
