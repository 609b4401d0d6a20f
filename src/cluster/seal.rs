//! (pure) How a message of gossip becomes a datagram: compressed, and sealed with HMAC-SHA256 where
//! the cluster has a secret. Of a sealed one nothing is read before the seal was checked.

use std::io;

use ring::hmac;

/// What UDP over IPv4 carries.
pub const DATAGRAM_BYTES_MAX: usize = 65_507;
/// Which way of making datagrams this is.
const FORMAT: u8 = 1;
const OPEN: u8 = 0;
const SEALED: u8 = 1;
const HEAD_BYTES: usize = 2;
const SEAL_BYTES: usize = 32;
/// The fastest: digests shrink to a third by it, and no other shrinks them much further.
const COMPRESSION: i32 = 1;

/// Makes datagrams, and reads those of peers. One that is recorded and sent again is read again: it
/// says nothing to who heard it or what came after it, since heartbeats and versions only rise, and
/// shows a life that ended to nobody but a node that never knew it.
pub struct Sealing(Option<hmac::Key>);

/// Why a datagram is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is not sealed, and this cluster has a secret.
    Open,
    /// It is sealed, and this cluster has no secret.
    Sealed,
    /// Its seal is of another secret, or of another namespace.
    Seal,
    /// It is no datagram of ours.
    Garbled,
}

impl Sealing {
    /// For the members of `cluster` who know `secret`. The key is of both, since only some messages
    /// name their cluster: one secret may be that of two clusters.
    pub fn new(secret: Option<&str>, cluster: &str) -> Self {
        Self(secret.map(|secret| {
            let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            let of_cluster = hmac::sign(&secret, cluster.as_bytes());
            hmac::Key::new(hmac::HMAC_SHA256, of_cluster.as_ref())
        }))
    }

    /// A datagram of `message`; it may be larger than [`DATAGRAM_BYTES_MAX`].
    pub fn write(&self, message: &[u8]) -> io::Result<Vec<u8>> {
        let mut datagram = vec![FORMAT, if self.0.is_some() { SEALED } else { OPEN }];
        datagram.extend(zstd::bulk::compress(message, COMPRESSION)?);
        if let Some(key) = &self.0 {
            let seal = hmac::sign(key, &datagram);
            datagram.extend_from_slice(seal.as_ref());
        }
        Ok(datagram)
    }

    /// The message of a datagram.
    pub fn read(&self, datagram: &[u8]) -> Result<Vec<u8>, Unread> {
        let sealed = match datagram {
            [FORMAT, SEALED, ..] => true,
            [FORMAT, OPEN, ..] => false,
            _ => return Err(Unread::Garbled),
        };
        let body = match (&self.0, sealed) {
            (None, false) => datagram,
            (None, true) => return Err(Unread::Sealed),
            (Some(_), false) => return Err(Unread::Open),
            (Some(key), true) => {
                let split = datagram.len().checked_sub(SEAL_BYTES).ok_or(Unread::Garbled)?;
                let (body, seal) = datagram.split_at(split);
                // In constant time.
                hmac::verify(key, body, seal).map_err(|_| Unread::Seal)?;
                body
            }
        };
        let body = body.get(HEAD_BYTES..).ok_or(Unread::Garbled)?;
        zstd::bulk::decompress(body, DATAGRAM_BYTES_MAX).map_err(|_| Unread::Garbled)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn only_who_knows_secret_and_cluster_is_read() {
        let ours = Sealing::new(Some("a secret of ours"), "pumice/a");
        let datagram = ours.write(b"hello").unwrap();
        assert_eq!(ours.read(&datagram).unwrap(), b"hello");
        for (secret, cluster, expected) in [
            (Some("another secret"), "pumice/a", Unread::Seal),
            (Some("a secret of ours"), "pumice/b", Unread::Seal),
            (None, "pumice/a", Unread::Sealed),
        ] {
            assert_eq!(Sealing::new(secret, cluster).read(&datagram), Err(expected));
        }
        let open = Sealing::new(None, "pumice/a");
        let datagram = open.write(b"hello").unwrap();
        assert_eq!(open.read(&datagram).unwrap(), b"hello");
        assert_eq!(ours.read(&datagram), Err(Unread::Open));
    }

    #[test]
    fn no_changed_datagram_is_read() {
        let sealing = Sealing::new(Some("a secret of ours"), "pumice/a");
        let datagram = sealing.write(&[7; 100]).unwrap();
        for at in 0..datagram.len() {
            let mut changed = datagram.clone();
            changed[at] ^= 1;
            assert!(sealing.read(&changed).is_err(), "byte {at}");
            assert!(sealing.read(&datagram[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_message_that_would_grow_without_bound_is_dropped() {
        let open = Sealing::new(None, "pumice/a");
        let bomb = open.write(&vec![0; DATAGRAM_BYTES_MAX + 1]).unwrap();
        assert!(bomb.len() < 1_000);
        assert_eq!(open.read(&bomb), Err(Unread::Garbled));
    }
}
