//! diurnal's errors as Python's exceptions, which are defined in `diurnal/_errors.py`.

use diurnal::error::{Error, Kind};
use pyo3::prelude::*;

/// What can end a call: an error of diurnal's, or an exception that Python code raised meanwhile, a signal's among them.
pub enum Failure {
    Diurnal(Error),
    Python(PyErr),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Diurnal(error)
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Python(error) => error,
            Failure::Diurnal(error) => Python::attach(|py| exception(py, &error).unwrap_or_else(|error| error)),
        }
    }
}

fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let class = match error.kind() {
        Kind::Failed => "Error",
        Kind::Damaged => "DamagedError",
        Kind::Usage => "UsageError",
        Kind::Locked => "LockedError",
    };
    let class = py.import("diurnal._errors")?.getattr(class)?;
    Ok(PyErr::from_value(class.call1((error.object(), error.cause(), error.advice()))?))
}
