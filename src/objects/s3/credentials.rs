//! The keys that requests are signed with: given once, or read where AWS's own tools read them and
//! read again when S3 does not take them. Objects side thread; nothing shows a secret.

use std::env;
use std::sync::Arc;

use ::s3::Bucket;
use ::s3::creds::Credentials;
use ::s3::region::Region;
use tokio::sync::Mutex;

use super::miss::Miss;
use crate::objects::{ObjectsFault, blocking};
use crate::settings::S3Credentials;

/// A bucket that can be signed for.
#[derive(Debug)]
pub struct Keys {
    /// Without credentials, unless they were given.
    bare: Box<Bucket>,
    given: bool,
    /// `None` until the first request, and after S3 did not take them.
    signed: Mutex<Option<Arc<Bucket>>>,
}

impl Keys {
    pub fn new(
        name: &str,
        region: Region,
        path_style: bool,
        given: Option<&S3Credentials>,
    ) -> Result<Self, ObjectsFault> {
        let unusable = |error| ObjectsFault::Settings(format!("{name}: {error}"));
        let credentials = match given {
            Some(S3Credentials { access_key, secret_key }) => {
                Credentials::new(Some(access_key), Some(secret_key.reveal()), None, None, None)
            }
            None => Credentials::anonymous(),
        };
        let credentials = credentials.map_err(|error| unusable(error.into()))?;
        let mut bare = Bucket::new(name, region, credentials).map_err(unusable)?;
        // Every try has a deadline around it.
        bare.set_request_timeout(None);
        if path_style {
            bare.set_path_style();
        }
        let given = given.is_some();
        let signed = Mutex::new(given.then(|| Arc::new((*bare).clone())));
        Ok(Self { bare, given, signed })
    }

    /// The bucket with the credentials of now. May ask the instance's metadata service.
    pub async fn bucket(&self) -> Result<Arc<Bucket>, Miss> {
        let mut signed = self.signed.lock().await;
        if let Some(bucket) = &*signed {
            return Ok(Arc::clone(bucket));
        }
        let credentials = blocking(|| Ok(read())).await;
        let credentials = credentials.map_err(|error| Miss::Passing(error.to_string()))??;
        let mut bucket = (*self.bare).clone();
        bucket.set_credentials(credentials);
        Ok(Arc::clone(signed.insert(Arc::new(bucket))))
    }

    /// Reads the credentials again before the next request, unless somebody did so already.
    pub async fn forget(&self, stale: &Arc<Bucket>) {
        let mut signed = self.signed.lock().await;
        if !self.given && signed.as_ref().is_some_and(|bucket| Arc::ptr_eq(bucket, stale)) {
            *signed = None;
        }
    }
}

/// Variables, profile, web identity, container, instance: the first that has any.
fn read() -> Result<Credentials, Miss> {
    let profile = env::var("AWS_PROFILE").ok();
    Credentials::new(None, None, None, None, profile.as_deref()).map_err(|error| {
        Miss::Settings(format!(
            "{error}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile"
        ))
    })
}
