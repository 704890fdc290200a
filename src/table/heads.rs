//! Raw heads as numbers: one look-up in place of parsing measurement and tags again.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// The heads that were met, as they stood in their lines, with the table and series of each.
///
/// Their bytes stand in one piece of memory and their hashes beside the numbers, so that a hundred thousand series cost few
/// allocations and growing touches none of their bytes.
#[derive(Debug, Default)]
pub(super) struct Heads {
    bytes: Vec<u8>,
    known: HashTable<Known>,
    seed: RandomState,
}

#[derive(Debug)]
struct Known {
    hash: u64,
    start: usize,
    len: usize,
    numbers: (u32, u32),
}

impl Heads {
    /// The numbers of a head that was added.
    #[inline]
    pub(super) fn find(&self, head: &[u8]) -> Option<(u32, u32)> {
        let hash = self.seed.hash_one(head);
        let same = |known: &Known| known.hash == hash && self.bytes[known.start..known.start + known.len] == *head;
        self.known.find(hash, same).map(|known| known.numbers)
    }

    /// Adds a head that [`Heads::find`] does not find. Gives the bytes it takes.
    pub(super) fn add(&mut self, head: &[u8], numbers: (u32, u32)) -> usize {
        let known = Known {
            hash: self.seed.hash_one(head),
            start: self.bytes.len(),
            len: head.len(),
            numbers,
        };
        self.bytes.extend_from_slice(head);
        self.known.insert_unique(known.hash, known, |known| known.hash);
        // A hash table is at least half full on average.
        head.len() + 2 * size_of::<Known>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_head_is_found_by_its_own_numbers() {
        let mut heads = Heads::default();
        let head = |number: u32| format!("cpu,host=web-{number}").into_bytes();
        for number in 0..5_000 {
            assert_eq!(heads.find(&head(number)), None);
            heads.add(&head(number), (number % 7, number));
        }
        for number in 0..5_000 {
            assert_eq!(heads.find(&head(number)), Some((number % 7, number)));
        }
        assert_eq!(heads.find(b""), None);
        assert_eq!(heads.find(b"cpu,host=web-"), None);
    }
}
