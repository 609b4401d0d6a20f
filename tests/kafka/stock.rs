//! A client of Kafka that is not ours: librdkafka, set as Java's default would be. It writes what
//! others would write into the log, and reads what the log really has.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::PATIENCE;

/// A producer and a consumer.
pub struct Stock {
    producer: BaseProducer,
    consumer: BaseConsumer,
}

/// A record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it stands.
    pub offset: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
}

impl Stock {
    /// Batches as they are.
    pub fn new(brokers: &str) -> Self {
        Self::with(brokers, "none")
    }

    /// Batches in a codec.
    pub fn with(brokers: &str, codec: &str) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("message.max.bytes", "2000000");
        let consumer = config
            .clone()
            .set("group.id", "none")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let producer = config
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "1")
            .set("compression.codec", codec)
            .create()
            .unwrap();
        Self { producer, consumer }
    }

    /// Sends a record where its key belongs.
    pub fn send(&self, topic: &str, key: &str, value: &str) {
        self.put(BaseRecord::to(topic).key(key.as_bytes()).payload(value.as_bytes()));
    }

    /// Sends a record to a partition, whatever it is.
    pub fn send_to(&self, topic: &str, partition: i32, key: Option<&str>, value: Option<&[u8]>) {
        let mut record = BaseRecord::to(topic).partition(partition);
        record.key = key.map(str::as_bytes);
        record.payload = value;
        self.put(record);
    }

    fn put(&self, record: BaseRecord<'_, [u8], [u8]>) {
        self.producer.send(record).map_err(|(fault, _)| fault).unwrap();
        self.producer.poll(Duration::ZERO);
    }

    /// Waits until all that was sent is in the log.
    pub fn flush(&self) {
        self.producer.flush(PATIENCE).unwrap();
        assert_eq!(self.producer.in_flight_count(), 0);
    }

    /// Where the log of a partition begins and ends.
    pub fn range(&self, topic: &str, partition: i32) -> (i64, i64) {
        self.consumer.fetch_watermarks(topic, partition, PATIENCE).unwrap()
    }

    /// The end of every partition.
    pub fn ends(&self, topic: &str, partitions: u32) -> Vec<i64> {
        (0..partitions).map(|partition| self.range(topic, partition as i32).1).collect()
    }

    /// All that the log of a partition has.
    pub fn read(&self, topic: &str, partition: i32) -> Vec<Found> {
        let (start, end) = self.range(topic, partition);
        let mut all = Vec::new();
        let mut place = TopicPartitionList::new();
        place.add_partition_offset(topic, partition, Offset::Offset(start)).unwrap();
        self.consumer.assign(&place).unwrap();
        while all.last().map_or(start, |last: &Found| last.offset + 1) < end {
            let record = self.consumer.poll(PATIENCE).expect("a record in time").unwrap();
            all.push(Found {
                offset: record.offset(),
                key: record.key().map(<[u8]>::to_vec),
                value: record.payload().map(<[u8]>::to_vec),
            });
        }
        self.consumer.unassign().unwrap();
        all
    }
}
