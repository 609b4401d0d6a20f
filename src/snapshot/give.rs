//! Giving a partition to a peer that takes it over: the same walk and the same frames as a
//! snapshot, sent from the spool. On blocking threads of the objects' side thread, a few at a time;
//! no transaction is open while the peer takes, and a core only passes the pieces on.

use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use pumice_model::ids::Partition;
use pumice_shards::Reader;
use tokio::sync::Semaphore;

use super::round::tag;
use super::service::Service;
use super::take::{Spool, Spooled, TakeFault, WALK_MAX, Walk};
use crate::mesh::handover::{Ask, Asked, Giving, Piece, Refused};
use crate::settings::ClusterSettings;
use crate::stats::snapshot::SnapshotStats;

/// Partitions that are given at a time: each is a walk, a file of the spool and 1 MiB at most on
/// its way to the peer.
pub const AT_ONCE: usize = 2;
/// A peer that takes less than this a second, after a while, is given no more.
const SLOWEST: u64 = 1 << 20;
const SLACK: Duration = Duration::from_secs(60);
/// Bytes of one piece.
const PIECE: usize = 256 << 10;
/// What a stream begins with, before four bytes of the manifest's length, least first.
pub(super) const MARKER: &[u8] = b"PSS1";
/// The marker and the length.
pub(super) const HEAD_BYTES: usize = MARKER.len() + 4;

/// One partition that is given.
struct Gift {
    partition: Partition,
    giving: Giving,
    reader: Reader,
    spool: Spool,
    cluster: ClusterSettings,
    stats: Arc<SnapshotStats>,
    /// Gone when the side thread ends.
    thread: Weak<()>,
}

/// Why a stream broke off.
#[derive(Debug, thiserror::Error)]
enum GiveFault {
    #[error("nobody takes it any more")]
    Untaken,
    #[error("it takes fewer than {SLOWEST} bytes a second, and others wait")]
    Slow,
    #[error("the spool does not read: {0}")]
    Spool(#[from] io::Error),
}

impl Service {
    /// Gives what peers ask for, for ever; past the bound they are told to come again.
    pub async fn gives(&self, asked: Option<Asked>) {
        let Some(mut asked) = asked else { return };
        let (turns, thread) = (Arc::new(Semaphore::new(AT_ONCE)), Arc::new(()));
        while let Some(Ask { partition, giving }) = asked.recv().await {
            let Ok(turn) = turns.clone().try_acquire_owned() else {
                self.stats.given_busy.add(1);
                giving.refuse(Refused::Busy);
                continue;
            };
            let gift = Gift {
                partition,
                giving,
                reader: self.reader(partition).clone(),
                spool: self.spool.clone(),
                cluster: self.cluster.clone(),
                stats: self.stats.clone(),
                thread: Arc::downgrade(&thread),
            };
            tokio::task::spawn_blocking(move || {
                gift.run();
                drop(turn);
            });
        }
    }
}

impl Gift {
    fn run(&self) {
        let (partition, began) = (self.partition, Instant::now());
        let spooled = match self.spooled() {
            Ok(Some(spooled)) => spooled,
            Ok(None) => return self.giving.refuse(Refused::Nothing),
            Err(TakeFault::Abandoned) => return,
            Err(why) => {
                tracing::warn!("partition {partition} is not given to a peer: {why}");
                return self.giving.refuse(Refused::Failed(why.to_string()));
            }
        };
        match self.send(&spooled) {
            Ok(bytes) => {
                self.stats.given.add(1);
                tracing::info!(
                    "partition {partition} given to a peer, next offset {}: {bytes} bytes, {:.1?}",
                    spooled.manifest.about.next,
                    began.elapsed()
                );
            }
            Err(GiveFault::Untaken) => {
                tracing::info!("a peer that was given partition {partition} has gone");
            }
            Err(fault @ (GiveFault::Spool(_) | GiveFault::Slow)) => {
                tracing::warn!("partition {partition} is not given to a peer: {fault}");
                self.giving.break_off(fault.to_string());
            }
        }
    }

    fn spooled(&self) -> Result<Option<Spooled>, TakeFault> {
        let abandoned = || !self.is_wanted();
        let (cluster, partition) = (&self.cluster, self.partition);
        let walk = Walk { cluster, partition, limit: WALK_MAX, abandoned: &abandoned };
        self.spool.take(&self.reader, &walk, tag(partition))
    }

    /// Sends it all; how many bytes that were.
    fn send(&self, spooled: &Spooled) -> Result<u64, GiveFault> {
        let manifest = spooled.manifest.encode();
        let mut head = Vec::with_capacity(HEAD_BYTES + manifest.len());
        head.extend_from_slice(MARKER);
        // MANIFEST_MAX at most, and a few hundred KiB as a rule.
        head.extend_from_slice(&(manifest.len() as u32).to_le_bytes());
        head.extend_from_slice(&manifest);
        let all = head.len() as u64 + spooled.manifest.packed();
        self.give(Piece::Begins(all))?;
        self.give_bytes(head)?;
        let mut rows = File::open(spooled.path())?.take(spooled.manifest.packed());
        let (began, mut sent) = (Instant::now(), 0_u64);
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            if rows.by_ref().take(PIECE as u64).read_to_end(&mut piece)? == 0 {
                return Ok(all);
            }
            if began.elapsed() > SLACK + Duration::from_secs(sent / SLOWEST) {
                return Err(GiveFault::Slow);
            }
            sent += piece.len() as u64;
            self.give_bytes(piece)?;
        }
    }

    fn give_bytes(&self, bytes: Vec<u8>) -> Result<(), GiveFault> {
        let count = bytes.len() as u64;
        self.give(Piece::Bytes(Bytes::from(bytes)))?;
        self.stats.given_bytes.add(count);
        Ok(())
    }

    fn give(&self, piece: Piece) -> Result<(), GiveFault> {
        if !self.is_wanted() {
            return Err(GiveFault::Untaken);
        }
        self.giving.give(piece).map_err(|_| GiveFault::Untaken)
    }

    fn is_wanted(&self) -> bool {
        self.giving.is_wanted() && self.thread.strong_count() > 0
    }
}
