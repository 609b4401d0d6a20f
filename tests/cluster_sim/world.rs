//! The world of a simulation: machines, a network between them, clients that write, and time, which
//! goes on in steps. Everything in it follows from one seed.

use pumice_model::holding::Holding;
use pumice_model::ids::Partition;

use crate::checker;
use crate::dice::Dice;
use crate::faults::{self, Weather};
use crate::log::{KEYS, Log};
use crate::node::{Around, Node};
use crate::store::Store;

/// How long a step is.
pub const STEP_MS: u64 = 200;
/// How long there are faults.
const TROUBLE_MS: u64 = 90_000;
/// How long a cluster may take to be on its plan once the last fault is healed: a member that left
/// is replaced after 20 s and one that leaves may wait 30 s, then its partitions come in four at a
/// time, and the last drain for 12 s.
const BOUND_MS: u64 = 120_000;

/// What a server is broken on purpose by, to see that the checker sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// By nothing.
    Sound,
    /// Rows go as soon as another node is said to serve them.
    DropsWhatDrains,
    /// What is still restored is said to be served.
    ClaimsTooEarly,
    /// An entry is passed over.
    SkipsEntries,
    /// A node that is told to leave does so.
    LeavesAtOnce,
}

/// What a seed came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Reads that were answered.
    pub reads: u64,
    /// Reads that had to be answered, whoever knew whom.
    pub due: u64,
    /// Reads that nobody could answer, and nobody had to.
    pub unanswered: u64,
    /// Writes that were acknowledged.
    pub writes: u64,
    /// Partitions that were handed over.
    pub handovers: u64,
    /// Faults that were made.
    pub faults: u64,
    /// From the last fault to the plan.
    pub healed_ms: u64,
}

/// A network in two sides that do not hear each other.
#[derive(Clone, Debug)]
pub struct Split {
    /// Nodes of the other side, by their places.
    pub other: Vec<bool>,
    /// Whether the broker stands on the other side.
    pub broker: bool,
    pub until: u64,
}

pub struct World {
    pub now: u64,
    pub dice: Dice,
    pub rule: Rule,
    pub real: bool,
    pub weather: Weather,
    pub log: Log,
    pub nodes: Vec<Node>,
    pub split: Option<Split>,
    /// When the network last became another.
    pub rewired: u64,
    /// Messages of gossip that are lost, of a thousand.
    pub loss: u64,
    /// Since when somebody has answered for each partition, and has gone only when others did.
    pub covered: Vec<Option<u64>>,
    /// Processes that ended, by their groups: what they had nobody had to have seen.
    pub ended: Vec<(u64, String)>,
    pub summary: Summary,
}

impl World {
    pub fn new(seed: u64, rule: Rule, real: bool) -> Self {
        let mut dice = Dice::new(seed);
        let partitions = dice.within(8, 16) as u32;
        let groups = dice.within(1, 3);
        let nodes = dice.within(groups.max(3), 5);
        let weather = Weather::of(&mut dice);
        let mut world = Self {
            now: 0,
            dice,
            rule,
            real,
            weather,
            log: Log::new(partitions),
            nodes: Vec::new(),
            split: None,
            rewired: 0,
            loss: 0,
            covered: vec![None; partitions as usize],
            ended: Vec::new(),
            summary: Summary::default(),
        };
        for node in 0..nodes {
            world.join(node % groups);
        }
        world
    }

    /// Runs all of it; what is wrong, and when.
    pub fn run(mut self) -> Result<Summary, String> {
        let result = self.trouble_and_peace();
        if result.is_err() && std::env::var_os("PUMICE_SEED").is_some() {
            self.draw();
        }
        result.map_err(|wrong| format!("at {:.1} s: {wrong}", self.now as f64 / 1_000.0))
    }

    /// Shows who holds what, and what everybody believes: a digit of [`Holding`] a partition.
    fn draw(&self) {
        let (split, ended) = (&self.split, &self.ended);
        println!("split {split:?}, another since {}, ended {ended:?}", self.rewired);
        let digits = |holding: &dyn Fn(Partition) -> Holding| -> String {
            self.log.partitions().map(|p| (holding(p) as u8).to_string()).collect()
        };
        for node in &self.nodes {
            let held = digits(&|partition| node.holding(partition));
            let (id, group, awake) = (&node.id, &node.group, node.awake(self.now));
            println!("{held} {id} {group} awake: {awake}, since {}", node.awake_since);
            for (id, member) in node.process.iter().flat_map(|process| process.view(self.now)) {
                let held = digits(&|partition| member.holding(partition));
                let (alive, since, drains) = (member.alive, member.since, member.draining);
                println!("  {held} {id} alive: {alive}, for {since:?}, draining: {drains}");
            }
        }
    }

    fn trouble_and_peace(&mut self) -> Result<Summary, String> {
        while self.now < TROUBLE_MS {
            faults::make(self);
            self.step()?;
        }
        faults::heal(self);
        let healed = self.now;
        loop {
            // The last writes come while it heals.
            self.step()?;
            let spent = self.now - healed;
            match checker::on_plan(self) {
                Ok(()) => {
                    self.summary.healed_ms = spent;
                    checker::agreed(self)?;
                    return Ok(self.summary);
                }
                Err(why) if spent > BOUND_MS => {
                    return Err(format!(
                        "not on its plan {} s after the last fault: {why}",
                        spent / 1_000
                    ));
                }
                Err(_) => {}
            }
        }
    }

    /// A machine that was not there before.
    pub fn join(&mut self, group: u64) {
        let id = format!("node-{}-{}", self.nodes.len(), self.dice.below(1_000));
        let region = ["eu", "us"][self.dice.below(2) as usize].to_owned();
        self.nodes.push(Node {
            id,
            region,
            group: format!("group-{group}"),
            store: Store::new(self.log.partitions().count() as u32, self.real),
            process: None,
            lives: 0,
            paused_until: 0,
            awake_since: 0,
            restart_at: Some(self.now),
        });
        if let Some(split) = &mut self.split {
            split.other.push(false);
        }
    }

    /// Whether one machine can reach another.
    pub fn linked(&self, one: usize, other: usize) -> bool {
        self.split.as_ref().is_none_or(|split| split.other[one] == split.other[other])
    }

    /// Whether a machine can reach the log and the objects.
    pub fn online(&self, node: usize) -> bool {
        self.split.as_ref().is_none_or(|split| split.other[node] == split.broker)
    }

    /// A machine falls silent: nobody can know yet that others have to be asked.
    pub fn silenced(&mut self, node: usize) {
        for (partition, covered) in self.log.partitions().zip(&mut self.covered) {
            if self.nodes[node].holding(partition).answers() {
                *covered = None;
            }
        }
    }

    /// The process of a machine ends.
    pub fn stop(&mut self, node: usize, disk_too: bool) {
        let node = &mut self.nodes[node];
        if node.process.take().is_some() {
            self.ended.push((self.now, node.group.clone()));
        }
        node.store.stop(disk_too);
    }

    fn step(&mut self) -> Result<(), String> {
        self.now += STEP_MS;
        self.write();
        self.snapshot();
        for at in 0..self.nodes.len() {
            let node = &self.nodes[at];
            if node.process.is_none() && node.restart_at.is_some_and(|at| self.now >= at) {
                let (pace, effort) = (self.dice.within(1, 12), self.dice.within(200, 3_000));
                let seeded = self.nodes.len() > 1;
                self.nodes[at].start(self.now, seeded, &self.log, pace, effort);
            }
            if self.nodes[at].awake(self.now) {
                self.step_node(at)?;
            }
        }
        checker::step(self)
    }

    fn step_node(&mut self, at: usize) -> Result<(), String> {
        let online = self.online(at);
        let around = Around { now: self.now, log: &self.log, online, rule: self.rule };
        let stepped = self.nodes[at].step(&around);
        self.summary.handovers += stepped.released.len() as u64;
        for partition in stepped.released {
            checker::released(self, at, partition)?;
        }
        if let Some(words) = stepped.tells {
            for _ in 0..3 {
                let to = self.dice.below(self.nodes.len() as u64) as usize;
                self.pass_on(at, to, words.clone());
                if self.nodes[to].awake(self.now)
                    && let Some(process) = &self.nodes[to].process
                {
                    let words = process.words();
                    self.pass_on(to, at, words);
                }
            }
        }
        if let Some(done) = stepped.ends {
            if done {
                checker::left(self, at)?;
            }
            let group = &self.nodes[at].group;
            let mut others = self.nodes.iter().enumerate().filter(|(other, _)| *other != at);
            // Of a group of one nobody has taken anything over.
            if !done || !others.any(|(_, node)| node.process.is_some() && node.group == *group) {
                self.silenced(at);
            }
            self.stop(at, false);
        }
        Ok(())
    }

    fn pass_on(&mut self, from: usize, to: usize, words: crate::gossip::Words) {
        let (lost, at) = (self.dice.chance(self.loss), self.now + self.dice.within(10, 400));
        if from == to || lost || !self.linked(from, to) {
            return;
        }
        if let Some(process) = &mut self.nodes[to].process {
            process.deliver(at, words);
        }
    }

    /// Clients write, through any node that can reach the log.
    fn write(&mut self) {
        let through = self.dice.below(self.nodes.len() as u64) as usize;
        let partition = Partition(self.dice.below(self.log.partitions().count() as u64) as u32);
        let (key, value) = (self.dice.below(KEYS), self.summary.writes);
        let value = (!self.dice.chance(150)).then_some(value);
        if self.nodes[through].awake(self.now) && self.online(through) && self.dice.chance(700) {
            self.log.append(partition, self.now as i64, key, value);
            self.summary.writes += 1;
        }
    }

    /// Some node takes a snapshot of something, and old entries of it may go.
    fn snapshot(&mut self) {
        if !self.dice.chance(100) {
            return;
        }
        let at = self.dice.below(self.nodes.len() as u64) as usize;
        let partition = Partition(self.dice.below(self.log.partitions().count() as u64) as u32);
        let node = &self.nodes[at];
        if node.awake(self.now) && self.online(at) && node.has_state(partition) {
            let snapshot = node.store.snapshot(partition);
            self.log.store(partition, snapshot);
            if self.dice.chance(500) {
                self.log.trim(partition);
            }
        }
    }
}
