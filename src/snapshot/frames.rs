//! Byte strings in zstd frames: each with its length in front, as many whole ones as fit into
//! 1 MiB, and a checksum over what zstd made of them. Any thread; any bytes give rows or a fault,
//! and none makes a reader hold more than one frame.

use std::io::{self, Write};

use pumice_model::limits::{FRAME_BYTES, FRAME_PACKED_MAX};
use pumice_model::manifest::Frame;
use xxhash_rust::xxh3::xxh3_128;
use zstd::bulk::{Compressor, Decompressor};

/// Rows of JSON pack to nearly the same size with the next levels, and take far longer.
const LEVEL: i32 = 1;

/// Packs byte strings into frames, which it writes out as they fill.
pub struct Packer<W> {
    out: W,
    plain: Vec<u8>,
    packed: Vec<u8>,
    zstd: Compressor<'static>,
    frames: Vec<Frame>,
}

impl<W: Write> Packer<W> {
    /// Frames into `out`.
    pub fn new(out: W) -> io::Result<Self> {
        let plain = Vec::with_capacity(FRAME_BYTES as usize);
        let packed = Vec::with_capacity(FRAME_PACKED_MAX as usize);
        Ok(Self { out, plain, packed, zstd: Compressor::new(LEVEL)?, frames: Vec::new() })
    }

    /// Adds one byte string. Whether a frame was written.
    pub fn push(&mut self, row: &[u8]) -> io::Result<bool> {
        let needed = 4 + row.len();
        if needed > FRAME_BYTES as usize {
            return Err(io::Error::other(format!("a row of {} bytes fits no frame", row.len())));
        }
        let full = self.plain.len() + needed > FRAME_BYTES as usize;
        if full {
            self.flush()?;
        }
        // Below 1 MiB, as was just seen.
        self.plain.extend_from_slice(&(row.len() as u32).to_le_bytes());
        self.plain.extend_from_slice(row);
        Ok(full)
    }

    /// Frames so far.
    pub fn count(&self) -> usize {
        self.frames.len()
    }

    /// Writes the last frame; gives what was written into, and all frames.
    pub fn finish(mut self) -> io::Result<(W, Vec<Frame>)> {
        if !self.plain.is_empty() {
            self.flush()?;
        }
        self.out.flush()?;
        Ok((self.out, self.frames))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.packed.clear();
        self.zstd.compress_to_buffer(&self.plain, &mut self.packed)?;
        self.out.write_all(&self.packed)?;
        self.frames.push(Frame {
            // Both are below 2 MiB.
            packed: self.packed.len() as u32,
            plain: self.plain.len() as u32,
            hash: xxh3_128(&self.packed),
        });
        self.plain.clear();
        Ok(())
    }
}

/// Why bytes are not the frame that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// They are not what was written.
    #[error("a frame is damaged: its checksum does not fit")]
    Damaged,
    /// They are what was written, and no frame.
    #[error("a frame does not unpack to the {0} bytes it should have: {1}")]
    Unpackable(u32, String),
    /// It unpacks, but not to rows.
    #[error("a frame ends inside a row")]
    Cut,
}

/// Whether these are the bytes of the frame.
pub fn check(packed: &[u8], frame: &Frame) -> Result<(), FrameFault> {
    let same = packed.len() == frame.packed as usize && xxh3_128(packed) == frame.hash;
    if same { Ok(()) } else { Err(FrameFault::Damaged) }
}

/// Checks a frame and gives its rows, each with its length in front; take them with [`rows`].
pub fn unpack(packed: &[u8], frame: &Frame) -> Result<Vec<u8>, FrameFault> {
    check(packed, frame)?;
    let unpackable = |why: String| FrameFault::Unpackable(frame.plain, why);
    let most = frame.plain.min(FRAME_BYTES) as usize;
    let unpacked = Decompressor::new().and_then(|mut zstd| zstd.decompress(packed, most));
    let plain = unpacked.map_err(|fault| unpackable(fault.to_string()))?;
    if plain.len() != frame.plain as usize {
        return Err(unpackable(format!("it has {}", plain.len())));
    }
    let cut = rows(&plain).any(|row| row.is_none());
    if cut { Err(FrameFault::Cut) } else { Ok(plain) }
}

/// The byte strings of an unpacked frame; `None` where it ends inside one, and nothing after.
pub fn rows(plain: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    let mut rest = Some(plain);
    std::iter::from_fn(move || {
        let left = rest.filter(|left| !left.is_empty())?;
        let row = left.split_first_chunk::<4>().and_then(|(length, left)| {
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            left.split_at_checked(length)
        });
        rest = row.map(|(_, left)| left);
        Some(row.map(|(row, _)| row))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(rows: &[Vec<u8>]) -> (Vec<u8>, Vec<Frame>) {
        let mut packer = Packer::new(Vec::new()).unwrap();
        for row in rows {
            packer.push(row).unwrap();
        }
        packer.finish().unwrap()
    }

    fn unpacked(mut bytes: &[u8], frames: &[Frame]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for frame in frames {
            let (one, rest) = bytes.split_at(frame.packed as usize);
            bytes = rest;
            let plain = unpack(one, frame).unwrap();
            all.extend(rows(&plain).map(|row| row.unwrap().to_vec()));
        }
        assert!(bytes.is_empty());
        all
    }

    #[test]
    fn rows_of_any_length_come_back_and_no_frame_is_too_large() {
        let most = FRAME_BYTES as usize - 4;
        for lengths in [vec![], vec![0], vec![most], vec![most, 0, 1, most], vec![700_000; 3]] {
            let rows: Vec<Vec<u8>> = lengths.iter().map(|n| vec![7; *n]).collect();
            let (bytes, frames) = packed(&rows);
            assert!(frames.iter().all(|frame| frame.plain <= FRAME_BYTES));
            assert_eq!(unpacked(&bytes, &frames), rows);
        }
        assert!(Packer::new(Vec::new()).unwrap().push(&vec![0; most + 1]).is_err());
    }

    #[test]
    fn what_does_not_pack_stays_below_the_limit() {
        let mut seed = 1_u64;
        let noise = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 56) as u8
        });
        let row: Vec<u8> = noise.take(FRAME_BYTES as usize - 4).collect();
        let (bytes, frames) = packed(&[row]);
        assert!(bytes.len() > FRAME_BYTES as usize && frames[0].packed <= FRAME_PACKED_MAX);
    }

    #[test]
    fn a_frame_that_ends_inside_a_row_is_refused() {
        for plain in [&[1, 0, 0, 0][..], &[0, 0, 0, 0, 9], &[255, 255, 255, 255, 1]] {
            let packed = zstd::bulk::compress(plain, 1).unwrap();
            let frame = Frame {
                packed: packed.len() as u32,
                plain: plain.len() as u32,
                hash: xxh3_128(&packed),
            };
            assert_eq!(unpack(&packed, &frame), Err(FrameFault::Cut));
            let short = Frame { plain: frame.plain - 1, ..frame };
            assert!(matches!(unpack(&packed, &short), Err(FrameFault::Unpackable(..))));
            let long = Frame { plain: frame.plain + 1, ..frame };
            assert!(matches!(unpack(&packed, &long), Err(FrameFault::Unpackable(..))));
        }
    }

    proptest! {
        #[test]
        fn every_flip_is_found(
            rows in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..50),
            flips in prop::collection::vec(any::<prop::sample::Index>(), 20),
        ) {
            let (bytes, frames) = packed(&rows);
            prop_assert_eq!(unpacked(&bytes, &frames), rows);
            for flip in flips {
                let bit = flip.index(bytes.len() * 8);
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                prop_assert_eq!(unpack(&flipped, &frames[0]), Err(FrameFault::Damaged));
            }
        }

        #[test]
        fn any_bytes_whose_checksum_fits_are_rows_or_a_fault(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            plain in 1..2_000_u32,
        ) {
            let frame = Frame { packed: bytes.len() as u32, plain, hash: xxh3_128(&bytes) };
            let _ = unpack(&bytes, &frame);
            let _ = rows(&bytes).count();
        }
    }
}
