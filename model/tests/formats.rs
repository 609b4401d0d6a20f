//! The bytes of format 1, written down: what was stored once must be read for ever. A change here
//! is a new format number, never an edit of these constants. docs/FORMATS.md draws them.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use pumice_model::entry::{Entry, Origin};
use pumice_model::ids::{Generation, Offset, Partition, ProducerId, WriteId};
use pumice_model::key::{KeyBuf, RowKey};
use pumice_model::mutation::{Change, Expect, Mutation};
use pumice_model::row::{NEVER, Row, RowBuf};
use pumice_model::statehash::Hasher;

const ENTRY: &str = concat!(
    "e10101037b3e15f687010000040302010000000000000000000000000500000000000000b0a00000",
    "0000000000000000000000000200000001030302000200706b736b070000000000000060ea000000",
    "000000070000007b226e223a317d0b00000064617461203d3d206e696c02000202000000706be174",
    "ac214701088b",
);
const ROW: &str = concat!(
    "017b226e223a317de803000000000000d007000000000000ffffffffffffff7f0300000000000000",
    "d9ffffff07000000",
);
const KEY: &str = "00000003000000016120706b206f6620093137206279746573092e000000000000000173006b";
const HASHES: [u128; 4] = [
    0x7da1_a616_9cc0_9893_5541_4965_bf5d_6776,
    0x0fae_a1f6_06cc_38f4_3ca2_48cb_48e9_e689,
    0xd300_18bb_6120_ec6a_9ce8_04ee_a810_ca0d,
    0x9ddd_fc09_f393_8ad9_abdd_c069_19c2_26cb,
];

fn entry() -> Entry {
    let put = Mutation {
        change: Change::Put { data: "{\"n\":1}".to_owned(), ttl_ms: Some(60_000) },
        condition: Some("data == nil".to_owned()),
        expect: Expect::Offset(Offset(7)),
        ..Mutation::put("pk", "sk", "")
    };
    let delete = Mutation { expect: Expect::Exists, ..Mutation::delete("pk", "") };
    Entry {
        origin: Some(Origin { producer: ProducerId(0x0102_0304), sequence: 5 }),
        time: 1_683_460_800_123,
        write_id: Some(WriteId(0xA0B0)),
        dialect: 1,
        mutations: vec![put, delete],
    }
}

fn row() -> Row<'static> {
    let data = "{\"n\":1}";
    Row { created_at: 1_000, updated_at: 2_000, expires_at: NEVER, offset: 3, data }
}

#[test]
fn an_entry_of_format_1_is_read_and_written() {
    assert_eq!(hex(&entry().encode()), ENTRY);
    assert_eq!(Entry::decode(&bytes(ENTRY)).unwrap(), entry());
}

#[test]
fn a_row_of_format_1_is_read_and_written() {
    let mut buffer = RowBuf::default();
    row().encode(&mut buffer);
    assert_eq!(hex(buffer.bytes()), ROW);
    assert_eq!(Row::decode(&bytes(ROW)).unwrap(), row());
}

#[test]
fn a_row_key_is_read_and_written() {
    let mut key = KeyBuf::new();
    let made = hex(key.row(Partition(3), Generation(1), "a pk of 17 bytes.", "s\0k"));
    assert_eq!(made, KEY);
    let stored = bytes(KEY);
    let read = RowKey::decode(&stored).unwrap();
    assert_eq!((read.pk.as_str(), read.sk), ("a pk of 17 bytes.", "s\0k"));
    assert_eq!((read.partition, read.generation), (Partition(3), Generation(1)));
}

#[test]
fn the_parts_of_a_state_hash_are_what_they_were() {
    let mut hasher = Hasher::default();
    let made = [
        hasher.row("pk", "sk", &row()),
        hasher.producer(ProducerId(1), 2, Offset(3)),
        hasher.write(WriteId(1), Offset(2), 128),
        hasher.position(Offset(1), 2),
    ];
    assert_eq!(made.map(|hash| format!("{hash:032x}")), HASHES.map(|hash| format!("{hash:032x}")));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digits).collect()
}
