//! A holder that sends what it should not, or not all of it, or dies: nothing of that is ever made
//! live, and the next one is asked.

use std::fs;
use std::net::SocketAddr;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use pumice::mesh::handover::{Piece, asks};
use pumice::rt::Runtime;
use pumice::settings::{ClusterSettings, Handover};
use pumice::snapshot::take::{Spool, WALK_MAX, Walk};
use pumice_model::ids::{Offset, Partition};
use pumice_model::manifest::Manifest;
use pumice_shards::Position;
use tempfile::TempDir;

use crate::door::Door;
use crate::ends::{Holder, Looks, Newcomer, door};
use crate::node::Node;
use crate::wants::P;
use crate::{cluster, seeds};

/// What is changed in a manifest, given another partition's.
type Change = fn(&mut Manifest, &Manifest);

/// What a stream promises, and what comes of it.
struct Sent {
    promised: u64,
    bytes: Vec<u8>,
}

/// A holder that sends what it is given, one stream after the other.
struct Scripted {
    door: Door,
    script: Sender<Sent>,
}

impl Scripted {
    fn start(node: &Node) -> Self {
        let ((asking, mut asked), (script, streams)) = (asks(), channel::<Sent>());
        thread::spawn(move || {
            while let (Some(ask), Ok(sent)) = (asked.blocking_recv(), streams.recv()) {
                // Who does not believe it goes in the middle.
                let _ = ask.giving.give(Piece::Begins(sent.promised));
                for piece in sent.bytes.chunks(10_000) {
                    let _ = ask.giving.give(Piece::Bytes(piece.to_vec().into()));
                }
            }
        });
        Self { door: door(Runtime::Tokio, node, asking, None), script }
    }

    fn http(&self) -> SocketAddr {
        self.door.http
    }
}

/// What an honest holder of the namespace sends for a partition.
fn honest(node: &Node, cluster: &ClusterSettings, partition: Partition) -> (Manifest, Vec<u8>) {
    let dir = TempDir::new().unwrap();
    let walk = Walk { cluster, partition, limit: WALK_MAX, abandoned: &|| false };
    let spool = Spool::open(dir.path()).unwrap();
    let spooled = spool.take(node.reader(partition), &walk, 1).unwrap().unwrap();
    (spooled.manifest.clone(), fs::read(spooled.path()).unwrap())
}

fn stream(manifest: &[u8], rows: &[u8]) -> Vec<u8> {
    let length = (manifest.len() as u32).to_le_bytes();
    [b"PSS1", &length[..], manifest, rows].concat()
}

fn whole(bytes: Vec<u8>) -> Sent {
    Sent { promised: bytes.len() as u64, bytes }
}

/// All that a holder may send instead of what it should, each with what is wrong.
fn lies(node: &Node) -> Vec<(String, Sent)> {
    let (manifest, rows) = honest(node, &cluster(), P);
    let (other, others_rows) = honest(node, &cluster(), Partition(2));
    let good = stream(&manifest.encode(), &rows);
    let mut lies = Vec::new();
    let mut lie = |what: &str, sent| lies.push((what.to_owned(), sent));
    lie("nothing", whole(Vec::new()));
    lie("another marker", whole([b"PSS2", &good[4..]].concat()));
    lie("a manifest without end", whole([b"PSS1", &[255; 4][..], &good[8..]].concat()));
    lie("another partition", whole(stream(&other.encode(), &others_rows)));
    lie("rows of another partition", whole(stream(&manifest.encode(), &others_rows)));
    let foreign = ClusterSettings { namespace: "other".to_owned(), ..cluster() };
    let (foreign, foreign_rows) = honest(node, &foreign, P);
    lie("another namespace", whole(stream(&foreign.encode(), &foreign_rows)));
    let changes: [(&str, Change); 4] = [
        ("another state", |manifest, other| manifest.about.state = other.about.state),
        ("another offset", |manifest, _| manifest.about.next = Offset(manifest.about.next.0 + 1)),
        ("a row more", |manifest, _| manifest.about.rows += 1),
        ("a frame less", |manifest, _| manifest.frames.truncate(1)),
    ];
    for (what, change) in changes {
        let mut changed = manifest.clone();
        change(&mut changed, &other);
        lie(what, whole(stream(&changed.encode(), &rows)));
    }
    let mut seed = seeds::Seed(11);
    for _ in 0..12 {
        let at = 8 + seed.below(good.len() as u64 - 8) as usize;
        let mut flipped = good.clone();
        flipped[at] ^= 1 << seed.below(8);
        lie(&format!("a bit of byte {at}"), whole(flipped));
        let (promised, bytes) = (good.len() as u64, good[..at].to_vec());
        lie(&format!("{at} bytes and no more"), Sent { promised, bytes });
        lie(&format!("{at} bytes and an end"), whole(good[..at].to_vec()));
    }
    let (promised, bytes) = (good.len() as u64, good[..good.len() - 1].to_vec());
    lie("all but one byte", Sent { promised, bytes });
    lies
}

#[test]
fn nothing_of_what_a_holder_should_not_send_is_made_live() {
    let node = Node::heavy(1, 900);
    let (manifest, rows) = honest(&node, &cluster(), P);
    assert!(manifest.frames.len() > 3, "more than one chunk");
    let scripted = Scripted::start(&node);
    let looks = Looks { holders: vec![(scripted.http(), "eu")], ..Looks::default() };
    let newcomer = Newcomer::start(Handover::Auto, looks);
    for (what, sent) in lies(&node) {
        scripted.script.send(sent).unwrap();
        let answer = newcomer.ask();
        assert!(answer.is_err(), "{what}: {answer:?}");
        assert_eq!(newcomer.node.position(P), Position::ZERO, "{what}");
    }
    assert_eq!(newcomer.stats.streamed.get(), 0);
    scripted.script.send(whole(stream(&manifest.encode(), &rows))).unwrap();
    assert_eq!(newcomer.ask(), Ok(Some(node.position(P))));
    newcomer.end();
    drop(scripted);
    node.end_and_check();
}

#[test]
fn where_one_holder_breaks_off_the_next_is_asked() {
    let (old, new) = (Node::heavy(1, 700), Node::heavy(1, 900));
    let [first, second] = [Scripted::start(&new), Scripted::start(&old)];
    let sent = |node: &Node, part: f64| {
        let (manifest, rows) = honest(node, &cluster(), P);
        let bytes = stream(&manifest.encode(), &rows);
        let promised = bytes.len() as u64;
        Sent { promised, bytes: bytes[..(promised as f64 * part) as usize].to_vec() }
    };
    first.script.send(sent(&new, 0.9)).unwrap();
    second.script.send(sent(&old, 1.0)).unwrap();
    let holders = vec![(first.http(), "eu"), (second.http(), "us")];
    let newcomer = Newcomer::start(Handover::Stream, Looks { holders, ..Looks::default() });
    assert_eq!(newcomer.ask(), Ok(Some(old.position(P))));
    assert_eq!(newcomer.node.position(P), old.position(P));
    newcomer.end();
    drop((first, second));
    old.end_and_check();
    new.end_and_check();
}

#[test]
fn a_holder_that_dies_at_any_moment_leaves_all_or_nothing() {
    let node = Node::heavy_in(P, 3_000);
    let holder = Holder::start(Runtime::Tokio, node, None);
    let mut caught = 0;
    for pause in 0..16_u64 {
        let door = door(Runtime::Tokio, &holder.node, holder.asking.clone(), None);
        let looks = Looks { holders: vec![(door.http, "eu")], ..Looks::default() };
        let newcomer = Newcomer::start(Handover::Auto, looks);
        let answer = thread::scope(|scope| {
            let answer = scope.spawn(|| newcomer.ask());
            thread::sleep(Duration::from_millis(pause * 12));
            drop(door);
            answer.join().unwrap()
        });
        let position = newcomer.node.position(P);
        match answer {
            Ok(whole) => assert_eq!(whole, Some(holder.node.position(P))),
            Err(_) => caught += 1,
        }
        assert!([Position::ZERO, holder.node.position(P)].contains(&position), "{position:?}");
        assert_eq!(answer.is_ok(), position != Position::ZERO);
        newcomer.end();
    }
    println!("{caught} of 16 were caught on their way");
    holder.end();
}
