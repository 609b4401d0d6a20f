//! Snapshots of all partitions into a directory, against zstd and a copy of the same bytes; then
//! restores of them into empty shards. Main thread; what the node does runs on its own threads, and
//! the yardstick on one like them.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use pumice::rt;
use pumice::settings::{ObjectsSettings, SnapshotSettings};
use pumice::snapshot::restore::{Wish, restore_all};
use pumice::snapshot::service;
use pumice::stats::snapshot::SnapshotStats;
use pumice_model::ids::{Offset, Partition};
use pumice_shards::Reader;

use crate::node::{Node, PARTITIONS, SHARDS};
use crate::report::{at_least, cpu, median, timed};
use crate::{All, Fallible};

/// What snapshots pack with.
const LEVEL: i32 = 1;
const MB: f64 = 1e6;
const CHUNK: usize = 1 << 20;

/// Measures both and closes the node; where the objects are.
pub fn measure(all: &All, node: Node) -> Fallible<PathBuf> {
    let objects = all.dir.join("objects");
    let plain = all.dir.join("plain");
    let bytes = write_plain(&node, &plain)? as f64;
    let rows: u64 = node.held()?.iter().map(|held| held.rows).sum();
    println!(
        "snapshot: {rows} rows in {PARTITIONS} partitions, {:.1} MB of logical bytes",
        bytes / MB
    );
    let service = start(&node, &all.dir.join("spool"), &objects)?;
    let (mut rates, mut ratios, mut unsynced) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=all.rounds {
        let before = cpu();
        let (taken, ours) = timed(|| take(&service));
        let (packed, our_cpu) = (taken?, (cpu() - before).as_secs_f64());
        let before = cpu();
        let Yardstick { zstd, copy, sync } = yardstick(&node.serving, &plain, &all.dir)?;
        let their_cpu = (cpu() - before).as_secs_f64();
        println!(
            "snapshot round {round}: {:.0} MB/s ({packed} bytes packed, {ours:.2} s, {our_cpu:.2} \
             CPU s); zstd {zstd:.2} s, copy {copy:.2} s, sync {sync:.2} s ({their_cpu:.2} CPU s); \
             ratio {:.2}, without the sync {:.2}",
            bytes / MB / ours,
            (zstd + copy + sync) / ours,
            (zstd + copy) / ours
        );
        rates.push(bytes / MB / ours);
        ratios.push((zstd + copy + sync) / ours);
        unsynced.push((zstd + copy) / ours);
    }
    service.stop();
    fs::remove_file(&plain)?;
    println!("snapshot median: {:.0} MB/s", median(&rates));
    at_least("snapshot, to zstd and a copy, both on the disk", median(&ratios), 0.7);
    at_least("snapshot, to zstd and a copy that nobody syncs", median(&unsynced), 0.7);
    restores(all, &node, &objects, rows)?;
    node.close()?;
    Ok(objects)
}

/// Seconds of what a snapshot is held against: the same bytes, from one file in the page cache, in
/// one stream of zstd's at the same level into a second file, and a copy of that one. As a snapshot
/// it runs on one thread that keeps off the serving CPU, and its result is synced in the end; it
/// looks up no rows, makes no checksums and reads nothing back.
struct Yardstick {
    zstd: f64,
    copy: f64,
    sync: f64,
}

/// Snapshots of all partitions of a directory; where the objects are.
pub fn take_all(all: &All, dir: &Path, partitions: u32) -> Fallible<PathBuf> {
    let objects = all.dir.join("objects-of-one");
    let node = Node::open(dir, partitions, all.serving_cpu)?;
    let service = start(&node, &all.dir.join("spool"), &objects)?;
    take(&service)?;
    service.stop();
    node.close()?;
    Ok(objects)
}

fn start(node: &Node, spool: &Path, objects: &Path) -> Fallible<service::Running> {
    fs::create_dir_all(objects)?;
    let snapshots = SnapshotSettings {
        interval: None,
        keep: 1,
        keep_for: Duration::ZERO,
        spool_dir: spool.to_owned(),
    };
    Ok(service::start(service::Setup {
        objects: Some(ObjectsSettings::Directory(objects.to_owned())),
        snapshots,
        cluster: node.cluster.clone(),
        shards: SHARDS,
        readers: node.readers.clone(),
        feeders: Vec::new(),
        wanted: None,
        peers: None,
        asked: None,
        progress: None,
        stats: Arc::<SnapshotStats>::default(),
        serving: node.serving.clone(),
    })?)
}

/// One round; the bytes that were uploaded.
pub fn take(service: &service::Running) -> Fallible<u64> {
    let handle = service.handle();
    handle.create_all().map_err(|_| "a round is running already")?;
    loop {
        let status = handle.status();
        if let Some((partition, why)) = status.failed.first() {
            return Err(format!("partition {partition}: {why}").into());
        }
        if !status.running {
            return Ok(status.bytes);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Writes the bytes that snapshots pack into one file; how many.
fn write_plain(node: &Node, path: &Path) -> Fallible<u64> {
    let mut out = BufWriter::with_capacity(CHUNK, File::create(path)?);
    for partition in (0..node.cluster.partitions).map(Partition) {
        let reader: &Reader = &node.readers[usize::from(partition.shard(SHARDS).0)];
        reader.read(|view| -> Fallible<()> {
            let mut export = view.export(partition)?;
            while let Some(row) = export.next()? {
                out.write_all(&u32::try_from(row.len())?.to_le_bytes())?;
                out.write_all(row)?;
            }
            Ok(())
        })??;
    }
    out.flush()?;
    out.get_ref().sync_all()?;
    Ok(fs::metadata(path)?.len())
}

fn yardstick(serving: &[usize], plain: &Path, dir: &Path) -> Fallible<Yardstick> {
    let (plain, packed, copied) = (plain.to_owned(), dir.join("packed"), dir.join("copied"));
    let thread = rt::thread::background("yardstick", serving, move || {
        let (done, zstd) = timed(|| pack(&plain, &packed));
        done?;
        let (done, copy) = timed(|| fs::copy(&packed, &copied));
        done?;
        let (done, sync) = timed(|| File::open(&copied)?.sync_all());
        done?;
        fs::remove_file(&packed)?;
        fs::remove_file(&copied)?;
        Ok::<_, io::Error>(Yardstick { zstd, copy, sync })
    })?;
    Ok(thread.join().map_err(|_| "the yardstick panicked")??)
}

/// By the megabyte, as a snapshot packs: small reads and writes would slow the yardstick down.
fn pack(plain: &Path, packed: &Path) -> io::Result<()> {
    let mut plain = File::open(plain)?;
    let out = BufWriter::with_capacity(CHUNK, File::create(packed)?);
    let mut zstd = zstd::stream::Encoder::new(out, LEVEL)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        match plain.read(&mut chunk)? {
            0 => return zstd.finish()?.flush(),
            read => zstd.write_all(&chunk[..read])?,
        }
    }
}

fn restores(all: &All, source: &Node, objects: &Path, rows: u64) -> Fallible<()> {
    let settings = ObjectsSettings::Directory(objects.to_owned());
    let mut rates = Vec::new();
    for round in 1..=all.rounds {
        let dir = all.dir.join("restored");
        let node = Node::open(&dir, PARTITIONS, all.serving_cpu)?;
        let wishes: Vec<Wish> = (0..PARTITIONS).map(Partition).map(wish).collect();
        let stats = SnapshotStats::default();
        let (restored, seconds) = timed(|| {
            restore_all(&settings, &node.cluster, &node.feeders, &wishes, &stats, &|_, _| {})
        });
        for (partition, outcome) in restored? {
            outcome?.ok_or_else(|| format!("partition {partition} has no snapshot"))?;
        }
        if node.held()? != source.held()? {
            return Err("what was restored is not what was there".into());
        }
        node.close()?;
        fs::remove_dir_all(&dir)?;
        println!("restore round {round}: {:.0} rows/s ({seconds:.2} s)", rows as f64 / seconds);
        rates.push(rows as f64 / seconds);
    }
    println!("restore median: {:.0} rows/s", median(&rates));
    Ok(())
}

fn wish(partition: Partition) -> Wish {
    Wish { partition, covers: Offset(0), at_most: Offset(u64::MAX), followed: false }
}
