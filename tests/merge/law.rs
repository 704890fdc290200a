//! The law for archives that were made apart: lines that were split over them in any way, and merged in any order, make the bytes of one
//! archive that got them all.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;

use proptest::prelude::*;

use super::world::{World, every_byte, range};
use crate::law::{FIRST, bytes_of, formats, line};
use crate::support::lines::Random;
use crate::support::long;
use crate::support::reader::expect_duckdb_reads_some;

/// How lines are dealt out to archives.
#[derive(Clone, Copy, Debug)]
enum Split {
    /// By measurement and tags, as agents on their own machines do.
    Series,
    /// By time: one archive ends where the next one begins.
    Time,
    /// Any line anywhere, some of them to more than one: partitions, and topics that were mirrored.
    Partition,
}

fn split() -> impl Strategy<Value = Split> {
    prop_oneof![Just(Split::Series), Just(Split::Time), Just(Split::Partition)]
}

fn cases() -> u32 {
    if long() { 5_000 } else { 120 }
}

/// The lines of each archive.
fn deal(lines: &[String], archives: usize, split: Split, seed: u64) -> Vec<Vec<String>> {
    let mut dealt = vec![Vec::new(); archives];
    let mut random = Random::new(seed);
    let mut sorted = lines.to_vec();
    if matches!(split, Split::Time) {
        // All lines have as many digits.
        sorted.sort_by_key(|line| line.rsplit(' ').next().map(str::to_owned));
    }
    let count = sorted.len();
    for (number, line) in sorted.into_iter().enumerate() {
        let place = match split {
            Split::Series => {
                let series = line.split(' ').next().unwrap_or_default().len() as u64 + line.as_bytes()[0] as u64;
                Random::new(seed ^ series).below(archives as u64) as usize
            }
            Split::Time => number * archives / count,
            Split::Partition => random.below(archives as u64) as usize,
        };
        if matches!(split, Split::Partition) && random.below(4) == 0 {
            dealt[random.below(archives as u64) as usize].push(line.clone());
        }
        dealt[place].push(line);
    }
    dealt
}

static READ_BY_DUCKDB: AtomicUsize = AtomicUsize::new(0);

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn archives_made_apart_and_merged_in_any_order_are_one_that_got_everything(
        lines in prop::collection::vec(line(), 1..60),
        (archives, split, seed) in (2..4usize, split(), any::<u64>()),
        same_schema in any::<bool>(),
        formats in formats(),
        timezone in prop_oneof![4 => Just("UTC"), 1 => Just("Asia/Kathmandu")],
    ) {
        let world = World::new(formats, timezone);
        let mut lines = lines;
        // Names that differ by case alone are given by what an archive saw first; without them columns may be new in some of the
        // archives, and their names are the same in all.
        if !same_schema {
            lines.retain(|line| !line.contains("xtra="));
            lines.push("learned,host=a f=1 1592568000000000000\n".to_owned());
        }
        let first: Vec<String> = if same_schema { FIRST.map(str::to_owned).to_vec() } else { Vec::new() };
        let dealt = deal(&lines, archives, split, seed);
        let names: Vec<String> = (0..archives).map(|number| format!("part-{number}")).collect();
        for (number, (name, lines)) in names.iter().zip(&dealt).enumerate() {
            let (begin, end) = (number as i64 * 100, number as i64 * 100 + 150);
            world.archive(name, &first, &[]);
            world.archive(name, lines, &[range(begin, end)]);
        }
        world.archive("whole", &first, &[]);
        world.archive("whole", &lines, &[]);
        let expected = bytes_of(&world.path("whole"));
        let before: Vec<_> = names.iter().map(|name| every_byte(&world.path(name))).collect();

        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut reversed = names.clone();
        reversed.reverse();
        world.merge("all", &names).expect("a merge");
        // One after the other, and into one of them.
        for name in &reversed {
            world.merge("reversed", &[name]).expect("a merge");
        }
        world.merge(names[0], &names[1..]).expect("a merge");
        for name in ["all", "reversed", names[0]] {
            let found = bytes_of(&world.path(name));
            prop_assert_eq!(expected.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
            for (path, bytes) in &expected {
                prop_assert!(found[path] == *bytes, "{} of {} differs (seed {})", path, name, seed);
            }
            prop_assert_eq!(world.next(name), [("t".to_owned(), 0, archives as i64 * 100 + 50)]);
            world.verify(name);
        }
        for (name, before) in names.iter().zip(before).skip(1) {
            prop_assert!(every_byte(&world.path(name)) == before, "{} was touched", name);
        }

        let merged = every_byte(&world.path("all"));
        let points = points(&lines, &first);
        prop_assert_eq!(world.state("all").totals.points, points);
        let (again, _) = world.merge("all", &names).expect("a merge");
        prop_assert_eq!((again.points, again.days.len()), (0, 0));
        prop_assert!(every_byte(&world.path("all")) == merged, "a second merge changed something");
        expect_duckdb_reads_some(&world.path("all"), &READ_BY_DUCKDB);
    }
}

/// How many points some lines are: the tags of made-up lines are equal where they are the same points.
fn points(lines: &[String], first: &[String]) -> u64 {
    let head = |line: &String| {
        let (series, rest) = unescaped_space(line).expect("a line");
        let mut tags: Vec<String> = series.split(',').map(str::to_owned).collect();
        tags[1..].sort();
        (tags, rest.trim_end().rsplit(' ').next().map(str::to_owned))
    };
    lines.iter().chain(first).map(head).collect::<BTreeSet<_>>().len() as u64
}

/// Series and the rest of a line: at the first space without a backslash.
fn unescaped_space(line: &str) -> Option<(&str, &str)> {
    let at = (1..line.len()).find(|&at| line.as_bytes()[at] == b' ' && line.as_bytes()[at - 1] != b'\\')?;
    Some((&line[..at], &line[at + 1..]))
}
