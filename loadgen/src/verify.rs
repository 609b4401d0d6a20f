//! (pure) Whether the body of an answer with many records is right, record by record. Parses JSON,
//! so it costs more than the reads it checks; nothing here runs unless verification is on.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::names::{MISSING, Names};
use crate::values::Values;

#[derive(Deserialize)]
struct Records<'b> {
    #[serde(borrow)]
    records: Vec<Record<'b>>,
}

#[derive(Deserialize)]
struct Record<'b> {
    #[serde(borrow)]
    pk: Cow<'b, str>,
    #[serde(borrow)]
    sk: Cow<'b, str>,
    #[serde(default)]
    found: bool,
    #[serde(borrow)]
    data: Option<&'b RawValue>,
}

impl Record<'_> {
    fn is(&self, key: &str) -> bool {
        let shown = serde_json::json!({ "pk": self.pk, "sk": self.sk }).to_string();
        shown == key
    }

    fn holds(&self, id: u64, values: &mut Values) -> bool {
        self.data.is_some_and(|data| values.check(id, data.get().as_bytes()))
    }
}

/// Whether a batch read's answer has exactly these records, in this order, with their values.
pub fn get(body: &[u8], keys: &[u64], names: &Names, values: &mut Values) -> bool {
    let Ok(answer) = serde_json::from_slice::<Records<'_>>(body) else {
        return false;
    };
    answer.records.len() == keys.len()
        && answer.records.iter().zip(keys).all(|(record, &id)| {
            let found = id & MISSING == 0;
            record.is(&key(names, id))
                && record.found == found
                && (if found { record.holds(id, values) } else { record.data.is_none() })
        })
}

/// Whether a listing has records of the pk that begins at `first`, in order, with their values.
pub fn scan(body: &[u8], first: u64, most: u64, names: &Names, values: &mut Values) -> bool {
    let Ok(answer) = serde_json::from_slice::<Records<'_>>(body) else {
        return false;
    };
    let sorted = answer.records.is_sorted_by(|a, b| a.sk < b.sk);
    let count = answer.records.len() as u64;
    sorted
        && (1..=most).contains(&count)
        && answer.records.iter().all(|record| {
            let id = record.sk.parse::<u64>().ok().and_then(|sk| first.checked_add(sk));
            id.is_some_and(|id| record.is(&key(names, id)) && record.holds(id, values))
        })
}

/// How many puts of a load request were applied.
pub fn applied(body: &[u8]) -> usize {
    #[derive(Deserialize)]
    struct Outcomes<'b> {
        #[serde(rename = "Outcomes", borrow)]
        outcomes: Vec<Outcome<'b>>,
    }
    #[derive(Deserialize)]
    struct Outcome<'b> {
        #[serde(rename = "Outcome", borrow)]
        outcome: Cow<'b, str>,
    }
    serde_json::from_slice::<Outcomes<'_>>(body)
        .map_or(0, |all| all.outcomes.iter().filter(|one| one.outcome == "applied").count())
}

fn key(names: &Names, id: u64) -> String {
    let mut key = Vec::new();
    names.push_key(&mut key, id);
    String::from_utf8(key).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(names: &Names, id: u64, value_of: u64) -> String {
        let mut key = key(names, id);
        key.pop();
        let mut value = Vec::new();
        Values::new(64, 1).write(&mut value, value_of, 3);
        format!("{key},\"found\":true,\"data\":{}}}", String::from_utf8_lossy(&value))
    }

    #[test]
    fn each_record_of_a_batch_is_checked() {
        let names = Names::Made { per_pk: 1 };
        let mut values = Values::new(64, 1);
        let mut judge = |records: &[String], keys: &[u64]| {
            let body = format!("{{\"records\":[{}]}}", records.join(","));
            get(body.as_bytes(), keys, &names, &mut values)
        };
        let [one, two] = [1, 2].map(|id| record(&names, id, id));
        let gone = 5 | MISSING;
        let none = key(&names, gone).replace('}', ",\"found\":false}");
        assert!(judge(&[one.clone(), none.clone(), two.clone()], &[1, gone, 2]));
        assert!(!judge(&[one.clone(), two.clone()], &[2, 1]), "the wrong order");
        assert!(!judge(std::slice::from_ref(&one), &[1, 2]), "one short");
        assert!(!judge(&[one, record(&names, 2, 1)], &[1, 2]), "another record's value");
        assert!(!judge(&[none.replace("false", "true")], &[gone]), "found and never written");
        assert!(!get(b"{}", &[], &names, &mut Values::new(64, 1)));
    }

    #[test]
    fn a_listing_is_in_order_and_of_its_pk() {
        let names = Names::Made { per_pk: 5 };
        let judge = |ids: &[u64], most| {
            let records: Vec<_> = ids.iter().map(|&id| record(&names, id, id)).collect();
            let body = format!("{{\"records\":[{}],\"next\":\"x\"}}", records.join(","));
            scan(body.as_bytes(), 10, most, &names, &mut Values::new(64, 1))
        };
        assert!(judge(&[10, 11, 14], 3));
        assert!(!judge(&[11, 10], 3), "out of order");
        assert!(!judge(&[10, 15], 3), "of the next pk");
        assert!(!judge(&[10, 11], 1), "too many");
        assert!(!judge(&[], 1));
    }

    #[test]
    fn outcomes_are_counted() {
        let body = br#"{"Outcomes":[{"Outcome":"applied","Partition":1},{"Outcome":"refused"}]}"#;
        assert_eq!(applied(body), 1);
        assert_eq!(applied(b"ok"), 0);
    }
}
