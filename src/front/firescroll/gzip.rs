//! gzip on FireScroll's routes, from 1 KiB on and when the client asks. On the core that serves the
//! request; a page is compressed when it is made and flushed whole.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use http::{HeaderMap, HeaderValue};
use hyper::body::Body as _;

use crate::front::answer::Answer;
use crate::front::body::{Body, Cut, Page};

/// Below this a compressed body is hardly smaller.
const LEAST: u64 = 1_024;

/// Compresses an answer's body where that is asked for and worth it.
pub fn when_asked(mut answer: Answer, request: &HeaderMap) -> Answer {
    let asked = request.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let small = answer.body().size_hint().exact().is_some_and(|size| size < LEAST);
    if small || !asked.is_some_and(|list| list.contains("gzip")) {
        return answer;
    }
    let body = std::mem::replace(answer.body_mut(), Body::Empty);
    *answer.body_mut() = match body {
        Body::Empty => Body::Empty,
        Body::Whole(bytes) => {
            let mut page = Some(Ok(bytes));
            let mut pages = compressed(move || page.take());
            let mut whole = Vec::new();
            while let Some(Ok(bytes)) = pages() {
                whole.extend_from_slice(&bytes);
            }
            Body::from(whole)
        }
        Body::Pages { next, .. } => Body::pages(compressed(next)),
        // The node that made it was asked for gzip as well; a partition's frames are packed.
        body @ (Body::Peer(_) | Body::Handover { .. }) => {
            *answer.body_mut() = body;
            return answer;
        }
    };
    answer.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    answer
}

fn compressed(mut next: impl FnMut() -> Page + 'static) -> impl FnMut() -> Page + 'static {
    let mut encoder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
    move || {
        let page = next();
        let out = match (page, encoder.as_mut()) {
            (Some(Err(cut)), _) => return Some(Err(cut)),
            (_, None) => return None,
            (Some(Ok(bytes)), Some(gzip)) => gzip
                .write_all(&bytes)
                .and_then(|()| gzip.flush())
                .map(|()| std::mem::take(gzip.get_mut())),
            (None, Some(_)) => encoder.take().map_or(Ok(Vec::new()), GzEncoder::finish),
        };
        // Writing into memory cannot fail; if it ever does the client must not take it for whole.
        Some(out.map(Bytes::from).map_err(|fault| Cut(fault.to_string())))
    }
}
