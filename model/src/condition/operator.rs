//! (pure) What the operators give for two values.
//! Integer arithmetic is checked, float results are finite, strings are compared as bytes.

use std::cmp::Ordering;

use super::error::JudgeError;
use super::tree::Operator;
use super::value::{Meter, Value};

/// Applies an operator that takes both values.
pub(super) fn apply<'a>(
    operator: Operator,
    left: &Value<'a>,
    right: &Value<'a>,
    meter: &mut Meter,
) -> Result<Value<'a>, JudgeError> {
    let refused =
        || JudgeError::Operands { what: operator.text(), left: left.kind(), right: right.kind() };
    let test = match operator {
        Operator::Equal => left.equals(right, meter)?,
        Operator::NotEqual => !left.equals(right, meter)?,
        Operator::Less => order(left, right, meter)?.ok_or_else(refused)?.is_lt(),
        Operator::LessOrEqual => order(left, right, meter)?.ok_or_else(refused)?.is_le(),
        Operator::Greater => order(left, right, meter)?.ok_or_else(refused)?.is_gt(),
        Operator::GreaterOrEqual => order(left, right, meter)?.ok_or_else(refused)?.is_ge(),
        Operator::In => is_in(left, right, meter)?.ok_or_else(refused)?,
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => {
            text_test(operator, left, right, meter)?.ok_or_else(refused)?
        }
        Operator::Add
        | Operator::Subtract
        | Operator::Multiply
        | Operator::Divide
        | Operator::Modulo => return arithmetic(operator, left, right, meter, refused),
    };
    Ok(Value::Bool(test))
}

fn order(
    left: &Value<'_>,
    right: &Value<'_>,
    meter: &mut Meter,
) -> Result<Option<Ordering>, JudgeError> {
    let (Value::Text(left), Value::Text(right)) = (left, right) else {
        return Ok(left.number_order(right));
    };
    meter.charge_bytes(left.len().min(right.len()))?;
    Ok(Some(left.as_bytes().cmp(right.as_bytes())))
}

/// An element of an array, or a key of a map; nothing is in nil, and nil is no key.
fn is_in(
    needle: &Value<'_>,
    hay: &Value<'_>,
    meter: &mut Meter,
) -> Result<Option<bool>, JudgeError> {
    match (needle, hay) {
        (_, Value::Nil) | (Value::Nil, Value::Map(_)) => Ok(Some(false)),
        (_, Value::Array(items)) => {
            for item in items.iter() {
                meter.charge(1)?;
                if needle.equals(item, meter)? {
                    return Ok(Some(true));
                }
            }
            Ok(Some(false))
        }
        (Value::Text(key), Value::Map(map)) => {
            meter.charge_bytes(key.len())?;
            Ok(Some(map.get(key).is_some()))
        }
        _ => Ok(None),
    }
}

fn text_test(
    operator: Operator,
    left: &Value<'_>,
    right: &Value<'_>,
    meter: &mut Meter,
) -> Result<Option<bool>, JudgeError> {
    let (Value::Text(text), Value::Text(part)) = (left, right) else {
        return Ok(None);
    };
    if part.len() > text.len() {
        return Ok(Some(false));
    }
    if operator == Operator::Contains {
        meter.charge_bytes(text.len())?;
        return Ok(Some(text.contains(&**part)));
    }
    meter.charge_bytes(part.len())?;
    Ok(Some(match operator {
        Operator::StartsWith => text.starts_with(&**part),
        _ => text.ends_with(&**part),
    }))
}

fn arithmetic<'a>(
    operator: Operator,
    left: &Value<'a>,
    right: &Value<'a>,
    meter: &mut Meter,
    refused: impl Fn() -> JudgeError,
) -> Result<Value<'a>, JudgeError> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) if operator != Operator::Divide => {
            ints(operator, *left, *right)
        }
        (Value::Text(left), Value::Text(right)) if operator == Operator::Add => {
            meter.charge_bytes(left.len() + right.len())?;
            Ok(Value::shared(&[&**left, &**right].concat()))
        }
        _ => match (as_float(left), as_float(right)) {
            (Some(left), Some(right)) if operator != Operator::Modulo => {
                floats(operator, left, right)
            }
            _ => Err(refused()),
        },
    }
}

fn ints<'a>(operator: Operator, left: i64, right: i64) -> Result<Value<'a>, JudgeError> {
    let result = match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        _ if right == 0 => return Err(JudgeError::DivisionByZero),
        // Only the remainder is left; the smallest integer by -1 has the remainder 0.
        _ => Some(left.wrapping_rem(right)),
    };
    result.map(Value::Int).ok_or(JudgeError::Range)
}

fn floats<'a>(operator: Operator, left: f64, right: f64) -> Result<Value<'a>, JudgeError> {
    Value::finite(match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        _ if right == 0.0 => return Err(JudgeError::DivisionByZero),
        _ => left / right,
    })
}

/// A number as a float, rounded to the nearest one.
fn as_float(value: &Value<'_>) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "mixed arithmetic is in floats")]
        Value::Int(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        _ => None,
    }
}
