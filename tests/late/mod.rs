//! Late data: days of many leaves get new lines again and again. Each time the files are, byte for byte, those of a fresh archive of the
//! same lines; leaves that nothing new touches are copied, not encoded again; and no damage is copied with them.

mod drafts;
mod world;

use std::fs;
use std::sync::atomic::AtomicUsize;

use diurnal::commands::LeafCounts;
use diurnal::format::Formats;
use diurnal::order::{LEAF_CELLS, LeafSize};
use diurnal::store::record::DayEntry;
use proptest::prelude::*;

use self::drafts::{ALL_COLUMNS, DAY, HOUR, leaf_size, runs, written};
use self::world::{World, expect_equal, expected_leaves};
use crate::law::{bytes_of, formats};
use crate::support::long;
use crate::support::reader::expect_duckdb_reads_some;

fn cases() -> u32 {
    if long() { 5_000 } else { 150 }
}

static READ_BY_DUCKDB: AtomicUsize = AtomicUsize::new(0);

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn late_lines_make_the_files_of_a_fresh_archive_and_encode_only_the_leaves_that_they_change(
        (all_columns, runs) in runs(),
        formats in formats(),
        timezone in prop_oneof![4 => Just("UTC"), 1 => Just("Asia/Kathmandu")],
        leaf_size in leaf_size(),
    ) {
        let mut world = World::new(formats, timezone, leaf_size);
        let mut known = Vec::new();
        if all_columns {
            let lines: Vec<String> = ALL_COLUMNS.iter().map(|line| format!("{line} {}\n", DAY + 8 * HOUR)).collect();
            world.merge(&lines.concat()).expect("a commit");
        }
        for drafts in &runs {
            let columns = |(day, entry): (String, DayEntry)| {
                let columns = world.columns(&entry);
                (day, (entry, columns))
            };
            let before = world.days().into_iter().map(columns).collect();
            let leaves = world.merge(&written(drafts, &mut known)).expect("a commit");
            let (least, most, all) = expected_leaves(&world, &before);
            prop_assert_eq!(leaves.copied + leaves.encoded, all, "{:?}", leaves);
            prop_assert!((least..=most).contains(&leaves.copied), "{} copied of {} to {}", leaves.copied, least, most);
            let found = bytes_of(&world.archive());
            expect_equal(&found, &world.fresh())?;
        }
        expect_duckdb_reads_some(&world.archive(), &READ_BY_DUCKDB);
    }

    #[test]
    fn damage_anywhere_is_found_or_leaves_no_trace(
        (all_columns, runs) in runs(),
        formats in formats(),
        leaf_size in leaf_size(),
        place in any::<prop::sample::Index>(), file in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let mut world = World::new(formats, "UTC", leaf_size);
        let mut known = Vec::new();
        if all_columns {
            let lines: Vec<String> = ALL_COLUMNS.iter().map(|line| format!("{line} {}\n", DAY + 8 * HOUR)).collect();
            world.merge(&lines.concat()).expect("a commit");
        }
        let (last, first) = runs.split_last().expect("there are two at least");
        for drafts in first {
            world.merge(&written(drafts, &mut known)).expect("a commit");
        }
        let good = bytes_of(&world.archive());
        let day_files: Vec<&String> = good.keys().filter(|name| !name.starts_with('_')).collect();
        let name = *file.get(&day_files);
        let path = world.archive().join(name);
        let mut bytes = good[name].clone();
        *place.get_mut(&mut bytes) ^= 1 << bit;
        fs::write(&path, &bytes).expect("a file of this test");
        let damaged = bytes_of(&world.archive());
        match world.merge(&written(last, &mut known)) {
            Err(error) => {
                let said = error.to_string();
                prop_assert!(said.contains("is not what was committed"), "{}", said);
                prop_assert!(bytes_of(&world.archive()) == damaged, "nothing may change");
            }
            Ok(_) => {
                let mut found = bytes_of(&world.archive());
                // A file that no line touched is not looked at: `verify` is there for that.
                if found[name] == bytes {
                    found.insert(name.clone(), good[name].clone());
                }
                expect_equal(&found, &world.fresh())?;
            }
        }
    }
}

/// A day of eight leaves in both formats, one an hour from midnight on, and a line for its fifth leaf.
fn eight_leaves() -> (World, String) {
    let formats = Formats {
        parquet: true,
        csv: true,
    };
    let size = LeafSize {
        rows: 4,
        cells: LEAF_CELLS,
    };
    let mut world = World::new(formats, "UTC", size);
    let lines: Vec<String> = (0..32)
        .map(|n| format!("declared\\ one,host=h{} f={n}.5 {}\n", n % 4, DAY + n / 4 * HOUR))
        .collect();
    world.merge(&lines.concat()).expect("a commit");
    assert_eq!(world.days()["declared one/2020-06-19"].leaves.len(), 8);
    let late = format!("declared\\ one,host=late f=1 {}\n", DAY + 4 * HOUR);
    (world, late)
}

#[test]
fn one_late_line_encodes_the_leaf_that_it_falls_into_and_no_other() {
    let (mut world, late) = eight_leaves();
    // The fifth leaf has 5 rows of one instant now: two leaves.
    let expected = LeafCounts { copied: 7, encoded: 2 };
    assert_eq!(world.merge(&late), Ok(expected));
    assert_eq!(
        world.merge(&late),
        Ok(LeafCounts::default()),
        "nothing new, nothing written"
    );
    let end = format!("declared\\ one,host=late f=1 {}\n", DAY + 9 * HOUR);
    let expected = LeafCounts { copied: 9, encoded: 1 };
    assert_eq!(world.merge(&end), Ok(expected));
    assert_eq!(bytes_of(&world.archive()), world.fresh());
}

#[test]
fn a_column_that_a_day_did_not_have_is_added_to_the_leaves_that_stay() {
    let (mut world, late) = eight_leaves();
    // `Extra` comes before `extra`, and both behind all other columns.
    for field in ["extra", "Extra"] {
        // The late line's leaf has five rows of one instant: it is two.
        let late = late.replace("f=1", &format!("{field}=1"));
        assert_eq!(world.merge(&late), Ok(LeafCounts { copied: 7, encoded: 2 }), "{field}");
        assert_eq!(bytes_of(&world.archive()), world.fresh());
    }
    // A tag in the middle of the columns.
    let late = late.replace("host=late", "host=late,zone=z");
    assert_eq!(world.merge(&late), Ok(LeafCounts { copied: 7, encoded: 2 }));
    assert_eq!(bytes_of(&world.archive()), world.fresh());
}

#[test]
fn a_column_more_that_makes_leaves_smaller_divides_them_again() {
    let formats = Formats {
        parquet: true,
        csv: true,
    };
    // Eight columns with `time` and the tag `zone`: 4 rows; with one more 2 rows.
    let mut world = World::new(formats, "UTC", LeafSize { rows: 4, cells: 35 });
    let lines: Vec<String> = (0..32)
        .map(|n| format!("declared\\ one,zone=x,host=h{} f={n}.5 {}\n", n % 4, DAY + n / 4 * HOUR))
        .collect();
    world.merge(&lines.concat()).expect("a commit");
    let leaves = |world: &World| world.days()["declared one/2020-06-19"].leaves.len();
    assert_eq!(leaves(&world), 8);
    let late = format!("declared\\ one,host=h0 Extra=1 {}\n", DAY + 23 * HOUR);
    assert_eq!(world.merge(&late), Ok(LeafCounts { copied: 0, encoded: 17 }));
    assert_eq!(bytes_of(&world.archive()), world.fresh());
}

#[test]
fn a_flipped_bit_in_a_leaf_that_is_copied_is_found_in_either_format_and_nothing_is_changed() {
    let (mut world, late) = eight_leaves();
    let entry = world.days()["declared one/2020-06-19"].clone();
    let file = |name: &Option<diurnal::store::record::DayFileEntry>| name.as_ref().expect("both formats").path.clone();
    let (parquet, csv) = (file(&entry.parquet), file(&entry.csv));
    let good = bytes_of(&world.archive());
    for (number, leaf) in entry.leaves.iter().enumerate() {
        for (name, piece) in [(&parquet, &leaf.parquet), (&csv, &leaf.csv)] {
            if number == 4 && *name == csv {
                continue; // Encoded again from the Parquet file.
            }
            let piece = piece.as_ref().expect("both formats");
            for at in [
                piece.offset,
                piece.offset + piece.bytes / 2,
                piece.offset + piece.bytes - 1,
            ] {
                let mut bytes = good[name].clone();
                bytes[at as usize] ^= 1;
                fs::write(world.archive().join(name), &bytes).expect("a file of this test");
                let merged = world.commit(&world.archive(), &late);
                let said = merged.expect_err("damage").to_string();
                assert!(
                    said.contains(name) && said.contains(&format!("leaf {number} (bytes {}", piece.offset)),
                    "{said}"
                );
                fs::write(world.archive().join(name), &good[name]).expect("a file of this test");
                assert!(bytes_of(&world.archive()) == good, "nothing may change");
            }
        }
    }
    assert!(world.merge(&late).is_ok());
    assert_eq!(bytes_of(&world.archive()), world.fresh());
}

#[test]
fn damage_in_a_csv_leaf_that_is_encoded_again_from_the_parquet_file_leaves_no_trace() {
    let (mut world, late) = eight_leaves();
    let entry = world.days()["declared one/2020-06-19"].clone();
    let (csv, leaf) = (
        entry.csv.expect("both formats"),
        entry.leaves[4].csv.clone().expect("both formats"),
    );
    let path = world.archive().join(csv.path);
    let mut bytes = fs::read(&path).expect("a day file");
    bytes[leaf.offset as usize + 3] ^= 1;
    fs::write(&path, &bytes).expect("a file of this test");
    assert!(world.merge(&late).is_ok());
    assert_eq!(bytes_of(&world.archive()), world.fresh());
}
