//! Finds a key that a line already has, at a cost that stays linear in the number of keys.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Up to this many keys are told apart by fingerprints, more by a hash table with a secret seed.
const FEW: usize = 64;

/// Words of the set of fingerprints: with 16 of them (1,024 bits) a typical line of 10 keys seldom looks twice.
const SET_WORDS: usize = 16;

/// An odd number with well spread bits (2^64 divided by the golden ratio).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The keys of one line so far. Kept from line to line for its memory.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Bits of the fingerprints that are there; a clear bit proves that a key is new.
    set: [u64; SET_WORDS],
    fingerprints: Vec<u64>,
    /// Indices of all keys, filled from the moment that there are more than a few.
    table: HashTable<usize>,
    seed: RandomState,
}

impl Keys {
    /// Forgets all keys.
    pub(super) fn clear(&mut self) {
        self.set = [0; SET_WORDS];
        self.fingerprints.clear();
        if !self.table.is_empty() {
            self.table.clear();
        }
    }

    /// Adds `key`, or gives the index of the key equal to it that was added before. `earlier` gives the key that was
    /// added as the n-th, counted from 0.
    pub(super) fn add<'k>(&mut self, key: &[u8], earlier: impl Fn(usize) -> &'k [u8]) -> Option<usize> {
        if self.fingerprints.len() == FEW {
            return self.add_to_many(key, earlier);
        }
        let fingerprint = fingerprint(key);
        let bit = fingerprint >> (u64::BITS - (SET_WORDS as u64 * 64).ilog2());
        let word = &mut self.set[(bit / 64) as usize];
        if *word & (1 << (bit % 64)) != 0 {
            let same = |&index: &usize| self.fingerprints[index] == fingerprint && earlier(index) == key;
            if let Some(index) = (0..self.fingerprints.len()).find(same) {
                return Some(index);
            }
        }
        *word |= 1 << (bit % 64);
        self.fingerprints.push(fingerprint);
        None
    }

    fn add_to_many<'k>(&mut self, key: &[u8], earlier: impl Fn(usize) -> &'k [u8]) -> Option<usize> {
        let Self { table, seed, .. } = self;
        let hash_of = |&index: &usize| seed.hash_one(earlier(index));
        if table.is_empty() {
            for index in 0..FEW {
                table.insert_unique(hash_of(&index), index, hash_of);
            }
        }
        let hash = seed.hash_one(key);
        if let Some(&index) = table.find(hash, |&index| earlier(index) == key) {
            return Some(index);
        }
        table.insert_unique(hash, table.len(), hash_of);
        None
    }
}

/// A number that equal keys share and different ones seldom do: of the length and the last 8 bytes, in which the keys of
/// one measurement (`usage_user`, `usage_system`) differ.
fn fingerprint(key: &[u8]) -> u64 {
    let tail = match key.last_chunk::<8>() {
        Some(&tail) => u64::from_le_bytes(tail),
        None => key.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    };
    (tail ^ key.len() as u64).wrapping_mul(SPREAD)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn earlier_of_each(keys: &[Vec<u8>]) -> Vec<Option<usize>> {
        let mut seen = Keys::default();
        let mut added: Vec<&[u8]> = Vec::new();
        let mut found = Vec::new();
        for key in keys {
            let earlier = seen.add(key, |index| added[index]);
            if earlier.is_none() {
                added.push(key);
            }
            found.push(earlier);
        }
        found
    }

    fn expected(keys: &[Vec<u8>]) -> Vec<Option<usize>> {
        let mut added: Vec<&[u8]> = Vec::new();
        let mut expected = Vec::new();
        for key in keys {
            let earlier = added.iter().position(|other| other == key);
            if earlier.is_none() {
                added.push(key);
            }
            expected.push(earlier);
        }
        expected
    }

    proptest! {
        #[test]
        fn repeated_keys_are_found_whether_few_or_many(
            keys in prop::collection::vec(prop::collection::vec(b'a'..b'd', 0..5), 0..300),
        ) {
            prop_assert_eq!(earlier_of_each(&keys), expected(&keys));
        }

        #[test]
        fn keys_with_the_same_end_are_told_apart(
            keys in prop::collection::vec(prop::collection::vec(b'a'..b'c', 0..4), 0..100),
        ) {
            let keys: Vec<Vec<u8>> = keys.into_iter().map(|key| [key, b"_the_same_end".to_vec()].concat()).collect();
            prop_assert_eq!(earlier_of_each(&keys), expected(&keys));
        }
    }

    #[test]
    fn nothing_is_remembered_after_clear() {
        let names: Vec<Vec<u8>> = (0..200).map(|index| format!("k{index}").into_bytes()).collect();
        let mut seen = Keys::default();
        for _ in 0..3 {
            for name in &names {
                assert_eq!(seen.add(name, |index| &names[index]), None);
            }
            for (index, name) in names.iter().enumerate() {
                assert_eq!(seen.add(name, |index| &names[index]), Some(index));
            }
            seen.clear();
        }
    }
}
