//! What a listener's requests are answered by. A request that needs no more than a look at the
//! store may be noted first, and all that were noted while one receive was read are then answered
//! together, here or by another node. On the core of the connections; must not block.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Body;

use super::body::Incoming;

/// Answers the requests of a listener's connections.
pub trait Service: 'static {
    /// The body of an answer.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin + 'static;
    /// An answer to come.
    type Answering: Future<Output = Response<Self::Body>> + 'static;
    /// Requests that were noted, with the buffers to answer them; used again and again.
    type Noted: Default;
    /// Requests that others are asked for, gathered while one receive is read.
    type Away: Default;
    /// What others have told.
    type Told: 'static;

    /// Fields in lower case that change what a look at the store answers: a request with one of
    /// them is never noted.
    const MATTERS: &'static [&'static str] = &[];

    /// Answers any request.
    fn answer(&self, request: Request<Incoming>) -> Self::Answering;

    /// Notes a GET without a body for the path and query `target`. False, and nothing noted, when
    /// it needs more than a look. What was noted once may be asked for again; when it is not noted
    /// then, the client is told to ask again.
    fn note(&self, noted: &mut Self::Noted, target: &str) -> bool;

    /// Answers all that was noted, each once and in any order, and empties `noted`. `reply` is told
    /// which it is, counted from 0 as they were noted. The looks begin with this call, hence after
    /// the receive that brought the requests.
    fn look(&self, noted: &mut Self::Noted, reply: &mut dyn FnMut(usize, &Short<'_>));

    /// Gathers a request that [`Self::note`] would note if its answer were here, to ask others for
    /// it with all that came with it; `id` is what the connection knows it by. False, and nothing
    /// gathered, when there is nobody to ask.
    fn note_away(&self, _: &mut Self::Away, _id: u32, _target: &str) -> bool {
        false
    }

    /// Asks for all that was gathered, and empties `away`.
    fn ask(&self, _: &mut Self::Away) -> Vec<Asking<Self::Told>> {
        Vec::new()
    }

    /// Tells what came of each request by its id: its answer, or its target when nobody gave one
    /// and it is to be answered as any other.
    fn tell(&self, _: &Self::Told, _: &mut dyn FnMut(u32, Result<&Short<'_>, &str>)) {}

    /// An answer with this status that a look has made was thrown away, for want of room. Whoever
    /// asked is looked for once more.
    fn thrown_away(&self, status: u16) {
        let _ = status;
    }
}

/// Others are being asked.
pub type Asking<T> = Pin<Box<dyn Future<Output = T>>>;

/// A field of an answer; its name in lower case.
pub type Field<'r> = (&'static str, &'r [u8]);

/// An answer whose every byte is at hand and is copied once, into what the connection writes.
#[derive(Clone, Copy, Debug)]
pub struct Short<'r> {
    /// The status code.
    pub status: u16,
    /// The `content-type`.
    pub content_type: &'static str,
    /// More fields.
    pub fields: &'r [Field<'r>],
    /// The body.
    pub body: &'r [u8],
}
