//! Anonymous memory of a server while it takes snapshots and while it restores, above what it has
//! at rest. Main thread.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::report::at_most;
use crate::server::Server;
use crate::{All, Fallible};

const MIB: f64 = 1_048_576.0;
const BAR: f64 = 128.0;
/// Rounds of snapshots, so that what one leaves behind is seen.
const ROUNDS: usize = 3;

/// Measures both with `partitions`, of which `objects` has snapshots.
pub fn measure(all: &All, what: &str, partitions: u32, objects: &Path) -> Fallible<()> {
    let rest = rest(all, partitions)?;
    let mut server = Server::start(all, &all.data_dir(partitions), partitions, Some(objects))?;
    server.ready()?;
    thread::sleep(Duration::from_secs(2));
    let idle = server.memory() as f64;
    let (taken, most) =
        server.most_during(|server| (0..ROUNDS).try_for_each(|_| server.snapshot()))?;
    taken?;
    drop(server);
    let above = (most as f64 - idle) / MIB;
    println!("memory, {what}: snapshot {above:.1} MiB above {:.1} MiB idle", idle / MIB);
    at_most(&format!("memory of a snapshot, {what}, MiB"), above, BAR);

    let dir = all.dir.join("memory");
    let mut server = Server::start(all, &dir, partitions, Some(objects))?;
    let (ready, most) = server.most_during(|server| server.ready())?;
    ready?;
    drop(server);
    fs::remove_dir_all(&dir)?;
    let above = (most as f64 - rest) / MIB;
    println!("memory, {what}: restore {above:.1} MiB above {:.1} MiB idle", rest / MIB);
    at_most(&format!("memory of a restore, {what}, MiB"), above, BAR);
    Ok(())
}

/// What a server without records and without objects has, in bytes.
fn rest(all: &All, partitions: u32) -> Fallible<f64> {
    let dir = all.dir.join("memory");
    let mut server = Server::start(all, &dir, partitions, None)?;
    server.ready()?;
    thread::sleep(Duration::from_secs(2));
    let idle = server.memory() as f64;
    drop(server);
    fs::remove_dir_all(&dir)?;
    Ok(idle)
}
