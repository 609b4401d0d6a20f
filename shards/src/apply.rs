//! One entry, from its place in the log to its verdict, inside the batch's transaction.
//! Runs on the apply thread. Never reads anything but the entry and the partition's own rows.

use heed::RwTxn;
use pumice_model::entry::{Entry, Logged, Origin};
use pumice_model::ids::{Generation, Offset, Partition, Token};
use pumice_model::key::{KeyBuf, PREFIX};
use pumice_model::mutation::Change;
use pumice_model::outcome::{Outcome, Refusal, Verdict};
use pumice_model::row::RowBuf;
use pumice_model::statehash::{Hasher, StateHash};
use pumice_model::time::Millis;

use crate::env::Identity;
use crate::fault::Fault;
use crate::judge;
use crate::memory::Producers;
use crate::rows::Write;
use crate::tables::{Position, Record, Tables, prefix};

/// Buffers that live as long as the writer.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub key: KeyBuf,
    pub expiry_key: Vec<u8>,
    pub row: RowBuf,
    pub hasher: Hasher,
}

/// A partition while a batch is applied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    pub generation: Generation,
    pub next: Offset,
    pub log_time: Millis,
    /// The state hash without the position's part.
    pub sum: StateHash,
    pub rows: u64,
    /// The record hash of the last entry.
    pub last: u64,
    /// No row expires before this; `None` before anybody looked.
    pub expiry_floor: Option<Millis>,
    /// No write id is remembered from below this offset; `None` before anybody looked.
    pub write_floor: Option<Offset>,
}

impl State {
    /// Of a partition that has had no entry.
    pub fn new() -> Self {
        Self::of(&Record::ZERO, &mut Hasher::default())
    }

    pub fn of(record: &Record, hasher: &mut Hasher) -> Self {
        let Record { generation, position } = *record;
        Self {
            generation,
            next: position.next,
            log_time: position.log_time,
            sum: position.sum(hasher),
            rows: position.rows,
            last: position.last,
            expiry_floor: None,
            write_floor: None,
        }
    }

    pub fn record(&self, hasher: &mut Hasher) -> Record {
        let mut hash = self.sum;
        hash.add(hasher.position(self.next, self.log_time));
        let Self { generation, next, log_time, rows, last, .. } = *self;
        Record { generation, position: Position { next, log_time, hash, rows, last } }
    }
}

/// One partition's entries being applied.
pub(crate) struct Work<'b, 'e> {
    pub tables: &'b Tables,
    pub identity: &'b Identity,
    pub txn: &'b mut RwTxn<'e>,
    pub partition: Partition,
    pub state: &'b mut State,
    pub producers: &'b mut Producers,
    pub scratch: &'b mut Scratch,
}

impl Work<'_, '_> {
    pub fn entry(&mut self, logged: &Logged) -> Result<Verdict, Fault> {
        let Logged { offset, log_time, .. } = *logged;
        self.state.log_time = self.state.log_time.max(log_time);
        self.state.last = logged.hash;
        let verdict = match &logged.entry {
            Ok(entry) => self.understood(entry, offset)?,
            Err(_) => self.here(offset, Outcome::Refused(Refusal::Undecodable)),
        };
        self.reap_rows()?;
        self.forget_writes(offset)?;
        let before = std::mem::replace(&mut self.state.next, Offset(offset.0 + 1));
        self.sweep_producers(before, offset)?;
        Ok(verdict)
    }

    fn understood(&mut self, entry: &Entry, offset: Offset) -> Result<Verdict, Fault> {
        if let Some(Origin { producer, sequence }) = entry.origin {
            if self.seen(producer, sequence)? {
                return Ok(self.here(offset, Outcome::Duplicate));
            }
            // Whatever becomes of the entry, a repeat of its write id included.
            self.note(producer, sequence, offset);
        }
        let Some(id) = entry.write_id else {
            let outcome = self.outcome(entry, offset)?;
            return Ok(self.here(offset, outcome));
        };
        if let Some(first) = self.remembered(id, offset)? {
            return Ok(first);
        }
        let outcome = self.outcome(entry, offset)?;
        self.remember(id, offset, outcome)?;
        Ok(self.here(offset, outcome))
    }

    /// Judges the whole entry, and only then makes any of it.
    fn outcome(&mut self, entry: &Entry, offset: Offset) -> Result<Outcome, Fault> {
        let formed = match judge::form(entry, self.identity, self.partition) {
            Ok(formed) => formed,
            Err(refusal) => return Ok(Outcome::Refused(refusal)),
        };
        if let Some(refusal) = self.judge(entry, &formed)? {
            return Ok(Outcome::Refused(refusal));
        }
        let mut created = false;
        for (mutation, checked) in entry.mutations.iter().zip(&formed) {
            let (pk, sk) = (&*mutation.pk, &*mutation.sk);
            match (&mutation.change, &checked.data) {
                (Change::Put { ttl_ms, .. }, Some(data)) => {
                    let write = Write { data, ttl_ms: *ttl_ms, time: entry.time, offset };
                    created |= self.put(pk, sk, &write)?;
                }
                _ => self.delete(pk, sk)?,
            }
        }
        Ok(Outcome::Applied { created })
    }

    fn here(&self, offset: Offset, outcome: Outcome) -> Verdict {
        Verdict { outcome, token: Token { partition: self.partition, offset } }
    }

    /// Where this partition's life begins in every table.
    pub fn prefix(&self) -> [u8; PREFIX] {
        prefix(self.partition, self.state.generation)
    }
}
