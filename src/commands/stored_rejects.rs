//! The rejects that an archive keeps: read back from its files, each file checked against the ledger before it is believed.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::source::Origin;
use crate::store::record::{FileEntry, Retried, SourceRange};
use crate::store::{State, check_file, paths};
use crate::table::{RejectedLine, RejectedText};

/// A reject as it is on record.
#[derive(Debug)]
pub struct StoredReject {
    /// Where it stands.
    pub place: Place,
    pub text: RejectedText,
    /// Whether it was driven again and is archived now.
    pub retried: bool,
}

/// The line of a reject file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's path relative to the archive.
    pub path: String,
    /// Line number, from 1.
    pub number: u64,
}

/// Hands over every stored reject, oldest file first.
///
/// # Errors
/// A reject file that is missing, damaged or not the one on record, and those of `each`.
pub fn each_stored(
    state: &State,
    locate: &dyn Fn(&str) -> Result<PathBuf>,
    mut each: impl FnMut(StoredReject) -> Result<()>,
) -> Result<()> {
    for entry in files(state) {
        let path = locate(&entry.path)?;
        check_file(&path, entry)?;
        let open = File::open(&path).map_err(|error| Error::io(&path, "open it", &error))?;
        for (index, line) in BufReader::new(open).split(b'\n').enumerate() {
            let line = line.map_err(|error| Error::io(&path, "read it", &error))?;
            let number = index as u64 + 1;
            let text = serde_json::from_slice(&line).map_err(|error| {
                Error::new(format_args!("{}, line {number}", path.display()), error)
                    .hint("its hash is right, so another version of diurnal wrote it: use that one, or a newer one")
            })?;
            each(StoredReject {
                retried: state.was_retried(&entry.path, number),
                place: Place {
                    path: entry.path.clone(),
                    number,
                },
                text,
            })?;
        }
    }
    Ok(())
}

/// The reject files on record, oldest first.
pub fn files(state: &State) -> impl Iterator<Item = &FileEntry> {
    let prefix = format!("{}/rejects/", paths::PRIVATE);
    let mut files: Vec<&FileEntry> = state
        .files
        .values()
        .filter(|entry| entry.path.starts_with(&prefix))
        .collect();
    // Numbers grow beyond the digits that they are padded to.
    files.sort_by_key(|entry| (entry.path.len(), &entry.path));
    files.into_iter()
}

/// What makes a rejected line this one and no other: where it was found, why it was rejected, how its
/// time was to be read, its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity(blake3::Hash);

impl Identity {
    /// The reason is part of it: the same line may be on record for another one.
    pub fn of(text: &RejectedText) -> Self {
        let bare = RejectedText {
            byte: None,
            detail: None,
            place: None,
            ..text.clone()
        };
        let json = serde_json::to_vec(&bare).expect("rejects hold strings and numbers only");
        Self(blake3::hash(&json))
    }
}

/// A stored reject on its way through the pipeline.
#[derive(Debug)]
pub struct Driven {
    pub place: Place,
    /// Where the line came from at first.
    pub origin: Origin,
}

impl Driven {
    /// What stands for the origin of the line with this number meanwhile, so that a line which is rejected again is known.
    pub fn marker(number: usize) -> Origin {
        Origin::File {
            path: Arc::from(""),
            offset: number as u64,
        }
    }

    /// The number in a [`Driven::marker`].
    pub fn number_of(marker: &Origin) -> Option<usize> {
        match marker {
            Origin::File { path, offset } if path.is_empty() => usize::try_from(*offset).ok(),
            _ => None,
        }
    }
}

/// Which rejects are on record, to tell those that a replay or a second import brings again.
#[derive(Debug, Default)]
pub struct OnRecord(HashMap<Identity, u64>);

impl OnRecord {
    /// Reads all that the archive keeps.
    ///
    /// # Errors
    /// A reject file that is missing, damaged or not the one on record.
    pub fn read(state: &State, locate: &dyn Fn(&str) -> Result<PathBuf>) -> Result<Self> {
        let mut found = Self::default();
        each_stored(state, locate, |stored| {
            *found.0.entry(Identity::of(&stored.text)).or_default() += 1;
            Ok(())
        })?;
        Ok(found)
    }

    /// Which of the rejects of one commit are not on record yet; from now on they are.
    ///
    /// A line of a file is one by its place. A Kafka message is read whole, so equal lines in it come together: the second one
    /// is new unless two are on record.
    pub fn take_new<'a>(&mut self, rejects: impl Iterator<Item = &'a RejectedLine>) -> Vec<bool> {
        let mut seen: HashMap<Identity, u64> = HashMap::new();
        let new = rejects
            .map(|reject| {
                let identity = Identity::of(&reject.to_text());
                let seen = seen.entry(identity).or_default();
                *seen += 1;
                let recorded = self.0.get(&identity).copied().unwrap_or(0);
                match reject.origin {
                    Origin::File { .. } => recorded == 0 && *seen == 1,
                    Origin::Kafka { .. } => *seen > recorded,
                }
            })
            .collect();
        for (identity, seen) in seen {
            let recorded = self.0.entry(identity).or_default();
            *recorded = seen.max(*recorded);
        }
        new
    }
}

/// Whether the line's message lies in the offsets that a commit covers for the first time, as all that it covers do.
pub fn is_read_first(reject: &RejectedLine, sources: &[SourceRange]) -> bool {
    let Origin::Kafka {
        topic,
        partition,
        offset,
        ..
    } = &reject.origin
    else {
        return false;
    };
    sources.iter().any(|range| {
        let source = (&range.cluster_id, &range.topic_id, &range.topic, range.partition);
        source == (&topic.cluster_id, &topic.topic_id, &topic.topic, *partition)
            && (range.first.saturating_add_unsigned(range.again)..range.next).contains(offset)
    })
}

/// The stored lines that were not rejected again, by file. Those that were get their first origin back.
pub fn went_in(driven: &[Driven], rejects: &mut [RejectedLine]) -> Vec<Retried> {
    let mut waits = vec![false; driven.len()];
    for reject in rejects {
        if let Some(number) = Driven::number_of(&reject.origin) {
            waits[number] = true;
            reject.origin = driven[number].origin.clone();
        }
    }
    let mut files: Vec<Retried> = Vec::new();
    for (stored, _) in driven.iter().zip(waits).filter(|(_, waits)| !waits) {
        add_line(&mut files, &stored.place.path, stored.place.number);
    }
    files
}

/// Adds a line to those that are archived by now. Lines of one file come one after the other, ascending.
pub fn add_line(files: &mut Vec<Retried>, path: &str, number: u64) {
    match files.last_mut().filter(|file| file.path == path) {
        Some(file) => match file.lines.last_mut().filter(|(_, last)| last + 1 == number) {
            Some((_, last)) => *last = number,
            None => file.lines.push((number, number)),
        },
        None => files.push(Retried {
            path: path.to_owned(),
            lines: vec![(number, number)],
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineproto::{Precision, Reason};
    use crate::source::TopicIdentity;

    fn reject(origin: Origin, reason: Reason, line: &str) -> RejectedLine {
        RejectedLine {
            origin,
            reason,
            byte: Some(3),
            detail: None,
            place: None,
            precision: Precision::default(),
            default_time: None,
            line: line.into(),
            cut_from: None,
        }
    }

    fn message(topic_id: &str, offset: i64) -> Origin {
        Origin::Kafka {
            topic: Arc::new(TopicIdentity {
                cluster_id: "c".into(),
                topic_id: Some(topic_id.into()),
                topic: "t".into(),
            }),
            partition: 0,
            offset,
            timestamp_ms: Some(5),
        }
    }

    fn file(path: &str, offset: u64) -> Origin {
        Origin::File {
            path: path.into(),
            offset,
        }
    }

    #[test]
    fn equal_lines_of_one_message_are_two_and_come_again_as_two() {
        let twice = || vec![reject(message("a", 7), Reason::BadNumber, "m v=x"); 2];
        let mut on_record = OnRecord::default();
        assert_eq!(on_record.take_new(twice().iter()), [true, true]);
        assert_eq!(on_record.take_new(twice().iter()), [false, false]);
        let mut three = twice();
        three.push(three[0].clone());
        assert_eq!(on_record.take_new(three.iter()), [false, false, true]);
    }

    #[test]
    fn a_line_of_a_file_is_one_by_its_place() {
        let mut on_record = OnRecord::default();
        let lines = [
            reject(file("a", 0), Reason::BadNumber, "m v=x"),
            reject(file("a", 6), Reason::BadNumber, "m v=x"),
            reject(file("a", 0), Reason::BadNumber, "m v=x"),
            reject(file("b", 0), Reason::BadNumber, "m v=x"),
        ];
        assert_eq!(on_record.take_new(lines.iter()), [true, true, false, true]);
        assert_eq!(on_record.take_new(lines.iter()), [false; 4]);
    }

    #[test]
    fn another_topic_reason_line_time_or_unit_is_another_reject() {
        let first = reject(message("a", 7), Reason::BadNumber, "m v=x");
        let others = [
            reject(message("b", 7), Reason::BadNumber, "m v=x"),
            reject(message("a", 8), Reason::BadNumber, "m v=x"),
            reject(message("a", 7), Reason::EmptyKey, "m v=x"),
            reject(message("a", 7), Reason::BadNumber, "m v=y"),
            RejectedLine {
                default_time: Some(1),
                ..first.clone()
            },
            RejectedLine {
                precision: Precision::S,
                ..first.clone()
            },
        ];
        let mut on_record = OnRecord::default();
        assert_eq!(on_record.take_new([&first].into_iter()), [true]);
        for other in &others {
            assert_eq!(on_record.take_new([other].into_iter()), [true], "{other:?}");
        }
        // What is said about the problem may change from one version to the next.
        let same = RejectedLine {
            byte: Some(4),
            detail: Some("said otherwise".into()),
            ..first
        };
        assert_eq!(on_record.take_new([&same].into_iter()), [false]);
    }
}
