//! The batch reads without a network: a copy of the same shards in this process, keys drawn the
//! same way, on the serving CPU. It does what no reader of many keys can leave out, and nothing
//! else: no JSON and no HTTP.

use std::fmt;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pumice::datadir::DataDir;
use pumice::settings::ClusterSettings;
use pumice_loadgen::random::{Random, mix};
use pumice_model::ids::Partition;
use pumice_shards::{Fault, Options, Reader, Rows};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use super::peer::Peer;
use super::{Comparison, Fallible};

/// Keys of a batch.
pub const BATCH: usize = 100;
/// Batches that are drawn before anything is timed: as many keys as there are records.
const BATCHES: usize = 10_000;

/// The shards, and the keys that are asked of them.
pub struct Alone {
    cluster: ClusterSettings,
    readers: Vec<Reader>,
    pks: Vec<String>,
    cpu: usize,
    /// Where the next round goes on.
    next: usize,
    _copy: DataDir,
}

/// What one round has shown.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Batches a second.
    pub rate: f64,
    /// CPU a batch, in microseconds.
    pub cpu: f64,
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} batches/s, {:.2} us CPU each", self.rate, self.cpu)
    }
}

/// What is kept from one batch to the next.
#[derive(Default)]
struct Buffers {
    /// By shard.
    rows: Vec<Rows>,
    /// Which keys are in which shard, and in which partition.
    of_shard: Vec<Vec<(usize, Partition)>>,
    out: Vec<u8>,
}

impl Alone {
    /// Copies the shards of a server that nobody writes to, and reads all keys once.
    pub fn open(comparison: &Comparison, peer: Peer) -> Fallible<Self> {
        let copy = comparison.work.path().join("alone");
        copy_dir(&comparison.work.path().join(peer.name()).join("data"), &copy)?;
        let copy = DataDir::open_existing(&copy)?;
        let mut readers = Vec::new();
        for (dir, identity) in copy.each_shard() {
            readers.push(pumice_shards::open(&dir, &identity, &Options::default())?.1);
        }
        let mut random = Random::new(1);
        let mut pk = || format!("u{:016x}", mix(random.below(comparison.args.records)));
        let pks = (0..BATCH * BATCHES).map(|_| pk()).collect();
        let (cluster, cpu) = (copy.cluster().clone(), comparison.args.server_cpu);
        let mut alone = Self { cluster, readers, pks, cpu, next: 0, _copy: copy };
        let mut buffers = Buffers::default();
        (0..BATCHES).try_for_each(|_| alone.batch(&mut buffers))?;
        Ok(alone)
    }

    /// Reads for so long, on a thread of its own on the serving CPU.
    pub fn round(&mut self, seconds: u64) -> Fallible<Pace> {
        let paced = std::thread::scope(|scope| {
            let round = scope.spawn(|| self.timed(Duration::from_secs(seconds)));
            round.join().expect("reading does not panic")
        });
        Ok(paced?)
    }

    fn timed(&mut self, time: Duration) -> Result<Pace, Fault> {
        let mut cpus = CpuSet::new();
        cpus.set(self.cpu);
        sched_setaffinity(None, &cpus).expect("the serving CPU is one that this process may use");
        let mut buffers = Buffers::default();
        let (began, spent) = (Instant::now(), cpu_time());
        let mut batches = 0;
        while began.elapsed() < time {
            self.batch(&mut buffers)?;
            batches += 1;
        }
        let batches = f64::from(batches);
        let rate = batches / began.elapsed().as_secs_f64();
        Ok(Pace { rate, cpu: (cpu_time() - spent) * 1e6 / batches })
    }

    /// One batch: the keys by shard, a transaction for each, and the rows' data side by side.
    fn batch(&mut self, buffers: &mut Buffers) -> Result<(), Fault> {
        let pks = &self.pks[self.next..self.next + BATCH];
        self.next = (self.next + BATCH) % self.pks.len();
        let Buffers { rows, of_shard, out } = buffers;
        out.clear();
        rows.resize_with(self.readers.len(), Rows::default);
        of_shard.resize_with(self.readers.len(), Vec::new);
        for (number, pk) in pks.iter().enumerate() {
            let partition = self.cluster.hash.partition(pk.as_bytes(), self.cluster.partitions);
            let shard = partition.shard(self.readers.len() as u16);
            of_shard[usize::from(shard.0)].push((number, partition));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        let now = now.as_millis() as i64;
        for ((reader, numbers), rows) in self.readers.iter().zip(of_shard).zip(rows) {
            reader.read(|view| {
                let wanted = numbers.iter().map(|&(number, at)| (at, pks[number].as_str(), "0"));
                let mut found = Ok(());
                view.rows(rows, wanted, |_, row| match row {
                    Ok(Some(row)) if row.visible(now) => out.extend_from_slice(row.data.as_bytes()),
                    Ok(_) => found = Err(Fault::Broken("a record is not there".to_owned())),
                    Err(fault) => found = Err(fault),
                })?;
                found
            })??;
            numbers.clear();
        }
        black_box(&*out);
        Ok(())
    }
}

/// CPU time of this thread, in seconds.
fn cpu_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn copy_dir(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &to)?;
        } else if entry.file_name() != "lock.mdb" {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
