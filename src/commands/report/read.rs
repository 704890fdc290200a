//! The rows of the days that a report shows, read leaf by leaf: no more of the archive is in memory at a time.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int32Array, StringArray};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, UInt64Type};
use rayon::prelude::*;

use super::super::day_file::{DayContext, RecordedDay};
use crate::calendar::{DayFinder, Zone};
use crate::encode::LeafRows;
use crate::error::Result;
use crate::order::LeafSize;
use crate::report::html::{Field, FinishedPlot, Grid, HOST, Plot, SeriesTags};
use crate::store::Archive;
use crate::store::record::DayEntry;
use crate::table::schema::{Column, ColumnKind, MeasurementSchema};

/// The fields over `time`, in their order.
///
/// # Errors
/// A day file that is missing, damaged, or not the one on record.
pub fn plots(
    archive: &Archive,
    schemas: &BTreeMap<String, Arc<MeasurementSchema>>,
    fields: Vec<Field>,
    time: &Range<i64>,
    zone: Zone,
) -> Result<Vec<FinishedPlot>> {
    let grid = Grid::new(time, zone.offset_at(time.start));
    let settings = archive.settings();
    let context = DayContext {
        locate: &|target| archive.locate(target),
        zone,
        time_unit: settings.time_unit,
        formats: settings.formats,
        leaf_size: LeafSize::default(),
        // It only reads.
        memory: 0,
        work: None,
    };
    let mut by_measurement: BTreeMap<String, Vec<(usize, Plot)>> = BTreeMap::new();
    for (place, field) in fields.into_iter().enumerate() {
        let of_measurement = by_measurement.entry(field.measurement.clone()).or_default();
        of_measurement.push((place, Plot::new(field, grid)));
    }
    let read = by_measurement.into_par_iter().map(|(measurement, mut plots)| {
        let Some(schema) = schemas.get(&measurement) else {
            return Ok(plots);
        };
        let days = archive
            .state()
            .days
            .values()
            .filter(|day| day.measurement == measurement);
        for entry in days.filter(|day| day.has_file() && overlaps(day.first, day.last, time)) {
            add_day(context, schema, entry, time, &mut plots)?;
            entry.paths().for_each(|path| archive.release(path));
        }
        Ok(plots)
    });
    let mut plots: Vec<(usize, Plot)> = read.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    plots.sort_by_key(|(place, _)| *place);
    Ok(plots.into_iter().map(|(_, plot)| plot.finish(zone)).collect())
}

fn overlaps(first: i64, last: i64, time: &Range<i64>) -> bool {
    first < time.end && last >= time.start
}

fn add_day(
    context: DayContext<'_>,
    schema: &MeasurementSchema,
    entry: &DayEntry,
    time: &Range<i64>,
    plots: &mut [(usize, Plot)],
) -> Result<()> {
    let day = RecordedDay::open(context, schema, entry)?;
    let wanted: Vec<String> = plots.iter().map(|(_, plot)| plot.field.column.clone()).collect();
    let keep = |column: &Column| column.kind == ColumnKind::Tag || wanted.contains(&column.name);
    let time = i128::from(time.start)..i128::from(time.end);
    let mut days = DayFinder::new(context.zone);
    for (index, leaf) in entry.leaves.iter().enumerate() {
        if i128::from(leaf.last) < time.start || i128::from(leaf.first) >= time.end {
            continue;
        }
        let rows = day.rows_with(context, index, keep)?.within(&time);
        let series = LeafSeries::of(&rows);
        for (_, plot) in plots.iter_mut() {
            add_leaf(&rows, &series, plot, &mut days);
        }
    }
    Ok(())
}

/// Which rows of a leaf are of one series.
struct LeafSeries {
    /// A number for each row.
    of_row: Vec<usize>,
    /// The tags of each number.
    tags: Vec<SeriesTags>,
}

impl LeafSeries {
    fn of(rows: &LeafRows) -> Self {
        let columns = rows.schema.columns.iter().zip(&rows.columns);
        let mut columns: Vec<(&str, &Int32Array, &StringArray)> = columns
            .filter(|(column, _)| column.kind == ColumnKind::Tag)
            .filter_map(|(column, values)| {
                let dictionary = values.as_dictionary_opt::<Int32Type>()?;
                let texts = dictionary.values().as_string_opt::<i32>()?;
                Some((column.key.as_str(), dictionary.keys(), texts))
            })
            .collect();
        // Series are told, and chosen by, their host.
        columns.sort_by_key(|(key, ..)| *key != HOST);
        let mut numbers: HashMap<Vec<i32>, usize> = HashMap::new();
        let mut tags = Vec::new();
        let mut values = Vec::with_capacity(columns.len());
        let of_row = (0..rows.times.len()).map(|row| {
            values.clear();
            let key = |keys: &Int32Array| if keys.is_null(row) { -1 } else { keys.value(row) };
            values.extend(columns.iter().map(|(_, keys, _)| key(keys)));
            if let Some(number) = numbers.get(&values) {
                return *number;
            }
            let present = columns.iter().filter(|(_, keys, _)| !keys.is_null(row));
            let pairs = present.map(|(key, keys, texts)| {
                let text = texts.value(usize::try_from(keys.value(row)).unwrap_or_default());
                ((*key).to_owned(), text.to_owned())
            });
            tags.push(SeriesTags(pairs.collect()));
            numbers.insert(values.clone(), tags.len() - 1);
            tags.len() - 1
        });
        let of_row = of_row.collect();
        Self { of_row, tags }
    }
}

/// Where the values of a series go, as far as a leaf has come.
#[derive(Clone, Copy)]
enum Place {
    Unknown,
    At(usize),
    Nowhere,
}

fn add_leaf(rows: &LeafRows, series: &LeafSeries, plot: &mut Plot, days: &mut DayFinder) {
    let Some(column) = rows
        .schema
        .columns
        .iter()
        .position(|column| column.name == plot.field.column)
    else {
        return;
    };
    let values = &rows.columns[column];
    let Some(value_of) = numbers(values) else {
        return;
    };
    let is_wanted = |tags: &SeriesTags, only: &Option<(String, String)>| match only {
        Some(pair) => tags.0.contains(pair),
        None => true,
    };
    let mut places = vec![Place::Unknown; series.tags.len()];
    for (row, (&time, &number)) in rows.times.iter().zip(&series.of_row).enumerate() {
        if values.is_null(row) {
            continue;
        }
        if let Place::Unknown = places[number] {
            let tags = &series.tags[number];
            let place = match is_wanted(tags, &plot.field.only) {
                true => plot.place_of(tags.clone()),
                false => None,
            };
            places[number] = place.map_or(Place::Nowhere, Place::At);
        }
        if let Place::At(place) = places[number] {
            plot.push(place, time, days.day_of(time), value_of(row));
        }
    }
}

/// The numbers of a column; whole ones beyond 2^53 become the nearest float.
fn numbers(values: &dyn Array) -> Option<Box<dyn Fn(usize) -> f64 + '_>> {
    match values.data_type() {
        DataType::Float64 => {
            let floats = values.as_primitive::<Float64Type>();
            Some(Box::new(|row| floats.value(row)))
        }
        DataType::Int64 => {
            let integers = values.as_primitive::<Int64Type>();
            Some(Box::new(|row| integers.value(row) as f64))
        }
        DataType::UInt64 => {
            let integers = values.as_primitive::<UInt64Type>();
            Some(Box::new(|row| integers.value(row) as f64))
        }
        _ => None,
    }
}
