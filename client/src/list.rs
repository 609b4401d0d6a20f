//! The records of one pk, in sk order, page after page.

use std::collections::VecDeque;

use http::Method;
use pumice_model::wire::{ListResponse, ListedRecord, Timestamp, parse_etag};

use crate::builder::Client;
use crate::error::Error;
use crate::read::{Record, encoded};
use crate::transport::{Call, Place};

/// One record of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The record.
    pub record: Record,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was written last.
    pub updated_at: Timestamp,
    /// When it stops to exist, for a record with a time to live.
    pub expires_at: Option<Timestamp>,
}

/// A listing under way. Each page is read at its own moment: the whole is not one snapshot.
#[derive(Debug)]
#[must_use = "a listing reads nothing until next is called"]
pub struct List<'c> {
    client: &'c Client,
    pk: String,
    path: String,
    query: Vec<(&'static str, String)>,
    page: usize,
    left: usize,
    rows: VecDeque<Listed>,
    next: Next,
}

#[derive(Debug)]
enum Next {
    First,
    Page(String),
    End,
}

impl Client {
    /// The records of `pk`.
    pub fn list(&self, pk: &str) -> List<'_> {
        List {
            client: self,
            pk: pk.to_owned(),
            path: format!("/v1/records/{}", encoded(pk)),
            query: Vec::new(),
            page: 1_000,
            left: usize::MAX,
            rows: VecDeque::new(),
            next: Next::First,
        }
    }
}

impl List<'_> {
    /// Only sks that start with this.
    pub fn prefix(self, prefix: &str) -> Self {
        self.with("prefix", prefix)
    }

    /// Only sks greater than this.
    pub fn after(self, sk: &str) -> Self {
        self.with("after", sk)
    }

    /// Only sks smaller than this.
    pub fn before(self, sk: &str) -> Self {
        self.with("before", sk)
    }

    /// Greatest sk first.
    pub fn reverse(self) -> Self {
        self.with("reverse", "true")
    }

    /// At most this many records in all.
    pub fn limit(mut self, records: usize) -> Self {
        self.left = records;
        self
    }

    /// Records a page: 1,000 unless set, at most 10,000.
    pub fn page(mut self, records: usize) -> Self {
        self.page = records.clamp(1, 10_000);
        self
    }

    /// The next record, or `None` at the end.
    ///
    /// # Errors
    /// [`Error::Unavailable`] and [`Error::Invalid`]; after one, another call goes on at the same
    /// place.
    pub async fn next(&mut self) -> Result<Option<Listed>, Error> {
        while self.rows.is_empty() && self.left > 0 && !matches!(self.next, Next::End) {
            self.fetch().await?;
        }
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        Ok(self.rows.pop_front())
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.query.push((name, value.to_owned()));
        self
    }

    async fn fetch(&mut self) -> Result<(), Error> {
        let mut path = format!("{}?limit={}", self.path, self.page.min(self.left));
        for (name, value) in &self.query {
            path.push_str(&format!("&{name}={}", encoded(value)));
        }
        if let Next::Page(token) = &self.next {
            path.push_str(&format!("&next={}", encoded(token)));
        }
        let call = Call::new(Place::Pk(self.pk.clone()), Method::GET, path);
        let call = call.at_least(&self.client.wanted([self.pk.as_str()]));
        let answer = self.client.router.read(&call).await?;
        let page: ListResponse = serde_json::from_slice(&answer.body).map_err(Error::protocol)?;
        self.next = match page.next {
            Some(token) => Next::Page(token.into_owned()),
            None => Next::End,
        };
        self.rows = page.records.into_iter().map(listed).collect::<Result<_, _>>()?;
        self.client.has_read(self.rows.iter().map(|row| row.record.token));
        Ok(())
    }
}

fn listed(row: ListedRecord<'_>) -> Result<Listed, Error> {
    let record = Record {
        pk: row.pk.into_owned(),
        sk: row.sk.into_owned(),
        data: row.data.get().to_owned(),
        token: parse_etag(&row.etag).map_err(Error::protocol)?,
    };
    let ListedRecord { created_at, updated_at, expires_at, .. } = row;
    Ok(Listed { record, created_at, updated_at, expires_at })
}
