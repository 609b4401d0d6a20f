//! Gossip of a simulation: every member says how it stands, others pass it on, and who has been
//! silent for ten seconds is taken for dead. Late, lossy, and out of order as the network is.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use pumice::cluster::view::{Held, Member, View};
use pumice_model::ids::Partition;

const DEAD_MS: u64 = 10_000;
/// The dead are forgotten after this.
const FORGOTTEN_MS: u64 = 60_000;

/// What a member says of itself.
#[derive(Debug, PartialEq)]
pub struct Said {
    pub region: String,
    pub group: String,
    pub draining: bool,
    pub ending: bool,
    pub held: BTreeMap<Partition, Held>,
}

/// It with its age: of two words of a member the greater (incarnation, beat) is the later.
#[derive(Clone, Debug)]
pub struct Word {
    pub incarnation: u64,
    pub beat: u64,
    pub said: Rc<Said>,
}

/// Words of members by their ids.
pub type Words = Vec<(String, Word)>;

/// What one process knows.
#[derive(Debug, Default)]
pub struct Gossip {
    heard: BTreeMap<String, Heard>,
}

#[derive(Debug)]
struct Heard {
    word: Word,
    /// When it last said something new.
    at: u64,
    alive: bool,
    /// Since when it is that.
    since: u64,
}

impl Gossip {
    /// Takes in what came, and what this process says of itself.
    pub fn hear(&mut self, now: u64, words: Words) {
        for (id, word) in words {
            match self.heard.get_mut(&id) {
                None => {
                    self.heard.insert(id, Heard { word, at: now, alive: true, since: now });
                }
                Some(heard) => {
                    let age = |word: &Word| (word.incarnation, word.beat);
                    if age(&word) > age(&heard.word) {
                        (heard.word, heard.at) = (word, now);
                        if !heard.alive {
                            (heard.alive, heard.since) = (true, now);
                        }
                    }
                }
            }
        }
    }

    /// Finds out who has fallen silent.
    pub fn look(&mut self, now: u64) {
        for heard in self.heard.values_mut() {
            if heard.alive && now - heard.at > DEAD_MS {
                (heard.alive, heard.since) = (false, now);
            }
        }
        self.heard.retain(|_, heard| heard.alive || now - heard.since < FORGOTTEN_MS);
    }

    /// What is passed on.
    pub fn words(&self) -> Words {
        let alive = self.heard.iter().filter(|(_, heard)| heard.alive);
        alive.map(|(id, heard)| (id.clone(), heard.word.clone())).collect()
    }

    pub fn view(&self, now: u64) -> View {
        let member = |heard: &Heard| Member {
            incarnation: heard.word.incarnation,
            region: heard.word.said.region.clone(),
            group: heard.word.said.group.clone(),
            http: String::new(),
            admin: String::new(),
            draining: heard.word.said.draining,
            ending: heard.word.said.ending,
            clock_off: 0,
            load: 0,
            held: heard.word.said.held.clone(),
            alive: heard.alive,
            since: Duration::from_millis(now - heard.since),
        };
        self.heard.iter().map(|(id, heard)| (id.clone(), member(heard))).collect()
    }
}
