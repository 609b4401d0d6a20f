//! What a node does as members come, go, flap and leave, with a view made by hand for every second.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::{BTreeMap, BTreeSet};

use pumice_model::ids::Offset;

use super::super::view::{Held, Member};
use super::*;
use crate::stats::progress::Following;

const PARTITIONS: u32 = 32;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A member of group `g` that has been alive for `since` and serves what it is given.
fn member(since: Duration, serves: impl IntoIterator<Item = Partition>) -> Member {
    let held = Held { holding: Holding::Serving, next: Offset(5) };
    Member {
        incarnation: 1,
        region: "eu".to_owned(),
        group: "g".to_owned(),
        http: "127.0.0.1:8080".to_owned(),
        admin: "127.0.0.1:8081".to_owned(),
        draining: false,
        ending: false,
        clock_off: 0,
        load: 0,
        held: serves.into_iter().map(|partition| (partition, held)).collect(),
        alive: true,
        since,
    }
}

fn all() -> impl Iterator<Item = Partition> {
    (0..PARTITIONS).map(Partition)
}

/// Node `a` with a log's thread that does at once what it is told.
struct Node {
    steer: Steer,
    follows: BTreeSet<Partition>,
    now: Duration,
    view: View,
}

impl Node {
    fn new(has_rows: bool, seeded: bool) -> Self {
        let now = secs(1_000);
        let begin = Begin { me: "a".to_owned(), partitions: PARTITIONS, seeded, now };
        let (steer, step) = Steer::begin(begin, |_| has_rows);
        let view = View::from([("a".to_owned(), member(secs(0), []))]);
        let mut node = Self { steer, follows: BTreeSet::new(), now, view };
        node.told(&step);
        node
    }

    fn told(&mut self, step: &Step) {
        for command in &step.commands {
            match command {
                Hold::Follow(partition) => assert!(self.follows.insert(*partition)),
                Hold::Release(partition) => assert!(self.follows.remove(partition)),
            }
        }
    }

    /// Steps once, with everything that is followed caught up where `live`.
    fn step(&mut self, live: bool) -> Step {
        let follows = self.follows.clone();
        let step = self.steer.step(self.now, &self.view, |partition| {
            let live = live && follows.contains(&partition);
            let following = if live {
                Following::Live
            } else if follows.contains(&partition) {
                Following::Restoring
            } else {
                Following::Absent
            };
            Standing { following, has_state: live, caught_up: live }
        });
        self.told(&step);
        step
    }

    /// Lets time pass, a step a second.
    fn pass(&mut self, secs: u64) {
        for _ in 0..secs {
            self.now += Duration::from_secs(1);
            self.view.values_mut().for_each(|member| member.since += Duration::from_secs(1));
            self.step(true);
        }
    }

    fn serves(&self) -> BTreeSet<Partition> {
        let held = self.steer.held().filter(|(_, holding)| *holding == Holding::Serving);
        held.map(|(partition, _)| partition).collect()
    }

    fn planned(&self, name: &str) -> BTreeSet<Partition> {
        all().filter(|partition| self.steer.planned(*partition) == Some(name)).collect()
    }
}

#[test]
fn a_node_alone_takes_everything_a_few_at_a_time() {
    let mut node = Node::new(false, false);
    node.pass(1);
    assert_eq!(node.follows.len(), 0, "its view has not settled");
    node.now += secs(1);
    assert_eq!(node.step(false).commands.len(), COMING);
    assert_eq!(node.step(false), Step::default(), "those have not come in");
    node.pass(30);
    assert_eq!(node.serves().len(), PARTITIONS as usize);
}

#[test]
fn rows_of_an_earlier_life_are_followed_before_anything_is_planned() {
    let mut node = Node::new(true, true);
    assert_eq!(node.follows.len(), PARTITIONS as usize);
    node.pass(1);
    assert_eq!(node.serves().len(), PARTITIONS as usize);
    // Its group has another member by now, which serves some of it.
    node.view.insert("b".to_owned(), member(secs(60), all().take(16)));
    node.pass(5);
    let ours = node.planned("a");
    let drains: BTreeSet<_> = all().take(16).filter(|p| !ours.contains(p)).collect();
    assert_eq!(node.serves().len(), PARTITIONS as usize - drains.len());
    assert_eq!(
        node.follows.len(),
        PARTITIONS as usize,
        "it answers on for those who have not heard"
    );
    node.pass(15);
    assert_eq!(node.follows.len(), PARTITIONS as usize - drains.len());
    assert!(node.serves().is_superset(&ours));
}

#[test]
fn seeds_are_waited_for_and_not_for_ever() {
    let mut node = Node::new(false, true);
    node.pass(4);
    assert_eq!(node.follows.len(), 0);
    node.pass(1);
    assert_eq!(node.follows.len(), COMING);

    let mut node = Node::new(false, true);
    node.pass(1);
    node.view.insert("b".to_owned(), member(secs(0), []));
    node.pass(1);
    assert_eq!(node.follows.len(), 0, "b has yet to settle");
    node.pass(20);
    assert_eq!(node.serves(), node.planned("a"));
    assert!(node.serves().len() < PARTITIONS as usize);
}

#[test]
fn who_flaps_moves_nothing_and_who_stays_gets_its_share() {
    let mut node = Node::new(false, false);
    node.pass(40);
    node.view.insert("b".to_owned(), member(secs(0), []));
    node.pass(1);
    assert_eq!(node.planned("b").len(), 0);
    node.view.remove("b");
    node.pass(5);
    assert_eq!(node.planned("b").len(), 0);
    node.view.insert("b".to_owned(), member(secs(0), []));
    node.pass(2);
    let share = node.planned("b");
    assert!(!share.is_empty());
    assert_eq!(node.serves().len(), PARTITIONS as usize, "b does not serve it yet");

    // It dies before it has anything: it counts for another ten seconds, and this node serves on.
    let b = node.view.get_mut("b").unwrap();
    (b.alive, b.since) = (false, secs(0));
    node.pass(9);
    assert_eq!(node.planned("b"), share);
    node.pass(1);
    assert_eq!(node.planned("b").len(), 0);
    assert_eq!(node.follows.len(), PARTITIONS as usize);
}

#[test]
fn what_vanishes_counts_for_as_long_as_what_falls_silent() {
    let mut node = Node::new(false, false);
    node.view.insert("b".to_owned(), member(secs(60), all()));
    node.pass(10);
    let ours = node.serves();
    assert!(ours.len() < PARTITIONS as usize);
    node.view.remove("b");
    node.pass(19);
    assert_eq!(node.serves(), ours);
    node.pass(11);
    assert_eq!(node.serves().len(), PARTITIONS as usize);
}

#[test]
fn a_member_that_drains_is_out_of_the_plan_at_once() {
    let mut node = Node::new(false, false);
    node.view.insert("b".to_owned(), member(secs(60), all()));
    node.pass(10);
    assert!(!node.planned("b").is_empty());
    node.view.get_mut("b").unwrap().draining = true;
    node.step(true);
    assert_eq!(node.planned("b").len(), 0);
    node.pass(20);
    assert_eq!(node.serves().len(), PARTITIONS as usize);
}

#[test]
fn a_member_that_restarts_keeps_its_share() {
    let mut node = Node::new(false, false);
    node.view.insert("b".to_owned(), member(secs(60), all()));
    node.pass(20);
    let (ours, theirs) = (node.serves(), node.planned("b"));
    assert!(!ours.is_empty() && !theirs.is_empty());
    // What comes in here meanwhile is let go of for nobody who ends.
    let theirs_first = *theirs.iter().next().unwrap();
    node.view.get_mut("b").unwrap().ending = true;
    assert_eq!(node.steer.place(theirs_first, &node.view), Place::Elsewhere { serves: false });
    assert!(routes(&node.view, "a", 1, PARTITIONS).nodes[1].draining, "others are asked first");
    node.pass(2);
    node.view.remove("b");
    node.pass(15);
    assert_eq!(node.planned("b"), theirs);
    node.view.insert("b".to_owned(), member(secs(0), theirs.clone()));
    node.pass(60);
    assert_eq!((node.planned("b"), node.serves()), (theirs, ours.clone()));
    assert_eq!(node.follows, ours, "nothing has moved");
    // And one that does not come back is replaced.
    node.view.get_mut("b").unwrap().ending = true;
    node.pass(2);
    node.view.remove("b");
    node.pass(30);
    assert_eq!(node.serves().len(), PARTITIONS as usize);
}

#[test]
fn a_node_that_leaves_answers_on_until_others_serve_what_it_has() {
    let mut node = Node::new(false, false);
    node.view.insert("b".to_owned(), member(secs(60), []));
    node.pass(20);
    let ours = node.serves();
    assert!(!ours.is_empty() && ours.len() < PARTITIONS as usize);
    node.steer.leave();
    node.pass(60);
    assert_eq!(node.planned("b").len(), PARTITIONS as usize);
    assert_eq!(node.serves(), ours);
    assert!(!node.steer.may_leave(node.now));
    node.view.insert("b".to_owned(), member(secs(60), ours.clone()));
    node.pass(1);
    assert!(!node.steer.may_leave(node.now), "peers may not have heard of b yet");
    node.pass(3);
    assert_eq!(node.serves(), ours);
    assert!(node.steer.may_leave(node.now));
    node.view.insert("b".to_owned(), member(secs(60), []));
    node.pass(1);
    assert!(!node.steer.may_leave(node.now), "b has lost it again");
    // One of another group is nobody to wait for.
    node.view.get_mut("b").unwrap().group = "h".to_owned();
    node.pass(1);
    assert!(!node.steer.may_leave(node.now), "as far as anybody knows, b only restarts");
    node.pass(20);
    assert!(node.steer.may_leave(node.now));
}

#[test]
fn a_node_that_stood_still_drains_anew() {
    let mut node = Node::new(true, false);
    node.pass(10);
    node.view.insert("b".to_owned(), member(secs(60), all()));
    node.pass(2);
    let theirs = node.planned("b").len();
    assert!(theirs > 0);
    assert_eq!(node.serves().len(), PARTITIONS as usize - theirs);
    // It is suspended. What it hears first of b is older than it looks.
    node.now += secs(60);
    node.pass(10);
    assert_eq!(node.follows.len(), PARTITIONS as usize);
    node.pass(3);
    assert_eq!(node.follows.len(), PARTITIONS as usize - theirs);
}

#[test]
fn other_groups_have_no_part_in_the_plan() {
    let mut node = Node::new(false, false);
    node.view.insert("b".to_owned(), Member { group: "h".to_owned(), ..member(secs(60), all()) });
    node.pass(40);
    assert_eq!(node.serves().len(), PARTITIONS as usize);
}

#[test]
fn routes_lead_to_the_living() {
    let mut view = View::from([
        ("a".to_owned(), member(secs(9), [Partition(1)])),
        ("b".to_owned(), member(secs(9), [Partition(0), Partition(1)])),
        ("c".to_owned(), member(secs(9), [Partition(0)])),
    ]);
    view.get_mut("c").unwrap().alive = false;
    view.get_mut("a").unwrap().alive = false;
    let routes = routes(&view, "a", 7, 2);
    let ids: Vec<&str> = routes.nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!((ids, routes.me, routes.version), (vec!["a", "b"], 0, 7));
    let nodes = |held: &[crate::mesh::routes::Holder]| -> Vec<usize> {
        held.iter().map(|holder| holder.node).collect()
    };
    assert_eq!(nodes(&routes.holders[0]), [1]);
    assert_eq!(nodes(&routes.holders[1]), [0, 1]);
    assert_eq!(routes.others(Partition(1)).len(), 1);
}

#[test]
fn a_clock_is_judged_by_more_than_one_peer() {
    let view = |offs: &[i64]| -> View {
        let peers = offs.iter().enumerate().map(|(i, off)| {
            (format!("peer-{i}"), Member { clock_off: *off, ..member(secs(9), []) })
        });
        let mut view: BTreeMap<_, _> = peers.collect();
        view.insert("me".to_owned(), member(secs(9), []));
        view
    };
    let fault = |offs: &[i64]| clock_fault(&view(offs), "me");
    assert_eq!(fault(&[]), None);
    assert_eq!(fault(&[3_600_000]), None, "nobody can tell whose clock is wrong");
    assert_eq!(fault(&[3_600_000, 20]), None, "one peer is wrong, and it is not this node");
    assert_eq!(fault(&[29_000, 30_000, 30_000]), None);
    let text = fault(&[3_600_000, 3_600_500]).unwrap();
    assert!(text.starts_with("the clock of this node is 3600 s behind the median of its 2 peers"));
    let text = fault(&[-40_000, -3, -41_000]).unwrap();
    assert!(text.contains("40 s ahead of the median of its 3 peers"), "{text}");
    let mut view = view(&[-40_000, -41_000]);
    view.get_mut("peer-0").unwrap().alive = false;
    assert_eq!(clock_fault(&view, "me"), None, "the dead have no say");
}
