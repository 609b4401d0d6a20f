//! From a setting's text to the names of things elsewhere: brokers, topics, buckets and
//! endpoints. It must never ask a network whether they exist; an error says what would do.

use std::path::PathBuf;

use super::values;

/// Kafka takes no longer ones.
const TOPIC_BYTES_MAX: usize = 249;
/// Of a prefix; ours stands behind it, and S3 takes 1,024 bytes in all.
const PREFIX_BYTES_MAX: usize = 500;

/// Of a name that nodes show each other.
const LABEL_BYTES_MAX: usize = 64;

/// Where objects can be.
pub enum Place {
    /// `dir:PATH`.
    Directory(PathBuf),
    /// `s3://BUCKET/PREFIX`; the prefix may be empty and has no slash at either end.
    Bucket { bucket: String, prefix: String },
}

/// `HOST:PORT,HOST:PORT`, as given.
pub fn brokers(text: &str) -> Result<Vec<String>, String> {
    let broker = |part: &str| {
        is_host_and_port(part).then(|| part.to_owned()).ok_or_else(|| {
            format!("{part:?} is no broker; give HOST:PORT, more of them behind commas")
        })
    };
    text.split(',').map(broker).collect()
}

/// `HOST:PORT`, as given.
pub fn host(text: &str) -> Result<String, String> {
    let message = || format!("{text:?} is no address; give HOST:PORT, as db-1.example.com:8190");
    is_host_and_port(text).then(|| text.to_owned()).ok_or_else(message)
}

/// `HOST:PORT,HOST:PORT`, as given.
pub fn hosts(text: &str) -> Result<Vec<String>, String> {
    text.split(',').map(host).collect()
}

fn is_host_and_port(text: &str) -> bool {
    let parts = text.rsplit_once(':');
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    parts.is_some_and(|(host, port)| is_host(host) && is_port(port))
}

/// A name, or an address; one of IPv6 in brackets.
fn is_host(text: &str) -> bool {
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match inside {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !text.is_empty() && text.bytes().all(|b| is_plain(b) && b != b':'),
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}

pub fn topic(text: &str) -> Result<String, String> {
    let length_fits = (1..=TOPIC_BYTES_MAX).contains(&text.len());
    if length_fits && text.bytes().all(is_plain) && text != "." && text != ".." {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is no topic; give 1 to {TOPIC_BYTES_MAX} of a-z, A-Z, 0-9, '.', '_' and '-', \
         other than '.' and '..'"
    ))
}

pub fn place(text: &str) -> Result<Place, String> {
    if let Some(path) = text.strip_prefix("dir:") {
        return values::directory(path).map(Place::Directory);
    }
    let Some(path) = text.strip_prefix("s3://") else {
        return Err(format!("{text:?} is neither s3://BUCKET/PREFIX nor dir:PATH"));
    };
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    let without_slash = prefix.strip_suffix('/').filter(|prefix| !prefix.is_empty());
    let prefix = without_slash.unwrap_or(prefix);
    if !is_bucket(bucket) {
        return Err(format!(
            "{bucket:?} is no bucket; give 3 to 63 of a-z, 0-9, '.' and '-' that begin and end \
             with a letter or digit"
        ));
    }
    if !prefix.is_empty() && !is_prefix(prefix) {
        return Err(format!(
            "{prefix:?} is no prefix; give at most {PREFIX_BYTES_MAX} letters, digits and ._-=+@ \
             in parts between slashes that begin with no dot"
        ));
    }
    Ok(Place::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

fn is_bucket(name: &str) -> bool {
    let is_end = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    let allowed = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(b);
    let length_fits = (3..=63).contains(&bytes.len());
    length_fits && bytes.iter().all(allowed) && is_end(bytes.first()) && is_end(bytes.last())
}

fn is_prefix(prefix: &str) -> bool {
    let is_part = |part: &str| {
        let allowed = |b: u8| is_plain(b) || b"=+@".contains(&b);
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(allowed)
    };
    prefix.len() <= PREFIX_BYTES_MAX && prefix.split('/').all(is_part)
}

/// `http://HOST[:PORT]` or `https://HOST[:PORT]`. The text is not shown: people put passwords into
/// URLs.
pub fn endpoint(text: &str) -> Result<String, String> {
    let url = text.strip_suffix('/').unwrap_or(text);
    let authority = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let named =
        |authority: &str| is_host(authority) || brokers(authority).is_ok_and(|b| b.len() == 1);
    if authority.is_some_and(named) {
        return Ok(url.to_owned());
    }
    Err("is no endpoint; give http://HOST:PORT or https://HOST, with nothing behind".to_owned())
}

pub fn region(text: &str) -> Result<String, String> {
    if !text.is_empty() && text.len() <= 64 && text.bytes().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is no region, as eu-central-1"))
}

/// A word that peers, metrics and tables show.
pub fn label(text: &str, what: &str) -> Result<String, String> {
    if (1..=LABEL_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is not {what}; give 1 to {LABEL_BYTES_MAX} of a-z, A-Z, 0-9, '.', '_' and '-'"
    ))
}

/// A label made of an address: `db-1:8190` is `db-1-8190`, `[::1]:8190` is `--1-8190`.
pub fn label_of(address: &str) -> String {
    let bytes = address.bytes().filter(|b| !b"[]".contains(b));
    let plain: Vec<u8> = bytes.map(|b| if is_plain(b) { b } else { b'-' }).collect();
    // The end differs between the nodes of one place, the beginning may not.
    let end = &plain[plain.len().saturating_sub(LABEL_BYTES_MAX)..];
    String::from_utf8_lossy(end).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn brokers_have_a_host_and_a_port() {
        assert_eq!(brokers("a:9092").unwrap(), ["a:9092"]);
        let many = brokers("kafka-1.x:1,10.0.0.1:65535,[::1]:9092").unwrap();
        assert_eq!(many, ["kafka-1.x:1", "10.0.0.1:65535", "[::1]:9092"]);
        for bad in ["", "a", "a:", ":1", "a:0", "a:65536", "a:1,", "a:1, b:1", "::1:9", "[a]:1"] {
            assert!(brokers(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn labels_are_short_and_plain() {
        assert_eq!(label("eu-1.a_B", "a region").unwrap(), "eu-1.a_B");
        for bad in ["", "a b", "a/b", "ä", &"l".repeat(65)] {
            assert!(label(bad, "a region").unwrap_err().contains("is not a region"), "{bad:?}");
        }
        for (address, name) in [
            ("db-1.x:8190", "db-1.x-8190"),
            ("10.0.0.1:8190", "10.0.0.1-8190"),
            ("[fe80::1]:80", "fe80--1-80"),
        ] {
            assert_eq!(label(&label_of(address), "a node").unwrap(), name);
        }
        let long = label_of(&format!("{}:8190", "h".repeat(200)));
        assert!(long.len() == 64 && long.ends_with("h-8190"), "{long}");
    }

    #[test]
    fn topics_are_what_kafka_takes() {
        for good in ["firescroll_a.b_mutations", &"t".repeat(249), "..."] {
            assert_eq!(topic(good).unwrap(), good);
        }
        for bad in ["", ".", "..", "a b", "a/b", "ä", &"t".repeat(250)] {
            assert!(topic(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_place_is_a_bucket_or_a_directory() {
        let bucket = |text: &str| match place(text).unwrap() {
            Place::Bucket { bucket, prefix } => (bucket, prefix),
            Place::Directory(path) => panic!("{text} is directory {path:?}"),
        };
        for (text, name, prefix) in [
            ("s3://abc", "abc", ""),
            ("s3://abc/", "abc", ""),
            ("s3://a.b-3/p", "a.b-3", "p"),
            ("s3://abc/p/q_1@x/", "abc", "p/q_1@x"),
        ] {
            assert_eq!(bucket(text), (name.to_owned(), prefix.to_owned()));
        }
        assert!(matches!(place("dir:a b").unwrap(), Place::Directory(path) if path == *"a b"));
        let long = format!("s3://abc/{}", "p".repeat(501));
        for bad in [
            "",
            "abc",
            "dir:",
            "s3://",
            "s3://ab",
            "s3://ABC",
            "s3://-bc",
            "s3://abc/a//b",
            &long,
            "s3://abc//",
            "s3://abc/../x",
            "s3://abc/a b",
            "S3://abc",
            "file:///x",
        ] {
            assert!(place(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn endpoints_are_hosts_and_their_passwords_are_not_told() {
        for good in ["http://127.0.0.1:9000", "https://s3.x.com", "http://[::1]:9", "http://m"] {
            assert_eq!(endpoint(good).unwrap(), good);
            assert_eq!(endpoint(&format!("{good}/")).unwrap(), good);
        }
        for bad in
            ["", "m:9000", "http://", "http://m/p", "http://m:0", "ftp://m", "http://a:1,b:1"]
        {
            assert!(endpoint(bad).is_err(), "{bad:?}");
        }
        assert!(!endpoint("http://user:hunter2@m").unwrap_err().contains("hunter2"));
    }
}
