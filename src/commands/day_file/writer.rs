//! The new files of a day, staged leaf by leaf in the order of the day.

use super::DayContext;
use super::recorded::RecordedDay;
use crate::calendar::Day;
use crate::encode::{CsvDayWriter, DaySchema, ENCODER_VERSION, EncodedLeaf, ParquetDayWriter, WideLeaf, WrittenDay};
use crate::error::{Error, Result};
use crate::store::record::{DayEntry, DayFileEntry, Leaf, Piece};
use crate::store::{StagedFile, Staging, paths};

/// How many leaves a commit wrote, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LeafCounts {
    /// Copied as bytes from the files before; where the day has columns that they lacked, these were added as nulls.
    pub copied: u64,
    /// Encoded from rows.
    pub encoded: u64,
}

impl std::ops::AddAssign for LeafCounts {
    fn add_assign(&mut self, other: Self) {
        self.copied += other.copied;
        self.encoded += other.encoded;
    }
}

/// The files of a day in the making.
pub struct DayWriter {
    entry: DayEntry,
    /// With the path that each has relative to the archive.
    parquet: Option<(ParquetDayWriter<StagedFile>, String)>,
    csv: Option<(CsvDayWriter<StagedFile>, String)>,
    counts: LeafCounts,
}

impl DayWriter {
    /// Begins a day's files in the formats of the archive.
    ///
    /// # Errors
    /// Files that can't be staged.
    pub fn new(context: DayContext<'_>, staging: &Staging, schema: &DaySchema, day: Day) -> Result<Self> {
        let day = day.to_string();
        // With the path that is written, for messages, and the one relative to the archive.
        let staged = |extension: &str| {
            let target = paths::day_file(&schema.measurement, &day, extension)
                .map_err(|error| Error::new(&schema.measurement, error))?;
            let file = staging.file(&target)?;
            let path = file.path().to_owned();
            Ok::<_, Error>((file, path, target))
        };
        let parquet = match context.formats.parquet {
            true => {
                let (file, path, target) = staged("parquet")?;
                Some((ParquetDayWriter::new(file, &path, schema)?, target))
            }
            false => None,
        };
        let csv = match context.formats.csv {
            true => {
                let (file, path, target) = staged("csv")?;
                Some((CsvDayWriter::new(file, &path, schema)?, target))
            }
            false => None,
        };
        Ok(Self {
            entry: DayEntry {
                measurement: schema.measurement.clone(),
                day,
                rows: 0,
                first: 0,
                last: 0,
                encoder: ENCODER_VERSION,
                leaves: Vec::new(),
                parquet: None,
                csv: None,
            },
            parquet,
            csv,
            counts: LeafCounts::default(),
        })
    }

    /// Appends a leaf that was encoded for this day.
    ///
    /// # Errors
    /// The disk's.
    pub fn append(&mut self, leaf: EncodedLeaf) -> Result<()> {
        if let (Some((writer, _)), Some(chunks)) = (&mut self.parquet, leaf.parquet) {
            writer.append(chunks)?;
        }
        if let (Some((writer, _)), Some(text)) = (&mut self.csv, leaf.csv) {
            writer.append(&text)?;
        }
        self.push(leaf.rows, leaf.first, leaf.last);
        self.counts.encoded += 1;
        Ok(())
    }

    /// Appends a leaf of the files before, which have the same columns, as it is there.
    ///
    /// # Errors
    /// It is not what was committed; the disk's.
    pub fn copy(&mut self, old: &RecordedDay<'_>, leaf: usize) -> Result<()> {
        if let Some((writer, _)) = &mut self.parquet {
            old.copy_parquet(leaf, writer)?;
        }
        if let Some((writer, _)) = &mut self.csv {
            old.copy_csv(leaf, writer)?;
        }
        let leaf = &old.leaves()[leaf];
        self.push(leaf.rows, leaf.first, leaf.last);
        self.counts.copied += 1;
        Ok(())
    }

    /// Appends a leaf of the files before with the columns that they lack.
    ///
    /// # Errors
    /// The disk's.
    pub fn append_wide(&mut self, old: &Leaf, mut leaf: WideLeaf<'_>) -> Result<()> {
        if let Some((writer, _)) = &mut self.parquet {
            leaf.append_parquet(writer)?;
        }
        if let (Some((writer, _)), Some(text)) = (&mut self.csv, leaf.csv) {
            writer.append(&text)?;
        }
        self.push(old.rows, old.first, old.last);
        self.counts.copied += 1;
        Ok(())
    }

    /// Number of leaves so far.
    pub fn leaves(&self) -> usize {
        self.entry.leaves.len()
    }

    /// How they were written.
    pub fn counts(&self) -> LeafCounts {
        self.counts
    }

    fn push(&mut self, rows: u64, first: i64, last: i64) {
        let entry = &mut self.entry;
        if entry.leaves.is_empty() {
            entry.first = first;
        }
        entry.last = last;
        entry.rows += rows;
        entry.leaves.push(Leaf {
            rows,
            first,
            last,
            parquet: None,
            csv: None,
        });
    }

    /// Ends the files and syncs them; gives the day's entry, which says which files they replace. `None` where they are, byte for byte,
    /// what was there before: then they are dropped.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(self, before: Option<&DayEntry>) -> Result<Option<DayEntry>> {
        let Self {
            mut entry,
            parquet,
            csv,
            ..
        } = self;
        let mut files = Vec::new();
        if let Some((writer, path)) = parquet {
            let (staged, file, pieces) = written(writer.finish()?, path);
            for (leaf, piece) in entry.leaves.iter_mut().zip(pieces) {
                leaf.parquet = Some(piece);
            }
            entry.parquet = Some(file);
            files.push(staged);
        }
        if let Some((writer, path)) = csv {
            let (staged, file, pieces) = written(writer.finish()?, path);
            for (leaf, piece) in entry.leaves.iter_mut().zip(pieces) {
                leaf.csv = Some(piece);
            }
            entry.csv = Some(file);
            files.push(staged);
        }
        if before.is_some_and(|before| same_content(before, &entry)) {
            return Ok(None);
        }
        for file in files {
            file.finish()?;
        }
        let replaced = |file: Option<&DayFileEntry>| file.map(|file| file.bytes);
        if let Some(file) = &mut entry.parquet {
            file.replaced = replaced(before.and_then(|before| before.parquet.as_ref()));
        }
        if let Some(file) = &mut entry.csv {
            file.replaced = replaced(before.and_then(|before| before.csv.as_ref()));
        }
        Ok(Some(entry))
    }
}

fn written(day: WrittenDay<StagedFile>, path: String) -> (StagedFile, DayFileEntry, Vec<Piece>) {
    let entry = DayFileEntry {
        path,
        bytes: day.bytes,
        rest: day.rest,
        replaced: None,
    };
    (day.out, entry, day.pieces)
}

/// Whether two entries are of the same bytes: everything but which file replaced which.
fn same_content(a: &DayEntry, b: &DayEntry) -> bool {
    let without_history = |entry: &DayEntry| {
        let mut entry = entry.clone();
        for file in [&mut entry.parquet, &mut entry.csv].into_iter().flatten() {
            file.replaced = None;
        }
        entry
    };
    without_history(a) == without_history(b)
}
