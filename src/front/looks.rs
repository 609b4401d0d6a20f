//! Reads of one record that came in one receive: noted as the connection finds them, then answered
//! together, one read transaction a shard. One a core; must not allocate for a read, once its
//! buffers have grown to what a receive brings.

use std::time::Instant;

use pumice_model::ids::{Partition, Token};
use pumice_model::mutation::check_keys;
use pumice_model::row::Row;
use pumice_model::time::{Millis, push_http_date};
use pumice_model::wire;
use pumice_shards::{Fault, Rows};

use super::context::Context;
use super::problem::Problem;
use super::target::decode_onto;
use crate::net::{Field, Short};
use crate::stats::progress::Lag;
use crate::stats::route::{Route, STATUSES, status_index};

/// The content type of every answer to a look.
pub const JSON: &str = "application/json";

/// Reads noted and not answered yet, and the buffers they are answered with.
#[derive(Default)]
pub struct Looks {
    keys: String,
    /// The key that is being decoded.
    decoded: Vec<u8>,
    looks: Vec<Look>,
    /// Numbers of the looks into one shard.
    of_shard: Vec<usize>,
    /// One for each shard, by its number.
    rows: Vec<Rows>,
    fields: Fields,
}

/// One read: where its keys lie, and whose they are.
#[derive(Clone, Copy)]
struct Look {
    shard: usize,
    partition: Partition,
    pk: usize,
    sk: usize,
    end: usize,
}

/// The texts of an answer's fields.
#[derive(Default)]
struct Fields {
    etag: String,
    date: String,
    lag: itoa::Buffer,
    /// This node's name, where there are others.
    node: String,
}

impl Looks {
    /// Notes a read of one record without parameters; false when `target` is anything else, or
    /// nothing that a look can answer.
    pub fn note(&mut self, context: &Context, target: &str) -> bool {
        let start = self.keys.len();
        let look = take(&mut self.keys, &mut self.decoded, target, context);
        match look {
            Some(look) => self.looks.push(look),
            None => self.keys.truncate(start),
        }
        look.is_some()
    }

    /// Answers what was noted.
    pub fn answer(&mut self, context: &Context, reply: &mut dyn FnMut(usize, &Short<'_>)) {
        let Self { keys, looks, of_shard, rows, fields, .. } = self;
        let began = Instant::now();
        rows.resize_with(context.readers.len(), Rows::default);
        fields.node.clear();
        if let Some(routes) = &*context.routes.borrow() {
            fields.node.push_str(routes.nodes.get(routes.me).map_or("", |me| &me.id));
        }
        let mut counts = [0; STATUSES.len()];
        let mut reply = |number: usize, short: &Short<'_>| {
            counts[status_index(short.status)] += 1;
            reply(number, short);
        };
        for (shard, rows) in rows.iter_mut().enumerate() {
            of_shard.clear();
            of_shard.extend((0..looks.len()).filter(|&number| looks[number].shard == shard));
            if of_shard.is_empty() {
                continue;
            }
            let mut answered = 0;
            let read = context.read_shard(shard, |view, now| {
                let wanted = of_shard.iter().map(|&number| looks[number].wanted(keys));
                view.rows(rows, wanted, |nth, row| {
                    let number = of_shard[nth];
                    answered = nth + 1;
                    looks[number].answer(context, row, now, fields, |short| reply(number, short));
                })
            });
            if let Err(problem) = read.and_then(|read| Ok(read?)) {
                for &number in &of_shard[answered..] {
                    problem.shortly(&[], |short| reply(number, short));
                }
            }
        }
        context.stats.answered_together(Route::Get, &counts, began.elapsed());
        looks.clear();
        keys.clear();
    }
}

/// Decodes the keys of a path onto `keys`; `None` when they are none, or need more than a look to
/// be told so.
fn take(keys: &mut String, decoded: &mut Vec<u8>, target: &str, context: &Context) -> Option<Look> {
    let start = keys.len();
    let middle = read_keys(keys, decoded, target)?;
    let partition = context.partition(&keys[start..middle]);
    if !context.answers(partition) {
        return None;
    }
    let shard = context.shard(partition);
    Some(Look { shard, partition, pk: start, sk: middle, end: keys.len() })
}

/// Decodes the keys of a path to the end of `keys`: where the sk begins. `None`, with anything
/// added, when the path has none.
pub fn read_keys(keys: &mut String, decoded: &mut Vec<u8>, target: &str) -> Option<usize> {
    let (pk, sk) = target.strip_prefix("/v1/records/")?.split_once('/')?;
    let start = keys.len();
    decode_onto(keys, decoded, pk)?;
    let middle = keys.len();
    decode_onto(keys, decoded, sk)?;
    check_keys(&keys[start..middle], &keys[middle..]).ok()?;
    Some(middle)
}

impl Look {
    fn wanted<'k>(&self, keys: &'k str) -> (Partition, &'k str, &'k str) {
        (self.partition, &keys[self.pk..self.sk], &keys[self.sk..self.end])
    }

    fn answer(
        &self,
        context: &Context,
        row: Result<Option<Row<'_>>, Fault>,
        now: Millis,
        fields: &mut Fields,
        reply: impl FnOnce(&Short<'_>),
    ) {
        let row = context
            .has_state(self.partition)
            .and_then(|()| Ok(row?))
            .map(|row| row.filter(|row| row.visible(now)));
        let Fields { etag, date, lag, node } = fields;
        let late = match context.lag(self.partition) {
            Lag::None => None,
            Lag::Unknown => Some("unknown"),
            Lag::Ms(ms) => Some(lag.format(ms)),
        };
        let late = late.map(|late| (wire::LAG_MS, late.as_bytes()));
        let node = (!node.is_empty()).then_some((wire::NODE, node.as_bytes()));
        let mut fields: [Field<'_>; 4] = Default::default();
        let mut count = 2;
        for field in [late, node].into_iter().flatten() {
            fields[count] = field;
            count += 1;
        }
        match row {
            Ok(Some(row)) => {
                etag.clear();
                let (partition, offset) = (self.partition, row.written_by());
                wire::push_etag(etag, Token { partition, offset });
                date.clear();
                push_http_date(date, row.updated_at);
                fields[0] = ("etag", etag.as_bytes());
                fields[1] = ("last-modified", date.as_bytes());
                let (fields, body) = (&fields[..count], row.data.as_bytes());
                reply(&Short { status: 200, content_type: JSON, fields, body });
            }
            // That a record is not there is as old as one that is.
            Ok(None) => Problem::no_record().shortly(&fields[2..count], reply),
            Err(problem) => problem.shortly(&fields[2..count], reply),
        }
    }
}
