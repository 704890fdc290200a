//! What a record says of the bytes of a leaf: BLAKE3, which nobody can forge, and XXH3, which costs a tenth of it.
//!
//! A leaf that is copied is compared with the record by its sum, and keeps the hash it has there: damage that a sum did not see would be
//! found by `verify` still. That a sum of 128 bits misses damage nobody made on purpose has a chance of one in 2^128.

use twox_hash::XxHash3_128;

use super::record::Piece;

/// BLAKE3 and XXH3 of the same bytes, hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// BLAKE3.
    pub hash: String,
    /// XXH3 of 128 bits, in the canonical order of its bytes: as `xxhsum -H128` prints it.
    pub sum: String,
}

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            hash: blake3::hash(bytes).to_hex().to_string(),
            sum: hex_sum(XxHash3_128::oneshot(bytes)),
        }
    }

    /// The piece of a file that has these bytes at `offset`.
    pub fn piece(&self, offset: u64, bytes: u64) -> Piece {
        Piece {
            offset,
            bytes,
            hash: self.hash.clone(),
            sum: Some(self.sum.clone()),
        }
    }
}

/// Digests the bytes of a piece as they pass: without a record of theirs ([`PieceDigest::default`]), or as a copy.
pub struct PieceDigest {
    bytes: u64,
    sum: XxHash3_128,
    hash: Hash,
}

enum Hash {
    /// BLAKE3 of what passes.
    Computed(Box<blake3::Hasher>),
    /// What passes is to have the recorded sum, and has the recorded hash then.
    Recorded { hash: String, sum: String },
}

impl Default for PieceDigest {
    fn default() -> Self {
        Self {
            bytes: 0,
            sum: XxHash3_128::new(),
            hash: Hash::Computed(Box::default()),
        }
    }
}

impl PieceDigest {
    /// Of what should be the bytes of `recorded`.
    pub fn of_copy(recorded: &Piece) -> Self {
        let hash = match &recorded.sum {
            Some(sum) => Hash::Recorded {
                hash: recorded.hash.clone(),
                sum: sum.clone(),
            },
            // Written by a version that had no sums.
            None => Hash::Computed(Box::default()),
        };
        Self {
            hash,
            ..Self::default()
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.sum.write(bytes);
        if let Hash::Computed(hash) = &mut self.hash {
            hash.update(bytes);
        }
    }

    /// How many bytes there were.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The piece that these bytes are at `offset`, or `None` where they have another sum than the one recorded.
    pub fn finish(self, offset: u64) -> Option<Piece> {
        let found = hex_sum(self.sum.finish_128());
        let hash = match self.hash {
            Hash::Computed(hash) => hash.finalize().to_hex().to_string(),
            Hash::Recorded { hash, sum } => (sum == found).then_some(hash)?,
        };
        Some(Piece {
            offset,
            bytes: self.bytes,
            hash,
            sum: Some(found),
        })
    }
}

/// Whether a piece has the bytes of another one, as far as their records tell; not whether it is at the same place.
pub fn same_bytes(a: &Piece, b: &Piece) -> bool {
    let same_sum = match (&a.sum, &b.sum) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    a.bytes == b.bytes && a.hash == b.hash && same_sum
}

fn hex_sum(sum: u128) -> String {
    format!("{sum:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: &[u8] = b"xxhash";

    fn of(recorded: Option<&Piece>, bytes: &[u8]) -> Option<Piece> {
        let mut digest = recorded.map_or_else(PieceDigest::default, PieceDigest::of_copy);
        let (start, end) = bytes.split_at(bytes.len() / 2);
        digest.update(start);
        digest.update(end);
        assert_eq!(digest.bytes(), bytes.len() as u64);
        digest.finish(7)
    }

    #[test]
    fn the_sum_is_written_as_xxhsum_prints_it() {
        // `xxhsum -H128` of nothing, as the test vectors of xxHash have it.
        assert_eq!(Digest::of(b"").sum, "99aa06d3014798d86001c324468d497f");
    }

    #[test]
    fn bytes_that_pass_in_pieces_have_the_digest_of_all() {
        assert_eq!(of(None, BYTES), Some(Digest::of(BYTES).piece(7, 6)));
    }

    #[test]
    fn a_copy_keeps_the_hash_on_record_and_only_with_its_sum() {
        let recorded = Piece {
            hash: "what the record says".into(),
            ..Digest::of(BYTES).piece(0, 6)
        };
        assert_eq!(of(Some(&recorded), BYTES).unwrap().hash, "what the record says");
        for bit in 0..8 * BYTES.len() {
            let mut flipped = BYTES.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(of(Some(&recorded), &flipped), None, "bit {bit}");
        }
        assert_eq!(of(Some(&recorded), &BYTES[1..]), None);
    }

    #[test]
    fn a_copy_of_what_has_no_sum_on_record_gets_one_and_is_hashed() {
        let recorded = Piece {
            sum: None,
            ..Digest::of(BYTES).piece(0, 6)
        };
        let copy = of(Some(&recorded), BYTES).unwrap();
        assert_eq!(copy, Digest::of(BYTES).piece(7, 6));
        assert!(same_bytes(&copy, &recorded));
        let other = of(Some(&recorded), b"xxhasH").unwrap();
        assert!(!same_bytes(&other, &recorded));
    }
}
