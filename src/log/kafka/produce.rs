//! One produce: records for one partition, acknowledged by all replicas in sync, or what is certain
//! about them when they were not. Log's thread; never repeats anything by itself.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, TopicName};
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Record,
    RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use pumice_model::time::Millis;

use super::wire::{Connection, Fault};
use crate::settings::KafkaCompression;

/// How long the leader waits for the other replicas.
const REPLICAS: Duration = Duration::from_secs(4);
/// How long the answer may take in all.
const ANSWER: Duration = Duration::from_secs(5);
const ALL_IN_SYNC: i16 = -1;

/// What is certain after a produce that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certain {
    /// The log does not have the records, and would not take them later either.
    Refused,
    /// The log does not have the records; it may take them later.
    NotYet,
    /// Nothing.
    Nothing,
}

/// The bytes of one record batch; `records` are keys and values.
pub fn batch(
    records: Vec<(Option<Bytes>, Bytes)>,
    time: Millis,
    compression: KafkaCompression,
) -> Result<Bytes, String> {
    let records = (0..).zip(records).map(|(at, (key, value))| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        offset: at,
        // The encoder makes one batch of what runs in step with the offsets; -1 is none.
        sequence: at as i32 - 1,
        timestamp: time,
        key,
        value: Some(value),
        headers: Default::default(),
    });
    let records: Vec<Record> = records.collect();
    let compression = match compression {
        KafkaCompression::None => Compression::None,
        KafkaCompression::Gzip => Compression::Gzip,
        KafkaCompression::Lz4 => Compression::Lz4,
        KafkaCompression::Snappy => Compression::Snappy,
    };
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression };
    let encoded = RecordBatchEncoder::encode(&mut out, &records, &options);
    encoded.map(|()| out.freeze()).map_err(|fault| fault.to_string())
}

/// Sends a batch and gives the offset of its first record.
pub async fn produce(
    leader: &mut Connection,
    topic: &TopicName,
    partition: i32,
    batch: Bytes,
) -> Result<u64, Fault> {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
    let data = TopicProduceData::default().with_name(topic.clone()).with_partition_data(vec![data]);
    let request = ProduceRequest::default()
        .with_acks(ALL_IN_SYNC)
        .with_timeout_ms(i32::try_from(REPLICAS.as_millis()).unwrap_or(i32::MAX))
        .with_topic_data(vec![data]);
    let answer = leader.call(&request, ANSWER).await?;
    let of_topic = answer.responses.into_iter().find(|response| response.name == *topic);
    let mut of_partition = of_topic.into_iter().flat_map(|response| response.partition_responses);
    let answer = of_partition.find(|answer| answer.index == partition);
    let answer = answer.ok_or_else(|| leader.nonsense("a produce to other partitions"))?;
    Fault::of_code(answer.error_code)?;
    u64::try_from(answer.base_offset).map_err(|_| leader.nonsense("a negative offset"))
}

/// What is certain after `fault`. A leader that was replaced while it waited for its replicas says
/// `NotLeaderOrFollower` of records that the next one may have, so that is no certainty.
pub fn certain(fault: &Fault) -> Certain {
    use ResponseError as R;
    match fault {
        fault if fault.is_unsent() => Certain::NotYet,
        Fault::Answered(R::NotEnoughReplicas | R::ThrottlingQuotaExceeded) => Certain::NotYet,
        Fault::Answered(
            R::MessageTooLarge
            | R::RecordListTooLarge
            | R::CorruptMessage
            | R::InvalidTopicException
            | R::InvalidRequiredAcks
            | R::InvalidTimestamp
            | R::InvalidRecord
            | R::TopicAuthorizationFailed
            | R::ClusterAuthorizationFailed
            | R::UnsupportedForMessageFormat
            | R::UnsupportedCompressionType
            | R::UnsupportedVersion
            | R::PolicyViolation,
        ) => Certain::Refused,
        _ => Certain::Nothing,
    }
}
