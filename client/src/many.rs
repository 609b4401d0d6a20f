//! Reads of many records of any partitions in one call: one request to each node that is needed,
//! side by side, and the records put together in the order asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use pumice_model::ids::Partition;
use pumice_model::wire::{self, GetKey, GetRequest, GetResponse, GotRecord, parse_etag};
use tokio::task::JoinSet;

use crate::builder::Client;
use crate::error::Error;
use crate::read::Record;
use crate::route::Node;
use crate::transport::{Answer, Call, Place};

/// Requests of one call that are under way at once.
const SIDE_BY_SIDE: usize = 16;

/// What one node is asked for.
struct Part {
    node: Arc<Node>,
    partitions: Vec<Partition>,
    // Places in the caller's keys.
    keys: Vec<usize>,
}

impl Client {
    /// The records of `keys`, in their order, `None` where there is none. At most 10,000 keys, of
    /// any partitions.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when any of them cannot be read, and [`Error::Invalid`].
    pub async fn get_many<P, S>(&self, keys: &[(P, S)]) -> Result<Vec<Option<Record>>, Error>
    where
        P: AsRef<str>,
        S: AsRef<str>,
    {
        let keys: Vec<_> = keys.iter().map(|(pk, sk)| (pk.as_ref(), sk.as_ref())).collect();
        let parts = self.parts(&keys);
        let mut records = vec![None; keys.len()];
        match &parts[..] {
            [] => {
                let every: Vec<usize> = (0..keys.len()).collect();
                let wanted = self.wanted(keys.iter().map(|(pk, _)| *pk));
                let call = request(Place::Anyone, &keys, &every)?.at_least(&wanted);
                take(&self.router.read(&call).await?, &every, &mut records)?;
            }
            [one] => {
                let call = self.part_request(one, &keys)?;
                let deadline = self.router.deadline();
                let answer = self.router.read_at(one.node.clone(), &call, deadline).await?;
                take(&answer, &one.keys, &mut records)?;
            }
            _ => self.side_by_side(parts, &keys, &mut records).await?,
        }
        self.has_read(records.iter().flatten().map(|record| record.token));
        Ok(records)
    }

    async fn side_by_side(
        &self,
        parts: Vec<Part>,
        keys: &[(&str, &str)],
        records: &mut [Option<Record>],
    ) -> Result<(), Error> {
        let deadline = self.router.deadline();
        let mut waiting = parts.into_iter();
        // Dropped with this call, and then its requests end too.
        let mut under_way = JoinSet::new();
        loop {
            for part in waiting.by_ref().take(SIDE_BY_SIDE - under_way.len()) {
                let (router, call) = (self.router.clone(), self.part_request(&part, keys)?);
                under_way.spawn(async move {
                    let answer = router.read_at(part.node, &call, deadline).await;
                    answer.map(|answer| (answer, part.keys))
                });
            }
            let Some(answered) = under_way.join_next().await else { return Ok(()) };
            let (answer, asked) = answered.map_err(Error::unavailable)??;
            take(&answer, &asked, records)?;
        }
    }

    // Few nodes rather than many: whoever is asked for one partition is asked for all that it has.
    // None while it is not known who has what.
    fn parts(&self, keys: &[(&str, &str)]) -> Vec<Part> {
        let routes = self.router.routes();
        let mut of_partition: BTreeMap<Partition, Vec<usize>> = BTreeMap::new();
        for (at, (pk, _)) in keys.iter().enumerate() {
            match routes.partition(pk) {
                Some(partition) if routes.is_cluster() => {
                    of_partition.entry(partition).or_default().push(at);
                }
                _ => return Vec::new(),
            }
        }
        let (mut parts, mut chosen): (Vec<Part>, Vec<Arc<Node>>) = (Vec::new(), Vec::new());
        for (partition, keys) in of_partition {
            let node = routes.pick_among(partition, &chosen);
            match parts.iter_mut().find(|part| Arc::ptr_eq(&part.node, &node)) {
                Some(part) => {
                    part.partitions.push(partition);
                    part.keys.extend(keys);
                }
                None => {
                    chosen.push(node.clone());
                    parts.push(Part { node, partitions: vec![partition], keys });
                }
            }
        }
        parts.iter_mut().for_each(|part| part.keys.sort_unstable());
        parts
    }

    fn part_request(&self, part: &Part, keys: &[(&str, &str)]) -> Result<Call, Error> {
        // Whoever has the first of them knows who has the others, should the node fail.
        let place = part.partitions.first().map_or(Place::Anyone, |p| Place::Partition(*p));
        Ok(request(place, keys, &part.keys)?.at_least(&self.wanted_of(Some(&part.partitions))))
    }
}

fn request(place: Place, keys: &[(&str, &str)], asked: &[usize]) -> Result<Call, Error> {
    let key = |at: &usize| GetKey { pk: keys[*at].0.into(), sk: keys[*at].1.into() };
    let request = GetRequest { keys: asked.iter().map(key).collect() };
    let body = serde_json::to_vec(&request).map_err(Error::invalid)?;
    Ok(Call::new(place, Method::POST, "/v1/records:get").json(body))
}

/// Puts the records of an answer where the caller asked for them.
fn take(answer: &Answer, asked: &[usize], records: &mut [Option<Record>]) -> Result<(), Error> {
    if let Some(indexes) = answer.field(wire::UNAVAILABLE) {
        let ours = wire::parse_indexes(indexes, asked.len()).unwrap_or_default();
        let ours = wire::format_indexes(ours.iter().filter_map(|at| asked.get(*at).copied()));
        let which = if ours.is_empty() { "some" } else { &ours };
        return Err(Error::unavailable(format!("keys {which} could not be read")));
    }
    let response: GetResponse = serde_json::from_slice(&answer.body).map_err(Error::protocol)?;
    if response.records.len() != asked.len() {
        let got = response.records.len();
        return Err(Error::protocol(format!("{got} records for {} keys", asked.len())));
    }
    for (got, at) in response.records.into_iter().zip(asked) {
        records[*at] = found(got)?;
    }
    Ok(())
}

fn found(got: GotRecord<'_>) -> Result<Option<Record>, Error> {
    if !got.found {
        return Ok(None);
    }
    Ok(Some(Record {
        pk: got.pk.into_owned(),
        sk: got.sk.into_owned(),
        // An optional field that holds `null` reads as absent; `found` says that it is a value.
        data: got.data.map_or_else(|| "null".to_owned(), |data| data.get().to_owned()),
        token: parse_etag(&got.etag.unwrap_or_default()).map_err(Error::protocol)?,
    }))
}
