//! (pure) FireScroll's `if` expressions: a statement is parsed and checked once, then judged
//! against a row, with the same answer on every replica and every platform, for ever.
//! Never panics, never recurses or works without bound, never reads a clock or formats a float.

mod builtin;
mod document;
mod error;
mod judge;
mod lexer;
mod operator;
mod parser;
mod primary;
mod shape;
mod tree;
mod value;

pub use error::{JudgeError, Kind, ParseError};

use crate::limits::CONDITION_MAX_BYTES;

/// The released dialect number that stands in each entry; never changes meaning.
///
/// The dialect is antonmedv/expr v1.12.5 without `..`, `**`, `^`, methods, and patterns that are
/// not literals; strings between back quotes are new. Where it differs on purpose:
///
/// * integers that overflow, floats that are not finite, and division by zero fail;
/// * integers and floats compare by what they are worth, exactly, inside arrays and maps too;
/// * `a + b not in c` is `not (a + b in c)`: there the `not` is lost;
/// * operands of the wrong kind are found when judging, not by the parser.
///
/// The patterns of `matches` are those of regex-lite at the version the workspace pins: that
/// version is a part of the dialect. Reading `data` costs a step for every 16 bytes, so a statement
/// can read up to 160 KB of it; `data == nil` and `data != nil` read nothing.
pub const DIALECT: u8 = 1;

/// A statement that was parsed and checked: within the limits, and a bool by its shape.
#[derive(Debug)]
pub struct Condition {
    root: tree::Node,
}

/// What a condition sees of an existing row.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Partition key.
    pub pk: &'a str,
    /// Sort key.
    pub sk: &'a str,
    /// The stored JSON text; `None` for a row stored without data.
    pub data: Option<&'a str>,
    /// When the row was first written, in milliseconds since 1970 UTC.
    pub created_at: i64,
    /// When the stored version was written, in milliseconds since 1970 UTC.
    pub updated_at: i64,
}

impl Condition {
    /// Parses a statement of the given dialect. The error names the byte where it stands.
    pub fn parse(dialect: u8, text: &str) -> Result<Self, ParseError> {
        if dialect != DIALECT {
            return Err(ParseError::Dialect { dialect });
        }
        if text.len() > CONDITION_MAX_BYTES {
            return Err(ParseError::TooLong { bytes: text.len() });
        }
        let root = parser::parse(text)?;
        if shape::of(&root) != shape::Shape::Bool {
            return Err(ParseError::NotBool);
        }
        Ok(Self { root })
    }

    /// Judges a row; `None` is a missing row, on which every name is nil.
    pub fn judge(&self, row: Option<&Row<'_>>) -> Result<bool, JudgeError> {
        self.judge_counted(row).0
    }

    /// [`judge`](Self::judge), and the steps it took: never more than
    /// [`CONDITION_MAX_STEPS`](crate::limits::CONDITION_MAX_STEPS).
    pub fn judge_counted(&self, row: Option<&Row<'_>>) -> (Result<bool, JudgeError>, usize) {
        judge::judge(&self.root, row)
    }
}
