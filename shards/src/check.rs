//! Walking every table of a shard and proving that they agree.
//! Reads only; blocks its thread for as long as the walk takes, so never on a serving core.

use std::collections::BTreeMap;
use std::path::Path;

use pumice_model::ids::{Generation, Offset, Partition, ProducerId, WriteId};
use pumice_model::json::compact;
use pumice_model::key::{PREFIX, RowKey};
use pumice_model::outcome::Outcome;
use pumice_model::row::{NEVER, Row};
use pumice_model::statehash::{Hasher, StateHash};

use crate::env::{Identity, OpenError, Options, open};
use crate::fault::Fault;
use crate::reader::View;
use crate::tables::{
    Position, Record, Table, age_key, age_of, expiry_key, id_of, split_expiry, split_prefix,
    split_seen, split_write, write_key,
};

/// Faults that a report spells out; more are only counted.
const FAULTS_MAX: usize = 100;

/// What a walk found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Every partition that has had an entry, by number.
    pub partitions: Vec<PartitionReport>,
    /// Rows and index entries of generations that are not live: staged ones, or left to drop.
    pub staged: u64,
    /// What does not agree: the first hundred.
    pub faults: Vec<String>,
    /// How many faults there are.
    pub fault_count: u64,
}

/// What a walk found of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionReport {
    /// The partition.
    pub partition: Partition,
    /// How far it has come, as stored.
    pub position: Position,
    /// The state hash that the walk gives.
    pub hash: StateHash,
    /// Rows walked.
    pub rows: u64,
    /// Those of them that will expire.
    pub expiring: u64,
    /// Producers whose last sequence is known.
    pub producers: u64,
    /// Write ids remembered.
    pub writes: u64,
}

impl Report {
    /// Whether everything agrees.
    pub fn clean(&self) -> bool {
        self.fault_count == 0
    }

    fn fault(&mut self, text: String) {
        self.fault_count += 1;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(text);
        }
    }
}

/// Opens the environment in `dir`, which nobody else may have open, and walks it. What cannot
/// be read ends the walk and stands in the report.
pub fn check(dir: &Path, identity: &Identity, options: &Options) -> Result<Report, OpenError> {
    let (_, reader) = open(dir, identity, options)?;
    let walked = reader.read(|view| view.check(identity)).and_then(|walked| walked);
    Ok(walked.unwrap_or_else(|fault| {
        let mut report = Report::default();
        report.fault(format!("the walk could not go on: {fault}"));
        report
    }))
}

impl View<'_> {
    /// Walks every table of this state.
    pub fn check(&self, identity: &Identity) -> Result<Report, Fault> {
        let mut walk = Walk {
            view: self,
            identity,
            live: BTreeMap::new(),
            report: Report::default(),
            hasher: Hasher::default(),
        };
        walk.partitions()?;
        walk.rows()?;
        walk.expiry()?;
        walk.producers()?;
        walk.writes()?;
        walk.write_ages()?;
        Ok(walk.finish())
    }

    fn has(&self, table: Table, key: &[u8]) -> Result<bool, Fault> {
        Ok(table.get(&self.txn, key)?.is_some())
    }
}

struct Walk<'v, 't> {
    view: &'v View<'t>,
    identity: &'v Identity,
    live: BTreeMap<Partition, (Generation, PartitionReport)>,
    report: Report,
    hasher: Hasher,
}

impl Walk<'_, '_> {
    fn partitions(&mut self) -> Result<(), Fault> {
        for item in self.view.tables.partitions.iter(&self.view.txn)? {
            let (key, value) = item?;
            let partition = <[u8; 4]>::try_from(key).ok().map(u32::from_be_bytes).map(Partition);
            let (Some(partition), Some(record)) = (partition, Record::decode(value)) else {
                self.report.fault(format!("partition record {key:x?} is unreadable"));
                continue;
            };
            let Record { generation, position } = record;
            let known = partition.0 < self.identity.partitions;
            if !known || partition.shard(self.identity.shards) != self.identity.shard {
                self.report.fault(format!("partition {partition} belongs to another shard"));
            }
            let hash = StateHash(position.part(&mut self.hasher));
            let (rows, expiring, producers, writes) = (0, 0, 0, 0);
            let found =
                PartitionReport { partition, position, hash, rows, expiring, producers, writes };
            self.live.insert(partition, (generation, found));
        }
        Ok(())
    }

    fn rows(&mut self) -> Result<(), Fault> {
        let mut expiry = Vec::new();
        for item in self.view.tables.rows.iter(&self.view.txn)? {
            let (bytes, value) = item?;
            let (key, row) = match (RowKey::decode(bytes), Row::decode(value)) {
                (Some(key), Ok(row)) => (key, row),
                (None, _) => {
                    self.report.fault(format!("row key {bytes:x?} is unreadable"));
                    continue;
                }
                (_, Err(fault)) => {
                    self.report.fault(format!("row {bytes:x?}: {fault}"));
                    continue;
                }
            };
            let hash = self.hasher.row(&key.pk, key.sk, &row);
            let Some(found) = live(&mut self.live, &mut self.report, bytes) else { continue };
            found.hash.add(hash);
            found.rows += 1;
            found.expiring += u64::from(row.expires_at != NEVER);
            let next = found.position.next;
            for text in wrong_row(&key, &row, next, self.identity) {
                self.report.fault(format!("row {}/{}: {text}", key.pk, key.sk));
            }
            if row.expires_at != NEVER {
                expiry_key(bytes, row.expires_at, &mut expiry);
                if !self.view.has(self.view.tables.expiry, &expiry)? {
                    self.report.fault(format!("row {}/{} has no expiry key", key.pk, key.sk));
                }
            }
        }
        Ok(())
    }

    fn expiry(&mut self) -> Result<(), Fault> {
        for item in self.view.tables.expiry.iter(&self.view.txn)? {
            let (bytes, _) = item?;
            let Some((time, key)) = split_expiry(bytes) else {
                self.report.fault(format!("expiry key {bytes:x?} is unreadable"));
                continue;
            };
            if live(&mut self.live, &mut self.report, bytes).is_none() {
                continue;
            }
            let row = self.view.tables.rows.get(&self.view.txn, &key)?.map(Row::decode);
            if !matches!(row, Some(Ok(row)) if row.expires_at == time) {
                self.report.fault(format!("no row expires as {bytes:x?} says"));
            }
        }
        Ok(())
    }

    fn producers(&mut self) -> Result<(), Fault> {
        for item in self.view.tables.producers.iter(&self.view.txn)? {
            let (key, value) = item?;
            let (Some(id), Some((sequence, offset))) = (id_of(key), split_seen(value)) else {
                self.report.fault(format!("producer row {key:x?} is unreadable"));
                continue;
            };
            let hash = self.hasher.producer(ProducerId(id), sequence, offset);
            let Some(found) = live(&mut self.live, &mut self.report, key) else { continue };
            found.hash.add(hash);
            found.producers += 1;
            if offset >= found.position.next {
                self.report.fault(format!("producer {id:032x} is from the future: {offset}"));
            }
        }
        Ok(())
    }

    fn writes(&mut self) -> Result<(), Fault> {
        for item in self.view.tables.writes.iter(&self.view.txn)? {
            let (key, value) = item?;
            let (Some(id), Some((offset, byte))) = (id_of(key), split_write(value)) else {
                self.report.fault(format!("write id row {key:x?} is unreadable"));
                continue;
            };
            let hash = self.hasher.write(WriteId(id), offset, byte);
            let Some(found) = live(&mut self.live, &mut self.report, key) else { continue };
            found.hash.add(hash);
            found.writes += 1;
            let mut wrong = vec![];
            if offset >= found.position.next || Outcome::from_byte(byte).is_none() {
                wrong.push(format!("write id {id:032x} has offset {offset}, outcome {byte}"));
            }
            let Some(prefix) = key.first_chunk::<PREFIX>() else { continue };
            let age = age_key(*prefix, offset);
            let index = self.view.tables.write_ages.get(&self.view.txn, &age)?;
            if index != Some(&id.to_be_bytes()) {
                wrong.push(format!("write id {id:032x} has no age"));
            }
            wrong.into_iter().for_each(|text| self.report.fault(text));
        }
        Ok(())
    }

    fn write_ages(&mut self) -> Result<(), Fault> {
        for item in self.view.tables.write_ages.iter(&self.view.txn)? {
            let (key, value) = item?;
            let id = <[u8; 16]>::try_from(value).ok().map(u128::from_be_bytes).map(WriteId);
            let (Some(offset), Some(id), Some(prefix)) =
                (age_of(key), id, key.first_chunk::<PREFIX>())
            else {
                self.report.fault(format!("write age {key:x?} is unreadable"));
                continue;
            };
            if live(&mut self.live, &mut self.report, key).is_none() {
                continue;
            }
            let row = self.view.tables.writes.get(&self.view.txn, &write_key(*prefix, id))?;
            if row.and_then(split_write).map(|(at, _)| at) != Some(offset) {
                self.report.fault(format!("no write id was remembered at {offset} as {id}"));
            }
        }
        Ok(())
    }

    fn finish(self) -> Report {
        let Self { live, mut report, .. } = self;
        for (partition, (_, found)) in live {
            let stored = found.position;
            if found.hash != stored.hash {
                let (walked, stored) = (found.hash, stored.hash);
                report.fault(format!("partition {partition} hashes to {walked}, not {stored}"));
            }
            if found.rows != stored.rows {
                let (walked, stored) = (found.rows, stored.rows);
                report.fault(format!("partition {partition} has {walked} rows, not {stored}"));
            }
            // A released one is as one that has had none.
            if stored != Position::ZERO {
                report.partitions.push(found);
            }
        }
        report
    }
}

/// The partition that a key belongs to, if it is of the live generation.
fn live<'l>(
    live: &'l mut BTreeMap<Partition, (Generation, PartitionReport)>,
    report: &mut Report,
    key: &[u8],
) -> Option<&'l mut PartitionReport> {
    let found =
        split_prefix(key).map(|(partition, generation)| (live.get_mut(&partition), generation));
    match found {
        Some((Some((live, found)), generation)) if generation == *live => Some(found),
        // Before its first entry a partition has no record, and 0 is its live generation.
        None | Some((None, Generation(0))) => {
            report.fault(format!("key {key:x?} is of a partition that has no record"));
            None
        }
        Some(_) => {
            report.staged += 1;
            None
        }
    }
}

fn wrong_row(key: &RowKey<'_>, row: &Row<'_>, next: Offset, identity: &Identity) -> Vec<String> {
    let mut wrong = vec![];
    let home = identity.hash.partition(key.pk.as_bytes(), identity.partitions);
    if home != key.partition {
        wrong.push(format!("stands in partition {}, belongs to {home}", key.partition));
    }
    if row.written_by() >= next {
        wrong.push(format!("is from the future: offset {}, next is {next}", row.offset));
    }
    if !matches!(compact(row.data), Ok(std::borrow::Cow::Borrowed(_))) {
        wrong.push("its data is not compact JSON".to_owned());
    }
    wrong
}
