//! (pure) One change to one row, with what must hold for it.

use std::borrow::Cow;

use crate::condition::{Condition, ParseError};
use crate::ids::Offset;
use crate::json::{JsonFault, compact};
use crate::limits::{PK_MAX, PK_MIN, SK_MAX, TTL_MAX_MS, VALUE_MAX};

/// A put or a delete of the row (pk, sk).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// The partition key, 1 to 512 bytes of UTF-8.
    pub pk: String,
    /// The sort key, 0 to 1,024 bytes of UTF-8.
    pub sk: String,
    /// What happens to the row.
    pub change: Change,
    /// An `if` statement in the entry's dialect that must judge true.
    pub condition: Option<String>,
    /// What must be known of the stored row; holds together with `condition`.
    pub expect: Expect,
}

/// What happens to the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The row is replaced, or made.
    Put {
        /// JSON text; stored without the whitespace outside strings.
        data: String,
        /// Milliseconds after the entry's time at which the row is gone.
        ttl_ms: Option<u64>,
    },
    /// The row goes; no fault when there is none.
    Delete,
}

/// A precondition on the stored row that needs no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Expect {
    /// Anything.
    #[default]
    Any,
    /// There is no row.
    Absent,
    /// There is a row.
    Exists,
    /// There is a row, and the entry at this offset wrote it.
    Offset(Offset),
}

/// Why a mutation can never be applied, whatever is stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The partition key is empty or too long.
    #[error("pk has {0} bytes, allowed are {PK_MIN} to {PK_MAX}")]
    Pk(usize),
    /// The sort key is too long.
    #[error("sk has {0} bytes, allowed are 0 to {SK_MAX}")]
    Sk(usize),
    /// The value is too long.
    #[error("data has {0} bytes, allowed are {VALUE_MAX}")]
    DataSize(usize),
    /// The value is not JSON, or nested too deep.
    #[error(transparent)]
    Data(#[from] JsonFault),
    /// The time to live is zero or beyond a hundred years.
    #[error("ttl is {0} ms, allowed are 1 to {TTL_MAX_MS}")]
    Ttl(u64),
    /// The `if` statement is not one.
    #[error("error compiling `if` statement: {0}")]
    Condition(ParseError),
}

impl Mutation {
    /// An unconditional put without a time to live.
    pub fn put(pk: impl Into<String>, sk: impl Into<String>, data: impl Into<String>) -> Self {
        let change = Change::Put { data: data.into(), ttl_ms: None };
        Self { pk: pk.into(), sk: sk.into(), change, condition: None, expect: Expect::Any }
    }

    /// An unconditional delete.
    pub fn delete(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        let (pk, sk) = (pk.into(), sk.into());
        Self { pk, sk, change: Change::Delete, condition: None, expect: Expect::Any }
    }

    /// Checks everything that needs no stored row. The door and apply share it, so the log can
    /// never hold what the door would accept differently.
    pub fn check(&self, dialect: u8) -> Result<Checked<'_>, Malformed> {
        check_keys(&self.pk, &self.sk)?;
        let data = match &self.change {
            Change::Put { data, ttl_ms } => {
                let data = compact(data)?;
                if data.len() > VALUE_MAX {
                    return Err(Malformed::DataSize(data.len()));
                }
                if let Some(ttl) = ttl_ms.filter(|ttl| !(1..=TTL_MAX_MS).contains(ttl)) {
                    return Err(Malformed::Ttl(ttl));
                }
                Some(data)
            }
            Change::Delete => None,
        };
        let text = self.condition.as_deref();
        let condition = text.map(|text| Condition::parse(dialect, text)).transpose();
        Ok(Checked { data, condition: condition.map_err(Malformed::Condition)? })
    }

    /// [`Mutation::check`], with `data` brought into its stored form and the parsed condition
    /// handed back.
    pub fn normalise(&mut self, dialect: u8) -> Result<Option<Condition>, Malformed> {
        let Checked { data: stored, condition } = self.check(dialect)?;
        if let Some(Cow::Owned(shorter)) = stored
            && let Change::Put { data, .. } = &mut self.change
        {
            *data = shorter;
        }
        Ok(condition)
    }
}

/// What a well-formed mutation holds.
#[derive(Debug)]
pub struct Checked<'m> {
    /// The JSON text of a put as it is stored.
    pub data: Option<Cow<'m, str>>,
    /// The parsed `if`.
    pub condition: Option<Condition>,
}

/// The limits of keys, for reads and writes alike.
pub fn check_keys(pk: &str, sk: &str) -> Result<(), Malformed> {
    if !(PK_MIN..=PK_MAX).contains(&pk.len()) {
        return Err(Malformed::Pk(pk.len()));
    }
    if sk.len() > SK_MAX {
        return Err(Malformed::Sk(sk.len()));
    }
    Ok(())
}
