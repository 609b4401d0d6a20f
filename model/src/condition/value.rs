//! (pure) The values of a judgement: borrowed from the row and the statement where they can be,
//! shared otherwise, so that a copy is cheap; and the meter that bounds the work on them.

use std::cmp::Ordering;
use std::ops::Deref;
use std::rc::Rc;

use crate::limits::CONDITION_MAX_STEPS;

use super::error::{JudgeError, Kind};

/// A value. Floats are never NaN: no literal and no JSON number is, and a result that would be
/// is an error.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Text<'a>),
    Array(Rc<[Value<'a>]>),
    Map(Map<'a>),
}

/// A string, borrowed or shared.
#[derive(Clone, Debug)]
pub(super) enum Text<'a> {
    Borrowed(&'a str),
    Shared(Rc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

/// Keys in byte order, each once.
#[derive(Clone, Debug)]
pub(super) struct Map<'a>(Rc<[(Text<'a>, Value<'a>)]>);

impl<'a> Map<'a> {
    /// Of equal keys the last one counts.
    pub(super) fn new(mut pairs: Vec<(Text<'a>, Value<'a>)>) -> Self {
        pairs.sort_by(|left, right| left.0.as_bytes().cmp(right.0.as_bytes()));
        let mut unique: Vec<(Text<'a>, Value<'a>)> = Vec::with_capacity(pairs.len());
        for pair in pairs {
            match unique.last_mut() {
                Some(last) if *last.0 == *pair.0 => *last = pair,
                _ => unique.push(pair),
            }
        }
        Self(unique.into())
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value<'a>> {
        let at = self.0.binary_search_by(|pair| pair.0.as_bytes().cmp(key.as_bytes()));
        at.ok().map(|at| &self.0[at].1)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<'a> Value<'a> {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Nil => Kind::Nil,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) => Kind::Int,
            Self::Float(_) => Kind::Float,
            Self::Text(_) => Kind::String,
            Self::Array(_) => Kind::Array,
            Self::Map(_) => Kind::Map,
        }
    }

    pub(super) fn shared(text: &str) -> Self {
        Self::Text(Text::Shared(text.into()))
    }

    /// The result of arithmetic on floats.
    pub(super) fn finite(value: f64) -> Result<Self, JudgeError> {
        if value.is_finite() { Ok(Self::Float(value)) } else { Err(JudgeError::Range) }
    }

    /// The order of two numbers, exact; `None` if one of them is none.
    pub(super) fn number_order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Some(left.cmp(right)),
            (Self::Float(left), Self::Float(right)) => left.partial_cmp(right),
            (Self::Int(left), Self::Float(right)) => Some(int_float_order(*left, *right)),
            (Self::Float(left), Self::Int(right)) => Some(int_float_order(*right, *left).reverse()),
            _ => None,
        }
    }

    /// Whether two values are equal: numbers by what they are worth, arrays and maps element by
    /// element, values of different kinds never. Costs a step an element.
    pub(super) fn equals(&self, other: &Self, meter: &mut Meter) -> Result<bool, JudgeError> {
        match (self, other) {
            (Self::Nil, Self::Nil) => Ok(true),
            (Self::Bool(left), Self::Bool(right)) => Ok(left == right),
            (Self::Text(left), Self::Text(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                meter.charge_bytes(left.len())?;
                Ok(**left == **right)
            }
            (Self::Array(left), Self::Array(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (left, right) in left.iter().zip(right.iter()) {
                    meter.charge(1)?;
                    if !left.equals(right, meter)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Self::Map(left), Self::Map(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (left, right) in left.0.iter().zip(right.0.iter()) {
                    meter.charge(1)?;
                    meter.charge_bytes(left.0.len())?;
                    if *left.0 != *right.0 || !left.1.equals(&right.1, meter)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(self.number_order(other) == Some(Ordering::Equal)),
        }
    }
}

/// Compares without rounding the integer to a float.
fn int_float_order(int: i64, float: f64) -> Ordering {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if float >= TWO_TO_63 {
        return Ordering::Less;
    }
    if float < -TWO_TO_63 {
        return Ordering::Greater;
    }
    let whole = float.trunc();
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 64 bits")]
    let order = int.cmp(&(whole as i64));
    order.then(if float > whole {
        Ordering::Less
    } else if float < whole {
        Ordering::Greater
    } else {
        Ordering::Equal
    })
}

/// Counts the steps of one judgement, before the work that they stand for is done.
#[derive(Debug, Default)]
pub(super) struct Meter {
    used: usize,
}

impl Meter {
    /// Bytes of a string that are compared, searched or copied in one step.
    const BYTES_PER_STEP: usize = 256;

    pub(super) fn charge(&mut self, steps: usize) -> Result<(), JudgeError> {
        if steps > CONDITION_MAX_STEPS - self.used {
            self.used = CONDITION_MAX_STEPS;
            return Err(JudgeError::Steps);
        }
        self.used += steps;
        Ok(())
    }

    pub(super) fn charge_bytes(&mut self, bytes: usize) -> Result<(), JudgeError> {
        self.charge(bytes / Self::BYTES_PER_STEP)
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }
}
