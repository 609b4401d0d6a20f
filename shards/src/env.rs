//! Opening a shard's environment and making sure that it is the one that was asked for.
//! Runs once, before any thread serves; never opens one environment twice in a process.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, MdbError, RwTxn};
use pumice_model::hash::Hash;
use pumice_model::ids::ShardId;

use crate::fault::Fault;
use crate::reader::Reader;
use crate::tables::{NAMES, Tables};
use crate::writer::Writer;

/// The layout of the tables; one that is neither this nor an older one is refused.
const FORMAT: &str = "2";
/// Layouts that are read as they are. Opening makes them the present one, so that a version which
/// knows no better refuses what this one will write.
const FORMATS_OLDER: [&str; 1] = ["1"];
/// What LMDB asks a map's size to be a multiple of, on every page size in use.
const MAP_UNIT: usize = 64 * 1024;
/// LMDB's reader slot, and room for its header: what its lock file is made of.
const LOCK_SLOT: u64 = 64;

/// What an environment belongs to; stored in it when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The namespace's name.
    pub namespace: String,
    /// How many partitions the namespace has.
    pub partitions: u32,
    /// How a pk finds its partition.
    pub hash: Hash,
    /// How many shards the data directory has.
    pub shards: u16,
    /// Which of them this is.
    pub shard: ShardId,
}

/// How an environment is opened; may differ from one opening to the next.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of address space, and the most that the shard can hold. Sparse: only what is used
    /// takes memory or disk.
    pub map_size: usize,
    /// Threads that can read at a time.
    pub readers: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { map_size: 1 << 40, readers: 1_024 }
    }
}

/// Why an environment was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It belongs to something else.
    #[error("{dir} has {what} '{stored}', not '{asked}': use the directory that was made so")]
    Identity {
        /// The environment's directory.
        dir: PathBuf,
        /// Which value differs: `format`, `namespace`, `partitions`, `hash`, `shards`, `shard`.
        what: &'static str,
        /// As the environment has it; empty when it has none.
        stored: String,
        /// As it was asked for.
        asked: String,
    },
    /// This process has it open.
    #[error("{0} is open in this process already")]
    Taken(PathBuf),
    /// The disk or LMDB refused.
    #[error("cannot open {dir}: {source}")]
    Failed {
        /// The environment's directory.
        dir: PathBuf,
        /// What it said.
        source: heed::Error,
    },
    /// Opened, but what is stored cannot be read.
    #[error("cannot read {dir}: {fault}")]
    Unreadable {
        /// The environment's directory.
        dir: PathBuf,
        /// What was found.
        fault: Fault,
    },
}

/// Opens the environment in `dir`, or makes it. Blocks on the disk.
pub fn open(
    dir: &Path,
    identity: &Identity,
    options: &Options,
) -> Result<(Writer, Reader), OpenError> {
    let failed = |source| match source {
        heed::Error::EnvAlreadyOpened => OpenError::Taken(dir.to_owned()),
        source => OpenError::Failed { dir: dir.to_owned(), source },
    };
    prepare(dir, options).map_err(failed)?;
    let mut env = EnvOpenOptions::new();
    env.map_size(options.map_size.next_multiple_of(MAP_UNIT));
    env.max_readers(options.readers).max_dbs(NAMES.len() as u32);
    #[expect(unsafe_code, reason = "heed marks flags unsafe because some give up durability")]
    // SAFETY: NO_READ_AHEAD is a hint to the kernel and gives up nothing.
    unsafe {
        env.flags(EnvFlags::NO_READ_AHEAD)
    };
    #[expect(unsafe_code, reason = "a memory map is only as sound as its file")]
    // SAFETY: the data directory is ours alone (its owner holds a lock on it), no other code
    // writes these files, and stored bytes are checked before they are followed.
    let env = unsafe { env.open(dir) }.map_err(failed)?;
    env.clear_stale_readers().map_err(failed)?;
    // The names of new files must survive a power loss as surely as what is committed in them.
    sync_dir(dir).map_err(|error| failed(error.into()))?;
    let tables = open_tables(env, dir, identity)?;
    let unreadable = |fault| OpenError::Unreadable { dir: dir.to_owned(), fault };
    let writer = Writer::new(tables.clone(), identity.clone()).map_err(unreadable)?;
    Ok((writer, Reader::new(tables)))
}

/// Makes the directory, and the lock file at its full size: a reader slot on a page that a full
/// disk cannot give would be a SIGBUS. Never touches the lock file of an open environment, since
/// closing any descriptor of it drops this process's locks.
fn prepare(dir: &Path, options: &Options) -> Result<(), heed::Error> {
    if !dir.exists() {
        fs::create_dir_all(dir)?;
        if let Some(parent) = dir.parent().filter(|p| !p.as_os_str().is_empty()) {
            sync_dir(parent)?;
        }
    }
    if heed::env_closing_event(dir.canonicalize()?).is_some() {
        return Err(heed::Error::EnvAlreadyOpened);
    }
    let mut lock = File::options().create(true).append(true).open(dir.join("lock.mdb"))?;
    let size = (u64::from(options.readers) + 4) * LOCK_SLOT;
    let missing = size.saturating_sub(lock.metadata()?.len());
    io::copy(&mut io::repeat(0).take(missing), &mut lock)?;
    Ok(())
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Opens every table, in one transaction with the identity: a new environment has both or none.
fn open_tables(env: Env, dir: &Path, identity: &Identity) -> Result<Tables, OpenError> {
    let failed = |source| OpenError::Failed { dir: dir.to_owned(), source };
    let txn = env.write_txn().map_err(failed)?;
    let opened = env.create_databases_and_commit(txn, |opener, txn| {
        let [a, b, c, d, e, f, g] = NAMES.map(|name| opener.create_database(txn, Some(name)));
        let tables: [Database<'_, Bytes, Bytes>; _] = [a?, b?, c?, d?, e?, f?, g?];
        let main = opener.create_database::<Bytes, Bytes>(txn, None)?;
        Ok(match identify(tables[0], txn, dir, identity)? {
            Some(other) => CommitOrAbort::Abort(other),
            None => CommitOrAbort::Commit((main, tables)),
        })
    });
    match opened.map_err(failed)? {
        CommitOrAbort::Commit((main, tables)) => Ok(Tables::new(env, main, tables)),
        CommitOrAbort::Abort(other) => Err(other),
    }
}

/// Opens the last committed state of an environment that LMDB has given up after a failed write.
/// Without locks, which is sound because nobody can write to it any more; by the file's own
/// name, under which this process does not have it open.
pub(crate) fn open_last_good(given_up: &Tables) -> Result<Tables, heed::Error> {
    let mut options = EnvOpenOptions::new();
    options.map_size(given_up.env.info().map_size).max_dbs(NAMES.len() as u32);
    #[expect(unsafe_code, reason = "no locks, and a memory map is only as sound as its file")]
    // SAFETY: LMDB refuses every further transaction of the environment that has the locks, so
    // the file does not change; as in `open`, it is ours alone.
    let env = unsafe {
        options.flags(EnvFlags::READ_ONLY | EnvFlags::NO_LOCK | EnvFlags::NO_SUB_DIR);
        options.open(given_up.env.path().join("data.mdb"))?
    };
    let txn = env.read_txn()?;
    let opened = env.open_databases_and_commit(txn, |opener, txn| {
        let open = |name| {
            let table = opener.open_database::<Bytes, Bytes>(txn, name);
            table.and_then(|table| table.ok_or(heed::Error::Mdb(MdbError::NotFound)))
        };
        let main = open(None)?;
        let [a, b, c, d, e, f, g] = NAMES.map(|name| open(Some(name)));
        let tables = [a?, b?, c?, d?, e?, f?, g?];
        Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit((main, tables)))
    })?;
    let (main, tables) = opened.unwrap_commit();
    Ok(Tables::new(env, main, tables))
}

/// Compares the stored identity with the one asked for, or stores it in a new environment, or
/// brings the format of an older one up.
fn identify(
    meta: Database<'_, Bytes, Bytes>,
    txn: &mut RwTxn<'_>,
    dir: &Path,
    identity: &Identity,
) -> Result<Option<OpenError>, heed::Error> {
    let asked = [
        ("format", FORMAT.to_owned()),
        ("namespace", identity.namespace.clone()),
        ("partitions", identity.partitions.to_string()),
        ("hash", identity.hash.to_string()),
        ("shards", identity.shards.to_string()),
        ("shard", identity.shard.to_string()),
    ];
    let new = meta.is_empty(txn)?;
    for (what, asked) in asked {
        if new {
            meta.put(txn, what.as_bytes(), asked.as_bytes())?;
            continue;
        }
        let stored = meta.get(txn, what.as_bytes())?.unwrap_or_default();
        if what == "format" && FORMATS_OLDER.iter().any(|older| older.as_bytes() == stored) {
            meta.put(txn, what.as_bytes(), asked.as_bytes())?;
        } else if stored != asked.as_bytes() {
            let stored = String::from_utf8_lossy(stored).into_owned();
            return Ok(Some(OpenError::Identity { dir: dir.to_owned(), what, stored, asked }));
        }
    }
    Ok(None)
}
