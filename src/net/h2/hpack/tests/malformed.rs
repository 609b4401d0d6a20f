//! Blocks that no honest peer sends, each with the error that names its fault; and the meanings
//! that make a request malformed without ending its connection.

use super::super::{Encoder, huffman};
use super::{CompressionError, Decoder, Known, bytes, fields, table};

fn refusal(block: &str) -> CompressionError {
    fields(&mut Decoder::new(4_096, &[]), &bytes(block)).unwrap_err()
}

#[test]
fn an_index_that_the_table_does_not_have() {
    assert_eq!(refusal("80"), CompressionError::Index(0));
    assert_eq!(refusal("be"), CompressionError::Index(62));
    assert_eq!(refusal("400161016281bfbf"), CompressionError::Index(63), "one entry, 62");
    // As a name: with indexing, without, never.
    assert_eq!(refusal("7e0161"), CompressionError::Index(62));
    assert_eq!(refusal("0f2f0161"), CompressionError::Index(62));
    assert_eq!(refusal("1f2f0161"), CompressionError::Index(62));
}

#[test]
fn a_block_that_ends_inside_a_field() {
    for block in
        ["ff", "ff80", "40", "4001", "400161", "40016103", "4001610361", "04", "3f", "41ff"]
    {
        assert_eq!(refusal(block), CompressionError::Truncated, "{block}");
    }
}

#[test]
fn an_integer_without_end() {
    for block in
        ["ff8080808001", "ffffffffff7f", "ff8080808000", "7fffffffffff", "417fffffffffff01"]
    {
        assert_eq!(refusal(block), CompressionError::Integer, "{block}");
    }
    // The longest that is one: no such index, but an integer.
    assert_eq!(refusal("ffffffff7f"), CompressionError::Index(127 + (1 << 28) - 1));
    assert_eq!(refusal("417fffffff7f"), CompressionError::Truncated);
}

#[test]
fn huffman_strings_end_in_less_than_a_byte_of_ones() {
    // "a" is 00011: three ones end it.
    assert_eq!(fields(&mut Decoder::new(4_096, &[]), &bytes("44811f")).unwrap()[0].2, b"a");
    assert_eq!(refusal("448118"), CompressionError::Huffman, "zeros");
    assert_eq!(refusal("44811e"), CompressionError::Huffman, "a zero last");
    assert_eq!(refusal("44821fff"), CompressionError::Huffman, "eleven bits");
    assert_eq!(refusal("4481ff"), CompressionError::Huffman, "eight bits and no symbol");
    assert_eq!(refusal("4484ffffffff"), CompressionError::Huffman, "EOS");
    assert_eq!(refusal("44861fffffffffff"), CompressionError::Huffman, "EOS after a symbol");
    assert_eq!(refusal("448cffffffffffffffffffffffff"), CompressionError::Huffman, "EOS, long");
    // The symbol 0x0a has thirty bits; two of ones are the rest. Of 29 there is no symbol.
    assert_eq!(fields(&mut Decoder::new(4_096, &[]), &bytes("4484fffffff3")).unwrap()[0].2, b"\n");
    assert_eq!(refusal("4483fffffe"), CompressionError::Huffman, "a long code cut short");
}

#[test]
fn an_empty_huffman_string_is_one() {
    assert_eq!(fields(&mut Decoder::new(4_096, &[]), &bytes("4480")).unwrap()[0].2, b"");
}

#[test]
fn the_table_grows_only_to_what_was_announced_and_only_first() {
    assert_eq!(refusal("3fe21f"), CompressionError::TableSize { asked: 4_097, announced: 4_096 },);
    assert_eq!(refusal("8220"), CompressionError::LateTableSize);
    assert_eq!(refusal("400161016220"), CompressionError::LateTableSize);
    // To 0 and back to 4,096 at the start of a block: what was in the table is gone.
    let mut decoder = Decoder::new(4_096, &[]);
    fields(&mut decoder, &bytes("4001610162")).unwrap();
    assert_eq!(table(&decoder), (vec!["a: b".to_owned()], 34));
    fields(&mut decoder, &bytes("203fe11f82")).unwrap();
    assert_eq!(table(&decoder), (vec![], 0));
    assert_eq!(fields(&mut decoder, &bytes("be")), Err(CompressionError::Index(62)));
}

#[test]
fn an_announced_table_is_used_when_the_peer_says_so() {
    let mut decoder = Decoder::new(8_192, &[]);
    let mut block = vec![0x40, 1, b'a', 0x7f, 0x81, 0x1f];
    block.resize(block.len() + 4_096, b'v');
    fields(&mut decoder, &block).unwrap();
    assert_eq!(table(&decoder).1, 0, "above 4,096 before the peer has seen our settings");
    fields(&mut decoder, &[&[0x3f, 0xe1, 0x3f][..], &block].concat()).unwrap();
    assert_eq!(table(&decoder).1, 1 + 4_096 + 32);
}

#[test]
fn an_entry_above_the_table_empties_it() {
    let mut decoder = Decoder::new(64, &[]);
    fields(&mut decoder, &bytes("4001610162")).unwrap();
    let mut block = vec![0x7e, 40];
    block.resize(block.len() + 40, b'v');
    let seen = fields(&mut decoder, &block).unwrap();
    assert_eq!(seen[0].1, "a");
    assert_eq!(table(&decoder), (vec![], 0));
}

#[test]
fn a_name_may_come_from_the_entry_that_goes() {
    let mut decoder = Decoder::new(40, &[]);
    fields(&mut decoder, &bytes("4001610162")).unwrap();
    for value in 0..100 {
        let text = format!("{value:03}");
        let block = [&[0x7e, 3], text.as_bytes()].concat();
        assert_eq!(fields(&mut decoder, &block).unwrap()[0].1, "a");
        assert_eq!(table(&decoder), (vec![format!("a: {text}")], 36));
    }
}

fn known(name: &str) -> Known {
    let mut block = Vec::new();
    Encoder::new().literal(&mut block, name.as_bytes(), b"v");
    fields(&mut Decoder::new(4_096, &["pumice-hops", "range", "host"]), &block).unwrap()[0].0
}

#[test]
fn names_are_known_by_what_they_mean() {
    for (name, expected) in [
        (":method", Known::Method),
        (":scheme", Known::Scheme),
        (":authority", Known::Authority),
        (":path", Known::Path),
        (":protocol", Known::Protocol),
        (":status", Known::BadPseudo),
        (":", Known::BadPseudo),
        (":Path", Known::BadPseudo),
        ("connection", Known::ConnectionSpecific),
        ("keep-alive", Known::ConnectionSpecific),
        ("proxy-connection", Known::ConnectionSpecific),
        ("transfer-encoding", Known::ConnectionSpecific),
        ("upgrade", Known::ConnectionSpecific),
        ("te", Known::Te),
        ("content-length", Known::ContentLength),
        ("host", Known::Host),
        ("expect", Known::Expect),
        ("cookie", Known::Cookie),
        ("pumice-hops", Known::Matters),
        ("range", Known::Matters),
        ("user-agent", Known::Other),
        ("", Known::BadName),
        ("Host", Known::BadName),
        ("user agent", Known::BadName),
        ("user:agent", Known::BadName),
        ("a\0", Known::BadName),
        ("\u{7f}", Known::BadName),
        ("\u{e9}", Known::BadName),
    ] {
        assert_eq!(known(name), expected, "{name:?}");
    }
}

#[test]
fn an_indexed_field_keeps_its_meaning() {
    let mut decoder = Decoder::new(4_096, &["x"]);
    fields(&mut decoder, &bytes("4001780162")).unwrap();
    // Indexed, and its name with another value.
    let seen = fields(&mut decoder, &bytes("be7e0163")).unwrap();
    assert_eq!(seen[0], (Known::Matters, "x".to_owned(), b"b".to_vec()));
    assert_eq!(seen[1], (Known::Matters, "x".to_owned(), b"c".to_vec()));
    assert_eq!(fields(&mut decoder, &bytes("88")).unwrap()[0].0, Known::BadPseudo);
}

#[test]
fn a_value_can_be_malformed_too() {
    let means = |decoder: &mut Decoder, value: &[u8]| {
        let mut block = vec![0x44, value.len() as u8];
        block.extend_from_slice(value);
        fields(decoder, &block).unwrap()[0].0
    };
    let mut decoder = Decoder::new(4_096, &[]);
    for value in [&b""[..], b"/", b"/a b", b"/a\tb", b"\xff\x7f\x01", b"0123456789abcdef0123456789"]
    {
        assert_eq!(means(&mut decoder, value), Known::Path, "{value:?}");
    }
    for value in
        [&b" "[..], b" /", b"/ ", b"\t/", b"/\t", b"\0", b"/\r", b"\n/", b"0123456789abcdef0\n9"]
    {
        assert_eq!(means(&mut decoder, value), Known::BadValue, "{value:?}");
        // Indexed it still is, and its name with another value is not.
        let seen = fields(&mut decoder, &bytes("be0f2f012f")).unwrap();
        assert_eq!((seen[0].0, seen[1].0), (Known::BadValue, Known::Path), "{value:?}");
    }
}

#[test]
fn the_code_is_complete() {
    let sum: u64 = huffman::LENGTHS.iter().map(|&length| 1 << (30 - length)).sum();
    assert_eq!(sum, 1 << 30);
}
