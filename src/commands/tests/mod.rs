//! Commands from their first operation on the disk to their last, each of which may be a power cut or a fault.
//!
//! Operations are those on the disk that a command is given: all that it writes, and what it reads of the ledger and of folders. What it
//! reads of day files by their path is not among them.

#[cfg(feature = "object-store")]
mod buckets;
mod mirror;
mod room;
mod trials;

use std::sync::Arc;

use self::trials::{Command, Place};
use super::{Archiver, Merger, TypeChange, prune};
use crate::console::Console;
use crate::error::Result;
use crate::format::Formats;
use crate::order::{LEAF_CELLS, LeafSize};
use crate::settings::{IngestSettings, Memory, MergeSettings, PruneSettings};
use crate::source::{Origin, StopFlag};
use crate::store::Requested;
use crate::store::disk::{Disk, RealDisk};
use crate::store::record::SourceRange;
use crate::table::schema::ColumnType;

const LEAF_SIZE: LeafSize = LeafSize {
    rows: 4,
    cells: LEAF_CELLS,
};

/// Days of two measurements, a line that is rejected, and one that comes twice.
const FIRST: &str = "\
m,host=a v=1i,w=1.5 1592611190000000000
m,host=b v=2i 1592611190000000000
m,host=a v=3i 1592611210000000000
m,host=a v= 1592611220000000000
m,host=a v=1i,w=1.5 1592611190000000000
n text=\"x\" 1592611200000000000
";

/// Lines of days that are there, of one that is not, and one with another column.
const LATE: &str = "\
m,host=c v=5i 1592611191000000000
m,host=a v=6i 1592697600000000000
m,host=a new=t 1592611195000000000
m,host=a w=wrong 1592611195000000000
m,host=a v=7i 1592611196000000000
n text=\"y\" 1592611201000000000
";

/// Memory that is always too little, or enough.
#[derive(Clone, Copy)]
enum Room {
    Little,
    Ample,
}

fn archiver(disk: Arc<dyn Disk>, archive: std::path::PathBuf, room: Room) -> Result<Archiver> {
    let settings = IngestSettings {
        requested: Requested {
            formats: Some(Formats {
                parquet: true,
                csv: true,
            }),
            ..Requested::default()
        },
        memory: Memory::new(match room {
            Room::Little => 1_000,
            Room::Ample => u64::MAX,
        }),
        ..IngestSettings::one_commit(&archive)
    };
    Ok(Archiver::open_on(disk, "import", settings, Console::SILENT)?.with_leaf_size(LEAF_SIZE))
}

/// Archives lines as one commit, with offsets if they are of a topic.
fn commit(archiver: &mut Archiver, lines: &str, room: Room, range: Option<SourceRange>) -> Result<()> {
    let (held, block) = match room {
        Room::Little => (1, 100),
        Room::Ample => (usize::MAX, usize::MAX),
    };
    let mut gatherer = archiver.gatherer_of(held, block);
    for (at, line) in lines.split_inclusive('\n').enumerate() {
        gatherer.push(line.as_bytes(), None, |_| Origin::File {
            path: "lines".into(),
            offset: at as u64,
        });
    }
    let gathered = gatherer.finish()?;
    archiver.commit(vec![gathered], Vec::from_iter(range), Vec::new())
}

/// What `archive` does with two batches of a partition: it goes on where the archive has read to.
fn archive(place: &Place, disk: Arc<dyn Disk>, told: &mut dyn FnMut()) -> Result<()> {
    let mut archiver = archiver(disk, place.archive(), Room::Ample)?;
    for (number, lines) in [FIRST, LATE].into_iter().enumerate() {
        let first = 10 * number as i64;
        if archiver.positions().iter().any(|read| read.next > first) {
            continue;
        }
        let range = SourceRange {
            cluster_id: "cluster".into(),
            topic_id: Some("topic id".into()),
            topic: "metrics".into(),
            partition: 0,
            first,
            next: first + 10,
            messages: 8,
            gaps: 2,
            lost: 0,
            again: 0,
            last: None,
            epoch: None,
        };
        commit(&mut archiver, lines, Room::Ample, Some(range))?;
        told();
    }
    archiver.finish();
    Ok(())
}

fn import_of(lines: &'static str, room: Room) -> impl Fn(&Place, Arc<dyn Disk>, &mut dyn FnMut()) -> Result<()> {
    move |place, disk, told| {
        let mut archiver = archiver(disk, place.archive(), room)?;
        commit(&mut archiver, lines, room, None)?;
        told();
        archiver.finish();
        Ok(())
    }
}

/// Merges one archive, then both.
fn merge(place: &Place, disk: Arc<dyn Disk>, told: &mut dyn FnMut()) -> Result<()> {
    let others = [place.path("other-1"), place.path("other-2")];
    for number in [1, 2] {
        let settings = MergeSettings {
            archive: place.archive(),
            others: others[..number].to_vec(),
            accept_recreated: Vec::new(),
            dry_run: false,
        };
        let merger = Merger::open_on(Arc::clone(&disk), settings, Console::SILENT)?;
        let mut merger = merger.with_leaf_size(LEAF_SIZE).with_memory(Memory::new(u64::MAX));
        merger.merge(&StopFlag::new())?;
        told();
        merger.finish();
    }
    Ok(())
}

fn prune(place: &Place, disk: Arc<dyn Disk>, told: &mut dyn FnMut()) -> Result<()> {
    let settings = PruneSettings {
        csv_before: Some(1_592_697_600_000_000_000),
        parquet_before: Some(1_592_611_200_000_000_000),
        rejects_before: Some(i64::MAX),
    };
    prune::remove(disk, &place.archive(), &settings)?;
    told();
    Ok(())
}

fn set_type(place: &Place, disk: Arc<dyn Disk>, told: &mut dyn FnMut()) -> Result<()> {
    let change = TypeChange {
        column: "m.v",
        measurement: None,
        ty: ColumnType::Float,
        dry_run: false,
        leaf_size: LEAF_SIZE,
    };
    change.make_on(disk, Console::SILENT, &place.archive())?;
    told();
    Ok(())
}

fn try_all(name: &str, before: &[&Command], command: &Command) {
    let place = Place::new();
    let start = place.start(before);
    place.try_all(start, name, command);
}

#[test]
fn archive_stands_a_power_cut_or_a_fault_at_any_operation() {
    try_all("archive", &[], &archive);
}

#[test]
fn an_import_of_late_lines_that_are_spilled_stands_a_power_cut_or_a_fault_at_any_operation() {
    let late = import_of(LATE, Room::Little);
    try_all("import", &[&import_of(FIRST, Room::Ample)], &late);
}

#[test]
fn merge_stands_a_power_cut_or_a_fault_at_any_operation() {
    let place = Place::new();
    for (name, lines) in [("other-1", FIRST), ("other-2", LATE)] {
        let mut archiver = archiver(Arc::new(RealDisk), place.path(name), Room::Ample).unwrap();
        commit(&mut archiver, lines, Room::Ample, None).unwrap();
    }
    place.try_all(place.start(&[]), "merge", &merge);
}

#[test]
fn prune_stands_a_power_cut_or_a_fault_at_any_operation() {
    try_all("prune", &[&archive], &prune);
}

#[test]
fn schema_set_stands_a_power_cut_or_a_fault_at_any_operation() {
    try_all("schema set", &[&archive], &set_type);
}
