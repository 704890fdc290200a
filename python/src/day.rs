//! Tables of a day -> its one table and its files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow_pyarrow::{FromPyArrow as _, Table as ArrowTable};
use diurnal::batches::Table;
use diurnal::batches::day::{self, DayFiles, DaySettings};
use diurnal::calendar::Zone;
use diurnal::error::Error;
use pyo3::prelude::*;

use crate::error::Failure;
use crate::read::{declared, into_pyarrow, threads_of, time_unit_of};
use crate::stream::{PyWrite, Raised};

/// Where a file goes.
#[derive(FromPyObject)]
pub enum Target<'py> {
    Path(PathBuf),
    File(Bound<'py, PyAny>),
}

enum Out {
    Path(PathBuf),
    File(PyWrite),
}

/// `diurnal.merge_day` after its arguments were checked.
#[pyfunction]
#[pyo3(signature = (tables, measurement, tags, timezone, schemas, time_unit, parquet, csv, threads))]
#[allow(clippy::too_many_arguments)] // `diurnal/_day.py` is the one caller, and has names for them.
pub fn merge_day<'py>(
    py: Python<'py>,
    tables: Vec<Bound<'py, PyAny>>,
    measurement: String,
    tags: BTreeSet<String>,
    timezone: &str,
    schemas: Option<PathBuf>,
    time_unit: &str,
    parquet: Option<Target<'py>>,
    csv: Option<Target<'py>>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyAny>> {
    let raised = Raised::default();
    let tables = tables.iter().map(|table| {
        let (batches, schema) = ArrowTable::from_pyarrow_bound(table)?.into_inner();
        Ok(Table { schema, batches })
    });
    let tables: Vec<Table> = tables.collect::<PyResult<_>>()?;
    let time_unit = time_unit_of(time_unit)?;
    let zone: Zone = timezone.parse().map_err(Failure::Diurnal)?;
    let out = |target: Option<Target<'py>>| {
        target.map(|target| match target {
            Target::Path(path) => Out::Path(path),
            Target::File(file) => Out::File(PyWrite::new(file.unbind(), raised.clone())),
        })
    };
    let (parquet, csv) = (out(parquet), out(csv));
    let merged = py.detach(|| -> Result<Table, Failure> {
        let settings = DaySettings {
            declared: declared(schemas.as_deref())?.remove(&measurement),
            measurement,
            tags,
            zone,
            time_unit,
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads_of(threads)).build();
        let pool = pool.map_err(|error| Error::new("threads", error))?;
        let mut waiting = Vec::new();
        let (parquet, parquet_path) = begin(parquet, &mut waiting)?.unzip();
        let (csv, csv_path) = begin(csv, &mut waiting)?.unzip();
        let files = DayFiles {
            parquet: parquet.zip(parquet_path.as_deref()).map(|(out, path)| (path, out)),
            csv: csv.zip(csv_path.as_deref()).map(|(out, path)| (path, out)),
        };
        let merged = pool
            .install(|| day::merge_day(&tables, &settings, files))
            .map_err(|error| raised.or(error))?;
        waiting.into_iter().try_for_each(Waiting::publish)?;
        Ok(merged)
    })?;
    into_pyarrow(py, merged)
}

type OpenFile = (Box<dyn Write + Send>, PathBuf);

/// A file that is written beside its place and put there when it is whole.
struct Waiting {
    written: PathBuf,
    place: PathBuf,
}

impl Waiting {
    fn publish(self) -> Result<(), Failure> {
        std::fs::rename(&self.written, &self.place)
            .map_err(|error| Error::io(&self.place, "put the new file there", &error).into())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // It is gone where it was put in its place.
        let _ = std::fs::remove_file(&self.written);
    }
}

fn begin(out: Option<Out>, waiting: &mut Vec<Waiting>) -> Result<Option<OpenFile>, Failure> {
    Ok(match out {
        None => None,
        Some(Out::File(file)) => Some((Box::new(file), Path::new("the file").to_owned())),
        Some(Out::Path(place)) => {
            let mut name = place.clone().into_os_string();
            name.push(format!(".{}.part", std::process::id()));
            let written = PathBuf::from(name);
            let file = File::create(&written).map_err(|error| Error::io(&written, "create it", &error))?;
            let path = place.clone();
            waiting.push(Waiting { written, place });
            Some((Box::new(BufWriter::with_capacity(1 << 20, file)), path))
        }
    })
}
