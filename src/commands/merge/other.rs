//! An archive that is merged into another one. It is only looked at, without its lock, so runs may go on with it: what is read is what
//! one moment's ledger names, every byte checked against its hash there, and read again where a run replaced something meanwhile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::day_file::DayContext;
use super::super::small_files::load_schemas;
use crate::calendar::Zone;
use crate::error::{Error, Result};
use crate::order::LeafSize;
use crate::store::settings::{show_time_range, unit_name};
use crate::store::{Archive, ArchiveSettings, Requested, State, is_bucket, paths};
use crate::table::schema::MeasurementSchema;

/// Looks again at most this often when a run makes commits meanwhile.
pub const LOOKS: usize = 20;

/// An archive to be merged, as it was at one moment.
#[derive(Debug)]
pub struct Other {
    path: PathBuf,
    archive: Archive,
    schemas: BTreeMap<String, Arc<MeasurementSchema>>,
}

impl Other {
    /// Reads the ledger and the columns of the archive in `path`.
    ///
    /// # Errors
    /// There is no archive; it has a later format; its ledger or a schema file is damaged; one of its folders is a
    /// symbolic link.
    pub fn read(path: &Path) -> Result<Self> {
        if !is_bucket(path) && !path.join(paths::PRIVATE).is_dir() {
            return Err(Error::usage(path.display(), "there is no archive here")
                .hint("name the folder of the archive that is to be merged, the one that holds `_diurnal`"));
        }
        let mut looks = 1;
        loop {
            let archive = Archive::read(path)?;
            archive.refuse_links()?;
            match load_schemas(archive.state(), &|target| archive.locate(target)) {
                // A run may have replaced a file just now; what is still wrong without one is damage.
                Err(_) if looks < LOOKS && archive.has_moved_on()? => looks += 1,
                schemas => {
                    return Ok(Self {
                        path: path.to_owned(),
                        schemas: schemas?,
                        archive,
                    });
                }
            }
        }
    }

    /// The same archive as it is now.
    ///
    /// # Errors
    /// As [`Other::read`].
    pub fn read_again(&self) -> Result<Self> {
        Self::read(&self.path)
    }

    /// What messages and the ledger call it.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// What its ledger says.
    pub fn state(&self) -> &State {
        self.archive.state()
    }

    /// The columns of its measurements.
    pub fn schemas(&self) -> &BTreeMap<String, Arc<MeasurementSchema>> {
        &self.schemas
    }

    /// Where a file on its record is.
    ///
    /// # Errors
    /// It is in a bucket and can't be fetched.
    pub fn locate(&self, target: &str) -> Result<PathBuf> {
        self.archive.locate(target)
    }

    /// Whether a run made commits since it was read: then what does not fit its record may just be newer.
    pub fn has_moved_on(&self) -> bool {
        // Whether it can be looked at says nothing about what was found wrong before.
        self.archive.has_moved_on().unwrap_or(false)
    }

    /// What a new archive must be made with to hold the same days.
    pub fn requested(&self) -> Requested {
        let settings = self.settings();
        Requested {
            timezone: Some(settings.timezone.clone()),
            time_unit: Some(settings.time_unit),
            time_range: Some(settings.time_range),
            formats: Some(settings.formats),
        }
    }

    /// What it was made with.
    pub fn settings(&self) -> &ArchiveSettings {
        self.archive.settings()
    }

    /// How its day files are read.
    pub fn context<'a>(
        &self,
        locate: &'a (dyn Fn(&str) -> Result<PathBuf> + Sync),
        zone: Zone,
        leaf_size: LeafSize,
    ) -> DayContext<'a> {
        let settings = self.settings();
        DayContext {
            locate,
            zone,
            time_unit: settings.time_unit,
            formats: settings.formats,
            leaf_size,
            // It is only read.
            memory: 0,
            work: None,
        }
    }

    /// Refuses what was made with settings under which its points would be other days or other values here. Its formats may differ:
    /// either holds all rows.
    ///
    /// # Errors
    /// Another time zone or unit; times that this archive does not take.
    pub fn fits(&self, here: &ArchiveSettings) -> Result<()> {
        let there = self.settings();
        let refuse = |what: &str, there: &str, here: &str| {
            let cause = format_args!("was made with the {what} {there}, the archive with {here}");
            Err(Error::usage(self.path.display(), cause)
                .hint("such archives can't be one; archive its lines again with the other's settings"))
        };
        if there.timezone != here.timezone {
            return refuse("time zone", &there.timezone, &here.timezone);
        }
        if there.time_unit != here.time_unit {
            return refuse("time unit", unit_name(there.time_unit), unit_name(here.time_unit));
        }
        let (taken, own) = (here.time_range, there.time_range);
        if own.first < taken.first || own.last > taken.last {
            return refuse("time range", &show_time_range(own), &show_time_range(taken));
        }
        Ok(())
    }
}
