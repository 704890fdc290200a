//! What all tasks of a run have to know before they read: the archive's columns and settings as they are when it begins.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::calendar::Zone;
use crate::encode::ENCODER_VERSION;
use crate::error::{Error, Result};
use crate::lineproto::{Instructions, Limits, Precision};
use crate::source::TopicIdentity;
use crate::store::{ArchiveSettings, paths};
use crate::table::schema::MeasurementSchema;
use crate::table::{CollectSettings, PrunedDays, Room};
use crate::version;

/// What a run is going to do: frozen once, the same for all of its tasks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Intent {
    /// The version of this crate: bytes of another one are refused.
    version: String,
    encoder: u32,
    /// The archive's folder, absolute: every machine sees it there.
    pub(super) archive: PathBuf,
    /// The name of the folder that the run's tasks stage in.
    pub(super) tasks: String,
    /// `archive.toml`.
    settings: String,
    precision: Precision,
    limits: Limits,
    pub(super) room: Room,
    /// Bytes of memory for each task.
    pub(super) memory: u64,
    /// Columns that are settled or declared.
    known: Vec<MeasurementSchema>,
    pruned: PrunedDays,
    /// Where the messages are from.
    pub(super) topics: Vec<TopicIdentity>,
    /// What is to be read: topic, partition, offsets from the first to before the last.
    pub partitions: Vec<(String, i32, Range<i64>)>,
}

/// What a run knows of itself when it begins.
pub(super) struct Begun<'a> {
    pub archive: &'a Path,
    pub tasks: &'a str,
    pub settings: &'a ArchiveSettings,
    pub collect: &'a CollectSettings,
    pub memory: u64,
    pub topics: Vec<TopicIdentity>,
    pub partitions: Vec<(String, i32, Range<i64>)>,
}

impl Intent {
    pub(super) fn new(begun: Begun<'_>) -> Result<Self> {
        let archive = std::path::absolute(begun.archive);
        Ok(Self {
            version: version::VERSION.to_owned(),
            encoder: ENCODER_VERSION,
            archive: archive.map_err(|error| Error::io(begun.archive, "find its absolute path", &error))?,
            tasks: begun.tasks.to_owned(),
            settings: begun.settings.render(),
            precision: begun.collect.precision,
            limits: begun.collect.limits,
            room: begun.collect.room,
            memory: begun.memory,
            known: begun
                .collect
                .schemas
                .values()
                .map(|schema| (**schema).clone())
                .collect(),
            pruned: (*begun.collect.pruned).clone(),
            topics: begun.topics,
            partitions: begun.partitions,
        })
    }

    /// As it is sent to tasks.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an intent holds strings and numbers only")
    }

    /// What a task was sent.
    ///
    /// # Errors
    /// Bytes of another version of this crate.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Made {
            version: String,
            encoder: u32,
        }
        let not_understood = |error: &dyn std::fmt::Display| {
            Error::new("the run's intent", format_args!("is not understood: {error}"))
                .hint("the driver and every machine must have the same version of diurnal")
        };
        let made: Made = serde_json::from_slice(bytes).map_err(|error| not_understood(&error))?;
        if (made.version.as_str(), made.encoder) != (version::VERSION, ENCODER_VERSION) {
            return Err(not_understood(&format_args!(
                "it was made by diurnal {}, this is {}",
                made.version,
                version::VERSION
            )));
        }
        serde_json::from_slice(bytes).map_err(|error| not_understood(&error))
    }

    /// What was decided when the archive was made.
    pub(super) fn settings(&self) -> Result<ArchiveSettings> {
        ArchiveSettings::parse(Path::new("archive.toml of the run's intent"), self.settings.as_bytes())
    }

    /// The zone whose days there are.
    pub(super) fn zone(&self) -> Result<Zone> {
        self.settings()?.timezone.parse()
    }

    /// The columns that are known before anything was read, by measurement.
    pub(super) fn known(&self) -> BTreeMap<String, Arc<MeasurementSchema>> {
        let known = self.known.iter();
        known
            .map(|schema| (schema.measurement.clone(), Arc::new(schema.clone())))
            .collect()
    }

    /// What a collector goes by.
    pub(super) fn collect_settings(&self) -> Result<CollectSettings> {
        let settings = self.settings()?;
        Ok(CollectSettings {
            precision: self.precision,
            limits: self.limits,
            instructions: Instructions::best(),
            time_range: settings.time_range,
            time_unit: settings.time_unit,
            measurement_fits: |name| paths::folder_name(name).is_ok(),
            pruned: Arc::new(self.pruned.clone()),
            room: self.room,
            schemas: Arc::new(self.known()),
        })
    }
}
