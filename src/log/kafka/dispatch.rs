//! From the shards' inboxes into the lanes of their partitions. Log's thread; it waits for nothing
//! but entries, so that a lane that cannot send holds nobody else up.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use pumice_model::ids::Partition;
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::lane::{Lane, Writing};
use super::taker::Taken;
use crate::mesh::inbox::Outlet;

/// How often lanes look for entries that have waited for too long.
const SWEEP: Duration = Duration::from_millis(250);

/// The lanes that were needed so far.
pub struct Lanes {
    shared: Rc<Writing>,
    lanes: RefCell<HashMap<Partition, Rc<Lane>>>,
}

impl Lanes {
    /// None yet.
    pub fn new(shared: Rc<Writing>) -> Self {
        Self { shared, lanes: RefCell::default() }
    }

    /// Moves entries as they come.
    pub async fn dispatch(&self, outlets: Vec<Outlet>, taken: Taken) {
        loop {
            taken.wait().await;
            for outlet in &outlets {
                while let Some(batch) = outlet.take_now() {
                    let (works, waiting) = batch.take(outlet);
                    let waiting = Rc::new(waiting);
                    for work in works {
                        self.lane(work.partition).put(work, &waiting);
                    }
                }
            }
        }
    }

    /// Turns away, now and then, what has waited for too long.
    pub async fn sweep(&self) {
        loop {
            sleep(SWEEP).await;
            let now = Instant::now();
            let lanes: Vec<Rc<Lane>> = self.lanes.borrow().values().cloned().collect();
            lanes.iter().for_each(|lane| lane.sweep(now));
            self.shared.tickets.sweep(now);
        }
    }

    /// Waits until nothing is on its way; the gate must be closed.
    pub async fn land(&self) {
        while self.lanes.borrow().values().any(|lane| lane.is_flying()) {
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn lane(&self, partition: Partition) -> Rc<Lane> {
        let mut lanes = self.lanes.borrow_mut();
        let lane = lanes.entry(partition).or_insert_with(|| {
            let lane = Rc::new(Lane::new(partition, self.shared.clone()));
            spawn_local(lane.clone().run());
            lane
        });
        lane.clone()
    }
}
