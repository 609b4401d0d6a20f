//! A walk must find what is wrong: each table is damaged by hand and the report has to say so.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod seeds;

use std::path::Path;

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, EnvOpenOptions, RwTxn};
use pumice_model::hash::Hash;
use pumice_model::ids::{Partition, ShardId};
use pumice_model::row::{Row, RowBuf};
use pumice_shards::{Identity, Options, Report, check, open};

const PARTITIONS: u32 = 2;
const OPTIONS: Options = Options { map_size: 16 << 20, readers: 8 };

fn identity() -> Identity {
    let (namespace, hash) = ("check".to_owned(), Hash::Murmur2);
    Identity { namespace, partitions: PARTITIONS, hash, shards: 1, shard: ShardId(0) }
}

/// A store with something in every table.
fn fill(dir: &Path) {
    let pks = seeds::pks(Hash::Murmur2, PARTITIONS, 3);
    let (mut writer, _) = open(dir, &identity(), &OPTIONS).unwrap();
    for p in 0..PARTITIONS {
        let entry = |offset| seeds::entry_at(1, Partition(p), offset, &pks[p as usize]);
        writer.apply(&(0..60).map(entry).collect::<Vec<_>>(), &mut vec![]).unwrap();
    }
}

type Table = Database<'static, Bytes, Bytes>;

/// Changes a table behind the store's back.
fn damage(dir: &Path, table: &str, change: impl FnOnce(Table, &mut RwTxn<'_>)) {
    let mut options = EnvOpenOptions::new();
    options.map_size(OPTIONS.map_size).max_readers(OPTIONS.readers).max_dbs(7);
    #[expect(unsafe_code, reason = "the test writes the environment that it made")]
    // SAFETY: nobody else has the environment open.
    let env = unsafe { options.open(dir).unwrap() };
    let txn = env.read_txn().unwrap();
    let opened = env.open_databases_and_commit(txn, |opener, txn| {
        let opened = opener.open_database::<Bytes, Bytes>(txn, Some(table))?;
        Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(opened))
    });
    let table = opened.unwrap().unwrap_commit().unwrap();
    let mut txn = env.write_txn().unwrap();
    change(table, &mut txn);
    txn.commit().unwrap();
}

fn first(table: Table, txn: &RwTxn<'_>) -> (Vec<u8>, Vec<u8>) {
    let (key, value) = table.first(txn).unwrap().unwrap();
    (key.to_vec(), value.to_vec())
}

fn drop_first(table: Table, txn: &mut RwTxn<'_>) {
    let (key, _) = first(table, txn);
    assert!(table.delete(txn, &key).unwrap());
}

fn walk(dir: &Path) -> Report {
    check(dir, &identity(), &OPTIONS).unwrap()
}

/// Fills, damages, walks: the report has a fault with these words.
fn found(words: &str, table: &str, change: impl FnOnce(Table, &mut RwTxn<'_>)) {
    let dir = seeds::directory();
    fill(dir.path());
    let before = walk(dir.path());
    assert!(before.clean(), "{:#?}", before.faults);
    damage(dir.path(), table, change);
    let report = walk(dir.path());
    let told = report.faults.iter().any(|fault| fault.contains(words));
    assert!(told, "no '{words}' among {:#?}", report.faults);
}

#[test]
fn a_sound_store_has_something_in_every_table() {
    let dir = seeds::directory();
    fill(dir.path());
    let report = walk(dir.path());
    assert!(report.clean(), "{:#?}", report.faults);
    assert_eq!(report.partitions.len(), PARTITIONS as usize);
    for found in report.partitions {
        assert!(found.rows > 0 && found.expiring > 0 && found.producers > 0 && found.writes > 0);
        assert_eq!(found.hash, found.position.hash);
        assert_eq!(found.rows, found.position.rows);
    }
}

#[test]
fn a_missing_row_is_found() {
    found("hashes to", "rows", drop_first);
    found("rows, not", "rows", drop_first);
}

#[test]
fn a_changed_row_is_found() {
    let change = |data: &'static str, offset| {
        move |table: Table, txn: &mut RwTxn<'_>| {
            let (key, value) = first(table, txn);
            let row = Row { data, offset, ..Row::decode(&value).unwrap() };
            let mut buffer = RowBuf::default();
            row.encode(&mut buffer);
            table.put(txn, &key, buffer.bytes()).unwrap();
        }
    };
    found("hashes to", "rows", change("{}", 3));
    found("not compact JSON", "rows", change("{ }", 3));
    found("from the future", "rows", change("{}", 1_000_000));
    found("are not a row", "rows", |table, txn| {
        let (key, _) = first(table, txn);
        table.put(txn, &key, b"?").unwrap();
    });
}

#[test]
fn a_row_in_the_wrong_place_is_found() {
    found("belongs to 0", "rows", |table, txn| {
        let (mut key, value) = first(table, txn);
        key[3] = 1;
        table.put(txn, &key, &value).unwrap();
    });
    found("has no record", "rows", |table, txn| {
        let (mut key, value) = first(table, txn);
        key[3] = 9;
        table.put(txn, &key, &value).unwrap();
    });
    found("is unreadable", "rows", |table, txn| table.put(txn, b"row", b"").unwrap());
}

#[test]
fn an_expiry_index_that_lies_is_found() {
    found("has no expiry key", "expiry", drop_first);
    found("no row expires", "expiry", |table, txn| {
        let (mut key, _) = first(table, txn);
        key[15] ^= 1;
        table.put(txn, &key, b"").unwrap();
    });
}

#[test]
fn a_memory_that_lies_is_found() {
    found("hashes to", "producers", drop_first);
    found("hashes to", "writes", drop_first);
    found("no write id was remembered", "writes", drop_first);
    found("has no age", "write_ages", drop_first);
}

#[test]
fn a_lost_position_is_found() {
    found("has no record", "partitions", drop_first);
}

#[test]
fn another_generation_is_no_fault() {
    let dir = seeds::directory();
    fill(dir.path());
    damage(dir.path(), "rows", |table, txn| {
        let (mut key, value) = first(table, txn);
        key[7] = 1;
        table.put(txn, &key, &value).unwrap();
    });
    let report = walk(dir.path());
    assert!(report.clean(), "{:#?}", report.faults);
    assert_eq!(report.staged, 1);
}
