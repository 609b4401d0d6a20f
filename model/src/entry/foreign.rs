//! (pure) Mutations that others wrote into the log: FireScroll's JSON, and records without a value.
//! Reading is total, and takes what FireScroll's own consumers take: names in any case, unknown
//! names ignored, of a repeated name the last counts.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{DecodeError, Entry};
use crate::limits::ENTRY_MAX;
use crate::mutation::{Change, Expect, Mutation};
use crate::time::Millis;

/// The dialect in which the conditions of foreign entries are judged; it never changes.
const DIALECT: u8 = 1;

impl Entry {
    /// Reads a record of the log: an entry of ours, or a JSON mutation when it starts with `{`.
    /// What follows the first JSON value is not read.
    pub fn read(value: Option<&[u8]>) -> Result<Self, DecodeError> {
        match value {
            None => Err(DecodeError::Tombstone),
            Some(json @ [b'{', ..]) => foreign(json),
            Some(bytes) => Self::decode(bytes),
        }
    }
}

fn foreign(json: &[u8]) -> Result<Entry, DecodeError> {
    if json.len() > ENTRY_MAX {
        return Err(DecodeError::Length);
    }
    let mut reader = serde_json::Deserializer::from_slice(json);
    let Fields { pk, sk, data, time, kind, condition } =
        Fields::deserialize(&mut reader).map_err(|_| DecodeError::Foreign("json"))?;
    let change = match kind.as_deref() {
        // As text, so that integers above 2^53 survive; anything but an object or null is refused,
        // as FireScroll's own door does.
        Some("put") => match data.map_or("null", RawValue::get) {
            data if data == "null" || data.starts_with('{') => {
                Change::Put { data: data.to_owned(), ttl_ms: None }
            }
            _ => return Err(DecodeError::Foreign("data")),
        },
        Some("delete") => Change::Delete,
        _ => return Err(DecodeError::Foreign("mutation")),
    };
    let (pk, sk) = (pk.unwrap_or_default(), sk.unwrap_or_default());
    let mutation = Mutation { pk, sk, change, condition, expect: Expect::Any };
    Ok(Entry {
        origin: None,
        time: time.unwrap_or_default(),
        write_id: None,
        dialect: DIALECT,
        mutations: vec![mutation],
    })
}

/// A mutation's fields as they stand; null is as good as nothing.
#[derive(Default)]
struct Fields<'j> {
    pk: Option<String>,
    sk: Option<String>,
    data: Option<&'j RawValue>,
    time: Option<Millis>,
    kind: Option<String>,
    condition: Option<String>,
}

impl<'j> Deserialize<'j> for Fields<'j> {
    fn deserialize<D: Deserializer<'j>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'j> Visitor<'j> for FieldsVisitor {
    type Value = Fields<'j>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a mutation")
    }

    fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<Fields<'j>, A::Error> {
        let mut fields = Fields::default();
        while let Some(mut name) = map.next_key::<String>()? {
            name.make_ascii_lowercase();
            match name.as_str() {
                "pk" => fields.pk = map.next_value()?,
                "sk" => fields.sk = map.next_value()?,
                "data" => fields.data = Some(map.next_value()?),
                "ts_ms" => fields.time = map.next_value()?,
                "mutation" => fields.kind = map.next_value()?,
                "if" => fields.condition = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(fields)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Entry, DecodeError> {
        Entry::read(Some(json.as_bytes()))
    }

    #[test]
    fn a_put_of_firescroll_is_an_entry() {
        let json = concat!(
            r#"{"pk":"pk1","sk":"sk1","data":{"n":9007199254740993},"#,
            r#""ts_ms":1683460800123,"mutation":"put","if":null}"#
        );
        let entry = read(json).unwrap();
        let change = Change::Put { data: r#"{"n":9007199254740993}"#.into(), ttl_ms: None };
        let (pk, sk, condition) = ("pk1".into(), "sk1".into(), None);
        assert_eq!(entry.mutations, [Mutation { pk, sk, change, condition, expect: Expect::Any }]);
        assert_eq!((entry.time, entry.dialect, entry.origin), (1_683_460_800_123, 1, None));
    }

    #[test]
    fn names_come_in_any_case_and_the_last_counts() {
        let json = r#"{"PK":"a","pk":"b","Sk":null,"x":[{}],"IF":"true","Mutation":"delete"} tail"#;
        let entry = read(json).unwrap();
        let mutation = &entry.mutations[0];
        assert_eq!((mutation.pk.as_str(), mutation.sk.as_str()), ("b", ""));
        assert_eq!(mutation.condition.as_deref(), Some("true"));
        assert_eq!(mutation.change, Change::Delete);
        let put = read(r#"{"pk":"a","mutation":"put"}"#).unwrap();
        assert_eq!(put.mutations[0].change, Change::Put { data: "null".into(), ttl_ms: None });
    }

    #[test]
    fn what_is_no_mutation_is_refused_with_its_reason() {
        for (json, why) in [
            ("{", "json"),
            (r#"{"pk":1,"mutation":"put"}"#, "json"),
            (r#"{"pk":"a","ts_ms":1.5,"mutation":"put"}"#, "json"),
            (r#"{"pk":"a"}"#, "mutation"),
            (r#"{"pk":"a","mutation":"upsert"}"#, "mutation"),
            (r#"{"pk":"a","mutation":"put","data":[1]}"#, "data"),
        ] {
            assert_eq!(read(json), Err(DecodeError::Foreign(why)), "{json}");
        }
        assert_eq!(Entry::read(None), Err(DecodeError::Tombstone));
        assert_eq!(Entry::read(Some(b"")), Err(DecodeError::Length));
        assert_eq!(Entry::read(Some(b" {}")), Err(DecodeError::Marker));
    }
}
