//! What goes wrong in a simulation: crashes, lost disks, pauses, splits of the network, lost
//! gossip, slow nodes, and people who add nodes and take them away.

use crate::dice::Dice;
use crate::world::{Split, World};

/// Machines at most, those that have left included.
const MACHINES: usize = 8;

/// What a history is troubled by.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Kinds of faults from here on, of [`KINDS`]: the last are what people do on purpose.
    first: u64,
    /// Faults in a thousand steps.
    rate: u64,
}

const KINDS: u64 = 13;
/// Where what people do begins.
const ON_PURPOSE: u64 = 7;

impl Weather {
    pub fn of(dice: &mut Dice) -> Self {
        let first = if dice.chance(300) { ON_PURPOSE } else { 0 };
        Self { first, rate: dice.within(5, 40) }
    }
}

/// Makes a fault now and then, and ends what has lasted.
pub fn make(world: &mut World) {
    if world.split.as_ref().is_some_and(|split| world.now >= split.until) {
        (world.split, world.rewired) = (None, world.now);
    }
    if !world.dice.chance(world.weather.rate) {
        return;
    }
    world.summary.faults += 1;
    let now = world.now;
    let at = world.dice.below(world.nodes.len() as u64) as usize;
    let kind = world.dice.within(world.weather.first, KINDS - 1);
    match kind {
        0..3 => {
            let disk_too = world.dice.chance(250);
            let back = now + world.dice.within(300, 30_000);
            if world.nodes[at].process.is_some() {
                world.silenced(at);
                world.stop(at, disk_too);
                world.nodes[at].restart_at = Some(back);
            }
        }
        3..5 => {
            let until = now + world.dice.within(400, 25_000);
            world.silenced(at);
            let node = &mut world.nodes[at];
            (node.paused_until, node.awake_since) = (until, until);
        }
        5..7 => {
            let other = (0..world.nodes.len()).map(|_| world.dice.chance(400)).collect();
            let (broker, until) = (world.dice.chance(300), now + world.dice.within(500, 40_000));
            world.split = Some(Split { other, broker, until });
            world.rewired = now;
        }
        7 => world.loss = world.dice.below(300),
        8 => {
            let (pace, effort) = (world.dice.within(1, 12), world.dice.within(200, 6_000));
            if let Some(process) = &mut world.nodes[at].process {
                (process.pace, process.effort) = (pace, effort);
            }
        }
        9..11 => {
            let back = world.dice.chance(600).then(|| now + world.dice.within(1_000, 40_000));
            let node = &mut world.nodes[at];
            if let Some(process) = &mut node.process {
                match kind {
                    9 => process.leave(now),
                    _ => process.end(now),
                }
                node.restart_at = back;
            }
        }
        _ if world.nodes.len() < MACHINES => {
            let group = world.dice.below(3);
            world.join(group);
        }
        _ => {}
    }
}

/// Ends every fault; who is away and is to come back does.
pub fn heal(world: &mut World) {
    let now = world.now;
    (world.split, world.rewired, world.loss) = (None, now, 0);
    for node in &mut world.nodes {
        node.restart_at = node.restart_at.map(|_| now);
        if node.paused_until > now {
            (node.paused_until, node.awake_since) = (now, now);
        }
        if let Some(process) = &mut node.process {
            (process.pace, process.effort) = (process.pace.max(6), process.effort.min(2_000));
        }
    }
}
