//! What a topic is set to: what new ones get, and what matters of one that exists. Log's thread.

use std::time::Duration;

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{DescribeConfigsRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::cluster::Cluster;

/// Bytes of one batch in a topic that we make: eight full entries.
pub const BATCH_MAX: &str = "8388608";
/// A topic that we make keeps everything.
pub const NEW_TOPIC: [(&str, &str); 4] = [
    ("retention.ms", "-1"),
    ("retention.bytes", "-1"),
    ("cleanup.policy", "delete"),
    ("max.message.bytes", BATCH_MAX),
];
/// Bytes that a batch and a record of it add to an entry and its key, with room to spare.
pub const OVERHEAD: usize = 1_024;

/// What brokers take when they do not tell us.
const BATCH_MAX_BY_DEFAULT: usize = 1_048_588;
const TOPIC: i8 = 2;
const ANSWER: Duration = Duration::from_secs(5);

/// What matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Configs {
    /// Bytes of one batch, at most.
    pub batch_max: usize,
    /// Whether old entries of a key may go.
    pub compacted: bool,
    /// Whether old entries may go.
    pub forgets: bool,
}

/// Asks; who may not ask gets what brokers do by default, without a warning.
pub async fn of_topic(cluster: &Cluster, topic: &TopicName) -> Configs {
    let mut configs = Configs { batch_max: BATCH_MAX_BY_DEFAULT, compacted: false, forgets: false };
    let names = NEW_TOPIC.iter().map(|(name, _)| StrBytes::from_static_str(name));
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(topic.0.clone())
        .with_configuration_keys(Some(names.collect()));
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let Ok(mut controller) = cluster.controller().await else { return configs };
    let Ok(answer) = controller.call(&request, ANSWER).await else { return configs };
    for config in answer.results.into_iter().flat_map(|result| result.configs) {
        let value = config.value.unwrap_or_default();
        match config.name.as_str() {
            "max.message.bytes" => {
                configs.batch_max = value.parse().unwrap_or(BATCH_MAX_BY_DEFAULT);
            }
            "cleanup.policy" => configs.compacted = value.contains("compact"),
            "retention.ms" | "retention.bytes" => configs.forgets |= value.as_str() != "-1",
            _ => {}
        }
    }
    configs
}
