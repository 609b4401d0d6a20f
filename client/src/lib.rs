//! The Rust client of Pumice: records over pooled HTTP/2 connections, straight from the nodes that
//! have them. It runs on the caller's tokio runtime and spawns its connections there. It never lets
//! a write be applied twice.
//!
//! ```no_run
//! use pumice_client::{Batch, Client, Error, Expect};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct City {
//!     name: String,
//!     lat: f64,
//! }
//!
//! # async fn example() -> Result<(), Error> {
//! let client = Client::new("http://127.0.0.1:8190")?;
//!
//! let vila = City { name: "Vila".into(), lat: 42.53 };
//! let written = client.put("AD", "03//Vila", &vila).await?;
//!
//! // Any replica answers; this one waits until it has applied that write.
//! let record = client.at_least(written.token).get("AD", "03//Vila").await?;
//! let read: City = record.expect("just written").json()?;
//! assert_eq!(read.name, "Vila");
//!
//! // Only if nobody wrote it since.
//! match client.put("AD", "03//Vila", &vila).expect(Expect::At(written.token)).await {
//!     Ok(again) => println!("now at offset {}", again.token.offset),
//!     Err(Error::Refused { reason, .. }) => println!("somebody was faster: {reason}"),
//!     Err(other) => return Err(other),
//! }
//!
//! // One partition key, in sk order, page by page behind the scenes.
//! let mut cities = client.list("AD").prefix("03/");
//! while let Some(city) = cities.next().await? {
//!     println!("{} {}", city.record.sk, city.record.data);
//! }
//!
//! // All or nothing.
//! let batch = Batch::new().put("AD", "a", &1).delete("AD", "03//Vila");
//! client.batch(&batch).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Errors and retries
//!
//! [`Error`] is sorted by what the caller can do. Reads are tried again a bounded number of times,
//! on another replica where there is one; [`Builder::timeout`] holds over all tries. A write
//! without a [`WriteId`] is not sent again once its bytes may have left, because a second try could
//! apply it twice. One with a [`WriteId`] is tried again like a read: the servers remember it and
//! answer a repeat with the first outcome. So a caller can repeat an [`Error::Unknown`].
//!
//! # A cluster
//!
//! One address is enough; [`Builder::also`] gives more, for when the first node is down before the
//! client has heard of the others. Beside its first call a client learns which nodes there are and
//! which partitions they have (`GET /v1/routes`). From then on
//!
//! * a call goes straight to a node that serves the partition of its pk, each replica in turn;
//!   those of [`Builder::region`] before others; a node that drains, or could not be reached
//!   lately, only when there is nobody else;
//! * [`Client::get_many`] asks as few nodes as have all the keys, side by side;
//! * [`Client::put_many`] goes to any node, which sends each record on.
//!
//! What was learned is fetched anew beside a call when it is ten seconds old, and when an answer
//! shows that it is wrong: another node answered, nobody could, or a connection broke. That is at
//! most once a second, one fetch at a time. A server that is alone gets every call, as ever.
//!
//! Replicas apply the log at their own pace. [`Client::session`] reads its own writes wherever it
//! asks.

mod admin;
mod batch;
mod builder;
mod error;
mod health;
mod learn;
mod list;
mod many;
mod meaning;
mod partition;
mod puts;
mod read;
mod route;
mod router;
mod session;
mod tls;
mod transport;
mod write;

pub use admin::Namespace;
pub use batch::Batch;
pub use builder::{Builder, Client};
pub use error::Error;
pub use list::{List, Listed};
pub use partition::{PartitionRows, Row};
pub use puts::{PutOutcome, Puts};
pub use read::Record;
pub use session::Session;
pub use write::{Delete, Expect, Put, Wait, Written};

pub use pumice_model::ids::{Offset, Partition, Token, WriteId};
pub use pumice_model::wire::{
    CoreStatus, OutcomeKind, PartitionStatus, Serving, ShardStatus, StatusBody, Timestamp,
};
