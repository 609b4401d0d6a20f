//! (pure) Unpacks the records of a batch, whichever of Kafka's codecs they are in. Bounded: what
//! would grow beyond the limit does not unpack.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use flate2::read::MultiGzDecoder;
use snap::raw::{Decoder, decompress_len};

/// Bytes that one batch may unpack to: a message of the largest size that brokers are given,
/// shrunk a hundredfold. A constant, since all replicas must read the same.
const UNPACKED_MAX: usize = 256 * 1_024 * 1_024;

/// How Java frames blocks of snappy.
const XERIAL: &[u8; 8] = b"\x82SNAPPY\0";
const XERIAL_HEADER: usize = 16;

/// The records of a batch whose attributes name `codec`; `None` when they do not unpack.
pub fn unpack(codec: i16, body: &Bytes) -> Option<Bytes> {
    match codec {
        0 => Some(body.clone()),
        1 => bounded(MultiGzDecoder::new(&body[..])).ok(),
        2 => snappy(body.clone()),
        3 => lz4::Decoder::new(&body[..]).and_then(bounded).ok(),
        4 => zstd::Decoder::new(&body[..]).and_then(bounded).ok(),
        _ => None,
    }
}

fn bounded(reader: impl Read) -> io::Result<Bytes> {
    let mut unpacked = Vec::new();
    reader.take(UNPACKED_MAX as u64 + 1).read_to_end(&mut unpacked)?;
    if unpacked.len() > UNPACKED_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(unpacked.into())
}

fn snappy(mut body: Bytes) -> Option<Bytes> {
    let mut unpacked = Vec::new();
    if !body.starts_with(XERIAL) {
        block(&body, &mut unpacked)?;
        return Some(unpacked.into());
    }
    if body.len() < XERIAL_HEADER {
        return None;
    }
    body.advance(XERIAL_HEADER);
    while body.has_remaining() {
        let length = usize::try_from(body.try_get_i32().ok()?).ok()?;
        if length > body.len() {
            return None;
        }
        block(&body.split_to(length), &mut unpacked)?;
    }
    Some(unpacked.into())
}

fn block(packed: &[u8], unpacked: &mut Vec<u8>) -> Option<()> {
    let (from, length) = (unpacked.len(), decompress_len(packed).ok()?);
    if length > UNPACKED_MAX - from {
        return None;
    }
    unpacked.resize(from + length, 0);
    let written = Decoder::new().decompress(packed, &mut unpacked[from..]).ok()?;
    (written == length).then_some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use kafka_protocol::compression::{Compressor, Gzip, Lz4, Snappy};

    use super::*;

    fn packed<C: Compressor<bytes::BytesMut, BufMut = bytes::BytesMut>>(plain: &[u8]) -> Bytes {
        let mut out = bytes::BytesMut::new();
        C::compress(&mut out, |buffer| {
            buffer.extend_from_slice(plain);
            Ok(())
        })
        .unwrap();
        out.freeze()
    }

    #[test]
    fn every_codec_unpacks() {
        let plain = b"one two one two ".repeat(10_000);
        let raw = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
        let packed = [
            (0, Bytes::from(plain.clone())),
            (1, packed::<Gzip>(&plain)),
            (2, packed::<Snappy>(&plain)),
            (2, raw.into()),
            (3, packed::<Lz4>(&plain)),
            (4, zstd::encode_all(&plain[..], 1).unwrap().into()),
        ];
        for (codec, packed) in packed {
            assert_eq!(unpack(codec, &packed).unwrap(), plain, "codec {codec}");
            let cut = packed.slice(..packed.len() / 2);
            assert!(unpack(codec, &cut).is_none_or(|cut| cut.len() < plain.len()), "{codec}");
        }
        assert_eq!(unpack(5, &Bytes::new()), None);
    }

    #[test]
    fn what_would_grow_without_bound_does_not_unpack() {
        let bomb = zstd::encode_all(io::repeat(0).take(UNPACKED_MAX as u64 + 1), 1).unwrap();
        assert_eq!(unpack(4, &bomb.into()), None);
        // A block of snappy that says it becomes 4 GiB.
        assert_eq!(unpack(2, &Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0])), None);
    }
}
