//! The files of a commit that are no day files: schemas and rejects.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::store::record::FileEntry;
use crate::store::{Staging, State, paths};
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
    let mut text = Vec::new();
    for reject in rejects {
        serde_json::to_writer(&mut text, &reject.to_text()).expect("rejects hold strings and numbers only");
        text.push(b'\n');
    }
    stage_text(staging, paths::rejects_file(staging.id()), &text).map(Some)
}

fn stage_text(staging: &Staging, target: String, text: &[u8]) -> Result<FileEntry> {
    use std::io::Write as _;
    let mut file = staging.file(&target)?;
    file.write_all(text)
        .map_err(|error| Error::io(file.path(), "write a staged file", &error))?;
    let written = file.finish()?;
    Ok(FileEntry {
        path: target,
        bytes: written.bytes,
        hash: blake3::hash(text).to_hex().to_string(),
    })
}

/// The archive's own schema files, checked against the ledger.
///
/// # Errors
/// One that is missing, damaged, or was edited.
pub fn load_schemas(
    state: &State,
    locate: &dyn Fn(&str) -> PathBuf,
) -> Result<BTreeMap<String, Arc<MeasurementSchema>>> {
    let prefix = format!("{}/schema/", paths::PRIVATE);
    let entries = state.files.values().filter(|entry| entry.path.starts_with(&prefix));
    entries
        .map(|entry| {
            let path = locate(&entry.path);
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
