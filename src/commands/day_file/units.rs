//! A day that several tasks of an engine write: cut into units along the division that its rows will have, each merged and encoded by
//! itself into files of its own, and spliced into the day's.
//!
//! Where a unit begins follows from estimates, for rows are counted only when they are merged. That does no harm: a slice that has too many
//! rows for one leaf is split in any case, and one that turns out to have fewer is made one leaf of again when the units are spliced.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::large::Unit as Pieces;
use super::merge::{Job, Merge, NewLeaf};
use super::new_rows::NewRows;
use super::plan::{Part, Plan};
use super::recorded::{RecordedDay, share_of};
use super::{DayContext, LeafCounts, WrittenEntry, open};
use crate::calendar::Day;
use crate::encode::{LeafEncoder, LeafRows};
use crate::error::{Error, Result};
use crate::order::{DayColumns, RunCounts, Slice};
use crate::store::Staging;
use crate::store::record::DayEntry;
use crate::table::schema::{ColumnOrigin, MeasurementSchema};

/// What of a day one task writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnitSpan {
    /// All of it.
    Day,
    /// Some parts, one after the other, of the division that its files have now: from the first instant to the one after the last.
    Parts(Range<i128>),
    /// A slice of such a part.
    Slice(Slice),
}

/// What a task made of a unit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WrittenUnit {
    /// The unit.
    pub span: UnitSpan,
    /// The files that the task staged, as a day's; `None` where all leaves stay as they are, or there is no row.
    pub entry: Option<DayEntry>,
    /// Whether the new rows say anything that the day's files do not.
    pub adds_something: bool,
    /// What became of the new lines.
    pub counts: RunCounts,
    /// How its leaves were written.
    pub leaves: LeafCounts,
}

/// Which of its measurement's columns a day has: those of its files and the declared ones come in any case.
pub fn columns_of(
    context: DayContext<'_>,
    schema: &MeasurementSchema,
    before: Option<&RecordedDay<'_>>,
    occurring: &[String],
) -> DayColumns {
    let before = before.map_or(&[][..], |before| &before.schema().columns);
    let occurs = |number: usize| occurring.binary_search(&schema.columns[number].name).is_ok();
    DayColumns::occurring(schema, before, occurs, context.time_unit)
}

/// The names of the columns that some new rows have, ascending, declared ones aside.
pub fn occurring(schema: &MeasurementSchema, places: impl IntoIterator<Item = usize>) -> Vec<String> {
    let columns = places.into_iter().map(|place| &schema.columns[place]);
    let learned = columns.filter(|column| column.origin != ColumnOrigin::Declared);
    let mut names: Vec<String> = learned.map(|column| column.name.clone()).collect();
    names.sort_unstable();
    names
}

/// Cuts a day into units of about so many rows, which are to be written anew.
///
/// # Errors
/// Files of the day that are not as the ledger says.
pub fn divide_day(
    context: DayContext<'_>,
    day: Day,
    occurring: &[String],
    new: &NewRows<'_>,
    before: Option<&DayEntry>,
    unit_rows: usize,
) -> Result<Vec<UnitSpan>> {
    let (first, end) = context.zone.bounds(day);
    let there = before.map_or(0, |before| before.rows);
    if there.saturating_add(new.rows_in(&(first..end)) as u64) <= unit_rows as u64 {
        // However much of it stays as it is: its files need not be opened to know.
        return Ok(vec![UnitSpan::Day]);
    }
    let old = open(context, new.schema(), before)?;
    let columns = columns_of(context, new.schema(), old.as_ref(), occurring);
    let plan = Plan::new(context, day, &columns, old.as_ref(), new);
    let touched: Vec<&Part> = plan.parts.iter().filter(|part| !plan.is_kept(part)).collect();
    let rows = |part: &Part| part.old_rows.saturating_add(part.new);
    // Where leaves can't stay as they are, rows that nothing new comes to have to be divided anew too.
    let is_anew = old.is_some() && plan.widening.is_none() || touched.iter().any(|part| part.old_rows > plan.limit);
    if is_anew || touched.iter().map(|part| rows(part)).sum::<usize>() <= unit_rows {
        return Ok(vec![UnitSpan::Day]);
    }
    let mut units: Vec<UnitSpan> = Vec::new();
    let mut open: Option<(Range<i128>, usize)> = None;
    for part in touched {
        let time = &part.slice.time;
        match &mut open {
            Some((span, so_far)) if span.end == time.start && *so_far + rows(part) <= unit_rows => {
                span.end = time.end;
                *so_far += rows(part);
            }
            _ => {
                units.extend(open.take().map(|(span, _)| UnitSpan::Parts(span)));
                match rows(part) > unit_rows {
                    true => units.extend(slices(part, old.as_ref(), new, unit_rows)),
                    false => open = Some((time.clone(), rows(part))),
                }
            }
        }
    }
    units.extend(open.map(|(span, _)| UnitSpan::Parts(span)));
    Ok(units)
}

/// The slices of a part that have about so many rows, those without new ones left out.
fn slices(part: &Part, old: Option<&RecordedDay<'_>>, new: &NewRows<'_>, unit_rows: usize) -> Vec<UnitSpan> {
    // Shares of rows, not rounded: those of the parts of a slice are no more than its own, so that splitting comes to an end.
    let rows_in = |time: &Range<i128>| {
        let leaves = old.map_or(&[][..], |old| &old.leaves()[part.leaves.clone()]);
        let there: f64 = leaves.iter().map(|leaf| share_of(leaf, time)).sum();
        there + new.rows_to_read(time)
    };
    let mut found = Vec::new();
    let mut waiting = vec![part.slice.clone()];
    while let Some(slice) = waiting.pop() {
        if new.rows_in(&slice.time) == 0 {
            continue;
        }
        match (rows_in(&slice.time) > unit_rows as f64)
            .then(|| slice.parts())
            .flatten()
        {
            Some(parts) => waiting.extend(parts.into_iter().rev()),
            None if slice == part.slice => found.push(UnitSpan::Parts(slice.time)),
            None => found.push(UnitSpan::Slice(slice)),
        }
    }
    found
}

impl UnitSpan {
    /// Its time: all of it for a whole day.
    pub fn time(&self, day: Range<i128>) -> Range<i128> {
        match self {
            Self::Day => day,
            Self::Parts(time) => time.clone(),
            Self::Slice(slice) => slice.time.clone(),
        }
    }
}

/// Merges new rows into a unit of a day, and stages its files: those of the day if it is all of it.
///
/// # Errors
/// As [`write_day`](super::write_day).
pub fn write_unit(
    context: DayContext<'_>,
    staging: &Staging,
    day: Day,
    span: &UnitSpan,
    occurring: &[String],
    new: &NewRows<'_>,
    before: Option<&DayEntry>,
) -> Result<WrittenUnit> {
    let old = open(context, new.schema(), before)?;
    let columns = columns_of(context, new.schema(), old.as_ref(), occurring);
    let mut plan = Plan::new(context, day, &columns, old.as_ref(), new);
    match span {
        UnitSpan::Day => {}
        UnitSpan::Parts(time) => plan.parts.retain(|part| is_in(&part.slice.time, time)),
        UnitSpan::Slice(slice) => {
            plan.parts.retain(|part| is_in(&slice.time, &part.slice.time));
            for part in &mut plan.parts {
                part.slice = slice.clone();
                part.new = new.rows_in(&slice.time);
            }
            // Leaves are of the whole part.
            (plan.widening, plan.same_columns) = (None, false);
        }
    }
    let job = Job {
        context,
        staging,
        new,
        day,
        old: old.as_ref(),
        columns: &columns,
        plan: &plan,
        encoder: &LeafEncoder::new(columns.schema().clone(), context.formats)?,
    };
    let merge = Merge::of_all_parts(job)?;
    let adds_something = merge.adds_something();
    let is_day = *span == UnitSpan::Day;
    let WrittenEntry { entry, counts, leaves } = merge.finish(before.filter(|_| is_day))?;
    Ok(WrittenUnit {
        span: span.clone(),
        entry: entry.filter(|entry| is_day || !entry.leaves.is_empty()),
        adds_something,
        counts,
        leaves,
    })
}

/// A unit that was written, and where its files are.
pub struct SplicedUnit<'a> {
    /// What was written.
    pub unit: &'a WrittenUnit,
    /// The files that a task staged, by path relative to the archive.
    pub files: BTreeMap<&'a str, PathBuf>,
}

impl<'a> SplicedUnit<'a> {
    fn open(&self, context: DayContext<'_>, schema: &MeasurementSchema) -> Result<Option<RecordedDay<'a>>> {
        let locate = |target: &str| {
            let path = self.files.get(target).cloned();
            path.ok_or_else(|| Error::new(target, "was staged by no task of this day"))
        };
        let there = DayContext {
            locate: &locate,
            ..context
        };
        open(there, schema, self.unit.entry.as_ref())
    }
}

/// Where rows of a leaf are.
#[derive(Clone, Debug)]
enum Source {
    /// A leaf of a unit: number of the unit, number in it.
    Unit(usize, usize),
    /// What the day's files have of a slice that got no new rows.
    Old(LeafRows),
}

/// Puts the units of a day together: its files, staged.
///
/// # Errors
/// Files that are not as the units or the ledger say; the disk's.
pub fn splice_day(
    context: DayContext<'_>,
    staging: &Staging,
    day: Day,
    schema: &Arc<MeasurementSchema>,
    occurring: &[String],
    units: &[SplicedUnit<'_>],
    before: Option<&DayEntry>,
) -> Result<WrittenEntry> {
    let old = open(context, schema, before)?;
    let columns = columns_of(context, schema, old.as_ref(), occurring);
    let (first, end) = context.zone.bounds(day);
    let new = NewRows::Elsewhere {
        schema,
        spans: units.iter().map(|unit| unit.unit.span.time(first..end)).collect(),
    };
    let plan = Plan::new(context, day, &columns, old.as_ref(), &new);
    let files = units.iter().map(|unit| unit.open(context, schema));
    let files: Vec<Option<RecordedDay<'_>>> = files.collect::<Result<_>>()?;
    let job = Job {
        context,
        staging,
        new: &new,
        day,
        old: old.as_ref(),
        columns: &columns,
        plan: &plan,
        encoder: &LeafEncoder::new(columns.schema().clone(), context.formats)?,
    };
    let mut merge = Merge::begin(job)?;
    let rows_of = |source: Source| match source {
        Source::Unit(unit, leaf) => file_of(&files, unit)?.rows(context, leaf..leaf + 1),
        Source::Old(rows) => Ok(vec![rows]),
    };
    for part in &plan.parts {
        let splicing = Splicing { job, part, units };
        for leaf in splicing.leaves()? {
            let leaf = match leaf {
                Spliced::Kept(leaf) => NewLeaf::Kept(leaf),
                Spliced::Of(slice, sources) => match sources[..] {
                    [Source::Unit(unit, leaf)] => NewLeaf::Made(file_of(&files, unit)?, leaf),
                    _ => {
                        let pieces: Vec<Vec<LeafRows>> = sources.into_iter().map(rows_of).collect::<Result<_>>()?;
                        let pieces = pieces.concat();
                        NewLeaf::Rows(merge.join(Pieces { slice, pieces })?)
                    }
                },
            };
            merge.write(&[leaf])?;
        }
    }
    let written = merge.finish(before)?;
    let mut sum = WrittenEntry {
        counts: RunCounts::default(),
        leaves: LeafCounts::default(),
        entry: written.entry,
    };
    for SplicedUnit { unit, .. } in units {
        sum.counts += unit.counts;
        sum.leaves += unit.leaves;
    }
    Ok(sum)
}

fn file_of<'a, 'f>(files: &'a [Option<RecordedDay<'f>>], unit: usize) -> Result<&'a RecordedDay<'f>> {
    files[unit].as_ref().ok_or_else(|| {
        Error::new(
            "a unit of a day",
            "has leaves and no files: report this as a bug of diurnal",
        )
    })
}

/// A leaf of a day that is put together.
enum Spliced {
    /// One of its files as they are.
    Kept(usize),
    /// Rows that are one leaf, mostly one of a unit, and the slice that they are of.
    Of(Slice, Vec<Source>),
}

/// The number of rows of a slice, and its leaves: the slice that each is of, and where its rows are.
type Leaves = (usize, Vec<(Slice, Vec<Source>)>);

/// A part of the division that the day's files have now, and all units.
#[derive(Clone, Copy)]
struct Splicing<'a> {
    job: Job<'a>,
    part: &'a Part,
    units: &'a [SplicedUnit<'a>],
}

impl Splicing<'_> {
    /// The leaves of the part.
    fn leaves(self) -> Result<Vec<Spliced>> {
        let Self { job, part, units } = self;
        let kept = || part.leaves.clone().map(Spliced::Kept).collect();
        let time = &part.slice.time;
        let covering = units
            .iter()
            .enumerate()
            .find_map(|(number, unit)| match &unit.unit.span {
                UnitSpan::Parts(span) if is_in(time, span) => Some((number, span, &unit.unit.entry)),
                _ => None,
            });
        if let Some((number, span, entry)) = covering {
            let Some(entry) = entry else {
                return Ok(kept());
            };
            // With the first of its parts come the leaves of all.
            let mut starts = job.plan.parts.iter().map(|part| part.slice.time.start);
            let is_first = starts.find(|start| span.contains(start)) == Some(time.start);
            let leaf = |leaf| Spliced::Of(part.slice.clone(), vec![Source::Unit(number, leaf)]);
            return Ok(match is_first {
                true => (0..entry.leaves.len()).map(leaf).collect(),
                false => Vec::new(),
            });
        }
        let inside: Vec<_> = units.iter().filter(|unit| unit.unit.is_slice_in(time)).collect();
        let adds_something = inside.iter().any(|unit| unit.unit.adds_something);
        if inside.is_empty() || (job.plan.may_keep(part) && !adds_something) {
            return Ok(kept());
        }
        let (_, leaves) = self.slice(&part.slice)?;
        let leaf = |(slice, sources)| Spliced::Of(slice, sources);
        Ok(leaves.into_iter().map(leaf).collect())
    }

    /// What is known of a slice.
    fn slice(self, slice: &Slice) -> Result<Leaves> {
        let is_it = |unit: &SplicedUnit<'_>| matches!(&unit.unit.span, UnitSpan::Slice(of) if of == slice);
        if let Some(number) = self.units.iter().position(is_it) {
            let leaves = self.units[number].unit.entry.iter().flat_map(|entry| &entry.leaves);
            let rows: u64 = leaves.clone().map(|leaf| leaf.rows).sum();
            let leaf = |leaf| (slice.clone(), vec![Source::Unit(number, leaf)]);
            return Ok((
                usize::try_from(rows).unwrap_or(usize::MAX),
                (0..leaves.count()).map(leaf).collect(),
            ));
        }
        if !self.units.iter().any(|unit| unit.unit.is_slice_in(&slice.time)) {
            let rows = self.job.rows_there(self.part, &slice.time)?;
            let number = rows.iter().map(|rows| rows.times.len()).sum();
            let sources: Vec<Source> = rows.into_iter().map(Source::Old).collect();
            return Ok((
                number,
                (number > 0).then(|| (slice.clone(), sources)).into_iter().collect(),
            ));
        }
        let (mut rows, mut leaves) = (0, Vec::new());
        for part in slice.parts().unwrap_or_default() {
            let (more, of_part) = self.slice(&part)?;
            rows += more;
            leaves.extend(of_part);
        }
        if rows <= self.job.plan.limit && leaves.len() > 1 {
            let all = leaves.into_iter().flat_map(|(_, sources)| sources).collect();
            leaves = vec![(slice.clone(), all)];
        }
        Ok((rows, leaves))
    }
}

/// Whether a span of time is within another.
fn is_in(inner: &Range<i128>, outer: &Range<i128>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

impl WrittenUnit {
    /// A unit that is a whole day, as that.
    pub fn into_entry(self) -> WrittenEntry {
        WrittenEntry {
            entry: self.entry,
            counts: self.counts,
            leaves: self.leaves,
        }
    }

    fn is_slice_in(&self, time: &Range<i128>) -> bool {
        matches!(&self.span, UnitSpan::Slice(slice) if is_in(&slice.time, time))
    }
}
