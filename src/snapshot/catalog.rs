//! What of a namespace is in the object store, and what of it is good: a manifest that reads, of
//! this namespace, and a rows object as long as it says. On the objects' side thread; nothing that
//! could not be read is ever called damaged.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use pumice_model::hash::Hash;
use pumice_model::ids::Partition;
use pumice_model::limits::MANIFEST_MAX;
use pumice_model::manifest::{About, Manifest, ManifestFault};
use pumice_model::time::Millis;
use pumice_shards::Position;

use super::download::ReadFault;
use super::place::{Piece, Place, of_namespace, of_partition};
use crate::objects::{Objects, ObjectsFault};
use crate::settings::ClusterSettings;

/// Manifests that are fetched at a time.
const AT_ONCE: usize = 8;

/// Whose snapshots are looked for.
#[derive(Clone, Debug)]
pub struct Whose {
    /// The namespace.
    pub namespace: String,
    /// How many partitions it has and how pks find them; `None` takes what a manifest says.
    pub layout: Option<(u32, Hash)>,
}

impl From<&ClusterSettings> for Whose {
    fn from(cluster: &ClusterSettings) -> Self {
        let layout = Some((cluster.partitions, cluster.hash));
        Self { namespace: cluster.namespace.clone(), layout }
    }
}

/// What a listing says of one snapshot, or of a part of one. Not read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it lies.
    pub place: Place,
    /// Bytes of its rows object; `None` when there is none.
    pub rows: Option<u64>,
    /// Whether there is a manifest.
    pub manifest: bool,
    /// When its last object was written, by the store's clock.
    pub modified: Millis,
}

/// A snapshot and what is known of it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Where it lies.
    pub found: Found,
    /// What its manifest says.
    pub state: State,
}

/// What a snapshot's manifest says.
#[derive(Clone, Debug)]
pub enum State {
    /// It can be restored, if its rows are what they were.
    Good(Box<Summary>),
    /// It cannot be restored, and why.
    Damaged(String),
    /// It is of another namespace, or of a later version of this program.
    Foreign(String),
    /// The store did not give the manifest.
    Unread(String),
    /// Rows without a manifest: an upload under way, or one that died.
    Orphan,
}

/// A good manifest without its frames.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What it is a snapshot of.
    pub about: About,
    /// Bytes of the rows object.
    pub packed: u64,
    /// Bytes of the rows.
    pub plain: u64,
}

/// Where a partition stands once a snapshot of it is restored.
pub fn position(about: &About) -> Position {
    Position {
        next: about.next,
        log_time: about.log_time,
        hash: about.state,
        rows: about.rows,
        last: about.last,
    }
}

/// What is there of a partition, or of all, newest first within a partition.
pub async fn find(
    objects: &Objects,
    namespace: &str,
    partition: Option<Partition>,
) -> Result<Vec<Found>, ObjectsFault> {
    let prefix = match partition {
        Some(partition) => of_partition(namespace, partition),
        None => of_namespace(namespace),
    };
    let mut found = BTreeMap::<Place, Found>::new();
    for object in objects.list(&prefix).await? {
        let Some((place, piece)) = Place::of_key(&object.key) else { continue };
        let entry = found.entry(place.clone()).or_insert(Found {
            place,
            rows: None,
            manifest: false,
            modified: object.modified_ms,
        });
        match piece {
            Piece::Rows => entry.rows = Some(object.len),
            Piece::Manifest => entry.manifest = true,
        }
        entry.modified = entry.modified.max(object.modified_ms);
    }
    let mut found: Vec<_> = found.into_values().collect();
    found.sort_by_key(|one| {
        let newest_first = std::cmp::Reverse((one.place.next, one.modified));
        (one.place.partition, newest_first)
    });
    Ok(found)
}

/// What is there of a namespace, every manifest read.
///
/// # Errors
///
/// Only when the store could not be listed.
pub async fn list(objects: &Objects, whose: &Whose) -> Result<Vec<Listed>, ObjectsFault> {
    let found = find(objects, &whose.namespace, None).await?;
    let read = stream::iter(found).map(async |found| {
        let state = state(objects, whose, &found).await;
        Ok(Listed { found, state })
    });
    read.buffered(AT_ONCE).try_collect().await
}

async fn state(objects: &Objects, whose: &Whose, found: &Found) -> State {
    if !found.manifest {
        return State::Orphan;
    }
    match found.read(objects, whose).await {
        Ok(manifest) => {
            let (packed, plain) = (manifest.packed(), manifest.plain());
            State::Good(Box::new(Summary { about: manifest.about, packed, plain }))
        }
        Err(ReadFault::Bad(why)) => State::Damaged(why),
        // Between the listing and now; or only ever half there.
        Err(fault @ ReadFault::Gone(_)) => State::Unread(fault.to_string()),
        Err(ReadFault::Foreign(why)) => State::Foreign(why),
        Err(fault @ (ReadFault::Store(_) | ReadFault::Off(_))) => State::Unread(fault.to_string()),
    }
}

impl Found {
    /// Reads the manifest, and holds it against whose it should be, where it lies and the length
    /// of the rows object.
    pub async fn read(&self, objects: &Objects, whose: &Whose) -> Result<Manifest, ReadFault> {
        let key = self.place.manifest();
        let bytes = objects.get(&key, MANIFEST_MAX).await?;
        let bytes = bytes.ok_or_else(|| ReadFault::Gone(key.clone()))?;
        let manifest = Manifest::decode(&bytes).map_err(|fault| match fault {
            ManifestFault::Format(_) => ReadFault::Foreign(format!("{key}: {fault}")),
            fault => ReadFault::Bad(format!("{key}: {fault}")),
        })?;
        let (about, place) = (&manifest.about, &self.place);
        if (about.partition, about.next) != (place.partition, place.next) {
            let why = format!("is of partition {}, next offset {}", about.partition, about.next);
            return Err(ReadFault::Bad(format!("{key}: {why}")));
        }
        if let Some(why) = foreign(about, whose) {
            return Err(ReadFault::Foreign(format!("{key}: {why}")));
        }
        let wanted = manifest.packed();
        match self.rows {
            Some(len) if len == wanted => Ok(manifest),
            Some(len) => {
                let rows = self.place.rows();
                Err(ReadFault::Bad(format!("{rows}: has {len} bytes, its manifest says {wanted}")))
            }
            None => Err(ReadFault::Bad(format!("{}: is missing", self.place.rows()))),
        }
    }
}

/// Why a manifest is not of this namespace.
pub(super) fn foreign(about: &About, whose: &Whose) -> Option<String> {
    let (partitions, hash) = whose.layout.unwrap_or((about.partitions, about.hash));
    let differing = [
        ("namespace", about.namespace.clone(), whose.namespace.clone()),
        ("partitions", about.partitions.to_string(), partitions.to_string()),
        ("hash", about.hash.to_string(), hash.to_string()),
    ];
    let (what, has, wanted) = differing.into_iter().find(|(_, has, wanted)| has != wanted)?;
    Some(format!("is of {what} {has}, not {wanted}"))
}
