//! What gossip heard of each member, read once when it changes, and the view made of it. On the
//! cluster's thread. A member that disagrees or cannot be understood is told of once and left out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use chitchat::{Chitchat, ChitchatId, NodeState};
use pumice_model::ids::Partition;
use pumice_model::time::Millis;
use tokio::time::Instant;

use super::said::{self, ABOUT, About, HELD, Malformed, NOW, Now};
use super::view::{Held, Member, View};
use crate::clock;

/// All members, as they were heard.
pub struct Heard {
    mine: About,
    voices: HashMap<ChitchatId, Voice>,
}

/// One life of one member.
struct Voice {
    /// Of what was read last; chitchat counts a node's changes.
    version: u64,
    told: Option<Told>,
    clock_off: Millis,
    alive: bool,
    turned: Instant,
    /// It is told of once that this one is left out.
    warned: bool,
}

/// What a member said, as far as it can be counted on.
struct Told {
    about: About,
    now: Now,
    held: BTreeMap<Partition, Held>,
}

/// What came of listening.
pub struct Listened {
    /// The members.
    pub view: View,
    /// Where a later life of this node's own id is heard.
    pub usurped: Option<String>,
    /// How many are left out.
    pub ignored: u64,
}

impl Heard {
    /// Nothing yet, by a node that says `mine` of itself.
    pub fn new(mine: About) -> Self {
        Self { mine, voices: HashMap::new() }
    }

    /// Takes in what chitchat knows now.
    pub fn listen(&mut self, chitchat: &Chitchat) -> Listened {
        let alive: HashSet<&ChitchatId> = chitchat.live_nodes().collect();
        let states = chitchat.node_states();
        self.voices.retain(|id, _| states.contains_key(id));
        let me = chitchat.self_chitchat_id();
        let mut listened = Listened { view: View::new(), usurped: None, ignored: 0 };
        let mut chosen: HashMap<&str, (bool, u64)> = HashMap::new();
        for (id, state) in states {
            let voice = self.voices.entry(id.clone()).or_insert_with(Voice::new);
            voice.turn(alive.contains(id));
            voice.read(id, state, &self.mine);
            listened.ignored += u64::from(voice.warned && voice.told.is_none());
            let Some(told) = &voice.told else { continue };
            let is_later = id.generation_id > me.generation_id;
            let is_elsewhere = id.gossip_advertise_addr != me.gossip_advertise_addr;
            if id.node_id == me.node_id && id != me {
                if is_later && is_elsewhere && voice.alive {
                    listened.usurped = Some(id.gossip_advertise_addr.to_string());
                }
                // To this node, its id is its own.
                continue;
            }
            // The life that is heard counts, and of several the last.
            let rank = (voice.alive, id.generation_id);
            if chosen.get(&*id.node_id).is_none_or(|best| *best < rank) {
                chosen.insert(&id.node_id, rank);
                let member = voice.member(id.generation_id, told);
                listened.view.insert(id.node_id.to_string(), member);
            }
        }
        listened
    }
}

impl Voice {
    fn new() -> Self {
        let turned = Instant::now();
        Self { version: 0, told: None, clock_off: 0, alive: false, turned, warned: false }
    }

    fn turn(&mut self, alive: bool) {
        if self.alive != alive {
            (self.alive, self.turned) = (alive, Instant::now());
        }
    }

    fn read(&mut self, id: &ChitchatId, state: &NodeState, mine: &About) {
        if state.max_version() == self.version {
            return;
        }
        self.version = state.max_version();
        match read(state, mine) {
            Ok(told) => {
                let heard_at = self.told.as_ref().map(|told| told.now.at);
                if let Some(told) = told.as_ref().filter(|told| heard_at != Some(told.now.at)) {
                    self.clock_off = told.now.at - clock::now();
                }
                self.told = told;
            }
            Err(why) => {
                self.told = None;
                if !self.warned {
                    self.warned = true;
                    let ChitchatId { node_id, gossip_advertise_addr: address, .. } = id;
                    tracing::warn!("node {node_id} at {address} is ignored: {why}");
                }
            }
        }
    }

    fn member(&self, incarnation: u64, told: &Told) -> Member {
        let Told { about, now, held } = told;
        Member {
            incarnation,
            region: about.region.clone(),
            group: about.group.clone(),
            http: about.http.clone(),
            admin: about.admin.clone(),
            draining: now.draining,
            ending: now.ending,
            clock_off: self.clock_off,
            load: now.load,
            held: held.clone(),
            alive: self.alive,
            since: self.turned.elapsed(),
        }
    }
}

/// What a member says, or why it is left out; nothing while it has not said who it is, or says it
/// no more.
fn read(state: &NodeState, mine: &About) -> Result<Option<Told>, String> {
    let Some(about) = state.get(ABOUT) else { return Ok(None) };
    let malformed = |malformed: Malformed| malformed.to_string();
    let about = About::read(about).map_err(malformed)?;
    if about.fingerprint() != mine.fingerprint() {
        let (format, partitions, hash) = about.fingerprint();
        let (our_format, our_partitions, our_hash) = mine.fingerprint();
        return Err(format!(
            "it has {partitions} partitions by {hash} and says so in format {format}, this node \
             has {our_partitions} by {our_hash} in format {our_format}"
        ));
    }
    let now = state.get(NOW).map(Now::read).transpose().map_err(malformed)?.unwrap_or_default();
    let mut held = BTreeMap::new();
    for piece in 0..mine.partitions.div_ceil(said::PIECE) {
        if let Some(text) = state.get(&format!("{HELD}{piece}")) {
            said::read_piece(piece, text, &mut held).map_err(malformed)?;
        }
    }
    if held.keys().any(|partition| partition.0 >= mine.partitions) {
        return Err(malformed(Malformed("held")));
    }
    Ok(Some(Told { about, now, held }))
}

/// Whether somebody else who is up calls itself as this node does, and comes first.
pub struct Rivals(HashMap<ChitchatId, Beat>);

struct Beat {
    first: Instant,
    last: u64,
    rises: u32,
}

impl Rivals {
    /// Times that a rival must be heard to go on.
    const RISES: u32 = 3;
    /// For so long: what is heard shortly after the end of a life may be on its way since before.
    const AFTER: Duration = Duration::from_millis(1_500);

    /// Nobody yet.
    pub fn new() -> Self {
        Self(HashMap::new())
    }

    /// The rival, if there is one by what chitchat knows now.
    pub fn listen(&mut self, chitchat: &Chitchat) -> Option<ChitchatId> {
        let me = chitchat.self_chitchat_id();
        let others = chitchat.node_states().iter().filter(|(id, _)| {
            id.node_id == me.node_id && id.gossip_advertise_addr != me.gossip_advertise_addr
        });
        let mut rival = None;
        for (id, state) in others {
            let heartbeat = u64::from(state.heartbeat());
            let first = Beat { first: Instant::now(), last: heartbeat, rises: 0 };
            let beat = self.0.entry(id.clone()).or_insert(first);
            if heartbeat <= beat.last {
                continue;
            }
            (beat.last, beat.rises) = (heartbeat, beat.rises + 1);
            // One that said nothing yet listens as we do, and one of the two must go on.
            let listens_too = state.max_version() == 0;
            let order = |id: &ChitchatId| (id.generation_id, id.gossip_advertise_addr);
            let comes_first = match listens_too {
                true => order(id) < order(me),
                false => state.get(ABOUT).is_some(),
            };
            if comes_first && beat.rises >= Self::RISES && beat.first.elapsed() >= Self::AFTER {
                rival = Some(id.clone());
            }
        }
        rival
    }
}
