//! librdkafka's mock cluster: real sockets and the protocol's common half, in the test's process.
//! It keeps 5 MiB of a partition, has no controller, and tells of new records only once a waiting
//! fetch has run out.

use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

/// A cluster, for as long as it is kept.
pub struct Mock(MockCluster<'static, DefaultProducerContext>);

impl Mock {
    /// Without topics.
    pub fn start(brokers: i32) -> Self {
        Self(MockCluster::new(brokers).unwrap())
    }

    /// One broker, and the topics of a namespace.
    pub fn with_namespace(namespace: &str, partitions: u32) -> Self {
        let mock = Self::start(1);
        mock.make_namespace(namespace, partitions);
        mock
    }

    /// The topics of a namespace.
    pub fn make_namespace(&self, namespace: &str, partitions: u32) {
        self.make(&mutations(namespace), partitions);
        self.make(&format!("pumice_{namespace}_partitions"), 1);
    }

    /// A topic.
    pub fn make(&self, topic: &str, partitions: u32) {
        self.0.create_topic(topic, i32::try_from(partitions).unwrap(), 1).unwrap();
    }

    /// `host:port` of all brokers.
    pub fn brokers(&self) -> String {
        self.0.bootstrap_servers()
    }

    /// Gives a partition to another broker.
    pub fn lead(&self, topic: &str, partition: i32, broker: i32) {
        self.0.partition_leader(topic, partition, Some(broker)).unwrap();
    }

    /// The next requests of a kind get these errors, one each, and are not acted on. `_TRANSPORT`
    /// ends the connection instead.
    pub fn answer(&self, api: RDKafkaApiKey, errors: &[RDKafkaRespErr]) {
        self.0.request_errors(api, errors);
    }

    /// No more errors for a kind of request.
    pub fn quiet(&self, api: RDKafkaApiKey) {
        self.0.clear_request_errors(api);
    }

    /// No broker takes connections, and those there were are gone.
    pub fn down(&self) {
        self.0.broker_down(-1).unwrap();
    }

    /// They take connections again.
    pub fn up(&self) {
        self.0.broker_up(-1).unwrap();
    }

    /// How long every answer takes.
    pub fn delay(&self, delay: Duration) {
        self.0.broker_round_trip_time(-1, delay).unwrap();
    }
}

/// The topic of a namespace's entries.
pub fn mutations(namespace: &str) -> String {
    format!("pumice_{namespace}_mutations")
}
