//! Tables of one measurement and day -> the one table that the day's file holds, and the bytes of that file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::kernels::boolean::or;
use arrow::compute::{cast, is_not_null};
use arrow::datatypes::{DataType, Field, TimeUnit as ArrowTimeUnit, TimestampNanosecondType};
use rayon::prelude::*;

use super::{Table, table_of};
use crate::calendar::{Day, Zone};
use crate::encode::{
    CsvDayWriter, DaySchema, EncodedLeaf, LeafEncoder, LeafRows, ParquetDayWriter, TIME, arrow_type, column_of, kind_of,
};
use crate::error::{Error, Result};
use crate::format::{Formats, TimeUnit};
use crate::order::{DayColumns, LeafSize, OldDay, Slice, SortedRun};
use crate::table::schema::{Column, ColumnKind, ColumnOrigin, ColumnType, MeasurementSchema};
use crate::table::settle::extend_schema;
use crate::table::{SettledTable, convert};

/// How the rows of a day are put together.
#[derive(Clone, Debug)]
pub struct DaySettings {
    /// The measurement that the rows are of.
    pub measurement: String,
    /// Its declared columns, where there are some; those that the tables call declared come to them.
    pub declared: Option<Arc<MeasurementSchema>>,
    /// Columns that are tags, by name, beside those of which the table says so.
    pub tags: BTreeSet<String>,
    /// Whose days are meant.
    pub zone: Zone,
    /// Resolution of `time`.
    pub time_unit: TimeUnit,
}

/// Where the files of a day go, each with what errors call it.
#[derive(Default)]
pub struct DayFiles<'a> {
    /// The bytes of `DAY.parquet`.
    pub parquet: Option<(&'a Path, Box<dyn Write + Send>)>,
    /// The bytes of `DAY.csv`.
    pub csv: Option<(&'a Path, Box<dyn Write + Send>)>,
}

/// Merges tables as an archive merges what it is given, and writes the files that it would have of the day: rows of one point are one row
/// or as many as a field has different values, sorted by time and tags. The order of the tables and of their rows decides nothing, and
/// what is there twice is there once.
///
/// The columns' metadata, as [`record_batches`](super::record_batches) gives it and as it stands in day files, says which are tags. Where it is
/// gone, tags are those that are declared or in [`DaySettings::tags`], and dictionaries of text. Order of columns and types of Arrow that
/// hold the same values are no matter: text of any kind, smaller integers and floats, times in any unit. A field of several types gets one by the rule for lines: the first present of float, int,
/// uint, boolean, string.
///
/// The table that it gives is in one record batch a row group of the file.
///
/// # Errors
/// No row at all, or rows of two days. A table without `time`, a row without time or without any field. A column that is no tag and no field,
/// a value that its column's type can't hold. Writing fails.
pub fn merge_day(tables: &[Table], settings: &DaySettings, files: DayFiles<'_>) -> Result<Table> {
    let columns = ColumnsOfAll::new(tables, settings)?;
    let (first, last) = columns.span(tables)?;
    let day = settings.zone.day_of(first);
    if settings.zone.day_of(last) != day {
        let last = settings.zone.day_of(last);
        let cause = format_args!("has rows of {day} and of {last}, and a file has one day");
        return Err(
            Error::new(&settings.measurement, cause).hint("give the rows of one day, and the archive's time zone")
        );
    }
    let leaves: Vec<LeafRows> = tables
        .par_iter()
        .zip(&columns.places)
        .flat_map(|(table, places)| table.batches.par_iter().map(|batch| columns.rows(batch, places)))
        .collect::<Result<_>>()?;
    let old = OldDay::new(&columns.schema, &leaves)?;
    drop(leaves);
    write(&columns, &old, day, settings, files)
}

fn write(columns: &ColumnsOfAll, old: &OldDay, day: Day, settings: &DaySettings, files: DayFiles<'_>) -> Result<Table> {
    let occurs: Vec<bool> = (0..columns.schema.columns.len())
        .map(|number| match columns.schema.columns[number].kind {
            ColumnKind::Tag => !old.series.values(number).is_empty(),
            ColumnKind::Field => old.batches.iter().any(|batch| batch.columns[number].is_some()),
        })
        .collect();
    let day_columns = DayColumns::occurring(&columns.schema, &[], |number| occurs[number], settings.time_unit);
    // The rows come as those of a file, to which nothing is new.
    let nothing = SettledTable::without_rows(Arc::clone(&columns.schema));
    let (first, end) = settings.zone.bounds(day);
    let run = SortedRun::merge(&nothing, Some(old), Vec::new(), &day_columns, Slice::of_day(first..end))?;
    let schema = day_columns.schema();
    let leaves = run.leaves(LeafSize::default().limit(1 + schema.columns.len()));

    let formats = Formats {
        parquet: files.parquet.is_some(),
        csv: files.csv.is_some(),
    };
    if formats.parquet || formats.csv {
        let encoder = LeafEncoder::new(Arc::clone(schema), formats)?;
        let mut writer = Writer::new(schema, files)?;
        // As many as keep all threads busy, so that not all are in memory as bytes.
        let at_once = 2 * rayon::current_num_threads();
        for (group, leaves) in leaves.chunks(at_once).enumerate() {
            let encode = |(place, rows): (usize, &std::ops::Range<usize>)| {
                encoder.encode(group * at_once + place, &run.leaf(rows.clone())?)
            };
            let encoded: Vec<EncodedLeaf> = leaves.par_iter().enumerate().map(encode).collect::<Result<_>>()?;
            encoded.into_iter().try_for_each(|leaf| writer.append(leaf))?;
        }
        writer.finish()?;
    }
    table_of(&run, &leaves)
}

/// The files that are being written.
struct Writer {
    parquet: Option<ParquetDayWriter<Box<dyn Write + Send>>>,
    csv: Option<CsvDayWriter<Box<dyn Write + Send>>>,
}

impl Writer {
    fn new(schema: &DaySchema, files: DayFiles<'_>) -> Result<Self> {
        let parquet = files
            .parquet
            .map(|(path, out)| ParquetDayWriter::new(out, path, schema));
        let csv = files.csv.map(|(path, out)| CsvDayWriter::new(out, path, schema));
        Ok(Self {
            parquet: parquet.transpose()?,
            csv: csv.transpose()?,
        })
    }

    fn append(&mut self, leaf: EncodedLeaf) -> Result<()> {
        if let (Some(writer), Some(chunks)) = (&mut self.parquet, leaf.parquet) {
            writer.append(chunks)?;
        }
        if let (Some(writer), Some(text)) = (&mut self.csv, leaf.csv) {
            writer.append(&text)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        if let Some(writer) = self.parquet {
            writer
                .finish()?
                .out
                .flush()
                .map_err(|error| Error::new("the Parquet file", error))?;
        }
        if let Some(writer) = self.csv {
            writer.finish()?;
        }
        Ok(())
    }
}

/// The columns of all tables together, and which of them each table's are.
struct ColumnsOfAll {
    schema: Arc<MeasurementSchema>,
    /// For each table the number of its `time`, and for each of its other columns its number and that among the schema's.
    places: Vec<Places>,
    time_unit: TimeUnit,
}

struct Places {
    time: usize,
    columns: Vec<(usize, usize)>,
}

impl ColumnsOfAll {
    fn new(tables: &[Table], settings: &DaySettings) -> Result<Self> {
        let measurement = &settings.measurement;
        let mut known = match &settings.declared {
            Some(declared) => MeasurementSchema::clone(declared),
            None => MeasurementSchema {
                measurement: measurement.clone(),
                ..MeasurementSchema::default()
            },
        };
        let described: Vec<Vec<(usize, Column)>> = tables
            .iter()
            .map(|table| describe(table, &known, settings))
            .collect::<Result<_>>()?;
        let all = || described.iter().flatten().map(|(_, column)| column);
        for column in all().filter(|column| column.origin == ColumnOrigin::Declared) {
            if known.column_of(&column.key, column.kind).is_none() {
                known.columns.push(column.clone());
            }
        }
        known.sort_columns();
        let learned = || all().filter(|column| known.column_of(&column.key, column.kind).is_none());
        let of_kind = |kind| learned().filter(move |column| column.kind == kind);
        let tags: BTreeSet<String> = of_kind(ColumnKind::Tag).map(|column| column.key.clone()).collect();
        let mut fields: BTreeMap<String, ColumnType> = BTreeMap::new();
        for column in of_kind(ColumnKind::Field) {
            // `ColumnType` is declared in the order of precedence.
            let ty = fields.entry(column.key.clone()).or_insert(column.ty);
            *ty = column.ty.min(*ty);
        }
        let schema = Arc::new(extend_schema(measurement, Some(&known), &tags, &fields));
        let numbers: HashMap<(ColumnKind, &str), usize> = (0..)
            .zip(&schema.columns)
            .map(|(number, column)| ((column.kind, column.key.as_str()), number))
            .collect();
        let places = tables.iter().zip(&described).map(|(table, columns)| {
            let place = |(at, column): &(usize, Column)| (*at, numbers[&(column.kind, column.key.as_str())]);
            let columns: Vec<(usize, usize)> = columns.iter().map(place).collect();
            let mut taken: Vec<usize> = columns.iter().map(|(_, number)| *number).collect();
            taken.sort_unstable();
            if let Some(twice) = taken.windows(2).find(|pair| pair[0] == pair[1]) {
                let column = &schema.columns[twice[0]].name;
                return Err(Error::new(
                    format_args!("{measurement}.{column}"),
                    "is in a table twice",
                ));
            }
            let time = table
                .schema
                .index_of(TIME)
                .map_err(|_| Error::new(measurement, "a table has no column `time`"))?;
            Ok(Places { time, columns })
        });
        Ok(Self {
            places: places.collect::<Result<_>>()?,
            schema: Arc::clone(&schema),
            time_unit: settings.time_unit,
        })
    }

    /// The first and the last time of all rows.
    fn span(&self, tables: &[Table]) -> Result<(i64, i64)> {
        let mut span = None;
        for (table, places) in tables.iter().zip(&self.places) {
            for batch in &table.batches {
                for time in self.times(batch, places.time)? {
                    if self.time_unit == TimeUnit::Us && time % 1_000 != 0 {
                        let cause = format_args!("{time} ns since 1970 is no whole microsecond");
                        return Err(Error::new(format_args!("{}.{TIME}", self.schema.measurement), cause));
                    }
                    let (first, last) = span.unwrap_or((time, time));
                    span = Some((first.min(time), last.max(time)));
                }
            }
        }
        span.ok_or_else(|| Error::new(&self.schema.measurement, "there are no rows, so there is no day"))
    }

    fn times(&self, batch: &RecordBatch, place: usize) -> Result<Vec<i64>> {
        let fail = |cause: &str| Err(Error::new(format_args!("{}.{TIME}", self.schema.measurement), cause));
        let array = batch.column(place);
        if !matches!(array.data_type(), DataType::Timestamp(..)) {
            return fail(&format!("is {}, not a timestamp", array.data_type()));
        }
        if array.null_count() > 0 {
            return fail("is null in a row");
        }
        // With a zone it is an instant all the same.
        match cast(array, &DataType::Timestamp(ArrowTimeUnit::Nanosecond, None)) {
            Ok(times) if times.null_count() == 0 => {
                Ok(times.as_primitive::<TimestampNanosecondType>().values().to_vec())
            }
            _ => fail("has a time that 64 bits of nanoseconds do not hold"),
        }
    }

    /// The rows of a batch in the columns of all tables.
    fn rows(&self, batch: &RecordBatch, places: &Places) -> Result<LeafRows> {
        let times = self.times(batch, places.time)?;
        let mut has_field = BooleanArray::from(vec![false; times.len()]);
        let mut columns = Vec::with_capacity(places.columns.len());
        let mut described = Vec::with_capacity(places.columns.len());
        for &(at, number) in &places.columns {
            let column = &self.schema.columns[number];
            let array = self.values(batch.column(at), column)?;
            if column.kind == ColumnKind::Field {
                let here = is_not_null(&array).and_then(|here| or(&has_field, &here));
                has_field = here.map_err(|error| Error::new(&self.schema.measurement, error))?;
            }
            columns.push(array);
            described.push(column.clone());
        }
        if let Some(row) = has_field.iter().position(|here| here != Some(true)) {
            let cause = format_args!("the row at {} ns since 1970 has no field", times[row]);
            return Err(
                Error::new(&self.schema.measurement, cause).hint("a point has one field at least; drop such rows")
            );
        }
        let schema = DaySchema {
            measurement: self.schema.measurement.clone(),
            columns: described,
            time_unit: TimeUnit::Ns,
        };
        Ok(LeafRows {
            schema: Arc::new(schema),
            times,
            columns,
        })
    }

    fn values(&self, array: &ArrayRef, column: &Column) -> Result<ArrayRef> {
        let fail = |cause: &dyn std::fmt::Display| {
            Error::new(format_args!("{}.{}", self.schema.measurement, column.name), cause)
        };
        let of_ours = match column.kind {
            // Without a dictionary first: ours has no null and no value twice.
            ColumnKind::Tag => cast(array, &DataType::Utf8).and_then(|text| cast(&text, &arrow_type(column))),
            ColumnKind::Field => match field_type(array.data_type()) {
                Some(ty) => cast(array, &ty.arrow()),
                None => unreachable!("a column of no field's type was refused"),
            },
        };
        let array = of_ours.map_err(|error| fail(&error))?;
        if column.kind == ColumnKind::Tag || *array.data_type() == column.ty.arrow() {
            return Ok(array);
        }
        convert(&array, column.ty).map_err(|unfit| fail(&format!("is {}, a row has {}", column.ty, unfit.value)))
    }
}

/// The columns of a table beside `time`, with their places in it. One that is null in every row says nothing.
fn describe(table: &Table, known: &MeasurementSchema, settings: &DaySettings) -> Result<Vec<(usize, Column)>> {
    let says_something = |at: usize| {
        let columns = table.batches.iter().map(|batch| batch.column(at));
        columns
            .into_iter()
            .any(|column| column.logical_null_count() < column.len())
    };
    let describe = |(at, field): (usize, &Arc<Field>)| {
        let fail = |cause: &str| {
            let object = format_args!("{}.{}", settings.measurement, field.name());
            Err(Error::new(object, format_args!("is {}{cause}", field.data_type())))
        };
        let kind = kind_in(field, known, settings);
        let ty = match (kind, field_type(field.data_type())) {
            (ColumnKind::Field, Some(ty)) => ty,
            (ColumnKind::Field, None) => return fail(", which no field is"),
            (ColumnKind::Tag, Some(ColumnType::String)) => ColumnType::String,
            (ColumnKind::Tag, _) => return fail(", and a tag is text"),
        };
        Ok((at, column_of(field, kind, ty)))
    };
    let fields = table.schema.fields().iter().enumerate();
    fields
        .filter(|(at, field)| field.name() != TIME && says_something(*at))
        .map(describe)
        .collect()
}

/// What a column is: what its metadata, then the caller, then the declared column of its name says; else a dictionary is a tag.
fn kind_in(field: &Field, known: &MeasurementSchema, settings: &DaySettings) -> ColumnKind {
    let declared = || known.columns.iter().find(|column| column.name == *field.name());
    match kind_of(field) {
        Some(kind) => kind,
        None if settings.tags.contains(field.name()) => ColumnKind::Tag,
        None => match declared() {
            Some(column) => column.kind,
            None if matches!(field.data_type(), DataType::Dictionary(..)) => ColumnKind::Tag,
            None => ColumnKind::Field,
        },
    }
}

fn is_text(ty: &DataType) -> bool {
    match ty {
        DataType::Dictionary(_, values) => is_text(values),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        _ => false,
    }
}

/// The type of a field whose values are of this type of Arrow.
fn field_type(ty: &DataType) -> Option<ColumnType> {
    Some(match ty {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => ColumnType::Float,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => ColumnType::Int,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => ColumnType::Uint,
        DataType::Boolean => ColumnType::Boolean,
        ty if is_text(ty) => ColumnType::String,
        _ => return None,
    })
}
