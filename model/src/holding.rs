//! (pure) What a node does with a partition, as it tells its peers. The words of the cluster; how
//! one leads to another is decided by the server.

use std::fmt;

/// How a node holds one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum Holding {
    /// Not at all: what it has of it, if anything, is going.
    #[default]
    Absent = 0,
    /// A snapshot, a peer's rows, or the log from its beginning is on its way in.
    Restoring = 1,
    /// It has a state, older than the log's head was when it began.
    CatchingUp = 2,
    /// It answers reads.
    Serving = 3,
    /// It still answers reads, and others have been told not to ask.
    Draining = 4,
    /// It can follow no more: it answers with its last state where nobody else has one.
    Broken = 5,
}

impl Holding {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Absent,
        Self::Restoring,
        Self::CatchingUp,
        Self::Serving,
        Self::Draining,
        Self::Broken,
    ];

    /// Whether a read is answered from it without looking further.
    pub fn answers(self) -> bool {
        matches!(self, Self::Serving | Self::Draining)
    }

    /// Whether it has some state to answer from when nobody has a better one.
    pub fn has_state(self) -> bool {
        !matches!(self, Self::Absent | Self::Restoring)
    }

    /// Its word in JSON and in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Restoring => "restoring",
            Self::CatchingUp => "catching-up",
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Broken => "broken",
        }
    }

    /// The holding of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|holding| holding.word() == word)
    }

    /// The holding of a number, as `as u8` gives it.
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|holding| *holding as u8 == number)
    }
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_lead_back() {
        for holding in Holding::ALL {
            assert_eq!(Holding::parse(holding.word()), Some(holding));
            assert_eq!(Holding::of(holding as u8), Some(holding));
        }
        assert_eq!(Holding::parse("gone"), None);
        assert_eq!(Holding::of(6), None);
    }
}
