//! (pure) The last object of a snapshot: what it is a snapshot of, and the frames that its rows
//! stand in, drawn in FORMATS.md. No bit of it can change unseen, and nothing in it is believed
//! that is beyond a limit.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::hash::Hash;
use crate::ids::{Offset, Partition};
use crate::limits::{FRAME_BYTES, FRAME_PACKED_MAX, FRAMES_MAX, MANIFEST_MAX, PARTITIONS_MAX};
use crate::statehash::StateHash;
use crate::time::Millis;

const FORMAT: u32 = 1;
/// Hexadecimal digits of a 128-bit number.
const DIGITS: usize = 32;

/// A snapshot, but for its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// What it is a snapshot of.
    pub about: About,
    /// The frames of the rows object, in its order and with nothing between them.
    pub frames: Vec<Frame>,
}

/// What a snapshot is a snapshot of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The namespace's name.
    pub namespace: String,
    /// How its pks find their partitions.
    pub hash: Hash,
    /// How many partitions it has.
    pub partitions: u32,
    /// Which of them this is.
    pub partition: Partition,
    /// The offset from which the log goes on.
    pub next: Offset,
    /// The highest timestamp of the log so far.
    pub log_time: Millis,
    /// The hash of the log's last record that was applied; 0 from a log that keeps none.
    pub last: u64,
    /// The state hash.
    pub state: StateHash,
    /// Records, expired ones that were not reaped yet included.
    pub rows: u64,
    /// Producers whose last sequence is known.
    pub producers: u64,
    /// Write ids remembered.
    pub writes: u64,
    /// When it was taken, by the clock of the node that took it.
    pub taken_at: Millis,
}

/// One zstd frame of whole rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Bytes in the object.
    pub packed: u32,
    /// Bytes of its rows, each with its length in front.
    pub plain: u32,
    /// xxh3-128 of the bytes in the object.
    pub hash: u128,
}

/// Why bytes are no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestFault {
    /// They are not what was written.
    #[error("the manifest is damaged: {0}")]
    Damaged(&'static str),
    /// They are what was written, by a version that this one does not know.
    #[error("the manifest has format {0}, this version reads {FORMAT}")]
    Format(u32),
    /// They are what was written, and make no sense.
    #[error("the manifest is none: {0}")]
    Malformed(String),
}

/// The line of JSON, in this order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    format: u32,
    namespace: String,
    hash: String,
    partitions: u32,
    partition: u32,
    next: u64,
    log_time: i64,
    last: String,
    state: String,
    rows: u64,
    producers: u64,
    writes: u64,
    taken_at: i64,
    frames: Vec<(u32, u32, String)>,
}

#[derive(Deserialize)]
struct Marked {
    format: u32,
}

impl Manifest {
    /// Bytes of the rows object.
    pub fn packed(&self) -> u64 {
        self.frames.iter().map(|frame| u64::from(frame.packed)).sum()
    }

    /// Bytes of the rows, each with its length in front.
    pub fn plain(&self) -> u64 {
        self.frames.iter().map(|frame| u64::from(frame.plain)).sum()
    }

    /// One line of JSON, then one with the xxh3-128 of the first, without its end.
    pub fn encode(&self) -> Vec<u8> {
        let About { hash, partition, next, log_time, state, .. } = self.about;
        let About { rows, producers, writes, taken_at, .. } = self.about;
        let frames = self.frames.iter();
        let line = Line {
            format: FORMAT,
            namespace: self.about.namespace.clone(),
            hash: hash.to_string(),
            partitions: self.about.partitions,
            partition: partition.0,
            next: next.0,
            log_time,
            last: format!("{:016x}", self.about.last),
            state: state.to_string(),
            rows,
            producers,
            writes,
            taken_at,
            frames: frames.map(|f| (f.packed, f.plain, format!("{:032x}", f.hash))).collect(),
        };
        let mut bytes = serde_json::to_vec(&line).expect("strings and numbers into memory");
        let sum = checksum(&bytes);
        bytes.push(b'\n');
        bytes.extend_from_slice(sum.as_bytes());
        bytes.push(b'\n');
        bytes
    }

    /// Reads what [`Manifest::encode`] wrote. Any bytes give a manifest or a fault.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestFault> {
        use ManifestFault::{Damaged, Format, Malformed};
        if bytes.len() > MANIFEST_MAX {
            return Err(Damaged("it is too long"));
        }
        let unended = Damaged("its end is missing");
        let lines = bytes.strip_suffix(b"\n").ok_or(unended.clone())?;
        let at = lines.len().checked_sub(DIGITS + 1).ok_or(unended)?;
        let (text, sum) = lines.split_at(at);
        // As text: a digit in another case is a flipped bit too.
        if sum != format!("\n{}", checksum(text)).as_bytes() {
            return Err(Damaged("its checksum does not fit"));
        }
        let malformed = |fault: serde_json::Error| Malformed(fault.to_string());
        let Marked { format } = serde_json::from_slice(text).map_err(malformed)?;
        if format != FORMAT {
            return Err(Format(format));
        }
        let line: Line = serde_json::from_slice(text).map_err(malformed)?;
        line.read().map_err(|what| Malformed(what.to_owned()))
    }
}

impl Line {
    fn read(self) -> Result<Manifest, &'static str> {
        if !(1..=PARTITIONS_MAX).contains(&self.partitions) || self.partition >= self.partitions {
            return Err("it has no such partition");
        }
        if self.frames.len() > FRAMES_MAX {
            return Err("it has too many frames");
        }
        let frames = self.frames.iter().map(|(packed, plain, hash)| {
            let fits = (1..=FRAME_PACKED_MAX).contains(packed) && (1..=FRAME_BYTES).contains(plain);
            let frame = Frame { packed: *packed, plain: *plain, hash: hex(hash, DIGITS)? };
            fits.then_some(frame)
        });
        let frames = frames.collect::<Option<_>>().ok_or("a frame is beyond a limit")?;
        let about = About {
            namespace: self.namespace,
            hash: self.hash.parse().map_err(|_| "its hash is unknown")?,
            partitions: self.partitions,
            partition: Partition(self.partition),
            next: Offset(self.next),
            log_time: self.log_time,
            // Sixteen digits are 64 bits.
            last: hex(&self.last, DIGITS / 2).ok_or("last is no hash")? as u64,
            state: StateHash(hex(&self.state, DIGITS).ok_or("state is no hash")?),
            rows: self.rows,
            producers: self.producers,
            writes: self.writes,
            taken_at: self.taken_at,
        };
        Ok(Manifest { about, frames })
    }
}

fn checksum(line: &[u8]) -> String {
    format!("{:032x}", xxh3_128(line))
}

/// Exactly so many lower case digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (text.len() == digits && plain).then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some() -> Manifest {
        let about = About {
            namespace: "shop".to_owned(),
            hash: Hash::Murmur2,
            partitions: 64,
            partition: Partition(20),
            next: Offset(813),
            log_time: 1_683_460_800_123,
            last: 0x00ab_cdef_0123_4567,
            state: StateHash(0x0748_075a_67f2_9cad_ee17_ca92_7dac_de7f),
            rows: 2,
            producers: 1,
            writes: 0,
            taken_at: 1_683_460_900_000,
        };
        let frames = vec![
            Frame { packed: 345_678, plain: 1_048_570, hash: u128::MAX },
            Frame { packed: 9, plain: 100, hash: 7 },
        ];
        Manifest { about, frames }
    }

    fn resealed(text: &str) -> Vec<u8> {
        format!("{text}\n{}\n", checksum(text.as_bytes())).into_bytes()
    }

    #[test]
    fn it_survives_its_bytes() {
        let manifest = some();
        assert_eq!(Manifest::decode(&manifest.encode()).unwrap(), manifest);
        assert_eq!((manifest.packed(), manifest.plain()), (345_687, 1_048_670));
        let empty = Manifest { frames: vec![], ..manifest };
        assert_eq!(Manifest::decode(&empty.encode()).unwrap(), empty);
    }

    #[test]
    fn every_flipped_bit_is_found_and_every_cut() {
        let bytes = some().encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Manifest::decode(&flipped).is_err(), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        assert!(Manifest::decode(&[&bytes[..], b"\n"].concat()).is_err());
    }

    #[test]
    fn what_makes_no_sense_is_refused_though_its_checksum_fits() {
        let bytes = some().encode();
        let text = String::from_utf8(bytes.clone()).unwrap();
        let text = text.lines().next().unwrap();
        assert_eq!(resealed(text), bytes);
        for (from, to) in [
            ("\"partition\":20", "\"partition\":64"),
            ("\"partitions\":64", "\"partitions\":65537"),
            ("murmur2", "md5"),
            ("\"rows\":2,", ""),
            ("\"rows\":2", "\"rows\":-2"),
            ("\"rows\":2", "\"rows\":2,\"more\":1"),
            ("\"last\":\"00ab", "\"last\":\"00aB"),
            ("\"last\":\"00", "\"last\":\"+"),
            ("[9,100,", "[0,100,"),
            ("[9,100,", "[9,1048577,"),
            ("[9,100,", "[1100000,100,"),
        ] {
            assert!(text.contains(from), "{from}");
            let fault = Manifest::decode(&resealed(&text.replace(from, to))).unwrap_err();
            assert!(matches!(fault, ManifestFault::Malformed(_)), "{to}: {fault}");
        }
        let newer = resealed(&text.replace("\"format\":1", "\"format\":2"));
        assert_eq!(Manifest::decode(&newer), Err(ManifestFault::Format(2)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_manifest_or_a_fault(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            prop_assert!(Manifest::decode(&bytes).is_err());
            let text = String::from_utf8_lossy(&bytes).replace('\n', " ");
            prop_assert!(Manifest::decode(&resealed(&text)).is_err());
        }
    }
}
