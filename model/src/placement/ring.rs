//! (pure) keydb's placement of hash ranges on a list of nodes, bit for bit: a ring of xxh64 points
//! with a bounded load. It depends on two numbers alone, how many nodes and how many ranges.

use std::collections::BTreeMap;

use xxhash_rust::xxh64::xxh64;

/// Points that a node has on the ring.
const POINTS: usize = 20;

/// How many nodes the ring of node `me` has: those of the list without the flagged ones, or all of
/// them when `me` itself is flagged, since it gets ready for what it will hold. A node that the
/// flags do not reach is not flagged; flags beyond the list count, as they do in keydb.
pub fn ring_size(addresses: usize, flags: &[bool], me: usize) -> usize {
    if flags.get(me) == Some(&true) {
        return addresses;
    }
    addresses.saturating_sub(flags.iter().filter(|flagged| **flagged).count())
}

/// The holder of each range, by its place in the list of nodes. `None` for what keydb does not
/// survive: no nodes, fewer ranges than nodes, or loads that cannot be kept within their bound.
/// Source: consistent hashing with bounded loads, with 20 points a node and a load of 1.25.
pub fn ring(nodes: usize, ranges: u32) -> Option<Vec<usize>> {
    let count = usize::try_from(ranges).ok()?;
    if nodes == 0 || count < nodes {
        return None;
    }
    let mut owners = BTreeMap::new();
    let mut points = Vec::with_capacity(nodes * POINTS);
    for node in 0..nodes {
        for point in 0..POINTS {
            let hash = xxh64(format!("{node}{point}").as_bytes(), 0);
            // "1" with "10" and "11" with "0" are one point: the later node has it.
            owners.insert(hash, node);
            points.push(hash);
        }
    }
    points.sort_unstable();
    // The shares are rounded down before they are stretched, as in keydb.
    let room = (count / nodes * 5).div_ceil(4);
    let mut loads = vec![0; nodes];
    let mut holder = |range: u32| {
        let hash = xxh64(&u64::from(range).to_le_bytes(), 0);
        let first = points.partition_point(|point| *point < hash);
        let around = points.iter().cycle().skip(first).take(points.len() - 1);
        let node = around.map(|point| owners[point]).find(|node| loads[*node] < room)?;
        loads[node] += 1;
        Some(node)
    };
    (0..ranges).map(&mut holder).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    /// Holders of 271 ranges, one digit a range, as keydb places them.
    const PLACED: [&str; 5] = [
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
         00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
         00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
         0000",
        "00110111000001110000110111100010100011001000000011010001001010011011011000101110000010100\
         00000001100000000001000000000010001001100010010000101111000000000001101101000100111000000\
         10001111101100101000101010010001010000000000101010110101010011001001100000000001011111111\
         1111",
        "02110111222221210202110111102210120211021022000011012001001010011011011220121112000210120\
         22200002100220000221020220020022001001122010212222102111222002202201121221200100122002020\
         10221111121120221202201010010201012000000020101210112101210011001221102002000001002020011\
         2101",
        "33110113332321210302110133102310123331023033303311313301303310331333013230321113330210120\
         23300002100330003321020220320023301301122013212222102311222333303301321231303100122002020\
         13331111131120231233231310030201332000333030103230113101313311331331102002000001002020011\
         2101",
        "33140413332321210302114133142410124331023433304411343441403310434433013234324113430214420\
         23440042100330043424420224324023341341122013212222102311222343303341321231444104422002020\
         14341111131124234233241314034241332004444434103230143101313411341331402443300443002420014\
         2304",
    ];

    fn placed(nodes: usize, ranges: u32) -> Vec<usize> {
        ring(nodes, ranges).unwrap()
    }

    fn moved(from: usize, to: usize, ranges: u32) -> Vec<usize> {
        let (before, after) = (placed(from, ranges), placed(to, ranges));
        (0..ranges as usize).filter(|range| before[*range] != after[*range]).collect()
    }

    #[test]
    fn ranges_lie_where_keydb_has_them() {
        for (nodes, expected) in (1..).zip(PLACED) {
            let holders: String = placed(nodes, 271).iter().map(usize::to_string).collect();
            assert_eq!(holders, expected, "{nodes} nodes");
        }
        assert_eq!(placed(2, 3), [0, 0, 1]);
    }

    #[test]
    fn scaling_moves_what_keydb_moves() {
        let steps = [(1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4), (4, 5)];
        let counts = steps.map(|(from, to)| moved(from, to, 271).len());
        assert_eq!(counts, [102, 167, 200, 87, 137, 84, 68]);
        assert_eq!(moved(1, 2, 8), [2, 3, 5, 6, 7]);
        assert_eq!(moved(2, 3, 8), [1, 6, 7]);
    }

    #[test]
    fn what_keydb_does_not_survive_has_no_ring() {
        assert_eq!(ring(0, 271), None);
        assert_eq!(ring(272, 271), None);
        assert!(ring(12, 271).is_some_and(|holders| holders.iter().all(|node| *node < 12)));
    }

    #[test]
    fn flagged_nodes_are_not_counted_but_by_themselves() {
        assert_eq!(ring_size(3, &[], 0), 3);
        assert_eq!(ring_size(3, &[false, false, true], 0), 2);
        assert_eq!(ring_size(3, &[false, false, true], 2), 3);
        assert_eq!(ring_size(3, &[false], 2), 3);
        assert_eq!(ring_size(1, &[false, true, true], 0), 0);
    }
}
