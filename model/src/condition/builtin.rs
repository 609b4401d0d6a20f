//! (pure) The functions of one value: `len`, `abs`, `int`, `float`.
//! Conversions are exact or fail; nothing is parsed or rounded by the platform's rules.

use super::error::JudgeError;
use super::tree::Function;
use super::value::{Meter, Value};

/// Calls a function.
pub(super) fn call<'a>(
    function: Function,
    argument: &Value<'a>,
    meter: &mut Meter,
) -> Result<Value<'a>, JudgeError> {
    match function {
        Function::Len => len(argument),
        Function::Abs => abs(argument),
        Function::Int => int(argument, meter),
        Function::Float => float(argument, meter),
    }
}

/// Bytes of a string, elements of an array, keys of a map.
fn len<'a>(argument: &Value<'a>) -> Result<Value<'a>, JudgeError> {
    let len = match argument {
        Value::Text(text) => text.len(),
        Value::Array(items) => items.len(),
        Value::Map(map) => map.len(),
        _ => {
            return Err(JudgeError::Operand { what: "len", got: argument.kind() });
        }
    };
    i64::try_from(len).map(Value::Int).map_err(|_| JudgeError::Range)
}

fn abs<'a>(argument: &Value<'a>) -> Result<Value<'a>, JudgeError> {
    match argument {
        Value::Int(value) => value.checked_abs().map(Value::Int).ok_or(JudgeError::Range),
        Value::Float(value) => Ok(Value::Float(value.abs())),
        _ => Err(JudgeError::Operand { what: "abs", got: argument.kind() }),
    }
}

/// A float loses its fraction; a string is a decimal integer with an optional sign.
fn int<'a>(argument: &Value<'a>, meter: &mut Meter) -> Result<Value<'a>, JudgeError> {
    match argument {
        Value::Int(value) => Ok(Value::Int(*value)),
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 64 bits")]
        Value::Float(value) if (-TWO_TO_63..TWO_TO_63).contains(&value.trunc()) => {
            Ok(Value::Int(value.trunc() as i64))
        }
        Value::Float(_) => Err(JudgeError::Range),
        Value::Text(text) => {
            meter.charge_bytes(text.len())?;
            let value = text.parse().map_err(|_| JudgeError::NotANumber { what: "int" })?;
            Ok(Value::Int(value))
        }
        _ => Err(JudgeError::Operand { what: "int", got: argument.kind() }),
    }
}

fn float<'a>(argument: &Value<'a>, meter: &mut Meter) -> Result<Value<'a>, JudgeError> {
    match argument {
        #[expect(clippy::cast_precision_loss, reason = "rounds to the nearest float")]
        Value::Int(value) => Ok(Value::Float(*value as f64)),
        Value::Float(value) => Ok(Value::Float(*value)),
        Value::Text(text) => {
            meter.charge_bytes(text.len())?;
            // The standard parser knows words for infinity and NaN.
            let is_plain = text.bytes().all(|byte| {
                byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E')
            });
            let value = if is_plain { text.parse::<f64>().ok() } else { None };
            let value = value.ok_or(JudgeError::NotANumber { what: "float" })?;
            Value::finite(value)
        }
        _ => Err(JudgeError::Operand { what: "float", got: argument.kind() }),
    }
}

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
