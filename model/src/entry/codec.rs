//! (pure) The bytes of an entry, little-endian, drawn in docs/FORMATS.md.
//! Decoding is total: any bytes give an entry or a [`DecodeError`], within the memory of the input.

use xxhash_rust::xxh3::xxh3_64;

use super::{Entry, Origin};
use crate::ids::{Offset, ProducerId, WriteId};
use crate::limits::{BATCH_MAX, ENTRY_MAX, ORIGIN_LEN};
use crate::mutation::{Change, Expect, Mutation};

/// The first byte of every entry: never `{`, which begins a foreign JSON mutation.
pub const MARKER: u8 = 0xE1;
const FORMAT: u8 = 1;
const HAS_ORIGIN: u8 = 1;
const HAS_WRITE_ID: u8 = 2;
const PUT: u8 = 1;
const DELETE: u8 = 2;
const HAS_TTL: u8 = 1;
const HAS_CONDITION: u8 = 2;
const CHECKSUM: usize = 8;

/// Why bytes are no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Shorter than it says, or longer.
    #[error("entry has the wrong length")]
    Length,
    /// Another first byte than [`MARKER`].
    #[error("not an entry: wrong marker")]
    Marker,
    /// A format that this version does not know.
    #[error("unknown entry format {0}")]
    Format(u8),
    /// The checksum differs.
    #[error("entry checksum differs")]
    Checksum,
    /// A field has a value outside its range.
    #[error("entry field '{0}' is out of range")]
    Field(&'static str),
    /// A record without a value: nothing that a log of mutations means.
    #[error("the record has no value")]
    Tombstone,
    /// A JSON mutation that others wrote does not read; the field says where.
    #[error("foreign mutation: bad '{0}'")]
    Foreign(&'static str),
}

impl Entry {
    /// How many bytes [`Entry::encode`] makes.
    pub fn encoded_len(&self) -> usize {
        let header = 4 + 8 + 4 + CHECKSUM;
        let origin = if self.origin.is_some() { ORIGIN_LEN } else { 0 };
        let write_id = if self.write_id.is_some() { 16 } else { 0 };
        header + origin + write_id + self.mutations.iter().map(mutation_len).sum::<usize>()
    }

    /// The entry's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        let flags = if self.origin.is_some() { HAS_ORIGIN } else { 0 }
            | if self.write_id.is_some() { HAS_WRITE_ID } else { 0 };
        out.extend_from_slice(&[MARKER, FORMAT, self.dialect, flags]);
        out.extend_from_slice(&self.time.to_le_bytes());
        if let Some(origin) = self.origin {
            out.extend_from_slice(&origin.producer.0.to_le_bytes());
            out.extend_from_slice(&origin.sequence.to_le_bytes());
        }
        if let Some(write_id) = self.write_id {
            out.extend_from_slice(&write_id.0.to_le_bytes());
        }
        out.extend_from_slice(&(self.mutations.len() as u32).to_le_bytes());
        for mutation in &self.mutations {
            encode_mutation(mutation, &mut out);
        }
        let checksum = xxh3_64(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads an entry's bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        match bytes {
            [] => return Err(DecodeError::Length),
            [first, ..] if *first != MARKER => return Err(DecodeError::Marker),
            [_, format, ..] if *format != FORMAT => return Err(DecodeError::Format(*format)),
            _ if bytes.len() > ENTRY_MAX => return Err(DecodeError::Length),
            _ => {}
        }
        let (body, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(DecodeError::Length)?;
        if xxh3_64(body) != u64::from_le_bytes(*checksum) {
            return Err(DecodeError::Checksum);
        }
        let mut input = Input(body);
        let [_, _, dialect, flags] = input.array::<4>()?;
        if flags & !(HAS_ORIGIN | HAS_WRITE_ID) != 0 {
            return Err(DecodeError::Field("flags"));
        }
        let time = i64::from_le_bytes(input.array()?);
        let origin = (flags & HAS_ORIGIN != 0).then(|| input.origin()).transpose()?;
        let write_id = (flags & HAS_WRITE_ID != 0).then(|| input.array()).transpose()?;
        let write_id = write_id.map(|id| WriteId(u128::from_le_bytes(id)));
        let count = input.length32()?;
        if count > BATCH_MAX {
            return Err(DecodeError::Field("count"));
        }
        // A mutation has at least MUTATION_HEADER bytes, so a lying count reserves nothing.
        let mut mutations = Vec::with_capacity(count.min(input.0.len() / MUTATION_HEADER));
        for _ in 0..count {
            mutations.push(input.mutation()?);
        }
        if !input.0.is_empty() {
            return Err(DecodeError::Length);
        }
        Ok(Self { origin, time, write_id, dialect, mutations })
    }
}

/// kind, flags, expect, pk length, sk length.
const MUTATION_HEADER: usize = 3 + 2 + 2;

fn mutation_len(mutation: &Mutation) -> usize {
    let expect = if matches!(mutation.expect, Expect::Offset(_)) { 8 } else { 0 };
    let change = match &mutation.change {
        Change::Put { data, ttl_ms } => 4 + data.len() + if ttl_ms.is_some() { 8 } else { 0 },
        Change::Delete => 0,
    };
    let condition = mutation.condition.as_ref().map_or(0, |text| 4 + text.len());
    MUTATION_HEADER + mutation.pk.len() + mutation.sk.len() + expect + change + condition
}

fn encode_mutation(mutation: &Mutation, out: &mut Vec<u8>) {
    let kind = if matches!(mutation.change, Change::Delete) { DELETE } else { PUT };
    let has_ttl = matches!(mutation.change, Change::Put { ttl_ms: Some(_), .. });
    let flags = if has_ttl { HAS_TTL } else { 0 }
        | if mutation.condition.is_some() { HAS_CONDITION } else { 0 };
    let expect = match mutation.expect {
        Expect::Any => 0,
        Expect::Absent => 1,
        Expect::Exists => 2,
        Expect::Offset(_) => 3,
    };
    out.extend_from_slice(&[kind, flags, expect]);
    out.extend_from_slice(&(mutation.pk.len() as u16).to_le_bytes());
    out.extend_from_slice(&(mutation.sk.len() as u16).to_le_bytes());
    out.extend_from_slice(mutation.pk.as_bytes());
    out.extend_from_slice(mutation.sk.as_bytes());
    if let Expect::Offset(offset) = mutation.expect {
        out.extend_from_slice(&offset.0.to_le_bytes());
    }
    if let Change::Put { data, ttl_ms } = &mutation.change {
        if let Some(ttl) = ttl_ms {
            out.extend_from_slice(&ttl.to_le_bytes());
        }
        out.extend_from_slice(&(data.len() as u32).to_le_bytes());
        out.extend_from_slice(data.as_bytes());
    }
    if let Some(text) = &mutation.condition {
        out.extend_from_slice(&(text.len() as u32).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(DecodeError::Length)?;
        self.0 = tail;
        Ok(*head)
    }

    fn length16(&mut self) -> Result<usize, DecodeError> {
        Ok(usize::from(u16::from_le_bytes(self.array()?)))
    }

    fn length32(&mut self) -> Result<usize, DecodeError> {
        usize::try_from(u32::from_le_bytes(self.array()?)).map_err(|_| DecodeError::Length)
    }

    fn text(&mut self, len: usize, field: &'static str) -> Result<String, DecodeError> {
        let (head, tail) = self.0.split_at_checked(len).ok_or(DecodeError::Length)?;
        self.0 = tail;
        let text = std::str::from_utf8(head).map_err(|_| DecodeError::Field(field))?;
        Ok(text.to_owned())
    }

    fn origin(&mut self) -> Result<Origin, DecodeError> {
        let producer = ProducerId(u128::from_le_bytes(self.array()?));
        Ok(Origin { producer, sequence: u64::from_le_bytes(self.array()?) })
    }

    fn mutation(&mut self) -> Result<Mutation, DecodeError> {
        let [kind, flags, expect] = self.array::<3>()?;
        let allowed = if kind == PUT { HAS_TTL | HAS_CONDITION } else { HAS_CONDITION };
        if flags & !allowed != 0 {
            return Err(DecodeError::Field("mutation flags"));
        }
        let (pk_len, sk_len) = (self.length16()?, self.length16()?);
        let pk = self.text(pk_len, "pk")?;
        let sk = self.text(sk_len, "sk")?;
        let expect = match expect {
            0 => Expect::Any,
            1 => Expect::Absent,
            2 => Expect::Exists,
            3 => Expect::Offset(Offset(u64::from_le_bytes(self.array()?))),
            _ => return Err(DecodeError::Field("expect")),
        };
        let change = match kind {
            PUT => {
                let ttl_ms = (flags & HAS_TTL != 0).then(|| self.array()).transpose()?;
                let data_len = self.length32()?;
                let data = self.text(data_len, "data")?;
                Change::Put { data, ttl_ms: ttl_ms.map(u64::from_le_bytes) }
            }
            DELETE => Change::Delete,
            _ => return Err(DecodeError::Field("kind")),
        };
        let condition = if flags & HAS_CONDITION != 0 {
            let len = self.length32()?;
            Some(self.text(len, "if")?)
        } else {
            None
        };
        Ok(Mutation { pk, sk, change, condition, expect })
    }
}
