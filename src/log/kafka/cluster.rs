//! The brokers of a cluster: who leads which partition, and connections to them. Log's thread;
//! shared by all its tasks.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use tokio::sync::Mutex;

use super::wire::{Access, Connection, Fault};
use crate::stats::log::LogStats;

/// How long an answer about the cluster may take.
const ANSWER: Duration = Duration::from_secs(5);
/// Connections to one broker that wait for their next use.
const IDLE_MAX: usize = 16;

/// A cluster.
pub struct Cluster {
    access: Access,
    /// `host:port`, to begin with.
    bootstrap: Vec<String>,
    topics: Vec<TopicName>,
    known: RefCell<Rc<Known>>,
    /// One asks, the others wait for the answer.
    asking: Mutex<()>,
    idle: RefCell<HashMap<BrokerId, Vec<Connection>>>,
    /// To any broker, for questions that any can answer.
    any: RefCell<Option<Connection>>,
    reached: Cell<bool>,
    /// When the last answer failed, and why.
    failed: RefCell<Option<(Instant, String)>>,
    stats: Arc<LogStats>,
}

/// What the cluster last said about itself.
#[derive(Default)]
pub struct Known {
    /// Counts answers.
    age: u64,
    brokers: HashMap<BrokerId, String>,
    /// The broker that makes topics.
    pub controller: BrokerId,
    topics: HashMap<TopicName, Topic>,
}

/// What the cluster says about a topic.
#[derive(Clone, Debug)]
pub struct Topic {
    /// A number that no other topic ever has, where the broker gives one.
    pub id: u128,
    /// The leader of each partition by number; `None` while there is none.
    pub leaders: Vec<Option<BrokerId>>,
    /// Why nothing else is known.
    pub fault: Option<ResponseError>,
}

impl Cluster {
    /// Nothing is asked yet. `topics` are those that matter.
    pub fn new(
        access: Access,
        bootstrap: Vec<String>,
        topics: Vec<TopicName>,
        stats: Arc<LogStats>,
    ) -> Self {
        Self {
            access,
            bootstrap,
            topics,
            known: RefCell::default(),
            asking: Mutex::default(),
            idle: RefCell::default(),
            any: RefCell::default(),
            reached: Cell::default(),
            failed: RefCell::default(),
            stats,
        }
    }

    /// What the cluster last said.
    pub fn known(&self) -> Rc<Known> {
        self.known.borrow().clone()
    }

    /// What the cluster says now, unless somebody heard it after `old`. Of many that ask at a time
    /// one does, and the others share what it met.
    pub async fn refresh(&self, old: &Known) -> Result<Rc<Known>, Fault> {
        let began = Instant::now();
        let _asking = self.asking.lock().await;
        let known = self.known();
        if known.age > old.age {
            return Ok(known);
        }
        if let Some((at, why)) = &*self.failed.borrow()
            && *at > began
        {
            let (broker, source) = ("the cluster".to_owned(), io::Error::other(why.clone()));
            return Err(Fault::Unreachable { broker, source });
        }
        match self.ask().await {
            Ok(answer) => {
                let known = Rc::new(Known::new(answer, known.age + 1));
                *self.known.borrow_mut() = known.clone();
                self.heard();
                Ok(known)
            }
            Err(fault) => {
                *self.failed.borrow_mut() = Some((Instant::now(), fault.to_string()));
                self.stats.connected.set(0);
                if self.reached.replace(false) {
                    tracing::warn!("the log cannot be reached: {fault}");
                }
                Err(fault)
            }
        }
    }

    /// A broker answered.
    pub fn heard(&self) {
        if !self.reached.replace(true) {
            self.stats.connected.set(1);
            if self.failed.borrow().is_some() {
                tracing::info!("the log answers");
            }
        }
    }

    /// A connection to the leader of a partition.
    pub async fn leader(
        self: &Rc<Self>,
        topic: &TopicName,
        partition: i32,
    ) -> Result<Leader, Fault> {
        let mut known = self.known();
        if known.leader(topic, partition).is_none() {
            known = self.refresh(&known).await?;
        }
        let none = Fault::Answered(ResponseError::LeaderNotAvailable);
        let (id, broker) = known.leader(topic, partition).ok_or(none)?;
        match self.connect(id, broker).await {
            Ok(connection) => {
                Ok(Leader { cluster: self.clone(), id, known: known.clone(), connection })
            }
            Err(fault) => {
                // Another may lead by now.
                let _ = self.refresh(&known).await;
                Err(fault)
            }
        }
    }

    /// A connection to the broker that makes topics.
    pub async fn controller(&self) -> Result<Connection, Fault> {
        let known = self.known();
        let none = Fault::Answered(ResponseError::BrokerNotAvailable);
        let broker = known.brokers.get(&known.controller).ok_or(none)?;
        self.connect(known.controller, broker).await
    }

    async fn connect(&self, id: BrokerId, broker: &str) -> Result<Connection, Fault> {
        let idle = self.idle.borrow_mut().get_mut(&id).and_then(|idle| {
            idle.retain(|connection| connection.usable() && connection.broker() == broker);
            idle.pop()
        });
        match idle {
            Some(connection) => Ok(connection),
            None => Connection::open(broker, &self.access).await,
        }
    }

    async fn ask(&self) -> Result<MetadataResponse, Fault> {
        let topics = self.topics.iter().cloned();
        let topics = topics.map(|name| MetadataRequestTopic::default().with_name(Some(name)));
        let request = MetadataRequest::default()
            .with_topics(Some(topics.collect()))
            .with_allow_auto_topic_creation(false);
        let kept = self.any.take().filter(Connection::usable);
        if let Some(mut connection) = kept
            && let Ok(answer) = connection.call(&request, ANSWER).await
        {
            self.any.replace(Some(connection));
            return Ok(answer);
        }
        let known = self.known();
        let mut worst = None;
        for broker in known.brokers.values().chain(&self.bootstrap) {
            match self.ask_one(broker, &request).await {
                Ok(answer) => return Ok(answer),
                // That one of them turns us away says more than that another is not there.
                Err(fault) => match &worst {
                    Some(Fault::TurnedAway { .. }) => {}
                    _ => worst = Some(fault),
                },
            }
        }
        Err(worst.unwrap_or(Fault::Answered(ResponseError::BrokerNotAvailable)))
    }

    async fn ask_one(
        &self,
        broker: &str,
        request: &MetadataRequest,
    ) -> Result<MetadataResponse, Fault> {
        let mut connection = Connection::open(broker, &self.access).await?;
        let answer = connection.call(request, ANSWER).await?;
        self.any.replace(Some(connection));
        Ok(answer)
    }
}

/// A connection to the leader of a partition, lent.
pub struct Leader {
    cluster: Rc<Cluster>,
    id: BrokerId,
    known: Rc<Known>,
    /// The connection itself.
    pub connection: Connection,
}

impl Leader {
    /// Hands the connection back for others.
    pub fn give_back(self) {
        let mut idle = self.cluster.idle.borrow_mut();
        let idle = idle.entry(self.id).or_default();
        if self.connection.usable() && idle.len() < IDLE_MAX {
            idle.push(self.connection);
        }
    }

    /// It failed: somebody else may lead. Asks the cluster, whose answer may be a failure too.
    pub async fn failed(self) {
        let Self { cluster, known, connection, .. } = self;
        drop(connection);
        let _ = cluster.refresh(&known).await;
    }
}

impl Known {
    fn new(answer: MetadataResponse, age: u64) -> Self {
        let brokers = answer.brokers.into_iter().map(|broker| {
            let host = broker.host.as_str();
            // An address of IPv6 stands in brackets before a port.
            let brackets = host.contains(':') && !host.starts_with('[');
            let host = if brackets { format!("[{host}]") } else { host.to_owned() };
            (broker.node_id, format!("{host}:{}", broker.port))
        });
        let topics = answer.topics.into_iter().filter_map(Topic::named);
        Self {
            age,
            brokers: brokers.collect(),
            controller: answer.controller_id,
            topics: topics.collect(),
        }
    }

    /// What is known about a topic.
    pub fn topic(&self, name: &TopicName) -> Option<&Topic> {
        self.topics.get(name)
    }

    fn leader(&self, topic: &TopicName, partition: i32) -> Option<(BrokerId, &str)> {
        let partition = usize::try_from(partition).ok()?;
        let leader = (*self.topic(topic)?.leaders.get(partition)?)?;
        Some((leader, self.brokers.get(&leader)?.as_str()))
    }
}

impl Topic {
    fn named(answer: MetadataResponseTopic) -> Option<(TopicName, Self)> {
        let fault = ResponseError::try_from_code(answer.error_code);
        let mut leaders = vec![None; answer.partitions.len()];
        for partition in &answer.partitions {
            let at = usize::try_from(partition.partition_index).ok();
            if let Some(leader) = at.and_then(|at| leaders.get_mut(at)) {
                *leader = (partition.leader_id.0 >= 0).then_some(partition.leader_id);
            }
        }
        let id = answer.topic_id.as_u128();
        Some((answer.name?, Self { id, leaders, fault }))
    }
}

/// A topic's name as the protocol has it.
pub fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}
