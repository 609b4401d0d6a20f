//! (pure) Answers to reads of one record as one node tells them to another: many in one body, each
//! behind the number of its request. Whatever does not read is an answer that did not come.
//!
//! Each is, with integers in little endian: number u16, status u16, count of fields u8, every field
//! as place of its name in [`NAMES`] u8, length u16 and value, then the body's length u32 and the
//! body. The content type is JSON's.

use pumice_model::wire;

use super::looks::JSON;
use crate::net::{Field, Short};

/// Fields that are told; their places are part of the format.
const NAMES: [&str; 5] = ["etag", "last-modified", wire::LAG_MS, wire::NODE, "retry-after"];

/// Fields of one answer.
const FIELDS: usize = NAMES.len();

/// Adds the answer to request `number`; false, and nothing added, when it is none that can be told.
pub fn put(out: &mut Vec<u8>, number: u16, short: &Short<'_>) -> bool {
    let start = out.len();
    let put = try_put(out, number, short);
    if put.is_none() {
        out.truncate(start);
    }
    put.is_some()
}

fn try_put(out: &mut Vec<u8>, number: u16, short: &Short<'_>) -> Option<()> {
    if short.content_type != JSON || short.fields.len() > FIELDS {
        return None;
    }
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&short.status.to_le_bytes());
    out.push(short.fields.len() as u8);
    for (name, value) in short.fields {
        out.push(NAMES.iter().position(|known| known == name)? as u8);
        out.extend_from_slice(&u16::try_from(value.len()).ok()?.to_le_bytes());
        out.extend_from_slice(value);
    }
    out.extend_from_slice(&u32::try_from(short.body.len()).ok()?.to_le_bytes());
    out.extend_from_slice(short.body);
    Some(())
}

/// Tells every answer of `bytes` with its number, up to the first that does not read.
pub fn each(bytes: &[u8], mut tell: impl FnMut(u16, &Short<'_>)) {
    let mut rest = bytes;
    while let Some(()) = take(&mut rest, &mut tell) {}
}

fn take(rest: &mut &[u8], tell: &mut impl FnMut(u16, &Short<'_>)) -> Option<()> {
    let number = u16::from_le_bytes(bytes(rest)?);
    let status = u16::from_le_bytes(bytes(rest)?);
    let [count] = bytes(rest)?;
    let mut fields: [Field<'_>; FIELDS] = Default::default();
    for field in fields.get_mut(..count.into())? {
        let [name] = bytes(rest)?;
        let length = u16::from_le_bytes(bytes(rest)?);
        *field = (NAMES.get(usize::from(name))?, rest.split_off(..length.into())?);
    }
    let length = u32::from_le_bytes(bytes(rest)?);
    let body = rest.split_off(..length as usize)?;
    let fields = &fields[..count.into()];
    // It goes to a client as it stands: no look gives another status, or a field of other bytes.
    let is_text = |value: &[u8]| value.iter().all(|byte| matches!(byte, b' '..=b'~'));
    if !matches!(status, 200 | 404) || !fields.iter().all(|(_, value)| is_text(value)) {
        return None;
    }
    tell(number, &Short { status, content_type: JSON, fields, body });
    Some(())
}

fn bytes<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Told = (u16, u16, Vec<(String, Vec<u8>)>, Vec<u8>);

    fn told(bytes: &[u8]) -> Vec<Told> {
        let mut all = Vec::new();
        each(bytes, |number, short| {
            let fields = short.fields.iter().map(|(name, value)| ((*name).into(), value.to_vec()));
            all.push((number, short.status, fields.collect(), short.body.to_vec()));
        });
        all
    }

    fn short<'s>(status: u16, fields: &'s [Field<'s>], body: &'s [u8]) -> Short<'s> {
        Short { status, content_type: JSON, fields, body }
    }

    #[test]
    fn what_is_put_is_told() {
        let mut out = Vec::new();
        let fields: [Field<'_>; 3] =
            [("etag", b"\"3-7\""), (wire::NODE, b"b"), (wire::LAG_MS, b"9")];
        assert!(put(&mut out, 7, &short(200, &fields, b"{\"a\":1}")));
        assert!(put(&mut out, u16::MAX, &short(404, &[], b"")));
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_vec()));
        let wanted =
            vec![(7, 200, fields.to_vec(), b"{\"a\":1}".to_vec()), (u16::MAX, 404, vec![], vec![])];
        assert_eq!(told(&out), wanted);
        // Cut anywhere, what is whole is told, and nothing else.
        let first = 2 + 2 + 1 + (3 + 5) + (3 + 1) + (3 + 1) + 4 + 7;
        for length in 0..out.len() {
            assert_eq!(told(&out[..length]), wanted[..usize::from(length >= first)], "{length}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_put() {
        let mut out = b"before".to_vec();
        assert!(!put(&mut out, 1, &short(200, &[("x-other", b"1")], b"")));
        let text = Short { content_type: "text/plain", ..short(200, &[], b"") };
        assert!(!put(&mut out, 1, &text));
        let long = vec![b'1'; 1 << 16];
        assert!(!put(&mut out, 1, &short(200, &[("etag", &long)], b"")));
        assert_eq!(out, b"before");
    }

    #[test]
    fn noise_is_no_answer_and_no_harm() {
        assert!(told(&[0xff; 64]).is_empty());
        // A name that nobody knows, more fields than there are names.
        assert!(told(&[0, 0, 200, 0, 1, 9, 0, 0, 0, 0, 0, 0]).is_empty());
        assert!(told(&[0, 0, 200, 0, 6, 0, 0, 0, 0, 0, 0, 0]).is_empty());
    }

    #[test]
    fn what_no_look_says_is_no_answer() {
        let mut out = Vec::new();
        put(&mut out, 0, &short(100, &[], b""));
        assert!(told(&out).is_empty());
        out.clear();
        put(&mut out, 2, &short(200, &[("etag", b"a\r\nset-cookie: x")], b""));
        assert!(told(&out).is_empty());
    }
}
