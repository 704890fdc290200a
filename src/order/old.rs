//! The rows that a day file holds already, as one more part of a merge.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::Int32Type;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::encode::LeafRows;
use crate::error::{Error, Result};
use crate::table::schema::{ColumnKind, MeasurementSchema};
use crate::table::series::{SeriesPart, SeriesSet};
use crate::table::{CHUNK_ROWS, TableBatch};

/// The rows of a day file in the columns of its measurement.
#[derive(Debug)]
pub struct OldDay {
    /// The series of its rows.
    pub series: SeriesSet,
    /// Its rows, one batch a leaf or less.
    pub batches: Vec<TableBatch>,
}

impl OldDay {
    /// Takes the leaves of a day file.
    ///
    /// # Errors
    /// A column that the measurement's schema does not have, or has with another type.
    pub fn new(schema: &MeasurementSchema, leaves: &[LeafRows]) -> Result<Self> {
        let mut series = OldSeries::new(schema);
        let mut batches = Vec::new();
        for leaf in leaves {
            let places = places(schema, leaf)?;
            let numbers = series.number_rows(leaf, &places);
            for start in (0..leaf.times.len()).step_by(CHUNK_ROWS) {
                let len = CHUNK_ROWS.min(leaf.times.len() - start);
                let mut columns: Vec<Option<ArrayRef>> = vec![None; schema.columns.len()];
                for (array, &place) in leaf.columns.iter().zip(&places) {
                    if schema.columns[place].kind == ColumnKind::Field && array.null_count() < array.len() {
                        columns[place] = Some(array.slice(start, len));
                    }
                }
                batches.push(TableBatch {
                    times: leaf.times[start..start + len].to_vec(),
                    ranks: numbers[start..start + len].to_vec(),
                    columns,
                    removed: HashSet::new(),
                });
            }
        }
        let (set, ranks) = series.rank();
        for batch in &mut batches {
            for rank in &mut batch.ranks {
                *rank = ranks[*rank as usize];
            }
        }
        Ok(Self { series: set, batches })
    }
}

/// For each column of the leaf its number in the measurement's schema.
fn places(schema: &MeasurementSchema, leaf: &LeafRows) -> Result<Vec<usize>> {
    leaf.schema
        .columns
        .iter()
        .map(|column| {
            let place = schema.columns.iter().position(|other| other.name == column.name);
            match place {
                Some(place) if (schema.columns[place].kind, schema.columns[place].ty) == (column.kind, column.ty) => {
                    Ok(place)
                }
                _ => Err(Error::new(
                    format_args!("{}.{}", schema.measurement, column.name),
                    "is in a day file with another type than in the archive's schema, or in no schema",
                )
                .hint("run `diurnal verify`: the schema file and the day files are not of one archive")),
            }
        })
        .collect()
}

/// Numbers the series of the rows of a day file by tag values.
struct OldSeries {
    tags: usize,
    values: Vec<Vec<String>>,
    value_numbers: Vec<HashMap<String, u32, RandomState>>,
    numbers: HashMap<Box<[u32]>, u32, RandomState>,
    cells: Vec<u32>,
}

impl OldSeries {
    fn new(schema: &MeasurementSchema) -> Self {
        let tags = schema
            .columns
            .iter()
            .filter(|column| column.kind == ColumnKind::Tag)
            .count();
        Self {
            tags,
            values: vec![Vec::new(); tags],
            value_numbers: vec![HashMap::default(); tags],
            numbers: HashMap::default(),
            cells: Vec::new(),
        }
    }

    /// The number of each row's series. Tags come first in a schema, so a tag column's place is its place among the cells.
    fn number_rows(&mut self, leaf: &LeafRows, places: &[usize]) -> Vec<u32> {
        let mut tags = Vec::new();
        let tag_columns = self.tags;
        for (array, &place) in leaf
            .columns
            .iter()
            .zip(places)
            .filter(|(_, place)| **place < tag_columns)
        {
            let dictionary = array.as_dictionary::<Int32Type>();
            let values = dictionary.values().as_string::<i32>();
            let numbers: Vec<u32> = values
                .iter()
                .map(|value| self.number_value(place, value.unwrap_or_default()))
                .collect();
            tags.push((place, dictionary.keys(), numbers));
        }
        let mut cells = vec![0; self.tags];
        (0..leaf.times.len())
            .map(|row| {
                cells.fill(0);
                for (place, keys, numbers) in &tags {
                    if keys.is_valid(row) {
                        cells[*place] = numbers[keys.value(row) as usize] + 1;
                    }
                }
                self.number_series(&cells)
            })
            .collect()
    }

    fn number_series(&mut self, cells: &[u32]) -> u32 {
        if let Some(&number) = self.numbers.get(cells) {
            return number;
        }
        let number = u32::try_from(self.numbers.len()).expect("a day has fewer series than rows");
        self.numbers.insert(cells.into(), number);
        self.cells.extend_from_slice(cells);
        number
    }

    fn number_value(&mut self, tag: usize, value: &str) -> u32 {
        if let Some(&number) = self.value_numbers[tag].get(value) {
            return number;
        }
        let number = u32::try_from(self.values[tag].len()).expect("a day has fewer tag values than rows");
        self.values[tag].push(value.to_owned());
        self.value_numbers[tag].insert(value.to_owned(), number);
        number
    }

    fn rank(&self) -> (SeriesSet, Vec<u32>) {
        let part = SeriesPart {
            values: self
                .values
                .iter()
                .map(|values| values.iter().map(String::as_str).collect())
                .collect(),
            cells: self.cells.clone(),
            len: self.numbers.len(),
        };
        let (set, mut ranks) = SeriesSet::union(self.tags, &[part]);
        (set, ranks.swap_remove(0))
    }
}
