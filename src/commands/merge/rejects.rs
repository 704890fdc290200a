//! The rejects of another archive on their way into this one: with their origin, once, and marked where they were driven again.

use std::collections::HashMap;
use std::path::PathBuf;

use super::super::stored_rejects::{Identity, Place, add_line, each_stored, files};
use super::other::Other;
use crate::error::Result;
use crate::source::Origin;
use crate::store::State;
use crate::store::record::Retried;
use crate::table::RejectedLine;

/// What the other archive's rejects are to this one.
#[derive(Debug, Default)]
pub struct Brought {
    /// Those that this archive does not have, oldest first.
    pub new: Vec<RejectedLine>,
    /// The places among `new` of those that were driven again there.
    archived: Vec<usize>,
    /// Stored here, driven again there: their lines come with this merge.
    archived_by_now: Vec<Place>,
    /// All that wait there: they are no rows there.
    pub waiting: u64,
    /// Those of them that this archive has already.
    pub waiting_again: u64,
}

impl Brought {
    /// Compares the rejects of both archives, by origin, reason and line.
    ///
    /// # Errors
    /// A reject file of either that is missing, damaged or not the one on record.
    pub fn read(here: &State, locate: &dyn Fn(&str) -> Result<PathBuf>, other: &Other) -> Result<Self> {
        let mut brought = Self::default();
        if files(other.state()).next().is_none() {
            return Ok(brought);
        }
        let mut known: HashMap<Identity, Vec<(Place, bool)>> = HashMap::new();
        each_stored(here, locate, |stored| {
            let places = known.entry(Identity::of(&stored.text)).or_default();
            places.push((stored.place, stored.retried));
            Ok(())
        })?;
        let mut seen: HashMap<Identity, usize> = HashMap::new();
        each_stored(other.state(), &|target| other.locate(target), |stored| {
            let identity = Identity::of(&stored.text);
            let reject = stored.text.into_rejected()?;
            let place = match reject.origin {
                // A line of a file is one by its place.
                Origin::File { .. } => 0,
                // A message is read whole: equal lines of it stand side by side, in both archives.
                Origin::Kafka { .. } => {
                    let seen = seen.entry(identity).or_default();
                    *seen += 1;
                    *seen - 1
                }
            };
            brought.waiting += u64::from(!stored.retried);
            match known.get(&identity).and_then(|places| places.get(place)) {
                Some((place, retried)) => {
                    brought.waiting_again += u64::from(!stored.retried);
                    if stored.retried && !retried {
                        brought.archived_by_now.push(place.clone());
                    }
                }
                None => {
                    if stored.retried {
                        brought.archived.push(brought.new.len());
                    }
                    brought.new.push(reject);
                }
            }
            Ok(())
        })?;
        Ok(brought)
    }

    /// Those that are new here and wait to be driven again.
    pub fn new_waiting(&self) -> impl Iterator<Item = &RejectedLine> {
        let waits = |(place, _): &(usize, &RejectedLine)| self.archived.binary_search(place).is_err();
        self.new.iter().enumerate().filter(waits).map(|(_, reject)| reject)
    }

    /// Which stored rejects are archived by now: `path` is the file that gets the new ones.
    pub fn retried(&self, path: &str) -> Vec<Retried> {
        let mut places = self.archived_by_now.clone();
        places.sort_by(|a, b| (&a.path, a.number).cmp(&(&b.path, b.number)));
        places.dedup();
        let mut files = Vec::new();
        for place in &places {
            add_line(&mut files, &place.path, place.number);
        }
        for place in &self.archived {
            add_line(&mut files, path, *place as u64 + 1);
        }
        files
    }
}
