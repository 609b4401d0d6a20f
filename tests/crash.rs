//! A server is killed at a random moment under concurrent writes, again and again on one data
//! directory: what it acknowledged is there, whole, in its place, and nothing that nobody asked
//! for. 100 cycles, and 1,000 with PUMICE_SOAK=1.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "crash/model.rs"]
mod model;
mod server;
#[path = "crash/writers.rs"]
mod writers;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::time::Duration;

use futures_util::future::{join, join_all};
use model::{Draft, Key, Slice, Stored};
use pumice::datadir::DataDir;
use pumice_client::Client;
use pumice_model::ids::Partition;
use pumice_shards::{Identity, Options, Position, Range, Span, View, open};
use server::Server;
use writers::{Noted, Seed, Writer};

const PARTITIONS: u32 = 8;
const SHARDS: u16 = 3;
const WRITERS: u64 = 8;

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let cycles = if env::var_os("PUMICE_SOAK").is_some() { 1_000 } else { 100 };
    let seed = env::var("PUMICE_CRASH_SEED").map_or(1, |text| text.parse().unwrap());
    println!("PUMICE_CRASH_SEED={seed}");
    let dir = tempfile::tempdir().unwrap();
    let mut seeds = Seed(seed);
    let mut writers: Vec<_> =
        (0..WRITERS).map(|name| Writer::new(name, seed, PARTITIONS)).collect();
    let mut slices = BTreeMap::new();
    let mut count = Count::default();
    for cycle in 0..cycles {
        let delay = Duration::from_micros(20_000 + seeds.below(130_000));
        println!("cycle {cycle}: killed after {delay:?}");
        let journal = killed_after(delay, dir.path(), &mut writers);
        prove(dir.path(), &journal, &mut slices, &mut count);
    }
    assert!(count.acknowledged > 0 && count.refused > 0, "{count:?}");
    println!("{cycles} kills, {count:?}");
}

#[derive(Debug, Default)]
struct Count {
    acknowledged: usize,
    refused: usize,
    unanswered: usize,
    unanswered_and_there: usize,
}

/// Starts a server, lets every writer write, kills it and gives what they noted.
fn killed_after(delay: Duration, dir: &Path, writers: &mut [Writer]) -> Vec<Noted> {
    let cores = if std::thread::available_parallelism().unwrap().get() > 1 { "2" } else { "1" };
    let (partitions, shards) = (PARTITIONS.to_string(), SHARDS.to_string());
    let flags = ["--cores", cores, "--partitions", &partitions, "--shards", &shards];
    let server = Server::start(dir, &flags);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, gone) = (Client::new(&server.url()).unwrap(), Cell::new(false));
        let kill = async {
            tokio::time::sleep(delay).await;
            server.kill();
            gone.set(true);
        };
        let write = join_all(writers.iter_mut().map(|writer| writer.run(&client, &gone)));
        join(kill, write).await.1.into_iter().flatten().collect()
    })
}

/// Opens every shard and compares it with the model, which catches up by the journal.
fn prove(
    dir: &Path,
    journal: &[Noted],
    slices: &mut BTreeMap<Partition, Slice>,
    count: &mut Count,
) {
    let directory = DataDir::open_existing(dir).unwrap();
    for (path, identity) in directory.each_shard() {
        let options = Options { map_size: 1 << 30, readers: 1_024 };
        let (_, reader) = open(&path, &identity, &options).unwrap();
        reader.read(|view| prove_shard(view, &identity, journal, slices, count)).unwrap();
    }
}

fn prove_shard(
    view: &View<'_>,
    identity: &Identity,
    journal: &[Noted],
    slices: &mut BTreeMap<Partition, Slice>,
    count: &mut Count,
) {
    let report = view.check(identity).unwrap();
    assert!(report.clean(), "{:#?}", report.faults);
    let all = (0..identity.partitions).map(Partition);
    for partition in all.filter(|p| p.shard(identity.shards) == identity.shard) {
        let position = view.position(partition).unwrap();
        let range = Range { partition, span: Span::all(), reverse: false };
        let rows = view.scan(&range).unwrap().map(|item| {
            let (key, row) = item.unwrap();
            ((key.pk, key.sk.to_owned()), Stored::of(&row))
        });
        let noted: Vec<_> = journal.iter().filter(|noted| noted.partition == partition).collect();
        let slice = slices.entry(partition).or_default();
        catch_up(partition, slice, &noted, &position, &rows.collect(), count);
    }
}

/// Finds the place of every entry in the log, proves that the log has no others, and that the
/// store holds exactly what they leave.
fn catch_up(
    partition: Partition,
    slice: &mut Slice,
    noted: &[&Noted],
    position: &Position,
    stored: &BTreeMap<Key, Stored>,
    count: &mut Count,
) {
    let next = position.next.0;
    let mut log: BTreeMap<u64, &Noted> = BTreeMap::new();
    let mut unplaced = Vec::new();
    for noted in noted {
        let found = noted.told.map(|(offset, _)| offset).or_else(|| row_of(&noted.draft, stored));
        let Some(offset) = found else {
            unplaced.push(*noted);
            continue;
        };
        assert!(
            (slice.next..next).contains(&offset),
            "partition {partition} lost {offset}: it has {} to {next}, {noted:?}",
            slice.next
        );
        let other = log.insert(offset, noted);
        assert!(other.is_none(), "partition {partition}, offset {offset}: {other:?}, {noted:?}");
    }
    let acknowledged = noted.iter().filter(|noted| noted.told.is_some()).count();
    count.acknowledged += acknowledged;
    count.unanswered += noted.len() - acknowledged;
    // An entry that nothing can refuse and that leaves a row is there only if its row is.
    unplaced.retain(|noted| noted.draft.guarded() || !noted.draft.puts());
    let holes: Vec<u64> = (slice.next..next).filter(|offset| !log.contains_key(offset)).collect();
    let proved = place(&holes, &mut unplaced, &mut log, &mut |log| {
        let mut ahead = slice.clone();
        for (offset, noted) in log {
            let outcome = ahead.apply(*offset, &noted.draft);
            if noted.told.is_some_and(|(_, told)| !told.is(outcome)) {
                return None;
            }
        }
        ahead.agrees(position, stored).then_some(ahead)
    });
    count.unanswered_and_there += log.len() - acknowledged;
    *slice = proved.unwrap_or_else(|| {
        panic!(
            "partition {partition} holds at {position:?} what no log leaves: holes {holes:?}, \
             unanswered {unplaced:#?}, {log:#?}, {stored:#?}"
        )
    });
    count.refused +=
        log.values().filter(|n| matches!(n.told, Some((_, writers::Told::Refused(_))))).count();
}

/// Where an entry without an answer stands, told by a row that only it can have left.
fn row_of(draft: &Draft, stored: &BTreeMap<Key, Stored>) -> Option<u64> {
    draft.changes.iter().find_map(|change| {
        let text = model::text(change.n?);
        stored.get(&change.key).filter(|row| row.data == text).map(|row| row.offset)
    })
}

/// Tries every way to fill the holes with entries that left no row, until one is proved.
fn place<'n, R>(
    holes: &[u64],
    unplaced: &mut Vec<&'n Noted>,
    log: &mut BTreeMap<u64, &'n Noted>,
    prove: &mut impl FnMut(&BTreeMap<u64, &'n Noted>) -> Option<R>,
) -> Option<R> {
    let Some((hole, rest)) = holes.split_first() else { return prove(log) };
    for at in 0..unplaced.len() {
        let tried = unplaced.swap_remove(at);
        log.insert(*hole, tried);
        if let Some(proved) = place(rest, unplaced, log, prove) {
            return Some(proved);
        }
        log.remove(hole);
        unplaced.push(tried);
        let last = unplaced.len() - 1;
        unplaced.swap(at, last);
    }
    None
}
