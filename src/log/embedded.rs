//! The log of a single machine: with one writer and an ACID store, LMDB is the log, and there is
//! no second file. Owner thread; gives each entry the next offset of its partition and the time.

use std::collections::HashMap;

use pumice_model::entry::Logged;
use pumice_model::ids::{Offset, Partition};
use pumice_model::time::Millis;
use pumice_shards::Writer;

use crate::mesh::inbox::Work;
use crate::mesh::ticket::Ticket;

/// Gives every entry of `works` its place after what `writer` has applied, in order; `now` is the
/// log time of all of them. Fills `logged` and `homes`, index by index.
pub fn stamp(
    writer: &Writer,
    works: Vec<Work>,
    now: Millis,
    logged: &mut Vec<Logged>,
    homes: &mut Vec<Ticket>,
) {
    logged.clear();
    homes.clear();
    let mut next: HashMap<Partition, u64> = HashMap::new();
    for work in works {
        let partition = work.partition;
        let offset = next.entry(partition).or_insert_with(|| writer.next_offset(partition).0);
        let entry = Ok(work.entry);
        logged.push(Logged { partition, offset: Offset(*offset), log_time: now, hash: 0, entry });
        homes.push(work.home);
        *offset += 1;
    }
}
