//! What `pumice serve` was told: flags, `PUMICE_*` environment and a TOML file, in that precedence,
//! in two halves. Lives on the starting thread, before anything is opened; it must never report
//! only the first fault.

mod flags;
mod gossip;
mod log;
mod names;
mod nearest;
mod objects;
mod secret;
mod show;
mod sources;
mod table;
#[cfg(test)]
mod tests;
mod tls;
mod values;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use clap::ArgMatches;
use pumice_model::hash::Hash;
use tracing::level_filters::LevelFilter;

pub use flags::{flags, object_flags};
pub use gossip::{GossipSettings, Handover};
pub use log::{KafkaCompression, KafkaSasl, KafkaSettings, KafkaTls, LogSettings, SaslMechanism};
pub use objects::{ObjectsSettings, S3Credentials, S3Settings, SnapshotSettings};
pub use secret::Secret;
pub use show::Resolved;
use sources::Gathered;
use table::TABLE;
pub use table::preset;
pub use tls::TlsSettings;
pub use values::duration;

/// Shards of a new data directory where there are fewer cores than this.
pub const SHARDS_LEAST_BY_DEFAULT: usize = 4;
/// x86-64 and arm64 give a process 128 TiB; the rest is for everything that is not a map.
const MAPS_TOTAL_MAX: u64 = 120 << 40;
const MAP_SIZE_DEFAULT: u64 = 1 << 40;

/// What a process starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What every node of the cluster must agree on.
    pub cluster: ClusterSettings,
    /// What is this process's own affair.
    pub process: ProcessSettings,
}

/// The half that is recorded in the data directory and must never change under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSettings {
    /// 1 to 64 of `[a-zA-Z0-9._-]`.
    pub namespace: String,
    /// 1 to 65,536.
    pub partitions: u32,
    /// Takes a pk to its partition.
    pub hash: Hash,
}

/// What runs the cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuntimeSetting {
    /// glommio where this machine lets it run, else tokio.
    Auto,
    /// glommio or nothing.
    Glommio,
    /// tokio, whatever the machine allows.
    Tokio,
}

impl RuntimeSetting {
    const WORDS: &[(&str, Self)] =
        &[("auto", Self::Auto), ("glommio", Self::Glommio), ("tokio", Self::Tokio)];
}

/// The half that may differ from process to process and from start to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessSettings {
    /// As given, so relative to the working directory.
    pub data_dir: PathBuf,
    /// The public port; port 0 means any free one.
    pub http: SocketAddr,
    /// The admin port; port 0 means any free one.
    pub admin: SocketAddr,
    /// TLS on the public port; `None` is cleartext alone.
    pub tls: Option<TlsSettings>,
    /// The CPU of each serving core, at least one, each in the process's affinity mask.
    pub cores: Vec<usize>,
    /// What runs them, and the admin port's.
    pub runtime: RuntimeSetting,
    /// Nothing means: what the data directory has, or `max(4, cores)` for a new one.
    pub shards: Option<u16>,
    /// Bytes of one shard's map, a multiple of 64 KiB.
    pub map_size: u64,
    /// Least grave level that is logged.
    pub log_level: LevelFilter,
    /// One line a request.
    pub access_log: bool,
    /// Which log is followed.
    pub log: LogSettings,
    /// Where snapshots live; `None` takes none and restores none.
    pub objects: Option<ObjectsSettings>,
    /// When snapshots are taken and which are kept.
    pub snapshots: SnapshotSettings,
    /// How this node meets its peers; `None` is a node that is alone and holds everything.
    pub gossip: Option<GossipSettings>,
}

/// One thing that is wrong with what the process was told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct SettingFault {
    /// The flag, variable, or key and file that has to change.
    pub place: String,
    /// What is wrong and what would do.
    pub message: String,
}

/// Reads a whole file as UTF-8.
pub type ReadFile = Box<dyn Fn(&Path) -> io::Result<String>>;

/// What settings are resolved against, so that tests bring their own.
pub struct Surroundings {
    /// Environment variables that are UTF-8; an empty one counts as unset.
    pub env: BTreeMap<String, String>,
    /// Reads the `--config` file and the file of a password.
    pub read_file: ReadFile,
    /// CPUs that the process may run on.
    pub cpus: Vec<usize>,
}

impl Surroundings {
    /// Those of this process. Where the kernel does not tell the affinity mask, CPUs are counted
    /// from 0.
    pub fn of_this_process() -> Surroundings {
        let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Surroundings {
            env: env::vars_os().filter_map(utf8).collect(),
            read_file: Box::new(|path| fs::read_to_string(path)),
            cpus: allowed_cpus(),
        }
    }

    fn variable(&self, name: &str) -> Option<&String> {
        self.env.get(name).filter(|value| !value.is_empty())
    }
}

/// The affinity mask of this process, in ascending order.
pub fn allowed_cpus() -> Vec<usize> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.and_then(|list| values::cpu_list(list.trim()).ok()).unwrap_or_else(|| {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        (0..count).collect()
    })
}

/// Reads every source, checks every value and every pair that must agree, and opens nothing.
///
/// `matches` are those of a command that was given [`flags()`].
///
/// # Errors
///
/// All faults of all sources, at once.
pub fn resolve(matches: &ArgMatches, around: &Surroundings) -> Result<Resolved, Vec<SettingFault>> {
    let mut said = Gathered::new(TABLE.iter(), matches, around);

    let namespace = said.parse("namespace", values::namespace);
    let partitions = said.parse("partitions", values::partitions);
    let hash = said.parse("hash", values::hash);
    let data_dir = said.parse("data-dir", values::directory);
    let http = said.parse("http", values::address);
    let admin = said.parse("admin", values::address);
    let tls = TlsSettings::resolve(&mut said);
    let cores = serving_cpus(&mut said, &around.cpus);
    let runtime = said.parse("runtime", |text| values::one_of(text, RuntimeSetting::WORDS));
    let shards = said.parse("shards", values::shards);
    let map_size = map_size(&mut said, shards, cores.len());
    let log_level = said.parse("log-level", values::log_level);
    let access_log = said.parse("access-log", values::boolean);
    let log = LogSettings::resolve(&mut said, around, namespace.as_deref());
    let objects = ObjectsSettings::resolve(&mut said, around);
    let snapshots = SnapshotSettings::resolve(&mut said, data_dir.as_deref());
    let gossip = GossipSettings::resolve(&mut said, around, http);

    if objects.is_some() && namespace.as_ref().is_some_and(|name| name.starts_with('.')) {
        let message = "begins with a dot, which no key of an object may: it has no snapshots";
        said.fault("namespace", message.to_owned());
    }
    if let (Some(http), Some(admin)) = (http, admin)
        && cannot_both_listen(http, admin)
    {
        said.fault("admin", format!("{admin} collides with --http {http}; give it another port"));
    }

    let settings = (|| {
        let cluster =
            ClusterSettings { namespace: namespace?, partitions: partitions?, hash: hash? };
        let process = ProcessSettings {
            data_dir: data_dir?,
            http: http?,
            admin: admin?,
            tls,
            cores,
            runtime: runtime?,
            shards,
            map_size,
            log_level: log_level?,
            access_log: access_log?,
            log: log?,
            objects,
            snapshots: snapshots?,
            gossip,
        };
        Some(Settings { cluster, process })
    })();
    match settings {
        Some(settings) if said.faults.is_empty() => Ok(Resolved::new(settings, &said)),
        _ => Err(said.faults),
    }
}

/// Where snapshots live, for a command that was given [`object_flags()`].
///
/// # Errors
///
/// All faults of all sources, at once; one of them when nobody said where.
pub fn resolve_objects(
    matches: &ArgMatches,
    around: &Surroundings,
) -> Result<ObjectsSettings, Vec<SettingFault>> {
    let mut said = Gathered::new(table::of_objects(), matches, around);
    let objects = ObjectsSettings::resolve(&mut said, around);
    if !said.told("objects") {
        let message = "say where snapshots live, as s3://BUCKET/PREFIX or dir:PATH".to_owned();
        said.fault("objects", message);
    }
    match objects {
        Some(objects) if said.faults.is_empty() => Ok(objects),
        _ => Err(said.faults),
    }
}

/// The namespace, for a command that was given its flag and [`object_flags()`].
///
/// # Errors
///
/// What is wrong with it.
pub fn resolve_namespace(
    matches: &ArgMatches,
    around: &Surroundings,
) -> Result<String, Vec<SettingFault>> {
    let only = TABLE.iter().filter(|setting| setting.name == "namespace");
    let mut said = Gathered::new(only, matches, around);
    let namespace = said.parse("namespace", values::namespace);
    namespace.filter(|_| said.faults.is_empty()).ok_or(said.faults)
}

/// One CPU a serving core: those of `--pin`, else the first `--cores` allowed ones, else all.
fn serving_cpus(said: &mut Gathered, allowed: &[usize]) -> Vec<usize> {
    let count = said.parse("cores", values::cores);
    let pinned = said.parse("pin", values::cpu_list);
    let mask = values::show_cpus(allowed);
    if let Some(pinned) = pinned {
        let foreign: Vec<_> = pinned.iter().copied().filter(|cpu| !allowed.contains(cpu)).collect();
        if !foreign.is_empty() {
            let foreign = values::show_cpus(&foreign);
            said.fault("pin", format!("CPU {foreign} is not to be had; allowed here: {mask}"));
        }
        if let Some(count) = count.filter(|&count| count != pinned.len()) {
            let names = pinned.len();
            said.fault("pin", format!("names {names} CPUs but cores is {count}; leave one out"));
        }
        return pinned;
    }
    let count = count.unwrap_or(allowed.len());
    if count > allowed.len() {
        let most = allowed.len();
        said.fault("cores", format!("{count} is more than the {most} CPUs allowed here ({mask})"));
    }
    allowed.iter().copied().take(count).collect()
}

/// Every shard's map is reserved whole, so their sum has to fit the address space.
fn map_size(said: &mut Gathered, shards: Option<u16>, cores: usize) -> u64 {
    let shards = shards.map_or(cores.max(SHARDS_LEAST_BY_DEFAULT), usize::from) as u64;
    let most = MAPS_TOTAL_MAX / shards;
    if let Some(size) = said.parse("map-size", values::map_size) {
        if size > most {
            let most = values::show_bytes(1 << most.ilog2());
            said.fault("map-size", format!("too large for {shards} shards; {most} would do"));
        }
        return size;
    }
    MAP_SIZE_DEFAULT.min(1 << most.ilog2())
}

fn cannot_both_listen(a: SocketAddr, b: SocketAddr) -> bool {
    let ips_overlap = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && a.port() != 0 && ips_overlap
}
