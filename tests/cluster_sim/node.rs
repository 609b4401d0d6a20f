//! A node of a simulation: the server's own steering between a simulated log and simulated gossip.
//! A machine keeps its disk over the lives of its processes.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use pumice::cluster::steer::{Begin, Steer, routes};
use pumice::cluster::table::Command;
use pumice::cluster::view::{Held, View};
use pumice::mesh::holds::Hold;
use pumice::mesh::routes::Routes;
use pumice_model::holding::Holding;
use pumice_model::ids::{Offset, Partition};

use crate::follower::{Follower, Hands};
use crate::gossip::{Gossip, Said, Word, Words};
use crate::log::Log;
use crate::store::Store;
use crate::world::Rule;

/// A node says how it stands so often, and at once when it holds something otherwise.
const BEAT_MS: u64 = 1_000;
/// A node that leaves waits no longer than this.
const PATIENCE_MS: u64 = 30_000;
/// A process that is asked to end serves for so long.
const LINGER_MS: u64 = 2_000;

/// A machine.
pub struct Node {
    pub id: String,
    pub region: String,
    pub group: String,
    pub store: Store,
    pub process: Option<Process>,
    pub lives: u64,
    pub paused_until: u64,
    /// Since when it has run without a pause.
    pub awake_since: u64,
    /// When it starts again; never, where there is nothing.
    pub restart_at: Option<u64>,
}

/// One life of a node.
pub struct Process {
    pub steer: Steer,
    pub routes: Routes,
    pub followers: Vec<Follower>,
    /// Until when it waits for others to serve what it has, once it was told to leave.
    pub leaving: Option<u64>,
    /// When it ends, once it was asked to.
    pub ending: Option<u64>,
    pub pace: u64,
    pub effort: u64,
    gossip: Gossip,
    inbox: Vec<(u64, Words)>,
    incarnation: u64,
    beat: u64,
    next_beat: u64,
}

/// What a process does to others in one step.
#[derive(Default)]
pub struct Stepped {
    /// What it tells its peers, when it does.
    pub tells: Option<Words>,
    /// What it answered for and lets go of.
    pub released: Vec<Partition>,
    /// Whether it ends, and, if so, whether it says that others serve what it had.
    pub ends: Option<bool>,
}

/// What a process has to do with in one step.
pub struct Around<'w> {
    pub now: u64,
    pub log: &'w Log,
    /// Whether the log and the objects can be reached.
    pub online: bool,
    pub rule: Rule,
}

impl Node {
    /// Starts a process; `seeded` when it was told of others.
    pub fn start(&mut self, now: u64, seeded: bool, log: &Log, pace: u64, effort: u64) {
        if self.lives > 0 {
            self.store.start();
        }
        self.lives += 1;
        (self.restart_at, self.paused_until, self.awake_since) = (None, 0, now);
        let partitions = log.partitions().count();
        let begin = Begin {
            me: self.id.clone(),
            partitions: partitions as u32,
            seeded,
            now: Duration::from_millis(now),
        };
        let (steer, step) = Steer::begin(begin, |partition| self.store.next(partition) > 0);
        let mut process = Process {
            steer,
            routes: Routes::default(),
            followers: log.partitions().map(Follower::new).collect(),
            leaving: None,
            ending: None,
            pace,
            effort,
            gossip: Gossip::default(),
            inbox: Vec::new(),
            incarnation: self.lives,
            beat: 0,
            next_beat: 0,
        };
        process.tell(&step.commands);
        self.process = Some(process);
    }

    /// Whether it runs at this moment.
    pub fn awake(&self, now: u64) -> bool {
        self.process.is_some() && now >= self.paused_until
    }

    /// Goes on by one step.
    pub fn step(&mut self, around: &Around<'_>) -> Stepped {
        let Some(mut process) = self.process.take() else { return Stepped::default() };
        let stepped = process.step(self, around);
        self.process = Some(process);
        stepped
    }

    /// Whether it would answer a read that another sends on to it.
    pub fn has_state(&self, partition: Partition) -> bool {
        let follower = self.process.as_ref().map(|p| &p.followers[partition.0 as usize]);
        follower.is_some_and(|follower| follower.has_state(&self.store))
    }

    pub fn holding(&self, partition: Partition) -> Holding {
        let process = self.process.as_ref();
        process.map_or(Holding::Absent, |process| process.steer.holding(partition).0)
    }
}

impl Process {
    pub fn deliver(&mut self, at: u64, words: Words) {
        self.inbox.push((at, words));
    }

    pub fn view(&self, now: u64) -> View {
        self.gossip.view(now)
    }

    pub fn words(&self) -> Words {
        self.gossip.words()
    }

    pub fn leave(&mut self, now: u64) {
        if self.leaving.is_none() {
            self.steer.leave();
            self.leaving = Some(now + PATIENCE_MS);
            self.next_beat = now;
        }
    }

    /// It is asked to end, as by SIGTERM.
    pub fn end(&mut self, now: u64) {
        if self.ending.is_none() {
            self.steer.leave();
            self.ending = Some(now + LINGER_MS);
            self.next_beat = now;
        }
    }

    fn tell(&mut self, commands: &[Hold]) {
        for command in commands {
            let (partition, command) = match *command {
                Hold::Follow(partition) => (partition, Command::Follow),
                Hold::Release(partition) => (partition, Command::Release),
            };
            self.followers[partition.0 as usize].tell(command);
        }
    }

    fn step(&mut self, node: &mut Node, around: &Around<'_>) -> Stepped {
        let now = around.now;
        let (due, later) = self.inbox.drain(..).partition(|(at, _)| *at <= now);
        self.inbox = later;
        due.into_iter().for_each(|(_, words): (u64, Words)| self.gossip.hear(now, words));

        let mut hands = Hands {
            now,
            log: around.log,
            store: &mut node.store,
            online: around.online,
            pace: self.pace,
            effort: self.effort,
            skips: around.rule == Rule::SkipsEntries,
        };
        self.followers.iter_mut().for_each(|follower| follower.step(&mut hands));

        let mut stepped = Stepped::default();
        if now >= self.next_beat {
            self.say(node, around);
        }
        self.gossip.look(now);
        let view = self.gossip.view(now);
        let before: Vec<Holding> = self.steer.held().map(|(_, holding)| holding).collect();
        let step = self.steer.step(Duration::from_millis(now), &view, |partition| {
            self.followers[partition.0 as usize].standing(&node.store)
        });
        self.tell(&step.commands);
        for command in &step.commands {
            if let Hold::Release(partition) = *command
                && before[partition.0 as usize].answers()
            {
                stepped.released.push(partition);
            }
        }
        if around.rule == Rule::DropsWhatDrains {
            for (partition, holding) in self.steer.held() {
                if holding == Holding::Draining && before[partition.0 as usize] != holding {
                    node.store.release(partition);
                }
            }
        }
        if step.changed || now >= self.next_beat {
            self.say(node, around);
            self.next_beat = now + BEAT_MS;
            stepped.tells = Some(self.gossip.words());
        }
        let view = self.gossip.view(now);
        self.routes = routes(&view, &node.id, self.beat, self.followers.len() as u32);
        if let Some(until) = self.leaving {
            let may = self.steer.may_leave(Duration::from_millis(now))
                || around.rule == Rule::LeavesAtOnce;
            stepped.ends = if may { Some(true) } else { (now >= until).then_some(false) };
        }
        if self.ending.is_some_and(|until| now >= until) {
            stepped.ends = Some(false);
        }
        stepped
    }

    /// Says how it stands, to itself first.
    fn say(&mut self, node: &Node, around: &Around<'_>) {
        self.beat += 1;
        let held = |(partition, holding): (Partition, Holding)| {
            let holding = match holding {
                Holding::Restoring if around.rule == Rule::ClaimsTooEarly => Holding::Serving,
                holding => holding,
            };
            let next = Offset(node.store.next(partition));
            (holding != Holding::Absent).then_some((partition, Held { holding, next }))
        };
        let said = Said {
            region: node.region.clone(),
            group: node.group.clone(),
            draining: self.leaving.is_some(),
            ending: self.ending.is_some(),
            held: self.steer.held().filter_map(held).collect::<BTreeMap<_, _>>(),
        };
        let (incarnation, beat) = (self.incarnation, self.beat);
        let word = Word { incarnation, beat, said: Rc::new(said) };
        self.gossip.hear(around.now, vec![(node.id.clone(), word)]);
    }
}
