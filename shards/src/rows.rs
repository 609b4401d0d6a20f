//! Rows, with their expiry index, their count and their part of the state hash: the four change
//! together here and nowhere else. Runs on the apply thread, inside the batch's transaction.

use pumice_model::ids::Offset;
use pumice_model::key::RowKey;
use pumice_model::row::{NEVER, Row};
use pumice_model::time::Millis;

use crate::apply::Work;
use crate::fault::Fault;
use crate::tables::{expiry_key, split_expiry};

/// What a put writes besides the key.
pub(crate) struct Write<'a> {
    /// Compact JSON text.
    pub data: &'a str,
    pub ttl_ms: Option<u64>,
    /// The entry's own time.
    pub time: Millis,
    pub offset: Offset,
}

/// What must be known of a row that is replaced or goes.
struct Old {
    created_at: Millis,
    expires_at: Millis,
}

impl Work<'_, '_> {
    /// Whether a row came to be where none was visible.
    pub fn put(&mut self, pk: &str, sk: &str, write: &Write<'_>) -> Result<bool, Fault> {
        let old = self.take(pk, sk)?;
        let visible = old.as_ref().filter(|old| old.expires_at > write.time);
        let row = Row {
            created_at: visible.map_or(write.time, |old| old.created_at),
            updated_at: write.time,
            expires_at: write.ttl_ms.map_or(NEVER, |ttl| write.time.saturating_add_unsigned(ttl)),
            offset: write.offset.0,
            data: write.data,
        };
        let created = visible.is_none();
        self.state.sum.add(self.scratch.hasher.row(pk, sk, &row));
        row.encode(&mut self.scratch.row);
        self.tables.rows.put(self.txn, self.scratch.key.bytes(), self.scratch.row.bytes())?;
        let was = old.as_ref().map_or(NEVER, |old| old.expires_at);
        self.move_expiry(was, row.expires_at)?;
        self.state.rows += u64::from(old.is_none());
        Ok(created)
    }

    /// No fault when there is no row.
    pub fn delete(&mut self, pk: &str, sk: &str) -> Result<(), Fault> {
        let Some(old) = self.take(pk, sk)? else { return Ok(()) };
        self.tables.rows.delete(self.txn, self.scratch.key.bytes())?;
        self.move_expiry(old.expires_at, NEVER)?;
        self.state.rows -= 1;
        Ok(())
    }

    /// Removes the row that an expiry key names.
    pub fn reap(&mut self, expiry: &[u8]) -> Result<(), Fault> {
        let named = split_expiry(expiry);
        let key = named.as_ref().and_then(|(time, key)| Some((*time, RowKey::decode(key)?)));
        let Some((time, RowKey { pk, sk, .. })) = key else {
            return Err(Fault::broken(format!("expiry key {expiry:x?}")));
        };
        match self.take(&pk, sk)? {
            Some(old) if old.expires_at == time => {}
            _ => return Err(Fault::broken(format!("no row expires as {expiry:x?} says"))),
        }
        self.tables.rows.delete(self.txn, self.scratch.key.bytes())?;
        self.move_expiry(time, NEVER)?;
        self.state.rows -= 1;
        Ok(())
    }

    /// Looks a row up and takes it out of the state hash; its key stays in the scratch.
    fn take(&mut self, pk: &str, sk: &str) -> Result<Option<Old>, Fault> {
        let key = self.scratch.key.row(self.partition, self.state.generation, pk, sk);
        let Some(bytes) = self.tables.rows.get(self.txn, key)? else { return Ok(None) };
        let row = Row::decode(bytes).map_err(|fault| Fault::broken(fault.to_string()))?;
        self.state.sum.remove(self.scratch.hasher.row(pk, sk, &row));
        Ok(Some(Old { created_at: row.created_at, expires_at: row.expires_at }))
    }

    /// Brings the expiry index after the row whose key is in the scratch.
    fn move_expiry(&mut self, from: Millis, to: Millis) -> Result<(), Fault> {
        if from == to {
            return Ok(());
        }
        let (key, buffer) = (self.scratch.key.bytes(), &mut self.scratch.expiry_key);
        if from != NEVER {
            expiry_key(key, from, buffer);
            if !self.tables.expiry.delete(self.txn, buffer)? {
                return Err(Fault::broken(format!("no expiry key {buffer:x?}")));
            }
        }
        if to != NEVER {
            expiry_key(key, to, buffer);
            self.tables.expiry.put(self.txn, buffer, &[])?;
            self.state.expiry_floor = self.state.expiry_floor.map(|floor| floor.min(to));
        }
        Ok(())
    }
}
