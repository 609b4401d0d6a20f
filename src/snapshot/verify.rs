//! Proving a snapshot: every checksum, every row, and the state hash summed up anew. On the thread
//! of whoever asks, which it keeps busy; changes nothing.

use pumice_model::hash::Hash;
use pumice_model::logical::Logical;
use pumice_model::manifest::{About, Manifest};
use pumice_model::statehash::{Hasher, StateHash, part};

use super::catalog::{Found, Whose};
use super::download::{ReadFault, chunks, unpack};
use super::frames::rows;
use crate::objects::Objects;

/// Reads a whole snapshot; `read` is told of the rows object's bytes as they go. What it is, when
/// all of it is right.
pub async fn verify(
    objects: &Objects,
    whose: &Whose,
    found: &Found,
    read: impl Fn(u64),
) -> Result<Manifest, ReadFault> {
    let manifest = found.read(objects, whose).await?;
    let key = found.place.rows();
    let mut proof = Proof::default();
    for chunk in chunks(&manifest.frames) {
        for (packed, frame) in chunk.fetch(objects, &key).await? {
            let plain = unpack(&key, &packed, &frame)?;
            for row in rows(&plain).flatten() {
                proof.row(&manifest.about, row).map_err(|why| bad(&key, &why))?;
            }
            read(frame.packed.into());
        }
    }
    proof.end(&manifest.about).map_err(|why| bad(&key, &why))?;
    Ok(manifest)
}

fn bad(key: &str, why: &str) -> ReadFault {
    ReadFault::Bad(format!("{key}: {why}"))
}

/// What was read so far.
#[derive(Default)]
struct Proof {
    rows: u64,
    producers: u64,
    writes: u64,
    sum: StateHash,
}

impl Proof {
    fn row(&mut self, about: &About, bytes: &[u8]) -> Result<(), String> {
        let logical = Logical::decode(bytes)
            .ok_or_else(|| format!("row {} is none", self.rows + self.producers + self.writes))?;
        if logical.offset() >= about.next {
            let (offset, next) = (logical.offset(), about.next);
            return Err(format!("a row was written at {offset}, the snapshot ends before {next}"));
        }
        match logical {
            Logical::Row { pk, sk, .. } => {
                let home = Hash::partition(about.hash, pk.as_bytes(), about.partitions);
                if home != about.partition {
                    return Err(format!("row {pk:?}/{sk:?} belongs to partition {home}"));
                }
                self.rows += 1;
            }
            Logical::Producer { .. } => self.producers += 1,
            Logical::Write { .. } => self.writes += 1,
        }
        self.sum.add(part(bytes));
        Ok(())
    }

    fn end(mut self, about: &About) -> Result<(), String> {
        self.sum.add(Hasher::default().position(about.next, about.log_time));
        let has = (self.rows, self.producers, self.writes);
        let wanted = (about.rows, about.producers, about.writes);
        if has != wanted {
            return Err(format!(
                "has {has:?} rows, producers and write ids, its manifest says {wanted:?}"
            ));
        }
        if self.sum != about.state {
            let (has, wanted) = (self.sum, about.state);
            return Err(format!("has the state hash {has}, its manifest says {wanted}"));
        }
        Ok(())
    }
}
