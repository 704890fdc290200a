//! What the collectors of a commit saw, put together: columns get names and types from the set of values, and what does not fit is
//! rejected. The outcome follows from the set of lines, not from who saw which first.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, UInt64Array};
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::{Float64Type, Int64Type, UInt64Type};

use super::collected::{Collected, CollectedTable, LocalColumn};
use super::names::TakenNames;
use super::open_columns::{LearnedTypes, OpenColumns, learn};
use super::reject::RejectedLine;
use super::room::{Excess, Room, without_column};
use super::schema::{Column, ColumnKind, ColumnOrigin, ColumnType, MeasurementSchema};
use super::series::{SeriesPart, SeriesSet};

/// Rows of one measurement in settled columns; in the order they came, not sorted yet.
#[derive(Clone, Debug)]
pub struct TableBatch {
    /// Nanoseconds since 1970-01-01 UTC.
    pub times: Vec<i64>,
    /// Each row's series as its rank in the table's [`SeriesSet`].
    pub ranks: Vec<u32>,
    /// One entry a column of the schema; `None` for tags and for columns that no row of the batch has.
    pub columns: Vec<Option<ArrayRef>>,
    /// Rows that are none: rejected when the table was settled.
    pub removed: HashSet<usize>,
}

/// All rows of one measurement in a commit.
#[derive(Clone, Debug)]
pub struct SettledTable {
    /// Its columns, those that are new in this commit included.
    pub schema: Arc<MeasurementSchema>,
    /// The distinct series of its rows, ranked.
    pub series: SeriesSet,
    /// Its rows, not sorted.
    pub batches: Vec<TableBatch>,
}

impl SettledTable {
    /// No row: what old rows are merged with to which nothing is new.
    pub fn without_rows(schema: Arc<MeasurementSchema>) -> Self {
        let tags = schema.columns.iter().filter(|column| column.kind == ColumnKind::Tag);
        Self {
            series: SeriesSet::union(tags.count(), &[]).0,
            batches: Vec::new(),
            schema,
        }
    }
}

/// Everything that a commit is going to archive or reject.
#[derive(Debug, Default)]
pub struct Settled {
    /// By measurement, ascending.
    pub tables: Vec<SettledTable>,
    /// The collectors' rejects, and lines that turned out not to fit their column.
    pub rejects: Vec<RejectedLine>,
    /// Lines parsed, rejected ones included.
    pub lines: u64,
}

/// Settles what all collectors of a commit hold.
pub fn settle(collected: Vec<Collected>) -> Settled {
    let mut settled = Settled::default();
    let mut by_name: BTreeMap<String, Vec<CollectedTable>> = BTreeMap::new();
    let mut room = Room::default();
    for part in collected {
        room = part.room;
        settled.lines += part.lines;
        settled.rejects.extend(part.rejects);
        for table in part.tables {
            by_name.entry(table.measurement.clone()).or_default().push(table);
        }
    }
    let is_new = |tables: &[CollectedTable]| {
        tables.iter().all(|table| table.known.is_none()) && tables.iter().any(CollectedTable::has_rows)
    };
    let new = by_name.iter().filter(|(_, tables)| is_new(tables));
    let mut new = new.map(|(measurement, _)| measurement.clone()).collect();
    let excess = room.without_place(&mut new);
    for (measurement, mut tables) in by_name {
        if excess.contains(&measurement) {
            settled.rejects.extend(tables.iter().flat_map(CollectedTable::rejected));
            continue;
        }
        let columns_before = tables
            .iter()
            .find_map(|table| table.known.as_ref())
            .map_or(0, |known| known.columns.len());
        let (table, late) = settle_table(&measurement, &mut tables, room);
        settled.rejects.extend(late);
        // Types that were learned hold from now on, even if no line fitted all of them: the same lines give the same
        // rejects when they come again.
        let learned = table.schema.columns.len() > columns_before;
        if learned
            || table
                .batches
                .iter()
                .any(|batch| batch.removed.len() < batch.times.len())
        {
            settled.tables.push(table);
        }
    }
    settled
}

fn settle_table(measurement: &str, tables: &mut [CollectedTable], room: Room) -> (SettledTable, Vec<RejectedLine>) {
    let known = tables.iter().find_map(|table| table.known.clone());
    let most = tables.iter().map(CollectedTable::most_new_columns).sum();
    let new = tables.iter().map(CollectedTable::new_columns);
    let admitted = room.admitted(known.as_deref(), Some(most), new);
    let types = match &admitted {
        Some(admitted) => admitted.fields(),
        None => learned_types(tables),
    };
    let mut rejects = Vec::new();
    let removed: Vec<Vec<HashSet<usize>>> = tables
        .iter()
        .map(|table| {
            let excess = admitted.as_ref().map(|admitted| {
                let excess = Excess::new(&table.columns, &table.tag_keys, known.as_deref(), admitted);
                excess.rows_of_table(table)
            });
            reject_rows(measurement, table, excess, &types, &mut rejects)
        })
        .collect();
    let used: Vec<Vec<bool>> = tables
        .iter()
        .zip(&removed)
        .map(|(table, removed)| used_series(table, removed))
        .collect();

    let tags = match &admitted {
        Some(admitted) => admitted.tags(),
        None => tag_keys(tables, &used),
    };
    let schema = Arc::new(extend_schema(measurement, known.as_deref(), &tags, &types));
    let (series, ranks) = rank_series(&schema, tables, &used);
    let batches = tables
        .iter_mut()
        .zip(ranks)
        .zip(removed)
        .flat_map(|((table, ranks), removed)| settle_rows(&schema, table, &ranks, removed))
        .collect();
    let table = SettledTable {
        schema,
        series,
        batches,
    };
    (table, rejects)
}

/// The type of each key that is not settled yet: the first present of float, int, uint, boolean, string.
///
/// Lines that are rejected for another column count as well: what the commit saw settles its columns, so that lines that come
/// again meet the same columns and have the same fate.
fn learned_types(tables: &[CollectedTable]) -> LearnedTypes {
    let mut types = LearnedTypes::new();
    for table in tables {
        let chunks = table.chunks.iter();
        let present = chunks.flat_map(|chunk| chunk.columns.iter().map(|(number, _)| *number));
        learn(&mut types, &table.columns, present.collect());
    }
    types
}

/// Takes out the rows with a column that gets no place (`excess`: by chunk), and those with a value that its column's type can't hold;
/// for each chunk the places of such rows.
fn reject_rows(
    measurement: &str,
    table: &CollectedTable,
    excess: Option<Vec<HashSet<usize>>>,
    types: &LearnedTypes,
    rejects: &mut Vec<RejectedLine>,
) -> Vec<HashSet<usize>> {
    let open = OpenColumns::new(measurement, &table.columns, types);
    if excess.is_none() && open.is_empty() {
        return vec![HashSet::new(); table.chunks.len()];
    }
    let mut removed = excess.unwrap_or_else(|| vec![HashSet::new(); table.chunks.len()]);
    for ((chunk, row), reject) in table.kept.iter() {
        if removed[chunk].contains(&row) {
            rejects.push(without_column(reject()));
        } else if let Some(misfit) = open.misfit(&table.chunks[chunk], row) {
            rejects.push(misfit.reject(reject()));
            removed[chunk].insert(row);
        }
    }
    removed
}

/// Which of a table's series have a row that stays.
fn used_series(table: &CollectedTable, removed: &[HashSet<usize>]) -> Vec<bool> {
    let mut used = vec![false; table.series.len()];
    for (chunk, removed) in table.chunks.iter().zip(removed) {
        for (row, &series) in chunk.series.iter().enumerate() {
            used[series as usize] |= removed.is_empty() || !removed.contains(&row);
        }
    }
    used
}

fn tag_keys(tables: &[CollectedTable], used: &[Vec<bool>]) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for (table, used) in tables.iter().zip(used) {
        let mut seen = vec![false; table.tag_keys.len()];
        for (tags, _) in table.series.iter().zip(used).filter(|(_, used)| **used) {
            for &(key, _) in tags {
                seen[key as usize] = true;
            }
        }
        let present = table.tag_keys.iter().zip(seen).filter(|(_, seen)| *seen);
        keys.extend(present.map(|(key, _)| key.clone()));
    }
    keys
}

/// The schema with new columns named and put in their places.
pub(crate) fn extend_schema(
    measurement: &str,
    known: Option<&MeasurementSchema>,
    tags: &BTreeSet<String>,
    fields: &BTreeMap<String, ColumnType>,
) -> MeasurementSchema {
    let mut schema = known.cloned().unwrap_or_else(|| MeasurementSchema {
        measurement: measurement.to_owned(),
        ..MeasurementSchema::default()
    });
    let mut names = TakenNames::new(schema.columns.iter().map(|column| column.name.as_str()));
    let there = [ColumnKind::Tag, ColumnKind::Field].map(|kind| known.map(|known| known.places_of(kind)));
    let new_tags = tags.iter().map(|key| (key, ColumnKind::Tag, ColumnType::String));
    let new_fields = fields.iter().map(|(key, ty)| (key, ColumnKind::Field, *ty));
    for (key, kind, ty) in new_tags.chain(new_fields) {
        let there = &there[usize::from(kind == ColumnKind::Field)];
        if there.as_ref().is_none_or(|there| !there.contains_key(key.as_str())) {
            schema.columns.push(Column {
                name: names.take(key, kind),
                key: key.clone(),
                kind,
                ty,
                origin: ColumnOrigin::Learned,
                unit: None,
                description: None,
            });
        }
    }
    schema.sort_columns();
    schema
}

fn rank_series(
    schema: &MeasurementSchema,
    tables: &[CollectedTable],
    used: &[Vec<bool>],
) -> (SeriesSet, Vec<Vec<u32>>) {
    // Tags are the first columns.
    let tag_columns = schema.places_of(ColumnKind::Tag);
    let parts: Vec<SeriesPart<'_>> = tables
        .iter()
        .zip(used)
        .map(|(table, used)| {
            let place: Vec<Option<usize>> = table
                .tag_keys
                .iter()
                .map(|key| tag_columns.get(key.as_str()).copied())
                .collect();
            let mut values = vec![Vec::new(); tag_columns.len()];
            for (place, tag_values) in place.iter().zip(&table.tag_values) {
                if let Some(place) = *place {
                    values[place] = tag_values.iter().map(String::as_str).collect();
                }
            }
            let mut cells = Vec::with_capacity(table.series.len() * tag_columns.len());
            for (tags, _) in table.series.iter().zip(used).filter(|(_, used)| **used) {
                let start = cells.len();
                cells.resize(start + tag_columns.len(), 0);
                for &(key, value) in tags {
                    let place = place[key as usize].expect("every tag of a series in use got a column");
                    cells[start + place] = value + 1;
                }
            }
            let len = used.iter().filter(|used| **used).count();
            SeriesPart { values, cells, len }
        })
        .collect();
    let (set, ranks) = SeriesSet::union(tag_columns.len(), &parts);
    let by_series = ranks
        .into_iter()
        .zip(used)
        .map(|(ranks, used)| {
            let mut ranks = ranks.into_iter();
            // A series without rows needs no rank; nothing will look at this 0.
            used.iter()
                .map(|used| if *used { ranks.next().unwrap_or(0) } else { 0 })
                .collect()
        })
        .collect();
    (set, by_series)
}

fn settle_rows(
    schema: &MeasurementSchema,
    table: &mut CollectedTable,
    ranks: &[u32],
    removed: Vec<HashSet<usize>>,
) -> Vec<TableBatch> {
    let places = places(schema, &table.columns);
    std::mem::take(&mut table.chunks)
        .into_iter()
        .zip(removed)
        .map(|(chunk, removed)| TableBatch {
            ranks: chunk.series.iter().map(|&series| ranks[series as usize]).collect(),
            times: chunk.times,
            columns: settled_columns(schema, &places, chunk.columns),
            removed,
        })
        .collect()
}

/// The place of each local column in the schema. Every field that has a value got one.
pub(super) fn places(schema: &MeasurementSchema, columns: &[LocalColumn]) -> Vec<Option<usize>> {
    let places = schema.places_of(ColumnKind::Field);
    columns
        .iter()
        .map(|column| places.get(column.key.as_str()).copied())
        .collect()
}

/// Arrays of local columns as those of the schema, `None` where there is none.
pub(super) fn settled_columns(
    schema: &MeasurementSchema,
    places: &[Option<usize>],
    local: Vec<(u32, ArrayRef)>,
) -> Vec<Option<ArrayRef>> {
    let mut columns: Vec<Option<ArrayRef>> = vec![None; schema.columns.len()];
    for (number, array) in local {
        if let Some(place) = places[number as usize] {
            let array = convert(array, schema.columns[place].ty);
            columns[place] = Some(match columns[place].take() {
                None => array,
                Some(other) => either(&other, &array),
            });
        }
    }
    columns
}

/// The array in its column's type. Values that do not fit are in rows that were removed; theirs does not matter.
fn convert(array: ArrayRef, ty: ColumnType) -> ArrayRef {
    if let Some(v) = array.as_any().downcast_ref::<Int64Array>() {
        match ty {
            ColumnType::Float => Arc::new(v.unary::<_, Float64Type>(|v| v as f64)),
            ColumnType::Uint => Arc::new(v.unary::<_, UInt64Type>(|v| v as u64)),
            ColumnType::Int => array,
            _ => all_null(array.len(), ty),
        }
    } else if let Some(v) = array.as_any().downcast_ref::<UInt64Array>() {
        match ty {
            ColumnType::Float => Arc::new(v.unary::<_, Float64Type>(|v| v as f64)),
            ColumnType::Int => Arc::new(v.unary::<_, Int64Type>(|v| v as i64)),
            ColumnType::Uint => array,
            _ => all_null(array.len(), ty),
        }
    } else if *array.data_type() == ty.arrow() {
        array
    } else {
        all_null(array.len(), ty)
    }
}

fn all_null(len: usize, ty: ColumnType) -> ArrayRef {
    match ty {
        ColumnType::Float => Arc::new(Float64Array::new_null(len)),
        ColumnType::Int => Arc::new(Int64Array::new_null(len)),
        ColumnType::Uint => Arc::new(UInt64Array::new_null(len)),
        ColumnType::Boolean => Arc::new(BooleanArray::new_null(len)),
        ColumnType::String => Arc::new(StringArray::new_null(len)),
    }
}

/// Two arrays of one type of which at most one has a value in any row.
fn either(a: &ArrayRef, b: &ArrayRef) -> ArrayRef {
    let from_a = BooleanArray::from((0..a.len()).map(|row| a.is_valid(row)).collect::<Vec<_>>());
    zip(&from_a, a, b).expect("both arrays have the column's type and the chunk's length")
}
