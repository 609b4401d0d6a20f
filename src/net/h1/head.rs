//! The heads of plain GETs, told from everything else. On the core of the connection; must never
//! take for plain what another reader of HTTP/1.1 could read in a second way: whatever is not
//! written as RFC 9112 has it, to the byte, is another's to judge.

/// What a connection's next bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head<'b> {
    /// A whole plain GET: HTTP/1.1, one `host`, no body, and nothing said of the connection but
    /// that it is kept.
    Plain {
        /// The path and the query.
        target: &'b str,
        /// How many bytes the head has, its empty line included.
        length: usize,
    },
    /// The beginning of what may be one.
    Partial,
    /// Anything else, right or wrong.
    Other,
}

/// Fields that make a request other than plain (RFC 9112 sections 6 and 9.6, RFC 9110 sections
/// 7.8 and 10.1.1).
const OTHERS: [&[u8]; 4] = [b"content-length", b"transfer-encoding", b"upgrade", b"expect"];

/// Fields of a plain head at most; nobody who reads records sends more.
const FIELDS: usize = 64;

enum Stop {
    Partial,
    Other,
}

/// What `bytes` begin with. A request with a field in `matters`, in lower case, is not plain, nor
/// one whose head has more than `size` bytes.
pub(super) fn read<'b>(bytes: &'b [u8], size: usize, matters: &[&str]) -> Head<'b> {
    let within = &bytes[..bytes.len().min(size)];
    match plain(within, matters) {
        Ok((target, length)) => Head::Plain { target, length },
        Err(Stop::Partial) if within.len() < size => Head::Partial,
        Err(_) => Head::Other,
    }
}

fn plain<'b>(bytes: &'b [u8], matters: &[&str]) -> Result<(&'b str, usize), Stop> {
    let rest = behind(bytes, b"GET ")?;
    behind(rest, b"/")?;
    let (target, rest) = split(rest, |byte| byte.is_ascii_graphic())?;
    let target = str::from_utf8(target).map_err(|_| Stop::Other)?;
    let mut rest = behind(rest, b" HTTP/1.1\r\n")?;
    let (mut hosts, mut fields) = (0, 0);
    while *rest.first().ok_or(Stop::Partial)? != b'\r' {
        let (name, line) = split(rest, is_token)?;
        if name.is_empty() {
            return Err(Stop::Other);
        }
        let line = behind(line, b":")?;
        let (value, end) = split(line, is_text)?;
        rest = behind(end, b"\r\n")?;
        fields += 1;
        if name.eq_ignore_ascii_case(b"host") {
            hosts += 1;
        } else if is_other(name, value, matters) {
            return Err(Stop::Other);
        }
    }
    rest = behind(rest, b"\r\n")?;
    if hosts != 1 || fields > FIELDS {
        return Err(Stop::Other);
    }
    Ok((target, bytes.len() - rest.len()))
}

fn is_other(name: &[u8], value: &[u8], matters: &[&str]) -> bool {
    if name.eq_ignore_ascii_case(b"connection") {
        return !value.trim_ascii().eq_ignore_ascii_case(b"keep-alive");
    }
    let mut others = OTHERS.into_iter().chain(matters.iter().map(|name| name.as_bytes()));
    others.any(|other| name.eq_ignore_ascii_case(other))
}

/// What follows `expected`.
fn behind<'b>(bytes: &'b [u8], expected: &[u8]) -> Result<&'b [u8], Stop> {
    match bytes.strip_prefix(expected) {
        Some(rest) => Ok(rest),
        None if expected.starts_with(bytes) => Err(Stop::Partial),
        None => Err(Stop::Other),
    }
}

/// The bytes that `is` says yes to, and what follows them, which must have begun.
fn split(bytes: &[u8], is: impl Fn(u8) -> bool) -> Result<(&[u8], &[u8]), Stop> {
    let end = bytes.iter().position(|byte| !is(*byte)).ok_or(Stop::Partial)?;
    Ok(bytes.split_at(end))
}

/// `tchar` of RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    const TOKEN: [bool; 256] = {
        let (mut table, mut byte) = ([false; 256], 0_u8);
        while byte < 128 {
            table[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        let (marks, mut at) = (b"!#$%&'*+-.^_`|~", 0);
        while at < marks.len() {
            table[marks[at] as usize] = true;
            at += 1;
        }
        table
    };
    TOKEN[byte as usize]
}

/// What a field's value is made of (RFC 9110 section 5.5).
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 1_024;

    fn head(text: &str) -> Head<'_> {
        read(text.as_bytes(), SIZE, &["if-none-match"])
    }

    #[test]
    fn a_plain_get_is_told_wherever_it_is_cut() {
        let whole = "GET /a%20b?c HTTP/1.1\r\nHost: h\r\nAccept:*/*\r\nConnection: Keep-Alive\r\n\
                     X-Any:\t\"\u{e9}\" \r\n\r\n";
        let plain = Head::Plain { target: "/a%20b?c", length: whole.len() };
        assert_eq!(head(whole), plain);
        assert_eq!(head(&format!("{whole}GET /")), plain);
        for end in 0..whole.len() {
            let cut = read(&whole.as_bytes()[..end], SIZE, &[]);
            assert_eq!(cut, Head::Partial, "cut at {end}");
        }
    }

    #[test]
    fn anything_else_is_told_as_soon_as_it_shows() {
        for other in [
            "P",
            "get ",
            "GET  ",
            "GET h",
            "GET http://h/ HTTP/1.1\r\n",
            "GET *",
            "GET /\u{e9}",
            "GET / HTTP/1.0",
            "GET /\r",
            "GET /  ",
            "GET / HTTP/1.1\n",
            "GET / HTTP/1.1\r\r",
            "GET / HTTP/1.1\r\n ",
            "GET / HTTP/1.1\r\n:",
            "GET / HTTP/1.1\r\nHost :",
            "GET / HTTP/1.1\r\nHost\r",
            "GET / HTTP/1.1\r\nHost: h\n",
            "GET / HTTP/1.1\r\nHost: h\r\r",
            "GET / HTTP/1.1\r\nHost: h\0",
            "GET / HTTP/1.1\r\nHost: h\x7f",
            "GET / HTTP/1.1\r\nHost: h\r\n a",
            "GET / HTTP/1.1\r\nHost: h\r\n\ta",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nhost: h\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 0\r\n",
            "GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n",
            "GET / HTTP/1.1\r\nUpgrade: h2c\r\n",
            "GET / HTTP/1.1\r\nExpect: 100-continue\r\n",
            "GET / HTTP/1.1\r\nConnection: close\r\n",
            "GET / HTTP/1.1\r\nConnection: keep-alive, upgrade\r\n",
            "GET / HTTP/1.1\r\nIF-NONE-MATCH: *\r\n",
            "\r\nGET /",
        ] {
            assert_eq!(head(other), Head::Other, "{other:?}");
        }
    }

    #[test]
    fn a_head_has_its_size_and_number_of_fields() {
        let of = |bytes: usize| format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(bytes));
        let fixed = of(0).len();
        assert!(matches!(head(&of(SIZE - fixed)), Head::Plain { length: SIZE, .. }));
        assert_eq!(head(&of(SIZE - fixed + 1)), Head::Other);
        assert_eq!(head(&"GET /".repeat(SIZE)[..SIZE]), Head::Other);
        let of = |fields: usize| {
            format!("GET / HTTP/1.1\r\n{}Host: h\r\n\r\n", "a: b\r\n".repeat(fields - 1))
        };
        assert!(matches!(head(&of(FIELDS)), Head::Plain { .. }));
        assert_eq!(head(&of(FIELDS + 1)), Head::Other);
    }
}
