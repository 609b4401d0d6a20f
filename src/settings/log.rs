//! Which log a node follows: the values that `log` reads, and how `resolve` comes to them. Lives on
//! the starting thread; it must never show a password, nor speak to a broker.

use std::fmt;
use std::path::PathBuf;

use super::sources::Gathered;
use super::table::{Setting, TABLE};
use super::{Secret, Surroundings, names, values};

/// Where entries get their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogSettings {
    /// The data directory itself.
    Embedded,
    /// Topics of a Kafka or Redpanda cluster.
    Kafka(Box<KafkaSettings>),
}

/// A Kafka cluster, and this namespace's place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaSettings {
    /// `host:port` of at least one broker; the others are learnt from it.
    pub brokers: Vec<String>,
    /// TLS to every broker; `None` is plain TCP.
    pub tls: Option<KafkaTls>,
    /// Who we are to the brokers; `None` is nobody.
    pub sasl: Option<KafkaSasl>,
    /// Topic of the entries, with the namespace's number of partitions.
    pub mutations_topic: String,
    /// Topic of one partition whose first record says how many partitions the namespace has.
    pub partitions_topic: String,
    /// What batches that this node produces are compressed with.
    pub compression: KafkaCompression,
    /// Replicas of the topics that this node makes; -1 leaves it to the broker.
    pub replication: i16,
    /// Whether a start without a broker is refused even where the data directory has data.
    pub required: bool,
}

/// TLS to brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaTls {
    /// PEM file of the authorities to trust; `None` trusts the web's.
    pub ca: Option<PathBuf>,
}

/// A name and how it is proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaSasl {
    /// How.
    pub mechanism: SaslMechanism,
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// How a name is proved to a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslMechanism {
    /// The password itself; only sensible inside TLS.
    Plain,
    /// SCRAM with SHA-256.
    ScramSha256,
    /// SCRAM with SHA-512.
    ScramSha512,
}

/// Compression of produced batches. Not zstd: the fetch version in use may not carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KafkaCompression {
    /// None.
    None,
    /// gzip.
    Gzip,
    /// LZ4.
    Lz4,
    /// Snappy.
    Snappy,
}

impl SaslMechanism {
    const WORDS: &[(&str, Self)] = &[
        ("plain", Self::Plain),
        ("scram-sha-256", Self::ScramSha256),
        ("scram-sha-512", Self::ScramSha512),
    ];
}

impl fmt::Display for SaslMechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(values::word_of(*self, Self::WORDS))
    }
}

impl KafkaCompression {
    const WORDS: &[(&str, Self)] =
        &[("none", Self::None), ("gzip", Self::Gzip), ("lz4", Self::Lz4), ("snappy", Self::Snappy)];
}

impl fmt::Display for KafkaCompression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(values::word_of(*self, Self::WORDS))
    }
}

impl LogSettings {
    /// What was said of the log; nothing, beside a fault, where that does not do.
    pub(super) fn resolve(
        said: &mut Gathered,
        around: &Surroundings,
        namespace: Option<&str>,
    ) -> Option<LogSettings> {
        let words = [("embedded", false), ("kafka", true)];
        let is_kafka = said.parse("log", |text| values::one_of(text, &words));
        if is_kafka == Some(false) {
            for Setting { name, .. } in TABLE.iter().filter(|setting| is_of_kafka(setting.name)) {
                said.needless(name, "--log kafka");
            }
            return Some(LogSettings::Embedded);
        }
        if is_kafka == Some(true) && !said.told("kafka-brokers") {
            let what = "--log kafka needs a broker to begin with, as 127.0.0.1:9092";
            said.fault("kafka-brokers", what.to_owned());
        }
        // Also where `log` is misspelt, so that all faults are told at once.
        let kafka = kafka(said, around, namespace);
        is_kafka.and(kafka).map(|kafka| LogSettings::Kafka(Box::new(kafka)))
    }
}

/// Whether a setting means something with Kafka only.
pub fn is_of_kafka(name: &str) -> bool {
    name.starts_with("kafka-") || name == "require-log"
}

fn kafka(
    said: &mut Gathered,
    around: &Surroundings,
    namespace: Option<&str>,
) -> Option<KafkaSettings> {
    let brokers = said.parse("kafka-brokers", names::brokers);
    let tls = tls(said);
    let sasl = sasl(said, around);
    let mut topic = |name, what| {
        let usual = namespace.map(|namespace| format!("pumice_{namespace}_{what}"));
        said.parse(name, names::topic).or(usual)
    };
    let mutations_topic = topic("kafka-topic", "mutations");
    let partitions_topic = topic("kafka-partitions-topic", "partitions");
    if let Some(topic) =
        mutations_topic.as_ref().filter(|&one| Some(one) == partitions_topic.as_ref())
    {
        let message = format!("{topic:?} is --kafka-topic too; they must be two topics");
        said.fault("kafka-partitions-topic", message);
    }
    let compression =
        said.parse("kafka-compression", |text| values::one_of(text, KafkaCompression::WORDS));
    let replication = said.parse("kafka-replication", values::replication);
    let required = said.parse("require-log", values::boolean);
    Some(KafkaSettings {
        brokers: brokers?,
        tls,
        sasl,
        mutations_topic: mutations_topic?,
        partitions_topic: partitions_topic?,
        compression: compression?,
        replication: replication?,
        required: required?,
    })
}

fn tls(said: &mut Gathered) -> Option<KafkaTls> {
    let ca = said.parse("kafka-tls-ca", values::file);
    let wanted = said.parse("kafka-tls", values::boolean);
    if wanted == Some(false) && ca.is_some() {
        said.fault("kafka-tls", "is false, but --kafka-tls-ca is given; leave one out".to_owned());
    }
    (wanted.unwrap_or(false) || ca.is_some()).then_some(KafkaTls { ca })
}

fn sasl(said: &mut Gathered, around: &Surroundings) -> Option<KafkaSasl> {
    if !said.told("kafka-sasl") {
        for name in ["kafka-user", "kafka-password", "kafka-password-file"] {
            said.needless(name, "--kafka-sasl");
        }
        return None;
    }
    let mechanism = said.parse("kafka-sasl", |text| values::one_of(text, SaslMechanism::WORDS));
    let user = said.parse("kafka-user", values::not_empty);
    if !said.told("kafka-user") {
        said.fault("kafka-user", "--kafka-sasl needs a name".to_owned());
    }
    let password = password(said, around);
    Some(KafkaSasl { mechanism: mechanism?, user: user?, password: password? })
}

fn password(said: &mut Gathered, around: &Surroundings) -> Option<Secret> {
    match (said.told("kafka-password"), said.told("kafka-password-file")) {
        (true, true) => {
            let message = "--kafka-password is given too; leave one out".to_owned();
            said.fault("kafka-password-file", message);
            None
        }
        (true, false) => said.parse("kafka-password", values::secret),
        (false, true) => said.secret_file("kafka-password-file", around),
        (false, false) => {
            let message = "--kafka-sasl needs this, or --kafka-password".to_owned();
            said.fault("kafka-password-file", message);
            None
        }
    }
}
