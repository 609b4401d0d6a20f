//! What a partition of the log really has, read by a client that is not ours and commits nothing.

use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::kafka::PATIENCE;

/// Shows the value of every record of a partition, in the order of the log.
pub fn each(brokers: &str, topic: &str, partition: u32, mut show: impl FnMut(&[u8])) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "none");
    let consumer: BaseConsumer = config.set("enable.auto.commit", "false").create().unwrap();
    let partition = partition as i32;
    let (start, end) = consumer.fetch_watermarks(topic, partition, PATIENCE).unwrap();
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(topic, partition, Offset::Offset(start)).unwrap();
    consumer.assign(&place).unwrap();
    let (mut next, began) = (start, Instant::now());
    while next < end {
        assert!(began.elapsed() < PATIENCE, "{topic} {partition}: nothing from {next} to {end}");
        if let Some(record) = consumer.poll(PATIENCE) {
            let record = record.unwrap();
            next = record.offset() + 1;
            show(record.payload().unwrap_or_default());
        }
    }
}
