//! A disk that is full and a disk that fails, made by a shim around the C library's calls in a
//! child process, and a map that is full: each does what a shard promises, and nothing more.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod seeds;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Barrier;

use pumice_model::entry::{Entry, Logged, Origin};
use pumice_model::hash::Hash;
use pumice_model::ids::{Offset, Partition, ProducerId, ShardId, WriteId};
use pumice_model::logical::Logical;
use pumice_model::mutation::Mutation;
use pumice_model::outcome::Outcome;
use pumice_model::statehash::{Hasher, StateHash, part};
use pumice_shards::{
    Fault, Identity, OpenError, Options, Position, Reader, StageFault, Writer, open,
};

const P: Partition = Partition(0);
const SHIM: &str = "PUMICE_SHIM";
const SMALL: &str = "PUMICE_SMALL_DISK";

fn identity() -> Identity {
    let (namespace, hash) = ("faults".to_owned(), Hash::Murmur2);
    Identity { namespace, partitions: 1, hash, shards: 1, shard: ShardId(0) }
}

fn open_at(dir: &Path, map_size: usize) -> (Writer, Reader) {
    open(dir, &identity(), &Options { map_size, readers: 8 }).unwrap()
}

fn entry(writer: &Writer, mutations: Vec<Mutation>) -> Vec<Logged> {
    let offset = writer.next_offset(P);
    let time = 1_000 + offset.0 as i64;
    // An entry that is tried again after a fault must not meet what the fault undid.
    let origin = Some(Origin { producer: ProducerId(1), sequence: offset.0 });
    let write_id = Some(WriteId(u128::from(offset.0)));
    let entry = Ok(Entry { origin, time, write_id, dialect: 1, mutations });
    vec![Logged { partition: P, offset, log_time: time, hash: 0, entry }]
}

fn put(writer: &mut Writer, sk: &str, bytes: usize) -> Result<(), Fault> {
    let data = format!("\"{}\"", "x".repeat(bytes));
    let batch = entry(writer, vec![Mutation::put("pk", sk, data)]);
    let before = writer.next_offset(P);
    let mut verdicts = vec![];
    let result = writer.apply(&batch, &mut verdicts);
    let outcomes: Vec<_> = verdicts.iter().map(|verdict| verdict.outcome).collect();
    let applied = [Outcome::Applied { created: true }];
    assert_eq!(outcomes, if result.is_ok() { &applied[..] } else { &[] });
    let applied = u64::from(result.is_ok());
    assert_eq!(writer.next_offset(P), Offset(before.0 + applied));
    result
}

fn position(reader: &Reader) -> Position {
    reader.read(|view| view.position(P)).unwrap().unwrap()
}

fn has(reader: &Reader, sk: &str) -> bool {
    reader.read(|view| view.row(P, "pk", sk).unwrap().is_some()).unwrap()
}

fn prove(reader: &Reader) {
    let report = reader.read(|view| view.check(&identity())).unwrap().unwrap();
    assert!(report.clean(), "{:#?}", report.faults);
}

/// How the shim is told what fails.
struct Trigger(PathBuf);

impl Trigger {
    fn on(name: &str) -> Self {
        let path = Path::new(&env::var_os(SHIM).unwrap()).join(name);
        fs::write(&path, "").unwrap();
        Self(path)
    }

    fn failures(&self) -> usize {
        fs::read(self.0.with_extension("count")).map_or(0, |count| count.len())
    }

    fn off(self) {
        fs::remove_file(self.0).unwrap();
    }
}

/// Runs a test of this file once more in a child that has the shim; whether this is the child.
fn in_child(test: &str) -> bool {
    if env::var_os(SHIM).is_some() {
        return true;
    }
    let dir = tempfile::tempdir().unwrap();
    let shim = dir.path().join("shim.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults.c");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source).arg("-ldl");
    match cc.status() {
        Err(error) => {
            println!("skipped {test}: there is no C compiler to build the shim with: {error}");
            return false;
        }
        Ok(status) => assert!(status.success(), "the shim does not compile"),
    }
    let mut child = Command::new(env::current_exe().unwrap());
    passes(test, child.env("LD_PRELOAD", &shim).env(SHIM, dir.path()));
    false
}

fn passes(test: &str, child: &mut Command) {
    let output = child.args([test, "--exact", "--nocapture", "--test-threads=1"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{output:?}");
}

#[test]
fn a_full_disk_heals() {
    if !in_child("a_full_disk_heals") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = open_at(dir.path(), 16 << 20);
    put(&mut writer, "before", 10).unwrap();
    let before = position(&reader);

    let space = Trigger::on("space");
    for _ in 0..3 {
        assert!(matches!(put(&mut writer, "during", 10), Err(Fault::Full(_))));
    }
    assert!(space.failures() >= 3);
    assert_eq!(position(&reader), before);
    assert!(has(&reader, "before") && !has(&reader, "during"));
    prove(&reader);

    space.off();
    put(&mut writer, "after", 10).unwrap();
    assert!(has(&reader, "after"));
    prove(&reader);
}

/// A disk of four mebibytes of its own, in a mount namespace that ends with the child.
#[test]
fn a_small_disk_heals() {
    let test = "a_small_disk_heals";
    if env::var_os(SMALL).is_none() {
        let dir = tempfile::tempdir().unwrap();
        let mount = "mount -t tmpfs -o size=4m tmpfs \"$0\" && exec \"$@\"";
        let unshare = ["-rm", "sh", "-c", mount];
        let possible = Command::new("unshare").args(unshare).arg(dir.path()).arg("true").output();
        if !possible.as_ref().is_ok_and(|output| output.status.success()) {
            println!("skipped {test}: a mount namespace is not to be had: {possible:?}");
            return;
        }
        let mut child = Command::new("unshare");
        child.args(unshare).arg(dir.path()).arg(env::current_exe().unwrap());
        return passes(test, child.env(SMALL, dir.path()));
    }
    let disk = PathBuf::from(env::var_os(SMALL).unwrap());
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![1; 1 << 20]).unwrap();
    let options = Options { map_size: 64 << 20, readers: 1_024 };
    let (mut writer, reader) = open(&disk.join("shard"), &identity(), &options).unwrap();
    for size in [100_000, 30_000, 3_000, 50] {
        let mut row = 0;
        let fault = loop {
            match put(&mut writer, &format!("{size}/{row}"), size) {
                Ok(()) => row += 1,
                Err(fault) => break fault,
            }
        };
        assert!(matches!(fault, Fault::Full(_)), "{fault}");
        prove(&reader);
    }
    // Each new thread takes a reader slot, for which there must be room on the full disk.
    let all_have_read = Barrier::new(200);
    let read = || {
        assert!(has(&reader, "100000/0"));
        all_have_read.wait();
    };
    std::thread::scope(|scope| (0..200).for_each(|_| drop(scope.spawn(read))));
    fs::remove_file(ballast).unwrap();
    put(&mut writer, "after", 100_000).unwrap();
    assert!(has(&reader, "after") && has(&reader, "100000/0"));
    prove(&reader);
}

#[test]
fn a_failed_sync_breaks_for_good() {
    if !in_child("a_failed_sync_breaks_for_good") {
        return;
    }
    breaks_for_good("sync");
}

#[test]
fn a_failed_meta_page_breaks_for_good() {
    if !in_child("a_failed_meta_page_breaks_for_good") {
        return;
    }
    breaks_for_good("meta");
}

fn breaks_for_good(name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = open_at(dir.path(), 16 << 20);
    put(&mut writer, "before", 10).unwrap();
    let before = position(&reader);

    let trigger = Trigger::on(name);
    assert!(matches!(put(&mut writer, "during", 10), Err(Fault::Broken(_))));
    assert_eq!(trigger.failures(), 1, "a failed {name} was tried again");
    trigger.off();
    for _ in 0..3 {
        assert!(matches!(put(&mut writer, "during", 10), Err(Fault::Broken(_))));
    }

    // Reads of the last good state go on, on this thread and on new ones.
    let read = |reader: &Reader| {
        assert_eq!(position(reader), before);
        assert!(has(reader, "before") && !has(reader, "during"));
        prove(reader);
    };
    read(&reader);
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(|| read(&reader)))));
    drop((writer, reader));

    // The process starts again on a disk that works.
    let (mut writer, reader) = open_at(dir.path(), 16 << 20);
    read(&reader);
    put(&mut writer, "after", 10).unwrap();
    prove(&reader);
}

#[test]
fn a_fault_in_a_restore_leaves_what_is_live() {
    if !in_child("a_fault_in_a_restore_leaves_what_is_live") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = open_at(dir.path(), 16 << 20);
    put(&mut writer, "before", 10).unwrap();
    let before = position(&reader);
    let (producer, sequence, offset) = (ProducerId(7), 1, Offset(3));
    let mut bytes = vec![];
    Logical::Producer { producer, sequence, offset }.encode(&mut bytes);
    let hasher = &mut Hasher::default();
    let mut hash = StateHash(part(&bytes));
    hash.add(hasher.position(Offset(4), 0));
    let restored = Position { next: Offset(4), log_time: 0, hash, rows: 0, last: 0 };
    assert_eq!(writer.stage_begin(P), Ok(true));

    let space = Trigger::on("space");
    let full = |fault: &StageFault| matches!(fault, StageFault::Shard(Fault::Full(_)));
    assert!(writer.stage(P, [&*bytes]).is_err_and(|fault| full(&fault)));
    space.off();
    writer.stage(P, [&*bytes]).unwrap();
    let sync = Trigger::on("sync");
    let broken = |fault: &StageFault| matches!(fault, StageFault::Shard(Fault::Broken(_)));
    assert!(writer.install(P, &restored).is_err_and(|fault| broken(&fault)));
    sync.off();
    assert!(writer.install(P, &restored).is_err_and(|fault| broken(&fault)));
    assert!(matches!(writer.sweep(), Err(Fault::Broken(_))));
    assert_eq!(position(&reader), before);
    assert!(has(&reader, "before"));
    drop((writer, reader));

    let (mut writer, reader) = open_at(dir.path(), 16 << 20);
    // A failed sync says nothing of what came to the disk: one state or the other.
    assert!([before, restored].contains(&position(&reader)));
    while writer.sweep().unwrap() {}
    let report = reader.read(|view| view.check(&identity())).unwrap().unwrap();
    assert!(report.clean() && report.staged == 0, "{report:#?}");
    put(&mut writer, "after", 10).unwrap();
}

#[test]
fn a_full_map_heals_when_rows_go() {
    let dir = seeds::directory();
    let (mut writer, reader) = open_at(dir.path(), 1 << 20);
    let mut rows = 0;
    let fault = loop {
        match put(&mut writer, &rows.to_string(), 10_000) {
            Ok(()) => rows += 1,
            Err(fault) => break fault,
        }
    };
    assert!(matches!(fault, Fault::Full(_)), "{fault}");
    assert!(rows > 20, "only {rows} rows went in");
    assert_eq!(position(&reader).rows, rows);
    prove(&reader);

    let deletes = (0..rows / 2).map(|row| Mutation::delete("pk", row.to_string())).collect();
    let batch = entry(&writer, deletes);
    let mut verdicts = vec![];
    writer.apply(&batch, &mut verdicts).unwrap();
    // LMDB gives pages back two transactions after the one that freed them.
    for _ in 0..2 {
        let tick = entry(&writer, vec![]);
        writer.apply(&tick, &mut verdicts).unwrap();
    }
    put(&mut writer, "after", 10_000).unwrap();
    assert!(has(&reader, "after"));
    prove(&reader);
}

#[test]
fn offsets_that_go_back_break_the_writer() {
    let dir = seeds::directory();
    let (mut writer, reader) = open_at(dir.path(), 1 << 20);
    put(&mut writer, "a", 1).unwrap();
    let mut batch = entry(&writer, vec![Mutation::put("pk", "b", "1")]);
    batch.push(batch[0].clone());
    let before = position(&reader);
    let fault = writer.apply(&batch, &mut vec![]).unwrap_err();
    assert!(fault.to_string().contains("offset went backwards"), "{fault}");
    assert_eq!(position(&reader), before);
    batch.pop();
    assert!(matches!(writer.apply(&batch, &mut vec![]), Err(Fault::Broken(_))));
}

#[test]
fn a_read_inside_a_read_is_a_fault() {
    let dir = seeds::directory();
    let (mut writer, reader) = open_at(dir.path(), 1 << 20);
    put(&mut writer, "a", 1).unwrap();
    reader
        .read(|view| {
            assert!(matches!(reader.read(|_| ()), Err(Fault::Broken(_))));
            assert!(view.row(P, "pk", "a").unwrap().is_some());
        })
        .unwrap();
    assert!(has(&reader, "a"));
}

#[test]
fn an_environment_is_opened_once_and_by_its_own() {
    let dir = seeds::directory();
    let options = Options { map_size: 1 << 20, readers: 8 };
    let first = open(dir.path(), &identity(), &options).unwrap();
    let second = open(dir.path(), &identity(), &options);
    assert!(matches!(second, Err(OpenError::Taken(_))), "{second:?}");
    drop(first);
    let others = [
        ("namespace", Identity { namespace: "other".to_owned(), ..identity() }),
        ("partitions", Identity { partitions: 2, ..identity() }),
        ("hash", Identity { hash: Hash::Xxh64, ..identity() }),
        ("shards", Identity { shards: 2, ..identity() }),
        ("shard", Identity { shard: ShardId(1), ..identity() }),
    ];
    for (differs, other) in others {
        let refused = open(dir.path(), &other, &options).unwrap_err();
        let OpenError::Identity { what, .. } = &refused else { panic!("{refused}") };
        assert_eq!(*what, differs);
    }
    open(dir.path(), &identity(), &options).unwrap();
}
