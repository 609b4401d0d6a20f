//! Random heads through encoder and decoder, random strings through the code, and random bytes
//! into the decoder.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::huffman::{self, LENGTHS};
use super::super::{Encoder, integer};
use super::{Decoder, Known, Scratch, fields, table};

#[derive(Clone, Debug)]
enum Op {
    TableSize(u32),
    Status(u16),
    Constant(usize),
    Changing(usize, Vec<u8>),
    Literal(Vec<u8>, Vec<u8>),
    NextBlock,
}

/// Some have a static name, some do not, one is above a small table.
const CONSTANTS: [(&str, &str); 6] = [
    ("content-type", "application/json"),
    ("content-type", "text/plain"),
    ("server", "pumice"),
    ("pumice-node", "n-1"),
    ("x", ""),
    (
        "strict-transport-security",
        "max-age=31536000; includeSubDomains; preload and much more of it",
    ),
];
const CHANGING: [&str; 2] = ["date", "pumice-lag-ms"];

fn op() -> impl Strategy<Value = Op> {
    let size = prop_oneof![0..200_u32, 0..5_000_u32, Just(u32::MAX)];
    let name = prop_oneof![
        "[a-z-]{1,20}".prop_map(String::into_bytes),
        proptest::sample::select(vec!["content-length", "etag", "date", ":status", "accept"])
            .prop_map(|name| name.as_bytes().to_vec()),
    ];
    prop_oneof![
        1 => size.prop_map(Op::TableSize),
        3 => (100..600_u16).prop_map(Op::Status),
        6 => (0..CONSTANTS.len()).prop_map(Op::Constant),
        3 => (0..CHANGING.len(), vec(0..3_u8, 0..2))
            .prop_map(|(at, value)| Op::Changing(at, value)),
        2 => (name, vec(any::<u8>(), 0..300)).prop_map(|(name, value)| Op::Literal(name, value)),
        4 => Just(Op::NextBlock),
    ]
}

/// Both ends of one direction of a connection.
struct Ends {
    encoder: Encoder,
    decoder: Decoder,
    block: Vec<u8>,
    sent: Vec<(String, Vec<u8>)>,
}

impl Ends {
    fn deliver(&mut self) {
        let got = fields(&mut self.decoder, &self.block).unwrap();
        let got: Vec<_> = got.into_iter().map(|(_, name, value)| (name, value)).collect();
        assert_eq!(got, self.sent);
        assert!(table(&self.decoder).1 <= 4_096);
        self.sent.clear();
        self.block.clear();
    }

    fn send(&mut self, op: Op) {
        let Ends { encoder, block, .. } = self;
        if block.is_empty() && self.sent.is_empty() && !matches!(op, Op::TableSize(_)) {
            encoder.begin(block);
        }
        let (name, value) = match op {
            Op::TableSize(size) => {
                // Settings come between blocks.
                self.deliver();
                return self.encoder.peer_table_size(size);
            }
            Op::NextBlock => return self.deliver(),
            Op::Status(status) => {
                encoder.status(block, status);
                (b":status".to_vec(), status.to_string().into_bytes())
            }
            Op::Constant(at) => {
                let (name, value) = CONSTANTS[at];
                encoder.constant(block, name, value);
                (name.into(), value.into())
            }
            Op::Changing(at, value) => {
                encoder.changing(block, CHANGING[at], &value);
                (CHANGING[at].into(), value)
            }
            Op::Literal(name, value) => {
                encoder.literal(block, &name, &value);
                (name, value)
            }
        };
        self.sent.push((String::from_utf8(name).unwrap(), value));
    }
}

/// The code of every symbol, as a text of its bits.
fn codes() -> Vec<String> {
    let mut order: Vec<usize> = (0..LENGTHS.len()).collect();
    order.sort_by_key(|&symbol| (LENGTHS[symbol], symbol));
    let mut codes = vec![String::new(); LENGTHS.len()];
    let (mut code, mut length) = (0_u64, 0);
    for symbol in order {
        code <<= LENGTHS[symbol] - length;
        length = LENGTHS[symbol];
        let width = usize::from(length);
        codes[symbol] = format!("{code:0width$b}");
        code += 1;
    }
    codes
}

/// Huffman-codes `text`, as peers do and our encoder does not.
fn coded(codes: &[String], text: &[u8]) -> Vec<u8> {
    let mut bits: String = text.iter().map(|&byte| codes[usize::from(byte)].as_str()).collect();
    while !bits.len().is_multiple_of(8) {
        bits.push('1');
    }
    let octet = |at| u8::from_str_radix(&bits[at..at + 8], 2).unwrap();
    (0..bits.len()).step_by(8).map(octet).collect()
}

/// Decodes bit by bit, as section 5.2 says it.
fn plainly_decoded(codes: &[String], input: &[u8]) -> Option<Vec<u8>> {
    let bits: String = input.iter().map(|byte| format!("{byte:08b}")).collect();
    let (mut text, mut rest) = (Vec::new(), bits.as_str());
    while let Some(symbol) = codes.iter().position(|code| rest.starts_with(code)) {
        text.push(u8::try_from(symbol).ok()?);
        rest = &rest[codes[symbol].len()..];
    }
    (rest.len() < 8 && !rest.contains('0')).then_some(text)
}

#[test]
fn every_pair_of_bytes_survives_the_code() {
    let (codes, mut out) = (codes(), Vec::new());
    for first in 0..=255 {
        for second in 0..=255 {
            let text = [first, second, b'a'];
            assert_eq!(huffman::decode(&coded(&codes, &text), &mut out), Ok(&text[..]));
        }
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(ops in vec(op(), 0..200)) {
        let mut ends = Ends {
            encoder: Encoder::new(),
            decoder: Decoder::new(4_096, &[]),
            block: Vec::new(),
            sent: Vec::new(),
        };
        for op in ops {
            ends.send(op);
        }
        ends.deliver();
    }

    #[test]
    fn coded_strings_survive(text in vec(any::<u8>(), 0..200), path in "[a-z0-9/.-]{0,80}") {
        let (codes, mut out) = (codes(), Vec::new());
        for text in [&text, path.as_bytes()] {
            prop_assert_eq!(huffman::decode(&coded(&codes, text), &mut out), Ok(text));
        }
    }

    #[test]
    fn random_bits_mean_what_the_code_says(
        input in vec(prop_oneof![3 => any::<u8>(), 1 => Just(0xff), 1 => 0xf0..=0xff_u8], 0..24),
    ) {
        let decoded = huffman::decode(&input, &mut Vec::new()).map(<[u8]>::to_vec);
        prop_assert_eq!(decoded.ok(), plainly_decoded(&codes(), &input));
    }

    #[test]
    fn integers_survive(value in 0..1_usize << 28, prefix in 1..=7_u32) {
        let mut out = Vec::new();
        integer::encode(&mut out, 0, prefix, value);
        prop_assert_eq!(integer::decode(out[0], prefix, &out[1..]), Ok((value, &[][..])));
    }

    #[test]
    fn random_bytes_are_an_error_or_fields(
        blocks in vec(vec(any::<u8>(), 0..200), 1..20),
        table_size in 0..5_000_usize,
    ) {
        let mut decoder = Decoder::new(table_size, &["x"]);
        let mut scratch = Scratch::default();
        for block in blocks {
            let mut seen = 0;
            // A field is at least one octet, and what it becomes is bounded by the table.
            let _ = decoder.decode(&block, &mut scratch, |_: Known, name, value| {
                seen += 1;
                assert!(name.len() + value.len() <= 8 * 200 / 5 + table_size + 100);
            });
            prop_assert!(seen <= block.len());
            prop_assert!(table(&decoder).1 <= table_size);
        }
    }
}
