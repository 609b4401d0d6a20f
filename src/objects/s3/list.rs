//! A listing, page by page. Objects side thread; a listing that says that there is more, and not
//! where, is never taken for whole.

use std::sync::Arc;

use ::s3::Bucket;
use chrono::DateTime;

use super::S3;
use crate::objects::{LISTED_MAX, Object, ObjectsFault, key};

/// What S3 gives at most.
const PAGE_KEYS: usize = 1_000;

impl S3 {
    pub(in crate::objects) async fn list(&self, prefix: &str) -> Result<Vec<Object>, ObjectsFault> {
        let mut listed = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let attempt = |bucket: Arc<Bucket>| {
                let (prefix, token) = (self.path(prefix), token.clone());
                async move {
                    let page = bucket.list_page(prefix, None, token, None, Some(PAGE_KEYS)).await;
                    Ok(page?.0)
                }
            };
            let page = self.persist("list", prefix, attempt).await?;
            for object in page.contents {
                if let Some(object) = self.listed(prefix, object)? {
                    listed.push(object);
                }
            }
            if listed.len() > LISTED_MAX {
                let what = format!("more than {LISTED_MAX} objects: prune, or use another prefix");
                return Err(ObjectsFault::wrong(prefix, what));
            }
            let next = page.next_continuation_token.filter(|next| !next.is_empty());
            match (page.is_truncated, next) {
                (false, _) => return Ok(listed),
                (true, Some(next)) if token.as_ref() != Some(&next) => token = Some(next),
                (true, _) => {
                    let what = "the listing has more pages and no way to them".to_owned();
                    return Err(ObjectsFault::wrong(prefix, what));
                }
            }
        }
    }

    /// What else lies in the bucket, and could not be asked for, is nobody's.
    fn listed(
        &self,
        prefix: &str,
        object: ::s3::serde_types::Object,
    ) -> Result<Option<Object>, ObjectsFault> {
        let Some(key) = object.key.strip_prefix(&self.prefix).filter(|k| k.starts_with(prefix))
        else {
            let what = format!("the listing has {:?}, which does not begin so", object.key);
            return Err(ObjectsFault::wrong(prefix, what));
        };
        if key::check(key).is_err() {
            return Ok(None);
        }
        let modified = DateTime::parse_from_rfc3339(&object.last_modified).map_err(|_| {
            ObjectsFault::wrong(key, format!("listed with the time {:?}", object.last_modified))
        })?;
        let modified_ms = modified.timestamp_millis();
        Ok(Some(Object { key: key.to_owned(), len: object.size, modified_ms }))
    }
}
