//! (pure) What an entry did. Never an error and never a fault of the machine: those are not
//! part of the log and not alike on every replica.

use std::fmt;

use crate::ids::Token;

/// What an entry did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every mutation of it was made. `created`: at least one put made a row that was not there.
    Applied {
        /// A row came to be.
        created: bool,
    },
    /// None of it was made.
    Refused(Refusal),
    /// This producer's sequence was seen before; nothing was made again.
    Duplicate,
}

/// An outcome and where it stands. For a remembered write id these are the first write's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What the entry did.
    pub outcome: Outcome,
    /// Where it stands in the log.
    pub token: Token,
}

/// Why an entry was refused. The numbers are durable: a remembered write id stores them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// The bytes are no entry.
    Undecodable = 1,
    /// A pk of it belongs to another partition.
    Misplaced = 2,
    /// A key, a value, a time to live or the number of mutations is beyond its limit.
    Malformed = 3,
    /// An `if` does not parse in the entry's dialect.
    ConditionInvalid = 4,
    /// An `if` judged false.
    ConditionFalse = 5,
    /// An `if` could not be judged: a type error, a missing member, too many steps, no bool.
    ConditionError = 6,
    /// The row is there and should not be.
    ExpectedAbsent = 7,
    /// The row is not there and should be.
    ExpectedExists = 8,
    /// The row is not there, or another entry wrote it.
    ExpectedOffset = 9,
}

impl Refusal {
    const ALL: [Self; 9] = [
        Self::Undecodable,
        Self::Misplaced,
        Self::Malformed,
        Self::ConditionInvalid,
        Self::ConditionFalse,
        Self::ConditionError,
        Self::ExpectedAbsent,
        Self::ExpectedExists,
        Self::ExpectedOffset,
    ];

    /// The word for it on the wire and in metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Misplaced => "misplaced",
            Self::Malformed => "malformed",
            Self::ConditionInvalid => "condition-invalid",
            Self::ConditionFalse => "condition-false",
            Self::ConditionError => "condition-error",
            Self::ExpectedAbsent => "expected-absent",
            Self::ExpectedExists => "expected-exists",
            Self::ExpectedOffset => "expected-offset",
        }
    }

    /// Every refusal, for metrics that must show a zero.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Outcome {
    /// The durable byte of an outcome: 0 replaced, 128 created, 127 duplicate, else the refusal.
    pub fn to_byte(self) -> u8 {
        match self {
            Self::Applied { created: false } => 0,
            Self::Applied { created: true } => 128,
            Self::Duplicate => 127,
            Self::Refused(refusal) => refusal as u8,
        }
    }

    /// The outcome of a durable byte; `None` when there is none such.
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Applied { created: false }),
            128 => Some(Self::Applied { created: true }),
            127 => Some(Self::Duplicate),
            other => Refusal::all().find(|r| *r as u8 == other).map(Self::Refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_survives_its_byte() {
        let applied = [false, true].map(|created| Outcome::Applied { created });
        let refused = Refusal::all().map(Outcome::Refused);
        for outcome in applied.into_iter().chain(refused).chain([Outcome::Duplicate]) {
            assert_eq!(Outcome::from_byte(outcome.to_byte()), Some(outcome));
        }
        assert_eq!(Outcome::from_byte(200), None);
    }
}
