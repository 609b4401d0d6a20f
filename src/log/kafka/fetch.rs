//! Asking a partition's leader for records and for where its log begins and ends. Log's thread.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest, ListOffsetsRequest, TopicName};

use super::decode::Aborted;
use super::wire::{Connection, Fault};

/// How long a leader may wait until it has something to send.
const WAIT: Duration = Duration::from_millis(500);
/// How long an answer may take beyond that.
const ANSWER: Duration = Duration::from_secs(5);
/// Only what no transaction can take back.
const READ_COMMITTED: i8 = 1;
const CONSUMER: BrokerId = BrokerId(-1);
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

/// What one fetch brought.
#[derive(Debug)]
pub struct Fetched {
    /// Record batches; the last may be cut off.
    pub records: Bytes,
    /// Transactions that were aborted in them.
    pub aborted: Aborted,
    /// The end of what can be read: where the next record will stand.
    pub end: u64,
}

/// Fetches from `at` on, about `bytes`, at least one batch.
pub async fn fetch(
    leader: &mut Connection,
    topic: &TopicName,
    partition: i32,
    at: u64,
    bytes: i32,
) -> Result<Fetched, Fault> {
    let wanted = FetchPartition::default()
        .with_partition(partition)
        .with_fetch_offset(i64::try_from(at).unwrap_or(i64::MAX))
        .with_current_leader_epoch(-1)
        .with_last_fetched_epoch(-1)
        .with_log_start_offset(-1)
        .with_partition_max_bytes(bytes);
    let wanted = FetchTopic::default().with_topic(topic.clone()).with_partitions(vec![wanted]);
    let request = FetchRequest::default()
        .with_replica_id(CONSUMER)
        .with_max_wait_ms(i32::try_from(WAIT.as_millis()).unwrap_or(i32::MAX))
        .with_min_bytes(1)
        .with_max_bytes(bytes)
        .with_isolation_level(READ_COMMITTED)
        // No session: each fetch says all that it wants.
        .with_session_id(0)
        .with_session_epoch(-1)
        .with_topics(vec![wanted]);
    let answer = leader.call(&request, WAIT + ANSWER).await?;
    Fault::of_code(answer.error_code)?;
    let of_topic = answer.responses.into_iter().find(|response| response.topic == *topic);
    let mut of_partition = of_topic.into_iter().flat_map(|response| response.partitions);
    let answer = of_partition.find(|answer| answer.partition_index == partition);
    let answer = answer.ok_or_else(|| leader.nonsense("a fetch of other partitions"))?;
    Fault::of_code(answer.error_code)?;
    let stable = answer.last_stable_offset;
    let end = if stable < 0 { answer.high_watermark } else { stable };
    let aborted = answer.aborted_transactions.unwrap_or_default().into_iter();
    Ok(Fetched {
        records: answer.records.unwrap_or_default(),
        aborted: aborted
            .map(|transaction| (transaction.producer_id.0, transaction.first_offset))
            .collect(),
        end: u64::try_from(end).unwrap_or_default(),
    })
}

/// Where the log of a partition begins and ends.
pub async fn range(
    leader: &mut Connection,
    topic: &TopicName,
    partition: i32,
) -> Result<(u64, u64), Fault> {
    let start = offset(leader, topic, partition, EARLIEST).await?;
    let end = offset(leader, topic, partition, LATEST).await?;
    Ok((start, end))
}

async fn offset(
    leader: &mut Connection,
    topic: &TopicName,
    partition: i32,
    which: i64,
) -> Result<u64, Fault> {
    let wanted = ListOffsetsPartition::default()
        .with_partition_index(partition)
        .with_current_leader_epoch(-1)
        .with_timestamp(which);
    let wanted = ListOffsetsTopic::default().with_name(topic.clone()).with_partitions(vec![wanted]);
    let request = ListOffsetsRequest::default()
        .with_replica_id(CONSUMER)
        .with_isolation_level(READ_COMMITTED)
        .with_topics(vec![wanted]);
    let answer = leader.call(&request, ANSWER).await?;
    let of_topic = answer.topics.into_iter().find(|response| response.name == *topic);
    let mut of_partition = of_topic.into_iter().flat_map(|response| response.partitions);
    let answer = of_partition.find(|answer| answer.partition_index == partition);
    let answer = answer.ok_or_else(|| leader.nonsense("offsets of other partitions"))?;
    Fault::of_code(answer.error_code)?;
    u64::try_from(answer.offset).map_err(|_| leader.nonsense("a negative offset"))
}
