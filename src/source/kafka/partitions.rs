//! `--partitions 0-4,7`: the part of each topic that is this archive's, when a topic is split over machines.

use std::collections::BTreeSet;
use std::fmt;

use super::Notice;
use super::client::{Cluster, PartitionMeta};
use super::select::Pattern;
use crate::error::{Error, Result};

/// A set of partition numbers: ranges in ascending order that do not overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionSet(Vec<Range>);

/// From the first number to the last one; without a last one to whatever Kafka will ever add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    first: i32,
    last: Option<i32>,
}

impl PartitionSet {
    /// Reads `0-4,7,9-`: numbers, ranges with both ends in them, and ranges without an end. It is a set: order and repetition say
    /// nothing.
    ///
    /// # Errors
    /// Wrong usage: an empty text or part, what is no number, a range that ends before it begins.
    pub fn parse(text: &str) -> Result<Self> {
        let mut ranges = text.split(',').map(Range::parse).collect::<Result<Vec<_>>>()?;
        ranges.sort_by_key(|range| range.first);
        let mut apart: Vec<Range> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match apart.last_mut() {
                // All that follow begin in it.
                Some(Range { last: None, .. }) => break,
                Some(before) if range.last.is_some() && before.reaches(range.first) => before.stretch(range.last),
                // Numbers below a range without an end stay named ones, which have to be there.
                Some(before) if range.last.is_none() && before.reaches(range.first) => {
                    before.last = Some(range.first - 1);
                    if before.first == range.first {
                        apart.pop();
                    }
                    apart.push(range);
                }
                _ => apart.push(range),
            }
        }
        Ok(Self(apart))
    }

    /// Whether a partition is in it.
    pub fn holds(&self, partition: i32) -> bool {
        let holds = |range: &Range| range.first <= partition && range.last.is_none_or(|last| partition <= last);
        self.0.iter().any(holds)
    }

    /// What is named but not there. A range without an end names nothing by itself.
    pub(super) fn missing(&self, there: &BTreeSet<i32>) -> Option<Self> {
        let mut missing = Vec::new();
        for (range, last) in self.0.iter().filter_map(|range| Some((range, range.last?))) {
            let mut first = Some(range.first);
            for &number in there.range(range.first..=last) {
                missing.extend(first.and_then(|first| Range::before(first, number)));
                first = number.checked_add(1);
            }
            missing.extend(first.filter(|first| *first <= last).map(|first| Range {
                first,
                last: Some(last),
            }));
        }
        (!missing.is_empty()).then_some(Self(missing))
    }

    /// These numbers, as ranges.
    pub(super) fn of(numbers: &BTreeSet<i32>) -> Self {
        let mut ranges: Vec<Range> = Vec::new();
        for &number in numbers {
            match ranges.last_mut() {
                Some(before) if before.reaches(number) => before.stretch(Some(number)),
                _ => ranges.push(Range {
                    first: number,
                    last: Some(number),
                }),
            }
        }
        Self(ranges)
    }

    /// `partition 3`, `partitions 0-4, 7`.
    pub(super) fn named(&self) -> String {
        let one = matches!(self.0[..], [Range { first, last }] if last == Some(first));
        let word = if one { "partition" } else { "partitions" };
        format!("{word} {self}")
    }
}

/// Looks for the partitions that are asked for among those of the topics that `patterns` select, `names`. The notice is a warning: none
/// of them is there yet.
///
/// # Errors
/// None of the topics has one that is named. Where a topic is gone or hides its partitions, nobody knows whether it has.
pub fn check(
    wanted: Option<&PartitionSet>,
    patterns: &[Pattern],
    names: &BTreeSet<String>,
    cluster: &Cluster,
) -> Result<Option<Notice>> {
    let Some(wanted) = wanted else { return Ok(None) };
    let is_gone = |pattern: &Pattern| matches!(pattern, Pattern::Name(name) if !names.contains(name));
    let mut there = BTreeSet::new();
    for name in names {
        let of_topic = cluster.topics.get(name).map_or(&[][..], Vec::as_slice);
        if of_topic.is_empty() {
            return Ok(None);
        }
        there.extend(of_topic.iter().map(|partition| partition.partition));
    }
    if there.is_empty() || patterns.iter().any(is_gone) {
        return Ok(None);
    }
    let mut topics = names.iter();
    let (has_no, they_have) = match (topics.next(), topics.next()) {
        (Some(name), None) => (format!("topic {name} has no"), "it has"),
        _ => (format!("none of the {} topics has", names.len()), "they have"),
    };
    let object = format_args!("--partitions {wanted}");
    let advice = format_args!("{they_have} {}", PartitionSet::of(&there).named());
    match wanted.missing(&there) {
        Some(missing) => {
            let next = there.last().map_or(0, |last| last.saturating_add(1));
            Err(
                Error::new(object, format_args!("{has_no} {}", missing.named())).hint(format_args!(
                    "{advice}; those that Kafka adds later are in a range without an end, such as {next}-"
                )),
            )
        }
        None if there.iter().any(|&number| wanted.holds(number)) => Ok(None),
        None => {
            let cause = format_args!("{has_no} such partition yet: nothing is read");
            Ok(Some(Notice::warning(Error::new(object, cause).hint(advice))))
        }
    }
}

/// A topic's partitions that are asked for, and the numbers of those that are left out.
pub fn split(wanted: Option<&PartitionSet>, of_topic: &[PartitionMeta]) -> (Vec<PartitionMeta>, Option<PartitionSet>) {
    let is_wanted = |meta: &PartitionMeta| wanted.is_none_or(|wanted| wanted.holds(meta.partition));
    let (mine, others): (Vec<PartitionMeta>, Vec<PartitionMeta>) = of_topic.iter().copied().partition(is_wanted);
    let others: BTreeSet<i32> = others.iter().map(|meta| meta.partition).collect();
    (mine, (!others.is_empty()).then(|| PartitionSet::of(&others)))
}

impl Range {
    fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let wrong = |cause: fmt::Arguments<'_>| {
            Error::usage("--partitions", cause).hint("write it as 0-4,7 or, with all that Kafka adds later, 5-")
        };
        let number = |text: &str| match text.trim() {
            digits if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse::<i32>().ok()
            }
            _ => None,
        };
        let range = match text.split_once('-') {
            None => number(text).map(|first| (first, Some(first))),
            Some((first, last)) if last.trim().is_empty() => number(first).map(|first| (first, None)),
            Some((first, last)) => number(first).zip(number(last)).map(|(first, last)| (first, Some(last))),
        };
        match range {
            None if text.is_empty() => Err(wrong(format_args!("a partition is missing"))),
            None => Err(wrong(format_args!("{text} is neither a partition nor a range of them"))),
            Some((first, Some(last))) if last < first => {
                Err(wrong(format_args!("the range {text} ends before it begins")))
            }
            Some((first, last)) => Ok(Self { first, last }),
        }
    }

    /// From a number to just before another one.
    fn before(first: i32, end: i32) -> Option<Self> {
        (first < end).then_some(Self {
            first,
            last: Some(end - 1),
        })
    }

    /// Whether a number that is not below the first one is in it, or is the next one.
    fn reaches(self, number: i32) -> bool {
        self.last.is_none_or(|last| number <= last.saturating_add(1))
    }

    /// Makes it end with the later of the two.
    fn stretch(&mut self, last: Option<i32>) {
        self.last = self.last.zip(last).map(|(one, other)| one.max(other));
    }
}

/// As it is typed: `0-4,7,9-`.
impl fmt::Display for PartitionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}", range.first)?;
            match range.last {
                Some(last) if last == range.first => {}
                Some(last) => write!(f, "-{last}")?,
                None => f.write_str("-")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(text: &str) -> PartitionSet {
        PartitionSet::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn it_is_a_set_however_it_is_written() {
        for (text, same) in [
            ("3", "3"),
            ("0-4,7", "0-4,7"),
            ("7,0-4", "0-4,7"),
            ("0-4,2,4-6", "0-6"),
            ("0,1,2", "0-2"),
            (" 0 - 4 , 7 ", "0-4,7"),
            ("9-", "9-"),
            ("9-,3,12-14", "3,9-"),
            ("0-8,9-", "0-8,9-"),
            ("0-8,3-,5-", "0-2,3-"),
            ("3-5,3-", "3-"),
            ("5-5", "5"),
            ("2147483647,2147483646-", "2147483646-"),
        ] {
            assert_eq!(set(text).to_string(), same, "{text}");
        }
    }

    #[test]
    fn what_is_no_set_is_wrong_usage_and_says_how_to_write_one() {
        for (wrong, cause) in [
            ("", "a partition is missing"),
            ("1,,2", "a partition is missing"),
            ("1,", "a partition is missing"),
            ("4-0", "the range 4-0 ends before it begins"),
            ("-3", "-3 is neither a partition nor a range of them"),
            ("-", "- is neither"),
            ("1-2-3", "1-2-3 is neither"),
            ("+1", "+1 is neither"),
            ("0..4", "0..4 is neither"),
            ("all", "all is neither"),
            ("2147483648", "2147483648 is neither"),
        ] {
            let error = PartitionSet::parse(wrong).unwrap_err();
            assert_eq!(error.kind(), crate::error::Kind::Usage, "{wrong}");
            assert!(
                error.to_string().starts_with(&format!("--partitions: {cause}")),
                "{error}"
            );
            assert!(error.advice().is_some_and(|advice| advice.contains("0-4,7")), "{error}");
        }
    }

    #[test]
    fn what_is_missing_is_named_as_ranges_however_many_they_are() {
        let there = BTreeSet::from([0, 1, 2, 5]);
        let missing = |text| set(text).missing(&there).map(|missing| missing.named());
        assert_eq!(missing("0-2,5"), None);
        assert_eq!(missing("9-"), None);
        assert_eq!(missing("0-3").as_deref(), Some("partition 3"));
        assert_eq!(missing("0-3,4-").as_deref(), Some("partition 3"));
        assert_eq!(missing("0-6").as_deref(), Some("partitions 3-4,6"));
        assert_eq!(missing("0-2147483647").as_deref(), Some("partitions 3-4,6-2147483647"));
    }

    proptest! {
        #[test]
        fn it_holds_what_its_parts_hold(
            parts in prop::collection::vec((0i32..30, prop::option::of(0i32..30)), 1..6), there in prop::collection::btree_set(0i32..70, 0..40),
        ) {
            let part = |&(first, more): &(i32, Option<i32>)| match more {
                Some(0) => first.to_string(),
                Some(more) => format!("{first}-{}", first + more),
                None => format!("{first}-"),
            };
            let text = parts.iter().map(part).collect::<Vec<_>>().join(",");
            let read = set(&text);
            prop_assert_eq!(&set(&read.to_string()), &read);
            let missing = read.missing(&there);
            for number in 0..70 {
                let ends = |(first, more): &(i32, Option<i32>)| more.map_or(i32::MAX, |more| first + more);
                let held = parts.iter().any(|part| part.0 <= number && number <= ends(part));
                prop_assert_eq!(read.holds(number), held);
                // Past the open range's beginning nothing has to be there.
                let open = parts.iter().filter(|part| part.1.is_none()).map(|part| part.0).min().unwrap_or(i32::MAX);
                if number < open {
                    let is_missing = missing.as_ref().is_some_and(|missing| missing.holds(number));
                    prop_assert_eq!(is_missing, held && !there.contains(&number));
                }
            }
            let of = PartitionSet::of(&there);
            prop_assert!((0..70).all(|number| of.holds(number) == there.contains(&number)));
        }
    }
}
