//! (pure) The order-preserving bytes under which a row stands in LMDB.
//! `partition (4, BE) | generation (4, BE) | pk in groups | sk`: byte order is (pk, sk) order.
//! A pk is cut into groups of eight bytes, zero padded, each followed by one byte: 9 when more
//! groups follow, else how many bytes of the group count. So NUL costs no doubling and no pk's
//! encoding is a prefix of another's.

use crate::ids::{Generation, Partition};
use crate::limits::ENCODED_KEY_MAX;

/// Bytes of (partition, generation).
pub const PREFIX: usize = 8;
/// Bytes of a pk in one group.
pub const GROUP: usize = 8;
const MORE: u8 = 9;

/// A buffer for encoded keys, meant to be kept and used again.
#[derive(Clone, Debug, Default)]
pub struct KeyBuf(Vec<u8>);

impl KeyBuf {
    /// An empty buffer with room for any key.
    pub fn new() -> Self {
        Self(Vec::with_capacity(ENCODED_KEY_MAX))
    }

    /// The prefix that all rows of a partition's generation share.
    pub fn partition(&mut self, partition: Partition, generation: Generation) -> &[u8] {
        self.0.clear();
        self.0.extend_from_slice(&partition.0.to_be_bytes());
        self.0.extend_from_slice(&generation.0.to_be_bytes());
        &self.0
    }

    /// The prefix that all rows of `pk` share, and no other row has.
    pub fn pk(&mut self, partition: Partition, generation: Generation, pk: &str) -> &[u8] {
        self.partition(partition, generation);
        let mut rest = pk.as_bytes();
        while rest.len() > GROUP {
            let (group, tail) = rest.split_at(GROUP);
            self.group(group, MORE);
            rest = tail;
        }
        // At most GROUP, so it fits a byte.
        self.group(rest, rest.len() as u8);
        &self.0
    }

    #[inline]
    fn group(&mut self, bytes: &[u8], mark: u8) {
        let mut group = [0; GROUP + 1];
        group[..bytes.len()].copy_from_slice(bytes);
        group[GROUP] = mark;
        self.0.extend_from_slice(&group);
    }

    /// The key of one row.
    pub fn row(
        &mut self,
        partition: Partition,
        generation: Generation,
        pk: &str,
        sk: &str,
    ) -> &[u8] {
        self.pk(partition, generation, pk);
        self.0.extend_from_slice(sk.as_bytes());
        &self.0
    }

    /// What was encoded last.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A row key taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowKey<'k> {
    /// The partition.
    pub partition: Partition,
    /// The generation.
    pub generation: Generation,
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: &'k str,
}

impl<'k> RowKey<'k> {
    /// Takes an encoded key apart; `None` when the bytes are not one.
    pub fn decode(bytes: &'k [u8]) -> Option<Self> {
        let mut pk = String::with_capacity(2 * GROUP);
        let (partition, generation, sk) = Self::split(bytes, &mut pk)?;
        Some(Self { partition, generation, pk, sk })
    }

    /// [`RowKey::decode`] for walks over many: the pk goes into a buffer that is used again.
    pub fn split(bytes: &'k [u8], pk: &mut String) -> Option<(Partition, Generation, &'k str)> {
        let (partition, rest) = bytes.split_first_chunk::<4>()?;
        let (generation, mut rest) = rest.split_first_chunk::<4>()?;
        let mut joined = std::mem::take(pk).into_bytes();
        joined.clear();
        loop {
            let (group, tail) = rest.split_first_chunk::<GROUP>()?;
            let (mark, tail) = tail.split_first()?;
            rest = tail;
            if *mark == MORE {
                joined.extend_from_slice(group);
                continue;
            }
            let used = usize::from(*mark);
            let padding = group.get(used..)?;
            if padding.iter().any(|b| *b != 0) || (used == 0 && !joined.is_empty()) {
                return None;
            }
            joined.extend_from_slice(&group[..used]);
            break;
        }
        *pk = String::from_utf8(joined).ok()?;
        let partition = Partition(u32::from_be_bytes(*partition));
        let generation = Generation(u32::from_be_bytes(*generation));
        Some((partition, generation, std::str::from_utf8(rest).ok()?))
    }
}

/// The smallest byte string greater than every string that starts with `prefix`; `None` when
/// there is none (all bytes 0xff).
pub fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|b| *b != 0xff)?;
    let mut end = prefix[..=keep].to_vec();
    end[keep] += 1;
    Some(end)
}
