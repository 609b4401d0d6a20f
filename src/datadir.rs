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
/// The format of the directory's layout.
const FORMAT: u32 = 1;

/// A data directory that this process holds until it is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    cluster: ClusterSettings,
    shards: u16,
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
        "data directory {path} was made with {name} {has}, not {asked}: it never changes; \
         use {has}, or another --data-dir"
    )]
    Differs {
        /// The directory.
        path: PathBuf,
        /// Which setting.
        name: &'static str,
        /// What the directory has.
        has: String,
        /// What the process was told.
        asked: String,
    },
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
}

impl DataDir {
    /// Takes the directory, making it when it is not there. `shards` is what was asked for, if
    /// anything; a new directory gets that or `default_shards`.
    pub fn open(
        path: &Path,
        cluster: &ClusterSettings,
        shards: Option<u16>,
        default_shards: u16,
    ) -> Result<Self, DataDirFault> {
        fs::create_dir_all(path).map_err(|source| io_fault(path, source))?;
        let lock = lock(path)?;
        let described = match read(path)? {
            Some(described) => described,
            None => {
                let described = Described {
                    format: FORMAT,
                    namespace: cluster.namespace.clone(),
                    partitions: cluster.partitions,
                    hash: cluster.hash.to_string(),
                    shards: shards.unwrap_or(default_shards),
                };
                write(path, &described)?;
                described
            }
        };
        let differs = |name, has: String, asked: String| {
            let path = path.to_owned();
            let fault =
                DataDirFault::Differs { path, name, has: has.clone(), asked: asked.clone() };
            if has == asked { Ok(()) } else { Err(fault) }
        };
        differs("namespace", described.namespace.clone(), cluster.namespace.clone())?;
        differs("partitions", described.partitions.to_string(), cluster.partitions.to_string())?;
        differs("hash", described.hash.clone(), cluster.hash.to_string())?;
        let asked = shards.unwrap_or(described.shards);
        differs("shards", described.shards.to_string(), asked.to_string())?;
        let (path, cluster) = (path.to_owned(), cluster.clone());
        Ok(Self { path, cluster, shards: described.shards, _lock: lock })
    }

    /// Takes a directory that must be there, whatever it was made for.
    pub fn open_existing(path: &Path) -> Result<Self, DataDirFault> {
        if !path.join(CLUSTER).exists() {
            return Err(DataDirFault::None(path.to_owned()));
        }
        let lock = lock(path)?;
        let described = read(path)?.ok_or_else(|| DataDirFault::None(path.to_owned()))?;
        let hash: Hash = described.hash.parse().map_err(|fault| DataDirFault::Unreadable {
            path: path.join(CLUSTER),
            message: format!("{fault}"),
        })?;
        let Described { namespace, partitions, shards, .. } = described;
        let cluster = ClusterSettings { namespace, partitions, hash };
        Ok(Self { path: path.to_owned(), cluster, shards, _lock: lock })
    }

    /// What the directory was made for.
    pub fn cluster(&self) -> &ClusterSettings {
        &self.cluster
    }

    /// How many shards it has.
    pub fn shards(&self) -> u16 {
        self.shards
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
            (self.path.join(format!("shard-{shard:03}")), identity)
        })
    }
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
