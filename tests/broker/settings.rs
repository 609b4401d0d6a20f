//! Nodes that meet in one namespace: those that disagree about it are refused and leave nothing
//! that is in the way, those that agree both hold and serve everything.

use std::thread;
use std::time::{Duration, Instant};

use crate::kafka::mock;
use crate::kafka::node::Place;
use crate::kafka::stock::Stock;
use crate::pk;
use crate::services::Services;

const PARTITIONS: u32 = 4;
/// A start that is refused is over by then.
const REFUSED: Duration = Duration::from_secs(60);

#[test]
fn a_node_with_other_settings_is_refused() {
    let Some(services) = Services::shared() else { return };
    let place = services.place("settings", PARTITIONS);
    let dir = tempfile::tempdir().unwrap();
    let node = place.start(dir.path()).ready();
    assert_eq!(node.put("a/b", &[], "1").status, 201);
    let topic = mock::mutations(&place.namespace);
    let ends = Stock::new(&services.kafka).ends(&topic, PARTITIONS);

    let more = Place { partitions: 8, ..place.clone() };
    let fewer = Place { partitions: 2, ..place.clone() };
    let other_hash = place.with(&["--hash", "xxh64"]);
    let has = |count: u32| {
        let partitions = format!("pumice_{}_partitions", place.namespace);
        format!(
            "partitions: topic {topic} has 4, the data directory {count}, the topic {partitions}'s \
             first record says 4"
        )
    };
    let hash = "hash: the data directory has xxh64".to_owned();
    for (other, why) in [(more, has(8)), (fewer, has(2)), (other_hash, hash)] {
        let dir = tempfile::tempdir().unwrap();
        let began = Instant::now();
        let refused = other.refused(dir.path());
        assert!(began.elapsed() < REFUSED, "after {:?}", began.elapsed());
        assert_eq!(refused.code, 73, "{}", refused.log);
        assert!(refused.log.contains(&why), "{why} is not in {}", refused.log);
        // Nothing of the wrong settings is left: the right ones find an empty place.
        let right = place.start(dir.path()).ready();
        right.reaches(&ends);
        assert_eq!(right.states(), node.states());
        right.stop();
    }
    assert_eq!(node.put("a/b", &[], "2").status, 200, "the first goes on");
    node.stop();
}

#[test]
fn of_two_first_starts_that_disagree_one_is_refused() {
    let Some(services) = Services::shared() else { return };
    for _ in 0..3 {
        let place = services.place("race", PARTITIONS);
        let other = Place { partitions: 8, ..place.clone() };
        let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let started = thread::scope(|scope| {
            let starts = [(&place, &dirs[0]), (&other, &dirs[1])];
            let starts = starts.map(|(place, dir)| scope.spawn(|| place.start(dir.path()).ready()));
            starts.map(|start| start.join().map_err(said))
        });
        let [of_four, of_eight] = started;
        let (node, refused) = match (of_four, of_eight) {
            (Ok(node), Err(refused)) | (Err(refused), Ok(node)) => (node, refused),
            (Ok(_), Ok(_)) => panic!("both have started"),
            (Err(one), Err(other)) => panic!("neither has started: {one} {other}"),
        };
        assert!(refused.contains("partitions: "), "{refused}");
        assert_eq!(node.put("a/b", &[], "1").status, 201);
        node.stop();
    }
}

/// What a start that failed has said.
fn said(panic: Box<dyn std::any::Any + Send>) -> String {
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn two_nodes_that_agree_both_serve_everything() {
    let Some(services) = Services::shared() else { return };
    let place = services.place("pair", PARTITIONS);
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let nodes = [0, 1].map(|node| place.start(dirs[node].path()).ready());
    for n in 0..200 {
        let (writer, reader) = (&nodes[n % 2], &nodes[(n + 1) % 2]);
        let at = format!("{}/{n}", pk(n as u32 % PARTITIONS, PARTITIONS, n));
        let put = writer.put(&at, &[], &n.to_string());
        assert_eq!(put.status, 201, "{put:?}");
        // What the one wrote, the other serves.
        let offsets = put.header("pumice-offsets").unwrap();
        let got = reader.get(&format!("/v1/records/{at}"), &[("pumice-min-offsets", offsets)]);
        assert_eq!((got.status, got.text()), (200, n.to_string()), "{got:?}");
    }
    let ends = Stock::new(&services.kafka).ends(&mock::mutations(&place.namespace), PARTITIONS);
    assert_eq!(ends.iter().sum::<i64>(), 200);
    nodes.iter().for_each(|node| node.reaches(&ends));
    assert_eq!(nodes[0].states(), nodes[1].states());
    for node in &nodes {
        assert_eq!(node.partitions().len(), PARTITIONS as usize);
        assert!(node.broken().is_empty());
    }
    nodes.into_iter().for_each(|node| node.stop());
}
