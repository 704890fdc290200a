//! `diurnal::engine` for jobs in Python: each function and class of `diurnal/engine.py` is one of these.

use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow_pyarrow::{PyArrowType, ToPyArrow as _};
use diurnal::engine::{self, EncodeTask, ParseTask, RouteTask, SpliceTask};
use diurnal::error::Error;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::error::Failure;

type Batch = PyArrowType<RecordBatch>;

/// The schemas of what crosses: (PARSED, ROUTED, RESULT).
#[pyfunction]
pub fn engine_schemas(py: Python<'_>) -> PyResult<(Bound<'_, PyAny>, Bound<'_, PyAny>, Bound<'_, PyAny>)> {
    let schema = |schema: arrow::datatypes::SchemaRef| schema.as_ref().to_pyarrow(py);
    Ok((schema(engine::parsed_schema())?, schema(engine::routed_schema())?, schema(engine::result_schema())?))
}

/// A value that one thread at a time uses, and that is gone once it was used up.
struct Held<T> {
    what: &'static str,
    value: Mutex<Option<T>>,
}

impl<T: Send> Held<T> {
    fn new(what: &'static str, value: T) -> Self {
        Self {
            what,
            value: Mutex::new(Some(value)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<T>> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gone(&self) -> Failure {
        Error::usage(self.what, "is over").hint("begin another one").into()
    }

    /// Uses the value without the interpreter.
    fn with<R: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut T) -> Result<R, Error> + Send) -> PyResult<R>
    where
        Self: Sync,
    {
        py.detach(|| match &mut *self.lock() {
            Some(value) => work(value).map_err(Failure::from),
            None => Err(self.gone()),
        })
        .map_err(PyErr::from)
    }

    /// Uses it up.
    fn take<R: Send>(&self, py: Python<'_>, work: impl FnOnce(T) -> Result<R, Error> + Send) -> PyResult<R>
    where
        Self: Sync,
    {
        py.detach(|| match self.lock().take() {
            Some(value) => work(value).map_err(Failure::from),
            None => Err(self.gone()),
        })
        .map_err(PyErr::from)
    }
}

fn some(batch: Option<RecordBatch>) -> Option<Batch> {
    batch.map(PyArrowType)
}

/// `diurnal.engine.Run` holds one.
#[pyclass(frozen, module = "diurnal._native")]
pub struct EngineRun(Held<engine::Run>);

#[pymethods]
impl EngineRun {
    #[new]
    fn new(py: Python<'_>, flags: Vec<String>) -> PyResult<Self> {
        let run = py.detach(|| engine::Run::begin(&flags)).map_err(Failure::from)?;
        Ok(Self(Held::new("the run", run)))
    }

    fn id(&self, py: Python<'_>) -> PyResult<String> {
        self.0.with(py, |run| Ok(run.id().to_owned()))
    }

    fn intent<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.0.with(py, |run| Ok(run.intent().to_bytes()))?))
    }

    fn offsets(&self, py: Python<'_>) -> PyResult<(String, String)> {
        self.0.with(py, |run| Ok(run.offsets()))
    }

    fn is_idle(&self, py: Python<'_>) -> PyResult<bool> {
        self.0.with(py, |run| Ok(run.is_idle()))
    }

    fn settle(&self, py: Python<'_>, summaries: Vec<PyBackedBytes>) -> PyResult<Vec<String>> {
        self.0.with(py, |run| run.summarize(summaries))
    }

    fn examine(&self, py: Python<'_>, blocks: Batch) -> PyResult<()> {
        self.0.with(py, |run| run.examine(&blocks.0))
    }

    fn plan<'py>(&self, py: Python<'py>, unit_rows: Option<usize>) -> PyResult<(Bound<'py, PyBytes>, usize)> {
        let (plan, tasks) = self.0.with(py, |run| {
            let plan = run.plan(unit_rows)?;
            Ok((plan.to_bytes(), plan.tasks()))
        })?;
        Ok((PyBytes::new(py, &plan), tasks))
    }

    fn encoded<'py>(&self, py: Python<'py>, results: Vec<PyBackedBytes>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let jobs = self.0.with(py, |run| run.encoded(results))?;
        Ok(jobs.iter().map(|job| PyBytes::new(py, job)).collect())
    }

    fn commit(&self, py: Python<'_>, spliced: Vec<PyBackedBytes>) -> PyResult<String> {
        let report = self.0.take(py, |run| run.commit(spliced))?;
        Ok(String::from_utf8_lossy(&diurnal::report::to_json(&report)).into_owned())
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| drop(self.0.lock().take()));
    }
}

/// What `diurnal.engine.parse` drives.
#[pyclass(frozen, module = "diurnal._native")]
pub struct EngineParse(Held<ParseTask>);

#[pymethods]
impl EngineParse {
    #[new]
    fn new(intent: &[u8], task: u32) -> PyResult<Self> {
        Ok(Self(Held::new("the task", ParseTask::new(intent, task).map_err(Failure::from)?)))
    }

    fn push(&self, py: Python<'_>, batch: Batch) -> PyResult<Option<Batch>> {
        Ok(some(self.0.with(py, |task| task.push(&batch.0))?))
    }

    fn finish(&self, py: Python<'_>) -> PyResult<Option<Batch>> {
        Ok(Some(PyArrowType(self.0.take(py, ParseTask::finish)?)))
    }
}

/// What `diurnal.engine.route` drives.
#[pyclass(frozen, module = "diurnal._native")]
pub struct EngineRoute(Held<RouteTask>);

#[pymethods]
impl EngineRoute {
    #[new]
    fn new(plan: &[u8]) -> PyResult<Self> {
        Ok(Self(Held::new("the task", RouteTask::new(plan).map_err(Failure::from)?)))
    }

    fn push(&self, py: Python<'_>, batch: Batch) -> PyResult<Option<Batch>> {
        Ok(some(Some(self.0.with(py, |task| task.push(&batch.0))?)))
    }
}

/// What `diurnal.engine.encode` drives.
#[pyclass(frozen, module = "diurnal._native")]
pub struct EngineEncode(Held<EncodeTask>);

#[pymethods]
impl EngineEncode {
    #[new]
    fn new(plan: &[u8], attempt: &str) -> PyResult<Self> {
        Ok(Self(Held::new("the task", EncodeTask::new(plan, attempt).map_err(Failure::from)?)))
    }

    fn push(&self, py: Python<'_>, batch: Batch) -> PyResult<Option<Batch>> {
        Ok(some(self.0.with(py, |task| task.push(&batch.0))?))
    }

    fn finish(&self, py: Python<'_>) -> PyResult<Option<Batch>> {
        Ok(some(self.0.take(py, EncodeTask::finish)?))
    }
}

/// What `diurnal.engine.splice` drives.
#[pyclass(frozen, module = "diurnal._native")]
pub struct EngineSplice(Held<SpliceTask>);

#[pymethods]
impl EngineSplice {
    #[new]
    fn new(plan: &[u8], attempt: &str) -> PyResult<Self> {
        Ok(Self(Held::new("the task", SpliceTask::new(plan, attempt).map_err(Failure::from)?)))
    }

    fn push(&self, py: Python<'_>, batch: Batch) -> PyResult<Option<Batch>> {
        Ok(some(Some(self.0.with(py, |task| task.push(&batch.0))?)))
    }
}
