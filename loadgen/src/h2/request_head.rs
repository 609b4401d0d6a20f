//! (pure) Request heads as HPACK blocks: the fields that repeat are put into the server's table by
//! the first request of a connection and are one byte each from then on.

use super::{huffman, integer};
use crate::request::{Method, Request};

/// What the fields that repeat need in the server's table, roughly; below it they go literally.
const TABLE_NEEDED: u32 = 1_024;

const INDEXED: u8 = 0x80;
const WITH_INDEXING: u8 = 0x40;
const SIZE_UPDATE: u8 = 0x20;
const PLAIN: u8 = 0x00;

// Names and fields of the static table (RFC 7541 appendix A).
const AUTHORITY: usize = 1;
const METHOD_GET: usize = 2;
const METHOD_POST: usize = 3;
const PATH: usize = 4;
const SCHEME_HTTP: usize = 6;
const SCHEME_HTTPS: usize = 7;
const CONTENT_LENGTH: usize = 28;
const CONTENT_TYPE: usize = 31;
const USER_AGENT: usize = 58;
/// The newest entry of the dynamic table.
const NEWEST: usize = 62;

/// Writes the heads of one connection.
#[derive(Debug)]
pub struct HeadEncoder {
    authority: Vec<u8>,
    scheme: usize,
    indexing: bool,
    update: bool,
    /// The authority and the user agent are in the server's table.
    known: bool,
    /// The content type is in the server's table too.
    type_known: bool,
}

impl HeadEncoder {
    /// The encoder of a connection to this authority.
    pub fn new(authority: &str, tls: bool) -> Self {
        Self {
            authority: authority.as_bytes().to_vec(),
            scheme: if tls { SCHEME_HTTPS } else { SCHEME_HTTP },
            indexing: true,
            update: false,
            known: false,
            type_known: false,
        }
    }

    /// Follows the server's SETTINGS_HEADER_TABLE_SIZE. With a small table nothing is indexed.
    pub fn table_size(&mut self, size: u32) {
        if size < TABLE_NEEDED {
            self.indexing = false;
            self.update = true;
        }
    }

    /// Appends the block of one request.
    pub fn write(&mut self, request: &Request, out: &mut Vec<u8>) {
        if self.update {
            integer::push(out, SIZE_UPDATE, 5, 0);
            self.update = false;
        }
        match request.method {
            Method::Get => out.push(INDEXED | METHOD_GET as u8),
            Method::Post => out.push(INDEXED | METHOD_POST as u8),
            Method::Put => literal(out, PLAIN, 4, METHOD_GET, b"PUT"),
        }
        out.push(INDEXED | self.scheme as u8);
        literal(out, PLAIN, 4, PATH, &request.path);
        if self.known && self.indexing {
            let authority = NEWEST + 1 + usize::from(self.type_known);
            out.push(INDEXED | authority as u8);
            out.push(INDEXED | (authority - 1) as u8);
        } else {
            let (flags, bits) = self.form();
            literal(out, flags, bits, AUTHORITY, &self.authority);
            literal(out, flags, bits, USER_AGENT, crate::request::USER_AGENT.as_bytes());
            self.known = true;
        }
        if request.method != Method::Get {
            self.write_body_fields(request, out);
        }
    }

    fn write_body_fields(&mut self, request: &Request, out: &mut Vec<u8>) {
        if self.type_known && self.indexing {
            out.push(INDEXED | NEWEST as u8);
        } else {
            let (flags, bits) = self.form();
            literal(out, flags, bits, CONTENT_TYPE, b"application/json");
            self.type_known = self.indexing;
        }
        let mut digits = [0; 20];
        let digits = crate::request::decimal(request.body.len() as u64, &mut digits);
        literal(out, PLAIN, 4, CONTENT_LENGTH, digits);
    }

    fn form(&self) -> (u8, u32) {
        if self.indexing { (WITH_INDEXING, 6) } else { (PLAIN, 4) }
    }
}

/// A field with a name of the static table and a value in the shorter of both codes.
#[inline]
fn literal(out: &mut Vec<u8>, flags: u8, bits: u32, name: usize, value: &[u8]) {
    integer::push(out, flags, bits, name);
    let at = out.len();
    out.push(0);
    huffman::encode(value, out);
    let length = out.len() - at - 1;
    if length < value.len().min(127) {
        out[at] = 0x80 | length as u8;
        return;
    }
    out.truncate(at);
    if length < value.len() {
        integer::push(out, 0x80, 7, length);
        huffman::encode(value, out);
    } else {
        integer::push(out, 0, 7, value.len());
        out.extend_from_slice(value);
    }
}
