//! (pure) Which partition a key belongs to: Kafka's murmur2, or keydb's xxh64.

use std::fmt;
use std::str::FromStr;

use crate::ids::Partition;

/// The hash function of a namespace; it never changes once the namespace has data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Hash {
    /// Kafka's default partitioner as the Java client and franz-go do it: murmur2, sign masked.
    #[default]
    Murmur2,
    /// xxh64 with seed 0.
    Xxh64,
}

impl Hash {
    /// The partition of `pk` among `partitions`.
    pub fn partition(self, pk: &[u8], partitions: u32) -> Partition {
        let count = partitions.max(1);
        match self {
            Self::Murmur2 => Partition((murmur2(pk) & 0x7fff_ffff) % count),
            Self::Xxh64 => {
                let hash = xxhash_rust::xxh64::xxh64(pk, 0) % u64::from(count);
                Partition(u32::try_from(hash).unwrap_or(0))
            }
        }
    }
}

/// 32-bit murmur2 with Kafka's seed, over little-endian blocks of four bytes.
/// Source: `org.apache.kafka.common.utils.Utils.murmur2`.
pub fn murmur2(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let mut h = SEED ^ u32::try_from(key.len()).unwrap_or(u32::MAX);
    let mut blocks = key.chunks_exact(4);
    for block in &mut blocks {
        let mut k = u32::from_le_bytes([block[0], block[1], block[2], block[3]]);
        k = k.wrapping_mul(M);
        k ^= k >> 24;
        k = k.wrapping_mul(M);
        h = h.wrapping_mul(M) ^ k;
    }
    let tail = blocks.remainder();
    for (i, byte) in tail.iter().enumerate() {
        h ^= u32::from(*byte) << (8 * i);
    }
    if !tail.is_empty() {
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Murmur2 => "murmur2",
            Self::Xxh64 => "xxh64",
        })
    }
}

/// The name is no hash function that Pumice knows.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown hash '{0}': use murmur2 or xxh64")]
pub struct UnknownHash(String);

impl FromStr for Hash {
    type Err = UnknownHash;

    fn from_str(name: &str) -> Result<Self, UnknownHash> {
        match name {
            "murmur2" => Ok(Self::Murmur2),
            "xxh64" => Ok(Self::Xxh64),
            other => Err(UnknownHash(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_agrees_with_kafka() {
        let known: [(&str, u32); 10] = [
            ("", 0x106e_08d9),
            ("a", 0xa2d0_b27c),
            ("pk1", 0x3b2e_2860),
            ("pk2", 0x6e41_9826),
            ("pk3", 0x446f_55b3),
            ("blah", 0x5b0e_e265),
            ("hello", 0x7f1d_dbbd),
            ("21", 0xc5f2_f8ec),
            ("foobar", 0xd0e4_7bbe),
            ("日本", 0xd63a_78f3),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key.as_bytes()), hash, "{key}");
        }
    }

    #[test]
    fn the_sign_bit_is_masked() {
        assert_eq!(Hash::Murmur2.partition(b"foobar", 3), Partition(0));
        assert_eq!(Hash::Murmur2.partition(b"pk1", 256), Partition(96));
        assert_eq!(Hash::Murmur2.partition(b"pk2", 256), Partition(38));
        assert_eq!(Hash::Murmur2.partition(b"pk3", 256), Partition(179));
    }
}
