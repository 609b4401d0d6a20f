//! How far each partition of the node is applied, for reads that wait for an offset. Written by
//! owner threads after their commit and before any outcome is told; read by every core.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pumice_model::ids::{Offset, Partition};

/// The next offset of every partition.
#[derive(Clone)]
pub struct Positions(Arc<[AtomicU64]>);

impl Positions {
    /// All partitions at their beginning.
    pub fn new(partitions: u32) -> Self {
        Self((0..partitions).map(|_| AtomicU64::new(0)).collect())
    }

    /// `partition` is applied up to and without `next`.
    pub fn reached(&self, partition: Partition, next: Offset) {
        if let Some(position) = self.0.get(partition.0 as usize) {
            position.store(next.0, Ordering::Release);
        }
    }

    /// The next offset of `partition`; `None` when the namespace has no such partition.
    pub fn next(&self, partition: Partition) -> Option<Offset> {
        self.0.get(partition.0 as usize).map(|next| Offset(next.load(Ordering::Acquire)))
    }
}
