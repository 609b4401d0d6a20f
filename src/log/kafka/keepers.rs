//! Which partitions are followed: each that was ever told of has a keeper, which follows it and
//! lets go of it as it is told, one after the other. Log's thread, a task for each; none waits for
//! another, and none follows a partition whose rows are still to go.

use std::collections::HashMap;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use pumice_model::ids::Partition;
use pumice_shards::{Fault, Position, Writer};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{sleep, timeout};

use super::follow::{Follower, Reading};
use crate::mesh::feed::{Fed, Feeder, Job};
use crate::mesh::holds::{Held, Hold};
use crate::stats::progress::{Following, PartitionProgress};

/// How long a partition is followed on for those who wait for an outcome.
const LANDING: Duration = Duration::from_secs(2);
/// How often it is looked whether they still do.
const LOOK: Duration = Duration::from_millis(5);
/// How long lies between two tries to let go on a full disk.
const REST: Duration = Duration::from_secs(5);

/// All keepers.
pub struct Keepers {
    shared: Rc<Reading>,
    /// By shard.
    feeders: Vec<Feeder>,
    /// Where each partition stood at the start, by number.
    held: Vec<Position>,
    told: HashMap<Partition, watch::Sender<Wish>>,
}

/// What is wished of a partition. Releases are counted, so that none is lost where it is followed
/// again before the keeper looks.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Wish {
    follow: bool,
    releases: u64,
}

impl Keepers {
    /// None yet.
    pub fn new(shared: Rc<Reading>, feeders: Vec<Feeder>, held: Vec<Position>) -> Self {
        Self { shared, feeders, held, told: HashMap::new() }
    }

    /// Does what it is told, for ever; without anybody to tell, every partition is followed.
    pub async fn keep(mut self, held_by: Option<Held>) {
        match held_by {
            None => (0..self.held.len() as u32).for_each(|n| self.tell(Hold::Follow(Partition(n)))),
            Some(mut holds) => {
                while let Some(hold) = holds.recv().await {
                    self.tell(hold);
                }
            }
        }
        pending().await
    }

    fn tell(&mut self, hold: Hold) {
        let (Hold::Follow(partition) | Hold::Release(partition)) = hold;
        let shard = usize::from(partition.shard(self.feeders.len() as u16).0);
        let (Some(feeder), Some(position)) =
            (self.feeders.get(shard), self.held.get(partition.0 as usize))
        else {
            return;
        };
        let told = self.told.entry(partition).or_insert_with(|| {
            let (told, wishes) = watch::channel(Wish::default());
            let (shared, feeder) = (self.shared.clone(), feeder.clone());
            let keeper = Keeper { partition, shared, feeder, stands: *position };
            spawn_local(keeper.run(wishes));
            told
        });
        told.send_if_modified(|wish| {
            let before = *wish;
            *wish = match hold {
                Hold::Follow(_) => Wish { follow: true, ..before },
                Hold::Release(_) => Wish { follow: false, releases: before.releases + 1 },
            };
            *wish != before
        });
    }
}

/// The keeper of one partition.
struct Keeper {
    partition: Partition,
    shared: Rc<Reading>,
    feeder: Feeder,
    /// Where the shard stands while it is not followed.
    stands: Position,
}

impl Keeper {
    async fn run(mut self, mut wishes: watch::Receiver<Wish>) {
        let shared = self.shared.clone();
        let Some(progress) = shared.progress.of(self.partition) else { return };
        let mut released = 0;
        loop {
            let wish = *wishes.borrow_and_update();
            if wish.releases > released {
                released = wish.releases;
                self.release(progress).await;
                continue;
            }
            let following = wish.follow.then(|| self.follow(progress));
            let told = match following {
                None => wishes.changed().await,
                Some(mut following) => tokio::select! {
                    ended = &mut following => {
                        if ended.is_err_and(|fault| fault.is_panic()) {
                            progress.set_broken("following it panicked".to_owned());
                        }
                        wishes.changed().await
                    }
                    told = wishes.changed() => {
                        if told.is_ok() {
                            self.land(progress).await;
                            following.abort();
                            // That it was aborted is no news.
                            let _ = following.await;
                        }
                        told
                    }
                },
            };
            if told.is_err() {
                // The node stops: what is followed is followed on until its thread ends.
                return pending().await;
            }
        }
    }

    /// Follows from where the shard stands, once it is clear that this is its log.
    fn follow(&self, progress: &PartitionProgress) -> JoinHandle<()> {
        let shared = self.shared.clone();
        progress.set(Following::Starting);
        let follower =
            Follower::new(self.partition, shared.clone(), self.feeder.clone(), &self.stands);
        spawn_local(async move {
            if shared.writing.gate.pass().await.is_some() {
                follower.run().await;
            }
        })
    }

    /// Waits until the log has brought back what this node wrote until now, within a bound:
    /// somebody may wait for its outcome.
    async fn land(&self, progress: &PartitionProgress) {
        let tickets = &self.shared.writing.tickets;
        let Some((_, newest)) = tickets.waiting(self.partition) else { return };
        let waits = || {
            let oldest = tickets.waiting(self.partition).map(|(oldest, _)| oldest);
            oldest.is_some_and(|oldest| oldest <= newest)
        };
        let landed = async {
            while waits() && progress.following() == Following::Live {
                sleep(LOOK).await;
            }
        };
        // What is late is told by nobody: whoever waits hears that the log has it.
        let _ = timeout(LANDING, landed).await;
    }

    /// Lets go of it; nobody follows it any more.
    async fn release(&mut self, progress: &PartitionProgress) {
        let shared = &self.shared;
        progress.leave();
        // Those whose entries are acknowledged know, the others are told by their lane.
        shared.writing.tickets.clear(self.partition);
        loop {
            match self.ask_owner().await {
                Some(Ok(())) => break,
                Some(Err(Fault::Full(why))) => {
                    tracing::warn!("partition {} is not released yet: {why}", self.partition);
                    sleep(REST).await;
                }
                Some(Err(fault @ Fault::Broken(_))) => {
                    tracing::error!("partition {} is not released: {fault}", self.partition);
                    progress.set_broken(fault.to_string());
                    return;
                }
                None => return,
            }
        }
        tracing::info!("partition {} is released", self.partition);
        self.stands = Position::ZERO;
        progress.begin_again();
        if let Some(because) = shared.progress.broken_because() {
            progress.set_broken(because.to_owned());
        }
    }

    /// Releases the rows behind all that was handed over; `None` when the owner has ended.
    async fn ask_owner(&self) -> Option<Result<(), Fault>> {
        let (partition, (reply, done)) = (self.partition, oneshot::channel());
        let run = Box::new(move |writer: &mut Writer| {
            // Nobody waits for it any more when the node stops.
            let _ = reply.send(writer.release(partition));
        });
        self.feeder.send(Fed::Job(Job { partition, run })).await.ok()?;
        done.await.ok()
    }
}
