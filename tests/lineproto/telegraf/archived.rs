//! What stands in an archive's Parquet files, as metrics: read with the parquet crate by what `docs/FORMAT.md` says, without a
//! line of diurnal's.

use std::fs::{self, File};
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray as _, StringArray};
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::metric::Metric;
use crate::lineproto::reference::Value;

/// All rows of an archive in order of time, their tags and fields in order of their keys.
pub fn metrics(archive: &Path) -> Vec<Metric> {
    let folders = entries(archive).into_iter().filter(|path| !path.ends_with("_diurnal"));
    let mut metrics: Vec<Metric> = folders
        .flat_map(|folder| entries(&folder))
        .filter(|path| path.extension().is_some_and(|extension| extension == "parquet"))
        .flat_map(|path| rows(&path))
        .map(Metric::sorted)
        .collect();
    metrics.sort_by_key(|metric| metric.time);
    metrics
}

fn entries(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries.map(|entry| entry.expect("it can be listed").path()).collect()
}

fn rows(path: &Path) -> Vec<Metric> {
    let file = File::open(path).expect("it was listed");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let key_values = reader
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .expect("the file has some");
    let measurement = key_values.iter().find(|pair| pair.key == "diurnal.measurement");
    let measurement = measurement.and_then(|pair| pair.value.clone()).expect("it is named");
    let mut metrics = Vec::new();
    for batch in reader.build().expect("it can be read") {
        let batch = batch.expect("it can be read");
        let times = batch["time"].as_primitive::<TimestampNanosecondType>();
        let first = metrics.len();
        metrics.extend(times.values().iter().map(|&time| Metric::new(&measurement).at(time)));
        let columns = batch.schema_ref().fields().iter().zip(batch.columns()).skip(1);
        for (field, column) in columns {
            for (row, metric) in metrics[first..].iter_mut().enumerate() {
                if !column.is_null(row) {
                    put(metric, field, column, row);
                }
            }
        }
    }
    metrics
}

/// One value; the column's metadata say what it was called in line protocol.
fn put(metric: &mut Metric, field: &Field, column: &ArrayRef, row: usize) {
    let key = field.metadata().get("key").unwrap_or(field.name()).clone();
    let value = match column.data_type() {
        DataType::Dictionary(..) => {
            let dictionary = column.as_dictionary::<Int32Type>();
            let texts = dictionary.downcast_dict::<StringArray>().expect("tags are text");
            assert_eq!(field.metadata()["kind"], "tag", "{field:?}");
            let text = texts.into_iter().nth(row).flatten().expect("it is not null");
            metric.tags.push((key, text.to_owned()));
            return;
        }
        DataType::Float64 => Value::Float(column.as_primitive::<Float64Type>().value(row).to_bits()),
        DataType::Int64 => Value::Int(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt64 => Value::Uint(column.as_primitive::<UInt64Type>().value(row)),
        DataType::Boolean => Value::Boolean(column.as_boolean().value(row)),
        DataType::Utf8 => Value::String(column.as_string::<i32>().value(row).to_owned()),
        other => panic!("{field:?}: {other}"),
    };
    assert_eq!(field.metadata()["kind"], "field", "{field:?}");
    metric.fields.push((key, value));
}
