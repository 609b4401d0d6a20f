//! Short answers as HTTP/1.1 writes them, field for field as hyper does. On the core of the
//! connection; must not allocate for an answer, once its buffers have grown.

use http::StatusCode;

use crate::net::Short;

/// Writes `short` at the end of `out`. With `closes` it says that the connection ends behind it.
pub(super) fn write(out: &mut Vec<u8>, short: &Short<'_>, date: &[u8], closes: bool) {
    if short.status == 200 {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-type: ");
    } else {
        let status = StatusCode::from_u16(short.status).ok();
        let reason = status.and_then(|status| status.canonical_reason()).unwrap_or_default();
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(itoa::Buffer::new().format(short.status).as_bytes());
        out.push(b' ');
        out.extend_from_slice(reason.as_bytes());
        out.extend_from_slice(b"\r\ncontent-type: ");
    }
    out.extend_from_slice(short.content_type.as_bytes());
    for (name, value) in short.fields {
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
    }
    if closes {
        out.extend_from_slice(b"\r\nconnection: close");
    }
    out.extend_from_slice(b"\r\ncontent-length: ");
    out.extend_from_slice(itoa::Buffer::new().format(short.body.len()).as_bytes());
    out.extend_from_slice(b"\r\ndate: ");
    out.extend_from_slice(date);
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(short.body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_written_as_rfc_9112_has_it() {
        let mut out = b"before".to_vec();
        let fields: [(&str, &[u8]); 1] = [("etag", b"\"1-2\"")];
        let short =
            Short { status: 200, content_type: "application/json", fields: &fields, body: b"{}" };
        write(&mut out, &short, b"now", false);
        let written = "beforeHTTP/1.1 200 OK\r\ncontent-type: application/json\r\netag: \"1-2\"\r\n\
                       content-length: 2\r\ndate: now\r\n\r\n{}";
        assert_eq!(String::from_utf8_lossy(&out), written);
        out.clear();
        let short = Short { status: 503, content_type: "text/plain", fields: &[], body: b"" };
        write(&mut out, &short, b"now", true);
        let written = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\n\
                       connection: close\r\ncontent-length: 0\r\ndate: now\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), written);
    }
}
