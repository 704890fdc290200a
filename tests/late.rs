//! Late data: days of many leaves get new lines again and again. Each time the files are, byte for byte, those of a fresh archive of the
//! same lines; leaves that nothing new touches are copied, not encoded again; and no damage is copied with them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use diurnal::commands::{Archiver, LeafCounts};
use diurnal::encode::ParquetDay;
use diurnal::error::Error;
use diurnal::format::Formats;
use diurnal::order::{LEAF_CELLS, LeafSize};
use diurnal::source::Origin;
use diurnal::store::Archive;
use diurnal::store::record::{DayEntry, Leaf};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use tempfile::TempDir;

use crate::law::{FIRST, SCHEMA, SILENT, bytes_of, formats, settings};
use crate::support::folder::in_memory;
use crate::support::long;

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * SECOND;
/// 2020-06-19 00:00 UTC.
const DAY: i64 = 1_592_524_800 * SECOND;

/// A folder with archives, and the lines that they have so far.
struct World {
    folder: TempDir,
    schemas: PathBuf,
    formats: Formats,
    timezone: &'static str,
    leaf_size: LeafSize,
    /// How many fresh archives were made.
    made: usize,
    lines: String,
}

impl World {
    fn new(formats: Formats, timezone: &'static str, leaf_size: LeafSize) -> Self {
        let folder = in_memory();
        let schemas = folder.path().join("schemas");
        fs::create_dir(&schemas).expect("a folder");
        fs::write(schemas.join("declared.toml"), SCHEMA).expect("a schema");
        let mut world = Self {
            folder,
            schemas,
            formats,
            timezone,
            leaf_size,
            made: 0,
            lines: String::new(),
        };
        world.merge(&FIRST.concat()).expect("the first lines");
        world
    }

    /// The archive that gets its lines bit by bit.
    fn archive(&self) -> PathBuf {
        self.folder.path().join("late")
    }

    fn days(&self) -> BTreeMap<String, DayEntry> {
        let archive = Archive::read(&self.archive()).expect("an archive");
        let days = archive.state().days.values();
        days.map(|entry| (format!("{}/{}", entry.measurement, entry.day), entry.clone()))
            .collect()
    }

    /// Gives the archive more lines.
    fn merge(&mut self, lines: &str) -> Result<LeafCounts, Error> {
        self.lines.push_str(lines);
        self.commit(&self.archive(), lines)
    }

    fn commit(&self, archive: &Path, lines: &str) -> Result<LeafCounts, Error> {
        let settings = settings(archive, &self.schemas, self.formats, self.timezone);
        let mut archiver = Archiver::open("import", settings, SILENT)?.with_leaf_size(self.leaf_size);
        let mut collector = archiver.collector();
        let origin = |at: usize| Origin::File {
            path: "test".into(),
            offset: at as u64,
        };
        collector.push(lines.as_bytes(), None, origin);
        archiver.commit(vec![collector.finish()], Vec::new(), Vec::new())?;
        let leaves = archiver.leaves();
        let report = archiver.finish();
        assert_eq!(report.rejected, 0, "{:?}", report.rejects);
        assert_eq!(report.lines, report.points + report.folded);
        Ok(leaves)
    }

    /// The files of a fresh archive of all lines so far. Types and names are settled in the same way by the first lines.
    fn fresh(&mut self) -> BTreeMap<String, Vec<u8>> {
        self.made += 1;
        let path = self.folder.path().join(format!("fresh-{}", self.made));
        self.commit(&path, &FIRST.concat()).expect("a fresh archive");
        self.commit(&path, &self.lines).expect("a fresh archive");
        let files = bytes_of(&path);
        fs::remove_dir_all(&path).expect("a folder that this test made");
        files
    }

    /// The columns of a day file, whichever format it has.
    fn columns(&self, entry: &DayEntry) -> String {
        let path = |path: &str| self.archive().join(path);
        match (&entry.parquet, &entry.csv) {
            (Some(file), _) => {
                let path = path(&file.path);
                let day = ParquetDay::open(fs::File::open(&path).expect("a file"), &path).expect("a day file");
                format!("{:?}", day.footer().schema())
            }
            (None, Some(csv)) => csv.rest.clone(),
            (None, None) => panic!("a day without files"),
        }
    }
}

fn expect_equal(found: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) -> TestCaseResult {
    prop_assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in expected {
        prop_assert!(found[name] == *bytes, "{} differs", name);
    }
    Ok(())
}

/// What is the same of a leaf wherever it stands in a file.
fn content(leaf: &Leaf) -> (u64, i64, [Option<String>; 2]) {
    let hashes = [&leaf.parquet, &leaf.csv].map(|piece| piece.as_ref().map(|piece| piece.hash.clone()));
    (leaf.rows, leaf.first, hashes)
}

/// How many leaves a commit must have copied at least and at most, and how many it wrote, by the records before and after it: those
/// that are as before. But the leaves of one instant are merged together; and a leaf can be as before that lines came beside, which made
/// two leaves of its slice: one such leaf at most for each that is not as before. Where the day has other columns than before, no leaf
/// has the bytes it had, and the record does not tell which ones were kept.
fn expected_leaves(world: &World, before: &BTreeMap<String, (DayEntry, String)>) -> (u64, u64, u64) {
    let (mut least, mut most, mut all) = (0, 0, 0);
    for (day, entry) in world.days() {
        let old = before.get(&day);
        if old.is_some_and(|(old, _)| *old == entry) {
            continue;
        }
        let leaves = &entry.leaves;
        all += leaves.len();
        let Some((old, columns)) = old else {
            continue;
        };
        if *columns != world.columns(&entry) {
            most += old.leaves.len();
            continue;
        }
        let is_same = |leaf: &&Leaf| old.leaves.iter().any(|old| content(old) == content(leaf));
        let is_alone = |leaf: &&Leaf| leaves.iter().filter(|other| other.first == leaf.first).count() == 1;
        let same = leaves.iter().filter(is_same).count();
        let alone = leaves.iter().filter(is_same).filter(is_alone).count();
        most += same;
        least += alone.saturating_sub(leaves.len() - same);
    }
    (least as u64, most as u64, all as u64)
}

/// A line to be: new, or one that has to do with a line before it.
#[derive(Clone, Debug)]
struct Draft {
    what: What,
    head: &'static str,
    fields: Vec<&'static str>,
    time: i64,
    /// Which of the lines before it.
    pick: usize,
}

#[derive(Clone, Copy, Debug)]
enum What {
    New,
    Repeated,
    /// Of the same point, with other fields.
    SamePoint,
    /// At the same time, of another series.
    SameTime,
    /// A nanosecond before or after.
    NextTo(i64),
}

const HEADS: [&str; 9] = [
    "declared\\ one",
    "declared\\ one,host=a",
    "declared\\ one,host=b\\ c,zone=x",
    "declared\\ one,zone=x",
    "declared\\ one,host=ä",
    "learned",
    "learned,host=\\=\\,",
    "learned,host=ä,rack=1",
    "learned,host=ö",
];

/// Lines that bring all the columns that most lines have, so that days soon have the columns that they keep.
const ALL_COLUMNS: [&str; 2] = [
    "declared\\ one,host=a,zone=x f=1,i=1i,u=1u,b=t,s=\"x\"",
    "learned,host=a,rack=1 f=1,i=1i,u=1u,b=t,s=\"x\"",
];

fn draft() -> impl Strategy<Value = Draft> {
    let field = prop_oneof![
        12 => prop_oneof![Just("f=0"), Just("f=-0"), Just("f=1.5"), Just("f=-1e300"), Just("f=3")],
        12 => prop_oneof![Just("i=0i"), Just("i=-9223372036854775808i"), Just("i=7i")],
        12 => prop_oneof![Just("u=0u"), Just("u=18446744073709551615u")],
        12 => prop_oneof![Just("b=t"), Just("b=false")],
        12 => prop_oneof![Just("s=\"\""), Just("s=\"a,\\\"b\\\"\""), Just("s=\"x\ny\""), Just("s=\"=SUM(A1)\"")],
        1 => prop_oneof![Just("Extra=1"), Just("extra=2")],
    ];
    let fields = prop::collection::vec(field, 1..4).prop_map(|mut fields| {
        // One value a key: the same key twice with two values would be a reject.
        fields.sort_unstable();
        fields.dedup_by_key(|field| field.split('=').next());
        fields
    });
    // The steps of the division, times around them, and crowds at one instant and just beside it.
    let step = prop::sample::select(vec![12 * HOUR, 6 * HOUR, HOUR, HOUR / 2, HOUR / 12, HOUR / 60]);
    let time = prop_oneof![
        4 => (step, 0i64..48, -1i64..2).prop_map(|(step, k, near)| DAY + k * step % (24 * HOUR) + near),
        4 => (0i64..24 * HOUR).prop_map(|time| DAY + time),
        3 => Just(DAY + 7 * HOUR),
        2 => (0i64..6).prop_map(|near| DAY + 7 * HOUR + near),
        1 => (0i64..40).prop_map(|second| DAY + 23 * HOUR + second * SECOND),
    ];
    let what = prop_oneof![
        6 => Just(What::New),
        3 => Just(What::Repeated),
        3 => Just(What::SamePoint),
        3 => Just(What::SameTime),
        1 => prop_oneof![Just(What::NextTo(1)), Just(What::NextTo(-1))],
    ];
    (what, prop::sample::select(HEADS.to_vec()), fields, time, any::<usize>()).prop_map(
        |(what, head, fields, time, pick)| Draft {
            what,
            head,
            fields,
            time,
            pick,
        },
    )
}

/// The lines of some drafts; `known` are those before them.
fn written(drafts: &[Draft], known: &mut Vec<(String, String, i64)>) -> String {
    let mut text = String::new();
    for draft in drafts {
        let mut line = (draft.head.to_owned(), draft.fields.join(","), draft.time);
        if let Some((head, fields, time)) = known.get(draft.pick % known.len().max(1)) {
            match draft.what {
                What::New => {}
                What::Repeated => line = (head.clone(), fields.clone(), *time),
                What::SamePoint => (line.0, line.2) = (head.clone(), *time),
                What::SameTime => line.2 = *time,
                What::NextTo(by) => line.2 = time + by,
            }
        }
        text.push_str(&format!("{} {} {}\n", line.0, line.1, line.2));
        known.push(line);
    }
    text
}

/// What a day begins with, and what comes late, commit by commit.
fn runs() -> impl Strategy<Value = (bool, Vec<Vec<Draft>>)> {
    let run = prop_oneof![
        2 => prop::collection::vec(draft(), 1..2),
        3 => prop::collection::vec(draft(), 1..8),
    ];
    let begin = prop_oneof![
        1 => prop::collection::vec(draft(), 0..4),
        4 => prop::collection::vec(draft(), 20..90),
    ];
    (any::<bool>(), begin, prop::collection::vec(run, 1..6)).prop_map(|(all_columns, begin, mut runs)| {
        runs.insert(0, begin);
        (all_columns, runs)
    })
}

/// Small leaves; in some archives a column more makes them smaller.
fn leaf_size() -> impl Strategy<Value = LeafSize> {
    let rows = prop::sample::select(vec![1usize, 2, 3, 4, 8, 32]);
    let cells = prop_oneof![Just(LEAF_CELLS), 16usize..80];
    (rows, cells).prop_map(|(rows, cells)| LeafSize { rows, cells })
}

fn cases() -> u32 {
    if long() { 5_000 } else { 150 }
}

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
