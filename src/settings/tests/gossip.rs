//! Settings of gossip: what they mean, what they need, and what is never shown.

use super::*;

fn gossip_of(args: &str) -> Result<Option<GossipSettings>, Vec<String>> {
    flags_only(&format!("{KAFKA} {args}")).map(|settings| settings.process.gossip)
}

#[test]
fn a_node_gossips_when_it_is_told_where() {
    assert_eq!(gossip_of("").unwrap(), None);
    let expected = GossipSettings {
        listen: "127.0.0.1:8192".parse().unwrap(),
        seeds: Vec::new(),
        node_id: None,
        region: "default".into(),
        group: "default".into(),
        advertise: None,
        secret: None,
        handover: Handover::Auto,
    };
    assert_eq!(gossip_of("--gossip 127.0.0.1:8192").unwrap(), Some(expected.clone()));
    let all = "--gossip 0.0.0.0:8192 --seeds a.b:1,10.0.0.1:2 --node-id n.1 --region eu \
               --replica-group b --advertise db-1:8190 --handover stream --http 0.0.0.0:8190";
    let expected = GossipSettings {
        listen: "0.0.0.0:8192".parse().unwrap(),
        seeds: vec!["a.b:1".into(), "10.0.0.1:2".into()],
        node_id: Some("n.1".into()),
        region: "eu".into(),
        group: "b".into(),
        advertise: Some("db-1:8190".into()),
        handover: Handover::Stream,
        ..expected
    };
    assert_eq!(gossip_of(all).unwrap(), Some(expected.clone()));
    let (http, admin) = ("0.0.0.0:8190".parse().unwrap(), "0.0.0.0:8191".parse().unwrap());
    assert_eq!(expected.advertised(http), "db-1:8190");
    assert_eq!(expected.advertised_admin(http, admin), "db-1:8191");
    assert_eq!(expected.id(http), "n.1");
}

#[test]
fn a_node_without_a_name_is_called_as_it_is_reached() {
    let gossip = gossip_of("--gossip 127.0.0.1:0").unwrap().unwrap();
    let (http, admin) = ("127.0.0.1:4711".parse().unwrap(), "127.0.0.1:4712".parse().unwrap());
    assert_eq!(gossip.advertised(http), "127.0.0.1:4711");
    assert_eq!(gossip.advertised_admin(http, admin), "127.0.0.1:4712");
    assert_eq!(gossip.id(http), "127.0.0.1-4711");
}

#[test]
fn an_address_that_nobody_can_reach_is_not_advertised() {
    let faults = gossip_of("--gossip 127.0.0.1:1 --http 0.0.0.0:8190").unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    let expected = "--advertise: --http 0.0.0.0:8190 is no address that peers could reach";
    assert!(faults[0].starts_with(expected), "{}", faults[0]);
    assert!(flags_only("--http 0.0.0.0:8190").is_ok());
}

#[test]
fn gossip_needs_a_log_that_nodes_share() {
    let faults = flags_only("--gossip 127.0.0.1:1 --seeds a").unwrap_err();
    assert!(faults[0].starts_with("--gossip: needs --log kafka"), "{}", faults[0]);
    assert!(faults[1].starts_with("--seeds: "), "{}", faults[1]);
    assert_eq!(faults.len(), 2, "{faults:?}");
}

#[test]
fn a_setting_of_gossip_without_gossip_is_a_fault() {
    let args = "--seeds a:1 --node-id n --region r --replica-group g --advertise a:1 \
                --cluster-secret-file f";
    let without = "means nothing without --gossip; give that or leave it out";
    let expected =
        ["seeds", "node-id", "region", "replica-group", "advertise", "cluster-secret-file"];
    assert_eq!(gossip_of(args).unwrap_err(), expected.map(|name| format!("--{name}: {without}")));
}

#[test]
fn the_secret_of_the_cluster_is_long_and_never_shown() {
    let args = format!("{KAFKA} --gossip 127.0.0.1:1 --cluster-secret-file s");
    let told_with = |text: &'static str| told(&args, &[], move |_| Ok(text.to_owned()));
    let resolved = told_with("correct horse battery\n").unwrap();
    let shown = format!("{resolved} {resolved:?}");
    assert!(
        !shown.contains("horse") && shown.contains("cluster-secret-file    = \"s\""),
        "{shown}"
    );
    let secret = resolved.settings.process.gossip.unwrap().secret.unwrap();
    assert_eq!(secret.reveal(), "correct horse battery");
    let faults = told_with("horse").unwrap_err();
    assert_eq!(faults, ["--cluster-secret-file: holds a secret of fewer than 16 bytes"]);
    let faults = told(&args, &[], no_file).unwrap_err();
    assert!(faults[0].starts_with("--cluster-secret-file: cannot read s"), "{}", faults[0]);
}
