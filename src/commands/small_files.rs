//! The files of a commit that are no day files: schemas and rejects.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::report::to_json;
use crate::store::record::FileEntry;
use crate::store::{Staging, State, Written, paths};
use crate::table::schema::MeasurementSchema;
use crate::table::{RejectedLine, schema_file};

/// Stages the columns of a measurement.
pub fn stage_schema(staging: &Staging, schema: &MeasurementSchema) -> Result<FileEntry> {
    let target = paths::schema_file(&schema.measurement).map_err(|error| Error::new(&schema.measurement, error))?;
    stage_text(staging, target, schema_file::render(schema).as_bytes())
}

/// Stages the reject file of a commit, if there are any.
pub fn stage_rejects(staging: &Staging, rejects: &[&RejectedLine]) -> Result<Option<FileEntry>> {
    if rejects.is_empty() {
        return Ok(None);
    }
    let target = paths::rejects_file(staging.id());
    let mut file = staging.file(&target)?;
    // One after the other: a line may have megabytes.
    for reject in rejects {
        let mut text = to_json(&reject.to_text());
        text.push(b'\n');
        file.write_all(&text)
            .map_err(|error| Error::io(file.path(), "write a staged file", &error))?;
    }
    entry_of(target, file.finish()?).map(Some)
}

fn stage_text(staging: &Staging, target: String, text: &[u8]) -> Result<FileEntry> {
    let mut file = staging.file(&target)?;
    file.write_all(text)
        .map_err(|error| Error::io(file.path(), "write a staged file", &error))?;
    entry_of(target, file.finish()?)
}

fn entry_of(path: String, written: Written) -> Result<FileEntry> {
    let hash = written
        .hash
        .ok_or_else(|| Error::new(&path, "was written without a hash"))?;
    Ok(FileEntry {
        path,
        bytes: written.bytes,
        hash,
    })
}

/// The archive's own schema files, checked against the ledger.
///
/// # Errors
/// One that is missing, damaged, or was edited.
pub fn load_schemas(
    state: &State,
    locate: &dyn Fn(&str) -> Result<PathBuf>,
) -> Result<BTreeMap<String, Arc<MeasurementSchema>>> {
    let prefix = format!("{}/schema/", paths::PRIVATE);
    let entries = state.files.values().filter(|entry| entry.path.starts_with(&prefix));
    entries
        .map(|entry| {
            let path = locate(&entry.path)?;
            let text = fs::read_to_string(&path).map_err(|error| Error::io(&path, "read it", &error))?;
            if blake3::hash(text.as_bytes()).to_hex().as_str() != entry.hash {
                return Err(
                    Error::damaged(path.display(), "is not the file that the ledger records")
                        .hint("put the recorded file back; columns are changed by diurnal only"),
                );
            }
            let schema = schema_file::parse(&text, &path)?;
            Ok((schema.measurement.clone(), Arc::new(schema)))
        })
        .collect()
}
