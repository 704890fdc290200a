//! Python's files as Rust's: the interpreter is asked for each block.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use diurnal::error::Error;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::error::Failure;

/// Bytes that are asked for at once at least.
const BLOCK_BYTES: usize = 1 << 20;

/// The exception that a file of Python's raised: an `io::Error` can't bring it back.
#[derive(Clone, Default)]
pub struct Raised(Arc<Mutex<Option<PyErr>>>);

impl Raised {
    fn keep(&self, error: PyErr) -> io::Error {
        let said = io::Error::other(error.to_string());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        said
    }

    /// What ended a call that ended with this error.
    pub fn or(&self, error: Error) -> Failure {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(raised) => Failure::Python(raised),
            None => Failure::Diurnal(error),
        }
    }

    /// Keeps an exception, and gives the error that ends the call because of it.
    pub fn because_of(&self, error: PyErr) -> Error {
        Error::new("Python", self.keep(error))
    }
}

/// Something with `read(size)`, opened for bytes.
pub struct PyRead {
    pub file: Py<PyAny>,
    pub raised: Raised,
    block: Option<(PyBackedBytes, usize)>,
}

impl PyRead {
    pub fn new(file: Py<PyAny>, raised: Raised) -> Self {
        Self {
            file,
            raised,
            block: None,
        }
    }

    fn next(&self, bytes: usize) -> PyResult<PyBackedBytes> {
        Python::attach(|py| {
            let read = self.file.bind(py).call_method1("read", (bytes,))?;
            // None is what a file that does not block says when there is nothing yet: that is no end.
            if read.is_none() {
                let none = "read() gave None: the file does not block, and nothing is there yet";
                return Err(pyo3::exceptions::PyBlockingIOError::new_err(none));
            }
            read.extract::<PyBackedBytes>().map_err(|_| {
                let got = read
                    .get_type()
                    .name()
                    .map_or_else(|_| String::new(), |name| name.to_string());
                pyo3::exceptions::PyTypeError::new_err(format!(
                    "read() gave {got}, not bytes; open the file with mode 'rb'"
                ))
            })
        })
    }
}

impl Read for PyRead {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let (block, at) = match self.block.take() {
            Some(block) => block,
            None => {
                let block = self
                    .next(BLOCK_BYTES.max(into.len()))
                    .map_err(|error| self.raised.keep(error))?;
                (block, 0)
            }
        };
        let count = into.len().min(block.len() - at);
        into[..count].copy_from_slice(&block[at..at + count]);
        if at + count < block.len() {
            self.block = Some((block, at + count));
        }
        Ok(count)
    }
}

/// Something with `write(bytes)`.
pub struct PyWrite {
    file: Py<PyAny>,
    raised: Raised,
    buffer: Vec<u8>,
}

impl PyWrite {
    pub fn new(file: Py<PyAny>, raised: Raised) -> Self {
        Self {
            file,
            raised,
            buffer: Vec::new(),
        }
    }

    /// Writes all of the bytes, however few a call of Python's takes.
    fn pass_on(&self, bytes: &[u8]) -> PyResult<()> {
        Python::attach(|py| {
            let mut at = 0;
            while at < bytes.len() {
                let took = self
                    .file
                    .bind(py)
                    .call_method1("write", (PyBytes::new(py, &bytes[at..]),))?;
                // A raw file may take fewer; what says nothing took them all.
                at += match took.extract::<Option<usize>>()? {
                    Some(0) => return Err(pyo3::exceptions::PyOSError::new_err("write() took no byte")),
                    Some(took) => took,
                    None => bytes.len() - at,
                };
            }
            Ok(())
        })
    }
}

impl Write for PyWrite {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BLOCK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let bytes = std::mem::take(&mut self.buffer);
        self.pass_on(&bytes).map_err(|error| self.raised.keep(error))
    }
}
