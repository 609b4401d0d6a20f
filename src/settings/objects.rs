//! Where snapshots live and how many are kept: the values that `objects` and `snapshot` read, and
//! how `resolve` and the snapshot commands come to them. Lives on the starting thread; it must
//! never show a secret key, nor open what a value names.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::names::Place;
use super::sources::Gathered;
use super::{Secret, Surroundings, names, table, values};

/// A round of many partitions takes longer than less.
const INTERVAL_MIN: Duration = Duration::from_secs(10);
const REGION_DEFAULT: &str = "us-east-1";

/// An object store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectsSettings {
    /// A directory, of this machine or mounted.
    Directory(PathBuf),
    /// A bucket.
    S3(S3Settings),
}

/// A bucket of S3 or of something that speaks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Settings {
    /// The bucket's name; it must exist.
    pub bucket: String,
    /// What every key begins with: no slash at either end, may be empty.
    pub prefix: String,
    /// `http://` or `https://` and host; `None` is AWS.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// The bucket stands in the path, not in the host name.
    pub path_style: bool,
    /// `None` looks where AWS's own tools look: variables, profile, instance.
    pub credentials: Option<S3Credentials>,
}

/// An access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Credentials {
    /// Its name.
    pub access_key: String,
    /// Its secret.
    pub secret_key: Secret,
}

/// When snapshots are taken and which are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotSettings {
    /// From the end of one round to the start of the next; `None` takes them on demand only.
    pub interval: Option<Duration>,
    /// The newest of a partition that stay whatever their age, at least one.
    pub keep: u32,
    /// How long older ones stay besides.
    pub keep_for: Duration,
    /// Where a snapshot is spooled before it is uploaded.
    pub spool_dir: PathBuf,
}

/// As `--objects` takes it.
impl fmt::Display for ObjectsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "dir:{}", path.display()),
            Self::S3(S3Settings { bucket, prefix, .. }) if prefix.is_empty() => {
                write!(f, "s3://{bucket}")
            }
            Self::S3(S3Settings { bucket, prefix, .. }) => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl ObjectsSettings {
    /// What was said of objects; nothing where nobody spoke of them. What does not do is noted as a
    /// fault.
    pub(super) fn resolve(said: &mut Gathered, around: &Surroundings) -> Option<ObjectsSettings> {
        let told = said.told("objects");
        let (bucket, prefix) = match said.parse("objects", names::place) {
            Some(Place::Bucket { bucket, prefix }) => (bucket, prefix),
            // So that all faults are told at once.
            None if told => (String::new(), String::new()),
            directory => {
                for setting in table::of_objects().filter(|setting| setting.name != "objects") {
                    said.needless(setting.name, "--objects s3://BUCKET/PREFIX");
                }
                let Some(Place::Directory(path)) = directory else { return None };
                return Some(ObjectsSettings::Directory(path));
            }
        };
        let endpoint = said.parse("s3-endpoint", names::endpoint);
        said.fall_back("s3-region", around, &["AWS_REGION", "AWS_DEFAULT_REGION"]);
        let region = said.parse("s3-region", names::region);
        let path_style = said.parse("s3-path-style", values::boolean);
        let path_style = path_style.unwrap_or(endpoint.is_some());
        let region = region.unwrap_or_else(|| REGION_DEFAULT.to_owned());
        let credentials = credentials(said);
        let settings = S3Settings { bucket, prefix, endpoint, region, path_style, credentials };
        Some(ObjectsSettings::S3(settings))
    }
}

fn credentials(said: &mut Gathered) -> Option<S3Credentials> {
    let access_key = said.parse("s3-access-key", values::not_empty);
    let secret_key = said.parse("s3-secret-key", values::secret);
    let (access, secret) = ("s3-access-key", "s3-secret-key");
    for (name, other) in [(access, secret), (secret, access)] {
        if said.told(other) && !said.told(name) {
            said.fault(name, format!("--{other} is given; give both or neither"));
        }
    }
    Some(S3Credentials { access_key: access_key?, secret_key: secret_key? })
}

impl SnapshotSettings {
    /// What was said of snapshots; nothing, beside a fault, where that does not do.
    pub(super) fn resolve(
        said: &mut Gathered,
        data_dir: Option<&Path>,
    ) -> Option<SnapshotSettings> {
        let interval = said.parse("snapshot-interval", interval);
        let keep = said.parse("snapshot-keep", values::keep);
        let keep_for = said.parse("snapshot-keep-for", values::duration);
        let spool_dir = said.parse("snapshot-spool", values::directory);
        let spool_dir = spool_dir.or_else(|| Some(data_dir?.join("spool")));
        Some(SnapshotSettings {
            interval: interval?,
            keep: keep?,
            keep_for: keep_for?,
            spool_dir: spool_dir?,
        })
    }
}

/// `off` is nothing.
fn interval(text: &str) -> Result<Option<Duration>, String> {
    if text == "off" {
        return Ok(None);
    }
    match values::duration(text) {
        Ok(interval) if interval >= INTERVAL_MIN => Ok(Some(interval)),
        Ok(_) => Err(format!("{text:?} is too short; give at least 10s, or off")),
        Err(why) => Err(format!("{why}, or off")),
    }
}
