//! The data directory of a node: whose it is, what it was made for, and that one process has it.
//! Starting thread; opens no shard and writes nothing but its own two small files.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use pumice_model::hash::Hash;
use pumice_model::ids::ShardId;
use pumice_shards::Identity;
use serde::{Deserialize, Serialize};

use crate::settings::ClusterSettings;

const LOCK: &str = "LOCK";
const CLUSTER: &str = "cluster.toml";
/// There from before the first row of a restore until after the last.
const RESTORING: &str = "RESTORING";
/// The format of the directory's layout.
const FORMAT: u32 = 1;

/// A data directory that this process holds until it is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    cluster: ClusterSettings,
    shards: u16,
    fresh: bool,
    _lock: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirFault {
    /// Another process has it.
    #[error(
        "data directory {0} is in use by another process: stop it, or choose another --data-dir"
    )]
    Taken(PathBuf),
    /// It was made for other cluster settings.
    #[error(
        "data directory {path} was made with {what}: that never changes; use what it has, or \
         another --data-dir"
    )]
    Differs {
        /// The directory.
        path: PathBuf,
        /// Every setting that differs.
        what: String,
    },
    /// A shard of it is not there.
    #[error("{0} is gone, with all its records: restore it from a backup")]
    ShardGone(PathBuf),
    /// It is none.
    #[error("{0} is no data directory of Pumice: it has no {CLUSTER}")]
    None(PathBuf),
    /// Its description does not read.
    #[error("{path}: {message}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The file system does not let us.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    format: u32,
    namespace: String,
    partitions: u32,
    hash: String,
    shards: u16,
    /// Where its order comes from, when that is not the directory itself: `kafka`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<String>,
}

impl DataDir {
    /// Takes the directory, making it when it is not there. `shards` is what was asked for, if
    /// anything; a new directory gets that or `default_shards`. `log` is where its order comes
    /// from, when that is not the directory itself: offsets of the one mean nothing in the other.
    pub fn open(
        path: &Path,
        cluster: &ClusterSettings,
        log: Option<&str>,
        shards: Option<u16>,
        default_shards: u16,
    ) -> Result<Self, DataDirFault> {
        fs::create_dir_all(path).map_err(|source| io_fault(path, source))?;
        let lock = lock(path)?;
        let found = read(path)?;
        let fresh = found.is_none();
        let described = match found {
            Some(described) => {
                missing_shard(path, described.shards)?;
                described
            }
            None => {
                let described = Described {
                    format: FORMAT,
                    namespace: cluster.namespace.clone(),
                    partitions: cluster.partitions,
                    hash: cluster.hash.to_string(),
                    shards: shards.unwrap_or(default_shards),
                    log: log.map(str::to_owned),
                };
                // Before the description, which says from then on that they must be there.
                for shard in 0..described.shards {
                    let shard = shard_path(path, shard);
                    fs::create_dir_all(&shard).map_err(|source| io_fault(&shard, source))?;
                }
                write(path, &described)?;
                described
            }
        };
        let asked = shards.unwrap_or(described.shards);
        let differing: Vec<String> = [
            ("namespace", described.namespace.clone(), cluster.namespace.clone()),
            ("partitions", described.partitions.to_string(), cluster.partitions.to_string()),
            ("hash", described.hash.clone(), cluster.hash.to_string()),
            ("shards", described.shards.to_string(), asked.to_string()),
            ("log", kind(described.log.as_deref()), kind(log)),
        ]
        .into_iter()
        .filter(|(_, has, asked)| has != asked)
        .map(|(name, has, asked)| format!("{name} {has}, not {asked}"))
        .collect();
        if !differing.is_empty() {
            let (path, what) = (path.to_owned(), differing.join("; "));
            return Err(DataDirFault::Differs { path, what });
        }
        let (path, cluster) = (path.to_owned(), cluster.clone());
        Ok(Self { path, cluster, shards: described.shards, fresh, _lock: lock })
    }

    /// Takes a directory that must be there, whatever it was made for.
    pub fn open_existing(path: &Path) -> Result<Self, DataDirFault> {
        if !path.join(CLUSTER).exists() {
            return Err(DataDirFault::None(path.to_owned()));
        }
        let lock = lock(path)?;
        let described = read(path)?.ok_or_else(|| DataDirFault::None(path.to_owned()))?;
        missing_shard(path, described.shards)?;
        let hash: Hash = described.hash.parse().map_err(|fault| DataDirFault::Unreadable {
            path: path.join(CLUSTER),
            message: format!("{fault}"),
        })?;
        let Described { namespace, partitions, shards, .. } = described;
        let cluster = ClusterSettings { namespace, partitions, hash };
        Ok(Self { path: path.to_owned(), cluster, shards, fresh: false, _lock: lock })
    }

    /// What the directory was made for.
    pub fn cluster(&self) -> &ClusterSettings {
        &self.cluster
    }

    /// How many shards it has.
    pub fn shards(&self) -> u16 {
        self.shards
    }

    /// Whether opening it made it.
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Whether a restore began in it and did not come to its end.
    pub fn is_half_restored(&self) -> bool {
        self.path.join(RESTORING).exists()
    }

    /// Notes, durably, that a restore begins: what a crash leaves must not be taken for all of it.
    pub fn begin_restore(&self) -> Result<(), DataDirFault> {
        let mark = self.path.join(RESTORING);
        let marked = File::create(&mark).and_then(|_| File::open(&self.path)?.sync_all());
        marked.map_err(|source| io_fault(&mark, source))
    }

    /// Notes that it came to its end.
    pub fn end_restore(&self) -> Result<(), DataDirFault> {
        let mark = self.path.join(RESTORING);
        let unmarked = fs::remove_file(&mark).and_then(|()| File::open(&self.path)?.sync_all());
        unmarked.map_err(|source| io_fault(&mark, source))
    }

    /// Takes a directory that this start made, and that nothing was written into, back: its
    /// description first, so that what a crash leaves is none.
    pub fn discard(self) {
        let gone = fs::remove_file(self.path.join(CLUSTER)).and_then(|()| {
            let _ = fs::remove_file(self.path.join(RESTORING));
            (0..self.shards).try_for_each(|shard| fs::remove_dir_all(shard_path(&self.path, shard)))
        });
        if let Err(fault) = gone {
            tracing::warn!("{} could not be removed again: {fault}", self.path.display());
        }
    }

    /// The directory and the identity of each shard.
    pub fn each_shard(&self) -> impl Iterator<Item = (PathBuf, Identity)> {
        (0..self.shards).map(|shard| {
            let identity = Identity {
                namespace: self.cluster.namespace.clone(),
                partitions: self.cluster.partitions,
                hash: self.cluster.hash,
                shards: self.shards,
                shard: ShardId(shard),
            };
            (shard_path(&self.path, shard), identity)
        })
    }
}

fn kind(log: Option<&str>) -> String {
    log.unwrap_or("embedded").to_owned()
}

fn shard_path(path: &Path, shard: u16) -> PathBuf {
    path.join(format!("shard-{shard:03}"))
}

/// A shard that was made and is gone must not be taken for an empty one.
fn missing_shard(path: &Path, shards: u16) -> Result<(), DataDirFault> {
    let gone = (0..shards).map(|shard| shard_path(path, shard)).find(|shard| !shard.is_dir());
    gone.map_or(Ok(()), |gone| Err(DataDirFault::ShardGone(gone)))
}

fn lock(path: &Path) -> Result<File, DataDirFault> {
    let file = path.join(LOCK);
    let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&file);
    let lock = opened.map_err(|source| io_fault(&file, source))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(DataDirFault::Taken(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(io_fault(&file, source)),
    }
}

fn read(path: &Path) -> Result<Option<Described>, DataDirFault> {
    let file = path.join(CLUSTER);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io_fault(&file, source)),
    };
    let unreadable = |message| DataDirFault::Unreadable { path: file.clone(), message };
    let described: Described =
        toml::from_str(&text).map_err(|fault| unreadable(fault.to_string()))?;
    if described.format != FORMAT {
        let format = described.format;
        return Err(unreadable(format!("format {format} is unknown, this version reads {FORMAT}")));
    }
    Ok(Some(described))
}

/// Written aside and renamed, so that a crash leaves a whole file or none.
fn write(path: &Path, described: &Described) -> Result<(), DataDirFault> {
    let (aside, file) = (path.join("cluster.toml.new"), path.join(CLUSTER));
    let fields = toml::to_string(described).map_err(|fault| DataDirFault::Unreadable {
        path: file.clone(),
        message: fault.to_string(),
    })?;
    let text = format!("# What this data directory was made for. It never changes.\n{fields}");
    let durable = || -> io::Result<()> {
        let mut out = File::create(&aside)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        fs::rename(&aside, &file)?;
        File::open(path)?.sync_all()
    };
    durable().map_err(|source| io_fault(&file, source))
}

fn io_fault(path: &Path, source: io::Error) -> DataDirFault {
    DataDirFault::Io { path: path.to_owned(), source }
}
