//! The log and the object store of a simulation: in memory, complete, and the truth that every
//! state is compared with. The log drops its beginning only where a snapshot covers it, as an
//! operator who sets the retention has to see to.

use std::rc::Rc;

use pumice_model::condition::DIALECT;
use pumice_model::entry::{Entry, Logged};
use pumice_model::hash::Hash;
use pumice_model::ids::{Offset, Partition};
use pumice_model::mutation::{Change, Expect, Mutation};

use crate::store::Snapshot;

/// Rows that a partition has.
pub const KEYS: u64 = 6;

/// Every partition's log.
#[derive(Debug)]
pub struct Log {
    topics: Vec<Topic>,
}

#[derive(Debug)]
struct Topic {
    /// A partition key that belongs here.
    pk: String,
    /// What the broker still has begins here.
    start: u64,
    records: Vec<Record>,
    newest: Option<Rc<Snapshot>>,
}

/// One write: the row that it puts, or deletes.
#[derive(Clone, Copy, Debug)]
struct Record {
    time: i64,
    key: u64,
    value: Option<u64>,
}

impl Log {
    pub fn new(partitions: u32) -> Self {
        let pk = |partition| {
            let mut pks = (0..).map(|n| format!("pk-{n}"));
            let here =
                |pk: &String| Hash::Murmur2.partition(pk.as_bytes(), partitions) == partition;
            pks.find(here).expect("a hash has a key for every partition")
        };
        let topics = (0..partitions).map(Partition).map(|partition| Topic {
            pk: pk(partition),
            start: 0,
            records: Vec::new(),
            newest: None,
        });
        Self { topics: topics.collect() }
    }

    fn topic(&self, partition: Partition) -> &Topic {
        &self.topics[partition.0 as usize]
    }

    pub fn partitions(&self) -> impl Iterator<Item = Partition> + use<> {
        (0..self.topics.len() as u32).map(Partition)
    }

    /// Appends a write; it is acknowledged with its offset.
    pub fn append(&mut self, partition: Partition, time: i64, key: u64, value: Option<u64>) -> u64 {
        let records = &mut self.topics[partition.0 as usize].records;
        records.push(Record { time, key, value });
        records.len() as u64 - 1
    }

    pub fn start(&self, partition: Partition) -> u64 {
        self.topic(partition).start
    }

    pub fn end(&self, partition: Partition) -> u64 {
        self.topic(partition).records.len() as u64
    }

    /// What the state of everything below `next` has under a key.
    pub fn value(&self, partition: Partition, key: u64, next: u64) -> Option<u64> {
        let records = &self.topic(partition).records[..next as usize];
        records.iter().rev().find(|record| record.key == key).and_then(|record| record.value)
    }

    /// The pk and the sk of a row.
    pub fn row_key(&self, partition: Partition, key: u64) -> (&str, String) {
        (&self.topic(partition).pk, format!("row-{key}"))
    }

    /// A record as a shard is fed it.
    pub fn logged(&self, partition: Partition, offset: u64) -> Logged {
        let record = self.topic(partition).records[offset as usize];
        let (pk, sk) = self.row_key(partition, record.key);
        let change = match record.value {
            Some(value) => Change::Put { data: value.to_string(), ttl_ms: None },
            None => Change::Delete,
        };
        let mutation =
            Mutation { pk: pk.to_owned(), sk, change, condition: None, expect: Expect::Any };
        let entry = Entry {
            origin: None,
            time: record.time,
            write_id: None,
            dialect: DIALECT,
            mutations: vec![mutation],
        };
        let (offset, log_time) = (Offset(offset), record.time);
        Logged { partition, offset, log_time, hash: 0, entry: Ok(entry) }
    }

    pub fn newest(&self, partition: Partition) -> Option<Rc<Snapshot>> {
        self.topic(partition).newest.clone()
    }

    /// Stores a snapshot, unless there is a newer one.
    pub fn store(&mut self, partition: Partition, snapshot: Snapshot) {
        let newest = &mut self.topics[partition.0 as usize].newest;
        if newest.as_ref().is_none_or(|old| old.next() < snapshot.next()) {
            *newest = Some(Rc::new(snapshot));
        }
    }

    /// The log's beginning goes, as far as there is a snapshot of it.
    pub fn trim(&mut self, partition: Partition) {
        let topic = &mut self.topics[partition.0 as usize];
        topic.start = topic.newest.as_ref().map_or(topic.start, |snapshot| snapshot.next());
    }
}
