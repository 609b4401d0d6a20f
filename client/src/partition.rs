//! A whole partition, by (pk, sk): what an export reads.

use std::collections::VecDeque;

use http::Method;
use pumice_model::ids::Partition;
use pumice_model::wire::{FireList, FireListRequest, FireRecord, Timestamp};

use crate::builder::Client;
use crate::error::Error;
use crate::transport::{Call, Place};

/// One record of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
    /// The value: the JSON text as it is stored.
    pub data: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was written last.
    pub updated_at: Timestamp,
}

/// A walk through a partition. Each page is read at its own moment: the whole is not one snapshot.
#[derive(Debug)]
#[must_use = "a walk reads nothing until next is called"]
pub struct PartitionRows<'c> {
    client: &'c Client,
    partition: Partition,
    page: u32,
    rows: VecDeque<Row>,
    continuation: Option<String>,
    ended: bool,
}

impl Client {
    /// The records of a whole partition; [`Client::namespace`] says how many partitions there are.
    pub fn list_partition(&self, partition: Partition) -> PartitionRows<'_> {
        PartitionRows {
            client: self,
            partition,
            page: 1_000,
            rows: VecDeque::new(),
            continuation: None,
            ended: false,
        }
    }
}

impl PartitionRows<'_> {
    /// Records a page: 1,000 unless set, at most 10,000.
    pub fn page(mut self, records: u32) -> Self {
        self.page = records.clamp(1, 10_000);
        self
    }

    /// The next record, or `None` at the end.
    ///
    /// # Errors
    /// [`Error::Unavailable`] and [`Error::Invalid`]; after one, another call goes on at the same
    /// place.
    pub async fn next(&mut self) -> Result<Option<Row>, Error> {
        while self.rows.is_empty() && !self.ended {
            self.fetch().await?;
        }
        Ok(self.rows.pop_front())
    }

    async fn fetch(&mut self) -> Result<(), Error> {
        let request = FireListRequest {
            partition: self.partition.0,
            limit: self.page,
            continuation: self.continuation.as_deref().map(Into::into),
        };
        let body = serde_json::to_vec(&request).map_err(Error::invalid)?;
        let call = Call::new(Place::Partition(self.partition), Method::POST, "/records/list");
        let call = call.json(body).at_least(&self.client.wanted_of(Some(&[self.partition])));
        let answer = self.client.router.read(&call).await?;
        let page: FireList = serde_json::from_slice(&answer.body).map_err(Error::protocol)?;
        self.continuation = page.continuation.map(|token| token.into_owned());
        self.ended = self.continuation.is_none();
        self.rows = page.records.into_iter().map(Row::from).collect();
        Ok(())
    }
}

impl From<FireRecord<'_>> for Row {
    fn from(record: FireRecord<'_>) -> Self {
        Self {
            pk: record.pk.into_owned(),
            sk: record.sk.into_owned(),
            data: record.data.get().to_owned(),
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}
