//! (pure) Walks the tree over one row and counts every step.
//! Recursion is as deep as the tree, which the parser bounds; `data` is read at most once.

use regex_lite::Regex;

use super::Row;
use super::error::JudgeError;
use super::tree::{EachFunction, Field, Node, Operator, Step};
use super::value::{Map, Meter, Text, Value};
use super::{builtin, document, operator};

/// Bytes of a row's data that are read in one step. With the limit of steps a condition reads data
/// of up to 160 KB, in under two milliseconds; whether there is data it can ask of any row.
const DATA_BYTES_PER_STEP: usize = 16;

/// Judges a row, and tells the steps it took.
pub(super) fn judge(root: &Node, row: Option<&Row<'_>>) -> (Result<bool, JudgeError>, usize) {
    let mut judge = Judge { row, data: None, items: Vec::new(), meter: Meter::default() };
    let answer = match judge.value(root) {
        Ok(Value::Bool(answer)) => Ok(answer),
        Ok(other) => Err(JudgeError::NotBool { got: other.kind() }),
        Err(error) => Err(error),
    };
    (answer, judge.meter.used())
}

struct Judge<'a> {
    row: Option<&'a Row<'a>>,
    /// The stored data once it has been asked for.
    data: Option<Value<'a>>,
    /// What the open closures look at, the innermost last.
    items: Vec<Value<'a>>,
    meter: Meter,
}

impl<'a> Judge<'a> {
    fn value(&mut self, node: &'a Node) -> Result<Value<'a>, JudgeError> {
        self.meter.charge(1)?;
        Ok(match node {
            Node::Nil => Value::Nil,
            Node::Bool(value) => Value::Bool(*value),
            Node::Int(value) => Value::Int(*value),
            Node::Float(value) => Value::Float(*value),
            Node::Text(text) => Value::Text(Text::Borrowed(text)),
            Node::Field(field) => self.field(*field)?,
            Node::Item => self.items.last().cloned().unwrap_or(Value::Nil),
            Node::Array(items) => self.array(items)?,
            Node::Map(pairs) => self.map(pairs)?,
            Node::Path { base, steps } => self.path(base, steps)?,
            Node::Not(of) => Value::Bool(!self.bool(of, "not")?),
            Node::Sign { negative, of } => self.sign(*negative, of)?,
            Node::And(left, right) => {
                Value::Bool(self.bool(left, "and")? && self.bool(right, "and")?)
            }
            Node::Or(left, right) => Value::Bool(self.bool(left, "or")? || self.bool(right, "or")?),
            Node::Coalesce(left, right) => match self.value(left)? {
                Value::Nil => self.value(right)?,
                value => value,
            },
            Node::Binary { operator: Operator::Equal, left, right }
                if self.asks_for_data(left, right) =>
            {
                Value::Bool(self.has_no_data())
            }
            Node::Binary { operator: Operator::NotEqual, left, right }
                if self.asks_for_data(left, right) =>
            {
                Value::Bool(!self.has_no_data())
            }
            Node::Binary { operator, left, right } => {
                let left = self.value(left)?;
                let right = self.value(right)?;
                operator::apply(*operator, &left, &right, &mut self.meter)?
            }
            Node::Matches { text, pattern } => Value::Bool(self.matches(text, pattern)?),
            Node::Choose { cond, yes, no } => match (self.bool(cond, "?:")?, yes) {
                (true, Some(yes)) => self.value(yes)?,
                (true, None) => Value::Bool(true),
                (false, _) => self.value(no)?,
            },
            Node::Call { function, argument } => {
                let argument = self.value(argument)?;
                builtin::call(*function, &argument, &mut self.meter)?
            }
            Node::Each { function, list, body } => self.each(*function, list, body)?,
        })
    }

    fn bool(&mut self, node: &'a Node, what: &'static str) -> Result<bool, JudgeError> {
        match self.value(node)? {
            Value::Bool(value) => Ok(value),
            other => Err(JudgeError::Operand { what, got: other.kind() }),
        }
    }

    fn field(&mut self, field: Field) -> Result<Value<'a>, JudgeError> {
        let Some(row) = self.row else {
            return Ok(Value::Nil);
        };
        Ok(match field {
            Field::Pk => Value::Text(Text::Borrowed(row.pk)),
            Field::Sk => Value::Text(Text::Borrowed(row.sk)),
            Field::CreatedAt => Value::Int(row.created_at),
            Field::UpdatedAt => Value::Int(row.updated_at),
            Field::Data => match (&self.data, row.data) {
                (Some(read), _) => read.clone(),
                (None, None) => Value::Nil,
                (None, Some(text)) => {
                    self.meter.charge(text.len() / DATA_BYTES_PER_STEP)?;
                    self.data.insert(document::read(text)?).clone()
                }
            },
        })
    }

    /// Whether data is compared with nil: put-if-absent, which must not cost the reading of a large
    /// document.
    fn asks_for_data(&self, left: &Node, right: &Node) -> bool {
        matches!(
            (left, right),
            (Node::Field(Field::Data), Node::Nil) | (Node::Nil, Node::Field(Field::Data))
        )
    }

    fn has_no_data(&self) -> bool {
        self.row.and_then(|row| row.data).is_none_or(|text| text.trim() == "null")
    }

    fn array(&mut self, items: &'a [Node]) -> Result<Value<'a>, JudgeError> {
        let items = items.iter().map(|item| self.value(item));
        Ok(Value::Array(items.collect::<Result<_, _>>()?))
    }

    fn map(&mut self, pairs: &'a [(Node, Node)]) -> Result<Value<'a>, JudgeError> {
        let mut map = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            match self.value(key)? {
                Value::Text(key) => map.push((key, self.value(value)?)),
                other => {
                    return Err(JudgeError::Operand { what: "{}", got: other.kind() });
                }
            }
        }
        Ok(Value::Map(Map::new(map)))
    }

    fn sign(&mut self, negative: bool, of: &'a Node) -> Result<Value<'a>, JudgeError> {
        match self.value(of)? {
            Value::Int(value) if negative => {
                value.checked_neg().map(Value::Int).ok_or(JudgeError::Range)
            }
            Value::Float(value) if negative => Ok(Value::Float(-value)),
            value @ (Value::Int(_) | Value::Float(_)) => Ok(value),
            other => {
                let what = if negative { "-" } else { "+" };
                Err(JudgeError::Operand { what, got: other.kind() })
            }
        }
    }

    fn matches(&mut self, text: &'a Node, pattern: &Regex) -> Result<bool, JudgeError> {
        match self.value(text)? {
            Value::Text(text) => {
                // Matching may visit every state of the pattern for every byte.
                self.meter.charge(text.len())?;
                Ok(pattern.is_match(&text))
            }
            other => Err(JudgeError::Operand { what: "matches", got: other.kind() }),
        }
    }

    fn path(&mut self, base: &'a Node, steps: &'a [Step]) -> Result<Value<'a>, JudgeError> {
        let mut value = self.value(base)?;
        // The row's data is a map that may not be there: a member of it is nil all the same.
        let mut may_be_absent = matches!(base, Node::Field(Field::Data));
        let mut at = 0;
        while let Some(step) = steps.get(at) {
            self.meter.charge(1)?;
            at += 1;
            value = match step {
                Step::OptionalMember(_) if matches!(value, Value::Nil) => {
                    let is_member =
                        |step: &&Step| matches!(step, Step::Member(_) | Step::OptionalMember(_));
                    at += steps[at..].iter().take_while(is_member).count();
                    Value::Nil
                }
                Step::Member(_) | Step::Index(_)
                    if may_be_absent && matches!(value, Value::Nil) =>
                {
                    Value::Nil
                }
                Step::Member(name) | Step::OptionalMember(name) => member(&value, name)?,
                Step::Index(index) => {
                    let index = self.value(index)?;
                    self.index(&value, &index)?
                }
                Step::Slice(from, to) => self.slice(&value, from.as_ref(), to.as_ref())?,
            };
            may_be_absent = false;
        }
        Ok(value)
    }

    fn index(&mut self, of: &Value<'a>, index: &Value<'a>) -> Result<Value<'a>, JudgeError> {
        match (of, index) {
            (Value::Array(items), _) => {
                let at = whole(index)?;
                let at =
                    if at < 0 { at.checked_add_unsigned(items.len() as u64) } else { Some(at) };
                let at = at.and_then(|at| usize::try_from(at).ok());
                at.and_then(|at| items.get(at)).cloned().ok_or(JudgeError::Index)
            }
            (Value::Map(_), Value::Text(name)) => {
                self.meter.charge_bytes(name.len())?;
                member(of, name)
            }
            (Value::Map(_), _) => Err(JudgeError::Operand { what: "[]", got: index.kind() }),
            _ => Err(JudgeError::NoMembers { got: of.kind() }),
        }
    }

    fn slice(
        &mut self,
        of: &Value<'a>,
        from: Option<&'a Node>,
        to: Option<&'a Node>,
    ) -> Result<Value<'a>, JudgeError> {
        let len = match of {
            Value::Array(items) => items.len(),
            Value::Text(text) => text.len(),
            _ => {
                return Err(JudgeError::Operand { what: "[:]", got: of.kind() });
            }
        };
        let to = self.bound(to, len)?.unwrap_or(len).min(len);
        let from = self.bound(from, len)?.unwrap_or(0).min(to);
        match of {
            Value::Array(items) => {
                self.meter.charge(to - from)?;
                Ok(Value::Array(items[from..to].into()))
            }
            Value::Text(Text::Borrowed(text)) => {
                let part = text.get(from..to).ok_or(JudgeError::Cut)?;
                Ok(Value::Text(Text::Borrowed(part)))
            }
            Value::Text(Text::Shared(text)) => {
                self.meter.charge_bytes(to - from)?;
                text.get(from..to).map(Value::shared).ok_or(JudgeError::Cut)
            }
            _ => Err(JudgeError::Operand { what: "[:]", got: of.kind() }),
        }
    }

    /// One end of a slice; a negative one counts from the end.
    fn bound(&mut self, node: Option<&'a Node>, len: usize) -> Result<Option<usize>, JudgeError> {
        let Some(node) = node else {
            return Ok(None);
        };
        let at = whole(&self.value(node)?)?;
        let at = if at < 0 { at.checked_add_unsigned(len as u64) } else { Some(at) };
        at.and_then(|at| usize::try_from(at).ok()).ok_or(JudgeError::Index).map(Some)
    }

    fn each(
        &mut self,
        function: EachFunction,
        list: &'a Node,
        body: &'a Node,
    ) -> Result<Value<'a>, JudgeError> {
        let what = function.text();
        let items = match self.value(list)? {
            Value::Array(items) => items,
            other => {
                return Err(JudgeError::Operand { what, got: other.kind() });
            }
        };
        let mut kept = Vec::new();
        let mut count = 0_i64;
        for item in items.iter() {
            self.meter.charge(1)?;
            self.items.push(item.clone());
            let given = self.value(body);
            self.items.pop();
            let given = given?;
            if function == EachFunction::Map {
                kept.push(given);
                continue;
            }
            let Value::Bool(given) = given else {
                return Err(JudgeError::Operand { what, got: given.kind() });
            };
            match (function, given) {
                (EachFunction::All, false) | (EachFunction::None, true) => {
                    return Ok(Value::Bool(false));
                }
                (EachFunction::Any, true) => return Ok(Value::Bool(true)),
                (EachFunction::Filter, true) => kept.push(item.clone()),
                _ => count += i64::from(given),
            }
        }
        Ok(match function {
            EachFunction::All | EachFunction::None => Value::Bool(true),
            EachFunction::Any => Value::Bool(false),
            EachFunction::One => Value::Bool(count == 1),
            EachFunction::Count => Value::Int(count),
            EachFunction::Filter | EachFunction::Map => Value::Array(kept.into()),
        })
    }
}

/// A member of a map; nil if the map has none of that name.
fn member<'a>(of: &Value<'a>, name: &str) -> Result<Value<'a>, JudgeError> {
    match of {
        Value::Map(map) => Ok(map.get(name).cloned().unwrap_or(Value::Nil)),
        _ => Err(JudgeError::NoMembers { got: of.kind() }),
    }
}

/// An index: an integer.
fn whole(value: &Value<'_>) -> Result<i64, JudgeError> {
    match value {
        Value::Int(value) => Ok(*value),
        _ => Err(JudgeError::Operand { what: "[]", got: value.kind() }),
    }
}
