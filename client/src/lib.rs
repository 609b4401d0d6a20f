//! The Rust client of Pumice: records over pooled HTTP/2 connections. It runs on the caller's tokio
//! runtime and spawns its connections there. It never sends a write twice.
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
//! [`Error`] is sorted by what the caller can do. Reads are tried again a bounded number of times;
//! a write never is once its bytes may have left, because a second try could apply it twice. A
//! caller who wants to repeat an [`Error::Unknown`] gives the write a [`WriteId`]: the server
//! remembers it and answers a repeat with the first outcome.

mod admin;
mod batch;
mod builder;
mod error;
mod list;
mod meaning;
mod partition;
mod puts;
mod read;
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
pub use write::{Delete, Expect, Put, Wait, Written};

pub use pumice_model::ids::{Offset, Partition, Token, WriteId};
pub use pumice_model::wire::{
    CoreStatus, OutcomeKind, PartitionStatus, Serving, ShardStatus, StatusBody, Timestamp,
};
