//! Nodes that speak TLS to each other, and to nobody whom no authority of theirs stands for.

use std::path::Path;

use pumice::net::Tls;
use pumice::peer::client_tls;
use pumice::settings::TlsSettings;
use pumice_model::holding::Holding;
use pumice_model::ids::Partition;

use crate::authority::Authority;
use crate::node::{Node, PARTITIONS, Secured, know, on_each};

fn secured(dir: &Path, name: &str, of: &Authority, trusted: &Authority) -> Secured {
    let (cert, key) = of.issues("127.0.0.1");
    let [cert_file, key_file, ca_file] =
        ["cert", "key", "ca"].map(|kind| dir.join(format!("{name}-{kind}.pem")));
    for (file, text) in [(&cert_file, cert), (&key_file, key), (&ca_file, trusted.pem())] {
        std::fs::write(file, text).unwrap();
    }
    let others = client_tls(Some(&ca_file)).unwrap();
    let files = TlsSettings { cert: cert_file, key: key_file, peer_ca: None, only: false };
    Secured { port: Tls::load(files).unwrap().into(), others }
}

#[test]
fn nodes_speak_tls_to_whom_they_trust_alone() {
    on_each(|runtime| {
        let dir = tempfile::tempdir().unwrap();
        let (ours, theirs) = (Authority::new(), Authority::new());
        for trusts in [true, false] {
            let trusted = if trusts { &ours } else { &theirs };
            let front = secured(dir.path(), "n0", &ours, trusted);
            let holder = secured(dir.path(), "n1", &ours, &ours);
            let nodes = [("n0", front), ("n1", holder)]
                .map(|(id, tls)| Node::start_with(runtime, id, Some(tls)));
            (0..PARTITIONS).for_each(|p| nodes[0].hold(Partition(p), Holding::Absent));
            know(&nodes, &[], 1);
            let long = format!("\"{}\"", "x".repeat(300_000));
            nodes[1].put("a", "b", &long);
            let got = nodes[0].get("/v1/records/a/b");
            if trusts {
                assert_eq!((got.status, got.header("pumice-node")), (200, Some("n1")));
                assert_eq!(got.text(), long);
                nodes[0].put("a", "c", &long);
                assert_eq!(nodes[1].get("/v1/records/a/c").text(), long);
            } else {
                assert_eq!(got.status, 503, "{got:?}");
                let message = got.json()["error"]["message"].as_str().unwrap().to_owned();
                assert!(message.contains("certificate"), "{message}");
            }
        }
    });
}

#[test]
fn a_file_that_holds_no_authority_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    assert!(client_tls(Some(&file)).unwrap_err().contains("ca.pem"));
    std::fs::write(&file, "nothing").unwrap();
    assert!(client_tls(Some(&file)).unwrap_err().contains("no PEM"));
}
