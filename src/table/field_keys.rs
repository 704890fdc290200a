//! Field keys as numbers: the look-up that every field of every line takes.
//!
//! The keys of a table are few and come in any order, so they stand in a small table of their own, four places for each key, in
//! which a key is found by its first and last eight bytes without touching it. Keys that do not fit into it, such as a
//! producer could make in large numbers with one length, one beginning and one end, are looked up in a common hash table.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Places that a key may be away from its own one.
const REACH: usize = 8;

/// Places for each key at least.
const SPARSITY: usize = 4;

/// Places for each key at most; beyond that, more of them would not help.
const MOST_SPARSITY: usize = 16;

/// The field keys of one table, numbered in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct FieldKeys {
    keys: Vec<Box<[u8]>>,
    places: Vec<Place>,
    /// Keys without a place.
    others: HashTable<u32>,
    seed: RandomState,
    seeds: [u64; 2],
}

/// A key's place; empty with a length of 0.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    words: [u64; 2],
    len: u32,
    number: u32,
}

impl FieldKeys {
    /// The number of a key, which is not empty; `words` are its [`key_words`](crate::lineproto::Field::key_words).
    #[inline(always)]
    pub(super) fn find(&self, key: &[u8], words: [u64; 2]) -> Option<u32> {
        let mask = self.places.len().wrapping_sub(1);
        let start = self.place_of(key.len(), words);
        for at in start..start + REACH {
            let place = self.places.get(at & mask)?;
            if place.words == words && place.len as usize == key.len() && self.middle_is(place.number, key) {
                return Some(place.number);
            }
            if place.len == 0 {
                break;
            }
        }
        // A key that found no place once is not given one that became free.
        if self.others.is_empty() {
            None
        } else {
            self.find_other(key)
        }
    }

    /// Whether what the words of a key do not hold is the same.
    #[inline(always)]
    fn middle_is(&self, number: u32, key: &[u8]) -> bool {
        key.len() <= 16 || *self.keys[number as usize] == *key
    }

    #[inline(always)]
    fn place_of(&self, len: usize, [first, last]: [u64; 2]) -> usize {
        let [a, b] = self.seeds;
        let product = u128::from(first ^ a) * u128::from(last ^ b ^ len as u64);
        // Half of the bits, so that a reach of places never overflows.
        ((product as u64 ^ (product >> 64) as u64) >> 32) as usize
    }

    #[cold]
    fn find_other(&self, key: &[u8]) -> Option<u32> {
        let same = |number: &u32| *self.keys[*number as usize] == *key;
        self.others.find(self.seed.hash_one(key), same).copied()
    }

    /// Adds a key that [`FieldKeys::find`] does not find, and gives its number.
    pub(super) fn add(&mut self, key: &[u8], words: [u64; 2]) -> u32 {
        let number = u32::try_from(self.keys.len()).expect("keys are bounded by memory long before");
        self.keys.push(key.into());
        let place = Place {
            words,
            len: u32::try_from(key.len()).expect("lines are shorter than 4 GiB"),
            number,
        };
        if self.keys.len() * SPARSITY > self.places.len() {
            self.grow();
        }
        if self.free_place(&place).is_none() && self.places.len() < self.keys.len() * MOST_SPARSITY {
            self.grow();
        }
        self.put(place);
        number
    }

    fn free_place(&self, place: &Place) -> Option<usize> {
        let mask = self.places.len() - 1;
        let start = self.place_of(place.len as usize, place.words);
        (start..start + REACH)
            .map(|at| at & mask)
            .find(|&at| self.places[at].len == 0)
    }

    fn put(&mut self, place: Place) {
        match self.free_place(&place) {
            Some(at) => self.places[at] = place,
            None => {
                let Self { keys, others, seed, .. } = self;
                let hash_of = |number: &u32| seed.hash_one(&*keys[*number as usize]);
                others.insert_unique(hash_of(&place.number), place.number, hash_of);
            }
        }
    }

    /// Doubles the places at least. Keys without one stay without.
    fn grow(&mut self) {
        if self.places.is_empty() {
            self.seeds = [self.seed.hash_one(0), self.seed.hash_one(1)];
        }
        let len = (self.places.len() * 2).max((self.keys.len() * SPARSITY).next_power_of_two());
        let before = std::mem::replace(&mut self.places, vec![Place::default(); len]);
        for place in before.into_iter().filter(|place| place.len > 0) {
            self.put(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn words(key: &[u8]) -> [u64; 2] {
        let line = [b"m ", key, b"=1"].concat();
        let mut parser = crate::lineproto::Parser::new(Default::default(), Default::default());
        let mut lines = parser.lines(&line);
        let line = lines.next().unwrap().unwrap();
        line.fields().next().unwrap().key_words()
    }

    fn numbered(keys: &[Vec<u8>]) -> FieldKeys {
        let mut known = FieldKeys::default();
        let mut expected: HashMap<&[u8], u32> = HashMap::new();
        for key in keys {
            let next = expected.len() as u32;
            match known.find(key, words(key)) {
                Some(number) => assert_eq!(expected.get(key.as_slice()), Some(&number)),
                None => assert_eq!(expected.insert(key, known.add(key, words(key))), None),
            }
            assert!(expected[key.as_slice()] <= next);
        }
        for (key, number) in expected {
            assert_eq!(known.find(key, words(key)), Some(number));
        }
        known
    }

    proptest! {
        #[test]
        fn every_key_is_found_by_its_own_number(
            keys in prop::collection::vec(prop::collection::vec(b'a'..b'd', 1..24), 1..300),
        ) {
            numbered(&keys);
        }
    }

    #[test]
    fn keys_of_one_length_beginning_and_end_are_told_apart() {
        let keys: Vec<Vec<u8>> = (0..2_000)
            .map(|n| format!("beginning_{n:08}_the_end").into_bytes())
            .collect();
        let known = numbered(&keys);
        assert!(known.others.len() > 1_900);
        assert_eq!(known.find(b"beginning_99999999_the_end", words(&keys[0])), None);
    }

    #[test]
    fn usual_keys_all_have_a_place() {
        let keys: Vec<Vec<u8>> = (0..200).map(|n| format!("usage_{n}").into_bytes()).collect();
        // The seeds are random: 11 of 5,000 such tables left one to three keys without a place.
        assert!((0..4).any(|_| numbered(&keys).others.is_empty()));
        assert!(numbered(&keys).others.len() <= 5);
    }

    #[test]
    fn an_empty_table_finds_nothing() {
        assert_eq!(FieldKeys::default().find(b"a", words(b"a")), None);
    }
}
