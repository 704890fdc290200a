//! The extension module behind the Python package `diurnal`. What Python's users see, with its documentation, is in `python/diurnal/`; here
//! is what needs diurnal's own code: arguments in, the interpreter let go of, tables out.

mod day;
mod engine;
mod error;
mod read;
mod stream;

use pyo3::prelude::*;

/// What `diurnal/_native.pyi` describes.
#[pymodule]
mod _native {
    use super::*;

    #[pymodule_export]
    use super::day::merge_day;
    #[pymodule_export]
    use super::engine::{EngineEncode, EngineParse, EngineRoute, EngineRun, EngineSplice, engine_schemas};
    #[pymodule_export]
    use super::read::read;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("encoder_version", diurnal::encode::ENCODER_VERSION)
    }
}
