//! A disk with little room: whatever would fit is not refused, and what can't fit is said with its figures.

use std::sync::Arc;

use super::mirror::MirrorDisk;
use super::trials::Place;
use super::{Room, archiver, commit};
use crate::error::Result;
use crate::store::tests::sim::Trouble;

/// Rows of the day that is there: many leaves of four rows.
const ROWS: i64 = 60;

/// Bytes by which there is more room each time.
const STEP: u64 = 2_311;

fn line(row: i64, fields: &str) -> String {
    format!(
        "m,host=a {fields} {}\n",
        1_592_611_200_000_000_000 + row * 600_000_000_000
    )
}

/// Rows with so much text that what is sure is most of what is needed.
fn recorded() -> String {
    let text = |row: i64| {
        (0..10).fold(String::new(), |text, part| {
            text + blake3::hash(&[row as u8, part]).to_hex().as_str()
        })
    };
    let lines = (0..ROWS).map(|row| line(row, &format!("v={row}i,text=\"{}\"", text(row))));
    lines.collect()
}

/// What comes to the day, by what it means for the files that are there.
fn news() -> [(&'static str, String); 5] {
    [
        ("a late line in the middle", line(ROWS / 2, "w=1.5")),
        ("a late line at the end", line(ROWS - 1, "v=7i")),
        ("the same lines again", recorded()),
        ("a new column", line(3, "new=true")),
        ("as many rows again", recorded().replace("host=a", "host=b")),
    ]
}

fn import(place: &Place, disk: &MirrorDisk, lines: &str, room: Room) -> Result<()> {
    let mut archiver = archiver(Arc::new(disk.clone()), place.archive(), room)?;
    commit(&mut archiver, lines, room, None)
}

#[test]
fn nothing_is_refused_for_want_of_room_that_would_fit() {
    let place = Place::new();
    let start = place.start(&[&|place, disk, _| {
        let mut archiver = archiver(disk, place.archive(), Room::Ample)?;
        commit(&mut archiver, &recorded(), Room::Ample, None)
    }]);
    let taken: u64 = start.sim().files().values().map(|data| data.len() as u64).sum();
    let (mut tried, mut refused, mut full) = (0, 0, 0);
    for (what, lines) in news() {
        for room in [Room::Ample, Room::Little] {
            let most = (0..).map(|step| step * STEP).find(|more| {
                let ended = [false, true].map(|tells| {
                    let disk = start.copy();
                    disk.sim().expect(Trouble::Nothing);
                    disk.sim().limit(Some(taken + more), tells);
                    let ended = import(&place, &disk, &lines, room);
                    if let Err(error) = &ended {
                        let text = error.to_string();
                        refused += usize::from(text.contains("needs at least"));
                        full += usize::from(text.contains("bytes of this commit were staged by then"));
                        assert!(error.advice().is_some(), "{text}");
                        // What was committed stands, and with room the run is done.
                        disk.sim().limit(None, false);
                        if more % (5 * STEP) == 0 {
                            import(&place, &disk, &lines, room).unwrap();
                        }
                    }
                    tried += 1;
                    ended
                });
                let [untold, told] = &ended;
                assert_eq!(
                    untold.is_ok(),
                    told.is_ok(),
                    "{what}, {more} bytes free: {told:?}, not asked {untold:?}"
                );
                told.is_ok()
            });
            println!("{what}: fits into {} bytes", most.unwrap_or_default());
        }
    }
    println!("{tried} imports with little room: {refused} refused before a byte of their day was written, {full} full");
    assert!(refused > 0 && full > 0);
}
