//! A snapshot of format 1, made by the first version that took any and kept in the repository, is
//! read by this one, and is what FORMATS.md draws.

use std::fs;

use pumice::objects::Objects;
use pumice::settings::ObjectsSettings;
use pumice::snapshot::catalog::find;
use pumice::snapshot::frames::{rows, unpack};
use pumice::snapshot::verify::verify;
use pumice::stats::snapshot::SnapshotStats;
use pumice_model::ids::Partition;

use crate::node::Node;
use crate::server::repository;
use crate::{block_on, cluster, restorer, whose, wish};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Without blanks, which only make a page easier to read.
fn dense(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn a_snapshot_of_format_1_is_restored() {
    let root = repository("tests/fixtures/snapshot-format-1");
    let objects = Objects::open(&ObjectsSettings::Directory(root.clone())).unwrap();
    block_on(async {
        let found = find(&objects, "shop", None).await.unwrap();
        assert_eq!(found.len(), 1);
        let manifest = verify(&objects, &whose(), &found[0], |_| {}).await.unwrap();
        let (node, cluster, stats) = (Node::empty(1), cluster(), SnapshotStats::default());
        let partition = Partition(0);
        let restored = restorer(&objects, &cluster, &node, &stats).newest(&wish(partition)).await;
        assert_eq!(restored.unwrap(), Some(node.position(partition)));
        let read = node.reader(partition).read(|view| {
            let row = view.row(partition, "pk1", "sk1").unwrap().unwrap();
            (row.data.to_owned(), row.offset, row.created_at)
        });
        assert_eq!(read.unwrap(), (r#"{"hey":"ho"}"#.to_owned(), 0, 1_683_460_800_123));
        node.end_and_check();

        let page = dense(&fs::read_to_string(repository("docs/FORMATS.md")).unwrap());
        let text = fs::read_to_string(root.join(found[0].place.manifest())).unwrap();
        assert!(page.contains(&dense(&text)), "FORMATS.md does not draw\n{text}");
        let packed = fs::read(root.join(found[0].place.rows())).unwrap();
        let plain = unpack(&packed, &manifest.frames[0]).unwrap();
        assert_eq!(rows(&plain).count(), 3);
        assert!(page.contains(&hex(&plain)), "FORMATS.md does not draw\n{}", hex(&plain));
    });
}
