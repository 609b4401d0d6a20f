//! (pure) The record batches of a log in format 2, as brokers keep and send them
//! (kafka.apache.org/documentation/#messageformat). Reading is total: a batch whose checksum holds
//! gives all the records that it has, and nothing in one can take memory that it did not bring.

use bytes::{Buf, Bytes};
use pumice_model::time::Millis;

use super::compress::unpack;

/// Bytes in front of `batchLength`'s count, and those that every batch has after it.
const FRAME: usize = 12;
const HEADER: usize = 49;
/// Where the magic stands; in formats 0 and 1 too.
const MAGIC_AT: usize = 16;

const CODEC: i16 = 0b111;
const APPEND_TIME: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

/// Why bytes of a fetch are no batch.
#[derive(Debug, thiserror::Error)]
pub enum BatchFault {
    /// A message set from before Kafka 0.11.
    #[error("a message set of format {0}, from before Kafka 0.11")]
    Old(i8),
    /// Damaged on the way, or where it is kept.
    #[error("a record batch at offset {0} is damaged: {1}")]
    Damaged(i64, &'static str),
}

/// One batch, not unpacked yet.
#[derive(Debug)]
pub struct Batch {
    first: i64,
    last: i64,
    attributes: i16,
    first_time: Millis,
    most_time: Millis,
    producer: i64,
    count: usize,
    body: Bytes,
}

/// One record in an unpacked batch.
#[derive(Debug, PartialEq, Eq)]
pub struct Record<'b> {
    /// Its place in the partition.
    pub offset: i64,
    /// When it was made, or appended, as the topic has it.
    pub time: Millis,
    /// The key, when it has one.
    pub key: Option<&'b [u8]>,
    /// The value; a record without one is a tombstone.
    pub value: Option<&'b [u8]>,
}

/// Takes the next batch off `input`; `None` when what is left of it was cut off.
pub fn next_batch(input: &mut Bytes) -> Result<Option<Batch>, BatchFault> {
    if input.len() <= MAGIC_AT {
        return Ok(None);
    }
    let first = input.slice(..8).get_i64();
    let length = input.slice(8..FRAME).get_i32();
    let damaged = |why| BatchFault::Damaged(first, why);
    let length = usize::try_from(length).map_err(|_| damaged("a negative length"))?;
    match input.slice(MAGIC_AT..).get_i8() {
        2 => {}
        magic @ (0 | 1) => return Err(BatchFault::Old(magic)),
        _ => return Err(damaged("an unknown format")),
    }
    if length < HEADER {
        return Err(damaged("shorter than its header"));
    }
    if input.len() < FRAME + length {
        return Ok(None);
    }
    let mut batch = input.split_to(FRAME + length);
    batch.advance(MAGIC_AT + 1);
    let checksum = batch.get_u32();
    if crc32c::crc32c(&batch) != checksum {
        return Err(damaged("the checksum differs"));
    }
    let attributes = batch.get_i16();
    let last = first.saturating_add(i64::from(batch.get_i32()));
    let (first_time, most_time) = (batch.get_i64(), batch.get_i64());
    let producer = batch.get_i64();
    // The producer's epoch and sequence are for the broker.
    batch.advance(2 + 4);
    let count = usize::try_from(batch.get_i32()).unwrap_or(0);
    if last < first {
        return Err(damaged("it ends before it begins"));
    }
    Ok(Some(Batch { first, last, attributes, first_time, most_time, producer, count, body: batch }))
}

impl Batch {
    /// The offset of its last record, whether that is still there or not.
    pub fn last(&self) -> i64 {
        self.last
    }

    /// The time of its latest record.
    pub fn most_time(&self) -> Millis {
        self.most_time
    }

    /// Whether it is a mark of the broker, and no data.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// The producer, when the batch is part of a transaction.
    pub fn transaction_of(&self) -> Option<i64> {
        (self.attributes & TRANSACTIONAL != 0).then_some(self.producer)
    }

    /// Calls `each` with every record, in order. Whether all of them could be read: those after one
    /// that does not read are lost.
    pub fn read(&self, mut each: impl FnMut(Record<'_>)) -> bool {
        let Some(body) = unpack(self.attributes & CODEC, &self.body) else { return false };
        let mut input = Input(&body);
        for _ in 0..self.count {
            let Some(record) = self.record(&mut input) else { return false };
            each(record);
        }
        true
    }

    fn record<'b>(&self, input: &mut Input<'b>) -> Option<Record<'b>> {
        let length = usize::try_from(input.varint()?).ok()?;
        let mut input = Input(input.take(length)?);
        // Attributes of a record mean nothing yet.
        input.take(1)?;
        let time = self.first_time.saturating_add(input.varint()?);
        let offset = self.first.checked_add(input.varint()?)?;
        let in_batch = (self.first..=self.last).contains(&offset);
        let appended = self.attributes & APPEND_TIME != 0;
        let time = if appended { self.most_time } else { time };
        let (key, value) = (input.nullable()?, input.nullable()?);
        in_batch.then_some(Record { offset, time, key, value })
    }
}

/// What is left of a batch or a record.
struct Input<'b>(&'b [u8]);

impl<'b> Input<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    /// Zigzag, seven bits a byte, the lowest first.
    fn varint(&mut self) -> Option<i64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, tail) = self.0.split_first()?;
            self.0 = tail;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        None
    }

    /// Outside: does not read; inside: nothing.
    fn nullable(&mut self) -> Option<Option<&'b [u8]>> {
        match self.varint()? {
            -1 => Some(None),
            length => self.take(usize::try_from(length).ok()?).map(Some),
        }
    }
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
