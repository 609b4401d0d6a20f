//! What a node of this suite is to its peers: a port that gives what it holds, and a picture of
//! where else it is to be had.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pumice::mesh::feed::Feeder;
use pumice::mesh::routes::{Holder, Node as Member, Routes};
use pumice::rt::Runtime;
use pumice::settings::SnapshotSettings;
use pumice::snapshot::service;
use pumice_model::holding::Holding;
use pumice_model::ids::Offset;
use pumice_shards::Reader;

use crate::door::{Behind, Door};
use crate::node::{Node, PARTITIONS, Place, SHARDS, all};

impl Place {
    /// Snapshots of these shards that nobody asks for.
    pub fn snapshots(&self, dir: &Path, readers: &[Reader], feeders: &[Feeder]) -> service::Setup {
        let (interval, keep_for, spool_dir) = (None, Duration::ZERO, dir.join("spool"));
        service::Setup {
            objects: self.objects.clone(),
            snapshots: SnapshotSettings { interval, keep: 1, keep_for, spool_dir },
            cluster: self.cluster(),
            shards: SHARDS,
            readers: readers.to_vec(),
            feeders: feeders.to_vec(),
            wanted: None,
            peers: None,
            asked: None,
            progress: None,
            stats: Arc::default(),
            serving: Vec::new(),
        }
    }
}

impl Node {
    /// The port at which peers reach it.
    pub fn door(&self) -> Door {
        let behind = Behind {
            cluster: self.cluster.clone(),
            readers: self.readers.clone(),
            positions: self.positions.clone(),
            progress: Some(self.progress.clone()),
            handover: self.asking.clone(),
            tls: None,
        };
        all().for_each(|partition| self.progress(partition.0).hold(Holding::Serving));
        Door::open(Runtime::Tokio, behind)
    }

    /// Lets it know of a node that serves everything.
    pub fn knows(&self, http: SocketAddr) {
        let node = |id: &str, http: String| {
            let (id, region, group) = (id.to_owned(), "eu".to_owned(), "a".to_owned());
            Member { id, region, group, http, draining: false }
        };
        let nodes = vec![node("me", String::new()), node("other", http.to_string())];
        let holder = Holder { node: 1, holding: Holding::Serving, next: Offset(1) };
        let holders = vec![vec![holder]; PARTITIONS as usize];
        let routes = Routes { version: 1, nodes, me: 0, holders };
        self.telling.as_ref().unwrap().send_replace(Arc::new(routes));
    }
}
