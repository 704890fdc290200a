//! Line protocol -> tables.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_pyarrow::{IntoPyArrow as _, Table as ArrowTable};
use diurnal::batches::Table;
use diurnal::batches::read::{Input, ReadSettings, read_tables};
use diurnal::error::Error;
use diurnal::format::TimeUnit;
use diurnal::lineproto::Precision;
use diurnal::source::Origin;
use diurnal::source::files::is_compressed;
use diurnal::table::schema::MeasurementSchema;
use diurnal::table::{CollectSettings, RejectedLine, schema_file};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use crate::error::Failure;
use crate::stream::{PyRead, Raised};

/// How long a signal may wait to be seen, Ctrl-C among them.
const LOOK_UP: Duration = Duration::from_millis(50);

/// What is read.
#[derive(FromPyObject)]
pub enum Source<'py> {
    Bytes(PyBackedBytes),
    Path(PathBuf),
    File(Bound<'py, PyAny>),
}

/// `diurnal.read_line_protocol` after its arguments were checked: tables by measurement, rejects as tuples in the order of `diurnal.Reject`,
/// and (lines, points, folded, conflicts).
#[pyfunction]
#[pyo3(signature = (source, name, precision, default_time, schemas, time_unit, threads))]
#[allow(clippy::too_many_arguments)] // `diurnal/_read.py` is the one caller, and has names for them.
pub fn read<'py>(
    py: Python<'py>,
    source: Source<'py>,
    name: &str,
    precision: &str,
    default_time: Option<i64>,
    schemas: Option<PathBuf>,
    time_unit: &str,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyTuple>> {
    let raised = Raised::default();
    let input = match source {
        Source::Bytes(bytes) => Taken::Bytes(bytes),
        Source::Path(path) => Taken::Path(path),
        Source::File(file) => Taken::File(PyRead::new(file.unbind(), raised.clone())),
    };
    let precision = precision_of(precision)?;
    let time_unit = time_unit_of(time_unit)?;
    let read = py.detach(|| {
        let settings = ReadSettings {
            collect: CollectSettings {
                precision,
                time_unit,
                schemas: Arc::new(declared(schemas.as_deref())?),
                ..CollectSettings::default()
            },
            default_time,
            threads: threads_of(threads),
        };
        let mut looked = Instant::now();
        let between = || {
            if looked.elapsed() < LOOK_UP {
                return Ok(());
            }
            looked = Instant::now();
            Python::attach(|py| py.check_signals()).map_err(|error| raised.because_of(error))
        };
        let read = match input {
            Taken::Bytes(bytes) if is_compressed(&bytes) => {
                read_tables(Input::Stream(name, Box::new(Cursor::new(bytes))), &settings, between)
            }
            Taken::Bytes(bytes) => read_tables(Input::Bytes(&bytes), &settings, between),
            Taken::Path(path) => read_tables(Input::File(&path), &settings, between),
            Taken::File(file) => read_tables(Input::Stream(name, Box::new(file)), &settings, between),
        };
        read.map_err(|error| raised.or(error))
    })?;
    let tables = PyDict::new(py);
    for (measurement, table) in read.tables {
        tables.set_item(measurement, into_pyarrow(py, table)?)?;
    }
    let rejects = PyList::empty(py);
    for reject in &read.rejects {
        rejects.append(reject_tuple(py, reject)?)?;
    }
    let counts = &read.counts;
    (
        tables,
        rejects,
        (counts.lines, counts.points, counts.folded, counts.conflicts),
    )
        .into_pyobject(py)
}

enum Taken {
    Bytes(PyBackedBytes),
    Path(PathBuf),
    File(PyRead),
}

/// The columns that are declared: those that come with diurnal, and in place of them those of the user's folder.
pub fn declared(folder: Option<&Path>) -> Result<BTreeMap<String, Arc<MeasurementSchema>>, Failure> {
    let mut schemas = schema_file::builtin().clone();
    if let Some(folder) = folder {
        schemas.extend(schema_file::load_dir(folder)?);
    }
    Ok(schemas
        .into_iter()
        .map(|(name, schema)| (name, Arc::new(schema)))
        .collect())
}

pub fn threads_of(asked: Option<usize>) -> usize {
    asked
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
        .max(1)
}

pub fn into_pyarrow(py: Python<'_>, table: Table) -> PyResult<Bound<'_, PyAny>> {
    let Table { schema, batches } = table;
    let table = ArrowTable::try_new(batches, schema).map_err(|error| Failure::from(Error::new("a table", error)))?;
    table.into_pyarrow(py)
}

pub fn precision_of(name: &str) -> PyResult<Precision> {
    match name {
        "ns" => Ok(Precision::Ns),
        "us" => Ok(Precision::Us),
        "ms" => Ok(Precision::Ms),
        "s" => Ok(Precision::S),
        _ => Err(PyValueError::new_err(format!(
            "precision is 'ns', 'us', 'ms' or 's', not '{name}'"
        ))),
    }
}

pub fn time_unit_of(name: &str) -> PyResult<TimeUnit> {
    match name {
        "ns" => Ok(TimeUnit::Ns),
        "us" => Ok(TimeUnit::Us),
        _ => Err(PyValueError::new_err(format!(
            "time_unit is 'ns' or 'us', not '{name}'"
        ))),
    }
}

/// (line, offset, reason, message, byte, detail, measurement, column, length).
fn reject_tuple<'py>(py: Python<'py>, reject: &RejectedLine) -> PyResult<Bound<'py, PyTuple>> {
    let offset = match reject.origin {
        Origin::File { offset, .. } => offset,
        Origin::Kafka { .. } => 0,
    };
    let (measurement, column) = reject.place.clone().unzip();
    let length = reject.cut_from.unwrap_or(reject.line.len() as u64);
    let message = reject.reason.to_string();
    let line = PyBytes::new(py, &reject.line);
    (
        line,
        offset,
        reject.reason.as_str(),
        message,
        reject.byte,
        reject.detail.as_deref(),
        measurement,
        column,
        length,
    )
        .into_pyobject(py)
}
