//! (pure) Where a snapshot lies: `{namespace}/p{partition}/{next offset}-{8 digits}/`, in it `rows`
//! and `manifest`. What does not look so is nobody's business here.

use std::fmt;

use pumice_model::ids::{Offset, Partition};

const ROWS: &str = "rows";
const MANIFEST: &str = "manifest";

/// One snapshot's place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The namespace.
    pub namespace: String,
    /// Whose rows.
    pub partition: Partition,
    /// The offset from which the log goes on.
    pub next: Offset,
    /// Random, so that two nodes, or two tries, never write one object.
    pub tag: u32,
}

/// What an object of a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Its frames.
    Rows,
    /// What they are.
    Manifest,
}

impl Place {
    /// The key of its frames.
    pub fn rows(&self) -> String {
        format!("{self}/{ROWS}")
    }

    /// The key of its manifest.
    pub fn manifest(&self) -> String {
        format!("{self}/{MANIFEST}")
    }

    /// Takes an object's key apart.
    pub fn of_key(key: &str) -> Option<(Self, Piece)> {
        let mut parts = key.split('/');
        let mut part = || parts.next();
        let (namespace, partition, name, piece) = (part()?, part()?, part()?, part()?);
        let piece = match piece {
            ROWS => Piece::Rows,
            MANIFEST => Piece::Manifest,
            _ => return None,
        };
        let (next, tag) = name.split_once('-')?;
        let place = Self {
            namespace: namespace.to_owned(),
            partition: Partition(partition.strip_prefix('p')?.parse().ok()?),
            next: Offset(next.parse().ok()?),
            tag: u32::from_str_radix(tag, 16).ok()?,
        };
        // One name, one place: no signs, no digits more or less, nothing behind.
        let key_of = match piece {
            Piece::Rows => place.rows(),
            Piece::Manifest => place.manifest(),
        };
        (key_of == key).then_some((place, piece))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{:020}-{:08x}",
            of_partition(&self.namespace, self.partition),
            self.next.0,
            self.tag
        )
    }
}

/// What the keys of a namespace begin with.
pub fn of_namespace(namespace: &str) -> String {
    format!("{namespace}/")
}

/// What the keys of a partition begin with.
pub fn of_partition(namespace: &str, partition: Partition) -> String {
    format!("{namespace}/p{:05}/", partition.0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_keys() {
        let place = Place {
            namespace: "shop".to_owned(),
            partition: Partition(20),
            next: Offset(813),
            tag: 0xdead,
        };
        let rows = "shop/p00020/00000000000000000813-0000dead/rows";
        assert_eq!(place.rows(), rows);
        assert_eq!(Place::of_key(rows), Some((place.clone(), Piece::Rows)));
        assert_eq!(Place::of_key(&place.manifest()), Some((place, Piece::Manifest)));
    }

    #[test]
    fn what_looks_otherwise_is_no_place() {
        for key in [
            "",
            "shop/p00020/00000000000000000813-0000dead",
            "shop/p00020/00000000000000000813-0000dead/other",
            "shop/p00020/00000000000000000813-0000dead/rows/x",
            "shop/p20/00000000000000000813-0000dead/rows",
            "shop/p00020/813-0000dead/rows",
            "shop/p00020/00000000000000000813-0000DEAD/rows",
            "shop/p00020/+0000000000000000813-0000dead/rows",
            "x/shop/p00020/00000000000000000813-0000dead/rows",
        ] {
            assert_eq!(Place::of_key(key), None, "{key}");
        }
    }
}
