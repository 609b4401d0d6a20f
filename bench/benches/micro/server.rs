//! The server's own parts: HPACK, and a lane between two threads.

use std::hint::black_box;

use pumice::mesh::lane::lane;
use pumice::net::h2::hpack::{Decoder, Encoder, Scratch};

/// The head of a read as a client sends it from its second request on: all but the path indexed.
pub fn hpack_decode() -> Box<dyn FnMut(u64)> {
    let mut decoder = Decoder::new(4_096, &[]);
    let mut scratch = Scratch::default();
    // :authority with incremental indexing, so that the next head has it at index 62.
    let mut first = vec![0x82, 0x86, 0x84, 0x41, 14];
    first.extend_from_slice(b"127.0.0.1:8190");
    decoder.decode(&first, &mut scratch, |_, _, _| {}).expect("it is a block");
    // A literal path that no table is to keep, in raw octets.
    let path = b"/v1/records/customer-0271828/profile";
    let mut head = vec![0x82, 0x86, 0xbe, 0x04, path.len() as u8];
    head.extend_from_slice(path);
    Box::new(move |times| {
        for _ in 0..times {
            let mut length = 0;
            let block = black_box(&head);
            decoder
                .decode(block, &mut scratch, |_, name, value| length += name.len() + value.len())
                .expect("it is a block");
            black_box(length);
        }
    })
}

/// The head of an answer, likewise.
pub fn hpack_encode() -> Box<dyn FnMut(u64)> {
    let mut encoder = Encoder::new();
    let mut out = Vec::with_capacity(256);
    Box::new(move |times| {
        for _ in 0..times {
            out.clear();
            encoder.begin(&mut out);
            encoder.status(&mut out, 200);
            encoder.constant(&mut out, "content-type", "application/json");
            encoder.changing(&mut out, "date", b"Sun, 07 May 2023 12:00:00 GMT");
            encoder.literal(&mut out, b"etag", b"\"20-271828\"");
            encoder.literal(&mut out, b"last-modified", b"Sun, 07 May 2023 12:00:00 GMT");
            encoder.literal(&mut out, b"content-length", b"200");
            black_box(&out);
        }
    })
}

/// Into a lane and out of it, without the wake-up of another thread.
pub fn lane_hop() -> Box<dyn FnMut(u64)> {
    let (sender, mut receiver) = lane(1_024);
    let mut taken: Vec<u64> = Vec::with_capacity(1);
    Box::new(move |times| {
        for n in 0..times {
            sender.try_send(n).expect("there is room");
            taken.clear();
            let received = futures_util::FutureExt::now_or_never(receiver.recv_many(&mut taken, 1));
            assert_eq!(received, Some(1));
            black_box(&taken);
        }
    })
}
