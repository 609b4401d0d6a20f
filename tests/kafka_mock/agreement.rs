//! Starts that must be refused: topics, settings and data directory are not of one namespace. Each
//! refusal names the values, and leaves no directory that would refuse the right ones.

use crate::kafka::mock::{Mock, mutations};
use crate::kafka::node::Place;
use crate::kafka::stock::Stock;
use crate::namespace;

#[test]
fn other_settings_than_the_first_node_had_are_refused() {
    let (mock, place) = namespace("agreed", 4);
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let first = place.start(dirs[0].path()).ready();
    assert_eq!(first.put("a/b", &[], "1").status, 201);

    let dir = dirs[1].path().join("data");
    let more = Place::new(&mock.brokers(), "agreed", 8).refused(&dir);
    assert_eq!(more.code, 73, "{more:?}");
    let said = "partitions: topic pumice_agreed_mutations has 4, the data directory 8";
    assert!(more.log.contains(said), "{more:?}");
    let other = place.with(&["--hash", "xxh64"]).refused(&dir);
    assert_eq!(other.code, 73, "{other:?}");
    assert!(other.log.contains("hash: the data directory has xxh64"), "{other:?}");
    assert!(other.log.contains("says murmur2"), "{other:?}");

    // With the right settings the same directory will do, and both nodes hold and serve everything.
    let second = place.start(&dir).ready();
    second.reaches(&Stock::new(&mock.brokers()).ends(&mutations("agreed"), 4));
    assert_eq!(second.get("/v1/records/a/b", &[]).text(), "1");
    assert_eq!(first.states(), second.states());
    first.stop();
    second.stop();
}

#[test]
fn a_topic_of_another_count_is_refused() {
    let mock = Mock::with_namespace("counted", 6);
    let dir = tempfile::tempdir().unwrap();
    let refused = Place::new(&mock.brokers(), "counted", 4).refused(dir.path());
    assert_eq!(refused.code, 73, "{refused:?}");
    let said = "partitions: topic pumice_counted_mutations has 6, the data directory 4";
    assert!(refused.log.contains(said), "{refused:?}");
    Place::new(&mock.brokers(), "counted", 6).start(dir.path()).ready().stop();
}

#[test]
fn the_first_record_of_the_partitions_topic_wins() {
    let (mock, place) = namespace("first", 4);
    let stock = Stock::new(&mock.brokers());
    let record = br#"{"numpartitions":4,"Hash":"murmur2","Format":1,"Other":true}"#;
    stock.send_to("pumice_first_partitions", 0, None, Some(record));
    stock.send_to("pumice_first_partitions", 0, None, Some(br#"{"NumPartitions":9}"#));
    stock.flush();
    let dir = tempfile::tempdir().unwrap();
    place.start(dir.path()).ready().stop();

    for (at, (record, said)) in [
        (r#"{"NumPartitions":5}"#, "first record says 5"),
        (r#"{"NumPartitions":4,"Hash":"xxh64"}"#, "first record says xxh64"),
        (r#"{"NumPartitions":4,"Format":2}"#, "first record says 2"),
        ("no record", "says no number of partitions"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("second-{at}");
        let (mock, place) = namespace(&name, 4);
        let stock = Stock::new(&mock.brokers());
        let topic = format!("pumice_{name}_partitions");
        stock.send_to(&topic, 0, None, Some(record.as_bytes()));
        stock.flush();
        let refused = place.refused(&dir.path().join(name));
        assert_eq!(refused.code, 73, "{refused:?}");
        assert!(refused.log.contains(said), "{refused:?}");
    }
}

#[test]
fn a_directory_of_another_namespace_is_refused() {
    let (mock, place) = namespace("mine", 4);
    mock.make_namespace("yours", 4);
    let dir = tempfile::tempdir().unwrap();
    place.start(dir.path()).ready().stop();
    let refused = Place::new(&mock.brokers(), "yours", 4).refused(dir.path());
    assert_eq!(refused.code, 73, "{refused:?}");
    assert!(refused.log.contains("namespace mine, not yours"), "{refused:?}");
}

#[test]
fn topics_that_cannot_be_made_are_named() {
    // The mock has no controller, like a broker that does not let us make topics.
    let mock = Mock::start(1);
    let dir = tempfile::tempdir().unwrap();
    let refused = Place::new(&mock.brokers(), "unmade", 4).refused(dir.path());
    assert_ne!(refused.code, 0, "{refused:?}");
    assert!(refused.log.contains("pumice_unmade_partitions"), "{refused:?}");
    assert!(!dir.path().join("cluster.toml").exists(), "nothing is left behind");
}
