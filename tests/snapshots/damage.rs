//! What lies in the store is not what was put there: every flipped bit is found, what is cut,
//! missing or somebody else's is not installed, and the next older snapshot is.

use std::fs;
use std::path::PathBuf;

use pumice::objects::Objects;
use pumice::settings::ClusterSettings;
use pumice::snapshot::catalog::{State, Whose, list};
use pumice::snapshot::install::RestoreFault;
use pumice::snapshot::place::Place;
use pumice::snapshot::restore::Wish;
use pumice::snapshot::verify::verify;
use pumice::stats::snapshot::SnapshotStats;
use pumice_model::ids::Partition;
use pumice_model::manifest::Manifest;
use tempfile::TempDir;

use crate::node::Node;
use crate::seeds::Seed;
use crate::{block_on, cluster, directory, found, restorer, snapshot, some_of, whose, wish};

const P: Partition = Partition(2);

fn file(dir: &TempDir, key: &str) -> PathBuf {
    dir.path().join("objects").join(key)
}

/// A store with an older snapshot of the partition and a newer one, and the nodes they are of.
struct Pair {
    dir: TempDir,
    objects: Objects,
    older: (Node, Place),
    newer: (Node, Place),
}

async fn pair() -> Pair {
    pair_of(Node::filled(1, 9, 40), Node::filled(1, 9, 90)).await
}

async fn pair_of(old: Node, new: Node) -> Pair {
    let dir = TempDir::new().unwrap();
    let objects = Objects::open(&directory(&dir)).unwrap();
    let older = snapshot(&old, &dir, &objects, P).await;
    let newer = snapshot(&new, &dir, &objects, P).await;
    Pair { dir, objects, older: (old, older), newer: (new, newer) }
}

/// What a restore into an empty node makes of the store: the node it equals.
async fn restored(pair: &Pair) -> Node {
    let (node, stats) = (Node::empty(1), SnapshotStats::default());
    let cluster = cluster();
    let restorer = restorer(&pair.objects, &cluster, &node, &stats);
    let position = restorer.newest(&wish(P)).await.unwrap();
    assert_eq!(position.unwrap_or(node.position(P)), node.position(P));
    node
}

#[test]
fn every_flipped_bit_is_found() {
    block_on(async {
        // Several chunks of several frames.
        let pair = pair_of(Node::heavy(1, 400), Node::heavy(1, 1_200)).await;
        let (_, place) = &pair.newer;
        let mut seed = Seed(11);
        for flip in 0..some_of(1_000) {
            let key = if flip % 2 == 0 { place.rows() } else { place.manifest() };
            let path = file(&pair.dir, &key);
            let bytes = fs::read(&path).unwrap();
            let bit = seed.below(bytes.len() as u64 * 8) as usize;
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, flipped).unwrap();
            let found = found(&pair.objects, place).await;
            let fault = verify(&pair.objects, &whose(), &found, |_| {}).await;
            assert!(fault.is_err(), "bit {bit} of {key}");
            if flip % 50 < 2 {
                let node = restored(&pair).await;
                assert_eq!(node.position(P), pair.older.0.position(P), "bit {bit} of {key}");
            }
            fs::write(&path, bytes).unwrap();
        }
        let found = found(&pair.objects, place).await;
        verify(&pair.objects, &whose(), &found, |_| {}).await.unwrap();
        assert_eq!(restored(&pair).await.position(P), pair.newer.0.position(P));
    });
}

#[test]
fn what_is_cut_or_missing_is_listed_as_damaged_and_an_older_one_is_restored() {
    block_on(async {
        let pair = pair().await;
        let (rows, manifest) = (pair.newer.1.rows(), pair.newer.1.manifest());
        for (key, keep) in
            [(&rows, Some(-1)), (&rows, Some(0)), (&rows, None), (&manifest, Some(-1))]
        {
            let path = file(&pair.dir, key);
            let bytes = fs::read(&path).unwrap();
            match keep {
                Some(end) => fs::write(&path, &bytes[..bytes.len() * usize::from(end < 0) / 2]),
                None => fs::remove_file(&path),
            }
            .unwrap();
            let listed = list(&pair.objects, &whose()).await.unwrap();
            let states: Vec<_> = listed.iter().map(|one| &one.state).collect();
            assert!(matches!(states[..], [State::Damaged(_), State::Good(_)]), "{states:?}");
            let node = restored(&pair).await;
            assert_eq!(node.position(P), pair.older.0.position(P));
            node.end_and_check();
            fs::write(&path, &bytes).unwrap();
        }
        fs::remove_file(file(&pair.dir, &manifest)).unwrap();
        let listed = list(&pair.objects, &whose()).await.unwrap();
        assert!(matches!(listed[0].state, State::Orphan));
        assert_eq!(restored(&pair).await.position(P), pair.older.0.position(P));
    });
}

#[test]
fn a_manifest_that_lies_is_not_installed() {
    type Lie = fn(&mut Manifest);
    let lies: [Lie; 6] = [
        |m| m.about.state.0 ^= 1,
        |m| m.about.rows += 1,
        |m| m.about.log_time += 1,
        |m| m.frames.clear(),
        |m| m.frames[0].plain -= 1,
        |m| m.frames[0].hash ^= 1,
    ];
    block_on(async {
        let pair = pair().await;
        let place = &pair.newer.1;
        let path = file(&pair.dir, &place.manifest());
        let honest = fs::read(&path).unwrap();
        for (at, lie) in lies.iter().enumerate() {
            let mut manifest = Manifest::decode(&honest).unwrap();
            lie(&mut manifest);
            fs::write(&path, manifest.encode()).unwrap();
            let found = found(&pair.objects, place).await;
            assert!(verify(&pair.objects, &whose(), &found, |_| {}).await.is_err(), "lie {at}");
            let node = restored(&pair).await;
            assert_eq!(node.position(P), pair.older.0.position(P), "lie {at}");
            node.end_and_check();
        }
    });
}

#[test]
fn rows_of_another_snapshot_do_not_pass_for_these() {
    block_on(async {
        let pair = pair().await;
        let (older, newer) = (&pair.older.1, &pair.newer.1);
        fs::copy(file(&pair.dir, &older.rows()), file(&pair.dir, &newer.rows())).unwrap();
        assert_eq!(restored(&pair).await.position(P), pair.older.0.position(P));
        // Whole, but not what its place says.
        let (from, to) = (older.manifest(), newer.manifest());
        fs::copy(file(&pair.dir, &from), file(&pair.dir, &to)).unwrap();
        let listed = list(&pair.objects, &whose()).await.unwrap();
        assert!(matches!(listed[0].state, State::Damaged(_)), "{:?}", listed[0]);
        assert_eq!(restored(&pair).await.position(P), pair.older.0.position(P));
    });
}

#[test]
fn a_snapshot_of_other_cluster_settings_is_foreign_and_never_restored() {
    block_on(async {
        let pair = pair().await;
        let other = ClusterSettings { partitions: 8, ..cluster() };
        for one in list(&pair.objects, &Whose::from(&other)).await.unwrap() {
            assert!(matches!(one.state, State::Foreign(_)), "{one:?}");
        }
        let (node, stats) = (Node::empty(1), SnapshotStats::default());
        let restored = restorer(&pair.objects, &other, &node, &stats).newest(&wish(P)).await;
        assert!(matches!(restored, Err(RestoreFault::Bad(_))), "{restored:?}");
        assert_eq!(node.position(P), Node::empty(1).position(P));
        // Moved below another namespace: the place says one, the manifest another.
        let objects = pair.dir.path().join("objects");
        fs::rename(objects.join("shop"), objects.join("shelf")).unwrap();
        let shelf = ClusterSettings { namespace: "shelf".to_owned(), ..cluster() };
        for one in list(&pair.objects, &Whose::from(&shelf)).await.unwrap() {
            assert!(matches!(one.state, State::Foreign(_)), "{one:?}");
        }
        let followed = Wish { followed: true, ..wish(P) };
        let restored = restorer(&pair.objects, &shelf, &node, &stats).newest(&followed).await;
        assert_eq!(restored.unwrap(), None);
        assert_eq!(stats.restores.get(), 0);
    });
}

#[test]
fn a_bad_snapshot_leaves_what_is_live_as_it_is() {
    block_on(async {
        let pair = pair().await;
        let node = Node::filled(1, 77, 20);
        let before = node.positions();
        for place in [&pair.older.1, &pair.newer.1] {
            let path = file(&pair.dir, &place.rows());
            let mut bytes = fs::read(&path).unwrap();
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
        let (cluster, stats) = (cluster(), SnapshotStats::default());
        let restored = restorer(&pair.objects, &cluster, &node, &stats).newest(&wish(P)).await;
        assert!(matches!(restored, Err(RestoreFault::Bad(_))), "{restored:?}");
        assert_eq!((stats.bad_found.get(), stats.restores.get()), (2, 0));
        assert_eq!(node.positions(), before);
        node.end_and_check();
    });
}
