//! Sessions: clients that read their own writes from whichever replica answers. They remember one
//! offset a partition, and ask for those of the partitions that they read.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pumice_model::ids::{Offset, Partition, Token};

use crate::builder::Client;

/// A client that sees, in every read, what it wrote before. Used like a [`Client`]; clones go on
/// with the same session.
///
/// ```no_run
/// # async fn example() -> Result<(), pumice_client::Error> {
/// let session = pumice_client::Client::new("http://127.0.0.1:8190")?.session();
/// session.put("AD", "03//Vila", &"Vila").await?;
/// assert!(session.get("AD", "03//Vila").await?.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Session {
    client: Client,
}

/// The highest offset of each partition that a session has written, or read.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    reads_too: bool,
    offsets: Mutex<BTreeMap<Partition, Offset>>,
}

impl Client {
    /// A session of its own, which shares this client's connections: its reads wait, on whatever
    /// replica answers, until its earlier writes are applied there.
    pub fn session(&self) -> Session {
        self.remembering(Seen::default())
    }

    /// The same, whose reads also never go back behind what it has read: once a record was read,
    /// the entry that wrote it is applied wherever its partition is read again.
    pub fn monotonic_session(&self) -> Session {
        self.remembering(Seen { reads_too: true, ..Seen::default() })
    }

    fn remembering(&self, seen: Seen) -> Session {
        let mut client = self.clone();
        client.seen = Some(Arc::new(seen));
        Session { client }
    }

    /// Notes where entries of the session stand.
    pub(crate) fn wrote(&self, tokens: impl IntoIterator<Item = Token>) {
        if let Some(seen) = &self.seen {
            seen.note(tokens);
        }
    }

    /// Notes the entries that wrote the records which the session has read.
    pub(crate) fn has_read(&self, tokens: impl IntoIterator<Item = Token>) {
        if let Some(seen) = self.seen.as_ref().filter(|seen| seen.reads_too) {
            seen.note(tokens);
        }
    }

    /// What must be applied before a read of these pks.
    pub(crate) fn wanted<'k>(&self, pks: impl IntoIterator<Item = &'k str>) -> Vec<Token> {
        if self.seen.is_none() {
            return self.at_least.clone();
        }
        let partitions: Option<Vec<Partition>> =
            pks.into_iter().map(|pk| self.router.partition(pk)).collect();
        self.wanted_of(partitions.as_deref())
    }

    /// What must be applied before a read of these partitions. While it is not known how pks are
    /// placed it may be any, and all that the session has seen is wanted.
    pub(crate) fn wanted_of(&self, partitions: Option<&[Partition]>) -> Vec<Token> {
        let mut wanted: BTreeMap<Partition, Offset> = BTreeMap::new();
        if let Some(seen) = &self.seen {
            let offsets = seen.offsets();
            match partitions {
                Some(these) => {
                    let known = these.iter().filter_map(|one| offsets.get_key_value(one));
                    wanted.extend(known);
                }
                None => wanted.clone_from(&offsets),
            }
        }
        for token in &self.at_least {
            let offset = wanted.entry(token.partition).or_insert(token.offset);
            *offset = token.offset.max(*offset);
        }
        wanted.into_iter().map(|(partition, offset)| Token { partition, offset }).collect()
    }
}

impl Session {
    /// What the session has seen, a token for each partition: for another session or process that
    /// is to go on from here with [`Client::at_least`].
    pub fn tokens(&self) -> Vec<Token> {
        self.client.wanted_of(None)
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Seen {
    fn note(&self, tokens: impl IntoIterator<Item = Token>) {
        let mut offsets = self.offsets();
        for token in tokens {
            let offset = offsets.entry(token.partition).or_insert(token.offset);
            *offset = token.offset.max(*offset);
        }
    }

    fn offsets(&self) -> MutexGuard<'_, BTreeMap<Partition, Offset>> {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
