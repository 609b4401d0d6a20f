//! The machine's own stalls, to set beside those of a server: sleeps a millisecond again and again
//! on one CPU and tells how late it woke; with a file, reads a random page of it in between and
//! tells how long that took. It must do nothing else that could wait.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Parser;
use rustix::thread::{CpuSet, sched_setaffinity};

/// Prints how late a sleeper woke, or how long a page of a file took.
#[derive(Debug, Parser)]
struct Args {
    /// The CPU to sleep on.
    #[arg(long)]
    cpu: usize,
    /// How long.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// A file whose pages are read at random.
    #[arg(long)]
    file: Option<PathBuf>,
}

const NAP: Duration = Duration::from_millis(1);
const PAGE: u64 = 4_096;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let mut cpus = CpuSet::new();
    cpus.set(args.cpu);
    sched_setaffinity(None, &cpus)?;
    let file = args.file.map(File::open).transpose()?;
    let pages = file.as_ref().map_or(Ok(0), |file| file.metadata().map(|m| m.len() / PAGE))?;
    let (mut late, mut reads) = (Vec::new(), Vec::new());
    let began = Instant::now();
    let mut random: u64 = 0x9e37_79b9_7f4a_7c15;
    while began.elapsed() < Duration::from_secs(args.seconds) {
        let before = Instant::now();
        sleep(NAP);
        late.push(before.elapsed().saturating_sub(NAP));
        let Some(file) = &file else { continue };
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let before = Instant::now();
        file.read_at(&mut [0], (random >> 16) % pages.max(1) * PAGE)?;
        reads.push(before.elapsed());
    }
    tell("woke late", late);
    if file.is_some() {
        tell("page read", reads);
    }
    Ok(())
}

fn tell(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "{what}: {} times, ms: p50 {:.3}, p99 {:.3}, p99.9 {:.3}, max {:.3}",
        times.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}
