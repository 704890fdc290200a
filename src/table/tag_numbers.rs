//! Tag keys and values as numbers, for one collector's table: a series is then a short list of pairs.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Different things, numbered in the order in which they were first seen.
#[derive(Debug)]
struct Numbered<T> {
    things: Vec<T>,
    /// Hash and number of each.
    numbers: HashTable<(u64, u32)>,
    seed: RandomState,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self {
            things: Vec::new(),
            numbers: HashTable::new(),
            seed: RandomState::default(),
        }
    }
}

impl<T> Numbered<T> {
    /// The number of a thing, which is made if it is new.
    fn number<Q: Hash + ?Sized>(&mut self, thing: &Q, make: impl FnOnce() -> T) -> u32
    where
        T: PartialEq<Q>,
    {
        let hash = self.seed.hash_one(thing);
        let same = |&(other, number): &(u64, u32)| other == hash && self.things[number as usize] == *thing;
        if let Some(&(_, number)) = self.numbers.find(hash, same) {
            return number;
        }
        let number = u32::try_from(self.things.len()).expect("things are bounded by memory long before");
        self.things.push(make());
        self.numbers.insert_unique(hash, (hash, number), |&(hash, _)| hash);
        number
    }
}

/// The tag keys of a table and their values.
#[derive(Debug, Default)]
pub(super) struct TagNumbers {
    keys: Numbered<String>,
    /// For each key its distinct values.
    values: Vec<Numbered<String>>,
}

impl TagNumbers {
    /// The numbers of a tag's key and value.
    pub(super) fn number(&mut self, key: &str, value: &str) -> (u32, u32) {
        let key_number = self.keys.number(key, || key.to_owned());
        let index = key_number as usize;
        if index == self.values.len() {
            self.values.push(Numbered::default());
        }
        (key_number, self.values[index].number(value, || value.to_owned()))
    }

    /// How many keys there are.
    pub(super) fn keys(&self) -> usize {
        self.keys.things.len()
    }

    /// The keys, and for each its values, by number.
    pub(super) fn finish(self) -> (Vec<String>, Vec<Vec<String>>) {
        let values = self.values.into_iter().map(|values| values.things).collect();
        (self.keys.things, values)
    }
}

/// The series of a table: each the pairs of its tags' numbers, ascending.
#[derive(Debug, Default)]
pub(super) struct SeriesNumbers(Numbered<Vec<(u32, u32)>>);

impl SeriesNumbers {
    /// The number of a series.
    pub(super) fn number(&mut self, tags: &[(u32, u32)]) -> u32 {
        self.0.number(tags, || tags.to_vec())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.things.len()
    }

    /// The series by number.
    pub(super) fn finish(self) -> Vec<Vec<(u32, u32)>> {
        self.0.things
    }
}
