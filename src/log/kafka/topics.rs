//! The two topics of a namespace: made when they are missing, and compared with the settings and
//! the data directory before anything is read or written. Log's thread; it never changes a topic
//! that exists.

use std::rc::Rc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::{CreateTopicsRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use tokio::time::sleep;

use super::cluster::{Cluster, Known, Topic, topic_name};
use super::configs::{self, Configs};
use super::fault::LogFault;
use super::first_record::FirstRecord;
use super::wire::Fault;
use super::{fetch, produce, records};
use crate::clock;
use crate::settings::{ClusterSettings, KafkaCompression, KafkaSettings};

/// How long making topics may take.
const MAKING: Duration = Duration::from_secs(15);
/// How often a new topic is looked for, and how long that may last in all.
const LOOK: Duration = Duration::from_millis(200);
const LOOKS: u32 = 50;
/// Bytes of the fetch that brings the first record.
const FIRST_BYTES: i32 = 64 * 1_024;

/// What is compared with the cluster.
pub struct Place<'a> {
    /// The topics' names, and how they are made.
    pub settings: &'a KafkaSettings,
    /// What the data directory is of.
    pub namespace: &'a ClusterSettings,
    /// Whether the data directory has entries of the log.
    pub has_data: bool,
    /// Whether snapshots could stand in for what the log no longer has.
    pub has_objects: bool,
}

/// What all agree on.
#[derive(Clone, Debug)]
pub struct Agreed {
    /// The topic of the entries, as it was when it was compared.
    pub mutations: Topic,
    /// Bytes of a record batch that the topic takes.
    pub batch_max: usize,
}

/// Compares everything and makes what is missing, the partitions topic first: of two nodes that
/// start at a time with different settings, the slower one then makes nothing.
pub async fn agree(cluster: &Rc<Cluster>, place: &Place<'_>) -> Result<Agreed, LogFault> {
    let settings = place.settings;
    let mutations = topic_name(&settings.mutations_topic);
    let partitions = topic_name(&settings.partitions_topic);
    let known = cluster.refresh(&cluster.known()).await?;
    let there = find(&known, &mutations)?.map(|topic| topic.leaders.len());
    if there.is_none() && place.has_data {
        return Err(LogFault::Disagrees(format!(
            "topic {} does not exist, while the data directory has entries from it; check the \
             brokers and the topic's name, or start with an empty data directory",
            settings.mutations_topic,
        )));
    }
    find_or_make(cluster, place, &partitions, 1).await?;
    let first = first_record(cluster, &partitions, place, there).await?;
    compare(place, there, &first)?;
    let topic = find_or_make(cluster, place, &mutations, place.namespace.partitions).await?;
    compare(place, Some(topic.leaders.len()), &first)?;
    let configs = configs::of_topic(cluster, &mutations).await;
    warn(place, &configs);
    Ok(Agreed { mutations: topic, batch_max: configs.batch_max })
}

/// What a user of a cluster with rights must have.
const RIGHTS: &str = "its user needs Describe, DescribeConfigs, Read and Write on both topics, and \
                      Create where they are to be made";

/// The topic, when the cluster has it.
fn find<'k>(known: &'k Known, name: &TopicName) -> Result<Option<&'k Topic>, LogFault> {
    let Some(topic) = known.topic(name) else { return Ok(None) };
    let at = |fault: LogFault| match fault {
        LogFault::Unreachable(why) => {
            LogFault::Unreachable(format!("topic {}: {why}", name.as_str()))
        }
        LogFault::Refused(why) => LogFault::Refused(format!("topic {}: {why}", name.as_str())),
        other => other,
    };
    match topic.fault {
        None | Some(ResponseError::LeaderNotAvailable) => Ok(Some(topic)),
        Some(ResponseError::UnknownTopicOrPartition) => Ok(None),
        Some(fault @ ResponseError::TopicAuthorizationFailed) => {
            Err(at(LogFault::Refused(format!("{fault}; {RIGHTS}"))))
        }
        Some(fault) => Err(at(Fault::Answered(fault).into())),
    }
}

/// The topic with a leader for each partition, made with `partitions` when it did not exist.
async fn find_or_make(
    cluster: &Rc<Cluster>,
    place: &Place<'_>,
    name: &TopicName,
    partitions: u32,
) -> Result<Topic, LogFault> {
    let mut known = cluster.known();
    if find(&known, name)?.is_none() {
        make(cluster, place, name, partitions).await?;
    }
    for _ in 0..LOOKS {
        if let Some(topic) = find(&known, name)?
            && !topic.leaders.is_empty()
            && topic.leaders.iter().all(Option::is_some)
        {
            return Ok(topic.clone());
        }
        sleep(LOOK).await;
        known = cluster.refresh(&known).await?;
    }
    let text = format!("topic {} has partitions without a leader", name.as_str());
    Err(LogFault::Unreachable(text))
}

async fn make(
    cluster: &Cluster,
    place: &Place<'_>,
    name: &TopicName,
    partitions: u32,
) -> Result<(), LogFault> {
    let configs = configs::NEW_TOPIC.iter().map(|(name, value)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(StrBytes::from_static_str(value)))
    });
    let topic = CreatableTopic::default()
        .with_name(name.clone())
        .with_num_partitions(i32::try_from(partitions).unwrap_or(i32::MAX))
        .with_replication_factor(place.settings.replication)
        .with_configs(configs.collect());
    let request = CreateTopicsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(i32::try_from(MAKING.as_millis()).unwrap_or(i32::MAX));
    let unmade = |why: String| {
        let name = name.as_str();
        LogFault::Refused(format!(
            "topic {name} does not exist and cannot be made: {why}; make it with {partitions} \
             partitions"
        ))
    };
    let mut controller = cluster.controller().await.map_err(|fault| {
        let name = name.as_str();
        LogFault::Unreachable(format!("nobody makes topic {name}, which does not exist: {fault}"))
    })?;
    let answer = controller.call(&request, MAKING + LOOK).await.map_err(|fault| match fault {
        Fault::Unspoken { .. } => unmade(fault.to_string()),
        other => other.into(),
    })?;
    for made in answer.topics {
        match ResponseError::try_from_code(made.error_code) {
            None => tracing::info!("made topic {} of {partitions} partitions", name.as_str()),
            // Another node was faster.
            Some(ResponseError::TopicAlreadyExists) => {}
            Some(ResponseError::NotController | ResponseError::RequestTimedOut) => {
                return Err(LogFault::Unreachable("the cluster has no controller yet".to_owned()));
            }
            Some(error) => {
                let text = made.error_message.map(|text| format!(": {}", text.as_str()));
                return Err(unmade(format!("{error}{}", text.unwrap_or_default())));
            }
        }
    }
    Ok(())
}

/// The first record of the partitions topic; this node's own when there was none. Two nodes may
/// write at a time: both read the one that came first.
async fn first_record(
    cluster: &Rc<Cluster>,
    topic: &TopicName,
    place: &Place<'_>,
    there: Option<usize>,
) -> Result<FirstRecord, LogFault> {
    let mut leader = cluster.leader(topic, 0).await?;
    let connection = &mut leader.connection;
    let (start, end) = fetch::range(connection, topic, 0).await?;
    if start == end {
        // A node that is wrong must not decide for all.
        let ours = place.namespace.partitions;
        if let Some(there) = there.filter(|there| *there as u64 != u64::from(ours)) {
            return Err(LogFault::Disagrees(format!(
                "partitions: topic {} has {there}, the data directory {ours}, the topic {} has no \
                 record yet",
                place.settings.mutations_topic,
                topic.as_str(),
            )));
        }
        let value = FirstRecord::of(place.namespace).to_json();
        let batch =
            produce::batch(vec![(None, value.into())], clock::now(), KafkaCompression::None)
                .map_err(LogFault::Unreachable)?;
        produce::produce(connection, topic, 0, batch).await?;
    }
    let mut at = start;
    loop {
        let fetched = fetch::fetch(connection, topic, 0, at, FIRST_BYTES).await?;
        let mut input = fetched.records;
        while let Some(batch) = records::next_batch(&mut input)
            .map_err(|fault| LogFault::Disagrees(fault.to_string()))?
        {
            let mut first = None;
            if !batch.is_control() {
                batch.read(|record| {
                    first.get_or_insert_with(|| record.value.map(<[u8]>::to_vec));
                });
            }
            if let Some(value) = first {
                leader.give_back();
                return FirstRecord::read(value.as_deref()).ok_or_else(|| {
                    let value = value.unwrap_or_default();
                    let shown: String = String::from_utf8_lossy(&value).chars().take(100).collect();
                    LogFault::Disagrees(format!(
                        "partitions: the first record of topic {} says no number of partitions: \
                         {shown:?}",
                        topic.as_str()
                    ))
                });
            }
            at = u64::try_from(batch.last()).map_or(at, |last| last + 1);
        }
        if at >= fetched.end {
            let text = format!("topic {} does not show its first record yet", topic.as_str());
            return Err(LogFault::Unreachable(text));
        }
    }
}

/// `there` is the topic's number of partitions, when it exists.
fn compare(place: &Place<'_>, there: Option<usize>, first: &FirstRecord) -> Result<(), LogFault> {
    let Place { settings, namespace, .. } = place;
    let (entries, record) = (&settings.mutations_topic, &settings.partitions_topic);
    let ours = FirstRecord::of(namespace);
    let theirs = there.map_or(ours.partitions, |there| there as u64);
    if ours.partitions != theirs || ours.partitions != first.partitions {
        let there = there.map_or("none yet".to_owned(), |there| there.to_string());
        return Err(LogFault::Disagrees(format!(
            "partitions: topic {entries} has {there}, the data directory {}, the topic {record}'s \
             first record says {}",
            ours.partitions, first.partitions,
        )));
    }
    if ours.hash != first.hash {
        return Err(LogFault::Disagrees(format!(
            "hash: the data directory has {}, the topic {record}'s first record says {}",
            ours.hash, first.hash,
        )));
    }
    if ours.format != first.format {
        return Err(LogFault::Disagrees(format!(
            "format: this version reads {}, the topic {record}'s first record says {}",
            ours.format, first.format,
        )));
    }
    Ok(())
}

fn warn(place: &Place<'_>, configs: &Configs) {
    let topic = &place.settings.mutations_topic;
    if configs.compacted {
        tracing::warn!(
            "topic {topic} is compacted: whoever replays it sees other outcomes of conditions than \
             whoever followed it; set cleanup.policy=delete"
        );
    }
    if configs.forgets && !place.has_objects {
        tracing::warn!(
            "topic {topic} forgets old entries and there are no snapshots: a node that starts \
             empty or was away for long cannot follow; set retention.ms=-1 and \
             retention.bytes=-1, or --objects"
        );
    }
    if configs.batch_max < pumice_model::limits::ENTRY_MAX + configs::OVERHEAD {
        tracing::warn!(
            "topic {topic} takes batches of up to {} bytes: larger entries get 503; set \
             max.message.bytes={}",
            configs.batch_max,
            configs::BATCH_MAX,
        );
    }
}
