//! Why a node did not start, and the exit code that says so to whoever watches it.

use std::io;
use std::net::SocketAddr;

use pumice_model::ids::ShardId;
use pumice_shards::OpenError;

use crate::args::EXIT_USAGE;
use crate::cluster::gossip::GossipFault;
use crate::datadir::DataDirFault;
use crate::log::kafka::LogFault;
use crate::net::TlsFault;
use crate::rt;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// The machine lacks something.
    #[error(transparent)]
    Environment(#[from] rt::Missing),
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirFault),
    /// A shard cannot be opened.
    #[error("shard {shard}: {source}")]
    Shard {
        /// Which.
        shard: ShardId,
        /// Why.
        source: OpenError,
    },
    /// A shard is open and cannot be read.
    #[error("{0}")]
    Unreadable(pumice_shards::Fault),
    /// The log cannot be followed.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// The node cannot join its cluster.
    #[error(transparent)]
    Gossip(#[from] GossipFault),
    /// The snapshots could not be restored into a new data directory.
    #[error("{0}")]
    Restore(String),
    /// TLS cannot be spoken with the files that there are.
    #[error("cannot speak TLS: {0}")]
    Tls(#[from] TlsFault),
    /// TLS cannot be spoken to peers with the file that there is.
    #[error("--peer-ca: {0}")]
    PeerTls(String),
    /// A port cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start thread {name}: {source}")]
    Thread {
        /// Its name.
        name: String,
        /// Why.
        source: io::Error,
    },
}

impl StartFault {
    /// The exit code for it: 64 for files of TLS that will not do, 73 for a data directory or a log
    /// of another cluster and for a name that another node has, 69 for a log or objects that do not
    /// answer, 77 for brokers that turn us away, 78 for the machine.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Tls(_) | Self::PeerTls(_) => EXIT_USAGE,
            Self::DataDir(_) | Self::Shard { .. } | Self::Unreadable(_) => 73,
            Self::Log(LogFault::Disagrees(_)) => 73,
            Self::Log(LogFault::Unreachable(_)) => 69,
            Self::Log(LogFault::Refused(_)) => 77,
            Self::Log(LogFault::Settings(_)) => 78,
            Self::Gossip(GossipFault::Taken { .. }) => 73,
            Self::Gossip(_) => 78,
            Self::Restore(_) => 69,
            Self::Environment(_) | Self::Listen { .. } | Self::Thread { .. } => 78,
        }
    }
}

/// A thread that was started, or the fault that says which was not.
pub fn spawned<T>(thread: io::Result<T>, name: &str) -> Result<T, StartFault> {
    thread.map_err(thread_fault(name))
}

/// Makes a fault of what the operating system said about thread `name`.
pub fn thread_fault(name: &str) -> impl FnOnce(io::Error) -> StartFault {
    move |source| StartFault::Thread { name: name.to_owned(), source }
}
