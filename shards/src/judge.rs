//! Whether an entry may be made: first its form, which needs no stored row, then its conditions
//! and expects, all against the state before the entry. The first mutation that fails decides.
//! Runs on the apply thread; never writes.

use pumice_model::condition;
use pumice_model::entry::Entry;
use pumice_model::ids::Partition;
use pumice_model::limits::{BATCH_MAX, ENTRY_CONDITIONS_MAX, ENTRY_MAX, ENTRY_STEPS_MAX};
use pumice_model::mutation::{Checked, Expect, Malformed, Mutation};
use pumice_model::outcome::Refusal;
use pumice_model::row::Row;
use pumice_model::time::Millis;

use crate::apply::Work;
use crate::env::Identity;
use crate::fault::Fault;

/// What can be told of an entry without any stored row.
pub(crate) fn form<'m>(
    entry: &'m Entry,
    identity: &Identity,
    partition: Partition,
) -> Result<Vec<Checked<'m>>, Refusal> {
    let conditions = entry.mutations.iter().filter(|mutation| mutation.condition.is_some()).count();
    let many = entry.mutations.len() > BATCH_MAX || conditions > ENTRY_CONDITIONS_MAX;
    if many || entry.encoded_len() > ENTRY_MAX {
        return Err(Refusal::Malformed);
    }
    let check = |mutation: &'m Mutation| {
        let checked = mutation.check(entry.dialect).map_err(|fault| match fault {
            Malformed::Condition(_) => Refusal::ConditionInvalid,
            _ => Refusal::Malformed,
        })?;
        let home = identity.hash.partition(mutation.pk.as_bytes(), identity.partitions);
        if home == partition { Ok(checked) } else { Err(Refusal::Misplaced) }
    };
    entry.mutations.iter().map(check).collect()
}

impl Work<'_, '_> {
    /// Why the entry may not be made, if so.
    pub fn judge(
        &mut self,
        entry: &Entry,
        formed: &[Checked<'_>],
    ) -> Result<Option<Refusal>, Fault> {
        let mut steps = 0;
        for (mutation, checked) in entry.mutations.iter().zip(formed) {
            if mutation.expect == Expect::Any && checked.condition.is_none() {
                continue;
            }
            let row = self.stored(&mutation.pk, &mutation.sk, entry.time)?;
            let refusal = expected(mutation.expect, row.as_ref())
                .or_else(|| judged(checked, mutation, row.as_ref(), &mut steps));
            if refusal.is_some() {
                return Ok(refusal);
            }
        }
        Ok(None)
    }

    /// The row as an entry of this time sees it.
    fn stored(&mut self, pk: &str, sk: &str, time: Millis) -> Result<Option<Row<'_>>, Fault> {
        let key = self.scratch.key.row(self.partition, self.state.generation, pk, sk);
        let Some(bytes) = self.tables.rows.get(self.txn, key)? else { return Ok(None) };
        let row = Row::decode(bytes).map_err(|fault| Fault::broken(fault.to_string()))?;
        Ok(row.visible(time).then_some(row))
    }
}

fn expected(expect: Expect, row: Option<&Row<'_>>) -> Option<Refusal> {
    match (expect, row) {
        (Expect::Absent, Some(_)) => Some(Refusal::ExpectedAbsent),
        (Expect::Exists, None) => Some(Refusal::ExpectedExists),
        (Expect::Offset(_), None) => Some(Refusal::ExpectedOffset),
        (Expect::Offset(offset), Some(row)) if row.written_by() != offset => {
            Some(Refusal::ExpectedOffset)
        }
        _ => None,
    }
}

/// `steps` sums what the entry's conditions took so far; past their limit they count as failed.
fn judged(
    checked: &Checked<'_>,
    mutation: &Mutation,
    row: Option<&Row<'_>>,
    steps: &mut usize,
) -> Option<Refusal> {
    let seen = row.map(|row| condition::Row {
        pk: &mutation.pk,
        sk: &mutation.sk,
        data: Some(row.data),
        created_at: row.created_at,
        updated_at: row.updated_at,
    });
    let (judged, took) = checked.condition.as_ref()?.judge_counted(seen.as_ref());
    *steps += took;
    match judged {
        _ if *steps > ENTRY_STEPS_MAX => Some(Refusal::ConditionError),
        Ok(true) => None,
        Ok(false) => Some(Refusal::ConditionFalse),
        Err(_) => Some(Refusal::ConditionError),
    }
}
