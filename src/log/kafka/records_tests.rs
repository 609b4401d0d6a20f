//! Record batches as brokers send them, and everything that is wrong with those that do not.
//! Test only.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;
use crate::log::kafka::produce;
use crate::settings::KafkaCompression;

/// Where that begins which the checksum covers.
const COVERED_AT: usize = 21;
const CODECS: [KafkaCompression; 4] = [
    KafkaCompression::None,
    KafkaCompression::Gzip,
    KafkaCompression::Lz4,
    KafkaCompression::Snappy,
];

fn batch(count: usize, compression: KafkaCompression) -> Bytes {
    let records = (0..count).map(|n| {
        let key = (n % 2 == 0).then(|| Bytes::from(format!("key {n}")));
        (key, Bytes::from(format!("value {n}").repeat(n)))
    });
    produce::batch(records.collect(), 1_700_000_000_000, compression).unwrap()
}

/// As the broker stores it: with its place, and the checksum of what it covers.
fn placed(batch: &Bytes, first: i64, change: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut bytes = batch.to_vec();
    bytes[..8].copy_from_slice(&first.to_be_bytes());
    change(&mut bytes);
    let checksum = crc32c::crc32c(&bytes[COVERED_AT..]);
    bytes[COVERED_AT - 4..COVERED_AT].copy_from_slice(&checksum.to_be_bytes());
    bytes.into()
}

fn read(batch: &Batch) -> (Vec<(i64, Millis, Option<String>)>, bool) {
    let mut records = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let whole =
        batch.read(|record| records.push((record.offset, record.time, record.key.map(text))));
    (records, whole)
}

#[test]
fn records_come_back_as_they_were_written_in_every_codec() {
    for codec in CODECS {
        let mut input = placed(&batch(5, codec), 100, |_| {});
        let batch = next_batch(&mut input).unwrap().unwrap();
        assert!(input.is_empty() && !batch.is_control() && batch.transaction_of().is_none());
        assert_eq!(batch.last(), 104);
        let (records, whole) = read(&batch);
        assert!(whole);
        assert_eq!(records.len(), 5);
        assert_eq!(records[2], (102, 1_700_000_000_000, Some("key 2".to_owned())));
        assert_eq!(records[3].2, None);
    }
}

#[test]
fn what_is_cut_off_is_no_batch_yet() {
    let whole = placed(&batch(3, KafkaCompression::None), 7, |_| {});
    for length in 0..whole.len() {
        let mut cut = whole.slice(..length);
        assert!(next_batch(&mut cut).unwrap().is_none(), "{length} bytes");
    }
    let mut two = [whole.clone(), whole.slice(..40)].concat().into();
    assert!(next_batch(&mut two).unwrap().is_some());
    assert!(next_batch(&mut two).unwrap().is_none());
}

#[test]
fn every_flipped_bit_is_noticed_or_means_nothing() {
    let whole = placed(&batch(3, KafkaCompression::None), 7, |_| {});
    // The base offset and the leader's epoch are not covered: the broker writes them.
    for bit in (8 * 16..whole.len() * 8).filter(|bit| *bit / 8 != MAGIC_AT) {
        let mut bytes = whole.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let fault = next_batch(&mut bytes.into()).unwrap_err();
        assert!(matches!(fault, BatchFault::Damaged(7, _)), "bit {bit}: {fault}");
    }
    let mut old = whole.to_vec();
    old[MAGIC_AT] = 1;
    assert!(matches!(next_batch(&mut old.into()), Err(BatchFault::Old(1))));
}

#[test]
fn times_are_those_that_the_topic_keeps() {
    let appended = placed(&batch(2, KafkaCompression::None), 0, |bytes| {
        bytes[COVERED_AT + 1] |= APPEND_TIME as u8;
        let most = COVERED_AT + 2 + 4 + 8;
        bytes[most..most + 8].copy_from_slice(&1_800_000_000_000_i64.to_be_bytes());
    });
    let batch = next_batch(&mut appended.clone()).unwrap().unwrap();
    let (records, _) = read(&batch);
    assert!(records.iter().all(|(_, time, _)| *time == 1_800_000_000_000));
}

#[test]
fn a_batch_that_lies_gives_what_it_has() {
    // It says a thousand records, or a negative number, and has three.
    for (count, read_all) in [(1_000_i32, false), (-1, true)] {
        let lying = placed(&batch(3, KafkaCompression::None), 0, |bytes| {
            let at = COVERED_AT + 36;
            bytes[at..at + 4].copy_from_slice(&count.to_be_bytes());
        });
        let batch = next_batch(&mut lying.clone()).unwrap().unwrap();
        let (records, whole) = read(&batch);
        assert_eq!(whole, read_all);
        assert_eq!(records.len(), if read_all { 0 } else { 3 });
    }
    // Its records are noise.
    let noise = placed(&batch(3, KafkaCompression::Gzip), 0, |bytes| bytes[70..].fill(0xff));
    let batch = next_batch(&mut noise.clone()).unwrap().unwrap();
    assert_eq!(read(&batch), (Vec::new(), false));
}
