//! (pure) Why a statement was not accepted, and why judging it failed.
//! The texts travel to clients and stand in outcomes, so they hold nothing that could differ
//! between replicas: no float, no pattern library's own words.

use std::fmt;

use crate::limits::{
    CONDITION_MAX_BYTES, CONDITION_MAX_DEPTH, CONDITION_MAX_NODES, CONDITION_MAX_STEPS,
    JSON_DEPTH_MAX,
};

use super::DIALECT;

/// Why a statement was not accepted. Positions are bytes from the start of the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Written in a dialect that this build does not know.
    #[error("condition dialect {dialect} is not known here, only {DIALECT} is")]
    Dialect {
        /// The number that was asked for.
        dialect: u8,
    },
    /// Longer than [`CONDITION_MAX_BYTES`].
    #[error("condition has {bytes} bytes, the limit is {CONDITION_MAX_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Brackets, calls, unary operators and `?:` nest deeper than [`CONDITION_MAX_DEPTH`].
    #[error("condition nests deeper than {CONDITION_MAX_DEPTH} levels at byte {at}")]
    TooDeep {
        /// Where the level too many begins.
        at: usize,
    },
    /// More parts than [`CONDITION_MAX_NODES`].
    #[error("condition has more than {CONDITION_MAX_NODES} parts")]
    TooManyNodes,
    /// Not a statement of the dialect.
    #[error("condition is wrong at byte {at}: {what}")]
    Syntax {
        /// Where.
        at: usize,
        /// What was wrong or expected there.
        what: &'static str,
    },
    /// Not a bool whatever the row: a bare name, a member, a number, a string.
    #[error("condition is not a bool by its shape: compare it, as in `data.flag == true`")]
    NotBool,
}

/// Why judging a row gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JudgeError {
    /// The whole statement gave something else than a bool.
    #[error("condition gave {got}, not a bool")]
    NotBool {
        /// What it gave.
        got: Kind,
    },
    /// An operator or function met a kind of value that it does not take.
    #[error("`{what}` does not take {got}")]
    Operand {
        /// As it is written in a statement.
        what: &'static str,
        /// What it was given.
        got: Kind,
    },
    /// An operator met two kinds of values that do not go together.
    #[error("`{what}` does not take {left} and {right}")]
    Operands {
        /// As it is written in a statement.
        what: &'static str,
        /// Kind of the left value.
        left: Kind,
        /// Kind of the right value.
        right: Kind,
    },
    /// A member was asked of a value that has none; of nil, most often.
    #[error("{got} has no members")]
    NoMembers {
        /// What it was asked of.
        got: Kind,
    },
    /// An array index or slice outside the array.
    #[error("index out of range")]
    Index,
    /// A slice of a string that begins or ends inside a character.
    #[error("slice cuts a character")]
    Cut,
    /// An integer result outside 64 bits, or a float result that is not finite.
    #[error("number out of range")]
    Range,
    /// `/` or `%` by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// `int` or `float` of a string that holds no such number.
    #[error("`{what}` of a string that is not a number")]
    NotANumber {
        /// The function.
        what: &'static str,
    },
    /// More work than [`CONDITION_MAX_STEPS`].
    #[error("condition takes more than {CONDITION_MAX_STEPS} steps")]
    Steps,
    /// The stored data is not JSON.
    #[error("stored data is not valid JSON")]
    Data,
    /// The stored data nests deeper than [`JSON_DEPTH_MAX`].
    #[error("stored data is nested deeper than {JSON_DEPTH_MAX} levels")]
    DataTooDeep,
}

/// The kinds of values, as errors name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `nil`.
    Nil,
    /// `true` and `false`.
    Bool,
    /// A whole number that fits 64 bits.
    Int,
    /// Any other number.
    Float,
    /// A string.
    String,
    /// A JSON array or `[..]`.
    Array,
    /// A JSON object or `{..}`.
    Map,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nil => "nil",
            Self::Bool => "a bool",
            Self::Int => "an int",
            Self::Float => "a float",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Map => "a map",
        })
    }
}
