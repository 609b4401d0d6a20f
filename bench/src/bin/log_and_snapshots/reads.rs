//! The 99th percentile of reads at half of what the server can do, with snapshots being taken and
//! without. Main thread, one that asks for snapshots, and a process that reads.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::entries::Entries;
use crate::node::PARTITIONS;
use crate::report::{at_most, median};
use crate::server::Server;
use crate::{All, Fallible};

/// Records that are read.
const KEYS: u64 = 20_000;
/// How the reading process is given its CPU before anything else there: its waits are no latency of
/// the server's.
const FIRST: [&str; 3] = ["chrt", "-f", "10"];

/// What one run of the reading process says.
struct Read {
    asked: f64,
    failed: f64,
    seconds: f64,
    p50: f64,
    p99: f64,
    p999: f64,
    most: f64,
}

/// Measures.
pub fn measure(all: &All, entries: &Entries) -> Fallible<()> {
    let paths = all.dir.join("paths");
    let lines = entries.written(KEYS).map(|pk| format!("/v1/records/{pk}/profile\n"));
    fs::write(&paths, lines.collect::<String>())?;
    let objects = all.dir.join("objects-of-reads");
    let dir = all.data_dir(PARTITIONS);
    let mut server = Server::start(all, &dir, PARTITIONS, Some(&objects))?;
    server.ready()?;
    read(all, &server, &paths, None, 3)?;
    let most = read(all, &server, &paths, None, 5)?;
    let rate = most.asked / most.seconds / 2.0;
    println!(
        "reads: at most {:.0}/s (p99 {:.0} us), 16 connections of 8 streams; half is {rate:.0}/s",
        most.asked / most.seconds,
        most.p99
    );
    let mut ratios = Vec::new();
    for round in 1..=all.rounds {
        let quiet = read(all, &server, &paths, Some(rate), all.seconds)?;
        let (busy, snapshots) = busy(all, &server, &paths, rate)?;
        show(&format!("reads round {round}, without"), &quiet);
        show(&format!("reads round {round}, during {snapshots} rounds of snapshots"), &busy);
        ratios.push(busy.p99 / quiet.p99);
    }
    at_most("reads, p99 during snapshots to without", median(&ratios), 2.0);
    at_most("reads, p99 during snapshots to without (goal)", median(&ratios), 1.25);
    drop(server);
    fs::remove_dir_all(&objects)?;
    Ok(())
}

fn show(what: &str, read: &Read) {
    let Read { asked, failed, seconds, p50, p99, p999, most } = read;
    println!(
        "{what}: {:.0}/s, p50 {p50} us, p99 {p99} us, p99.9 {p999} us, most {most} us, \
         {failed} failed",
        asked / seconds
    );
}

/// Reads while one round of snapshots follows the other; how many rounds ended.
fn busy(all: &All, server: &Server, paths: &Path, rate: f64) -> Fallible<(Read, u32)> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let snapshots = scope.spawn(|| -> Fallible<u32> {
            let mut rounds = 0;
            while !over.load(Ordering::Relaxed) {
                server.snapshot()?;
                rounds += 1;
            }
            Ok(rounds)
        });
        let busy = read(all, server, paths, Some(rate), all.seconds);
        over.store(true, Ordering::Relaxed);
        let rounds = snapshots.join().map_err(|_| "asking for snapshots panicked")??;
        Ok((busy?, rounds))
    })
}

/// One run of the reading process. One that goes as fast as it can has no more say than others.
fn read(
    all: &All,
    server: &Server,
    paths: &Path,
    rate: Option<f64>,
    seconds: u64,
) -> Fallible<Read> {
    let mut command = Command::new("taskset");
    command.arg("-c").arg(all.client_cpu.to_string());
    if rate.is_some() {
        command.args(FIRST);
    }
    command.arg(std::env::current_exe()?).arg("load").arg("--http").arg(server.http.to_string());
    command.arg("--paths").arg(paths).arg("--seconds").arg(seconds.to_string());
    if let Some(rate) = rate {
        command.arg("--rate").arg(rate.to_string());
    }
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<f64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match *figures {
        [asked, failed, seconds, p50, p99, p999, most] => {
            Ok(Read { asked, failed, seconds, p50, p99, p999, most })
        }
        _ => Err(format!("reading failed: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}
