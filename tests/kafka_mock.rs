//! The Kafka path on librdkafka's mock cluster: the real binary over real sockets, without a broker
//! to install. What the mock cannot do is left to the suite of the real broker.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "kafka_mock/agreement.rs"]
mod agreement;
#[path = "kafka_mock/another_log.rs"]
mod another_log;
#[path = "kafka_mock/broker_errors.rs"]
mod broker_errors;
#[path = "kafka_mock/following.rs"]
mod following;
#[path = "kafka_mock/foreign.rs"]
mod foreign;
mod kafka;
#[path = "kafka_mock/lost_answers.rs"]
mod lost_answers;
#[path = "kafka_mock/no_broker.rs"]
mod no_broker;
mod server;
#[path = "kafka_mock/takes_over.rs"]
mod takes_over;
#[path = "kafka_mock/truncated.rs"]
mod truncated;
#[path = "kafka_mock/writes.rs"]
mod writes;

use kafka::mock::Mock;
use kafka::node::Place;
use pumice_model::hash::Hash;
use server::Reply;

/// A cluster with a namespace, and the settings of a node in it.
fn namespace(name: &str, partitions: u32) -> (Mock, Place) {
    let mock = Mock::with_namespace(name, partitions);
    let place = Place::new(&mock.brokers(), name, partitions);
    (mock, place)
}

/// The partition and offset that a write's answer names.
fn token(reply: &Reply) -> (u64, u64) {
    let body = reply.json();
    let of = |name: &str| body[name].as_u64().unwrap_or_else(|| panic!("no {name}: {reply:?}"));
    (of("partition"), of("offset"))
}

/// A pk of each partition.
fn pks(partitions: u32) -> Vec<String> {
    let pk_of = |partition| {
        let mut all = (0..).map(|n| format!("pk-{n}"));
        all.find(|pk| Hash::Murmur2.partition(pk.as_bytes(), partitions).0 == partition).unwrap()
    };
    (0..partitions).map(pk_of).collect()
}
