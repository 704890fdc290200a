//! `diurnal schema`: the columns of an archive, schema files that can be edited and given to another one, and columns that get
//! another type.

mod export;
mod names;
mod rewrite;
mod set;
mod show;

pub(super) use names::{Found, columns};
pub use set::TypeChange;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::small_files::load_schemas;
use crate::cli::{SchemaArgs, SchemaCommand};
use crate::console::Console;
use crate::error::Result;
use crate::store::Archive;
use crate::table::schema::MeasurementSchema;

pub(super) fn run(console: Console, archive: &Path, args: &SchemaArgs) -> Result<u8> {
    match &args.command {
        SchemaCommand::Show { measurement } => show::show(console, archive, measurement.as_deref()),
        SchemaCommand::Export { measurement, output } => {
            export::export(console, archive, measurement.as_deref(), output.as_deref())
        }
        SchemaCommand::Set(args) => set::set(console, archive, args),
    }
}

/// The archive's columns of all measurements, or of the one that was named.
fn chosen(archive: &Archive, wanted: Option<&str>) -> Result<BTreeMap<String, Arc<MeasurementSchema>>> {
    let mut schemas = load_schemas(archive.state(), &|target| archive.locate(target))?;
    let Some(wanted) = wanted else {
        return Ok(schemas);
    };
    match schemas.remove_entry(wanted) {
        Some(entry) => Ok(BTreeMap::from([entry])),
        None => Err(names::no_measurement(wanted, schemas.keys())),
    }
}
