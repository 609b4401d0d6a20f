//! What has to hold at every moment of a simulation, and at its end.

use std::collections::BTreeMap;

use pumice_model::holding::Holding;
use pumice_model::ids::Partition;
use pumice_model::placement::place;

use crate::log::KEYS;
use crate::node::Node;
use crate::store::Store;
use crate::world::World;

/// A node that was well, awake and reachable for so long has been heard by every other such node.
const HEARD_MS: u64 = 10_000;
/// A process that ended so long ago or less may still be believed to be there.
const UNNOTICED_MS: u64 = 14_000;
const READS: u64 = 4;

/// After every step: some reads, and what every process says of itself.
pub fn step(world: &mut World) -> Result<(), String> {
    for node in &world.nodes {
        for partition in world.log.partitions() {
            if node.holding(partition).answers() && !node.has_state(partition) {
                let holding = node.holding(partition);
                return Err(format!("{} is {holding} {partition} and has nothing", node.id));
            }
        }
    }
    for partition in world.log.partitions() {
        let answers = |node: &Node| node.awake(world.now) && node.holding(partition).answers();
        let whole = world.split.is_none() && world.nodes.iter().any(answers);
        let covered = &mut world.covered[partition.0 as usize];
        *covered = whole.then(|| covered.unwrap_or(world.now));
    }
    for _ in 0..READS {
        let asker = world.dice.below(world.nodes.len() as u64) as usize;
        let partition = Partition(world.dice.below(world.log.partitions().count() as u64) as u32);
        let key = world.dice.below(KEYS);
        if world.nodes[asker].awake(world.now) {
            read(world, asker, partition, key)?;
        }
    }
    Ok(())
}

/// One read, as decision 0018 leads it: here, else elsewhere, else an old state.
fn read(world: &mut World, asker: usize, partition: Partition, key: u64) -> Result<(), String> {
    let due = must_answer(world, asker, partition);
    world.summary.due += u64::from(due);
    let Some(from) = answerer(world, asker, partition) else {
        world.summary.unanswered += 1;
        return match due {
            false => Ok(()),
            true => Err(format!(
                "nobody answers a read of partition {partition} at {}, and somebody serves it",
                world.nodes[asker].id,
            )),
        };
    };
    world.summary.reads += 1;
    let (next, value) = world.nodes[from].store.read(&world.log, partition, key);
    let right = world.log.value(partition, key, next);
    if next > world.log.end(partition) || value != right {
        return Err(format!(
            "{} has {value:?} under key {key} of partition {partition} at offset {next}, right is \
             {right:?}",
            world.nodes[from].id
        ));
    }
    Ok(())
}

/// Who answers a read at `asker`.
fn answerer(world: &World, asker: usize, partition: Partition) -> Option<usize> {
    let node = &world.nodes[asker];
    let process = node.process.as_ref()?;
    if node.holding(partition).answers() {
        return Some(asker);
    }
    for holder in process.routes.others(partition) {
        let id = &process.routes.nodes[holder.node].id;
        let at = world.nodes.iter().position(|node| node.id == *id)?;
        let reached = world.linked(asker, at) && world.nodes[at].awake(world.now);
        if reached && world.nodes[at].has_state(partition) {
            return Some(at);
        }
    }
    node.has_state(partition).then_some(asker)
}

/// Whether a read must be answered: somebody always served it, for as long as it takes to be heard
/// of, though not always the same, and nothing has come between them and `asker`.
fn must_answer(world: &World, asker: usize, partition: Partition) -> bool {
    let long = |since: u64| since + HEARD_MS <= world.now;
    let covered = world.covered[partition.0 as usize].is_some_and(long);
    covered && long(world.rewired) && long(world.nodes[asker].awake_since)
}

/// Whether somebody else of its group answers for what a node gives up, unless that one ended so
/// lately that nobody can have noticed.
fn covered(world: &World, at: usize, partition: Partition) -> bool {
    let group = &world.nodes[at].group;
    let others = world.nodes.iter().enumerate().filter(|(other, _)| *other != at);
    let mut others = others.filter(|(_, node)| node.group == *group);
    let rewired = world.split.is_some() || world.rewired + UNNOTICED_MS >= world.now;
    let woke = world.nodes.iter().any(|node| {
        (1..=world.now).contains(&node.paused_until)
            && node.paused_until + UNNOTICED_MS >= world.now
    });
    // Where a split has healed, the two sides tell each other of who was alive when it began; and
    // so does a node that stood still tell those that had not heard it.
    let unnoticed = if rewired || woke { 3 * UNNOTICED_MS } else { UNNOTICED_MS };
    let lately = |(ended, of): &(u64, String)| ended + unnoticed >= world.now && of == group;
    others.any(|(_, node)| node.holding(partition).answers()) || world.ended.iter().any(lately)
}

/// A node has let go of a partition that it answered for.
pub fn released(world: &World, at: usize, partition: Partition) -> Result<(), String> {
    if covered(world, at, partition) {
        return Ok(());
    }
    let id = &world.nodes[at].id;
    Err(format!("{id} lets go of partition {partition}, and nobody of its group answers for it"))
}

/// A node ends, since others serve what it had, or there are no others.
pub fn left(world: &World, at: usize) -> Result<(), String> {
    let node = &world.nodes[at];
    let stays = |other: &&Node| {
        let process = other.process.as_ref();
        let process = process.filter(|process| process.leaving.or(process.ending).is_none());
        process.is_some() && other.id != node.id && other.group == node.group
    };
    // One that is not heard is as one that is not there.
    let settled = world.split.is_none() && world.rewired + HEARD_MS <= world.now;
    let well = |other: &Node| other.awake(world.now) && other.awake_since + HEARD_MS <= world.now;
    if !settled || !well(node) || !world.nodes.iter().filter(stays).any(well) {
        return Ok(());
    }
    for partition in world.log.partitions() {
        if node.holding(partition).answers() && !covered(world, at, partition) {
            return Err(format!(
                "{} leaves, and nobody else serves partition {partition}",
                node.id
            ));
        }
    }
    Ok(())
}

/// Whether every group holds every partition once, where the plan has it, with all of the log.
pub fn on_plan(world: &World) -> Result<(), String> {
    let mut groups = BTreeMap::<&str, Vec<&Node>>::new();
    for node in &world.nodes {
        match &node.process {
            Some(process) if process.leaving.is_some() || process.ending.is_some() => {
                return Err(format!("{} has not left", node.id));
            }
            Some(_) => groups.entry(&node.group).or_default().push(node),
            None if node.restart_at.is_some() => return Err(format!("{} is not back", node.id)),
            None => {}
        }
    }
    for (group, nodes) in groups {
        let ids: Vec<&str> = nodes.iter().map(|node| node.id.as_str()).collect();
        let plan = place(&ids, world.log.partitions().count() as u32);
        for (partition, planned) in world.log.partitions().zip(plan) {
            for (at, node) in nodes.iter().enumerate() {
                let (holding, next) = (node.holding(partition), node.store.next(partition));
                let (due, upto) = if at == planned {
                    (Holding::Serving, world.log.end(partition))
                } else {
                    (Holding::Absent, 0)
                };
                if holding != due || next != upto {
                    return Err(format!(
                        "{} of {group} has partition {partition} {holding} up to {next}, due is \
                         {due} up to {upto}",
                        node.id
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Whether all that was written is there, row by row, and all states have one hash.
pub fn agreed(world: &World) -> Result<(), String> {
    let mut reference = Store::new(world.log.partitions().count() as u32, world.real);
    for partition in world.log.partitions() {
        let end = world.log.end(partition);
        reference.apply(&world.log, partition, end);
        for node in &world.nodes {
            if node.holding(partition) != Holding::Serving {
                continue;
            }
            if node.store.hash(partition) != reference.hash(partition) {
                return Err(format!("{} has another state of {partition} at {end}", node.id));
            }
            for key in 0..KEYS {
                let due = (end, world.log.value(partition, key, end));
                let read = node.store.read(&world.log, partition, key);
                if read != due {
                    return Err(format!(
                        "{} read {read:?} of {partition}, due is {due:?}",
                        node.id
                    ));
                }
            }
        }
    }
    Ok(())
}
