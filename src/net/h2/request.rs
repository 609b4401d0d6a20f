//! What a request is made of: HEADERS, CONTINUATION and DATA (RFC 9113, sections 6.1, 6.2, 6.10 and
//! 8.1). A GET that a look can answer is noted; every other request becomes a stream. On the core
//! of the connection; must decode every header block, answered or not.

use futures_util::future::{AbortHandle, abortable, join, ready};
use http::{Method, Request};

use super::body::{self, Feed};
use super::calm;
use super::connection::{Connection, Core, Leaving};
use super::control::{depends_on_another, on_stream};
use super::fault::Fault;
use super::frame::{self, Reason, flag};
use super::streams::Stream;
use super::window::{Inbound, Window};
use crate::net::Service;
use crate::net::body::Incoming;

/// Bytes of a header block that we take, beside those of the list it may expand to: a list that is
/// too long gets its answer, an endless one its end.
const BLOCK_OF_HEAD: usize = 4;

const PRIORITY: usize = 5;

/// A header block that goes on in CONTINUATIONs.
pub struct Block {
    pub stream: u32,
    is_last: bool,
    bytes: Vec<u8>,
    frames: u32,
}

impl<S: Service> Connection<S> {
    pub(super) fn headers(
        &mut self,
        core: &mut Core<S>,
        head: &frame::Head,
        payload: &[u8],
    ) -> Result<(), Fault> {
        on_stream(head)?;
        let too_short = Fault(Reason::Protocol, "HEADERS with more padding than bytes");
        let mut inside = frame::unpadded(head, payload).ok_or(too_short)?;
        if head.has(flag::PRIORITY) {
            depends_on_another(head, &payload[inside.clone()])?;
            inside.start += PRIORITY;
            if inside.start > inside.end {
                return Err(Fault(Reason::FrameSize, "HEADERS too short for their priority"));
            }
        }
        let (bytes, is_last) = (&payload[inside], head.has(flag::END_STREAM));
        if head.has(flag::END_HEADERS) {
            return self.fields(core, head.stream, is_last, bytes);
        }
        let block = Block { stream: head.stream, is_last, bytes: bytes.to_vec(), frames: 0 };
        self.block = Some(Box::new(block));
        Ok(())
    }

    pub(super) fn continuation(
        &mut self,
        core: &mut Core<S>,
        head: &frame::Head,
        payload: &[u8],
    ) -> Result<(), Fault> {
        let Some(mut block) = self.block.take() else { return Ok(()) };
        block.frames += 1;
        let most = BLOCK_OF_HEAD * self.limits.head_size;
        calm::continues(block.frames, block.bytes.len() + payload.len(), most)?;
        block.bytes.extend_from_slice(payload);
        if head.has(flag::END_HEADERS) {
            return self.fields(core, block.stream, block.is_last, &block.bytes);
        }
        self.block = Some(block);
        Ok(())
    }

    /// A whole header block.
    fn fields(
        &mut self,
        core: &mut Core<S>,
        id: u32,
        is_last: bool,
        block: &[u8],
    ) -> Result<(), Fault> {
        let Core { head, scratch, .. } = core;
        head.clear(self.limits.head_size);
        let decoded =
            self.decoder.decode(block, scratch, |known, name, value| head.take(known, name, value));
        decoded.map_err(|_| Fault(Reason::Compression, "a header block that cannot be decoded"))?;
        if id <= self.streams.last || id.is_multiple_of(2) {
            return self.trailers(core, id, is_last);
        }
        self.streams.uses(id);
        self.calm.works();
        if self.leaving == Leaving::Told {
            // Not processed, as the peer knows by our GOAWAY (section 6.8).
            self.streams.remember_reset(id);
            return Ok(());
        }
        if is_last && core.ids.len() + self.streams.len() >= self.limits.h2_streams as usize {
            self.look(core);
        }
        if self.streams.len() >= self.limits.h2_streams as usize {
            return self.refuse(core, id, Reason::RefusedStream);
        }
        if is_last
            && let Some(target) = core.head.plain_get()
            && core.notes.note(&self.service, target)
        {
            core.ids.push(id);
            if core.ids.len() >= self.looks {
                self.look(core);
            }
            return Ok(());
        }
        if is_last
            && self.may_ask()
            && let Some(target) = core.head.plain_get()
            && self.service.note_away(&mut core.away, id, target)
        {
            // Until it is asked for, to take it back is as hasty as for a handler.
            let stream = Stream::waiting(Window::new(self.theirs.initial_window));
            self.streams.open(id, Stream { has_run: false, ..stream });
            return Ok(());
        }
        self.open(core, id, is_last)
    }

    /// A header block on a stream that is not new.
    fn trailers(&mut self, core: &mut Core<S>, id: u32, is_last: bool) -> Result<(), Fault> {
        if id.is_multiple_of(2) || self.streams.was_skipped(id) {
            return Err(Fault(Reason::Protocol, "a stream's id is odd and above those before it"));
        }
        if self.streams.was_reset(id) {
            return Ok(());
        }
        let Some(stream) = self.streams.get(id) else {
            let is_noted = core.ids.contains(&id);
            let fault = Fault(Reason::StreamClosed, "HEADERS on a closed stream");
            return if is_noted { self.refuse(core, id, fault.0) } else { Err(fault) };
        };
        let (is_answered, feed) = (stream.is_answered, stream.feed.take());
        let Some(feed) = feed else {
            return self.refuse(core, id, Reason::StreamClosed);
        };
        if !is_last || !core.head.are_trailers() || !feed.end() {
            return self.refuse(core, id, Reason::Protocol);
        }
        if is_answered {
            self.streams.close(id);
        }
        Ok(())
    }

    /// A request that needs its handler.
    fn open(&mut self, core: &mut Core<S>, id: u32, is_last: bool) -> Result<(), Fault> {
        if core.head.is_too_large() {
            self.say(core, id, is_last, 431);
            return Ok(());
        }
        if core.head.is_connect() {
            self.say(core, id, is_last, 501);
            return Ok(());
        }
        let declared = core.head.content_length();
        let is_short = is_last && declared.is_some_and(|length| length > 0);
        let request = match core.head.request() {
            Ok(request) if !is_short => request,
            _ => return self.refuse(core, id, Reason::Protocol),
        };
        if core.head.expects() && !is_last {
            self.say_continue(id);
        }
        let (feed, incoming) = if is_last {
            (None, Incoming::Empty)
        } else {
            let (feed, inflow) = body::channel(id, declared, &self.taken);
            (Some(feed), Incoming::Stream(inflow))
        };
        let is_head = request.method() == Method::HEAD;
        let handler = self.handle(id, request.map(|()| incoming));
        let stream = Stream {
            inbound: Inbound::new(self.limits.h2_stream_window),
            feed,
            handler: Some(handler),
            has_run: false,
            is_head,
            ..Stream::waiting(Window::new(self.theirs.initial_window))
        };
        self.streams.open(id, stream);
        Ok(())
    }

    /// Lets a handler begin.
    pub(super) fn handle(&mut self, id: u32, request: Request<Incoming>) -> AbortHandle {
        let answering = self.service.answer(request);
        let (work, handler) = abortable(join(ready(id), answering));
        self.working.push(work);
        handler
    }

    pub(super) fn data(
        &mut self,
        core: &mut Core<S>,
        head: &frame::Head,
        payload: &[u8],
    ) -> Result<(), Fault> {
        on_stream(head)?;
        let id = head.stream;
        if self.streams.is_idle(id) {
            return Err(Fault(Reason::Protocol, "DATA on a stream that nobody has opened"));
        }
        let too_short = Fault(Reason::Protocol, "DATA with more padding than bytes");
        let bytes = &payload[frame::unpadded(head, payload).ok_or(too_short)?];
        if !self.inbound.receive(payload.len()) {
            return Err(Fault(Reason::FlowControl, "DATA beyond the connection's window"));
        }
        let is_last = head.has(flag::END_STREAM);
        if bytes.is_empty() && !is_last {
            self.calm.idles()?
        } else {
            self.calm.works()
        }
        let stream = self.streams.get(id).filter(|stream| stream.feed.is_some());
        let Some(stream) = stream else {
            self.taken.borrow_mut().push((id, payload.len()));
            let is_known = self.streams.was_reset(id);
            return if is_known { Ok(()) } else { self.refuse(core, id, Reason::StreamClosed) };
        };
        if !stream.inbound.receive(payload.len()) {
            self.taken.borrow_mut().push((id, payload.len()));
            return self.refuse(core, id, Reason::FlowControl);
        }
        if bytes.len() < payload.len() {
            self.taken.borrow_mut().push((id, payload.len() - bytes.len()));
        }
        if stream.feed.as_ref().is_none_or(|feed| !feed.push(bytes)) {
            self.taken.borrow_mut().push((id, bytes.len()));
            return self.refuse(core, id, Reason::Protocol);
        }
        let (is_answered, has_room) = (stream.is_answered, stream.inbound.is_half_free());
        if is_last && !stream.feed.take().as_ref().is_none_or(Feed::end) {
            return self.refuse(core, id, Reason::Protocol);
        }
        if is_answered && is_last {
            self.streams.close(id);
        } else if is_answered && !has_room {
            self.reset(id, Reason::No);
        }
        Ok(())
    }
}
