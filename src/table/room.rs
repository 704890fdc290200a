//! How many measurements and columns find a place in an archive: which new names get one follows from all names of a commit, in their
//! order, and from nothing else.
//!
//! A line of a measurement or with a column that gets none is rejected as a whole, as one whose value does not fit its column is. So
//! lines with new names are kept word for word until the commit is settled.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::builder::Chunk;
use super::collected::{Collected, CollectedTable, LocalColumn};
use super::open_columns::LearnedTypes;
use super::reject::RejectedLine;
use super::schema::{ColumnKind, ColumnType, MeasurementSchema};
use crate::lineproto::Reason;

/// Measurements of an archive at most, unless `--max-measurements` says otherwise. Each makes two files a day: many more are no metrics
/// but something else that got into names.
pub const MEASUREMENTS: usize = 10_000;

/// Columns of a measurement at most, unless `--max-columns` says otherwise: twice what InfluxDB 3 takes. Each costs a writer about 100 kB
/// whatever is in it, so that with 4,096 of them a run needs 560 MB where `--memory` says 128MiB, and with these 310 MB; readers of Parquet
/// pay for each column of each row group.
pub const COLUMNS: usize = 1_024;

/// What may be added to the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Room {
    /// Further measurements. One that is declared has a place in any case.
    pub measurements: usize,
    /// Columns that a measurement may have, `time` aside. Those that are declared have a place in any case.
    pub columns: usize,
}

/// For all names that come.
impl Default for Room {
    fn default() -> Self {
        Self {
            measurements: usize::MAX,
            columns: usize::MAX,
        }
    }
}

impl Room {
    /// Whether a name can come too late.
    pub(super) fn is_bounded(self) -> bool {
        self != Self::default()
    }

    /// Takes those of some new measurements out that get no place.
    pub(super) fn without_place(self, new: &mut BTreeSet<String>) -> BTreeSet<String> {
        let first = new.iter().nth(self.measurements).cloned();
        first.map_or_else(BTreeSet::new, |first| new.split_off(&first))
    }

    /// The new columns that get a place, if not all of them do. `most` is how many there may be, where that is known: if they all fit,
    /// `new` is not looked at.
    pub(super) fn admitted(
        self,
        known: Option<&MeasurementSchema>,
        most: Option<usize>,
        new: impl IntoIterator<Item = NewColumns>,
    ) -> Option<NewColumns> {
        let there = known.map_or(0, |known| known.columns.len());
        if most.is_some_and(|most| there + most <= self.columns) {
            return None;
        }
        let mut all = NewColumns::default();
        for new in new {
            all.add_all(&new);
        }
        all.cut(self.columns.saturating_sub(there)).then_some(all)
    }
}

/// The new columns of one measurement that lines of a commit have, tags first, then fields, each bytewise; a field's type is the first of
/// those that it was seen with. Lines that are rejected for one of them count as well, so that they have the same fate when they
/// come again.
#[derive(Clone, Debug, Default)]
pub(super) struct NewColumns {
    columns: BTreeMap<(ColumnKind, String), ColumnType>,
    /// Whether some got no place.
    is_cut: bool,
}

impl NewColumns {
    fn add(&mut self, key: &str, kind: ColumnKind, ty: ColumnType) {
        let seen = self.columns.entry((kind, key.to_owned())).or_insert(ty);
        *seen = ty.min(*seen);
    }

    /// Adds the columns with these numbers that are new.
    pub(super) fn add_fields(&mut self, columns: &[LocalColumn], numbers: impl IntoIterator<Item = u32>) {
        let columns = numbers.into_iter().map(|number| &columns[number as usize]);
        for column in columns.filter(|column| column.settled.is_none()) {
            self.add(&column.key, ColumnKind::Field, column.ty);
        }
    }

    /// Adds the tags with these numbers that are new.
    pub(super) fn add_tags(
        &mut self,
        keys: &[String],
        numbers: impl IntoIterator<Item = u32>,
        known: Option<&MeasurementSchema>,
    ) {
        let known = places_of(known);
        let keys = numbers.into_iter().map(|number| &keys[number as usize]);
        for key in keys.filter(|key| !known.contains_key(key.as_str())) {
            self.add(key, ColumnKind::Tag, ColumnType::String);
        }
    }

    fn add_all(&mut self, other: &Self) {
        for ((kind, key), ty) in &other.columns {
            self.add(key, *kind, *ty);
        }
        self.is_cut |= other.is_cut;
    }

    /// Takes the places away from those that are too many. Gives whether there were any.
    fn cut(&mut self, places: usize) -> bool {
        while self.columns.len() > places {
            self.columns.pop_last();
            self.is_cut = true;
        }
        self.is_cut
    }

    pub(super) fn tags(&self) -> BTreeSet<String> {
        let tags = self.columns.keys().filter(|(kind, _)| *kind == ColumnKind::Tag);
        tags.map(|(_, key)| key.clone()).collect()
    }

    pub(super) fn fields(&self) -> LearnedTypes {
        let fields = self.columns.iter().filter(|((kind, _), _)| *kind == ColumnKind::Field);
        fields.map(|((_, key), ty)| (key.clone(), *ty)).collect()
    }

    fn has(&self, key: &str, kind: ColumnKind) -> bool {
        self.columns.contains_key(&(kind, key.to_owned()))
    }
}

/// The tags that are columns already.
fn places_of(known: Option<&MeasurementSchema>) -> HashMap<&str, usize> {
    known.map_or_else(HashMap::new, |known| known.places_of(ColumnKind::Tag))
}

/// The columns of a collector's table that get no place, by number.
#[derive(Debug, Default)]
pub(super) struct Excess {
    fields: HashSet<u32>,
    tags: HashSet<u32>,
}

impl Excess {
    pub(super) fn new(
        columns: &[LocalColumn],
        tag_keys: &[String],
        known: Option<&MeasurementSchema>,
        admitted: &NewColumns,
    ) -> Self {
        let fields = (0..)
            .zip(columns)
            .filter(|(_, column)| column.settled.is_none() && !admitted.has(&column.key, ColumnKind::Field));
        let known = places_of(known);
        let tags = (0..)
            .zip(tag_keys)
            .filter(|(_, key)| !known.contains_key(key.as_str()) && !admitted.has(key, ColumnKind::Tag));
        Self {
            fields: fields.map(|(number, _)| number).collect(),
            tags: tags.map(|(number, _)| number).collect(),
        }
    }

    /// Whether some of these columns or tags are among them.
    pub(super) fn is_any_of(&self, columns: &[u32], tags: &[u32]) -> bool {
        columns.iter().any(|number| self.fields.contains(number)) || self.has_tag(tags.iter().copied())
    }

    /// Whether a series has one of the tags.
    pub(super) fn has_tag(&self, mut tags: impl Iterator<Item = u32>) -> bool {
        !self.tags.is_empty() && tags.any(|number| self.tags.contains(&number))
    }

    /// The rows of a chunk that have one of the fields.
    pub(super) fn rows_of(&self, chunk: &Chunk) -> HashSet<usize> {
        use arrow::array::Array as _;
        let mut rows = HashSet::new();
        if self.fields.is_empty() {
            return rows;
        }
        for (_, array) in chunk.columns.iter().filter(|(number, _)| self.fields.contains(number)) {
            match array.nulls() {
                Some(nulls) => rows.extend(nulls.valid_indices()),
                None => rows.extend(0..array.len()),
            }
        }
        rows
    }

    /// The rows of a table in memory that have one of the fields or tags: for each chunk their places.
    pub(super) fn rows_of_table(&self, table: &CollectedTable) -> Vec<HashSet<usize>> {
        let has_tag: Vec<bool> = table
            .series
            .iter()
            .map(|tags| self.has_tag(tags.iter().map(|(key, _)| *key)))
            .collect();
        let rows = |chunk: &Chunk| {
            let mut rows = self.rows_of(chunk);
            if !self.tags.is_empty() {
                let series = chunk.series.iter().enumerate();
                rows.extend(
                    series
                        .filter(|(_, series)| has_tag[**series as usize])
                        .map(|(row, _)| row),
                );
            }
            rows
        };
        table.chunks.iter().map(rows).collect()
    }
}

impl CollectedTable {
    /// Whether it has a row.
    pub(super) fn has_rows(&self) -> bool {
        !self.chunks.is_empty()
    }

    /// What its lines become if the measurement gets no place.
    pub(super) fn rejected(&self) -> impl Iterator<Item = RejectedLine> {
        self.kept.iter().map(|(_, line)| without_measurement(line()))
    }

    /// How many of its columns may be new.
    pub(super) fn most_new_columns(&self) -> usize {
        self.columns.len() + self.tag_keys.len()
    }

    /// The new columns that its rows have.
    pub(super) fn new_columns(&self) -> NewColumns {
        let mut new = NewColumns::default();
        let present: BTreeSet<u32> = self
            .chunks
            .iter()
            .flat_map(|chunk| chunk.columns.iter().map(|(number, _)| *number))
            .collect();
        new.add_fields(&self.columns, present);
        let series: HashSet<u32> = self
            .chunks
            .iter()
            .flat_map(|chunk| chunk.series.iter().copied())
            .collect();
        let tags: BTreeSet<u32> = series
            .iter()
            .flat_map(|&series| self.series[series as usize].iter().map(|(key, _)| *key))
            .collect();
        new.add_tags(&self.tag_keys, tags, self.known.as_deref());
        new
    }
}

/// The new names of what a collector spilled, as far as they tell that there is no place for some: these need not go to disk.
#[derive(Debug, Default)]
pub struct SeenNames {
    measurements: BTreeSet<String>,
    /// By measurement, where some columns got no place.
    columns: BTreeMap<String, SeenColumns>,
    bytes: usize,
}

/// The new columns of a measurement of which some got no place.
#[derive(Debug, Default)]
pub(super) struct SeenColumns {
    pub(super) columns: NewColumns,
    /// Lines with one of those: rejects, whose reason is another one if the measurement gets no place either.
    pub(super) rejects: Vec<RejectedLine>,
}

impl SeenNames {
    /// Takes the lines out for which there is surely no place, whatever other collectors hold: as many names are before theirs. Gives
    /// each table that is left with the places of such rows, by chunk.
    pub(super) fn reject(
        &mut self,
        tables: Vec<CollectedTable>,
        room: Room,
        rejects: &mut Vec<RejectedLine>,
    ) -> Vec<(CollectedTable, Vec<HashSet<usize>>)> {
        let new = tables.iter().filter(|table| table.known.is_none() && table.has_rows());
        self.measurements.extend(new.map(|table| table.measurement.clone()));
        let excess = room.without_place(&mut self.measurements);
        let mut left = Vec::with_capacity(tables.len());
        for table in tables {
            if excess.contains(&table.measurement) {
                rejects.extend(table.rejected());
            } else {
                let removed = self.reject_rows(&table, room);
                left.push((table, removed));
            }
        }
        left
    }

    fn reject_rows(&mut self, table: &CollectedTable, room: Room) -> Vec<HashSet<usize>> {
        let known = table.known.as_deref();
        let seen = self.columns.get_mut(&table.measurement);
        let before = seen.as_ref().map(|seen| seen.columns.clone());
        let most = before.is_none().then(|| table.most_new_columns());
        let new = std::iter::once_with(|| table.new_columns()).chain(before);
        let Some(new) = room.admitted(known, most, new) else {
            return Vec::new();
        };
        let removed = Excess::new(&table.columns, &table.tag_keys, known, &new).rows_of_table(table);
        let seen = match seen {
            Some(seen) => seen,
            None => self.columns.entry(table.measurement.clone()).or_default(),
        };
        seen.columns = new;
        for ((chunk, row), line) in table.kept.iter() {
            if removed[chunk].contains(&row) {
                let reject = without_column(line());
                self.bytes += Collected::bytes_of(&reject);
                seen.rejects.push(reject);
            }
        }
        removed
    }

    /// Bytes of memory that the rejects take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What was noted of a measurement of which some columns got no place.
    pub(super) fn take(&mut self, measurement: &str) -> Option<SeenColumns> {
        self.columns.remove(measurement)
    }

    /// Whether some columns of a measurement got no place.
    pub(super) fn has(&self, measurement: &str) -> bool {
        self.columns.contains_key(measurement)
    }
}

/// What a line of a measurement that gets no place becomes. There may be many of them, so the reason has to say it all.
pub(super) fn without_measurement(line: RejectedLine) -> RejectedLine {
    RejectedLine {
        reason: Reason::TooManyMeasurements,
        ..line
    }
}

/// What a line with a column that gets no place becomes.
pub(super) fn without_column(line: RejectedLine) -> RejectedLine {
    RejectedLine {
        reason: Reason::TooManyColumns,
        ..line
    }
}
