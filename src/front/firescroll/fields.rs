//! Reads JSON the way FireScroll's clients are used to: names in any case, unknown names ignored,
//! of a repeated name the last counts, null is as good as nothing, and what follows the first
//! value is not read. Pure text; the words of a fault begin as FireScroll's do.

use std::borrow::Cow;
use std::fmt;

use pumice_model::limits::BATCH_MAX;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::front::problem::Problem;

/// Names of one object, unknown ones included: a body may hold millions, and nobody means them.
const NAMES_MAX: usize = 1_000;

/// One JSON object of a request, and where it stands.
pub struct Fields<'b> {
    body: &'b [u8],
    path: Cow<'static, str>,
    fields: Vec<(Cow<'b, str>, &'b RawValue)>,
}

impl<'b> Fields<'b> {
    /// The first JSON value of `body`; an empty body is an empty object.
    pub fn read(body: &'b [u8]) -> Result<Self, Problem> {
        let path = Cow::Borrowed("");
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self { body, path, fields: Vec::new() });
        }
        let mut reader = serde_json::Deserializer::from_slice(body);
        let raw = <&RawValue>::deserialize(&mut reader);
        let raw = raw.map_err(|fault| syntax_error(body, &fault))?;
        Self::object(body, path, raw)
    }

    /// A field that must be an array of objects, as many as a request may have; null, `[]` and
    /// nothing give no element.
    pub fn objects(&self, name: &'static str) -> Result<Vec<Fields<'b>>, Problem> {
        let Some(raw) = self.get(name) else { return Ok(Vec::new()) };
        if kind(raw) != "array" {
            return Err(self.mismatch(name, "array", raw));
        }
        let elements: Result<Elements<'b>, _> = serde_json::from_str(raw.get());
        let Elements { kept, count } = elements.map_err(|fault| syntax_error(self.body, &fault))?;
        if count > BATCH_MAX {
            return Err(bad(format_args!("{name} has {count} elements, allowed are {BATCH_MAX}")));
        }
        let path = Cow::Borrowed(name);
        kept.into_iter().map(|raw| Self::object(self.body, path.clone(), raw)).collect()
    }

    /// A field that must be an object.
    pub fn inner(&self, name: &'static str) -> Result<Option<Fields<'b>>, Problem> {
        let Some(raw) = self.get(name) else { return Ok(None) };
        Self::object(self.body, Cow::Owned(self.full(name)), raw).map(Some)
    }

    /// A field that must be a string.
    pub fn text(&self, name: &'static str) -> Result<Option<String>, Problem> {
        self.typed(name, "string")
    }

    /// A field that must be a bool; false when it is not there.
    pub fn flag(&self, name: &'static str) -> Result<bool, Problem> {
        Ok(self.typed(name, "bool")?.unwrap_or(false))
    }

    /// A field that must be an integer.
    pub fn integer(&self, name: &'static str) -> Result<Option<i64>, Problem> {
        self.typed(name, "int64")
    }

    /// A field that must be an object, as its text; `null` when it is not there.
    pub fn object_text(&self, name: &'static str) -> Result<&'b str, Problem> {
        match self.get(name) {
            None => Ok("null"),
            Some(raw) if kind(raw) == "object" => Ok(raw.get()),
            Some(raw) => Err(self.mismatch(name, "object", raw)),
        }
    }

    /// Whether a field is there and not null.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The names that are there, as they were written.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_ref())
    }

    fn object(body: &'b [u8], path: Cow<'static, str>, raw: &'b RawValue) -> Result<Self, Problem> {
        match kind(raw) {
            "null" => Ok(Self { body, path, fields: Vec::new() }),
            "object" => {
                let read: Result<Object<'b>, _> = serde_json::from_str(raw.get());
                let Object(fields) = read.map_err(|fault| syntax_error(body, &fault))?;
                Ok(Self { body, path, fields })
            }
            got => Err(type_error("object", got, &path, offset(body, raw))),
        }
    }

    /// The last field of that name, unless it is null.
    fn get(&self, name: &str) -> Option<&'b RawValue> {
        let named = |(got, raw): &&(Cow<'b, str>, &'b RawValue)| {
            got.eq_ignore_ascii_case(name) && kind(raw) != "null"
        };
        self.fields.iter().rev().find(named).map(|(_, raw)| *raw)
    }

    fn typed<T: serde::de::DeserializeOwned>(
        &self,
        name: &'static str,
        wanted: &'static str,
    ) -> Result<Option<T>, Problem> {
        let Some(raw) = self.get(name) else { return Ok(None) };
        let value = serde_json::from_str(raw.get());
        value.map(Some).map_err(|_| self.mismatch(name, wanted, raw))
    }

    fn mismatch(&self, name: &str, wanted: &str, raw: &RawValue) -> Problem {
        type_error(wanted, kind(raw), &self.full(name), offset(self.body, raw))
    }

    fn full(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// A 400 whose text begins as the framework of FireScroll writes it.
pub fn bad(message: impl fmt::Display) -> Problem {
    Problem::syntax(format!("code=400, message={message}"))
}

fn type_error(wanted: &str, got: &str, field: &str, offset: usize) -> Problem {
    bad(format_args!(
        "code=400, message=Unmarshal type error: expected={wanted}, got={got}, field={field}, \
         offset={offset}"
    ))
}

fn syntax_error(body: &[u8], fault: &serde_json::Error) -> Problem {
    let lines = body.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.take(fault.line().saturating_sub(1)).map(<[u8]>::len).sum();
    let offset = (before + fault.column()).min(body.len());
    bad(format_args!("code=400, message=Syntax error: offset={offset}, error={fault}"))
}

/// Bytes of the body up to the end of `raw`, which lies in it.
fn offset(body: &[u8], raw: &RawValue) -> usize {
    let start = (raw.get().as_ptr() as usize).saturating_sub(body.as_ptr() as usize);
    (start + raw.get().len()).min(body.len())
}

fn kind(raw: &RawValue) -> &'static str {
    match raw.get().as_bytes().first() {
        Some(b'"') => "string",
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b't' | b'f') => "bool",
        Some(b'n') => "null",
        _ => "number",
    }
}

/// The elements of an array: those that a request may have, and how many there are.
struct Elements<'b> {
    kept: Vec<&'b RawValue>,
    count: usize,
}

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Kept;
        impl<'de> Visitor<'de> for Kept {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Elements<'de>, A::Error> {
                let mut kept = Vec::new();
                while kept.len() < BATCH_MAX {
                    let Some(raw) = seq.next_element()? else { break };
                    kept.push(raw);
                }
                let mut count = kept.len();
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Elements { kept, count })
            }
        }
        deserializer.deserialize_seq(Kept)
    }
}

struct Object<'b>(Vec<(Cow<'b, str>, &'b RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut fields = Vec::with_capacity(4);
                while let Some(Name(name)) = map.next_key()? {
                    if fields.len() == NAMES_MAX {
                        return Err(A::Error::custom("an object has more than 1000 names"));
                    }
                    fields.push((name, map.next_value()?));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Names)
    }
}

/// A name, borrowed from the body where it has no escape.
#[derive(serde::Deserialize)]
struct Name<'b>(#[serde(borrow)] Cow<'b, str>);

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn names_match_in_any_case_and_the_last_counts() {
        let body = br#" {"RECORDS":[{"Pk":"a","pk":"b","SK":null}, null]} trailing"#;
        let records = Fields::read(body).unwrap().objects("Records").unwrap();
        assert_eq!(records[0].text("pk").unwrap().as_deref(), Some("b"));
        assert_eq!(records[0].text("sk").unwrap(), None);
        assert_eq!(records[1].text("pk").unwrap(), None);
    }

    #[test]
    fn faults_begin_with_their_words() {
        let message = |body: &str| match Fields::read(body.as_bytes()) {
            Err(problem) => problem.message.into_owned(),
            Ok(fields) => {
                let read = fields.objects("Records").and_then(|all| all[0].text("pk"));
                read.unwrap_err().message.into_owned()
            }
        };
        assert_eq!(
            message(r#"{"Records":[{"pk":5}]}"#),
            "code=400, message=code=400, message=Unmarshal type error: expected=string, \
             got=number, field=Records.pk, offset=19"
        );
        assert!(
            message("{\n\"Records\":[}")
                .starts_with("code=400, message=code=400, message=Syntax error: offset=14, error=")
        );
        assert!(message("[]").contains("expected=object, got=array, field=, offset=2"));
    }
}
