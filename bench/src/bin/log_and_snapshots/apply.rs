//! Entries a second applied from the broker, against the same entries from memory through the same
//! feeds and owners while the broker gives as much to somebody else. Main thread, and one thread a
//! shard that feeds from memory.

use std::path::Path;
use std::process::Command;
use std::{fs, thread};

use pumice::mesh::feed::{Entries as Batch, Fed};
use pumice::rt;
use pumice_model::entry::{Logged, record_hash};
use pumice_model::ids::Offset;

use crate::entries::{Entries, TIME};
use crate::node::{Node, PARTITIONS, SHARDS};
use crate::report::{at_least, cpu, median, timed};
use crate::topic::{self, Discard, Discarding};
use crate::{All, Fallible};

/// Entries that the follower hands over at a time: what one fetch of 1 MiB brings.
const BATCH: usize = 3_400;

/// Measures, and gives the node of the last round, with all entries applied.
pub fn measure(all: &All, broker: &str, entries: &Entries) -> Fallible<Node> {
    let topic = format!("pumice_bench_{}", std::process::id());
    let making = all.dir.join("making");
    let node = Node::open(&making, PARTITIONS, all.serving_cpu)?;
    node.follow(broker, &topic)?.stop()?;
    node.close()?;
    fs::remove_dir_all(&making)?;
    let (filled, seconds) = timed(|| topic::fill(broker, &topic, entries, PARTITIONS));
    filled?;
    println!(
        "apply: topic of {} entries over {} keys, {PARTITIONS} partitions, {SHARDS} shards, \
              filled in {seconds:.1} s",
        entries.total, entries.keys
    );
    let measured = rounds(all, broker, entries, &topic);
    topic::delete(broker, &topic)?;
    measured
}

fn rounds(all: &All, broker: &str, entries: &Entries, topic: &str) -> Fallible<Node> {
    let (mut from_kafka, mut in_memory, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut last = None;
    for round in 1..=all.rounds {
        let dir = all.data_dir(PARTITIONS);
        let node = Node::open(&fresh(&dir)?, PARTITIONS, all.serving_cpu)?;
        let before = cpu();
        let (log, seconds) = timed(|| {
            let log = node.follow(broker, topic)?;
            node.applied(entries.total).map(|()| log)
        });
        log?.stop()?;
        let kafka = entries.total as f64 / seconds;
        let kafka_cpu = (cpu() - before).as_secs_f64();
        let hashes: Vec<_> = node.held()?.iter().map(|held| (held.next, held.rows)).collect();
        node.close()?;

        let node = Node::open(&fresh(&dir)?, PARTITIONS, all.serving_cpu)?;
        let told = Discard::new(broker, topic, PARTITIONS, entries.total, kafka);
        let (node, memory, memory_cpu) = {
            let batches = decoded(entries, PARTITIONS);
            let _busy = Discarding::start(&told, all.serving_cpu)?;
            let before = cpu();
            let (fed, seconds) = timed(|| feed(&node, batches, entries.total));
            fed?;
            (node, entries.total as f64 / seconds, (cpu() - before).as_secs_f64())
        };
        let again: Vec<_> = node.held()?.iter().map(|held| (held.next, held.rows)).collect();
        if again != hashes {
            return Err(format!("the log gave {hashes:?}, the memory {again:?}").into());
        }
        println!(
            "apply round {round}: kafka {kafka:.0}/s ({kafka_cpu:.1} CPU s), memory {memory:.0}/s \
             ({memory_cpu:.1} CPU s), ratio {:.3}",
            kafka / memory
        );
        from_kafka.push(kafka);
        in_memory.push(memory);
        ratios.push(kafka / memory);
        if round < all.rounds {
            node.close()?;
        } else {
            last = Some(node);
        }
    }
    println!(
        "apply median: kafka {:.0}/s, memory {:.0}/s",
        median(&from_kafka),
        median(&in_memory)
    );
    at_least("apply, kafka to memory", median(&ratios), 0.8);
    at_least("apply, entries a second from kafka (goal)", median(&from_kafka), 150_000.0);
    last.ok_or_else(|| "no round was run".into())
}

/// Applies all entries from memory; the node again.
pub fn from_memory(node: Node, entries: &Entries) -> Fallible<Node> {
    let batches = decoded(entries, node.cluster.partitions);
    feed(&node, batches, entries.total)?;
    Ok(node)
}

/// The entries as the follower would hand them over, by shard, its partitions in turn.
fn decoded(entries: &Entries, partitions: u32) -> Vec<Vec<Batch>> {
    let mut shards: Vec<Vec<Batch>> = (0..SHARDS).map(|_| Vec::new()).collect();
    let mut open: Vec<Vec<Logged>> = (0..partitions).map(|_| Vec::new()).collect();
    let mut next = vec![0; partitions as usize];
    let mut hand_over = |logged: Vec<Logged>| {
        let Some(first) = logged.first() else { return };
        let shard = usize::from(first.partition.shard(SHARDS).0);
        let homes = logged.iter().map(|_| None).collect();
        shards[shard].push(Batch { logged, homes });
    };
    for (partition, entry) in entries.all(partitions) {
        let at = partition.0 as usize;
        let pk = entry.mutations.first().map(|mutation| mutation.pk.as_bytes());
        let hash = record_hash(TIME, pk, Some(&entry.encode()));
        let offset = Offset(next[at]);
        next[at] += 1;
        open[at].push(Logged { partition, offset, log_time: TIME, hash, entry: Ok(entry) });
        if open[at].len() == BATCH {
            hand_over(std::mem::take(&mut open[at]));
        }
    }
    open.into_iter().for_each(hand_over);
    shards
}

fn feed(node: &Node, batches: Vec<Vec<Batch>>, total: u64) -> Fallible<()> {
    let mut feeding = Vec::new();
    for (feeder, batches) in node.feeders.iter().cloned().zip(batches) {
        feeding.push(rt::thread::background("feeding", &node.serving, move || {
            batches.into_iter().all(|batch| feeder.blocking_send(Fed::Entries(batch)).is_ok())
        })?);
    }
    node.applied(total)?;
    let fed = feeding.into_iter().all(|thread| thread.join().is_ok_and(|fed| fed));
    if fed { Ok(()) } else { Err("an owner ended early".into()) }
}

/// An empty directory, with nothing of an earlier round still on its way to the disk.
fn fresh(dir: &Path) -> Fallible<std::path::PathBuf> {
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    Command::new("sync").status()?;
    thread::sleep(std::time::Duration::from_secs(1));
    Ok(dir.to_owned())
}
