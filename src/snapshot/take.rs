//! Taking a snapshot: a walk over a partition's rows into a file on the local disk, in one read
//! transaction. On a blocking thread of the objects' side thread; nothing of the network happens
//! while the transaction is open, and it is never open for longer than its limit.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pumice_model::ids::Partition;
use pumice_model::limits::FRAMES_MAX;
use pumice_model::manifest::{About, Manifest};
use pumice_shards::{Fault, Position, Reader, View};

use super::frames::Packer;
use crate::clock;
use crate::settings::ClusterSettings;

/// How long a walk may take: LMDB reuses no page that was freed meanwhile, so that a shard that is
/// written to grows.
pub const WALK_MAX: Duration = Duration::from_secs(60);
/// What spool files end with, so that no other file of the directory is ever removed.
const SPOOL: &str = "pumice-spool";

/// Where snapshots wait for their upload.
#[derive(Clone, Debug)]
pub struct Spool {
    dir: PathBuf,
}

/// A snapshot on the local disk; its file goes with it.
#[derive(Debug)]
pub struct Spooled {
    /// What it is, and its frames.
    pub manifest: Manifest,
    file: SpoolFile,
}

#[derive(Debug)]
struct SpoolFile(PathBuf);

/// Why no snapshot was taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeFault {
    /// The walk would have held the shard's pages for too long.
    #[error(
        "gave up after {0:.1?}, so that the shard does not grow: put the spool on a faster disk"
    )]
    TooLong(Duration),
    /// A manifest names no more frames.
    #[error(
        "the partition is larger than {FRAMES_MAX} MiB: a namespace of more partitions would do"
    )]
    TooLarge,
    /// Nobody waits for it any more.
    #[error("given up, since the node stops")]
    Abandoned,
    /// The local disk.
    #[error("{path}: {source}; the spool needs as much room as the partition takes packed")]
    Spool {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The shard.
    #[error(transparent)]
    Shard(#[from] Fault),
}

/// What a walk is told.
pub struct Walk<'a> {
    /// What the manifest says of the namespace.
    pub cluster: &'a ClusterSettings,
    /// Whose rows.
    pub partition: Partition,
    /// How long it may take; [`WALK_MAX`] but in tests.
    pub limit: Duration,
    /// Whether nobody waits for it any more; asked once a frame.
    pub abandoned: &'a dyn Fn() -> bool,
}

impl Spool {
    /// Makes the directory, and removes what a process that died has left in it.
    pub fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == SPOOL) {
                fs::remove_file(path)?;
            }
        }
        Ok(Self { dir: dir.to_owned() })
    }

    /// Walks a partition as of now; `None` when it has had no entry. Blocks on the disk.
    pub fn take(
        &self,
        reader: &Reader,
        walk: &Walk<'_>,
        tag: u32,
    ) -> Result<Option<Spooled>, TakeFault> {
        let name = format!("p{:05}-{tag:08x}.{SPOOL}", walk.partition.0);
        let file = SpoolFile(self.dir.join(name));
        reader.read(|view| walk.spool(view, file))?
    }
}

impl Spooled {
    /// The file of its frames.
    pub fn path(&self) -> &Path {
        &self.file.0
    }
}

impl Drop for SpoolFile {
    fn drop(&mut self) {
        // One that was never made, or that stays behind, is looked for at the next start.
        let _ = fs::remove_file(&self.0);
    }
}

impl Walk<'_> {
    fn spool(&self, view: &View<'_>, file: SpoolFile) -> Result<Option<Spooled>, TakeFault> {
        let began = Instant::now();
        let failed = |source| TakeFault::Spool { path: file.0.clone(), source };
        let mut export = view.export(self.partition)?;
        let position = export.position();
        if position == Position::ZERO {
            return Ok(None);
        }
        let mut packer = File::create(&file.0).and_then(Packer::new).map_err(failed)?;
        while let Some(row) = export.next()? {
            if packer.push(row).map_err(failed)? {
                self.may_go_on(began.elapsed(), packer.count())?;
            }
        }
        let (_, frames) = packer.finish().map_err(failed)?;
        let counts = export.counts();
        let about = About {
            namespace: self.cluster.namespace.clone(),
            hash: self.cluster.hash,
            partitions: self.cluster.partitions,
            partition: self.partition,
            next: position.next,
            log_time: position.log_time,
            last: position.last,
            state: position.hash,
            rows: counts.rows,
            producers: counts.producers,
            writes: counts.writes,
            taken_at: clock::now(),
        };
        Ok(Some(Spooled { manifest: Manifest { about, frames }, file }))
    }

    fn may_go_on(&self, taken: Duration, frames: usize) -> Result<(), TakeFault> {
        if taken > self.limit {
            return Err(TakeFault::TooLong(taken));
        }
        if frames >= FRAMES_MAX {
            return Err(TakeFault::TooLarge);
        }
        if (self.abandoned)() { Err(TakeFault::Abandoned) } else { Ok(()) }
    }
}
