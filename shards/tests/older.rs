//! Tables as released versions wrote them, kept in the repository, are opened, read and brought up;
//! those of a version to come are refused.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod seeds;
mod stores;

use std::path::Path;

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, EnvOpenOptions, RwTxn};
use pumice_model::ids::Partition;
use pumice_shards::{OpenError, Options, check, open};
use stores::{P, Store, identity};

const MAP: usize = 16 << 20;

type Table = Database<'static, Bytes, Bytes>;

/// Works on `meta` and `partitions` behind the store's back.
fn with_tables<R>(dir: &Path, work: impl FnOnce(Table, Table, &mut RwTxn<'_>) -> R) -> R {
    let mut options = EnvOpenOptions::new();
    options.map_size(MAP).max_readers(16).max_dbs(7);
    #[expect(unsafe_code, reason = "the test writes the environment that it made")]
    // SAFETY: nobody else has the environment open.
    let env = unsafe { options.open(dir).unwrap() };
    let txn = env.read_txn().unwrap();
    let opened = env.open_databases_and_commit(txn, |opener, txn| {
        let open = |name| opener.open_database::<Bytes, Bytes>(txn, Some(name));
        let opened = (open("meta")?, open("partitions")?);
        Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(opened))
    });
    let (meta, partitions) = opened.unwrap().unwrap_commit();
    let mut txn = env.write_txn().unwrap();
    let result = work(meta.unwrap(), partitions.unwrap(), &mut txn);
    txn.commit().unwrap();
    result
}

fn format_of(dir: &Path) -> Vec<u8> {
    with_tables(dir, |meta, _, txn| meta.get(txn, b"format").unwrap().unwrap().to_vec())
}

fn record_of(dir: &Path, partition: Partition) -> Vec<u8> {
    let key = partition.0.to_be_bytes();
    with_tables(dir, |_, records, txn| records.get(txn, &key).unwrap().unwrap().to_vec())
}

/// A copy of a committed environment, made where pages have 4,096 bytes and numbers are
/// little-endian.
fn fixture(path: &str) -> tempfile::TempDir {
    let dir = seeds::directory();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::copy(from.join("data.mdb"), dir.path().join("data.mdb")).unwrap();
    dir
}

#[test]
fn the_tables_of_the_first_release_are_read() {
    let dir = fixture("../tests/fixtures/data-format-1/shard-000");
    assert_eq!(format_of(dir.path()), b"1");
    let namespace = "fixture".to_owned();
    let identity = pumice_shards::Identity { namespace, partitions: 1, ..identity() };
    let options = Options { map_size: MAP, readers: 16 };
    let report = check(dir.path(), &identity, &options).unwrap();
    assert!(report.clean(), "{:#?}", report.faults);
    let position = report.partitions[0].position;
    assert_eq!(position.hash.to_string(), "6169357b1f9e73622486d45176b7aec9");
    assert_eq!((position.next.0, position.rows, position.last), (5, 2, 0));
    assert_eq!(format_of(dir.path()), b"2");
}

/// Something in every table, and a partition that was restored once.
#[test]
fn the_tables_of_format_2_are_read() {
    let dir = fixture("tests/fixtures/tables-2");
    assert_eq!(format_of(dir.path()), b"2");
    assert_eq!(record_of(dir.path(), P)[..5], [2, 1, 0, 0, 0]);
    let mut store = Store::open(dir.path(), MAP);
    assert_eq!(store.check().staged, 0);
    let found = [Partition(0), P].map(|partition| {
        let position = store.position(partition);
        (position.next.0, position.rows, position.last, position.hash.to_string())
    });
    assert_eq!(found, FORMAT_2.map(|(next, rows, last, hash)| (next, rows, last, hash.to_owned())));
    store.follow(5, P, 31, 40);
    store.check();
}

/// Next offset, rows, record hash of the last entry, state hash.
const FORMAT_2: [(u64, u64, u64, &str); 2] = [
    (30, 73, 24, "96725002eecc58e180878c3510726a8a"),
    (31, 44, 27, "5a0566d2cdc69eb2dd9c44748989e325"),
];

#[test]
fn tables_of_format_1_are_brought_up() {
    let dir = seeds::directory();
    let mut store = Store::open(dir.path(), MAP);
    store.follow(1, P, 0, 20);
    store.follow(1, Partition(2), 0, 20);
    let newer = store.position(P);
    drop(store);
    with_tables(dir.path(), |meta, records, txn| {
        meta.put(txn, b"format", b"1").unwrap();
        for p in [P, Partition(2)] {
            let key = p.0.to_be_bytes();
            let mut record = records.get(txn, &key).unwrap().unwrap().to_vec();
            assert_eq!((record[0], record.len()), (2, 53));
            record[0] = 1;
            records.put(txn, &key, &record[..45]).unwrap();
        }
    });

    let mut store = Store::open(dir.path(), MAP);
    let older = store.position(P);
    assert_eq!((older.hash, older.next, older.last), (newer.hash, newer.next, 0));
    store.check();
    store.follow(1, P, 20, 30);
    assert_eq!(store.position(P).last, 1 ^ 29);
    store.check();
    drop(store);
    assert_eq!(format_of(dir.path()), b"2");
    assert_eq!(record_of(dir.path(), P).len(), 53);
    assert_eq!(record_of(dir.path(), Partition(2)).len(), 45);
}

#[test]
fn an_older_environment_of_another_identity_stays_as_it_is() {
    let dir = seeds::directory();
    drop(Store::open(dir.path(), MAP));
    with_tables(dir.path(), |meta, _, txn| meta.put(txn, b"format", b"1").unwrap());
    let options = Options { map_size: MAP, readers: 16 };
    let other = pumice_shards::Identity { namespace: "other".to_owned(), ..identity() };
    assert!(matches!(open(dir.path(), &other, &options), Err(OpenError::Identity { .. })));
    assert_eq!(format_of(dir.path()), b"1");
}

#[test]
fn tables_of_a_format_to_come_are_refused() {
    let dir = seeds::directory();
    drop(Store::open(dir.path(), MAP));
    for format in ["3", "0", "", "12"] {
        with_tables(dir.path(), |meta, _, txn| {
            meta.put(txn, b"format", format.as_bytes()).unwrap();
        });
        let options = Options { map_size: MAP, readers: 16 };
        let refused = open(dir.path(), &identity(), &options).unwrap_err();
        let OpenError::Identity { what, stored, .. } = &refused else { panic!("{refused}") };
        assert_eq!((*what, stored.as_str()), ("format", format));
    }
}
