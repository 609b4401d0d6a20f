//! (pure) The words: keys, rows, conditions and entries.

use std::hint::black_box;

use pumice_model::condition::{self, Condition, DIALECT};
use pumice_model::entry::Entry;
use pumice_model::ids::{Generation, Partition};
use pumice_model::key::KeyBuf;
use pumice_model::mutation::{Change, Expect, Mutation};
use pumice_model::row::{NEVER, Row, RowBuf};

/// JSON of 200 bytes, as records of the other benches have.
pub fn data() -> String {
    format!("{{\"city\":\"Bergen\",\"balance\":271828,\"note\":\"{}\"}}", "x".repeat(153))
}

/// The key of a row, written into a buffer that is used again.
pub fn key() -> Box<dyn FnMut(u64)> {
    let mut buffer = KeyBuf::new();
    Box::new(move |times| {
        for n in 0..times {
            let partition = Partition((n % 64) as u32);
            black_box(buffer.row(
                partition,
                Generation(0),
                black_box("customer-0271828"),
                "profile",
            ));
        }
    })
}

/// A stored row, checked and read where it lies.
pub fn archive() -> Box<dyn FnMut(u64)> {
    let (mut buffer, data) = (RowBuf::default(), data());
    let row = Row { created_at: 1, updated_at: 2, expires_at: NEVER, offset: 3, data: &data };
    row.encode(&mut buffer);
    Box::new(move |times| {
        for _ in 0..times {
            let row = Row::decode(black_box(buffer.bytes())).expect("it is a row");
            black_box(row.data.len());
        }
    })
}

const CONDITION: &str = r#"data.balance >= 100 && data.city != "Quito""#;

/// An `if` as the door reads it.
pub fn condition_parse() -> Box<dyn FnMut(u64)> {
    Box::new(|times| {
        for _ in 0..times {
            black_box(Condition::parse(DIALECT, black_box(CONDITION)).expect("it parses"));
        }
    })
}

/// The same, judged.
pub fn condition_judge() -> Box<dyn FnMut(u64)> {
    let condition = Condition::parse(DIALECT, CONDITION).expect("it parses");
    let data = data();
    Box::new(move |times| {
        let (created_at, updated_at) = (1, 2);
        let row = condition::Row { pk: "a", sk: "b", data: Some(&data), created_at, updated_at };
        for _ in 0..times {
            assert!(condition.judge(black_box(Some(&row))).expect("it can be judged"));
        }
    })
}

/// An entry of one put, from its bytes.
pub fn entry() -> Box<dyn FnMut(u64)> {
    let bytes = put("customer-0271828".to_owned()).encode();
    Box::new(move |times| {
        for _ in 0..times {
            black_box(Entry::decode(black_box(&bytes)).expect("it is an entry"));
        }
    })
}

/// An entry that puts one record.
pub fn put(pk: String) -> Entry {
    let change = Change::Put { data: data(), ttl_ms: None };
    let (condition, expect) = (None, Expect::Any);
    let mutation = Mutation { pk, sk: "profile".to_owned(), change, condition, expect };
    Entry { origin: None, time: 1, write_id: None, dialect: DIALECT, mutations: vec![mutation] }
}
