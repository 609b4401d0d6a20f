//! (pure) Who should hold what among the nodes of one replica group, worked out from their names
//! alone, so that every node that knows the same names has the same plan. What nodes hold now is
//! no input.

mod ring;

use std::collections::BinaryHeap;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::limits::PARTITIONS_MAX;

pub use ring::{ring, ring_size};

/// The holder of each partition, by its place in `nodes`, whose names differ; empty without nodes.
/// At most [`PARTITIONS_MAX`] partitions; a few milliseconds for 300 nodes and 1,024 of them.
/// The order of `nodes` decides nothing but those places.
///
/// Rendezvous hashing with a bounded load: every node has an order of its own of all partitions,
/// made from its name, and a partition goes to the node that has it first in its order and has
/// room, which is a quarter more than an equal share. Orders instead of plain hashes make the
/// loads half as uneven; see docs/decisions/0019-placement.md for what was measured.
pub fn place(nodes: &[&str], partitions: u32) -> Vec<usize> {
    let room = room(nodes.len(), partitions);
    let mut orders: Vec<_> = nodes.iter().map(|node| order(node, partitions)).collect();
    let mut loads = vec![0; nodes.len()];
    let mut holders: Vec<Option<Claim>> = vec![None; partitions as usize];
    let mut left = if nodes.is_empty() { 0 } else { partitions };
    for round in 0..partitions {
        if left == 0 {
            break;
        }
        for (node, order) in orders.iter_mut().enumerate() {
            // What is full at its turn was so when the round began, and stays so.
            if loads[node] == room {
                continue;
            }
            let Some(hash) = order.pop() else { continue };
            let holder = &mut holders[usize::from(hash as u16)];
            match *holder {
                None => left -= 1,
                // Two nodes have it at the same place of their orders: the hashes decide, and
                // names where those are equal, never who was asked first.
                Some(claim)
                    if claim.round == round && claim.weight(nodes) < (hash, nodes[node]) =>
                {
                    loads[claim.node] -= 1;
                }
                Some(_) => continue,
            }
            *holder = Some(Claim { node, round, hash });
            loads[node] += 1;
        }
    }
    holders.into_iter().flatten().map(|claim| claim.node).collect()
}

/// The most that a node of so many holds.
pub fn room(nodes: usize, partitions: u32) -> u64 {
    (u64::from(partitions) * 5).div_ceil((nodes as u64 * 4).max(1))
}

/// A node that has a partition, unless another comes in the same round with more weight.
#[derive(Clone, Copy)]
struct Claim {
    node: usize,
    round: u32,
    hash: u64,
}

impl Claim {
    fn weight<'n>(&self, nodes: &[&'n str]) -> (u64, &'n str) {
        (self.hash, nodes[self.node])
    }
}

/// A node's own order of all partitions: hashes that end with the partition's number. A heap, since
/// most of it is never asked for.
fn order(node: &str, partitions: u32) -> BinaryHeap<u64> {
    const _: () = assert!(PARTITIONS_MAX <= 1 << 16, "a partition's number has 16 bits");
    let seed = xxh3_64(node.as_bytes());
    let weigh = |partition: u32| {
        let hash = xxh3_64_with_seed(&partition.to_le_bytes(), seed);
        (hash & !0xffff) | u64::from(partition)
    };
    (0..partitions).map(weigh).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests;
