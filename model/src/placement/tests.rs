//! What a plan promises: every partition once, the same for everybody, loads within their bound,
//! and little to move when a node comes or goes.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Random sets of names for each question about the typical and the worst.
const SETS: u64 = 1_000;

fn names(set: u64, count: usize) -> Vec<String> {
    let name = |i: usize| format!("node-{:016x}", xxh3_64_with_seed(&i.to_le_bytes(), set));
    (0..count).map(name).collect()
}

fn plan(names: &[String], partitions: u32) -> Vec<usize> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    place(&names, partitions)
}

fn loads(plan: &[usize], nodes: usize) -> Vec<u64> {
    let mut loads = vec![0; nodes];
    plan.iter().for_each(|node| loads[*node] += 1);
    loads
}

/// Partitions that the last of `names` makes move when it joins the others.
fn moved(names: &[String], partitions: u32) -> usize {
    let before = plan(&names[..names.len() - 1], partitions);
    let after = plan(names, partitions);
    before.iter().zip(&after).filter(|(before, after)| before != after).count()
}

/// The mean and the worst of what a join to `before` nodes moves, over an equal share.
fn join(before: usize, partitions: u32) -> (f64, f64) {
    let ideal = f64::from(partitions) / (before + 1) as f64;
    let ratio = |set| moved(&names(set, before + 1), partitions) as f64 / ideal;
    let ratios: Vec<f64> = (0..SETS).map(ratio).collect();
    let mean = ratios.iter().sum::<f64>() / SETS as f64;
    (mean, ratios.into_iter().fold(0.0, f64::max))
}

#[test]
fn a_fourth_node_moves_little_more_than_its_share() {
    let (mean, worst) = join(3, 64);
    println!("3 -> 4 nodes, 64 partitions: mean {mean:.3}, worst {worst:.3} of the ideal");
    assert!(mean <= 1.15, "{mean}");
    assert!(worst <= 1.5, "{worst}");
}

#[test]
fn any_node_of_a_small_group_moves_little_more_than_its_share() {
    for before in 1..10 {
        for partitions in [64, 256] {
            let (mean, worst) = join(before, partitions);
            println!("{before} + 1 nodes, {partitions} partitions: {mean:.3}, {worst:.3}");
            assert!(mean <= 1.15, "{before} + 1 nodes, {partitions} partitions: {mean}");
            // Where shares are of a few partitions, one more is a large part.
            let slack = if before <= 4 || partitions > 64 { 0.0 } else { 0.4 };
            assert!(worst <= 1.5 + slack, "{before} + 1 nodes, {partitions} partitions: {worst}");
        }
    }
}

#[test]
fn a_large_cluster_has_a_plan_within_its_bounds() {
    let names = names(7, 300);
    let plan = plan(&names, 1_024);
    let loads = loads(&plan, 300);
    assert_eq!(loads.iter().sum::<u64>(), 1_024);
    assert!(loads.iter().all(|load| *load <= room(300, 1_024)), "{loads:?}");
    assert_eq!(room(300, 1_024), 5);
    assert!(moved(&names, 1_024) <= 8);
}

#[test]
fn the_plan_never_changes() {
    // Nodes of two versions of Pumice must have the same plan.
    let digits =
        |nodes: &[&str]| -> String { place(nodes, 64).iter().map(usize::to_string).collect() };
    assert_eq!(
        digits(&["a", "b", "c"]),
        "1011022121100202022022220002212102202102211121001201220022110012"
    );
    assert_eq!(
        digits(&["node-0", "node-1", "node-2", "node-3"]),
        "2030000320113121213033230112332213201102110022021231101211212230"
    );
}

#[test]
fn few_partitions_and_no_nodes_are_no_trouble() {
    assert!(place(&[], 8).is_empty());
    assert!(place(&["a"], 0).is_empty());
    assert_eq!(place(&["a"], 3), [0, 0, 0]);
    let alone: BTreeSet<usize> = plan(&names(1, 9), 3).into_iter().collect();
    assert_eq!(alone.len(), 3);
}

proptest! {
    #[test]
    fn everything_is_held_once_within_the_bound_whatever_the_order(
        set: u64, count in 1_usize..40, partitions in 1_u32..300,
    ) {
        let mut names = names(set, count);
        let forth = plan(&names, partitions);
        prop_assert_eq!(forth.len(), partitions as usize);
        let most = loads(&forth, count).into_iter().max().unwrap();
        prop_assert!(most <= room(count, partitions));
        names.reverse();
        let back: Vec<usize> = plan(&names, partitions);
        prop_assert!(forth.iter().zip(&back).all(|(forth, back)| forth + back == count - 1));
    }

    #[test]
    fn where_nobody_is_full_only_the_joiner_gets_anything(
        set: u64, count in 2_usize..9, partitions in 32_u32..300,
    ) {
        let names = names(set, count);
        let before = plan(&names[..count - 1], partitions);
        let after = plan(&names, partitions);
        let full = |plan: &[usize], count| {
            loads(plan, count).into_iter().any(|load| load == room(count, partitions))
        };
        prop_assume!(!full(&before, count - 1) && !full(&after, count));
        for (before, after) in before.iter().zip(&after) {
            prop_assert!(before == after || *after == count - 1);
        }
    }
}
