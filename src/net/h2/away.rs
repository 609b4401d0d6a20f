//! Requests that others are asked for: each is an open stream until what they told is written as a
//! look's answer is, and what they did not answer gets a handler. On the core of the connection;
//! must never take in more answers than the send buffer has room for.

use std::task::{Context, Poll};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::{Request, Version};

use super::connection::{Connection, Core};
use super::frame::Reason;
use crate::net::Service;
use crate::net::body::Incoming;

impl<S: Service> Connection<S> {
    /// Whether more may be asked for: what a peer takes back is asked for nevertheless, and must
    /// not gather.
    pub(super) fn may_ask(&self) -> bool {
        let asked = self.asking.as_ref().map_or(0, FuturesUnordered::len);
        asked < self.limits.h2_streams as usize
    }

    /// Asks for what one receive has gathered.
    pub(super) fn ask(&mut self, core: &mut Core<S>) {
        if self.fault().is_some() {
            // Their streams are closed, and the next connection's have the same numbers.
            core.away = S::Away::default();
            return;
        }
        let asking = self.service.ask(&mut core.away);
        if !asking.is_empty() {
            self.asking.get_or_insert_default().extend(asking);
        }
    }

    /// Writes what was told meanwhile, while there is room.
    pub(super) fn hear(&mut self, core: &mut Core<S>, cx: &mut Context<'_>) {
        while !self.is_full()
            && let Some(asking) = &mut self.asking
        {
            match asking.poll_next_unpin(cx) {
                Poll::Pending => return,
                Poll::Ready(None) => self.asking = None,
                Poll::Ready(Some(told)) => self.told(core, &told),
            }
        }
    }

    fn told(&mut self, core: &mut Core<S>, told: &S::Told) {
        let (date, service) = (core.date.now(), self.service.clone());
        service.tell(told, &mut |id, answer| match answer {
            // The peer may have taken its request back.
            Ok(short) => {
                if let Some(stream) = self.streams.close(id) {
                    self.short(id, short, date, stream.window);
                }
            }
            Err(target) => self.ask_alone(id, target),
        });
    }

    fn ask_alone(&mut self, id: u32, target: &str) {
        if self.streams.get(id).is_none() {
            return;
        }
        let request = Request::get(target).version(Version::HTTP_2).body(Incoming::Empty);
        let Ok(request) = request else { return self.reset(id, Reason::Internal) };
        let handler = self.handle(id, request);
        if let Some(stream) = self.streams.get(id) {
            stream.handler = Some(handler);
        }
    }
}
