//! Clients that write without pause until their server is gone, each to its own keys, with a
//! journal of what they asked for and what they were told. On the test's own thread.

use std::cell::Cell;
use std::collections::BTreeMap;

use pumice_client::{Batch, Client, Error, Expect, Puts, Token, WriteId, Written};
use pumice_model::hash::Hash;
use pumice_model::ids::{Offset, Partition};
use pumice_model::outcome::{Outcome, Refusal};
use serde_json::value::RawValue;

use crate::model::{Change, Draft, Guard, Key, text};

const PKS: u64 = 4;
const SKS: u64 = 12;

/// splitmix64.
#[derive(Clone, Debug)]
pub struct Seed(pub u64);

impl Seed {
    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// One line of a journal.
#[derive(Clone, Debug)]
pub struct Noted {
    /// Where it belongs.
    pub partition: Partition,
    /// What was asked for.
    pub draft: Draft,
    /// Its offset and outcome; none when no answer came.
    pub told: Option<(u64, Told)>,
}

/// What a writer was told.
#[derive(Clone, Copy, Debug)]
pub enum Told {
    /// Applied; a single put also says whether it made the row.
    Applied(Option<bool>),
    /// Refused.
    Refused(Refusal),
}

impl Told {
    /// Whether this is what an entry with that outcome is told.
    pub fn is(self, outcome: Outcome) -> bool {
        match (self, outcome) {
            (Self::Applied(None), Outcome::Applied { .. }) => true,
            (Self::Applied(Some(told)), Outcome::Applied { created }) => told == created,
            (Self::Refused(told), Outcome::Refused(refusal)) => told == refusal,
            _ => false,
        }
    }
}

/// One writer; lives as long as the test and writes in every cycle.
pub struct Writer {
    name: u64,
    seed: Seed,
    n: u64,
    partitions: u32,
    /// The last tokens it was told, to expect them.
    tokens: BTreeMap<Key, Token>,
    journal: Vec<Noted>,
}

impl Writer {
    /// A writer of its own keys.
    pub fn new(name: u64, seed: u64, partitions: u32) -> Self {
        let seed = Seed(seed ^ name << 32);
        Self { name, seed, n: 0, partitions, tokens: BTreeMap::new(), journal: Vec::new() }
    }

    /// Writes until the server is gone, and hands over the journal of this run.
    pub async fn run(&mut self, client: &Client, gone: &Cell<bool>) -> Vec<Noted> {
        while !gone.get() {
            let from = self.journal.len();
            let written = match self.seed.below(10) {
                0..4 => self.put(client).await,
                4..6 => self.delete(client).await,
                6..9 => self.batch(client).await,
                _ => self.many(client).await,
            };
            match written {
                Ok(()) => {}
                // Nothing was appended: it never was.
                Err(Error::Unavailable { .. }) => self.journal.truncate(from),
                Err(Error::Unknown { .. }) if gone.get() => break,
                Err(other) => panic!("a server that runs said: {other}"),
            }
            tokio::task::yield_now().await;
        }
        std::mem::take(&mut self.journal)
    }

    fn key(&mut self) -> Key {
        let pk = format!("writer {} of {}", self.name, self.seed.below(PKS));
        (pk, format!("{:02}", self.seed.below(SKS)))
    }

    fn number(&mut self) -> u64 {
        self.n += 1;
        self.n * 16 + self.name
    }

    fn guard(&mut self, key: &Key) -> Guard {
        match (self.seed.below(10), self.tokens.get(key)) {
            (0, _) => Guard::Absent,
            (1, _) => Guard::Exists,
            (2..4, Some(token)) => Guard::At(token.offset.0),
            (4, _) => Guard::Above(self.n * 16 * self.seed.below(4) / 3),
            _ => Guard::None,
        }
    }

    fn id(&mut self) -> WriteId {
        let halves = [(); 2].map(|()| u128::from(self.seed.below(u64::MAX)));
        WriteId(halves[0] << 64 | halves[1])
    }

    fn note(&mut self, id: Option<WriteId>, changes: Vec<Change>) {
        let partition = Hash::Murmur2.partition(changes[0].key.0.as_bytes(), self.partitions);
        self.journal.push(Noted { partition, draft: Draft { id, changes }, told: None });
    }

    /// Notes the outcome of the last entry.
    fn told(&mut self, result: Result<Written, Error>, single: bool) -> Result<(), Error> {
        let noted = self.journal.last_mut().unwrap();
        let (token, told) = match result {
            Ok(written) => (written.token, Told::Applied(single.then_some(written.created))),
            Err(Error::Refused { reason, token }) => {
                let refusal = Refusal::all().find(|refusal| refusal.code() == reason).unwrap();
                (token.unwrap(), Told::Refused(refusal))
            }
            Err(other) => return Err(other),
        };
        assert_eq!(token.partition, noted.partition);
        noted.told = Some((token.offset.0, told));
        if matches!(told, Told::Applied(_)) {
            let keys = noted.draft.changes.iter().map(|change| change.key.clone());
            self.tokens.extend(keys.map(|key| (key, token)));
        }
        Ok(())
    }

    async fn put(&mut self, client: &Client) -> Result<(), Error> {
        let (key, n) = (self.key(), self.number());
        let guard = self.guard(&key);
        // A put that cannot be refused is found by its row; the others need a name.
        let named = !matches!(guard, Guard::None) || self.seed.below(2) == 0;
        let id = named.then(|| self.id());
        let mut put = client.put_json(&key.0, &key.1, text(n));
        if let Some(id) = id {
            put = put.write_id(id);
        }
        let partition = Hash::Murmur2.partition(key.0.as_bytes(), self.partitions);
        if let Guard::Above(n) = guard {
            put = put.condition(&above(n));
        } else if let Some(it) = expect(guard, partition) {
            put = put.expect(it);
        }
        self.note(id, vec![Change { key, n: Some(n), guard }]);
        let result = put.await;
        self.told(result, true)
    }

    async fn delete(&mut self, client: &Client) -> Result<(), Error> {
        let (key, id) = (self.key(), self.id());
        let mut delete = client.delete(&key.0, &key.1).write_id(id);
        let guard = self.guard(&key);
        let partition = Hash::Murmur2.partition(key.0.as_bytes(), self.partitions);
        if let Guard::Above(n) = guard {
            delete = delete.condition(&above(n));
        } else if let Some(it) = expect(guard, partition) {
            delete = delete.expect(it);
        }
        self.note(Some(id), vec![Change { key, n: None, guard }]);
        let result = delete.await;
        self.told(result, false)
    }

    async fn batch(&mut self, client: &Client) -> Result<(), Error> {
        let (pk, first) = self.key();
        let (n, id) = (self.number(), self.id());
        let mut batch = Batch::new().write_id(id);
        let mut changes: Vec<Change> = Vec::new();
        for _ in 0..2 + self.seed.below(5) {
            let sk = if changes.is_empty() { first.clone() } else { self.key().1 };
            if changes.iter().any(|change| change.key.1 == sk) {
                continue;
            }
            let key = (pk.clone(), sk);
            let guard = if changes.is_empty() { self.guard(&key) } else { Guard::None };
            let n = (changes.is_empty() || self.seed.below(4) > 0).then_some(n);
            batch = match n {
                Some(n) => batch.put(&key.0, &key.1, &raw(n)),
                None => batch.delete(&key.0, &key.1),
            };
            let partition = Hash::Murmur2.partition(pk.as_bytes(), self.partitions);
            if let Guard::Above(n) = guard {
                batch = batch.condition(&above(n));
            } else if let Some(it) = expect(guard, partition) {
                batch = batch.expect(it);
            }
            changes.push(Change { key, n, guard });
        }
        self.note(Some(id), changes);
        let result = client.batch(&batch).await;
        self.told(result, false)
    }

    /// Several entries in one request.
    async fn many(&mut self, client: &Client) -> Result<(), Error> {
        let (mut puts, from) = (Puts::new(), self.journal.len());
        for sk in 0..1 + self.seed.below(SKS) {
            let (key, n) = ((self.key().0, format!("{sk:02}")), self.number());
            puts.push_raw(&key.0, &key.1, &raw(n))?;
            self.note(None, vec![Change { key, n: Some(n), guard: Guard::None }]);
        }
        let outcomes = client.put_many(&puts).await?;
        for (noted, outcome) in self.journal[from..].iter_mut().zip(outcomes) {
            assert_eq!((outcome.refused, outcome.token.partition), (None, noted.partition));
            noted.told = Some((outcome.token.offset.0, Told::Applied(None)));
            self.tokens.insert(noted.draft.changes[0].key.clone(), outcome.token);
        }
        Ok(())
    }
}

fn raw(n: u64) -> Box<RawValue> {
    RawValue::from_string(text(n)).unwrap()
}

fn above(n: u64) -> String {
    format!("data != null && data.n > {n}")
}

fn expect(guard: Guard, partition: Partition) -> Option<Expect> {
    match guard {
        Guard::Absent => Some(Expect::Absent),
        Guard::Exists => Some(Expect::Exists),
        Guard::At(offset) => Some(Expect::At(Token { partition, offset: Offset(offset) })),
        Guard::None | Guard::Above(_) => None,
    }
}
