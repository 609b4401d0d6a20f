//! (pure) What a node says of itself, as the texts that gossip carries: `about` once, `now` and
//! `held/N` when they change. Whatever peers send must end as a value or as a fault, never a panic.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use pumice_model::holding::Holding;
use pumice_model::ids::{Offset, Partition};
use pumice_model::time::Millis;
use serde::{Deserialize, Serialize};

use super::view::Held;

/// Key of [`About`].
pub const ABOUT: &str = "about";
/// Key of [`Now`].
pub const NOW: &str = "now";
/// Keys of what is held begin so; the number of a piece follows.
pub const HELD: &str = "held/";
/// Partitions that one `held/N` is about. Such a value is at most some 15 KB, where a datagram has
/// room for 64.
pub const PIECE: u32 = 1_024;
/// Which way of saying things this is; another one is not understood.
pub const FORMAT: u32 = 1;

/// Words and addresses of a peer are no longer.
const TEXT_BYTES_MAX: usize = 256;
/// Bits of a holding beside the gap to the partition before.
const HOLDING_BITS: u32 = 3;

/// What stays as it is while a process lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// [`FORMAT`].
    pub format: u32,
    /// How many partitions the namespace has, to this node.
    pub partitions: u32,
    /// What places a pk.
    pub hash: String,
    /// Where it stands.
    pub region: String,
    /// Which copy of everything it is a part of.
    pub group: String,
    /// `HOST:PORT` of its public port.
    pub http: String,
    /// `HOST:PORT` of its admin port.
    pub admin: String,
}

/// What changes by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Its wall clock when it said so.
    pub at: Millis,
    /// Whether it is about to leave, for good as far as anybody knows.
    pub draining: bool,
    /// Whether its process ends, and may be back within seconds. A version before it was said says
    /// nothing.
    #[serde(default)]
    pub ending: bool,
    /// Reads that it answers in a second.
    pub load: u64,
}

/// What a peer said and is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what it says of itself is malformed ({0})")]
pub struct Malformed(pub &'static str);

impl About {
    /// As a value of gossip.
    pub fn write(&self) -> String {
        // A struct of numbers and strings: writing it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The inverse.
    pub fn read(text: &str) -> Result<Self, Malformed> {
        let about: Self = serde_json::from_str(text).map_err(|_| Malformed("about"))?;
        let texts = [&about.hash, &about.region, &about.group, &about.http, &about.admin];
        let short = texts.iter().all(|text| text.len() <= TEXT_BYTES_MAX);
        short.then_some(about).ok_or(Malformed("about"))
    }

    /// What peers of one namespace must agree on.
    pub fn fingerprint(&self) -> (u32, u32, &str) {
        (self.format, self.partitions, &self.hash)
    }
}

impl Now {
    /// As a value of gossip.
    pub fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The inverse.
    pub fn read(text: &str) -> Result<Self, Malformed> {
        serde_json::from_str(text).map_err(|_| Malformed("now"))
    }
}

/// What is held as values of gossip, by key: a piece for each [`PIECE`] partitions of `partitions`.
pub fn write_held(held: &BTreeMap<Partition, Held>, partitions: u32) -> Vec<(String, String)> {
    let pieces = 0..partitions.div_ceil(PIECE);
    let piece = |number: u32| {
        let of_piece = held.range(range(number));
        (format!("{HELD}{number}"), write_piece(number, of_piece))
    };
    pieces.map(piece).collect()
}

fn range(piece: u32) -> std::ops::Range<Partition> {
    Partition(piece * PIECE)..Partition((piece + 1) * PIECE)
}

/// Neighbours are written as differences: partitions of one namespace are often about as long.
fn write_piece<'a>(number: u32, held: impl Iterator<Item = (&'a Partition, &'a Held)>) -> String {
    let mut bytes = Vec::new();
    let (mut expected, mut before) = (number * PIECE, 0);
    for (partition, held) in held {
        let gap = u64::from(partition.0 - expected);
        push(&mut bytes, gap << HOLDING_BITS | held.holding as u64);
        let change = held.next.0.wrapping_sub(before) as i64;
        push(&mut bytes, (change << 1 ^ change >> 63) as u64);
        (expected, before) = (partition.0 + 1, held.next.0);
    }
    BASE64.encode(bytes)
}

/// Reads one piece into `held`.
pub fn read_piece(
    number: u32,
    text: &str,
    held: &mut BTreeMap<Partition, Held>,
) -> Result<(), Malformed> {
    let fault = Malformed("held");
    let bytes = BASE64.decode(text).map_err(|_| fault)?;
    let mut bytes = bytes.as_slice();
    let end = u64::from(range(number).end.0);
    let (mut expected, mut before) = (u64::from(number * PIECE), 0_u64);
    while !bytes.is_empty() {
        let first = take(&mut bytes).ok_or(fault)?;
        let partition = expected.checked_add(first >> HOLDING_BITS).filter(|p| *p < end);
        let partition = Partition(partition.ok_or(fault)? as u32);
        let holding = Holding::of((first & ((1 << HOLDING_BITS) - 1)) as u8).ok_or(fault)?;
        let change = take(&mut bytes).ok_or(fault)?;
        let next = before.wrapping_add((change >> 1) ^ (change & 1).wrapping_neg());
        held.insert(partition, Held { holding, next: Offset(next) });
        (expected, before) = (u64::from(partition.0) + 1, next);
    }
    Ok(())
}

/// LEB128.
fn push(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(first & 0x7f);
        value |= part.checked_shl(shift).filter(|all| all >> shift == part)?;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use proptest::prelude::*;

    use super::*;

    fn read_all(pieces: &[(String, String)]) -> Result<BTreeMap<Partition, Held>, Malformed> {
        let mut held = BTreeMap::new();
        for (key, text) in pieces {
            read_piece(key.strip_prefix(HELD).unwrap().parse().unwrap(), text, &mut held)?;
        }
        Ok(held)
    }

    proptest! {
        #[test]
        fn what_is_held_reads_back(
            all in proptest::collection::btree_map(0..3_000_u32, (0..6_u8, any::<u64>()), 0..200),
        ) {
            let held: BTreeMap<_, _> = all
                .into_iter()
                .map(|(partition, (holding, next))| {
                    let holding = Holding::of(holding).unwrap();
                    (Partition(partition), Held { holding, next: Offset(next) })
                })
                .collect();
            let pieces = write_held(&held, 3_000);
            prop_assert_eq!(pieces.len(), 3);
            prop_assert_eq!(read_all(&pieces).unwrap(), held);
        }

        #[test]
        fn whatever_a_peer_says_is_a_value_or_a_fault(
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
            text in ".{0,40}",
        ) {
            let mut held = BTreeMap::new();
            let _ = read_piece(1, &BASE64.encode(bytes), &mut held);
            prop_assert!(held.keys().all(|p| (PIECE..2 * PIECE).contains(&p.0)));
            let _ = read_piece(0, &text, &mut held);
            let _ = (About::read(&text), Now::read(&text));
        }
    }

    #[test]
    fn a_thousand_partitions_fit_a_few_packets() {
        let one = |partition: u32| {
            // Entries a partition that differ by some percent, as keys that are hashed do.
            let next =
                1_000_000_000 + u64::from(partition.wrapping_mul(2_654_435_761) % 20_000_000);
            (Partition(partition), Held { holding: Holding::Serving, next: Offset(next) })
        };
        let held: BTreeMap<_, _> = (0..1_024).map(one).collect();
        let size: usize = write_held(&held, 1_024).iter().map(|(_, text)| text.len()).sum();
        println!("1,024 partitions held: {size} bytes");
        assert!(size < 8_192, "{size}");
        let third: BTreeMap<_, _> = held.into_iter().filter(|(p, _)| p.0 % 3 == 0).collect();
        let size: usize = write_held(&third, 1_024).iter().map(|(_, text)| text.len()).sum();
        println!("a third of them: {size} bytes");
    }

    #[test]
    fn the_first_partition_of_the_next_piece_is_not_of_this_one() {
        let held = Held { holding: Holding::Serving, next: Offset(0) };
        let text = write_piece(0, [(&Partition(PIECE), &held)].into_iter());
        assert_eq!(read_piece(0, &text, &mut BTreeMap::new()), Err(Malformed("held")));
    }
}
