//! Settings that passed every check, and how `--check-config` shows them: as a TOML file that can
//! be given back, with the source of each value beside it. Lives on the starting thread; it must
//! never show a value other than the one that is used.

use std::fmt;

use super::sources::{Gathered, Source};
use super::table::{Half, Preset, Setting, TABLE};
use super::{
    GossipSettings, Handover, KafkaSettings, LogSettings, ObjectsSettings, RuntimeSetting,
    S3Settings, Settings, SnapshotSettings, gossip, log, values,
};

/// Settings without a fault, and where each came from.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What the process starts with.
    pub settings: Settings,
    sources: Vec<Source>,
    /// Not among the settings: what they hold is.
    password_file: Option<String>,
    secret_file: Option<String>,
}

impl Resolved {
    pub(super) fn new(settings: Settings, said: &Gathered) -> Resolved {
        let source = |setting: &Setting| match implied_by(setting.name) {
            Some(other) if !said.told(setting.name) => said.source(other),
            _ => said.source(setting.name),
        };
        let sources = TABLE.iter().map(source).collect();
        let password_file = said.text("kafka-password-file");
        let secret_file = said.text("cluster-secret-file");
        Resolved { settings, sources, password_file, secret_file }
    }

    /// The value of a setting as TOML; nothing where the data directory decides.
    fn value(&self, name: &str) -> Option<String> {
        let Settings { cluster, process } = &self.settings;
        let text = match name {
            "namespace" => quoted(&cluster.namespace),
            "partitions" => cluster.partitions.to_string(),
            "hash" => quoted(cluster.hash),
            "data-dir" => quoted(process.data_dir.display()),
            "http" => quoted(process.http),
            "admin" => quoted(process.admin),
            "tls-cert" => quoted(process.tls.as_ref()?.cert.display()),
            "tls-key" => quoted(process.tls.as_ref()?.key.display()),
            "peer-ca" => quoted(process.tls.as_ref()?.peer_ca.as_ref()?.display()),
            "tls-only" => process.tls.as_ref().is_some_and(|tls| tls.only).to_string(),
            "cores" => process.cores.len().to_string(),
            "pin" => quoted(values::show_cpus(&process.cores)),
            "runtime" => quoted(values::word_of(process.runtime, RuntimeSetting::WORDS)),
            "shards" => process.shards?.to_string(),
            "map-size" => quoted(values::show_bytes(process.map_size)),
            "log-level" => quoted(process.log_level),
            "access-log" => process.access_log.to_string(),
            "log" => quoted(if self.kafka().is_some() { "kafka" } else { "embedded" }),
            "kafka-password-file" => quoted(self.password_file.as_ref()?),
            name if log::is_of_kafka(name) => of_kafka(self.kafka()?, name)?,
            "objects" => quoted(process.objects.as_ref()?),
            name if name.starts_with("s3-") => of_bucket(self.bucket()?, name)?,
            name if name.starts_with("snapshot-") => of_snapshots(&process.snapshots, name)?,
            "cluster-secret-file" => quoted(self.secret_file.as_ref()?),
            name if gossip::is_of_gossip(name) => of_gossip(process.gossip.as_ref()?, name)?,
            other => unreachable!("setting {other} of the table is not shown"),
        };
        Some(text)
    }

    fn kafka(&self) -> Option<&KafkaSettings> {
        match &self.settings.process.log {
            LogSettings::Embedded => None,
            LogSettings::Kafka(kafka) => Some(kafka),
        }
    }

    fn bucket(&self) -> Option<&S3Settings> {
        match &self.settings.process.objects {
            Some(ObjectsSettings::S3(bucket)) => Some(bucket),
            Some(ObjectsSettings::Directory(_)) | None => None,
        }
    }

    fn line(&self, setting: &Setting, source: &Source) -> String {
        let name = setting.name;
        let is_secret = name == "kafka-password" || name == "s3-secret-key";
        if is_secret && *source != Source::Default {
            // A comment, for it is not what would have to stand in a file.
            return format!("# {name:<20} = {:<32} # {source}", "***");
        }
        match (self.value(name), setting.preset) {
            (Some(value), _) => format!("{name:<22} = {value:<32} # {source}"),
            (None, Preset::Fixed(text) | Preset::Computed(text)) => {
                format!("# {name:<55} # {source}: {text}")
            }
        }
    }
}

/// The setting that decides this one where nobody gave it a value.
fn implied_by(name: &str) -> Option<&'static str> {
    Some(match name {
        "cores" => "pin",
        "pin" => "cores",
        "kafka-tls" => "kafka-tls-ca",
        "kafka-topic" | "kafka-partitions-topic" => "namespace",
        "s3-path-style" => "s3-endpoint",
        "snapshot-spool" => "data-dir",
        _ => return None,
    })
}

fn of_kafka(kafka: &KafkaSettings, name: &str) -> Option<String> {
    let KafkaSettings { tls, sasl, .. } = kafka;
    Some(match name {
        "kafka-brokers" => quoted(kafka.brokers.join(",")),
        "kafka-tls" => tls.is_some().to_string(),
        "kafka-tls-ca" => quoted(tls.as_ref()?.ca.as_ref()?.display()),
        "kafka-sasl" => quoted(sasl.as_ref()?.mechanism),
        "kafka-user" => quoted(&sasl.as_ref()?.user),
        "kafka-topic" => quoted(&kafka.mutations_topic),
        "kafka-partitions-topic" => quoted(&kafka.partitions_topic),
        "kafka-compression" => quoted(kafka.compression),
        "kafka-replication" => kafka.replication.to_string(),
        "require-log" => kafka.required.to_string(),
        _ => return None,
    })
}

fn of_bucket(bucket: &S3Settings, name: &str) -> Option<String> {
    Some(match name {
        "s3-endpoint" => quoted(bucket.endpoint.as_ref()?),
        "s3-region" => quoted(&bucket.region),
        "s3-path-style" => bucket.path_style.to_string(),
        "s3-access-key" => quoted(&bucket.credentials.as_ref()?.access_key),
        _ => return None,
    })
}

fn of_snapshots(snapshots: &SnapshotSettings, name: &str) -> Option<String> {
    let off = || "off".to_owned();
    Some(match name {
        "snapshot-interval" => quoted(snapshots.interval.map_or_else(off, values::show_duration)),
        "snapshot-keep" => snapshots.keep.to_string(),
        "snapshot-keep-for" => quoted(values::show_duration(snapshots.keep_for)),
        "snapshot-spool" => quoted(snapshots.spool_dir.display()),
        _ => return None,
    })
}

fn of_gossip(gossip: &GossipSettings, name: &str) -> Option<String> {
    Some(match name {
        "gossip" => quoted(gossip.listen),
        "seeds" if !gossip.seeds.is_empty() => quoted(gossip.seeds.join(",")),
        "node-id" => quoted(gossip.node_id.as_ref()?),
        "region" => quoted(&gossip.region),
        "replica-group" => quoted(&gossip.group),
        "advertise" => quoted(gossip.advertise.as_ref()?),
        "handover" => quoted(values::word_of(gossip.handover, Handover::WORDS)),
        _ => return None,
    })
}

fn quoted(value: impl ToString) -> String {
    toml::Value::String(value.to_string()).to_string()
}

impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (half, title) in [
            (Half::Cluster, "# cluster settings: all nodes must agree"),
            (Half::Process, "\n# process settings"),
        ] {
            writeln!(f, "{title}")?;
            let rows = TABLE.iter().zip(&self.sources);
            for (setting, source) in rows.filter(|(setting, _)| setting.half == half) {
                writeln!(f, "{}", self.line(setting, source))?;
            }
        }
        Ok(())
    }
}
